package imap

import (
	"bytes"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// The time-outs that count where nobody chose others.
const (
	DefaultCommandTimeout = 30 * time.Second
	DefaultLiteralTimeout = 30 * time.Second

	logoutTimeout    = 2 * time.Second
	lastWordsTimeout = time.Second

	// A server may be slow and say so, or say one byte at a time, but not for ever:
	// after so many times the longest silence an answer must have come, and the bytes
	// of a message at this rate.
	mostSilences    = 20
	leastLiteralBps = 1 << 10
)

// Options say which server to open, and how.
type Options struct {
	mail.Endpoint
	mail.Login

	CommandTimeout time.Duration // the longest silence while an answer is due; 0: 30 s
	LiteralTimeout time.Duration // the longest silence within a literal; 0: 30 s

	// ClientID is what ID tells the server about this program (RFC 2971); nil: its
	// name. Some servers refuse to select a folder without.
	ClientID map[string]string

	// Transcript hears every line: dir is 'C' for the client and 'S' for the server.
	// Secrets are blanked, messages left out. nil: nobody listens.
	Transcript func(dir byte, line string)
}

// A Client is one connection to a server. One goroutine at a time uses it; only
// Close may come from another.
type Client struct {
	lex   lexer
	inUse sync.Mutex
	out   []byte // the command that is being written
	tags  int

	login          mail.Login
	commandTimeout time.Duration
	literalTimeout time.Duration
	transcript     *transcript // nil: nobody listens
	interrupt      interrupt

	capabilities      string // see setCapabilities
	heardCapabilities bool   // since the connection or the login changed them
	utf8              bool   // names go over the wire as they are (RFC 9755)
	isCourier         bool   // see Settle
	uidOnly           bool   // no sequence numbers any more (RFC 9586)
	wireNames         map[string]string
	personal          *namespace // nil: not asked yet

	status    Status
	exists    uint32
	recent    uint32
	lowest    uint32 // from MESSAGELIMIT: UIDs below it were left out; 0: none were
	news      bool
	listening bool // FETCH, unasked, is news

	bye    reply
	broken atomic.Pointer[mail.Refusal] // why the connection is gone; nil: it is not
	closed sync.Once
}

func newClient(conn net.Conn, o Options) *Client {
	c := &Client{
		login:          o.Login,
		commandTimeout: o.CommandTimeout,
		literalTimeout: o.LiteralTimeout,
	}
	if c.commandTimeout <= 0 {
		c.commandTimeout = DefaultCommandTimeout
	}
	if c.literalTimeout <= 0 {
		c.literalTimeout = DefaultLiteralTimeout
	}
	c.lex.conn, c.lex.patience = conn, c.commandTimeout
	c.renewBudget(0)
	if o.Transcript != nil {
		c.login = c.login.Ready()
		c.transcript = &transcript{hear: o.Transcript, scrub: func(line string) string { return c.login.Scrub(line) }}
		c.lex.tap = c.transcript.server
	}
	return c
}

// renewBudget says how long the server may take from now on for what comes next,
// and for a literal of so many bytes. The time that we take ourselves, because the
// disk is slow, does not count.
func (c *Client) renewBudget(literalBytes int64) {
	c.lex.budget = mostSilences * c.commandTimeout
	if literalBytes > 0 {
		const most = 1 << 30 // seconds
		c.lex.budget += mostSilences*c.literalTimeout + time.Duration(min(literalBytes/leastLiteralBps, most))*time.Second
	}
}

// Usable says whether the connection still stands, as far as is known: after a
// refusal it does, after anything else that went wrong it does not.
func (c *Client) Usable() bool { return c.broken.Load() == nil }

// Close says LOGOUT, waits two seconds at most for the answer, and closes the
// connection. While another call is under way it closes at once, and that call
// fails. Closing again does nothing.
func (c *Client) Close() error {
	c.closed.Do(func() {
		if !c.inUse.TryLock() {
			c.conn().Close()
			return
		}
		defer c.inUse.Unlock()
		if c.Usable() {
			c.logout()
		}
		c.conn().Close()
		c.broken.CompareAndSwap(nil, &mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseLogout, Err: net.ErrClosed})
		c.lex.discard()
	})
	return nil
}

// logout says LOGOUT and hears nothing but the answer, or that there is none.
func (c *Client) logout() {
	if c.transcript != nil {
		c.transcript.client("PX LOGOUT")
	}
	if err := c.conn().SetDeadline(time.Now().Add(logoutTimeout)); err != nil {
		return
	}
	if _, err := c.conn().Write([]byte("PX LOGOUT\r\n")); err != nil {
		return
	}
	heard := make([]byte, 0, 512)
	for !bytes.Contains(heard, []byte("PX OK")) {
		if len(heard) == cap(heard) {
			heard = heard[:copy(heard, heard[len(heard)-len("PX OK"):])]
		}
		n, err := c.conn().Read(heard[len(heard):cap(heard)])
		if heard = heard[:len(heard)+n]; err != nil {
			return
		}
	}
}

// conn is the connection, which only Open replaces.
func (c *Client) conn() net.Conn { return c.lex.conn }
