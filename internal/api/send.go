package api

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

type sendTestInput struct {
	OfMailbox
	Body *struct {
		To string `json:"to,omitempty" maxLength:"1000" doc:"Where it goes; to the mailbox itself where nobody is named."`
	}
}

// SendReport is what became of a test mail.
type SendReport struct {
	Outcome      string `json:"outcome" enum:"sent,not_sent,uncertain" doc:"sent: the server has taken it over. uncertain: it may have."`
	To           string `json:"to"`
	MessageID    string `json:"message_id" doc:"Without brackets."`
	Milliseconds int64  `json:"milliseconds"`
	Explanation  string `json:"explanation" doc:"What became of it, in words."`
	Reply        string `json:"reply" doc:"What the server said to it, secrets removed; empty where it said nothing."`
	Fault        *Fault `json:"fault"`
}

func showSendReport(r mailbox.SendReport) SendReport {
	return SendReport{string(r.Outcome), r.To, r.MessageID, r.Took.Milliseconds(), r.Words, r.Reply, showFault(r.Fault)}
}

func (s *Server) sendTest(ctx context.Context, v postroom.Viewer, in *sendTestInput) (*answer[SendReport], error) {
	m, err := s.mailbox(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	to := ""
	if in.Body != nil {
		to = in.Body.To
	}
	report, err := s.Mailboxes.SendTest(ctx, v, m.ID, to)
	return answerOf(showSendReport(report), err)
}
