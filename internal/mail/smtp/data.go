package smtp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postroom/postroom/internal/mail"
)

const chunkBytes = 32 << 10

// handOver sends the message and hears what becomes of it. Until its last dot goes
// out the server has no message; from then on only its answer tells.
func (c *Client) handOver(ctx context.Context, body io.Reader) (Fate, error) {
	var lines lineWriter
	chunk := make([]byte, chunkBytes)
	out := make([]byte, 0, chunkBytes+chunkBytes/4)
	total, empty := 0, 0
	for {
		n, readErr := body.Read(chunk)
		if n == 0 && readErr == nil {
			if empty++; empty < 100 {
				continue
			}
			readErr = io.ErrNoProgress
		}
		out = lines.write(out[:0], chunk[:n])
		if errors.Is(readErr, io.EOF) {
			out = lines.end(out)
		} else if readErr != nil {
			_ = c.lose(ctx, mail.PhaseData, readErr) // there is no other way to take a message back
			return Fate{Outcome: NotSent, Temporary: true}, fmt.Errorf("read the message: %w", readErr)
		}
		if err := c.write(ctx, mail.PhaseData, out, c.dataTimeout); err != nil {
			return c.notSent(nil, err)
		}
		total += len(out)
		if readErr != nil {
			break
		}
	}
	c.transcript('C', fmt.Sprintf("(a message of %d bytes)", total))
	c.transcript('C', ".")
	return c.verdict(ctx)
}

// verdict sends the last dot and hears the answer. An answer that breaks off
// after its first line has said yes or no already.
func (c *Client) verdict(ctx context.Context) (Fate, error) {
	patience := c.answerTimeout
	err := c.conn.SetWriteDeadline(c.deadline(c.dataTimeout))
	if err == nil {
		_, err = c.conn.Write([]byte(".\r\n"))
	}
	if err != nil {
		patience = lastWordsTimeout // it may have said why it closed
	}
	var r reply
	hearErr := c.conn.SetReadDeadline(time.Now().Add(patience))
	if hearErr == nil {
		r, hearErr = c.hear()
	}
	err = errors.Join(err, hearErr)
	refusal := c.refused(mail.PhaseData, r)
	switch {
	case r.isPositive():
		if err != nil {
			_ = c.lose(ctx, mail.PhaseData, err)
		}
		return Fate{Outcome: Sent, Words: refusal.Reply}, nil
	case r.code >= 400:
		if err != nil || r.code == 421 {
			_ = c.lose(ctx, mail.PhaseData, refusal)
		}
		return Fate{Outcome: NotSent, Words: refusal.Reply, Temporary: r.isTemporary()}, refusal
	case err == nil:
		err = refusal // an answer that means nothing here
	}
	return Fate{Outcome: Uncertain, Words: refusal.Reply}, c.lose(ctx, mail.PhaseData, err)
}

// A lineWriter turns a message into what goes over the wire: lines that end in
// CRLF, a bare CR or LF counting as a line end (RFC 5321 section 2.3.8), with
// another dot in front of those that begin with one (section 4.5.2).
type lineWriter struct {
	within  bool // a line has begun
	afterCR bool // which may be followed by its LF
}

func (w *lineWriter) write(out, text []byte) []byte {
	for _, b := range text {
		if w.afterCR && b != '\n' {
			out = w.endLine(out)
		}
		switch b {
		case '\r':
			w.afterCR = true
		case '\n':
			out = w.endLine(out)
		default:
			if b == '.' && !w.within {
				out = append(out, '.')
			}
			w.within = true
			out = append(out, b)
		}
	}
	return out
}

func (w *lineWriter) endLine(out []byte) []byte {
	w.within, w.afterCR = false, false
	return append(out, '\r', '\n')
}

// end ends the last line, if it has not ended.
func (w *lineWriter) end(out []byte) []byte {
	if w.within || w.afterCR {
		out = w.endLine(out)
	}
	return out
}
