package pop3

import (
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// The time-outs that count where nobody chose others.
const (
	// A server may look at every message on its disk before it answers LIST.
	DefaultCommandTimeout = time.Minute
	DefaultLiteralTimeout = 30 * time.Second

	closeTimeout = 2 * time.Second // for the last words of Close
)

// Options say which server to open, and how.
type Options struct {
	mail.Endpoint
	mail.Login

	CommandTimeout time.Duration // the longest silence while an answer is due; 0: a minute
	LiteralTimeout time.Duration // the longest silence within a message; 0: 30 s

	// Transcript hears every line: dir is 'C' for the client and 'S' for the server.
	// Secrets are blanked, messages left out, long lists cut. nil: nobody listens.
	Transcript func(dir byte, line string)
}

// A Client is one session with a server. One goroutine at a time uses it; only
// Close may come from another.
type Client struct {
	in    wire
	inUse sync.Mutex

	login          mail.Login
	commandTimeout time.Duration
	literalTimeout time.Duration
	transcript     func(dir byte, line string)

	greeting     string
	isRecent     bool // recentPrefix stands before the user name, and nobody asked for it
	capabilities capabilities
	isEncrypted  bool

	retrieved int // messages that were asked for by RETR
	deleted   int // messages that are marked by DELE

	broken atomic.Pointer[mail.Refusal] // why the connection is gone; nil: it is not
	closed sync.Once
}

func newClient(conn net.Conn, o Options) *Client {
	c := &Client{login: o.Login, commandTimeout: o.CommandTimeout, literalTimeout: o.LiteralTimeout}
	if c.commandTimeout <= 0 {
		c.commandTimeout = DefaultCommandTimeout
	}
	if c.literalTimeout <= 0 {
		c.literalTimeout = DefaultLiteralTimeout
	}
	c.in.conn = conn
	c.in.wait(c.commandTimeout)
	c.isEncrypted = o.TLS == postroom.TLSImplicit
	if o.Transcript != nil {
		c.login = c.login.Ready()
		c.transcript = func(dir byte, line string) {
			o.Transcript(dir, c.login.Scrub(strings.ToValidUTF8(line, "�")))
		}
	}
	return c
}

// Usable says whether the connection still stands, as far as is known: after a
// refusal it does, after anything else that went wrong it does not.
func (c *Client) Usable() bool { return c.broken.Load() == nil }

// Close ends the session without a change to the mailbox: what was marked by
// Delete stays. It waits two seconds at most. While another call is under way it
// closes the connection at once, and that call fails. Closing again does nothing.
//
// QUIT is said only where it can do nothing but end the session. It makes a
// server delete what is marked (RFC 1939 section 6), one with EXPIRE 0 perhaps
// what was retrieved (RFC 2449 section 6.7), and Gmail do with it whatever its
// owner has chosen. Without it the session counts as broken off. There are servers
// that delete even then; therefore RSET takes the marks away.
func (c *Client) Close() error {
	c.closed.Do(func() {
		if !c.inUse.TryLock() {
			c.in.conn.Close()
			return
		}
		defer c.inUse.Unlock()
		if c.Usable() {
			switch {
			case c.deleted > 0:
				c.lastWords("RSET")
			case c.retrieved == 0 || !c.expiresAtOnce():
				c.lastWords("QUIT")
			}
		}
		c.end(net.ErrClosed)
	})
	return nil
}

// lastWords says one command and waits for its answer, whatever it is.
func (c *Client) lastWords(command string) {
	c.show('C', command)
	if c.in.conn.SetWriteDeadline(time.Now().Add(closeTimeout)) != nil {
		return
	}
	if _, err := c.in.conn.Write([]byte(command + "\r\n")); err != nil {
		return
	}
	c.in.until = time.Now().Add(closeTimeout)
	if l, err := c.in.line(); err == nil {
		c.show('S', string(l.text))
	}
}

// end closes the connection for good.
func (c *Client) end(cause error) {
	c.in.conn.Close()
	c.broken.CompareAndSwap(nil, &mail.Refusal{Protocol: postroom.POP3, Phase: mail.PhaseLogout, Err: cause})
	c.in.discard()
}

func (c *Client) show(dir byte, line string) {
	if c.transcript != nil {
		c.transcript(dir, line)
	}
}
