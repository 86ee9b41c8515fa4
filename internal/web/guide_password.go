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
	Hint    secretHint
	Typing  bool // a password was typed, and is not shown again
	Wrong   *faultView
	Live    *testPage
	Report  *testEnd
}

// A passwordPage is the page of that form.
type passwordPage struct {
	frame
	Name  string
	Back  string
	Form  passwordForm
	Guide string // the page that leads to an app password; empty: the provider has none

	SignsIn bool // somebody signs in to the mailbox so far
}

func (s *Server) passwordForm(m postroom.Mailbox, preset *provider.Preset) passwordForm {
	f := passwordForm{ID: m.ID.String(), Address: m.Address, Server: m.Incoming.Host, Label: "New password", Hint: s.secretHint(m.Address, m.Incoming.Host)}
	f.Hint.Guide = "" // around the form stands the one for this very mailbox
	if preset != nil && preset.AppPassword.Offered {
		f.Label = "App password"
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
	p := s.passwordPage(by, m)
	opens, err := s.opening(r.Context(), by, m)
	if err != nil {
		return err
	}
	p.SignsIn = opens.IsSignIn
	return s.render(w, r, http.StatusOK, passwordView(p))
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
	if r.PostFormValue("keep") != "" {
		to, err := s.keepPassword(r.Context(), by, m, c)
		if err != nil {
			return s.refusePassword(w, r, by, m, p, err)
		}
		goTo(w, r, to)
		return nil
	}
	if !p.Form.Typing {
		return s.refusePassword(w, r, by, m, p, &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "credential.password",
			Explanation: "The password is missing.", Remedy: "Paste it, or type it.",
		})
	}
	tried, err := s.withKept(r.Context(), id, m, c, false)
	if err != nil {
		return err
	}
	return s.tryPassword(w, r, by, m, p, c, tried)
}

// tryPassword tests a mailbox with a new password, live where the page can listen, and
// keeps the password when everything works with it.
func (s *Server) tryPassword(w http.ResponseWriter, r *http.Request, by visitor, m postroom.Mailbox, p passwordPage, c, tried mailbox.Credential) error {
	page := testOf(m, mailbox.BothSides)
	page.Mailbox, page.At = m.ID.String(), "/mailboxes/"+m.ID.String()+"/password"
	run := func(ctx context.Context, progress func(mailbox.Step)) (mailbox.Report, error) {
		return s.Mailboxes.Test(ctx, by.Viewer, m, tried, mailbox.TestOptions{Progress: progress})
	}
	// Whoever leaves the page while the password is being kept does not undo that.
	ctx := context.WithoutCancel(r.Context())
	through := func(page testPage, report mailbox.Report, err error) (testEnd, error) {
		end, err := s.endOf(by, page, m, report, err)
		if err != nil || end.Fault != nil {
			return end, err
		}
		if !report.OK {
			end.Keep = keepWords(report)
			return end, nil
		}
		end.To, err = s.keepPassword(ctx, by, m, c)
		if f, ok := postroom.FaultOf(err); ok {
			v := s.viewMailboxFault(by, f, m)
			end.Fault, err = &v, nil
		}
		return end, err
	}
	if !isAtOnce(r) {
		watched := s.startTest(by, &liveTest{place: "password " + page.Mailbox, watched: page, mailbox: m, run: run, through: through})
		p.Form.Live = &watched
		return s.renderPassword(w, r, http.StatusOK, p)
	}
	report, err := run(r.Context(), nil)
	end, err := through(page, report, err)
	switch {
	case err != nil:
		return s.refusePassword(w, r, by, m, p, err)
	case end.To != "":
		goTo(w, r, end.To)
		return nil
	}
	p.Form.Report = &end
	return s.renderPassword(w, r, http.StatusUnprocessableEntity, p)
}

// keepWords say why a password can be kept though not everything works with it; empty
// where reading refuses it.
func keepWords(report mailbox.Report) string {
	words := "Reading works with it, sending does not. The old one is still kept."
	for _, step := range report.Steps {
		switch {
		case step.Fault == nil || step.Kind.IsOutgoing():
		case step.Fault.Kind == postroom.NeedsSignIn:
			return ""
		default: // a server that cannot be asked now says nothing about the password
			words = "The test did not get as far as the password, so nobody knows yet whether it is right. The old one is still kept."
		}
	}
	return words
}

// keepPassword replaces the password of a mailbox as it was when its page was sent, and
// says where that page shows what has come in since. One that has opened both servers
// goes on to do so.
func (s *Server) keepPassword(ctx context.Context, by visitor, m postroom.Mailbox, c mailbox.Credential) (to string, err error) {
	last, err := s.Reader.LastArrival(ctx)
	if err != nil {
		return "", err
	}
	both, err := s.withKept(ctx, m.ID, m, c, false)
	if err != nil {
		return "", err
	}
	change := func(now *postroom.Mailbox) error {
		if isSameServer(now.Incoming.ServerSettings, m.Incoming.ServerSettings) && now.Incoming.Username == m.Incoming.Username && (now.Outgoing == nil) == (m.Outgoing == nil) &&
			(now.Outgoing == nil || isSameServer(now.Outgoing.ServerSettings, m.Outgoing.ServerSettings)) {
			return nil
		}
		return &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "credential.password",
			Explanation: "Somebody has changed the servers of this mailbox meanwhile, so the password is not kept: it would be sent to another server than it was entered for.",
			Remedy:      "Look at the settings of the mailbox, then enter the password once more.",
		}
	}
	given := mailbox.NewCredentials{Mailbox: &c, SameOutgoing: both.Outgoing == nil}
	if _, err := s.Mailboxes.ChangeWith(ctx, by.Viewer, m.ID, change, given); err != nil {
		return "", err
	}
	return "/mailboxes/" + m.ID.String() + "?" + url.Values{"opened": {last.String()}}.Encode(), nil
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
