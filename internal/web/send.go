package web

import (
	"net/http"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/mailbox"
)

// sending is the part of a mailbox's page where a test mail is sent.
type sending struct {
	Host  string // the outgoing server; empty: the mailbox only reads
	To    string // as it was typed; empty: the mailbox itself
	Sent  *sentView
	Wrong *faultView
}

// A sentView is what became of a test mail.
type sentView struct {
	Tone  string
	Icon  string
	Words string
	Reply string
	Took  string
	Fault *faultView
}

func sendingOf(m postroom.Mailbox) sending {
	if m.Outgoing == nil {
		return sending{}
	}
	return sending{Host: m.Outgoing.Host}
}

func (s *Server) viewSent(by visitor, m postroom.Mailbox, r mailbox.SendReport) *sentView {
	v := &sentView{Reply: r.Reply, Took: lasted(r.Took)}
	switch r.Outcome {
	case smtp.Sent:
		v.Tone, v.Icon, v.Words = "good", "tick", r.Words
	case smtp.Uncertain:
		v.Tone, v.Icon, v.Words = "wait", "clock", "It is not known whether the mail was sent."
	default:
		v.Tone, v.Icon, v.Words = "bad", "cross", "The mail was not sent."
	}
	if r.Fault != nil {
		f := s.viewMailboxFault(by, r.Fault, m)
		v.Fault, v.Reply = &f, ""
	}
	return v
}

// sendTest handles POST /mailboxes/{id}/send-test.
func (s *Server) sendTest(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	p, err := s.wholeMailbox(r.Context(), by, id)
	if err != nil {
		return err
	}
	status := http.StatusOK
	p.Live, p.Sending.To = -1, strings.TrimSpace(r.PostFormValue("to"))
	report, err := s.Mailboxes.SendTest(r.Context(), by.Viewer, id, p.Sending.To)
	f, known := postroom.FaultOf(err)
	switch {
	case err == nil:
		m, err := s.Reader.Mailbox(r.Context(), id)
		if err != nil {
			return err
		}
		p.Sending.Sent = s.viewSent(by, m, report)
	case known && f.Kind == postroom.Invalid:
		v := viewFault(f)
		p.Sending.Wrong, status = &v, statusOf(f.Kind)
	default:
		return err
	}
	if _, ok := isHTMX(r); ok {
		return s.render(w, r, status, sentWords(p.Sending))
	}
	return s.render(w, r, status, mailboxView(p))
}
