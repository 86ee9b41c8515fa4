package imap

import (
	"bytes"
	"errors"
	"strings"
	"time"
)

// A Fact is what a server says of one message beside its bytes. What it did not
// say, or said so that nobody can read it, is zero.
type Fact struct {
	UID          uint32
	InternalDate time.Time // UTC
	SizeBytes    int64     // RFC822.SIZE; servers are wrong about it
	Flags        []string
	GmailID      uint64 // X-GM-MSGID
	Header       []byte // the fields that were asked for, as they stand in the message
}

// Limits for flags, of which no sane message has more than a dozen.
const (
	maxFlags     = 200
	maxFlagBytes = 200
)

// items of a FETCH response, to tell which of them came.
type items uint8

const (
	itemUID items = 1 << iota
	itemFlags
	itemDate
	itemSize
	itemGmailID
	itemHeader
	itemBody
)

// itemOf says what a name in a FETCH response stands for; 0: nothing known. The
// whole message goes under several names: BODY[], BODY.PEEK[] where a server
// echoes the question, RFC822, BINARY[].
func itemOf(name []byte) items {
	switch {
	case is(name, "UID"):
		return itemUID
	case is(name, "FLAGS"):
		return itemFlags
	case is(name, "INTERNALDATE"):
		return itemDate
	case is(name, "RFC822.SIZE"):
		return itemSize
	case is(name, "X-GM-MSGID"):
		return itemGmailID
	case is(name, "BODY[]"), is(name, "BODY[]<0>"), is(name, "BODY.PEEK[]"), is(name, "RFC822"), is(name, "BINARY[]"):
		return itemBody
	case hasPrefix(name, "BODY[HEADER"), hasPrefix(name, "BODY.PEEK[HEADER"), is(name, "RFC822.HEADER"):
		return itemHeader
	}
	return 0
}

func hasPrefix(name []byte, prefix string) bool {
	return len(name) >= len(prefix) && is(name[:len(prefix)], prefix)
}

// fetchItems walks over the items of a FETCH response and calls visit behind each
// known name, in front of its value. A visit that fails with errNoValue, or that
// consumes nothing, costs this item only.
func (l *lexer) fetchItems(visit func(items) error) error {
	if l.next() == '(' {
		l.pos++
	}
	for {
		switch l.next() {
		case ')':
			return nil
		case 0:
			if l.literal == none {
				return nil
			}
			if err := l.dropLiteral(); err != nil {
				return err
			}
			continue
		case '"', '(':
			if err := l.drop(); err != nil {
				return err
			}
			continue
		}
		known := itemOf(l.itemName())
		if l.isAtItem() {
			continue // the value is missing
		}
		if known == 0 {
			if err := l.drop(); err != nil {
				return err
			}
			continue
		}
		if err := visit(known); errors.Is(err, errNoValue) {
			if err := l.drop(); err != nil {
				return err
			}
		} else if err != nil {
			return err
		}
	}
}

// isAtItem says whether the next word is the name of an item that is known.
func (l *lexer) isAtItem() bool {
	if c := l.next(); c < 'A' || c > 'z' {
		return false
	}
	start := l.pos
	defer func() { l.pos = start }()
	return itemOf(l.itemName()) != 0
}

// itemName reads a name with the section in brackets behind it, which may hold
// blanks, parentheses and quotes: BODY[HEADER.FIELDS ("From" To)]<0>.
func (l *lexer) itemName() []byte {
	start, depth := l.pos, 0
	for ; l.pos < len(l.line); l.pos++ {
		switch c := l.line[l.pos]; {
		case c == '[':
			depth++
		case c == ']' && depth > 0:
			depth--
		case depth == 0 && isDelimiter(c):
			return l.line[start:l.pos]
		}
	}
	return l.line[start:l.pos]
}

// readItem reads the value of every item but the bodies into f.
func (l *lexer) readItem(item items, f *Fact) error {
	switch item {
	case itemUID:
		n, ok, err := l.number()
		if ok && n <= 1<<32-1 {
			f.UID = uint32(n)
		}
		return err
	case itemSize:
		n, ok, err := l.number()
		if ok && n < 1<<62 {
			f.SizeBytes = int64(n)
		}
		return err
	case itemGmailID:
		n, _, err := l.number()
		f.GmailID = n
		return err
	case itemDate:
		value, _, err := l.text()
		if err == nil {
			f.InternalDate = parseDate(value)
		}
		return err
	case itemFlags:
		return l.flags(&f.Flags)
	case itemHeader:
		value, isNil, err := l.text()
		if err == nil && !isNil {
			f.Header = append(f.Header, value...)
		}
		return err
	}
	return errNoValue
}

// flags reads a list of flags, or drops what is none.
func (l *lexer) flags(into *[]string) error {
	if l.next() != '(' {
		return errNoValue
	}
	l.pos++
	for {
		switch l.next() {
		case ')':
			l.pos++
			return nil
		case 0:
			if l.literal == none {
				return nil
			}
			if err := l.dropLiteral(); err != nil {
				return err
			}
		case '(', '"':
			if err := l.drop(); err != nil {
				return err
			}
		default:
			flag := l.word()
			if len(*into) < maxFlags && len(flag) <= maxFlagBytes {
				*into = append(*into, flagName(flag))
			}
		}
	}
}

// flagName makes a string of a flag, without an allocation for the usual ones.
func flagName(flag []byte) string {
	switch {
	case is(flag, `\SEEN`):
		return `\Seen`
	case is(flag, `\ANSWERED`):
		return `\Answered`
	case is(flag, `\FLAGGED`):
		return `\Flagged`
	case is(flag, `\DELETED`):
		return `\Deleted`
	case is(flag, `\DRAFT`):
		return `\Draft`
	case is(flag, `\RECENT`):
		return `\Recent`
	}
	return string(flag)
}

// parseDate reads a date-time (RFC 9051 section 9), and what servers make of it:
// a day without its leading blank or zero, a zone by name or none, a weekday. The
// zero time is the answer to everything else, and to years outside 1970 to 9999.
func parseDate(value []byte) time.Time {
	text := string(bytes.TrimSpace(value))
	if i := strings.IndexByte(text, ','); i >= 0 {
		text = strings.TrimSpace(text[i+1:])
	}
	for _, layout := range []string{
		"_2-Jan-2006 15:04:05 -0700",
		"_2-Jan-2006 15:04:05",
		"_2-Jan-2006 15:04:05 MST",
		"_2-Jan-2006 15:04:05 -07:00",
		"_2 Jan 2006 15:04:05 -0700",
		time.RFC3339,
	} {
		if at, err := time.Parse(layout, text); err == nil && at.Year() >= 1970 && at.Year() <= 9999 {
			return at.UTC()
		}
	}
	return time.Time{}
}
