package mime

import (
	"bytes"
	"crypto/sha256"
	"hash"
	"io"
	"strings"
)

// A walker reads a message line by line, once, and keeps a stack of the
// multiparts that are open.
type walker struct {
	lines   *lineReader
	maxText int
	m       *Message

	stack  []container
	state  state
	header []byte // of the part whose header is being read
	digest hash.Hash
	leaf   *leaf // being read in the state inBody
	body   bodies

	pendingBreak bool // a line end that belongs to the next delimiter, if one comes
	pendingCRLF  bool

	noted       map[string]bool
	reportBytes int
	wanted      map[int]io.Writer // attachments whose bytes go somewhere, by number
	written     int               // how many of these have come to their end
	outErr      error
}

type state int

const (
	inHeader  state = iota
	inBody          // of a leaf
	inBetween       // preamble or epilogue of a multipart
)

// A container is a multipart that has not ended.
type container struct {
	boundary string
	subtype  string
	part     int  // index in Parts
	children int  // parts begun
	closed   bool // its last delimiter was seen
}

func newWalker(r io.Reader, o Options) *walker {
	if o.MaxTextBytes <= 0 {
		o.MaxTextBytes = defaultMaxText
	}
	return &walker{
		lines: newLineReader(r), maxText: o.MaxTextBytes, m: &Message{}, digest: sha256.New(),
	}
}

// walk reads to the end of the stream. The error is the stream's.
func (w *walker) walk() error {
	first := true
	for w.lines.next() {
		if first {
			first = false
			w.lines.line = bytes.TrimPrefix(w.lines.line, []byte("\xef\xbb\xbf"))
		}
		if w.outErr != nil || w.wanted != nil && w.written == len(w.wanted) {
			return nil // what follows is wanted by nobody
		}
		if w.lines.isStart && len(w.stack) > 0 && w.delimiter() {
			continue
		}
		switch w.state {
		case inHeader:
			w.headerLine()
		case inBody:
			w.bodyLine()
		case inBetween:
			w.betweenLine()
		}
	}
	if w.state == inHeader {
		w.beginPart()
	}
	w.endLeaf()
	for len(w.stack) > 0 {
		w.pop()
	}
	return w.lines.err
}

// headerLine takes a line of a header, or the empty line that ends it.
func (w *walker) headerLine() {
	line := w.lines.line
	if w.lines.isStart && w.lines.isEnd && len(line) == 0 {
		if len(w.header) == 0 && len(w.m.Parts) == 0 {
			return // empty lines before the header
		}
		w.beginPart()
		return
	}
	if w.lines.isStart && len(w.header) == 0 && (bytes.HasPrefix(line, []byte("From ")) || bytes.HasPrefix(line, []byte(">From "))) {
		return // the separator of an mbox file (RFC 4155)
	}
	if len(w.header)+len(line)+1 > maxHeaderBytes {
		w.note("The header is larger than 1 MB; what is beyond was not read.")
		return
	}
	w.header = append(w.header, line...)
	if w.lines.isEnd {
		w.header = append(w.header, '\n')
	}
}

// bodyLine hands a line to the leaf. The line end stays back: before a
// delimiter it is no part of the body (RFC 2046 section 5.1.1).
func (w *walker) bodyLine() {
	w.releaseBreak()
	if len(w.lines.line) > 0 {
		w.leaf.decoder.write(w.lines.line)
	}
	if w.lines.hasBreak {
		w.pendingBreak, w.pendingCRLF = true, w.lines.hasCR
		if len(w.stack) == 0 {
			w.releaseBreak()
		}
	}
}

func (w *walker) releaseBreak() {
	if w.pendingBreak {
		w.pendingBreak = false
		w.leaf.decoder.lineEnd(w.pendingCRLF)
	}
}

// betweenLine drops a line of a preamble or an epilogue. While a multipart has no
// part yet, its preamble may be all that it has, and is kept as text.
func (w *walker) betweenLine() {
	if n := len(w.stack); n > 0 && w.stack[n-1].children == 0 {
		w.body.keepPreamble(w.lines.line, w.lines.hasBreak)
	}
}

// delimiter handles a line that is the delimiter of an open multipart, the
// innermost first. A delimiter of an outer one ends all inner ones.
func (w *walker) delimiter() bool {
	line := w.lines.line
	if len(line) < 2 || line[0] != '-' || line[1] != '-' || !w.lines.isEnd {
		return false
	}
	mark := line[2:]
	for i := len(w.stack) - 1; i >= 0; i-- {
		isLast, ok := w.stack[i].matches(mark)
		if !ok {
			continue
		}
		w.reach(i, isLast)
		return true
	}
	return false
}

// matches says whether mark, a line without its two hyphens, delimits the
// multipart. White space may follow (RFC 2046 section 5.1.1). Blanks at the end of
// the boundary itself count, unless the first delimiter lacks them.
func (c *container) matches(mark []byte) (isLast, ok bool) {
	if len(mark) < len(c.boundary) || string(mark[:len(c.boundary)]) != c.boundary {
		bare := strings.TrimRight(c.boundary, " \t")
		if c.children > 0 || bare == c.boundary || string(trimEnd(mark)) != bare {
			return false, false
		}
		c.boundary = bare
	}
	switch rest := trimEnd(mark[len(c.boundary):]); {
	case len(rest) == 0:
		return false, true
	case string(rest) == "--":
		return true, true
	}
	return false, false
}

// reach goes on behind a delimiter of multipart i.
func (w *walker) reach(i int, isLast bool) {
	if w.state == inHeader { // a part that ends within its header
		w.beginPart()
	}
	w.endLeaf()
	for len(w.stack) > i+1 {
		w.pop()
	}
	if isLast {
		w.stack[i].closed = true
		w.state = inBetween
		if w.stack[i].children == 0 {
			w.body.preamble = nil
		}
		return
	}
	if w.stack[i].children++; w.stack[i].children == 1 {
		w.body.preamble = nil
	}
	if len(w.m.Parts) >= maxParts {
		w.note("The message has more than 10,000 parts; the others were not read.")
		w.state = inBody
		w.leaf = w.overflowLeaf()
		return
	}
	w.state = inHeader
	w.header = w.header[:0]
}

func (w *walker) pop() {
	top := w.stack[len(w.stack)-1]
	w.stack = w.stack[:len(w.stack)-1]
	if top.children == 0 && !top.closed {
		w.note("A part that should hold others holds none; it was read as text.")
		w.body.usePreamble(w)
	}
	w.body.preamble = nil
}

// endLeaf closes the leaf being read, if there is one.
func (w *walker) endLeaf() {
	w.pendingBreak = false
	if w.leaf == nil {
		return
	}
	w.leaf.decoder.close()
	w.leaf.end(w)
	w.leaf = nil
	w.state = inBetween
}

// note adds a remark, once.
func (w *walker) note(text string) {
	if w.noted == nil {
		w.noted = map[string]bool{}
	}
	if !w.noted[text] {
		w.noted[text] = true
		w.m.Notes = append(w.m.Notes, text)
	}
}

func (w *walker) top() *container {
	if len(w.stack) == 0 {
		return nil
	}
	return &w.stack[len(w.stack)-1]
}

func isMultipart(kind string) bool { return strings.HasPrefix(kind, "multipart/") }
