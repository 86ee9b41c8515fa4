package pop3

import (
	"bytes"
	"errors"
	"io"
)

// A body reads a message as it comes, up to the line with the dot, and takes the
// stuffing away (RFC 1939 section 3). It changes nothing else: lines may end in
// LF or CRLF, and carriage returns may stand anywhere.
//
// Servers that pass a message through as it lies on their disk double the dots of
// lines as they understand lines, and end it as they end their own. So:
//   - A dot and CRLF end the message. A dot and LF do where the server's own lines
//     end in LF, or no line of the message has ended in CRLF; otherwise they belong
//     to a message with both.
//   - The first of two dots at the beginning of a line goes. One alone before
//     anything else stays: a server that doubles dots never sends that.
type body struct {
	in       *wire
	endsByLF bool              // the server's own lines end in LF
	lose     func(error) error // closes the connection, and says why

	hasCRLF bool // a line of the message ended so
	inLine  bool // what comes next is not the beginning of a line
	last    byte // what came last
	isOver  bool
	failure error
}

func (b *body) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) && b.failure == nil && !b.isOver {
		if !b.inLine {
			b.beginLine()
			continue
		}
		if b.in.r == b.in.w {
			if n > 0 {
				return n, nil
			}
			b.check(b.in.fill())
			continue
		}
		part := b.in.buf[b.in.r:b.in.w]
		part = part[:min(len(part), len(p)-n)]
		if end := bytes.IndexByte(part, '\n'); end >= 0 {
			part = part[:end+1]
			b.inLine = false
			b.hasCRLF = b.hasCRLF || end > 0 && part[end-1] == '\r' || end == 0 && b.last == '\r'
		}
		n += copy(p[n:], part)
		b.last = part[len(part)-1]
		b.in.skip(len(part))
	}
	switch {
	case n > 0 || len(p) == 0:
		return n, nil
	case b.failure != nil:
		return 0, b.failure
	}
	return 0, io.EOF
}

// beginLine looks at the first bytes of a line: whether it is the last one, and
// whether a dot must go.
func (b *body) beginLine() {
	first, err := b.in.peek(1)
	if b.check(err) || first[0] != '.' {
		b.inLine, b.last = true, 0
		return
	}
	two, err := b.in.peek(2)
	if b.check(err) {
		return
	}
	switch {
	case two[1] == '.':
		b.in.skip(1)
	case two[1] == '\n' && (b.endsByLF || !b.hasCRLF):
		b.finish(2)
		return
	case two[1] == '\r':
		three, err := b.in.peek(3)
		if b.check(err) {
			return
		}
		if three[2] == '\n' {
			b.finish(3)
			return
		}
	}
	b.inLine, b.last = true, 0
}

// check notes an error of the connection.
func (b *body) check(err error) (failed bool) {
	if err != nil {
		b.failure = b.lose(err)
	}
	return err != nil
}

// finish ends the message. A server that goes on without having been asked has
// sent a dot that did not end it: then it is not known what the message is.
func (b *body) finish(skip int) {
	b.in.skip(skip)
	b.isOver = true
	if b.in.hasMore() {
		b.check(errOutOfStep)
	}
}

var errUnwanted = errors.New("more of the message was left unread than is worth reading")

// drop reads the rest, at most limit bytes of it; when there is more, the
// connection is given up.
func (b *body) drop(limit int64) {
	n, _ := io.CopyN(io.Discard, b, limit) // what fails is kept in b
	if n == limit && !b.isOver && b.failure == nil {
		_ = b.lose(errUnwanted) // it is not what the caller asked for
	}
	b.isOver = true
}
