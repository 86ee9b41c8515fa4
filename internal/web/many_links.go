package web

import (
	"net/http"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

// askMany asks the owners of many mailboxes to sign in: each gets a link of their own,
// sent to the address of the mailbox or to be handed over.
func (s *Server) askMany(w http.ResponseWriter, r *http.Request, by visitor, list mailboxesPage, ids []postroom.MailboxID, send bool) error {
	if len(ids) == 0 {
		return &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "mailboxes",
			Explanation: "No mailbox was chosen.", Remedy: "Tick the mailboxes whose owners are to sign in.",
		}
	}
	asked, err := s.Credentials.Ask(r.Context(), by.Viewer, ids, 0, credential.AskOptions{ToEach: send, Base: s.base(r)})
	if err != nil {
		return err
	}
	p := manyPage{frame: s.frame(by, "Links to sign in", "mailboxes"), Back: list.address(), Links: true}
	failed := int64(0)
	for _, a := range asked {
		row := s.askedRow(r, a, send)
		if row.Done.Tone == "bad" {
			failed++
		}
		p.Rows = append(p.Rows, row)
	}
	did := " made."
	if send {
		did = " on the way."
	}
	p.Badge, p.Sentence = badge{"tick", "", "good"}, plural(int64(len(asked))-failed, "link")+did
	if failed > 0 {
		p.Badge = badge{"warning", "", "bad"}
		p.Sentence += " For " + mailboxCount(failed) + " there is none."
	}
	keepClose(w) // links open something
	return s.render(w, r, http.StatusOK, manyView(p))
}

func (s *Server) askedRow(r *http.Request, a credential.Asked, send bool) manyRow {
	row := manyRow{ID: a.Mailbox.String(), Name: "No. " + a.Mailbox.String(), Done: badge{"tick", "Asked", "good"}}
	if m, err := s.Reader.Mailbox(r.Context(), a.Mailbox); err == nil {
		row.Name, row.Address, row.State = m.Name, m.Address, mailboxBadge(m.State)
	}
	switch f, known := postroom.FaultOf(a.Err); {
	case known:
		row.Done, row.Words, row.Remedy = badge{"cross", "Not asked", "bad"}, f.Explanation, f.Remedy
	case a.Err != nil:
		s.log().ErrorContext(r.Context(), "link to sign in", "mailbox", a.Mailbox, "err", a.Err)
		row.Done, row.Words, row.Remedy = badge{"cross", "Not asked", "bad"}, "Something in Postroom itself went wrong.", "Try it once more with this one."
	case send:
		row.Words = "Sent to " + a.Link.SentTo + "."
	}
	if !send || a.Err != nil && !a.URL.IsEmpty() { // what was not sent can still be handed over
		row.URL = a.URL.Reveal()
	}
	return row
}
