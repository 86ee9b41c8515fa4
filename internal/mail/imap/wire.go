package imap

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

const (
	bufferBytes  = 64 << 10 // what a busy connection reads into
	maxLineBytes = 1 << 20  // of a line more is dropped
	tailBytes    = 64       // of a dropped part this much is kept: a literal marker stands at the end
)

// buffers are lent to connections while they have something to read.
var buffers = sync.Pool{New: func() any { return new([bufferBytes]byte) }}

var errNoProgress = errors.New("the connection reads nothing, again and again")

// A wire is the incoming side of a connection: buffered, with a deadline for
// every read, and without a buffer while nothing is expected.
type wire struct {
	conn net.Conn
	buf  *[bufferBytes]byte // nil: given back
	r, w int                // what is unread is buf[r:w]
	seen int                // buf[r:seen] holds no line end

	armed    func()        // called after each deadline has been set; nil: nothing is
	patience time.Duration // the longest wait for one more byte
	until    time.Time     // no read waits beyond this; zero: no limit
	budget   time.Duration // how long all reads together may still wait
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
func (x *wire) receive(p []byte) (n int, err error) {
	began := time.Now()
	deadline := began.Add(min(x.patience, max(x.budget, 0)))
	if !x.until.IsZero() && x.until.Before(deadline) {
		deadline = x.until
	}
	if err := x.conn.SetReadDeadline(deadline); err != nil {
		return 0, err
	}
	if x.armed != nil {
		x.armed()
	}
	for range 100 {
		if n, err = x.conn.Read(p); n > 0 || err != nil {
			break
		}
	}
	x.budget -= time.Since(began)
	switch {
	case n > 0:
		return n, nil
	case errors.Is(err, io.EOF):
		return 0, io.ErrUnexpectedEOF
	case err == nil:
		return 0, errNoProgress
	}
	return 0, err
}

// rest waits for a byte, if nothing is unread, and the buffer has been given back.
func (x *wire) rest() error {
	if x.r < x.w {
		return nil
	}
	var first [1]byte
	if _, err := x.receive(first[:]); err != nil {
		return err
	}
	x.buf = buffers.Get().(*[bufferBytes]byte)
	x.buf[0], x.r, x.w, x.seen = first[0], 0, 1, 0
	return nil
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

// chunk returns the next part of a line: up to the line end, which is left out
// and may be LF alone, or as much as the buffer holds when the line is longer,
// and then whole is false. It is valid until the next read.
func (x *wire) chunk() (line []byte, whole bool, err error) {
	for {
		if x.buf != nil {
			if i := bytes.IndexByte(x.buf[x.seen:x.w], '\n'); i >= 0 {
				line = x.buf[x.r : x.seen+i]
				x.r = x.seen + i + 1
				x.seen = x.r
				return trimLineEnd(line), true, nil
			}
			x.seen = x.w
			if x.w-x.r == bufferBytes {
				line = x.buf[x.r:x.w]
				x.r, x.seen = x.w, x.w
				return line, false, nil
			}
		}
		if err := x.fill(); err != nil {
			return nil, false, err
		}
	}
}

func trimLineEnd(line []byte) []byte {
	for len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	return line
}

// read gives what is there, at most len(p) bytes. Big reads go past the buffer.
func (x *wire) read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if x.r == x.w {
		if len(p) >= bufferBytes {
			return x.receive(p)
		}
		if err := x.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, x.buf[x.r:x.w])
	x.skip(n)
	return n, nil
}

// peek returns what is unread, at least one byte, at most limit.
func (x *wire) peek(limit int64) ([]byte, error) {
	if x.r == x.w {
		if err := x.fill(); err != nil {
			return nil, err
		}
	}
	part := x.buf[x.r:x.w]
	if int64(len(part)) > limit {
		part = part[:limit]
	}
	return part, nil
}

// skip drops n bytes of what is unread.
func (x *wire) skip(n int) {
	x.r += n
	x.seen = max(x.seen, x.r)
}
