package web

import (
	"context"
	"net/http"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// A keptTestPage is the page where a mailbox is tested as it is kept.
type keptTestPage struct {
	frame
	ID, Name, Address string
	Sends             bool
	Side              mailbox.Side
	Live              *testPage // it begins now
	End               *testEnd  // it is through
	Over              bool      // the test that was asked for is not known any more
}

// showTest handles GET /mailboxes/{id}/test.
func (s *Server) showTest(w http.ResponseWriter, r *http.Request, by visitor) error {
	m, err := s.mailboxAt(r)
	if err != nil {
		return err
	}
	p := s.keptTestPage(by, m, sideOf(r))
	if run := r.FormValue("run"); run != "" {
		switch t, ok := s.tests.find(run, by.Session.ID, s.now()); {
		case ok && t.end != nil:
			p.End = t.end
		case ok && t.run != nil:
			p.Live = &t.watched
		default:
			p.Over = true
		}
	}
	return s.render(w, r, http.StatusOK, keptTestView(p))
}

// mailboxAt is the mailbox that an address names.
func (s *Server) mailboxAt(r *http.Request) (postroom.Mailbox, error) {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return postroom.Mailbox{}, err
	}
	return s.Reader.Mailbox(r.Context(), id)
}

func (s *Server) keptTestPage(by visitor, m postroom.Mailbox, side mailbox.Side) keptTestPage {
	return keptTestPage{
		frame: s.frame(by, "Test of "+m.Name, "mailboxes"), ID: m.ID.String(), Name: m.Name, Address: m.Address, Sends: m.Outgoing != nil, Side: side,
	}
}

// verifyMailbox handles POST /mailboxes/{id}/verify: a mailbox is tested as it is kept,
// both sides or one.
func (s *Server) verifyMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	m, err := s.mailboxAt(r)
	if err != nil {
		return err
	}
	side := sideOf(r)
	if side == mailbox.OutgoingSide && m.Outgoing == nil {
		return &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "side",
			Explanation: "This mailbox only reads: it has no server for sending.", Remedy: "Enter one in its settings.",
		}
	}
	page := testOf(m, side)
	page.Mailbox, page.At = m.ID.String(), "/mailboxes/"+m.ID.String()+"/verify"
	run := func(ctx context.Context, progress func(mailbox.Step)) (mailbox.Report, error) {
		return s.Mailboxes.TestSaved(ctx, by.Viewer, m.ID, mailbox.TestOptions{Side: side, Progress: progress})
	}
	if !isAtOnce(r) {
		watched := s.startTest(by, &liveTest{place: "mailbox " + page.Mailbox, watched: page, mailbox: m, run: run, through: func(page testPage, report mailbox.Report, err error) (testEnd, error) {
			return s.endOf(by, page, m, report, err)
		}})
		goTo(w, r, "/mailboxes/"+page.Mailbox+"/test?side="+string(side)+"&run="+watched.ID)
		return nil
	}
	report, err := run(r.Context(), nil)
	if err != nil {
		return err
	}
	end := s.viewEnd(by, page, m, report)
	if _, ok := isHTMX(r); ok {
		return s.render(w, r, http.StatusOK, testReport(end))
	}
	p := s.keptTestPage(by, m, side)
	p.End = &end
	return s.render(w, r, http.StatusOK, keptTestView(p))
}
