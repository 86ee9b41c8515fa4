package api

import (
	"encoding/json"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// Settings are what can be chosen of a mailbox. What is absent gets the usual value.
type Settings struct {
	Name             string     `json:"name,omitempty" maxLength:"1000" doc:"What people call it; the address where there is none."`
	Address          string     `json:"address" maxLength:"1000"`
	Incoming         *Incoming  `json:"incoming,omitempty" doc:"How it is read. A host that is not given is looked for; without incoming and outgoing both are."`
	Outgoing         *Outgoing  `json:"outgoing,omitempty" doc:"How it sends; with incoming alone, it only reads."`
	Start            string     `json:"start,omitempty" doc:"From where on mail is brought in: now, all, or an RFC 3339 time."`
	AfterImport      string     `json:"after_import,omitempty" doc:"What happens to a mail on the server once it is here: keep, mark_read, move or delete; by pop3 keep or delete."`
	MoveTo           string     `json:"move_to,omitempty" doc:"The folder, with move; made if it is not there, and none of those that are read."`
	RawRetentionDays int        `json:"raw_retention_days" required:"false" doc:"How many days the exact bytes of a mail are kept, 36500 at most; 0: for ever. What was understood of it stays."`
	VisibleTo        *visibleTo `json:"visible_to,omitempty"`
	Owner            string     `json:"owner,omitempty" doc:"A user: the id, or the address that the user signs in with."`
}

// Endpoint says where a mail server is and how it is trusted.
type Endpoint struct {
	Host          string `json:"host,omitempty" maxLength:"1000"`
	Port          int    `json:"port,omitempty" minimum:"0" maximum:"65535"`
	TLS           string `json:"tls,omitempty" doc:"implicit, starttls or none; none only to this computer, unless the administrator allows it."`
	Username      string `json:"username,omitempty" maxLength:"1000"`
	CACertificate string `json:"ca_certificate,omitempty" doc:"PEM; trusted besides the system's roots."`
	PinnedSHA256  string `json:"pinned_sha256,omitempty" doc:"Of the one certificate that is accepted, in hex."`
}

// Incoming says how a mailbox is read.
type Incoming struct {
	Protocol string `json:"protocol,omitempty" doc:"imap or pop3."`
	Endpoint
	Folders        []string `json:"folders,omitempty" nullable:"false" doc:"INBOX where none is named; by pop3 there is no other."`
	ConnectTimeout string   `json:"connect_timeout,omitempty" doc:"Like 10s."`
	AuthTimeout    string   `json:"auth_timeout,omitempty" doc:"Like 5s."`
	PollInterval   string   `json:"poll_interval,omitempty" doc:"Like 1m; from 1s."`
}

// Outgoing says how a mailbox sends.
type Outgoing struct {
	Endpoint
	Credential *Credential `json:"credential,omitempty" doc:"What opens it, where that is something else than what opens the mailbox; in a patch, null gives that up. Never answered."`
}

// Credential is what opens a mailbox. It is never answered.
type Credential struct {
	Kind     string `json:"kind,omitempty" doc:"password, app_password or oauth. With oauth alone nobody has signed in yet: POST /mailboxes/{id}/connect begins that."`
	Password string `json:"password,omitempty" maxLength:"10000" doc:"With password and app_password."`
	// With oauth:
	App          string `json:"oauth_app,omitempty" doc:"With oauth: the registration that refresh_token was given to, or one that needs nobody to sign in."`
	RefreshToken string `json:"refresh_token,omitempty" maxLength:"20000" doc:"With oauth: a refresh token that was obtained elsewhere."`
}

func (c Credential) hidden() mailbox.Credential {
	return mailbox.Credential{Kind: c.Kind, Password: postroom.Hide(c.Password)}
}

// apply fills m with the settings.
func (s Settings) apply(m *postroom.Mailbox) error {
	m.Name, m.Address, m.AfterImport, m.MoveTo = s.Name, s.Address, postroom.AfterImport(s.AfterImport), s.MoveTo
	m.RawRetentionDays = s.RawRetentionDays
	m.Outgoing = nil
	if s.Outgoing != nil {
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: s.Outgoing.settings()}
	}
	for _, step := range []func(*postroom.Mailbox) error{s.applyIncoming, s.applyStart, s.applyPeople} {
		if err := step(m); err != nil {
			return err
		}
	}
	return nil
}

func (e Endpoint) settings() postroom.ServerSettings {
	return postroom.ServerSettings{
		Host: e.Host, Port: e.Port, TLS: postroom.TLSPolicy(e.TLS), Username: e.Username,
		CACertificate: e.CACertificate, PinnedSHA256: e.PinnedSHA256,
	}
}

func (s Settings) applyIncoming(m *postroom.Mailbox) error {
	if s.Incoming == nil {
		m.Incoming = postroom.IncomingSettings{} // to be found
		return nil
	}
	in := postroom.IncomingSettings{
		ServerSettings: s.Incoming.settings(), Protocol: postroom.Protocol(s.Incoming.Protocol), Folders: s.Incoming.Folders,
	}
	for field, d := range map[string]struct {
		text string
		into *time.Duration
	}{
		"incoming.connect_timeout": {s.Incoming.ConnectTimeout, &in.ConnectTimeout},
		"incoming.auth_timeout":    {s.Incoming.AuthTimeout, &in.AuthTimeout},
		"incoming.poll_interval":   {s.Incoming.PollInterval, &in.PollInterval},
	} {
		if d.text == "" {
			continue
		}
		length, err := time.ParseDuration(d.text)
		if err != nil || length <= 0 {
			return unfit(field, "This is not how a length of time is written here.", "Write it like 10s, 1m or 1m30s.")
		}
		*d.into = length
	}
	m.Incoming = in
	return nil
}

