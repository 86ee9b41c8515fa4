package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// Outcome is what became of a message, as far as can be known.
type Outcome string

const (
	// NotSent: the server has nothing of it, or has said that it keeps nothing of it.
	NotSent Outcome = "not_sent"
	// Sent: the server has said that it has taken it over.
	Sent Outcome = "sent"
	// Uncertain: the server may have all of it, and its answer did not come.
	Uncertain Outcome = "uncertain"
)

// A Fate is what is known of a message after it was to be handed over.
type Fate struct {
	Outcome Outcome
	// Words are the server's whole answer that decided it, secrets removed; empty
	// where there was none.
	Words string
	// Temporary says of what was not sent that the same may go another time.
	Temporary bool
	// Refused are the recipients that the server did not take. A message is sent when
	// it took one of them.
	Refused []Refused
}

// Refused is a recipient that the server did not take.
type Refused struct {
	Address string
	Refusal *mail.Refusal
}

// pipelined is how many commands go without waiting for their answers. The answers
// to so few fit into the buffers between (RFC 2920 section 3.1).
const pipelined = 50

// Send hands one message over: from and to are the envelope, sizeBytes the length
// of the body, 0 where it is not known. Lines of the body may end in LF, CR or CRLF.
// It is streamed. The error is nil when the message was sent; otherwise it says why
// not, or why it cannot be known, and is mostly a [*mail.Refusal].
func (c *Client) Send(ctx context.Context, from string, to []string, sizeBytes int64, body io.Reader) (Fate, error) {
	done, err := c.begin(ctx)
	if err != nil {
		return c.notSent(nil, err)
	}
	defer done()
	e, err := c.envelope(from, to, sizeBytes)
	if err != nil {
		return c.notSent(nil, err)
	}
	refused, err := c.announce(ctx, e)
	if err == nil {
		err = c.requestData(ctx)
	}
	if err != nil {
		c.reset(ctx)
		return c.notSent(refused, err)
	}
	fate, err := c.handOver(ctx, body)
	fate.Refused = refused
	return fate, err
}

// Ask finds out whether the server would take a message, as far as it says so
// before it sees one. Nothing is sent.
func (c *Client) Ask(ctx context.Context, from, to string) error {
	done, err := c.begin(ctx)
	if err != nil {
		return err
	}
	defer done()
	e, err := c.envelope(from, []string{to}, 0)
	if err != nil {
		return err
	}
	_, err = c.announce(ctx, e)
	c.reset(ctx)
	return err
}

// reset forgets the message that was announced.
func (c *Client) reset(ctx context.Context) {
	if c.Usable() {
		_, _ = c.ask(ctx, mail.PhaseAny, "RSET") // what matters is known already
	}
}

func (c *Client) notSent(refused []Refused, err error) (Fate, error) {
	fate := Fate{Outcome: NotSent, Refused: refused, Temporary: !c.Usable()}
	if r, ok := mail.RefusalOf(err); ok && r.Reply != "" {
		fate.Words = r.Reply
		fate.Temporary = r.Reply[0] == '4' || fate.Temporary && r.Reply[0] != '5'
	}
	return fate, err
}

// An envelope is what is said before the message.
type envelope struct {
	mail string   // the command
	rcpt []string // the commands
	to   []string // as they were given
}

func (c *Client) envelope(from string, to []string, sizeBytes int64) (e envelope, err error) {
	unfit := func(phase mail.Phase, cause error) (envelope, error) {
		return e, &mail.Refusal{Protocol: postroom.SMTP, Phase: phase, Err: cause}
	}
	if len(to) == 0 {
		return unfit(mail.PhaseRcptTo, errors.New("nobody to send to"))
	}
	if limit := c.MaxSize(); limit > 0 && sizeBytes > limit {
		return unfit(mail.PhaseMailFrom, fmt.Errorf("the message is too big: it has %d bytes, and the server takes %d", sizeBytes, limit))
	}
	sender, isUTF8, err := envelopeAddress(from)
	if err != nil {
		return unfit(mail.PhaseMailFrom, err)
	}
	for _, address := range to {
		text, needsUTF8, err := envelopeAddress(address)
		if err == nil && text == "" {
			err = errors.New("a recipient without an address")
		}
		if err != nil {
			return unfit(mail.PhaseRcptTo, err)
		}
		isUTF8 = isUTF8 || needsUTF8
		e.rcpt = append(e.rcpt, "RCPT TO:<"+text+">")
	}
	e.to = to
	e.mail = "MAIL FROM:<" + sender + ">"
	if sizeBytes > 0 && c.Has("SIZE") { // RFC 1870
		e.mail += fmt.Sprintf(" SIZE=%d", sizeBytes)
	}
	// Where 8-bit bytes are not offered they go all the same if there are any: nearly
	// every such server passes them, and one that does not says so.
	if c.Has("8BITMIME") { // RFC 6152
		e.mail += " BODY=8BITMIME"
	}
	if isUTF8 {
		if !c.Has("SMTPUTF8") {
			return unfit(mail.PhaseMailFrom, ErrNotASCII)
		}
		e.mail += " SMTPUTF8"
	}
	return e, nil
}

// announce says who sends and who is to receive. refused are those who the server
// does not take; it is an error when it takes nobody.
func (c *Client) announce(ctx context.Context, e envelope) (refused []Refused, err error) {
	atOnce := 1
	if c.Has("PIPELINING") {
		atOnce = pipelined
	}
	commands := append([]string{e.mail}, e.rcpt...)
	phase := mail.PhaseMailFrom
	for first := 0; first < len(commands); first += atOnce {
		group := strings.Join(commands[first:min(first+atOnce, len(commands))], "\r\n")
		if err := c.say(ctx, phase, group, group); err != nil {
			return refused, err
		}
		var noSender error
		for n := first; n < min(first+atOnce, len(commands)); n++ {
			_, err := c.consent(ctx, phase)
			refusal, _ := mail.RefusalOf(err)
			switch {
			case err == nil:
			case !c.Usable():
				return refused, err
			case n == 0:
				noSender = err
			default:
				refused = append(refused, Refused{e.to[n-1], refusal})
			}
			phase = mail.PhaseRcptTo
		}
		if noSender != nil {
			return nil, noSender // what was said of the recipients follows from that
		}
	}
	if len(refused) == len(e.to) {
		return refused, spokesman(refused)
	}
	return refused, nil
}

// spokesman is the refusal that stands for all: one that may pass, if there is one.
func spokesman(refused []Refused) *mail.Refusal {
	for _, r := range refused {
		if strings.HasPrefix(r.Refusal.Reply, "4") {
			return r.Refusal
		}
	}
	return refused[0].Refusal
}

// requestData asks for leave to send the message.
func (c *Client) requestData(ctx context.Context) error {
	if err := c.say(ctx, mail.PhaseData, "DATA", "DATA"); err != nil {
		return err
	}
	r, err := c.answer(ctx, mail.PhaseData, c.commandTimeout)
	if err == nil && r.code/100 != 3 {
		// Question and answer have come apart: what follows could not be told.
		err = c.lose(ctx, mail.PhaseData, c.refused(mail.PhaseData, r))
	}
	return err
}
