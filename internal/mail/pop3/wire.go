package pop3

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	bufferBytes = 64 << 10 // what a busy connection reads into
	longBytes   = 8 << 10  // of a line that does not fit, this much is kept
)

// buffers are lent to connections while they have something to read.
var buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

var errNoProgress = errors.New("the connection reads nothing, again and again")

// A wire is the incoming side of a connection: buffered, with a deadline for
// every read, and without a buffer between commands.
type wire struct {
	conn net.Conn
	buf  *[bufferBytes]byte // nil: given back
	r, w int                // what is unread is buf[r:w]
	seen int                // buf[r:seen] holds no line end
	long []byte             // the beginning of a line that did not fit

	patience time.Duration // the longest wait for one more byte
	budget   time.Duration // how long all reads together may still wait; see wait
	until    time.Time     // no read waits beyond this; zero: no limit
}

// A server may be slow, or say one byte at a time, but not for ever: after so many
// times the longest silence it must have finished, or sent bytes at this rate.
const (
	mostSilences = 20
	leastBps     = 1 << 10
)

// wait says how long the server may be silent in what comes now.
func (x *wire) wait(silence time.Duration) {
	x.patience, x.budget = silence, mostSilences*silence
}

// fill reads once more from the connection. There must be room.
func (x *wire) fill() error {
	if x.buf == nil {
		x.buf = buffers.Get().(*[bufferBytes]byte)
	}
	if x.r == x.w {
		x.r, x.w, x.seen = 0, 0, 0
	}
	if x.w == bufferBytes && x.r > 0 {
		copy(x.buf[:], x.buf[x.r:x.w])
		x.w, x.seen, x.r = x.w-x.r, x.seen-x.r, 0
	}
	n, err := x.receive(x.buf[x.w:])
	x.w += n
	return err
}

// receive reads at least one byte into p, or fails.
func (x *wire) receive(p []byte) (int, error) {
	began := time.Now()
	deadline := began.Add(min(x.patience, max(x.budget, 0)))
	if !x.until.IsZero() && x.until.Before(deadline) {
		deadline = x.until
	}
	if err := x.conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	for range 100 {
		n, err := x.conn.Read(p)
		if n > 0 {
			earned := time.Duration(n) * time.Second / leastBps
			x.budget = min(x.budget+earned-time.Since(began), mostSilences*x.patience)
			return n, nil
		}
		if errors.Is(err, io.EOF) {
			return 0, io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
	}
	return 0, errNoProgress
}

// release gives the buffer back, if nothing is unread.
func (x *wire) release() {
	if x.buf != nil && x.r == x.w {
		buffers.Put(x.buf)
		x.buf, x.r, x.w, x.seen = nil, 0, 0, 0
	}
}

// discard drops what is unread, and gives the buffer back.
func (x *wire) discard() {
	x.r, x.seen = x.w, x.w
	x.release()
}

// A line is one line of the server, without its end.
type line struct {
	text    []byte // valid until the next read
	isWhole bool   // nothing was left out of the middle or the end
	isCRLF  bool   // it ended in CRLF, not in LF alone
}

// line returns the next line. One that is longer than the buffer is cut.
func (x *wire) line() (line, error) {
	x.long = x.long[:0]
	isCut := false
	for {
		if x.buf != nil {
			if i := bytes.IndexByte(x.buf[x.seen:x.w], '\n'); i >= 0 {
				part := x.buf[x.r : x.seen+i]
				x.r = x.seen + i + 1
				x.seen = x.r
				trimmed := bytes.TrimRight(part, "\r")
				l := line{text: trimmed, isWhole: !isCut, isCRLF: len(trimmed) < len(part)}
				if isCut {
					l.text = x.long
				}
				return l, nil
			}
			x.seen = x.w
			if x.w-x.r == bufferBytes {
				if !isCut {
					x.long = append(x.long, x.buf[x.r:x.r+longBytes]...)
				}
				isCut = true
				x.r, x.seen = x.w, x.w
			}
		}
		if err := x.fill(); err != nil {
			return line{}, err
		}
	}
}

// peek returns what is unread, at least n bytes of it. n is small.
func (x *wire) peek(n int) ([]byte, error) {
	for x.w-x.r < n {
		if err := x.fill(); err != nil {
			return nil, err
		}
	}
	return x.buf[x.r:x.w], nil
}

// skip drops n bytes of what is unread.
func (x *wire) skip(n int) {
	x.r += n
	x.seen = max(x.seen, x.r)
}

// hasMore says whether something has come that nobody has read. Empty lines do
// not count, and are dropped.
func (x *wire) hasMore() bool {
	for x.r < x.w && bytes.IndexByte([]byte("\r\n \t"), x.buf[x.r]) >= 0 {
		x.skip(1)
	}
	return x.r < x.w
}
