package mailbox

import (
	"context"
	"errors"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/provider"
)

// An Explainer says what it means that a mailbox could not be opened or read.
type Explainer struct {
	Catalogue *diagnose.Catalogue
	Presets   *provider.Presets // nil: they are looked through each time
	// Unknown hears of every answer that nobody could explain, cleaned of what is
	// personal. It must not wait. Nil: nobody wants to know.
	Unknown func(host string, protocol postroom.Protocol, phase, reply string)
}

func (x Explainer) presets() *provider.Presets {
	if x.Presets == nil {
		return new(provider.Presets)
	}
	return x.Presets
}

// Explain returns the Fault for err, which came from opening or reading the
// incoming side of m with c. hasWorked says that c has opened m before; an unknown
// answer is then taken for a delay. It is nil when nobody failed: the one who
// asked stopped waiting.
func (x Explainer) Explain(err error, m postroom.Mailbox, c Credential, hasWorked bool) *postroom.Fault {
	f := x.explain(err, m, c, hasWorked)
	if r, ok := mail.RefusalOf(err); ok && x.Unknown != nil && f != nil && f.Class == postroom.Unknown && f.Reply != "" {
		x.Unknown(strings.ToLower(m.Incoming.Host), m.Incoming.Protocol, string(r.Phase), diagnose.Gist(f.Reply))
	}
	return f
}

// explain is Explain for whoever only wants to know what kind of failure it is.
func (x Explainer) explain(err error, m postroom.Mailbox, c Credential, hasWorked bool) *postroom.Fault {
	if f, ok := postroom.FaultOf(err); ok {
		return f
	}
	r, ok := mail.RefusalOf(err)
	if !ok {
		if errors.Is(err, context.Canceled) {
			return nil
		}
		return &postroom.Fault{
			Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: ownMistake,
			Remedy:      remedyOwnMistake,
			Err:         err,
		}
	}
	in := m.Incoming
	failure := diagnose.Failure{
		Protocol: in.Protocol, Phase: string(r.Phase), Reply: r.Reply, Heard: r.Heard, Challenge: r.Challenge, Err: err,
		Host: in.Host, Port: in.Port, TLS: in.TLS, Username: in.Username, Address: m.Address,
		CredentialKind: c.Kind, ConnectTimeout: in.ConnectTimeout, AuthTimeout: in.AuthTimeout,
		HasWorked: hasWorked, Secrets: []postroom.Secret{c.Password},
		Meant: func() string { return x.meant(m) },
	}
	if p, ok := x.presetOf(m); ok {
		know(&failure, p, c)
	}
	return x.Catalogue.Explain(failure)
}

// What is said of a failure of our own.
const (
	ownMistake       = "Reading this mailbox stopped because of a mistake in Postroom itself."
	remedyOwnMistake = "Nothing has to be done: the next try comes by itself. If this lasts, report what the log says to the makers of Postroom."
)
