package imap

import (
	"context"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom/internal/mail"
)

// Append puts a message into a folder (RFC 9051 section 6.3.12): exactly sizeBytes
// of body, with CRLF at the ends of lines. The server is asked before the first
// byte is read, so that a refusal costs nothing. A zero time leaves the date to
// the server. When body ends early or fails, nothing is stored, the connection is
// closed, and the error is returned.
func (c *Client) Append(ctx context.Context, folder string, flags []string, at time.Time, sizeBytes int64, body io.Reader) error {
	words := ""
	if len(flags) > 0 {
		words += "(" + strings.Join(flags, " ") + ") "
	}
	if !at.IsZero() {
		words += at.Format(`"_2-Jan-2006 15:04:05 -0700" `)
	}
	words += "{" + strconv.FormatInt(sizeBytes, 10) + "}"

	var begun bool
	var first error
	return c.inFolder(ctx, folder, func(sent string) error {
		if begun { // the bytes are used up
			return first
		}
		begun, first = c.appendTo(ctx, sent, words, sizeBytes, body)
		return first
	})
}

// appendTo appends under the name over the wire; begun says whether body has been
// read.
func (c *Client) appendTo(ctx context.Context, sent, words string, sizeBytes int64, body io.Reader) (begun bool, err error) {
	if !c.inUse.TryLock() {
		return false, errInUse
	}
	defer c.inUse.Unlock()
	defer c.guard(ctx)()
	defer c.lex.release()
	if broken := c.broken.Load(); broken != nil {
		return false, broken
	}
	tag, refused, err := c.send(ctx, mail.PhaseAppend, []arg{{text: "APPEND"}, c.astring(sent), {text: words}})
	if err != nil {
		return false, err
	}
	if refused.status == "" {
		refused, err = c.await(ctx, mail.PhaseAppend, tag, nil, func([]byte) (bool, error) { begun = true; return true, nil })
		if err != nil {
			return begun, err
		}
	}
	if !begun {
		return false, c.refusal(mail.PhaseAppend, refused)
	}
	if err := c.pour(ctx, body, sizeBytes); err != nil {
		return true, err
	}
	r, err := c.await(ctx, mail.PhaseAppend, tag, nil, nil)
	if err != nil {
		return true, err
	}
	return true, c.refusal(mail.PhaseAppend, r)
}

// pour writes sizeBytes of body and the end of the command.
func (c *Client) pour(ctx context.Context, body io.Reader, sizeBytes int64) error {
	room := buffers.Get().(*[bufferBytes]byte)
	defer buffers.Put(room)
	for left := sizeBytes; left > 0; {
		n, err := io.ReadFull(body, room[:min(left, bufferBytes)])
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			_ = c.lose(ctx, mail.PhaseAppend, err) // what is wrong is not the connection
			return err
		}
		left -= int64(n)
		if err := c.push(ctx, mail.PhaseAppend, room[:n]); err != nil {
			return err
		}
	}
	return c.push(ctx, mail.PhaseAppend, []byte("\r\n"))
}
