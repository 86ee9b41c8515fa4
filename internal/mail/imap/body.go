package imap

import (
	"bytes"
	"errors"
	"io"
	"os"
	"time"
)

// hearBody reads a response to Bodies. The bytes are streamed when all that was
// asked for stands in front of them; otherwise they are set aside until the end
// of the response, because only then it is known whose they are.
func (c *Client) hearBody(f *fetching, r *bodyReader, asked items, take func(Fact, io.Reader) error) error {
	l := &c.lex
	fact, seen := f.fact()
	var aside *spool
	defer func() {
		if aside != nil {
			aside.close()
		}
	}()
	err := l.fetchItems(func(item items) error {
		switch {
		case item != itemBody:
			seen |= item
			return l.readItem(item, &fact)
		case seen&itemBody != 0, seen&itemUID != 0 && !f.wants(fact.UID):
			return errNoValue // a second one, or one that nobody wants
		}
		seen |= itemBody
		if seen&asked == asked && l.next() == 0 && l.literal > 0 {
			return c.stream(f, r, fact, take)
		}
		aside = new(spool)
		return c.setAside(r, aside)
	})
	if err != nil || aside == nil {
		return err
	}
	if seen&itemUID == 0 {
		fact.UID = f.theOne()
	}
	if !f.wants(fact.UID) || !aside.isWhole(fact.SizeBytes, seen&itemSize != 0) {
		return nil
	}
	content, err := aside.reader()
	if err != nil {
		return err
	}
	return f.settle(fact.UID, func() error { return take(fact, content) })
}

// stream hands out the literal as it comes, and goes on behind it.
func (c *Client) stream(f *fetching, r *bodyReader, fact Fact, take func(Fact, io.Reader) error) error {
	c.setPatience(c.literalTimeout)
	c.renewBudget(c.lex.literal)
	defer c.setPatience(c.commandTimeout)
	r.isOpen = true
	err := f.settle(fact.UID, func() error { return take(fact, r) })
	r.isOpen = false
	if err != nil {
		return err
	}
	if broken := c.broken.Load(); broken != nil {
		return broken
	}
	return c.lex.dropLiteral()
}

// setPatience says how long the server may be silent, unless it has said BYE.
func (c *Client) setPatience(d time.Duration) {
	if c.bye.status == "" {
		c.lex.patience = d
	}
}

// setAside keeps the value of a body, whatever its form.
func (c *Client) setAside(r *bodyReader, aside *spool) error {
	l := &c.lex
	switch first := l.next(); {
	case first == '"':
		aside.isGiven = !l.isCut
		_, err := aside.Write(l.quoted())
		return err
	case first == 0 && l.literal != none:
		c.setPatience(c.literalTimeout)
		c.renewBudget(l.literal)
		defer c.setPatience(c.commandTimeout)
		aside.isGiven = true
		r.isOpen = true
		_, err := io.Copy(aside, r)
		r.isOpen = false
		if err != nil {
			return err
		}
		return l.dropLiteral()
	}
	_, _, err := l.text() // NIL, or nothing that could be a message
	return err
}

// bodyReader is the literal that take reads. There is one for all messages of a call.
type bodyReader struct {
	lex    *lexer
	lose   func(error) error // closes the connection, and says why
	isOpen bool              // take is under way
}

func (r *bodyReader) Read(p []byte) (int, error) {
	if !r.isOpen {
		return 0, io.EOF
	}
	n, err := r.lex.Read(p)
	return n, r.explain(err)
}

func (r *bodyReader) WriteTo(w io.Writer) (int64, error) {
	if !r.isOpen {
		return 0, nil
	}
	var total int64
	l := r.lex
	for l.literal > 0 {
		part, err := l.peek(l.literal)
		if err != nil {
			return total, r.explain(err)
		}
		n, err := w.Write(part)
		l.skip(n)
		l.literal -= int64(n)
		total += int64(n)
		if err == nil && n < len(part) {
			err = io.ErrShortWrite
		}
		if err != nil {
			return total, err
		}
	}
	return total, nil
}

// explain turns what broke the connection into the error of the client.
func (r *bodyReader) explain(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return r.lose(err)
}

// maxSpoolMemory is how much of a message set aside stays in memory.
const maxSpoolMemory = 256 << 10

// A spool holds bytes in memory, or in a temporary file when there are many.
type spool struct {
	memory  bytes.Buffer
	file    *os.File
	size    int64
	isGiven bool // the server gave bytes, if only none
}

func (s *spool) Write(p []byte) (int, error) {
	s.size += int64(len(p))
	if s.file == nil && s.size <= maxSpoolMemory {
		return s.memory.Write(p)
	}
	if s.file == nil {
		file, err := os.CreateTemp("", "postroom-*.eml")
		if err != nil {
			return 0, err
		}
		s.file = file
		if _, err := s.memory.WriteTo(file); err != nil {
			return 0, err
		}
		s.memory = bytes.Buffer{}
	}
	return s.file.Write(p)
}

// isWhole says whether what was given can be the message. Nothing can be only
// where the server does not say that there is something.
func (s *spool) isWhole(sizeBytes int64, isSizeKnown bool) bool {
	switch {
	case s.size > 0:
		return s.isGiven
	case s.isGiven:
		return sizeBytes == 0
	}
	return isSizeKnown && sizeBytes == 0
}

func (s *spool) reader() (io.Reader, error) {
	if s.file == nil {
		return &s.memory, nil
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return s.file, nil
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		os.Remove(s.file.Name())
	}
}
