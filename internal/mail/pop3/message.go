package pop3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strconv"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

const (
	maxHeaderBytes = 64 << 10 // of a header, this much is kept
	maxUnread      = 1 << 20  // of a message that nobody wants any more, this much is read
	maxTopBytes    = 64 << 20 // of what a server sends when only the header was asked for
)

// ErrNoTOP is the error of Top where the server does not offer it.
var ErrNoTOP = errors.New("the server doesn't support TOP")

// Retrieve asks for a message whole and calls take with its bytes as they come.
// What take leaves unread is dropped; when it is much, the connection with it. An
// error of take is returned.
//
// Where the server gives no message, the error is a [*mail.Refusal], and take is
// not called. When the bytes end before the message does, the reader fails, and
// Retrieve returns the same error.
func (c *Client) Retrieve(ctx context.Context, n int, take func(io.Reader) error) error {
	leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	b, err := c.multiline(ctx, "RETR "+strconv.Itoa(n))
	if err != nil {
		return err
	}
	c.retrieved++
	failure := take(b)
	if failure != nil && b.failure == nil { // that is what went wrong, whatever the rest brings
		b.drop(maxUnread)
		return failure
	}
	b.drop(maxUnread)
	return b.failure
}

// Top returns the header of a message, up to and with the empty line, by TOP (RFC
// 1939 section 7), or its first 64 KB. It does not count as retrieved.
func (c *Client) Top(ctx context.Context, n int) (header []byte, err error) {
	if c.capabilities != nil && !c.Has("TOP") {
		return nil, &mail.Refusal{Protocol: postroom.POP3, Phase: mail.PhaseFetch, Err: ErrNoTOP}
	}
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	b, err := c.multiline(ctx, "TOP "+strconv.Itoa(n)+" 0")
	if err != nil {
		return nil, err
	}
	header, _ = io.ReadAll(io.LimitReader(b, maxHeaderBytes)) // what fails is kept in b
	b.drop(maxTopBytes)
	if b.failure != nil {
		return nil, b.failure
	}
	return header[:headerEnd(header)], nil
}

// headerEnd returns the length of the header that text begins with, the empty
// line included.
func headerEnd(text []byte) int {
	for at := 0; at < len(text); {
		length := bytes.IndexByte(text[at:], '\n') + 1
		if length == 0 {
			break
		}
		if len(bytes.Trim(text[at:at+length], "\r\n")) == 0 {
			return at + length
		}
		at += length
	}
	return len(text)
}

// multiline sends a command that is answered by a message.
func (c *Client) multiline(ctx context.Context, command string) (*body, error) {
	r, err := c.ask(ctx, mail.PhaseFetch, command, command)
	if err != nil {
		return nil, err
	}
	if !r.ok {
		return nil, c.settle(ctx, mail.PhaseFetch, r, nil)
	}
	c.in.wait(c.literalTimeout)
	return &body{
		in:       &c.in,
		endsByLF: !r.isCRLF,
		lose:     func(err error) error { return c.lose(ctx, mail.PhaseFetch, err) },
	}, nil
}

// Delete marks a message. The server removes it when Quit succeeds, and not
// before.
func (c *Client) Delete(ctx context.Context, n int) error {
	leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	c.deleted++ // whatever the answer, the server may have understood
	return c.command(ctx, mail.PhaseAny, "DELE "+strconv.Itoa(n))
}

// Noop asks for a sign of life.
func (c *Client) Noop(ctx context.Context) error {
	leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	return c.command(ctx, mail.PhaseAny, "NOOP")
}

// Quit ends the session, upon which the server removes what is marked. It
// succeeds only if the server says that it has. After any error nobody knows
// which messages are gone, and the next session tells. The connection is closed
// at any rate.
//
// The server is given four times the time of other commands: it works now.
func (c *Client) Quit(ctx context.Context) error {
	leave, err := c.enter(ctx)
	if err != nil {
		return err
	}
	defer leave()
	r, err := c.askFor(ctx, mail.PhaseLogout, "QUIT", "QUIT", 4*c.commandTimeout)
	err = c.settle(ctx, mail.PhaseLogout, r, err)
	c.end(errOver)
	return err
}

var errOver = errors.New("the session was ended by QUIT")
