package web

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/url"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/mailbox"
)

// gapIsWatched is how long the page of a sign-in counts what arrived meanwhile.
const gapIsWatched = 2 * time.Minute

// A progressPage shows how far one sign-in has come, and nothing else.
type progressPage struct {
	frame
	Heading string
	Back    string // the mailbox; empty: a guest looks
	View    progressView
	Paste   string // where an address can be pasted; empty: nowhere
}

// A progressView is the part of it that changes.
type progressView struct {
	At       string // its own address
	Seen     string // what it shows, so that it is sent again only when that has changed
	Poll     string // how often the page asks: 1s; empty: nothing more comes
	Badge    badge
	Sentence string
	Words    []string
	Steps    *testPage // nil: nothing was tried
	Turning  bool
	Fault    *faultView
	Choices  []choiceButton
	Retry    string // the words of the button that begins anew; empty: there is none
	Password string // where a password is entered instead; empty: nowhere
	Device   *deviceView
	OK       string // where it leads when it is through; empty: nowhere
	Close    bool   // it is through, and a guest may go
	Next     *moment
}

// A choiceButton is an answer to the question of a sign-in.
type choiceButton struct {
	Value, Button, Words string
	Next                 bool
}

// A deviceView is what somebody needs who signs in on another device.
type deviceView struct {
	Code    string
	Address string // where it is typed
	Direct  string // the same with the code in it; empty: there is none
	Until   moment
}

// showResult handles GET /oauth/result/{secret}, for whoever holds the secret.
func (s *Server) showResult(w http.ResponseWriter, r *http.Request) error {
	keepClose(w)
	start := r.PathValue("secret")
	p, err := s.Credentials.SignIn(r.Context(), start)
	if err != nil {
		return err
	}
	page := s.progressPage(r.Context(), visitor{}, p, resultAddress(start))
	if p.SignIn.Step == postroom.SignInSent && p.SignIn.Way == postroom.GrantByCode {
		page.Paste = page.View.At
	}
	return s.renderProgress(w, r, page)
}

func resultAddress(start string) string { return "/oauth/result/" + url.PathEscape(start) }

// showProgress handles GET /mailboxes/{id}/sign-in/{signin}.
func (s *Server) showProgress(w http.ResponseWriter, r *http.Request, by visitor) error {
	p, err := s.progressOf(r, by)
	if err != nil {
		return err
	}
	return s.renderProgress(w, r, s.progressPage(r.Context(), by, p, progressAddress(p.SignIn)))
}

// progressOf is the sign-in that an address names, for who may sign in for its mailbox.
func (s *Server) progressOf(r *http.Request, by visitor) (credential.Progress, error) {
	m, err := s.signInMailbox(r, by)
	if err != nil {
		return credential.Progress{}, err
	}
	id, err := postroom.ParseID[postroom.SignInID](r.PathValue("signin"))
	if err != nil {
		return credential.Progress{}, err
	}
	p, err := s.Credentials.SignInByID(r.Context(), by.Viewer, id)
	if err == nil && p.SignIn.Mailbox != m.ID {
		err = &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This sign-in is not for this mailbox.", Remedy: "Open the mailbox, and look there.",
		}
	}
	return p, err
}

// renderProgress shows a sign-in. A page that asks again gets nothing when it shows
// already what there is.
func (s *Server) renderProgress(w http.ResponseWriter, r *http.Request, p progressPage) error {
	var shown bytes.Buffer
	if err := progressParts(p.View).Render(r.Context(), &shown); err != nil {
		return err
	}
	sum := sha256.Sum256(append(shown.Bytes(), p.View.Poll...))
	p.View.Seen = hex.EncodeToString(sum[:8])
	if target, _ := isHTMX(r); target == "progress" {
		if r.FormValue("seen") == p.View.Seen {
			w.WriteHeader(http.StatusNoContent)
			return nil
		}
		return s.render(w, r, http.StatusOK, progressSection(p.View))
	}
	return s.render(w, r, http.StatusOK, progressPageView(p))
}

