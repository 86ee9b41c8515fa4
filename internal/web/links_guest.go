package web

import (
	"context"
	"net/http"

	"github.com/postroom/postroom/internal/credential"
)

// A linkPage is what the owner of a mailbox sees who was asked to sign in.
type linkPage struct {
	frame
	Who, Address, Name string
	Brand              string
	Sends              bool
	State              credential.LinkState
	Until              moment
	Fault              *faultView
}

// showLink handles GET /link/{secret}.
func (s *Server) showLink(w http.ResponseWriter, r *http.Request) error {
	keepClose(w)
	v, err := s.Credentials.OpenLink(r.Context(), r.PathValue("secret"))
	if err != nil {
		return err
	}
	status := http.StatusOK
	if v.State != credential.LinkOpen {
		status = http.StatusGone
	}
	return s.render(w, r, status, linkView(s.linkPage(r.Context(), v)))
}

func (s *Server) linkPage(ctx context.Context, v credential.GuestView) linkPage {
	p := linkPage{
		frame: s.frame(visitor{}, "Sign in to "+v.Address, ""), Who: v.AskedBy, Address: v.Address, Name: v.Name, Brand: s.brandAt(ctx, v.Link.Mailbox, v.Provider),
		Sends: v.Sends, State: v.State, Until: tell(v.Link.ExpiresAt, s.now()),
	}
	if p.Who == "" {
		p.Who = "An administrator"
	}
	if p.Brand == "" {
		p.Brand = "its provider"
	}
	return p
}

// useLink handles POST /link/{secret}: its owner goes on to the provider.
func (s *Server) useLink(w http.ResponseWriter, r *http.Request) error {
	keepClose(w)
	begun, err := s.Credentials.BeginByLink(r.Context(), r.PathValue("secret"))
	if err != nil {
		return err
	}
	s.goOff(w, r, begun)
	return nil
}

// words say what has become of a link that opens nothing any more.
func (p linkPage) words() (sentence, remedy string) {
	switch p.State {
	case credential.LinkUsed:
		return "This link was used already: somebody has signed in for " + p.Address + ".", "If that was you, there is nothing more to do. If it was not, tell " + p.who() + "."
	case credential.LinkRevoked:
		return "This link was taken back.", "Ask " + p.who() + " for another one, if you were to sign in."
	case credential.LinkExpired:
		return "This link is too old.", "Ask " + p.who() + " for another one."
	}
	return "", ""
}

func (p linkPage) who() string {
	if p.Who == "An administrator" {
		return "whoever sent it to you"
	}
	return p.Who
}

// purpose says what the mailbox is wanted for.
func (p linkPage) purpose() string {
	box := p.Address
	if p.Name != "" && p.Name != p.Address {
		box += " (" + p.Name + ")"
	}
	return "It is for the mailbox " + box + ". Its mail is to be worked on in Postroom, the post room of those who ask you."
}
