package imap

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

const (
	none            = -1      // no literal follows
	maxLiteralBytes = 1 << 20 // of a literal that is no body more is dropped
)

// A lexer knows lines, literals and parentheses, and nothing else of IMAP. A
// response is a line, or several with literals between them (RFC 9051 section
// 4.3). Whatever the words in it mean, finish finds the end of the response, so
// that nothing misunderstood in one can spoil the next.
type lexer struct {
	wire
	line    []byte // the segment being read, without its end and without the literal marker
	pos     int
	literal int64 // how many bytes of a literal follow the line; none: the response ends here
	isCut   bool  // something of this response was dropped
	streams bool  // more of this line is to come: see begin

	long  []byte // holds a line that is longer than the buffer
	tap   func(line []byte)
	value []byte // holds an unescaped string, or a literal
}

// begin reads the first line of a response. A list of numbers that does not fit
// the buffer is not put together: streams is set, and the rest comes by more.
func (l *lexer) begin() error {
	l.isCut, l.streams, l.pos, l.literal = false, false, 0, none
	chunk, whole, err := l.chunk()
	if err != nil {
		return err
	}
	if !whole && isNumberList(chunk) {
		l.line, l.streams = chunk, true
		return nil
	}
	if err := l.assemble(chunk, whole); err != nil {
		return err
	}
	if !endsAtLine(l.line) {
		l.takeMarker()
	}
	l.tell()
	return nil
}

// more continues a streamed line. ok is false behind its end.
func (l *lexer) more() (ok bool, err error) {
	if !l.streams {
		return false, nil
	}
	chunk, whole, err := l.chunk()
	if err != nil {
		return false, err
	}
	l.line, l.pos, l.streams = chunk, 0, !whole
	return true, nil
}

// proceed reads the line behind a literal that has been consumed.
func (l *lexer) proceed() error {
	l.pos, l.literal = 0, none
	chunk, whole, err := l.chunk()
	if err != nil {
		return err
	}
	if err := l.assemble(chunk, whole); err != nil {
		return err
	}
	l.takeMarker()
	l.tell()
	return nil
}

// finish drops what is left of the response.
func (l *lexer) finish() error {
	for l.streams {
		if _, err := l.more(); err != nil {
			return err
		}
	}
	for l.literal != none {
		if err := l.dropLiteral(); err != nil {
			return err
		}
	}
	return nil
}

// release gives back all memory, if nothing is unread.
func (l *lexer) release() {
	if l.r == l.w {
		l.line, l.long, l.value = nil, nil, nil // they lie in the buffer, or beside it
		l.wire.release()
	}
}

// rest waits for a byte without holding any memory, if nothing is unread.
func (l *lexer) rest() error {
	l.release()
	return l.wire.rest()
}

// discard drops what is unread, and gives back all memory.
func (l *lexer) discard() {
	l.wire.discard()
	l.release()
}

// assemble makes line of chunk and what follows it, up to maxLineBytes; of a
// longer one the last tailBytes stay, behind the cut.
func (l *lexer) assemble(chunk []byte, whole bool) error {
	if whole {
		l.line = chunk
		return nil
	}
	l.long = append(l.long[:0], chunk...)
	for !whole {
		var err error
		if chunk, whole, err = l.chunk(); err != nil {
			return err
		}
		l.long = append(l.long, chunk...)
		if len(l.long) > maxLineBytes+tailBytes {
			l.isCut = true
			n := copy(l.long[maxLineBytes:], l.long[len(l.long)-tailBytes:])
			l.long = l.long[:maxLineBytes+n]
		}
	}
	l.line = trimLineEnd(l.long)
	return nil
}

// takeMarker notices "{n}", "{n+}" or "~{n}" at the end of the line (RFC 9051
// section 4.3, RFC 7888, RFC 3516), outside of a quoted string.
func (l *lexer) takeMarker() {
	line := bytes.TrimRight(l.line, " \t")
	if len(line) < 3 || line[len(line)-1] != '}' {
		return
	}
	open := bytes.LastIndexByte(line, '{')
	if open < 0 || !l.isCut && isInQuotes(line[:open]) {
		return
	}
	digits := bytes.TrimSuffix(line[open+1:len(line)-1], []byte("+"))
	n, ok := parseNumber(digits)
	if !ok || n > 1<<62 {
		return
	}
	if open > 0 && line[open-1] == '~' {
		open--
	}
	l.line, l.literal = line[:open], int64(n)
}

func isInQuotes(line []byte) bool {
	quoted := false
	for i := 0; i < len(line); i++ {
		switch {
		case line[i] == '"':
			quoted = !quoted
		case line[i] == '\\' && quoted:
			i++
		}
	}
	return quoted
}

// endsAtLine says whether a response is free text, in which braces are nothing
// but braces: a tagged one, a continuation, an untagged status, or no response.
func endsAtLine(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	if len(line) == 0 || line[0] != '*' {
		return true
	}
	word, _ := cutWord(line[1:])
	return isStatus(word)
}

func isStatus(word []byte) bool {
	return is(word, "OK") || is(word, "NO") || is(word, "BAD") || is(word, "BYE") || is(word, "PREAUTH")
}

// isNumberList says whether a line may hold a number for every message, and must
// not be cut.
func isNumberList(line []byte) bool {
	line = bytes.TrimLeft(line, " \t")
	if len(line) == 0 || line[0] != '*' {
		return false
	}
	word, _ := cutWord(line[1:])
	return is(word, "SEARCH") || is(word, "ESEARCH")
}

