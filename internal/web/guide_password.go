package web

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/provider"
)

// A passwordForm replaces the password of a mailbox and nothing else.
type passwordForm struct {
	ID      string
	Address string
	Server  string
	Label   string
	Shape   string // of an app password there, a regular expression; empty: none of its own
	Only    string // the provider, where it takes app passwords only
	Typing  bool   // a password was typed, and is not shown again
	Wrong   *faultView
	Report  *reportView
	Keep    bool // it can be kept though the test did not go through
}

// A passwordPage is the page of that form.
type passwordPage struct {
	frame
	Name  string
	Back  string
	Form  passwordForm
	Guide string // the page that leads to an app password; empty: the provider has none
}

func (s *Server) passwordForm(m postroom.Mailbox, preset *provider.Preset) passwordForm {
	f := passwordForm{ID: m.ID.String(), Address: m.Address, Server: m.Incoming.Host, Label: "New password"}
	if preset == nil {
		return f
	}
	if preset.AppPassword.Offered {
		f.Label = "App password"
	}
	if preset.AppPassword.Shape != nil {
		f.Shape = preset.AppPassword.Shape.String()
	}
	if preset.AppPassword.Required {
		f.Only = preset.Name
	}
	return f
}

func (s *Server) passwordPage(by visitor, m postroom.Mailbox) passwordPage {
	preset, known := s.Presets.For(m.Address, m.Incoming.Host)
	p := passwordPage{frame: s.frame(by, "New password for "+m.Name, "mailboxes"), Name: m.Name, Back: "/mailboxes/" + m.ID.String(), Form: s.passwordForm(m, preset)}
	if known {
		if _, ok := preset.Guide(m.Address); ok {
			p.Guide = guideAddress(preset.ID, m)
		}
	}
	return p
}

// showPassword handles GET /mailboxes/{id}/password.
func (s *Server) showPassword(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	m, err := s.Reader.Mailbox(r.Context(), id)
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, passwordView(s.passwordPage(by, m)))
}

// replacePassword handles POST /mailboxes/{id}/password: a password that opens the
// mailbox takes the place of the one that is kept, and nothing else changes.
func (s *Server) replacePassword(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	m, err := s.Reader.Mailbox(r.Context(), id)
	if err != nil {
		return err
	}
	p := s.passwordPage(by, m)
	c := mailbox.Credential{Password: postroom.Hide(r.PostFormValue("credential.password"))}
	p.Form.Typing = strings.TrimSpace(c.Password.Reveal()) != ""
	if r.PostFormValue("keep") == "" {
		tried, err := s.withKept(r.Context(), id, m, c, false)
		if err != nil {
			return err
		}
		report, err := s.Mailboxes.Test(r.Context(), by.Viewer, m, tried, mailbox.TestOptions{})
		if err != nil {
			return s.refusePassword(w, r, by, m, p, err)
		}
		if !report.OK {
			return s.answerPassword(w, r, by, m, p, report)
		}
	}
	last, err := s.Reader.LastArrival(r.Context())
	if err != nil {
		return err
	}
	change := func(*postroom.Mailbox) error { return nil }
	if _, err := s.Mailboxes.ChangeWith(r.Context(), by.Viewer, id, change, mailbox.NewCredentials{Mailbox: &c}); err != nil {
		return s.refusePassword(w, r, by, m, p, err)
	}
	to := url.Values{"opened": {last.String()}}
	goTo(w, r, "/mailboxes/"+id.String()+"?"+to.Encode())
	return nil
}

// answerPassword says why a password was not taken. What was typed stays in its field.
func (s *Server) answerPassword(w http.ResponseWriter, r *http.Request, by visitor, m postroom.Mailbox, p passwordPage, report mailbox.Report) error {
	p.Form.Report = viewReport(report)
	for i, step := range report.Steps {
		if step.Fault != nil {
			v := s.viewMailboxFault(by, step.Fault, m)
			p.Form.Report.Steps[i].Fault = &v
		}
	}
	// A server that cannot be asked now says nothing about the password.
	f := report.Fault()
	p.Form.Keep = f != nil && f.Kind != postroom.NeedsSignIn
	return s.renderPassword(w, r, http.StatusUnprocessableEntity, p)
}