func (s *Server) progressPage(ctx context.Context, by visitor, p credential.Progress, at string) progressPage {
	isGuest := by.User == 0
	p.Provider = s.brandAt(ctx, p.SignIn.Mailbox, p.Provider)
	page := progressPage{frame: s.frame(by, "Sign-in for "+p.Address, "mailboxes"), Heading: "Sign-in for " + p.Address}
	if !isGuest {
		page.Back = "/mailboxes/" + p.SignIn.Mailbox.String()
	}
	v := progressView{At: at, Badge: badge{"clock", "", "rest"}}
	switch p.SignIn.Step {
	case postroom.SignInBegun, postroom.SignInSent, postroom.SignInReturned:
		s.viewWaiting(&v, p)
	case postroom.SignInAsking:
		viewQuestion(&v, p)
	case postroom.SignInProposed:
		s.viewProposed(ctx, &v, by, p)
	case postroom.SignInProven:
		s.viewProven(ctx, &v, by, p)
		if v.OK = page.Back; isGuest {
			v.Close = true
		}
	case postroom.SignInRefused:
		s.viewRefused(ctx, &v, by, p)
	}
	page.View = v
	return page
}

func called(p credential.Progress) string {
	if p.Provider != "" {
		return p.Provider
	}
	return "the provider"
}

// viewWaiting is a sign-in that waits for somebody at the provider.
func (s *Server) viewWaiting(v *progressView, p credential.Progress) {
	v.Poll, v.Turning = "1s", true
	switch {
	case p.Shown != nil:
		v.Sentence = "Waiting until the code is typed and confirmed…"
		v.Device = &deviceView{Code: p.Shown.UserCode, Address: p.Shown.VerifyURL, Direct: p.Shown.VerifyURLComplete, Until: tell(p.Shown.Expires, s.now())}
	case p.SignIn.Step == postroom.SignInReturned:
		v.Sentence = "Signed in. Asking " + called(p) + " for what it has allowed…"
	default:
		v.Poll, v.Sentence = "2s", "Waiting for the sign-in at "+called(p)+"…"
		v.Words = []string{"It goes on in the tab where " + called(p) + " asks. If that tab is gone, begin again: nothing is lost."}
		v.Retry = "Begin again"
	}
}

// viewQuestion asks about an account that is another than was expected.
func viewQuestion(v *progressView, p credential.Progress) {
	who := p.SignIn.Account.Address
	if who == "" {
		who = "another account"
	}
	v.Poll = "5s"
	v.Badge, v.Sentence = badge{"warning", "", "wait"}, "You signed in as "+who+", and this is the mailbox "+p.Address+"."
	if len(p.Choices) == 1 {
		v.Words = []string{"If it is to be opened with this account all the same, ask whoever sent you here: they can say so on the page of the mailbox. This page waits."}
	}
	for _, c := range p.Choices {
		switch c {
		case credential.ChoiceShared:
			v.Choices = append(v.Choices, choiceButton{string(c), "Use it all the same",
				p.Address + " is a shared mailbox, and " + who + " may open it. Whether that is so is tried right away.", true})
		case credential.ChoiceAlias:
			v.Choices = append(v.Choices, choiceButton{string(c), "It is the same mailbox",
				p.Address + " is only another name of " + who + ". Then the mail of " + who + " is read.", false})
		case credential.ChoiceOther:
			v.Choices = append(v.Choices, choiceButton{string(c), "Sign in with another account",
				called(p) + " asks again. Choose " + p.Address + " there, or “Use another account”.", false})
		}
	}
}

// viewProposed is a sign-in whose credential is being tried.
func (s *Server) viewProposed(ctx context.Context, v *progressView, by visitor, p credential.Progress) {
	v.Poll, v.Turning = "1s", true
	v.Sentence = "Signed in" + asAccount(p) + ". Trying the mailbox…"
	if p.SignIn.Again {
		v.Words = []string{"What opened it before goes on to work until this is through."}
	}
	v.Steps = s.proofSteps(ctx, by, p)
	if p.SignIn.Fault != nil {
		f := viewFault(p.SignIn.Fault)
		v.Fault, v.Turning = &f, false
		v.Badge, v.Sentence = badge{"clock", "", "wait"}, "Signed in"+asAccount(p)+". The mailbox could not be tried yet; we try again by ourselves."
		if !p.NextTry.IsZero() {
			next := tell(p.NextTry, s.now())
			v.Next = &next
		}
	}
}

