package web

import (
	"strings"

	"github.com/postroom/postroom"
)

// A secretHint is what is known of the password that opens a mailbox at its provider.
// The browser holds what is pasted against its shape; nothing is sent for that.
type secretHint struct {
	Provider string // empty: not known
	Required bool   // an app password is, or a sign-in that programs do not type
	TwoStep  bool   // an app password is, as soon as two-step verification is on
	Shape    string // of an app password without blanks and dashes, a regular expression; empty: none of its own
	Format   string // what it looks like, in words
	Guide    string // the page that leads to one; empty: there is none
}

// secretHint goes by the server, or by the address as long as there is none.
func (s *Server) secretHint(address, host string) secretHint {
	address = strings.TrimSpace(address)
	p, ok := s.Presets.For(address, strings.TrimSpace(host))
	if !ok || !p.AppPassword.Offered {
		return secretHint{}
	}
	h := secretHint{Provider: p.Name, Required: p.AppPassword.Required, TwoStep: p.AppPassword.WithTwoStep, Format: p.AppPassword.Format}
	if p.AppPassword.Shape != nil {
		h.Shape = p.AppPassword.Shape.String()
	}
	if _, ok := p.Guide(address); ok {
		h.Guide = guideAddress(p.ID, postroom.Mailbox{Address: address})
	}
	return h
}