func (s *Server) refusePassword(w http.ResponseWriter, r *http.Request, by visitor, m postroom.Mailbox, p passwordPage, err error) error {
	f, ok := postroom.FaultOf(err)
	if !ok {
		return err
	}
	v := s.viewMailboxFault(by, f, m)
	p.Form.Wrong = &v
	return s.renderPassword(w, r, statusOf(f.Kind), p)
}

func (s *Server) renderPassword(w http.ResponseWriter, r *http.Request, status int, p passwordPage) error {
	if _, ok := isHTMX(r); ok {
		return s.render(w, r, status, passwordAnswer(p.Form))
	}
	return s.render(w, r, status, passwordView(p))
}

// A gapView says what came in since a mailbox was opened again.
type gapView struct {
	ID    string
	After string // the newest arrival when it was opened
	Words string
	Badge badge
}

// addGap counts what came in since a mailbox was opened again, where the address of the
// page says when that was.
func (s *Server) addGap(r *http.Request, by visitor, id postroom.MailboxID, p *mailboxPage) error {
	after, err := strconv.ParseInt(r.FormValue("opened"), 10, 64)
	if err != nil || after < 0 {
		return nil
	}
	m, err := s.seenMailbox(r.Context(), by, id)
	if err != nil {
		return err
	}
	counts, err := s.Reader.ArrivalsAfter(r.Context(), id, postroom.ArrivalID(after))
	if err != nil {
		return err
	}
	v := gapView{ID: id.String(), After: strconv.FormatInt(after, 10), Badge: mailboxBadge(postroom.MailboxActive), Words: gapWords(m, counts)}
	if m.State != postroom.MailboxActive {
		v.Badge = mailboxBadge(postroom.MailboxDelayed)
	}
	p.Gap = &v
	return nil
}

// gapWords say what came in, and what is still to come.
func gapWords(m postroom.Mailbox, counts map[postroom.ArrivalState]int64) string {
	var here int64
	for state, n := range counts {
		if state != postroom.ArrivalWaiting && state != postroom.ArrivalBeforeStart {
			here += n
		}
	}
	waiting := counts[postroom.ArrivalWaiting]
	switch {
	case m.State == postroom.MailboxPaused:
		return "The new password is kept. The mailbox is paused: what has arrived since is brought in when somebody resumes reading."
	case m.Fault != nil:
		return "The new password is kept, with everything else as it was. Reading goes on as soon as the server lets us in."
	case m.State != postroom.MailboxActive:
		return "The new password works. Reading goes on in a moment, where it stopped."
	case here+waiting == 0:
		return "The new password works, and reading goes on where it stopped. Nothing had arrived meanwhile."
	case waiting == 0:
		return "The new password works, and reading goes on where it stopped. " + plural(here, "mail") + " that arrived meanwhile " + isOrAre(here) + " here."
	}
	return "The new password works, and reading goes on where it stopped. Of " + plural(here+waiting, "mail") + " that arrived meanwhile " + number(here) + " " + isOrAre(here) + " here, the rest is on its way."
}

// seenMailbox is a mailbox that a visitor may know of.
func (s *Server) seenMailbox(ctx context.Context, by visitor, id postroom.MailboxID) (postroom.Mailbox, error) {
	m, err := s.Reader.Mailbox(ctx, id)
	if err != nil {
		return m, err
	}
	if !by.IsAdmin() && !by.CanSeeMail(m) {
		return postroom.Mailbox{}, notForVisitor()
	}
	return m, nil
}

func notForVisitor() error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This mailbox is not here, or its mail is not for you.", Remedy: "Ask an administrator who may see its mail.",
	}
}

// administrators are the names of those who can change settings, in words.
func (s *Server) administrators(ctx context.Context) (string, error) {
	users, err := s.Door.Users(ctx)
	if err != nil {
		return "", err
	}
	var names []string
	for _, u := range users {
		if u.Role == postroom.RoleAdmin && u.DisabledAt.IsZero() {
			names = append(names, u.Name)
		}
	}
	switch n := len(names); {
	case n == 0:
		return "whoever runs Postroom", nil
	case n == 1:
		return names[0], nil
	case n > 5:
		return strings.Join(names[:5], ", ") + " or another administrator", nil
	default:
		return strings.Join(names[:n-1], ", ") + " or " + names[n-1], nil
	}
}