func asAccount(p credential.Progress) string {
	if p.SignIn.Account.Address == "" {
		return ""
	}
	return " as " + p.SignIn.Account.Address
}

// viewProven is a sign-in that is through.
func (s *Server) viewProven(ctx context.Context, v *progressView, by visitor, p credential.Progress) {
	v.Badge = badge{"tick", "", "good"}
	v.Steps = s.proofSteps(ctx, by, p)
	left := leftOver(p)
	if left != nil {
		shown := viewFault(left)
		v.Fault = &shown
	}
	switch {
	case left != nil && !p.Opened:
		v.Badge, v.Sentence = badge{"warning", "", "bad"}, "Signed in"+asAccount(p)+". Before the mailbox can be read, one thing has to be put right."
		v.Words = []string{"Nobody has to sign in again for it: Postroom looks again every hour."}
		return
	case left != nil:
		v.Badge, v.Sentence = badge{"warning", "", "wait"}, "Connected. Mail to "+p.Address+" arrives here from now on. Sending does not work yet."
		return
	case !p.Opened && p.State != postroom.MailboxPaused:
		v.Badge, v.Sentence = badge{"clock", "", "wait"}, "Signed in"+asAccount(p)+". The mail server of "+p.Address+" does not answer now; reading begins by itself as soon as it does."
	case p.SignIn.Again && p.State == postroom.MailboxPaused:
		v.Sentence = "Signed in again. The mailbox is paused; reading goes on when somebody resumes it."
		return
	case p.SignIn.Again && p.Missed > 0:
		v.Sentence = "Signed in again. Reading resumes. " + plural(int64(p.Missed), "mail") + " arrived meanwhile."
	case p.SignIn.Again:
		v.Sentence = "Signed in again. Reading resumes."
		v.Words = []string{"What arrived meanwhile is brought in now."}
	default:
		v.Sentence = "Connected. Mail to " + p.Address + " arrives here from now on."
	}
	if p.SignIn.EndedAt.IsZero() || s.now().Sub(p.SignIn.EndedAt) < gapIsWatched {
		v.Poll = "2s"
	}
}

// leftOver is what a person has to put right although the sign-in counts: why the
// mailbox could not be opened yet or, where it is, why it cannot send. Nil: nothing, or
// it passes by itself.
func leftOver(p credential.Progress) *postroom.Fault {
	steps, err := mailbox.UnpackSteps(p.Report)
	if err != nil {
		return nil
	}
	for _, step := range steps {
		if step.OK || step.Fault == nil || step.Fault.Kind == postroom.Delayed || p.Opened && !step.Kind.IsOutgoing() {
			continue
		}
		return step.Fault
	}
	return nil
}

// viewRefused is a sign-in that came to nothing.
func (s *Server) viewRefused(ctx context.Context, v *progressView, by visitor, p credential.Progress) {
	v.Badge, v.Sentence = badge{"cross", "", "bad"}, "Nobody is signed in by this."
	if f := p.SignIn.Fault; f != nil {
		view := viewFault(f)
		v.Fault = &view
	}
	if p.SignIn.Again {
		v.Words = []string{"Nothing was changed: what opened the mailbox before is still in place."}
	} else {
		v.Words = []string{"Nothing was changed: the mailbox is kept with all its settings."}
	}
	v.Steps = s.proofSteps(ctx, by, p)
	if p.CanRetry || by.User != 0 {
		v.Retry = "Sign in again"
	}
	if by.IsAdmin() {
		v.Password = "/mailboxes/" + p.SignIn.Mailbox.String() + "/password"
	}
}

