package web

import (
	"context"
	"net/http"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

// testMailbox handles POST /mailboxes/test: the settings on the screen are tried,
// and nothing is kept.
func (s *Server) testMailbox(w http.ResponseWriter, r *http.Request, by visitor) error {
	if answered, err := s.findServers(w, r, by, ""); answered || err != nil {
		return err
	}
	return s.testForm(w, r, by, 0)
}

// testSettings handles POST /mailboxes/{id}/test.
func (s *Server) testSettings(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailboxID](r.PathValue("id"))
	if err != nil {
		return err
	}
	return s.testForm(w, r, by, id)
}

// typedFor reads the form of a mailbox. The password that is kept is used where none
// was typed, but only towards the server that it was given for.
func (s *Server) typedFor(r *http.Request, id postroom.MailboxID) (m postroom.Mailbox, c mailbox.Credential, err error) {
	m, c, err = readMailbox(r)
	if err != nil || id == 0 {
		return m, c, err
	}
	c, err = s.withKept(r.Context(), id, m, c, r.PostFormValue("outgoing.shared") != "")
	return m, c, err
}

// testForm tests what stands in a form: live where the page can listen, and otherwise
// at once.
func (s *Server) testForm(w http.ResponseWriter, r *http.Request, by visitor, id postroom.MailboxID) error {
	m, c, err := s.typedFor(r, id)
	if err != nil {
		return s.answerForm(w, r, by, idText(id), formSays{}, err)
	}
	side, page := sideOf(r), testOf(m, sideOf(r))
	page.Fill, page.At = formAt(idText(id), "fill"), formAt(idText(id), "test")
	run := func(ctx context.Context, progress func(mailbox.Step)) (mailbox.Report, error) {
		return s.Mailboxes.Test(ctx, by.Viewer, m, c, mailbox.TestOptions{Side: side, Progress: progress})
	}
	if !isAtOnce(r) {
		watched := s.startTest(by, &liveTest{place: "form " + idText(id), watched: page, mailbox: m, run: run, through: func(page testPage, report mailbox.Report, err error) (testEnd, error) {
			return s.endOf(by, page, m, report, err)
		}})
		return s.answerForm(w, r, by, idText(id), formSays{Live: &watched}, nil)
	}
	report, err := run(r.Context(), nil)
	if err != nil {
		return s.answerForm(w, r, by, idText(id), formSays{}, err)
	}
	end := s.viewEnd(by, page, m, report)
	return s.answerForm(w, r, by, idText(id), formSays{Report: &end, Known: end.Known}, nil)
}

// sideOf is the side of a mailbox that a request is about; anything else is both.
func sideOf(r *http.Request) mailbox.Side {
	switch side := mailbox.Side(r.FormValue("side")); side {
	case mailbox.IncomingSide, mailbox.OutgoingSide:
		return side
	}
	return mailbox.BothSides
}

// endOf is what a test has come to, also where it could not be made.
func (s *Server) endOf(by visitor, page testPage, m postroom.Mailbox, report mailbox.Report, err error) (testEnd, error) {
	if err == nil {
		return s.viewEnd(by, page, m, report), nil
	}
	f, known := postroom.FaultOf(err)
	if !known {
		return testEnd{}, err
	}
	v := s.viewMailboxFault(by, f, m)
	end := testEnd{testPage: page, Fault: &v}
	if f.Field != "" {
		end.Beside = []besideView{{f.Field, f.Explanation}}
	}
	return end, nil
}
