package api

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// Report is the outcome of a test.
type Report struct {
	OK       bool           `json:"ok"`
	Steps    []Step         `json:"steps" nullable:"false" doc:"In the order in which they were tried, those of the outgoing server last; the test of a server ends with the first that fails."`
	Dialogue []DialogueLine `json:"dialogue" nullable:"false" doc:"What was said with the servers, secrets blanked; each side in its order, the incoming one first. Left out where many mailboxes are tested."`
	Folders  []TestedFolder `json:"folders" nullable:"false" doc:"Those that can be read, INBOX first; empty where the server was not asked, or did not say."`
	Advice   []Advice       `json:"advice" nullable:"false" doc:"Values that settings had better have, by what was measured."`
}

// Step is one thing that a test tried.
type Step struct {
	Step         string       `json:"step" doc:"What it is about; of the outgoing server it begins with outgoing_."`
	Side         string       `json:"side" enum:"incoming,outgoing"`
	OK           bool         `json:"ok"`
	Running      bool         `json:"running,omitempty" doc:"It has begun and is not through; only in events."`
	Milliseconds int64        `json:"milliseconds"`
	Detail       string       `json:"detail"`
	Certificate  *Certificate `json:"certificate,omitempty" doc:"What the server showed, also where it is not trusted."`
	Fault        *Fault       `json:"fault"`
}

// Certificate is what a server showed to prove who it is.
type Certificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Names     []string  `json:"names" nullable:"false" doc:"Those that it is for."`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256" doc:"In hex; pinned_sha256 of a server takes it."`
}

// DialogueLine is one line of what was said with a server.
type DialogueLine struct {
	At        time.Time `json:"at"`
	Side      string    `json:"side" enum:"incoming,outgoing"`
	Direction string    `json:"direction" enum:"C,S" doc:"C: Postroom said it. S: the server did."`
	Text      string    `json:"text"`
}

// TestedFolder is one that a server lists.
type TestedFolder struct {
	Name string `json:"name" doc:"As incoming.folders takes it."`
	Use  string `json:"use,omitempty" doc:"What it is for: all, archive, drafts, flagged, junk, sent or trash."`
}

// Advice is a value that a setting had better have.
type Advice struct {
	Field string `json:"field"`
	Value string `json:"value"`
	Words string `json:"words" doc:"Why."`
}

// ShowReport is a report as the API answers it.
func ShowReport(r mailbox.Report) Report {
	shown := Report{
		r.OK, make([]Step, 0, len(r.Steps)), make([]DialogueLine, 0, len(r.Dialogue)),
		make([]TestedFolder, 0, len(r.Folders)), make([]Advice, 0, len(r.Advice)),
	}
	for _, s := range r.Steps {
		shown.Steps = append(shown.Steps, showStep(s))
	}
	for _, l := range r.Dialogue {
		shown.Dialogue = append(shown.Dialogue, DialogueLine{l.At, string(l.Side), string(rune(l.Direction)), l.Text})
	}
	for _, f := range r.Folders {
		shown.Folders = append(shown.Folders, TestedFolder{f.Name, f.Use})
	}
	for _, a := range r.Advice {
		shown.Advice = append(shown.Advice, Advice{a.Field, a.Value, a.Words})
	}
	return shown
}

// showBriefly is ShowReport without the dialogue, for reports of many mailboxes.
func showBriefly(r mailbox.Report) Report {
	r.Dialogue = nil
	return ShowReport(r)
}

func showStep(s mailbox.Step) Step {
	shown := Step{
		Step: string(s.Kind), Side: string(mailbox.IncomingSide), OK: s.OK, Running: s.Running,
		Milliseconds: s.Took.Milliseconds(), Detail: s.Detail, Fault: showFault(s.Fault),
	}
	if s.Kind.IsOutgoing() {
		shown.Side = string(mailbox.OutgoingSide)
	}
	if c := s.Certificate; c != nil {
		shown.Certificate = &Certificate{c.Subject, c.Issuer, full(c.Names), c.NotBefore, c.NotAfter, c.SHA256}
	}
	return shown
}

// OneSide chooses what is tested.
type OneSide struct {
	Side string `query:"side" enum:"incoming,outgoing" doc:"Test only this side; without it both are tested, at the same time."`
}

// options has every step told as it comes.
func (o OneSide) options(tell func(step any)) mailbox.TestOptions {
	return mailbox.TestOptions{Side: mailbox.Side(o.Side), Progress: func(s mailbox.Step) { tell(showStep(s)) }}
}

type testDraftInput struct {
	draftInput
	OneSide
	Accepts
}

func (s *Server) testDraft(ctx context.Context, v postroom.Viewer, in *testDraftInput) (*flow, error) {
	m, c, err := s.draft(ctx, &in.Body)
	if err != nil {
		return nil, err
	}
	return s.telling(in.Accepts, func(ctx context.Context, tell func(step any)) (any, error) {
		report, err := s.Mailboxes.Test(ctx, v, m, c, in.options(tell))
		return ShowReport(report), err
	}), nil
}

type testMailboxInput struct {
	OfMailbox
	OneSide
	Accepts
}

func (s *Server) testMailbox(ctx context.Context, v postroom.Viewer, in *testMailboxInput) (*flow, error) {
	m, err := s.mailbox(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	return s.telling(in.Accepts, func(ctx context.Context, tell func(step any)) (any, error) {
		report, err := s.Mailboxes.TestSaved(ctx, v, m.ID, in.options(tell))
		return ShowReport(report), err
	}), nil
}
