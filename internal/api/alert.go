package api

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/alert"
)

// alerts is the room that tells people what needs them: *alert.Desk.
type alerts interface {
	Open(ctx context.Context, by postroom.Viewer) ([]postroom.Alert, error)
	History(ctx context.Context, by postroom.Viewer, limit int) ([]postroom.Alert, error)
	Contact(ctx context.Context) ([]string, error)
	SetContact(ctx context.Context, by postroom.Viewer, addresses []string) error
	TestContact(ctx context.Context, by postroom.Viewer) ([]postroom.Notice, error)
	Delay(ctx context.Context) (time.Duration, error)
	SetDelay(ctx context.Context, by postroom.Viewer, delay time.Duration) error
	Relay(ctx context.Context) (r alert.Relay, ok bool, err error)
	SetRelay(ctx context.Context, by postroom.Viewer, r alert.Relay) error
	RemoveRelay(ctx context.Context, by postroom.Viewer) error
	Warnings(ctx context.Context) ([]*postroom.Fault, error)
}

// Alert is one cause that needs a person, however many mailboxes it concerns.
type Alert struct {
	ID         string     `json:"id"`
	Kind       string     `json:"kind" enum:"needs_sign_in,needs_repair,delayed,quarantined,unbalanced,space,ahead"`
	Title      string     `json:"title"`
	Fault      *Fault     `json:"fault"`
	Mailboxes  []string   `json:"mailboxes" nullable:"false"`
	App        *string    `json:"oauth_app" doc:"That it is about; null when it is about none."`
	EndsAt     *time.Time `json:"ends_at" doc:"With ahead: when it ends."`
	BegunAt    time.Time  `json:"begun_at"`
	EndedAt    *time.Time `json:"ended_at" doc:"Null while it needs somebody."`
	ToldAt     *time.Time `json:"told_at" doc:"Of the last notice of it that left."`
	Told       int        `json:"told" doc:"How many notices of it have left."`
	NextNotice *time.Time `json:"next_notice_at"`
	Missed     int64      `json:"missed" doc:"Once it has ended: mails that had arrived meanwhile, and were brought in."`
}

func showAlert(a postroom.Alert) Alert {
	shown := Alert{
		ID: a.ID.String(), Kind: string(a.Kind), Title: a.Title, Fault: showFault(&a.Fault), Mailboxes: []string{}, App: reference(a.App),
		EndsAt: moment(a.EndsAt), BegunAt: a.BegunAt.UTC(), EndedAt: moment(a.EndedAt), ToldAt: moment(a.ToldAt), Told: a.Told, NextNotice: moment(a.NextAt),
		Missed: a.Gap,
	}
	for _, m := range a.Mailboxes {
		shown.Mailboxes = append(shown.Mailboxes, m.String())
	}
	return shown
}

type alertsInput struct {
	Paging
	Ended bool `query:"ended" doc:"True lists those that have ended, the newest first, 500 at most."`
}

// listAlerts answers what needs somebody, the gravest first. It is one line for a
// cause, so that they are few. The cursor is the last one shown.
func (s *Server) listAlerts(ctx context.Context, v postroom.Viewer, in *alertsInput) (*answer[list[Alert]], error) {
	all, err := s.Alerts.Open(ctx, v)
	if in.Ended {
		all, err = s.Alerts.History(ctx, v, maxList)
	}
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(all, in.Paging, func(a postroom.Alert) string { return a.ID.String() })
	return answerOf(listOf(page, next, showAlert), err)
}

// Expiry is something that is known to end.
type Expiry struct {
	Title     string    `json:"title"`
	Words     string    `json:"words" doc:"What happens then."`
	Remedy    string    `json:"remedy"`
	Link      *Link     `json:"link,omitempty"`
	At        time.Time `json:"at"`
	Mailboxes []string  `json:"mailboxes" nullable:"false"`
	App       *string   `json:"oauth_app"`
	Prevented bool      `json:"prevented" doc:"Postroom sees to it itself."`
}

func showExpiry(e postroom.Expiry) Expiry {
	shown := Expiry{
		Title: e.Title, Words: e.Words, Remedy: e.Remedy, At: e.At.UTC(), Mailboxes: []string{}, App: reference(e.App), Prevented: e.Prevented,
	}
	if e.Link.URL != "" {
		shown.Link = &Link{e.Link.Words, e.Link.URL}
	}
	for _, m := range e.Mailboxes {
		shown.Mailboxes = append(shown.Mailboxes, m.String())
	}
	return shown
}

// readForecast answers what is known to end, the next first.
func (s *Server) readForecast(ctx context.Context, _ postroom.Viewer, in *Paging) (*answer[list[Expiry]], error) {
	all, err := s.Forecast(ctx)
	if err != nil {
		return nil, err
	}
	page, next, err := pageOf(all, *in, func(e postroom.Expiry) string { return e.Key })
	return answerOf(listOf(page, next, showExpiry), err)
}