// applyStart leaves the instant of a start alone that stays what it is.
func (s Settings) applyStart(m *postroom.Mailbox) error {
	start, err := readStart(s.Start)
	if err == nil && (start.Kind != postroom.StartNow || m.Start.Kind != postroom.StartNow) {
		m.Start = start
	}
	return err
}

// readStart reads now, all, or a time; empty is now.
func readStart(text string) (postroom.Start, error) {
	switch kind := postroom.StartKind(text); kind {
	case "", postroom.StartNow:
		return postroom.Start{Kind: postroom.StartNow}, nil
	case postroom.StartAll:
		return postroom.Start{Kind: kind}, nil
	}
	when, err := time.Parse(time.RFC3339, text)
	if err != nil {
		when, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		return postroom.Start{}, unfit("start", "This is no start.", "Give now, all, or a time like 2026-11-20T08:00:00Z.")
	}
	return postroom.Start{Kind: postroom.StartDate, At: when.UTC()}, nil
}

func (s Settings) applyPeople(m *postroom.Mailbox) error {
	m.Owner = 0
	if s.Owner != "" {
		owner, err := postroom.ParseID[postroom.UserID](s.Owner)
		if err != nil {
			return unfit("owner", "There is no user with this id.", "GET "+Prefix+"/users lists them.")
		}
		m.Owner = owner
	}
	m.Visibility = postroom.Visibility{}
	if s.VisibleTo == nil {
		return nil
	}
	m.Visibility.Kind = postroom.VisibilityKind(s.VisibleTo.kind)
	if s.VisibleTo.kind == "" {
		m.Visibility.Kind = postroom.VisibleToUsers
		for _, text := range s.VisibleTo.users {
			user, err := postroom.ParseID[postroom.UserID](text)
			if err != nil {
				return unfit("visible_to", "There is no user with one of these ids.", "GET "+Prefix+"/users lists them.")
			}
			m.Visibility.Users = append(m.Visibility.Users, user)
		}
	}
	return nil
}

// showSettings are the settings of a mailbox, without its credential.
func showSettings(m postroom.Mailbox) Settings {
	in := m.Incoming
	s := Settings{
		Name: m.Name, Address: m.Address, Start: string(m.Start.Kind), AfterImport: string(m.AfterImport), MoveTo: m.MoveTo, RawRetentionDays: m.RawRetentionDays,
		Incoming: &Incoming{
			Protocol: string(in.Protocol), Endpoint: showEndpoint(in.ServerSettings), Folders: full(in.Folders),
			ConnectTimeout: showDuration(in.ConnectTimeout), AuthTimeout: showDuration(in.AuthTimeout), PollInterval: showDuration(in.PollInterval),
		},
		VisibleTo: &visibleTo{kind: string(m.Visibility.Kind)},
	}
	if m.Start.Kind == postroom.StartDate {
		s.Start = m.Start.At.UTC().Format(time.RFC3339Nano)
	}
	if m.Outgoing != nil {
		s.Outgoing = &Outgoing{Endpoint: showEndpoint(m.Outgoing.ServerSettings)}
	}
	if m.Owner != 0 {
		s.Owner = m.Owner.String()
	}
	if m.Visibility.Kind == postroom.VisibleToUsers {
		s.VisibleTo = &visibleTo{users: []string{}}
		for _, u := range m.Visibility.Users {
			s.VisibleTo.users = append(s.VisibleTo.users, u.String())
		}
	}
	return s
}

func showEndpoint(s postroom.ServerSettings) Endpoint {
	return Endpoint{s.Host, s.Port, string(s.TLS), s.Username, s.CACertificate, s.PinnedSHA256}
}

// showDuration writes whole minutes and hours without zeros behind them: 1m, not 1m0s.
func showDuration(d time.Duration) string {
	text := d.String()
	for _, zeros := range []string{"m0s", "h0m"} {
		if cut := len(text) - 2; cut > 0 && text[cut-1:] == zeros {
			text = text[:cut]
		}
	}
	return text
}

// visibleTo is "everyone", "owner" or a list of users.
type visibleTo struct {
	kind  string // empty with a list
	users []string
}

// UnmarshalJSON reads either form.
func (v *visibleTo) UnmarshalJSON(text []byte) error {
	if err := json.Unmarshal(text, &v.users); err == nil {
		return nil
	}
	return json.Unmarshal(text, &v.kind)
}

// MarshalJSON writes the form that it has.
func (v visibleTo) MarshalJSON() ([]byte, error) {
	if v.kind != "" {
		return json.Marshal(v.kind)
	}
	return json.Marshal(v.users)
}

// Schema describes both forms.
func (v visibleTo) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "Who may see its mail: everyone, its owner, or a list of users, by their ids or the addresses that they sign in with.",
		OneOf: []*huma.Schema{
			{Type: huma.TypeString, Enum: []any{"everyone", "owner"}},
			{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeString}},
		},
	}
}
