package mailbox

import (
	"context"
	"errors"
	"fmt"
	"regexp"
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
			Explanation: "Reading this mailbox stopped because of a mistake in Postroom itself.",
			Remedy:      "Nothing has to be done: the next try comes by itself. If this lasts, report what the log says to the makers of Postroom.",
			Err:         err,
		}
	}
	in := m.Incoming
	failure := diagnose.Failure{
		Protocol: in.Protocol, Phase: string(r.Phase), Reply: r.Reply, Challenge: r.Challenge, Err: err,
		Host: in.Host, Port: in.Port, TLS: in.TLS, Username: in.Username, Address: m.Address,
		CredentialKind: c.Kind, ConnectTimeout: in.ConnectTimeout, AuthTimeout: in.AuthTimeout,
		HasWorked: hasWorked, Secrets: []postroom.Secret{c.Password},
	}
	if shape := appPasswordOf(in.Host); shape != nil {
		failure.AppPasswordRequired = true
		if !c.Password.IsEmpty() {
			looks := shape.MatchString(strings.ReplaceAll(c.Password.Reveal(), " ", ""))
			failure.SecretLooksLikeAppPassword = &looks
		}
	}
	f := x.Catalogue.Explain(failure)
	speaks, protocol := speaks(r.Reply)
	if f == nil || r.Phase != mail.PhaseGreeting || speaks == "" || protocol == in.Protocol {
		return f
	}
	switch f.Class {
	case postroom.Unknown:
		return strangers(*f, in.ServerSettings, speaks, hasWorked)
	case postroom.ProtocolMismatch:
		f.Explanation = whoAnswers(in.ServerSettings, speaks)
		if f.Field = "incoming.port"; protocol != "" {
			f.Field = "incoming.protocol"
		}
	}
	return f
}

// speaks says what kind of server begins with a line, and by which protocol
// mailboxes are read there, if any; kind is empty when it cannot be told.
func speaks(line string) (kind string, protocol postroom.Protocol) {
	switch {
	case strings.HasPrefix(line, "* "):
		return "an IMAP server", postroom.IMAP
	case strings.HasPrefix(line, "+OK"):
		return "a POP3 server", postroom.POP3
	}
	for beginning, kind := range map[string]string{
		"220 ": "a server for sending mail (SMTP)", "220-": "a server for sending mail (SMTP)", "554 ": "a server for sending mail (SMTP)",
		"HTTP/": "a web server", "SSH-": "a server for remote work (SSH)",
	} {
		if strings.HasPrefix(line, beginning) {
			return kind, ""
		}
	}
	return "", ""
}

// strangers is the Fault for a server that does something else than was expected.
func strangers(f postroom.Fault, s postroom.ServerSettings, speaks string, hasWorked bool) *postroom.Fault {
	f.Class, f.FixBy, f.Field = postroom.ProtocolMismatch, postroom.FixByUser, "incoming.port"
	if f.Kind = postroom.NeedsRepair; hasWorked {
		f.Kind = postroom.Delayed // what was right yesterday: more often somebody is at work there
	}
	f.Explanation = whoAnswers(s, speaks)
	f.Remedy = "Check the name of the incoming server, the port, and whether the mailbox is to be read by IMAP or by POP3."
	return &f
}

func whoAnswers(s postroom.ServerSettings, speaks string) string {
	return fmt.Sprintf("What answers at %s, port %d, is %s.", s.Host, s.Port, speaks)
}

var (
	sixteenLetters  = regexp.MustCompile(`^[A-Za-z]{16}$`)
	fourTimesFour   = regexp.MustCompile(`^[A-Za-z]{4}(-?[A-Za-z]{4}){3}$`)
	appPasswordEnds = []struct {
		host  string
		shape *regexp.Regexp
	}{
		{"gmail.com", sixteenLetters}, {"googlemail.com", sixteenLetters},
		{"mail.yahoo.com", sixteenLetters}, {"aol.com", sixteenLetters},
		{"mail.me.com", fourTimesFour},
	}
)

// appPasswordOf returns the shape of the app passwords of a provider that takes
// no other password from programs; nil elsewhere.
func appPasswordOf(host string) *regexp.Regexp {
	for _, p := range appPasswordEnds {
		if host == p.host || strings.HasSuffix(host, "."+p.host) {
			return p.shape
		}
	}
	return nil
}
