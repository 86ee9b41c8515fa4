package smtp

import (
	"bufio"
	"context"
	"errors"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// The time-outs that count where nobody chose others (RFC 5321 section 4.5.3.2).
// A server that is given up while it thinks about a whole message leaves its fate
// uncertain, so there the wait is long.
const (
	DefaultCommandTimeout = 5 * time.Minute
	DefaultDataTimeout    = 3 * time.Minute
	DefaultAnswerTimeout  = 10 * time.Minute

	quitTimeout      = 2 * time.Second
	lastWordsTimeout = time.Second
)

// Options say which server to open, and how.
type Options struct {
	mail.Endpoint
	mail.Login

	CommandTimeout time.Duration // the longest wait for an answer; 0: 5 min
	DataTimeout    time.Duration // the longest silence while the message is taken; 0: 3 min
	AnswerTimeout  time.Duration // the longest wait for the answer to the whole message; 0: 10 min

	// Transcript hears every line: dir is 'C' for the client and 'S' for the server.
	// Secrets are blanked, the message is left out. nil: nobody listens.
	Transcript func(dir byte, line string)
}

// A Client is one connection to a server that knows who we are. One goroutine at a
// time uses it; only Close may come from another.
type Client struct {
	conn  net.Conn // only Open replaces it
	in    *bufio.Reader
	inUse sync.Mutex

	login          mail.Login
	commandTimeout time.Duration
	dataTimeout    time.Duration
	answerTimeout  time.Duration
	until          time.Time // no wait goes beyond this; zero: no limit
	transcript     func(dir byte, line string)

	extensions map[string]string // what EHLO was answered with: keywords in capitals, and what follows each
	mechanism  string            // by which we signed in

	broken atomic.Pointer[mail.Refusal] // why the connection is gone; nil: it is not
	closed sync.Once
}

func newClient(conn net.Conn, o Options) *Client {
	c := &Client{
		conn: conn, in: bufio.NewReader(conn), login: o.Login,
		commandTimeout: orElse(o.CommandTimeout, DefaultCommandTimeout),
		dataTimeout:    orElse(o.DataTimeout, DefaultDataTimeout),
		answerTimeout:  orElse(o.AnswerTimeout, DefaultAnswerTimeout),
		transcript:     func(byte, string) {},
	}
	if o.Transcript != nil {
		c.login = c.login.Ready()
		c.transcript = func(dir byte, line string) {
			o.Transcript(dir, c.login.Scrub(strings.ToValidUTF8(line, "�")))
		}
	}
	return c
}

func orElse(d, usual time.Duration) time.Duration {
	if d <= 0 {
		return usual
	}
	return d
}

// Has says whether the server offers an extension, by its keyword: "PIPELINING".
func (c *Client) Has(extension string) bool {
	_, has := c.extensions[strings.ToUpper(extension)]
	return has
}

// MaxSize is the largest message that the server takes, in bytes (RFC 1870); 0
// where it says nothing, or that there is no limit.
func (c *Client) MaxSize() int64 {
	n, err := strconv.ParseInt(c.extensions["SIZE"], 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

// Mechanism is the SASL mechanism by which we signed in.
func (c *Client) Mechanism() string { return c.mechanism }

// Usable says whether the connection still stands, as far as is known: after a
// refusal it does, after anything else that went wrong it does not.
func (c *Client) Usable() bool { return c.broken.Load() == nil }

// Close says QUIT, waits two seconds at most for the answer, and closes the
// connection. While another call is under way it closes at once, and that call
// fails. Closing again does nothing.
func (c *Client) Close() error {
	c.closed.Do(func() {
		if !c.inUse.TryLock() {
			c.conn.Close()
			return
		}
		defer c.inUse.Unlock()
		if c.Usable() {
			c.quit()
		}
		c.conn.Close()
		c.broken.CompareAndSwap(nil, &mail.Refusal{Protocol: postroom.SMTP, Phase: mail.PhaseLogout, Err: net.ErrClosed})
	})
	return nil
}

func (c *Client) quit() {
	c.transcript('C', "QUIT")
	if err := c.conn.SetDeadline(time.Now().Add(quitTimeout)); err != nil {
		return
	}
	if _, err := c.conn.Write([]byte("QUIT\r\n")); err == nil {
		_, _ = c.hear() // whatever it says, we are leaving
	}
}

var errInUse = errors.New("smtp: one goroutine at a time uses a client")

// begin locks the client for one call, which ends with done. The connection is
// closed when ctx ends before.
func (c *Client) begin(ctx context.Context) (done func(), err error) {
	if !c.inUse.TryLock() {
		return nil, errInUse
	}
	if broken := c.broken.Load(); broken != nil {
		c.inUse.Unlock()
		return nil, broken
	}
	unguard := c.guard(ctx)
	return func() { unguard(); c.inUse.Unlock() }, nil
}

func (c *Client) guard(ctx context.Context) func() {
	conn := c.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return func() { stop() }
}

// deadline is the end of a wait of d, or of the phase if that is earlier.
func (c *Client) deadline(d time.Duration) time.Time {
	at := time.Now().Add(d)
	if !c.until.IsZero() && c.until.Before(at) {
		return c.until
	}
	return at
}

// ask sends one command and hears the answer. One that says no is a
// [*mail.Refusal] and leaves the client usable; whatever else fails closes it.
func (c *Client) ask(ctx context.Context, phase mail.Phase, line string) (reply, error) {
	if err := c.say(ctx, phase, line, line); err != nil {
		return reply{}, err
	}
	return c.consent(ctx, phase)
}

// consent hears the answer to a command that is done with it.
func (c *Client) consent(ctx context.Context, phase mail.Phase) (reply, error) {
	r, err := c.answer(ctx, phase, c.commandTimeout)
	if err == nil && !r.isPositive() { // it waits for more than there is
		err = c.lose(ctx, phase, c.refused(phase, r))
	}
	return r, err
}

// say sends lines; shown is what a transcript may see of them.
func (c *Client) say(ctx context.Context, phase mail.Phase, lines, shown string) error {
	for line := range strings.SplitSeq(shown, "\r\n") {
		c.transcript('C', line)
	}
	return c.write(ctx, phase, []byte(lines+"\r\n"), c.commandTimeout)
}

func (c *Client) write(ctx context.Context, phase mail.Phase, b []byte, patience time.Duration) error {
	err := c.conn.SetWriteDeadline(c.deadline(patience))
	if err == nil {
		_, err = c.conn.Write(b)
	}
	if err != nil {
		return c.lose(ctx, phase, c.lastWords(phase, err))
	}
	return nil
}

// lastWords returns what the server said before it closed, which explains more
// than our failure to write; err when it said nothing.
func (c *Client) lastWords(phase mail.Phase, err error) error {
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() || c.conn.SetReadDeadline(time.Now().Add(lastWordsTimeout)) != nil {
		return err
	}
	if r, hearErr := c.hear(); hearErr == nil && r.isRefusal() {
		return c.refused(phase, r)
	}
	return err
}

// answer hears the answer to a command. A server that says 421 closes the
// connection (RFC 5321 section 3.8).
func (c *Client) answer(ctx context.Context, phase mail.Phase, patience time.Duration) (reply, error) {
	if err := c.conn.SetReadDeadline(c.deadline(patience)); err != nil {
		return reply{}, c.lose(ctx, phase, err)
	}
	r, err := c.hear()
	switch {
	case err != nil && r.code < 400:
		return r, c.lose(ctx, phase, err)
	case err != nil, r.code == 421: // what it said before it broke off explains more
		return r, c.lose(ctx, phase, c.refused(phase, r))
	case r.isRefusal():
		return r, c.refused(phase, r)
	}
	return r, nil
}

func (c *Client) refused(phase mail.Phase, r reply) *mail.Refusal {
	words := strings.ToValidUTF8(r.words, "�")
	refusal := &mail.Refusal{Protocol: postroom.SMTP, Phase: phase, Code: r.enhanced}
	return refusal.Said(words, c.login.Scrub(words))
}

// lose closes the connection for good and says why: the end of ctx, else the error.
func (c *Client) lose(ctx context.Context, phase mail.Phase, err error) error {
	c.conn.Close()
	if broken := c.broken.Load(); broken != nil {
		return broken
	}
	refusal, is := mail.RefusalOf(err)
	if !is {
		refusal = &mail.Refusal{Protocol: postroom.SMTP, Phase: phase, Err: err}
		var stranger *notSMTP
		switch {
		case ctx.Err() != nil:
			refusal.Err = context.Cause(ctx)
		case errors.As(err, &stranger):
			refusal.Said(stranger.line, c.login.Scrub(stranger.line)).Err = nil
		}
	}
	c.broken.Store(refusal)
	return refusal
}
