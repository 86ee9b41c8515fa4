package api

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

type roundTripInput struct {
	OfMailbox
	Accepts
	Body *struct {
		KeepIssue bool `json:"keep_issue,omitempty" doc:"True leaves the issue, and the mail on the server, where they are."`
	}
}

// RoundTrip is what became of a mail that a mailbox has sent to itself.
type RoundTrip struct {
	OK        bool            `json:"ok" doc:"Whether the mail was sent, has arrived and became an issue. What was not cleared away afterwards does not count."`
	Steps     []RoundTripStep `json:"steps" nullable:"false"`
	Issue     *string         `json:"issue" doc:"That it became, also where it is deleted again; null when it became none."`
	Number    *int64          `json:"number" doc:"Of the issue."`
	MessageID string          `json:"message_id" doc:"Without brackets."`
}

// RoundTripStep is one thing that happened on a round trip.
type RoundTripStep struct {
	Step         string `json:"step" enum:"sent,seen,filed,issue_removed,mail_removed,earlier_removed"`
	OK           bool   `json:"ok"`
	Running      bool   `json:"running,omitempty" doc:"It has begun and is not through; only in events."`
	Milliseconds int64  `json:"milliseconds"`
	Detail       string `json:"detail"`
	Fault        *Fault `json:"fault"`
}

func showRoundTrip(r mailbox.RoundTrip) RoundTrip {
	shown := RoundTrip{OK: r.OK, Steps: make([]RoundTripStep, 0, len(r.Steps)), Issue: reference(r.Issue), MessageID: r.MessageID}
	if r.Number != 0 {
		shown.Number = &r.Number
	}
	for _, s := range r.Steps {
		shown.Steps = append(shown.Steps, showRoundTripStep(s))
	}
	return shown
}

func showRoundTripStep(s mailbox.RoundTripStep) RoundTripStep {
	return RoundTripStep{string(s.Kind), s.OK, s.Running, s.Took.Milliseconds(), s.Detail, showFault(s.Fault)}
}

func (s *Server) roundTrip(ctx context.Context, v postroom.Viewer, in *roundTripInput) (*flow, error) {
	m, err := s.mailbox(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	keep := in.Body != nil && in.Body.KeepIssue
	return s.telling(in.Accepts, func(ctx context.Context, tell func(step any)) (any, error) {
		trip, err := s.Mailboxes.RoundTrip(ctx, v, m.ID, mailbox.RoundTripOptions{
			KeepIssue: keep, Progress: func(step mailbox.RoundTripStep) { tell(showRoundTripStep(step)) },
		})
		return showRoundTrip(trip), err
	}), nil
}
