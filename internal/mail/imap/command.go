package imap

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// A reply is the status line that ends a command, or an untagged one.
type reply struct {
	status string // OK, NO, BAD, BYE or PREAUTH
	code   string // upper case, without arguments; empty: none
	arg    string // what follows the code within the brackets
	line   string // all of it, without the tag
}

// parseReply reads "OK [CODE arg] text". Case and blanks do not matter.
func parseReply(line []byte) reply {
	status, rest := cutWord(line)
	r := reply{status: strings.ToUpper(string(status)), line: string(bytes.TrimSpace(line))}
	if len(rest) > 0 && rest[0] == '[' {
		inside := rest[1:]
		if end := bytes.IndexByte(inside, ']'); end >= 0 {
			inside = inside[:end]
		}
		code, arg := cutWord(inside)
		r.code, r.arg = strings.ToUpper(string(code)), string(arg)
	}
	return r
}

// An arg is one word of a command, as it goes over the wire.
type arg struct {
	text      string
	isLiteral bool
	isSecret  bool
}

// astring writes a string the safest way: as an atom, quoted, or as a literal when
// it holds what quoting cannot carry. 8-bit text may be quoted once the server
// has agreed to UTF-8 (RFC 9755 section 3).
func (c *Client) astring(text string) arg {
	a := arg{text: text}
	for i := range len(text) {
		if b := text[i]; b == '\r' || b == '\n' || b >= 0x80 && !c.utf8 {
			a.isLiteral = true
			return a
		}
	}
	a.text = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
	return a
}

// A handler hears untagged data during a command: its first word in upper case
// as far as it is known (see keyword), and the number in front of it. It reads
// what follows from the lexer, and says whether the response was for it.
type handler func(word keyword, number uint64) (handled bool, err error)

// run sends a command and hears the server out until it is done. An answer other
// than OK is a [*mail.Refusal] and leaves the client usable; whatever else fails
// closes it.
func (c *Client) run(ctx context.Context, phase mail.Phase, on handler, words ...arg) (reply, error) {
	if !c.inUse.TryLock() {
		return reply{}, errInUse
	}
	defer c.inUse.Unlock()
	defer c.guard(ctx)()
	return c.converse(ctx, phase, on, words...)
}

// converse is run for those who have locked and guarded the client already.
func (c *Client) converse(ctx context.Context, phase mail.Phase, on handler, words ...arg) (reply, error) {
	defer c.lex.release()
	if broken := c.broken.Load(); broken != nil {
		return reply{}, broken
	}
	tag, refused, err := c.send(ctx, phase, words)
	if err != nil {
		return reply{}, err
	}
	if refused.status != "" {
		return refused, c.refusal(phase, refused)
	}
	r, err := c.await(ctx, phase, tag, on, nil)
	if err != nil {
		return reply{}, err
	}
	return r, c.refusal(phase, r)
}

// simple is run for a command that is one atom or line, without literals.
func (c *Client) simple(ctx context.Context, phase mail.Phase, on handler, line string) (reply, error) {
	return c.run(ctx, phase, on, arg{text: line})
}

var errInUse = errors.New("imap: one goroutine at a time uses a client")

// guard closes the connection when ctx ends before the returned function is called.
func (c *Client) guard(ctx context.Context) func() {
	conn := c.lex.conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return func() { stop() }
}

// refusal makes a [*mail.Refusal] of a status that is not OK; nil when it is.
func (c *Client) refusal(phase mail.Phase, r reply) error {
	if r.status == "OK" || r.status == "PREAUTH" {
		return nil
	}
	return c.refused(phase, r)
}

func (c *Client) refused(phase mail.Phase, r reply) *mail.Refusal {
	line := strings.ToValidUTF8(r.line, "�")
	if r.status == "BYE" {
		line = "* " + line
	}
	refusal := &mail.Refusal{Protocol: postroom.IMAP, Phase: phase, Code: c.login.Scrub(r.code)}
	return refusal.Said(line, c.login.Scrub(line))
}

// lose closes the connection for good and says why: the server's BYE, where it
// said one, else the end of ctx, else the error.
func (c *Client) lose(ctx context.Context, phase mail.Phase, err error) error {
	c.lex.conn.Close()
	c.lex.discard()
	if broken := c.broken.Load(); broken != nil {
		return broken
	}
	if refusal, is := mail.RefusalOf(err); is {
		c.broken.Store(refusal)
		return refusal
	}
	refusal := &mail.Refusal{Protocol: postroom.IMAP, Phase: phase, Err: err}
	switch {
	case ctx.Err() != nil:
		refusal.Err = context.Cause(ctx)
	case c.bye.status != "":
		refusal = c.refused(phase, c.bye)
	}
	c.broken.Store(refusal)
	return refusal
}

