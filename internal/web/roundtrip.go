package web

import (
	"context"
	"fmt"
	"hash/fnv"
	"net/http"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// A roundTripView is the part of a mailbox's page where it sends itself a mail.
type roundTripView struct {
	ID      string // of the mailbox
	Address string
	Sends   bool // it has a server to send by
	Keep    bool // as it was ticked
	Made    bool // there was one lately
	Running bool
	Version string // of what is said, so that it is said once
	Tone    string
	Icon    string
	Words   string
	When    moment
	Steps   []roundTripStep
	Issue   string // that is there to be looked at; empty: none is
	Number  string
}

// A roundTripStep is one thing that happened.
type roundTripStep struct {
	Tone   string // good, bad, or wait while it goes on
	Icon   string
	Word   string // the tone, for who cannot see it
	Title  string
	Detail string
	Took   string
	Fault  *faultView
}

// roundTripView is the newest round trip of a mailbox, as far as it has come.
func (s *Server) roundTripView(ctx context.Context, by visitor, m postroom.Mailbox) (roundTripView, error) {
	v := roundTripView{ID: m.ID.String(), Address: m.Address, Sends: m.Outgoing != nil}
	last, ok, err := s.Mailboxes.LastRoundTrip(ctx, by.Viewer, m.ID)
	if err != nil || !ok {
		return v, err
	}
	v.Made, v.Running, v.Keep, v.When = true, last.Running, last.Kept, tell(last.BegunAt, s.now())
	v.Tone, v.Icon, v.Words = roundTripWords(last)
	for _, step := range last.Steps {
		v.Steps = append(v.Steps, s.viewRoundTripStep(by, m, step))
	}
	v.Version = roundTripVersion(last)
	if last.OK && last.Kept {
		v.Issue, v.Number = last.Issue.String(), fmt.Sprint(last.Number)
	}
	return v, nil
}

// roundTripVersion differs where something else is said of a round trip.
func roundTripVersion(r mailbox.RoundTrip) string {
	sum := fnv.New32a()
	fmt.Fprint(sum, r.MessageID, r.Running)
	for _, step := range r.Steps {
		fmt.Fprint(sum, step.Kind, step.Running, step.OK, step.Detail, step.Fault != nil)
	}
	return fmt.Sprintf("%08x", sum.Sum32())
}

// roundTripWords say what a round trip has proven.
func roundTripWords(r mailbox.RoundTrip) (tone, icon, words string) {
	switch {
	case r.OK:
		return "good", "tick", "A mail to this mailbox becomes an issue."
	case r.Running:
		return "wait", "clock", "The mail is on its way."
	}
	return "bad", "cross", "This mail did not become an issue."
}

func (s *Server) viewRoundTripStep(by visitor, m postroom.Mailbox, step mailbox.RoundTripStep) roundTripStep {
	v := roundTripStep{Tone: "good", Icon: "tick", Word: "done", Title: step.Kind.Title(), Detail: step.Detail, Took: lasted(step.Took)}
	switch {
	case step.Running:
		v.Tone, v.Icon, v.Word, v.Took = "wait", "clock", "goes on", ""
	case !step.OK:
		v.Tone, v.Icon, v.Word = "bad", "cross", "did not work"
	}
	if step.Fault != nil {
		f := s.viewMailboxFault(by, step.Fault, m)
		v.Fault = &f
	}
	return v
}

// showRoundTrip handles GET /mailboxes/{id}/roundtrip: the page, or the part of it
// that says how far it has come.
func (s *Server) showRoundTrip(w http.ResponseWriter, r *http.Request, by visitor) error {
	p, err := s.roundTripPage(r.Context(), by, r.PathValue("id"))
	if err != nil {
		return err
	}
	if target, _ := isHTMX(r); target == "roundtrip" {
		if seen := r.FormValue("seen"); seen != "" && seen == p.Version {
			w.WriteHeader(http.StatusNoContent) // the part stays as it is
			return nil
		}
		return s.render(w, r, http.StatusOK, roundTripSteps(p.roundTripView))
	}
	return s.render(w, r, http.StatusOK, roundTripPageView(p))
}

type roundTripPage struct {
	frame
	roundTripView
	Name string
}

func (s *Server) roundTripPage(ctx context.Context, by visitor, text string) (p roundTripPage, err error) {
	id, err := postroom.ParseID[postroom.MailboxID](text)
	if err != nil {
		return p, err
	}
	m, err := s.Reader.Mailbox(ctx, id)
	if err != nil {
		return p, err
	}
	p = roundTripPage{frame: s.frame(by, "Round trip of "+m.Name, "mailboxes"), Name: m.Name}
	p.roundTripView, err = s.roundTripView(ctx, by, m)
	return p, err
}

// makeRoundTrip handles POST /mailboxes/{id}/roundtrip. It answers when the round trip
// is through; who looks at the page meanwhile sees how far it is. Leaving the page
// does not end it.
func (s *Server) makeRoundTrip(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	ctx, end := s.whileRunning(r.Context())
	defer end()
	keep := r.PostFormValue("keep") != ""
	if _, err := s.Mailboxes.RoundTrip(ctx, by.Viewer, id, mailbox.RoundTripOptions{KeepIssue: keep}); err != nil {
		return err
	}
	if _, ok := isHTMX(r); !ok {
		http.Redirect(w, r, "/mailboxes/"+id.String()+"/roundtrip", http.StatusSeeOther)
		return nil
	}
	p, err := s.roundTripPage(context.WithoutCancel(r.Context()), by, id.String())
	if err != nil {
		return err
	}
	return s.render(w, r, http.StatusOK, roundTripSteps(p.roundTripView))
}

// whileRunning is a context that outlives the request, and ends when the process is
// about to.
func (s *Server) whileRunning(request context.Context) (ctx context.Context, end func()) {
	ctx, cancel := context.WithCancel(context.WithoutCancel(request))
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-s.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel()
		<-ended
	}
}