// AlertSettings say who is told what needs somebody, and how.
type AlertSettings struct {
	Contact []string    `json:"contact" nullable:"false" maxItems:"10" doc:"Addresses outside the connected mailboxes."`
	Delay   string      `json:"delay" doc:"For how long a mailbox may be delayed before somebody is told, like 1h; from 15m to 168h."`
	Relay   *AlertRelay `json:"relay" doc:"A server that takes notices; null: they leave by a connected mailbox that works."`
}

// AlertRelay is a server that notices leave by.
type AlertRelay struct {
	Host          string `json:"host" maxLength:"1000"`
	Port          int    `json:"port,omitempty" minimum:"0" maximum:"65535"`
	TLS           string `json:"tls,omitempty"`
	Username      string `json:"username,omitempty" maxLength:"1000" doc:"Absent where nobody signs in."`
	Password      string `json:"password,omitempty" maxLength:"10000" doc:"Never answered; absent: it stays."`
	CACertificate string `json:"ca_certificate,omitempty"`
	PinnedSHA256  string `json:"pinned_sha256,omitempty"`
	From          string `json:"from" maxLength:"1000" doc:"The sender's address."`
}

// KeptAlertSettings are the settings with what is wrong with them.
type KeptAlertSettings struct {
	AlertSettings
	Warnings []Fault `json:"warnings" nullable:"false" doc:"What keeps people from being told."`
}

func (s *Server) readAlertSettings(ctx context.Context, _ postroom.Viewer, _ *struct{}) (*answer[KeptAlertSettings], error) {
	var shown KeptAlertSettings
	contact, err := s.Alerts.Contact(ctx)
	if err != nil {
		return nil, err
	}
	delay, err := s.Alerts.Delay(ctx)
	if err != nil {
		return nil, err
	}
	relay, ok, err := s.Alerts.Relay(ctx)
	if err != nil {
		return nil, err
	}
	warnings, err := s.Alerts.Warnings(ctx)
	if err != nil {
		return nil, err
	}
	shown.Contact, shown.Delay, shown.Warnings = full(contact), delay.String(), []Fault{}
	if ok {
		shown.Relay = &AlertRelay{
			Host: relay.Host, Port: relay.Port, TLS: string(relay.TLS), Username: relay.Username,
			CACertificate: relay.CACertificate, PinnedSHA256: relay.PinnedSHA256, From: relay.From,
		}
	}
	for _, w := range warnings {
		shown.Warnings = append(shown.Warnings, *showFault(w))
	}
	return answerOf(shown, nil)
}

type alertSettingsInput struct{ Body AlertSettings }

func (s *Server) changeAlertSettings(ctx context.Context, v postroom.Viewer, in *alertSettingsInput) (*answer[KeptAlertSettings], error) {
	if in.Body.Delay != "" {
		delay, err := time.ParseDuration(in.Body.Delay)
		if err != nil {
			return nil, unfit("delay", "This is not how a length of time is written here.", "Write it like 1h or 90m.")
		}
		if err := s.Alerts.SetDelay(ctx, v, delay); err != nil {
			return nil, err
		}
	}
	if err := s.Alerts.SetContact(ctx, v, in.Body.Contact); err != nil {
		return nil, err
	}
	if err := s.changeRelay(ctx, v, in.Body.Relay); err != nil {
		return nil, err
	}
	return s.readAlertSettings(ctx, v, nil)
}

func (s *Server) changeRelay(ctx context.Context, v postroom.Viewer, r *AlertRelay) error {
	if r == nil {
		return s.Alerts.RemoveRelay(ctx, v)
	}
	relay := alert.Relay{From: r.From, ServerSettings: postroom.ServerSettings{
		Host: r.Host, Port: r.Port, TLS: postroom.TLSPolicy(r.TLS), Username: r.Username, CACertificate: r.CACertificate, PinnedSHA256: r.PinnedSHA256,
	}}
	if r.Password != "" {
		hidden := postroom.Hide(r.Password)
		relay.Password = &hidden
	}
	return s.Alerts.SetRelay(ctx, v, relay)
}

// Notice is a mail of Postroom's own.
type Notice struct {
	To     string     `json:"to"`
	State  string     `json:"state" enum:"queued,sending,sent,refused"`
	Via    string     `json:"via" doc:"What it left by: an address of a mailbox, or the host of the relay."`
	SentAt *time.Time `json:"sent_at"`
	Fault  *Fault     `json:"fault"`
}

// testAlerts sends a mail to each contact.
func (s *Server) testAlerts(ctx context.Context, v postroom.Viewer, _ *struct{}) (*answer[list[Notice]], error) {
	all, err := s.Alerts.TestContact(ctx, v)
	return answerOf(listOf(all, "", func(n postroom.Notice) Notice {
		return Notice{n.To, string(n.State), n.Via, moment(n.SentAt), showFault(n.Fault)}
	}), err)
}