// dropLiteral passes over what is left of the literal and goes on behind it.
func (l *lexer) dropLiteral() error {
	for l.literal > 0 {
		part, err := l.peek(l.literal)
		if err != nil {
			return err
		}
		l.skip(len(part))
		l.literal -= int64(len(part))
	}
	return l.proceed()
}

// Read gives the bytes of the literal that follows the line, and io.EOF behind
// them. It does not go on to the next line.
func (l *lexer) Read(p []byte) (int, error) {
	if l.literal <= 0 {
		return 0, io.EOF
	}
	if int64(len(p)) > l.literal {
		p = p[:l.literal]
	}
	n, err := l.read(p)
	l.literal -= int64(n)
	return n, err
}

// next skips blanks and returns the byte behind them; 0 at the end of the line.
func (l *lexer) next() byte {
	for l.pos < len(l.line) {
		if c := l.line[l.pos]; c != ' ' && c != '\t' {
			return c
		}
		l.pos++
	}
	return 0
}

// word reads up to a blank, a parenthesis or a quote; it may be empty.
func (l *lexer) word() []byte {
	l.next()
	start := l.pos
	for l.pos < len(l.line) && !isDelimiter(l.line[l.pos]) {
		l.pos++
	}
	return l.line[start:l.pos]
}

func isDelimiter(c byte) bool {
	return c == ' ' || c == '\t' || c == '(' || c == ')' || c == '"'
}

var errNoValue = errors.New("no value")

// text reads an atom, a quoted string, a literal or NIL (nil is then true). The
// bytes are valid until the next call.
func (l *lexer) text() (value []byte, isNil bool, err error) {
	switch l.next() {
	case '"':
		return l.quoted(), false, nil
	case '(', ')':
		return nil, false, errNoValue
	case 0:
		if l.literal == none {
			return nil, false, errNoValue
		}
		value, err = l.smallLiteral()
		return value, false, err
	}
	value = l.word()
	return value, is(value, "NIL"), nil
}

// quoted reads a quoted string; one that nothing closes goes to the end of line.
func (l *lexer) quoted() []byte {
	l.pos++
	start := l.pos
	for l.pos < len(l.line) && l.line[l.pos] != '"' && l.line[l.pos] != '\\' {
		l.pos++
	}
	if l.pos < len(l.line) && l.line[l.pos] == '\\' {
		return l.escaped(start)
	}
	value := l.line[start:l.pos]
	l.pos = min(l.pos+1, len(l.line))
	return value
}

func (l *lexer) escaped(start int) []byte {
	l.value = append(l.value[:0], l.line[start:l.pos]...)
	for l.pos < len(l.line) {
		c := l.line[l.pos]
		l.pos++
		if c == '"' {
			break
		}
		if c == '\\' && l.pos < len(l.line) {
			c = l.line[l.pos]
			l.pos++
		}
		l.value = append(l.value, c)
	}
	return l.value
}

// smallLiteral reads the literal into memory, the first maxLiteralBytes of it.
func (l *lexer) smallLiteral() ([]byte, error) {
	l.value = l.value[:0]
	for l.literal > 0 {
		part, err := l.peek(l.literal)
		if err != nil {
			return nil, err
		}
		if room := maxLiteralBytes - len(l.value); room >= len(part) {
			l.value = append(l.value, part...)
		} else {
			l.value = append(l.value, part[:room]...)
			l.isCut = true
		}
		l.skip(len(part))
		l.literal -= int64(len(part))
	}
	return l.value, l.proceed()
}

// drop passes over one value, whatever it is: an atom, a string, a literal, or a
// list with all that is in it.
func (l *lexer) drop() error {
	depth := 0
	for {
		switch l.next() {
		case 0:
			if l.literal == none {
				return nil
			}
			if err := l.dropLiteral(); err != nil {
				return err
			}
		case '(':
			depth++
			l.pos++
		case ')':
			if depth == 0 {
				return nil
			}
			depth--
			l.pos++
		case '"':
			l.quoted()
		default:
			l.word()
		}
		if depth <= 0 {
			return nil
		}
	}
}

// number reads a value that should be a number; ok is false when it is none.
func (l *lexer) number() (n uint64, ok bool, err error) {
	value, _, err := l.text()
	if err != nil {
		return 0, false, err
	}
	n, ok = parseNumber(value)
	return n, ok, nil
}

// parseNumber reads decimal digits; ok is false for anything else, and for what
// does not fit 64 bits.
func parseNumber(digits []byte) (n uint64, ok bool) {
	if len(digits) == 0 || len(digits) > 20 {
		return 0, false
	}
	if len(digits) > 18 {
		n, err := strconv.ParseUint(string(digits), 10, 64)
		return n, err == nil
	}
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		n = n*10 + uint64(c-'0')
	}
	return n, true
}

// cutWord returns the first word of line and what is behind it.
func cutWord(line []byte) (word, rest []byte) {
	line = bytes.TrimLeft(line, " \t")
	if i := bytes.IndexAny(line, " \t"); i >= 0 {
		return line[:i], bytes.TrimLeft(line[i:], " \t")
	}
	return line, nil
}

// is compares with an upper-case ASCII word, whatever the case of b.
func is(b []byte, word string) bool {
	if len(b) != len(word) {
		return false
	}
	for i, c := range b {
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}
		if c != word[i] {
			return false
		}
	}
	return true
}

// tell shows the line to whoever listens, with the marker of a literal and
// without the literal.
func (l *lexer) tell() {
	if l.tap == nil {
		return
	}
	line := bytes.Clone(l.line)
	if l.literal != none {
		line = append(strconv.AppendInt(append(line, '{'), l.literal, 10), '}')
	}
	l.tap(line)
}
