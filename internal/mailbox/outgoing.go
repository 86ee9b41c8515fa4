package mailbox

import (
	"context"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/smtp"
)

// outgoingPrefix begins the kinds of the steps that concern the outgoing server.
const outgoingPrefix = "outgoing_"

// The steps of the outgoing server, in the order in which they come, after those of
// the incoming one.
const (
	StepOutgoingName       = outgoingPrefix + StepName
	StepOutgoingConnection = outgoingPrefix + StepConnection
	StepOutgoingEncryption = outgoingPrefix + StepEncryption
	StepOutgoingGreeting   = outgoingPrefix + StepGreeting
	StepOutgoingSignIn     = outgoingPrefix + StepSignIn
	StepOutgoingSender     = outgoingPrefix + stepSender // it takes mail from this address

	stepSender StepKind = "sender"
)

// IsOutgoing says whether a step concerns the outgoing server.
func (k StepKind) IsOutgoing() bool { return strings.HasPrefix(string(k), outgoingPrefix) }

// outgoingTitle is a step of the outgoing server in words.
func (k StepKind) outgoingTitle() string {
	switch k {
	case StepOutgoingName:
		return "Find the outgoing server"
	case StepOutgoingConnection:
		return "Reach the outgoing server"
	case StepOutgoingEncryption:
		return "Encrypt the connection for sending"
	case StepOutgoingGreeting:
		return "Hear the outgoing server’s greeting"
	case StepOutgoingSignIn:
		return "Sign in for sending"
	case StepOutgoingSender:
		return "Ask whether it takes mail from this address"
	}
	return string(k)
}

// outgoingSide is m with its outgoing server in the place of the incoming one:
// finding, reaching and explaining a server is the same for both.
func outgoingSide(m postroom.Mailbox) postroom.Mailbox {
	m.Incoming = postroom.IncomingSettings{
		ServerSettings: m.Outgoing.ServerSettings, Protocol: postroom.SMTP,
		ConnectTimeout: m.Incoming.ConnectTimeout, AuthTimeout: m.Incoming.AuthTimeout,
	}
	return m
}

// forSending is what opens the outgoing server.
func (c Credential) forSending() Credential {
	if c.Outgoing != nil {
		return *c.Outgoing
	}
	return c
}

// send does everything that sending a mail takes, but for the mail.
func (r *test) send(ctx context.Context) {
	client, err := letIn(ctx, r, func(l mail.Login) (*smtp.Client, error) {
		return smtp.Open(ctx, smtp.Options{Endpoint: r.watched(ctx), Login: l, CommandTimeout: r.patience(), Transcript: r.hear})
	})
	if !r.opened(ctx, err) {
		return
	}
	defer client.Close()
	r.begin(stepSender, r.m.Address)
	if err := client.Ask(ctx, r.m.Address, r.m.Address); err != nil {
		r.bad(ctx, r.m.Address, err)
		return
	}
	r.good("It takes mail from " + r.m.Address + ". Nothing was sent.")
}
