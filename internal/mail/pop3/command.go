package pop3

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	"unicode"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// A reply is the status line that answers a command.
type reply struct {
	ok     bool
	code   string // upper case, without arguments; empty: none
	line   string // all of it
	isCRLF bool   // it ended in CRLF
}

// parseReply reads "+OK text" or "-ERR [CODE arg] text" (RFC 1939 section 3, RFC
// 2449 section 8). Case and blanks in front do not matter.
func parseReply(l line) (r reply, understood bool) {
	text := bytes.TrimSpace(l.text)
	r = reply{line: string(text), isCRLF: l.isCRLF}
	status, rest := text, []byte(nil)
	if end := bytes.IndexAny(text, " \t"); end >= 0 {
		status, rest = text[:end], bytes.TrimSpace(text[end:])
	}
	switch {
	case bytes.EqualFold(status, []byte("+OK")):
		r.ok = true
	case !bytes.EqualFold(status, []byte("-ERR")):
		return r, false
	}
	if len(rest) > 0 && rest[0] == '[' {
		if end := bytes.IndexByte(rest, ']'); end > 0 {
			if fields := strings.Fields(string(rest[1:end])); len(fields) > 0 {
				r.code = strings.ToUpper(fields[0])
			}
		}
	}
	return r, true
}

// isTemporary says whether the server blames the moment and not the command (RFC
// 3206 section 4, RFC 2449 section 8.1).
func (r reply) isTemporary() bool {
	return r.code == "SYS/TEMP" || r.code == "IN-USE" || r.code == "LOGIN-DELAY"
}

var (
	errInUse     = errors.New("pop3: one goroutine at a time uses a client")
	errOutOfStep = errors.New("the server says more than it was asked")
)

// enter makes the caller the only user of the client until leave is called, and
// lets the end of ctx close the connection.
func (c *Client) enter(ctx context.Context) (leave func(), err error) {
	if !c.inUse.TryLock() {
		return nil, errInUse
	}
	if broken := c.broken.Load(); broken != nil {
		c.inUse.Unlock()
		return nil, broken
	}
	unguard := c.guard(ctx)
	return func() {
		unguard()
		c.in.release()
		c.inUse.Unlock()
	}, nil
}

// guard closes the connection when ctx ends before the returned function is called.
func (c *Client) guard(ctx context.Context) func() {
	conn := c.in.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return func() { stop() }
}

// ask sends a command and returns its answer, which may be a refusal. An error
// says that the connection is gone.
func (c *Client) ask(ctx context.Context, phase mail.Phase, command, shown string) (reply, error) {
	return c.askFor(ctx, phase, command, shown, c.commandTimeout)
}

// askFor is ask with another limit for the server's silence.
func (c *Client) askFor(ctx context.Context, phase mail.Phase, command, shown string, silence time.Duration) (reply, error) {
	c.in.wait(silence)
	if err := c.send(ctx, phase, command, shown); err != nil {
		return reply{}, err
	}
	return c.hear(ctx, phase)
}

// command is ask for a command whose answer is all there is to it. A refusal is
// a [*mail.Refusal] and leaves the client usable.
func (c *Client) command(ctx context.Context, phase mail.Phase, text string) error {
	r, err := c.ask(ctx, phase, text, text)
	return c.settle(ctx, phase, r, err)
}

// secretCommand is command for one whose end nobody may see.
func (c *Client) secretCommand(ctx context.Context, phase mail.Phase, text, secret string) error {
	r, err := c.ask(ctx, phase, text+secret, text+"[hidden]")
	return c.settle(ctx, phase, r, err)
}

func (c *Client) settle(ctx context.Context, phase mail.Phase, r reply, err error) error {
	if err != nil {
		return err
	}
	if err := c.inStep(ctx, phase); err != nil {
		return err
	}
	return c.refusal(phase, r)
}

// send writes one line. shown is what a transcript may see of it.
func (c *Client) send(ctx context.Context, phase mail.Phase, text, shown string) error {
	if strings.ContainsAny(text, "\r\n\x00") {
		return &mail.Refusal{Protocol: postroom.POP3, Phase: phase,
			Err: errors.New("a line end or NUL within a word, which no server takes")}
	}
	c.show('C', shown)
	err := c.in.conn.SetWriteDeadline(time.Now().Add(c.commandTimeout))
	if err == nil {
		_, err = c.in.conn.Write([]byte(text + "\r\n"))
	}
	if err != nil {
		return c.lose(ctx, phase, c.whyNot(phase, err))
	}
	return nil
}

