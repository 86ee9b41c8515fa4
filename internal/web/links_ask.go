package web

import (
	"net/http"
	"net/mail"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

// An askedView is a link that was made just now. Its address is shown this once.
type askedView struct {
	Mailbox, Address string
	URL              string
	SentTo           string // empty: it is to be handed over
	Until            moment
	Fault            *faultView // why it was not sent, or why there is none
}

// askOwner has the owner of a mailbox asked to sign in: a link is mailed, or shown to
// be handed over.
func (s *Server) askOwner(w http.ResponseWriter, r *http.Request, by visitor, m postroom.Mailbox, what string) error {
	app, err := postedApp(r)
	if err != nil {
		return err
	}
	o := credential.AskOptions{Base: s.base(r)}
	if what == "link" {
		if o.SendTo, err = postedAddress(r, "send_to"); err != nil {
			return err
		}
	}
	asked, err := s.Credentials.Ask(r.Context(), by.Viewer, []postroom.MailboxID{m.ID}, app, o)
	if err != nil {
		return err
	}
	p, err := s.signInWaysPage(r.Context(), by, m)
	if err != nil {
		return err
	}
	for _, a := range asked {
		view, err := s.askedView(a, m.Address)
		if err != nil {
			return err
		}
		p.Asked = append(p.Asked, view)
	}
	keepClose(w) // a link opens something
	return s.render(w, r, http.StatusOK, signInWaysView(p))
}

func (s *Server) askedView(a credential.Asked, address string) (askedView, error) {
	v := askedView{Mailbox: a.Mailbox.String(), Address: address, URL: a.URL.Reveal(), SentTo: a.Link.SentTo, Until: tell(a.Link.ExpiresAt, s.now())}
	if a.Err != nil {
		f, known := postroom.FaultOf(a.Err)
		if !known {
			return v, a.Err
		}
		wrong := viewFault(f)
		v.Fault, v.SentTo = &wrong, ""
	}
	return v, nil
}

// postedAddress is a mail address that a form holds.
func postedAddress(r *http.Request, field string) (string, error) {
	text := strings.TrimSpace(r.PostFormValue(field))
	a, err := mail.ParseAddress(text)
	if err != nil || a.Name != "" || a.Address != text {
		return "", &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: field,
			Explanation: "This is not a mail address.", Remedy: "Write it as ann@example.net.", Err: err,
		}
	}
	return text, nil
}