// proofSteps are the steps of the test of what was brought, as far as it is; nil:
// there are none.
func (s *Server) proofSteps(ctx context.Context, by visitor, p credential.Progress) *testPage {
	steps, err := mailbox.UnpackSteps(p.Report)
	if err != nil {
		s.log().ErrorContext(ctx, "steps of a sign-in not shown", "sign_in", p.SignIn.ID, "err", err)
	}
	if p.SignIn.Step == postroom.SignInProposed {
		if now := s.Proofs.steps(p.SignIn.Mailbox); len(now) > 0 {
			steps = now
		}
	}
	if len(steps) == 0 {
		return nil
	}
	m, err := s.Reader.Mailbox(ctx, p.SignIn.Mailbox)
	if err != nil {
		return nil // it was removed meanwhile
	}
	page := testOf(m, mailbox.BothSides)
	page.Mailbox = m.ID.String()
	for _, step := range steps {
		shown := s.viewStep(by, m, step)
		shown.Certificate = nil // is looked at where the settings are
		page.tell(shown)
	}
	if len(page.Outgoing.Steps) == 0 {
		page.Outgoing.Shown = false
	}
	return &page
}

// answerResult handles POST /oauth/result/{secret}.
func (s *Server) answerResult(w http.ResponseWriter, r *http.Request) error {
	keepClose(w)
	start := r.PathValue("secret")
	switch r.PostFormValue("do") {
	case "paste":
		back, err := s.Credentials.Paste(r.Context(), start, r.PostFormValue("address"), travellers(r)...)
		if err != nil {
			return err
		}
		if back.Address != "" { // where a form does not lead by itself
			return s.render(w, r, http.StatusOK, startView(startPage{frame: s.frame(visitor{}, "Going on to the sign-in", ""), Go: back.Address}))
		}
		return s.goBack(w, r, back)
	case "again":
		return s.resultAgain(w, r, start)
	}
	choice := credential.Choice(r.PostFormValue("choice"))
	if _, err := s.Credentials.Answer(r.Context(), start, choice); err != nil {
		return err
	}
	if choice == credential.ChoiceOther {
		return s.resultAgain(w, r, start)
	}
	goTo(w, r, resultAddress(start))
	return nil
}

// resultAgain goes to the provider once more: with the same sign-in as long as nobody
// is back from there, and else with a new one.
func (s *Server) resultAgain(w http.ResponseWriter, r *http.Request, start string) error {
	p, err := s.Credentials.SignIn(r.Context(), start)
	if err != nil {
		return err
	}
	if !p.CanRetry && !p.SignIn.Step.HasEnded() {
		s.goOff(w, r, credential.Begun{Path: "/oauth/start/" + url.PathEscape(start)})
		return nil
	}
	begun, err := s.Credentials.Again(r.Context(), start)
	if err != nil {
		return err
	}
	s.goOff(w, r, begun)
	return nil
}

// answerProgress handles POST /mailboxes/{id}/sign-in/{signin}.
func (s *Server) answerProgress(w http.ResponseWriter, r *http.Request, by visitor) error {
	p, err := s.progressOf(r, by)
	if err != nil {
		return err
	}
	if r.PostFormValue("do") == "again" {
		return s.beginAgain(w, r, by, p)
	}
	choice := credential.Choice(r.PostFormValue("choice"))
	if _, err := s.Credentials.AnswerByID(r.Context(), by.Viewer, p.SignIn.ID, choice); err != nil {
		return err
	}
	if choice == credential.ChoiceOther {
		if p, err = s.Credentials.SignInByID(r.Context(), by.Viewer, p.SignIn.ID); err != nil {
			return err
		}
		return s.beginAgain(w, r, by, p)
	}
	goTo(w, r, progressAddress(p.SignIn))
	return nil
}

// beginAgain begins a sign-in anew that came to nothing, or that somebody has lost.
func (s *Server) beginAgain(w http.ResponseWriter, r *http.Request, by visitor, p credential.Progress) (err error) {
	in := p.SignIn
	if in.Way == postroom.GrantByDevice {
		fresh, _, err := s.Credentials.BeginDevice(r.Context(), by.Viewer, in.Mailbox, in.App)
		if err != nil {
			return err
		}
		goTo(w, r, progressAddress(fresh))
		return nil
	}
	var begun credential.Begun
	if p.CanRetry {
		begun, err = s.Credentials.AgainByID(r.Context(), by.Viewer, in.ID)
	} else {
		begun, err = s.Credentials.Begin(r.Context(), by.Viewer, in.Mailbox, in.App)
	}
	if err != nil {
		return err
	}
	s.goOff(w, r, begun)
	return nil
}

func (v progressView) isThrough() bool { return v.OK != "" || v.Close || v.Fault != nil }
