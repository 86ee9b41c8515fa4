package mime

import (
	"bufio"
	"bytes"
	"errors"
	"io"
)

const lineBuffer = 16 << 10

// A lineReader cuts a stream into lines that end in LF, CRLF or, where the
// stream knows no other, CR. A line longer than the buffer comes in pieces.
type lineReader struct {
	r   *bufio.Reader
	end byte // '\n', or '\r' in a stream of CR only
	err error

	line     []byte // valid until the next call of next, without its end
	isStart  bool   // line begins a line
	isEnd    bool   // line ends one
	hasBreak bool   // an end of line stood behind line
	hasCR    bool   // and it was CRLF
	midLine  bool
	heldCR   bool
	scratch  []byte
}

func newLineReader(r io.Reader) *lineReader {
	l := &lineReader{r: bufio.NewReaderSize(r, lineBuffer), end: '\n'}
	head, _ := l.r.Peek(lineBuffer)
	if bytes.IndexByte(head, '\n') < 0 && bytes.IndexByte(head, '\r') >= 0 {
		l.end = '\r'
	}
	return l
}

// next moves to the next piece; false at the end of the stream or on an error.
func (l *lineReader) next() bool {
	if l.err != nil {
		return false
	}
	piece, err := l.r.ReadSlice(l.end)
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		if !errors.Is(err, io.EOF) {
			l.err = err
		}
		if len(piece) == 0 && !l.heldCR {
			return false
		}
	}
	l.isStart = !l.midLine
	l.hasBreak = len(piece) > 0 && piece[len(piece)-1] == l.end && err == nil
	l.isEnd = l.hasBreak || err != nil && !errors.Is(err, bufio.ErrBufferFull)
	l.midLine = !l.isEnd
	l.hasCR = false
	if l.hasBreak {
		piece = piece[:len(piece)-1]
	}
	if l.heldCR { // a CR that ended the piece before, whose LF may be here
		l.heldCR = false
		if !(l.hasBreak && len(piece) == 0) {
			l.scratch = append(append(l.scratch[:0], '\r'), piece...)
			piece = l.scratch
		} else {
			l.hasCR = true
		}
	}
	if n := len(piece); n > 0 && piece[n-1] == '\r' && l.end == '\n' {
		switch {
		case l.hasBreak:
			piece, l.hasCR = piece[:n-1], true
		case !l.isEnd:
			piece, l.heldCR = piece[:n-1], true
		}
	}
	l.line = piece
	return true
}

// trimEnd returns line without the white space at its end.
func trimEnd(line []byte) []byte { return bytes.TrimRight(line, " \t\r") }
