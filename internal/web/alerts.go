package web

import (
	"context"
	"net/http"

	"github.com/postroom/postroom"
)

const (
	// shownEnded is how many alerts that have ended the page shows.
	shownEnded = 50
	// namedInList is how many mailboxes an alert names among others.
	namedInList = 5
)

// An alertsPage lists what needs somebody, and what no longer does.
type alertsPage struct {
	frame
	Open     []alertView
	Ended    []alertView
	Warnings []faultView // what keeps people from being told
}

// An alertPage is one alert.
type alertPage struct {
	frame
	alertView
	Notices []noticeView
}

// An alertView is an alert as a page shows it.
type alertView struct {
	ID        string
	Badge     badge
	Title     string
	Fault     faultView
	Since     moment
	Ended     *moment
	Lasted    string
	Gap       string // what was brought in once it was mended; empty: nothing was missing
	EndsAt    string // the day, of what is ahead
	IsAhead   bool
	Mailboxes []mailboxRow
	More      int64
	Count     string // "12 mailboxes"; empty: it is about none
	Step      nextStep
	SignsIn   bool    // each of its mailboxes is mended by signing in at the provider
	Told      *moment // the last notice that left; nil: none has
	Times     string  // "3 times"
	Next      *moment // of the next reminder
}

// A noticeView is a mail about an alert.
type noticeView struct {
	What  string
	To    string
	Badge badge
	When  moment
	Via   string
	Next  *moment
	Fault *faultView
}

// showAlerts handles GET /alerts.
func (s *Server) showAlerts(w http.ResponseWriter, r *http.Request, by visitor) error {
	live, err := s.Reader.LastEvent(r.Context()) // before the rest, so that nothing falls between
	if err != nil {
		return err
	}
	p := alertsPage{frame: s.frame(by, "Alerts", "alerts")}
	open, err := s.Alerts.Open(r.Context(), by.Viewer)
	if err != nil {
		return err
	}
	ended, err := s.Alerts.History(r.Context(), by.Viewer, shownEnded)
	if err != nil {
		return err
	}
	if p.Open, err = s.alertViews(r.Context(), by, open); err != nil {
		return err
	}
	if p.Ended, err = s.alertViews(r.Context(), by, ended); err != nil {
		return err
	}
	if by.IsAdmin() {
		warnings, err := s.Alerts.Warnings(r.Context())
		if err != nil {
			return err
		}
		for _, f := range warnings {
			v := viewFault(f)
			v.Who = ""
			p.Warnings = append(p.Warnings, v)
		}
	}
	if target, _ := isHTMX(r); target == "alerts" {
		return s.render(w, r, http.StatusOK, alertsBody(p))
	}
	p.Live = live
	return s.render(w, r, http.StatusOK, alertsView(p))
}

func (s *Server) alertViews(ctx context.Context, by visitor, alerts []postroom.Alert) (all []alertView, err error) {
	for _, a := range alerts {
		v, err := s.alertView(ctx, by, a, namedInList)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, nil
}

// alertView shows an alert with the names of some of its mailboxes.
func (s *Server) alertView(ctx context.Context, by visitor, a postroom.Alert, named int) (alertView, error) {
	now := s.now()
	v := alertView{
		ID: a.ID.String(), Badge: alertBadge(a.Kind), Title: alertTitle(a), Fault: viewFault(&a.Fault), Since: tell(a.BegunAt, now), Step: s.stepFor(by, a),
		SignsIn: a.Kind == postroom.AlertSignIn && a.EndedAt.IsZero() && signsInByOAuth(a.Fault.Class), IsAhead: a.Kind == postroom.AlertAhead,
	}
	if asClause(v.Title) == asClause(v.Fault.Explanation) {
		v.Title = ""
	}
	if !by.IsAdmin() && a.Fault.FixBy == postroom.FixByUser && v.Fault.Who != "" {
		v.Fault.Who = "you, or an administrator of Postroom"
	}
	if !a.EndsAt.IsZero() {
		v.EndsAt = dayOf(a.EndsAt) + ", " + daysLeft(a.EndsAt, now)
	}
	if !a.ToldAt.IsZero() {
		told := tell(a.ToldAt, now)
		v.Told, v.Times = &told, plural(int64(a.Told), "time")
	}
	if !a.EndedAt.IsZero() {
		ended := tell(a.EndedAt, now)
		v.Ended, v.Lasted, v.Gap = &ended, howLong(a.EndedAt.Sub(a.BegunAt)), broughtIn(a)
	} else if !a.NextAt.IsZero() {
		next := tell(a.NextAt, now)
		v.Next = &next
	}
	if n := int64(len(a.Mailboxes)); n > 0 {
		v.Count = mailboxCount(n)
	}
	for _, id := range a.Mailboxes {
		if len(v.Mailboxes) == named {
			v.More = int64(len(a.Mailboxes) - named)
			break
		}
		m, err := s.Reader.Mailbox(ctx, id) // whoever is told of the alert may know of them
		if postroom.KindOf(err) == postroom.NotFound && err != nil {
			continue // removed meanwhile
		}
		if err != nil {
			return v, err
		}
		v.Mailboxes = append(v.Mailboxes, s.mailboxRow(m))
	}
	return v, nil
}

// showAlert handles GET /alerts/{id}: one alert, with what was told to whom.
func (s *Server) showAlert(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.AlertID](r.PathValue("id"))
	if err != nil {
		return err
	}
	live, err := s.Reader.LastEvent(r.Context())
	if err != nil {
		return err
	}
	a, err := s.Alerts.Alert(r.Context(), by.Viewer, id)
	if err != nil {
		return err
	}
	p := alertPage{frame: s.frame(by, "Alert", "alerts")}
	if p.alertView, err = s.alertView(r.Context(), by, a, maxNamed); err != nil {
		return err
	}
	if by.IsAdmin() {
		notices, err := s.Alerts.Notices(r.Context(), by.Viewer, id)
		if err != nil {
			return err
		}
		for _, n := range notices {
			p.Notices = append(p.Notices, s.noticeView(n))
		}
	}
	if target, _ := isHTMX(r); target == "alerts" {
		return s.render(w, r, http.StatusOK, alertBody(p))
	}
	p.Live = live
	return s.render(w, r, http.StatusOK, alertPageView(p))
}

func (s *Server) noticeView(n postroom.Notice) noticeView {
	v := noticeView{What: noticeWord(n.Kind), To: n.To, Via: n.Via, When: tell(n.CreatedAt, s.now())}
	switch n.State {
	case postroom.NoticeSent:
		v.Badge, v.When = badge{"tick", "Sent", "good"}, tell(n.SentAt, s.now())
	case postroom.NoticeRefused:
		v.Badge = badge{"cross", "Could not be sent", "bad"}
	case postroom.NoticeSending:
		v.Badge = badge{"clock", "Being sent", "wait"}
	default:
		v.Badge = badge{"clock", "Waiting", "wait"}
		if !n.NextTryAt.IsZero() && n.Tries > 0 {
			next := tell(n.NextTryAt, s.now())
			v.Next = &next
		}
	}
	if n.Fault != nil && n.State != postroom.NoticeSent {
		f := viewFault(n.Fault)
		v.Fault = &f
	}
	return v
}

func noticeWord(k postroom.NoticeKind) string {
	switch k {
	case postroom.NoticeReminder:
		return "Reminder"
	case postroom.NoticeMended:
		return "That it is mended"
	case postroom.NoticeLink:
		return "Link to sign in"
	case postroom.NoticeTest:
		return "Test"
	}
	return "First notice"
}
