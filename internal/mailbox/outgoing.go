package mailbox

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

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

// outgoing tests the outgoing side of m while the incoming one is tested; wait
// returns its steps. A mailbox that only reads has none.
func (t Tester) outgoing(ctx context.Context, m postroom.Mailbox, c Credential) (wait func() []Step) {
	if m.Outgoing == nil {
		return func() []Step { return nil }
	}
	r := &test{Tester: t, m: outgoingSide(m), c: c.forSending()}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if r.findName(ctx) && r.reach(ctx) {
			r.send(ctx)
		}
	}()
	return func() []Step {
		<-done
		for n := range r.steps {
			r.steps[n].Kind = outgoingPrefix + r.steps[n].Kind
		}
		return r.steps
	}
}

// send does everything that sending a mail takes, but for the mail.
func (r *test) send(ctx context.Context) {
	since := time.Now()
	var s signIn
	client, err := openOutgoing(ctx, smtp.Options{
		Endpoint: r.endpoint(), CommandTimeout: commandTimeout, Transcript: s.hearSMTP,
	}, r.m.Incoming.Username, r.c)
	r.opened(since, s, err)
	if err != nil {
		return
	}
	defer client.Close()
	for n := range r.steps {
		if r.steps[n].Kind == StepGreeting {
			r.steps[n].Detail = abilities(client)
		}
	}
	since = time.Now()
	if err := client.Ask(ctx, r.m.Address, r.m.Address); err != nil {
		r.bad(stepSender, since, r.m.Address, err)
		return
	}
	r.good(stepSender, since, "It takes mail from "+r.m.Address+". Nothing was sent.")
}

// hearSMTP is a transcript that notes when and how we sign in.
func (s *signIn) hearSMTP(dir byte, line string) {
	if dir == 'S' && s.greeted.IsZero() {
		s.greeted = time.Now()
	}
	if words := strings.Fields(line); dir == 'C' && len(words) > 1 && words[0] == "AUTH" {
		s.began, s.mechanism = time.Now(), words[1]
	}
}

// abilities says what an outgoing server can do, as far as people care.
func abilities(c *smtp.Client) string {
	words := "The server speaks SMTP"
	if limit := c.MaxSize(); limit > 0 {
		words += fmt.Sprintf(" and takes messages of up to %s MB", grouped(max(limit/1_000_000, 1)))
	}
	if c.Has("SMTPUTF8") {
		words += "; addresses may have any letters"
	}
	return words + "."
}

// inGroups is an app password as it is kept: without the blanks that providers
// show between its groups.
var inGroups = regexp.MustCompile(`^([A-Za-z]{4})([A-Za-z]{4})([A-Za-z]{4})([A-Za-z]{4})$`)

// openOutgoing signs in at an outgoing server. An app password of four times four
// letters is kept without blanks, as all big providers want it; a server that
// refuses it so may have been given it with them.
func openOutgoing(ctx context.Context, o smtp.Options, username string, c Credential) (*smtp.Client, error) {
	o.Login = mail.Login{Username: username, Secret: c.Password}
	client, err := smtp.Open(ctx, o)
	refusal, ok := mail.RefusalOf(err)
	secret := c.Password.Reveal()
	if !ok || refusal.Phase != mail.PhaseAuth || !strings.HasPrefix(refusal.Reply, "535") ||
		c.Kind != KindAppPassword || appPasswordOf(o.Endpoint.Host) != nil || !inGroups.MatchString(secret) {
		return client, err
	}
	o.Secret = postroom.Hide(inGroups.ReplaceAllString(secret, "$1 $2 $3 $4"))
	if client, again := smtp.Open(ctx, o); again == nil {
		return client, nil
	}
	return nil, err
}