// whyNot looks for what the server said before it closed the connection, which
// explains more than our failure to write.
func (c *Client) whyNot(phase mail.Phase, err error) error {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	c.in.until = time.Now().Add(time.Second)
	if l, lineErr := c.in.line(); lineErr == nil {
		if r, understood := parseReply(l); understood && !r.ok {
			c.show('S', r.line)
			return c.refused(phase, r)
		}
	}
	return err
}

// hear reads a status line. Empty lines in front of it do not count.
func (c *Client) hear(ctx context.Context, phase mail.Phase) (reply, error) {
	l, err := c.hearLine(ctx, phase)
	if err != nil {
		return reply{}, err
	}
	r, understood := parseReply(l)
	if !understood {
		return reply{}, c.lose(ctx, phase, c.stranger(phase, r.line))
	}
	return r, nil
}

// hearLine reads the next line that is not empty.
func (c *Client) hearLine(ctx context.Context, phase mail.Phase) (line, error) {
	for range 100 {
		l, err := c.in.line()
		if err != nil {
			return line{}, c.lose(ctx, phase, err)
		}
		if len(bytes.TrimSpace(l.text)) > 0 {
			c.show('S', string(l.text))
			return l, nil
		}
	}
	return line{}, c.lose(ctx, phase, errors.New("the server sends nothing but empty lines"))
}

// inStep makes sure that the server has nothing to say that was not asked for.
// Otherwise its next words would be taken for the answer to another question.
func (c *Client) inStep(ctx context.Context, phase mail.Phase) error {
	if c.in.hasMore() {
		return c.lose(ctx, phase, errOutOfStep)
	}
	return nil
}

// refusal makes a [*mail.Refusal] of an answer that is not +OK; nil when it is.
func (c *Client) refusal(phase mail.Phase, r reply) error {
	if r.ok {
		return nil
	}
	return c.refused(phase, r)
}

func (c *Client) refused(phase mail.Phase, r reply) *mail.Refusal {
	refusal := &mail.Refusal{Protocol: postroom.POP3, Phase: phase, Code: c.clean(r.code)}
	return refusal.Said(oneLine(r.line), c.clean(r.line))
}

// stranger is the refusal of a server that does not speak POP3, or has lost count.
func (c *Client) stranger(phase mail.Phase, line string) *mail.Refusal {
	refusal := &mail.Refusal{Protocol: postroom.POP3, Phase: phase, Err: errors.New("this is not an answer of a POP3 server")}
	return refusal.Said(oneLine(line), c.clean(line))
}

// clean makes what a server said fit for people: one line without secrets, no
// longer than helps.
func (c *Client) clean(line string) string {
	return oneLine(c.login.Scrub(line))
}

func oneLine(line string) string {
	const enough = 1000
	line = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(line, "�"))
	return strings.ToValidUTF8(line[:min(len(line), enough)], "")
}

// lose closes the connection for good and says why: the end of ctx if that was
// it, else the error.
func (c *Client) lose(ctx context.Context, phase mail.Phase, err error) error {
	c.in.conn.Close()
	c.in.discard()
	if broken := c.broken.Load(); broken != nil {
		return broken
	}
	refusal, is := mail.RefusalOf(err)
	switch {
	case ctx.Err() != nil:
		refusal = &mail.Refusal{Protocol: postroom.POP3, Phase: phase, Err: context.Cause(ctx)}
	case !is:
		refusal = &mail.Refusal{Protocol: postroom.POP3, Phase: phase, Err: err}
	}
	c.broken.Store(refusal)
	return refusal
}

// hearList reads the lines of a multi-line answer up to its dot (RFC 1939
// section 3) and calls take for each that was not empty. What take wants to keep
// it copies. There are at most limit lines.
func (c *Client) hearList(ctx context.Context, phase mail.Phase, limit int, take func(line)) error {
	const shown = 50
	for n := 0; ; n++ {
		l, err := c.in.line()
		if err != nil {
			return c.lose(ctx, phase, err)
		}
		switch {
		case n < shown:
			c.show('S', string(l.text))
		case n == shown:
			c.show('S', "…")
		}
		l.text = bytes.TrimSpace(l.text)
		if len(l.text) == 1 && l.text[0] == '.' && l.isWhole {
			return c.inStep(ctx, phase)
		}
		if n == limit {
			return c.lose(ctx, phase, fmt.Errorf("%w: more than %d lines", errTooLong, limit))
		}
		if len(l.text) > 0 {
			if l.text[0] == '.' {
				l.text = bytes.TrimSpace(l.text[1:])
			}
			take(l)
		}
	}
}

var errTooLong = errors.New("the server's list does not end")