// send writes a command, waiting where a literal needs the server's consent (RFC
// 9051 section 4.3). refused is the server's answer when it ends the command
// instead.
func (c *Client) send(ctx context.Context, phase mail.Phase, words []arg) (tag string, refused reply, err error) {
	tag = c.nextTag()
	c.renewBudget(0)
	b := append(c.out[:0], tag...)
	shown := append([]byte(nil), tag...)
	for _, w := range words {
		b, shown = append(b, ' '), append(shown, ' ')
		if !w.isLiteral {
			b = append(b, w.text...)
			shown = append(shown, w.shown()...)
			continue
		}
		b = strconv.AppendInt(append(b, '{'), int64(len(w.text)), 10)
		atOnce := c.Has("LITERAL+") || c.Has("LITERAL-") && len(w.text) <= 4096
		if atOnce {
			b = append(b, '+')
		}
		b = append(b, "}\r\n"...)
		shown = append(shown, "{…}"...)
		if !atOnce {
			if err := c.write(ctx, phase, b, shown); err != nil {
				return "", reply{}, err
			}
			b, shown = b[:0], shown[:0]
			asked := false
			refused, err := c.await(ctx, phase, tag, nil, func([]byte) (bool, error) { asked = true; return true, nil })
			if err != nil || !asked {
				return tag, refused, err
			}
		}
		b = append(b, w.text...)
	}
	return tag, reply{}, c.write(ctx, phase, append(b, '\r', '\n'), shown)
}

func (c *Client) nextTag() string {
	c.tags++
	return string(tagLetter) + strconv.Itoa(c.tags)
}

func (a arg) shown() string {
	if a.isSecret {
		return "[hidden]"
	}
	return a.text
}

// write sends bytes as they are; shown is what a transcript may see of them.
func (c *Client) write(ctx context.Context, phase mail.Phase, b, shown []byte) error {
	c.out = b[:0]
	if cap(b) > 16<<10 {
		c.out = nil
	}
	if c.transcript != nil {
		c.transcript.client(string(bytes.TrimRight(shown, "\r\n")))
	}
	return c.push(ctx, phase, b)
}

// push sends bytes that nobody is shown.
func (c *Client) push(ctx context.Context, phase mail.Phase, b []byte) error {
	err := c.lex.conn.SetWriteDeadline(time.Now().Add(c.commandTimeout))
	if err == nil {
		_, err = c.lex.conn.Write(b)
	}
	if err != nil {
		// What the server said before it closed explains more than our failure to write.
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			c.hearLastWords()
		}
		return c.lose(ctx, phase, err)
	}
	return nil
}

// hearLastWords reads what lies ready of a connection that cannot be written to,
// for the sake of a BYE.
func (c *Client) hearLastWords() {
	c.lex.patience = lastWordsTimeout
	for c.bye.status == "" {
		if c.lex.begin() != nil || c.hearUntagged(nil) != nil || c.lex.finish() != nil {
			return
		}
	}
}

// await reads responses until the one with tag. A continuation is offered to
// onContinue, which says whether to return; then the reply is empty.
func (c *Client) await(ctx context.Context, phase mail.Phase, tag string, on handler,
	onContinue func(text []byte) (stop bool, err error)) (reply, error) {
	for {
		if err := c.lex.begin(); err != nil {
			return reply{}, c.lose(ctx, phase, err)
		}
		line := bytes.TrimLeft(c.lex.line, " \t")
		switch {
		case len(line) == 0:
		case line[0] == '*':
			if err := c.hearUntagged(on); err != nil {
				return reply{}, c.lose(ctx, phase, err)
			}
		case line[0] == '+':
			if onContinue == nil {
				break
			}
			if stop, err := onContinue(bytes.TrimSpace(line[1:])); stop || err != nil {
				return reply{}, err
			}
		default:
			word, rest := cutWord(line)
			if status, _ := cutWord(rest); bytes.EqualFold(word, []byte(tag)) && isStatus(status) {
				r := parseReply(rest)
				c.hearCode(r)
				return r, nil
			}
		}
		if err := c.lex.finish(); err != nil {
			return reply{}, c.lose(ctx, phase, err)
		}
	}
}
