package web

import (
	"context"
	"net/http"

	"github.com/postroom/postroom"
)

// A formerView is what is left of a mailbox that had an address before.
type formerView struct {
	Address          string
	Removed          moment
	Messages, Issues string
}

// former returns what is left of the mailbox that had an address before; ok is
// false when there is nothing.
func (s *Server) former(ctx context.Context, by visitor, address string) (v formerView, ok bool, err error) {
	if _, err := s.Reader.MailboxByAddress(ctx, address); err == nil {
		return v, false, nil // it is connected, which is another answer
	}
	f, err := s.Mailboxes.Former(ctx, by.Viewer, address)
	if postroom.KindOf(err) == postroom.NotFound {
		return v, false, nil
	}
	if err != nil {
		return v, false, err
	}
	return formerView{
		Address: f.Address, Removed: tell(f.RemovedAt, s.now()), Messages: plural(f.Arrivals, "message"), Issues: plural(f.Issues, "issue"),
	}, true, nil
}

// askFormer asks whether a mailbox that was here before is taken up again. What was
// typed stays, but for the passwords where the page is drawn anew.
func (s *Server) askFormer(w http.ResponseWriter, r *http.Request, by visitor, former formerView) error {
	values := r.PostForm
	values.Del("credential.password")
	values.Del("outgoing.credential.password")
	form, err := s.mailboxForm(r.Context(), by, "", values)
	if err != nil {
		return err
	}
	form.Former, form.Typing = &former, true
	if _, ok := isHTMX(r); ok {
		return s.render(w, r, http.StatusOK, formAnswer(form))
	}
	return s.render(w, r, http.StatusOK, mailboxFormView(form))
}
