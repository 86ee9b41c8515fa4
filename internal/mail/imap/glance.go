package imap

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/postroom/postroom/internal/mail"
)

// Glance asks in one round trip how things are: whether there is news of the
// selected folder, as Noop does, and by STATUS how other folders are (RFC 9051
// section 6.3.11), each at its place. A folder of which the server says nothing
// that can be understood, or that it refuses to tell of, has no UIDVALIDITY.
//
// Servers may tell of the selected folder, or by STATUS, what they knew a while
// ago. What must not be missed is listed now and then.
func (c *Client) Glance(ctx context.Context, folders []string) (news bool, others []Status, err error) {
	if !c.inUse.TryLock() {
		return false, nil, errInUse
	}
	defer c.inUse.Unlock()
	defer c.guard(ctx)()
	defer c.lex.release()
	if broken := c.broken.Load(); broken != nil {
		return false, nil, broken
	}
	c.listening = true // FETCH, unasked, is news
	defer func() { c.listening = false }()

	due := &glancing{tags: []string{c.nextTag()}, folders: []Status{{}}}
	b := append(append(c.out[:0], due.tags[0]...), " NOOP\r\n"...)
	for _, folder := range folders {
		due.folders = append(due.folders, Status{})
		sent, _ := c.wireName(folder)
		name := c.astring(sent)
		if name.isLiteral && !c.Has("LITERAL+") { // it would take a round trip of its own
			due.tags = append(due.tags, "")
			continue
		}
		tag := c.nextTag()
		due.tags = append(due.tags, tag)
		b = append(append(b, tag...), " STATUS "...)
		if name.isLiteral {
			b = append(strconv.AppendInt(append(b, '{'), int64(len(name.text)), 10), "+}\r\n"...)
		}
		b = append(append(b, name.text...), " (MESSAGES UIDNEXT UIDVALIDITY)\r\n"...)
	}
	c.renewBudget(0)
	if err := c.write(ctx, mail.PhaseAny, b, b); err != nil {
		return c.news, nil, err
	}
	if err := c.hearGlance(ctx, due); err != nil {
		return c.news, nil, err
	}
	others = due.folders[1:]
	for i, folder := range folders {
		sent, _ := c.wireName(folder)
		if others[i].Folder != c.decodeName(sent) { // it tells of another one
			others[i] = Status{}
		}
		others[i].Folder = folder
	}
	return c.news, others, nil
}

// glancing is what is known while the answers to a Glance come.
type glancing struct {
	tags    []string // of commands that are not done yet, each at its place; empty: done
	folders []Status
	last    Status // the last word of a STATUS response since a command was done
}

// hearGlance hears the server out until all commands are done.
func (c *Client) hearGlance(ctx context.Context, due *glancing) error {
	hear := func(word keyword, _ uint64) (bool, error) {
		if word != wordStatusOf {
			return false, nil
		}
		var err error
		due.last, err = c.hearStatus()
		return true, err
	}
	for slices.ContainsFunc(due.tags, func(tag string) bool { return tag != "" }) {
		if err := c.lex.begin(); err != nil {
			return c.lose(ctx, mail.PhaseAny, err)
		}
		if line := bytes.TrimLeft(c.lex.line, " \t"); len(line) > 0 && line[0] == '*' {
			if err := c.hearUntagged(hear); err != nil {
				return c.lose(ctx, mail.PhaseAny, err)
			}
		} else if word, rest := cutWord(line); len(word) > 0 {
			i := slices.IndexFunc(due.tags, func(tag string) bool { return bytes.EqualFold(word, []byte(tag)) })
			if status, _ := cutWord(rest); i >= 0 && isStatus(status) {
				r := parseReply(rest)
				c.hearCode(r)
				if due.tags[i] = ""; r.status == "OK" {
					due.folders[i] = due.last
				}
				due.last = Status{}
			}
		}
		if err := c.lex.finish(); err != nil {
			return c.lose(ctx, mail.PhaseAny, err)
		}
	}
	return nil
}

// hearStatus reads what follows STATUS: a name, and pairs of a word and a number.
func (c *Client) hearStatus() (s Status, err error) {
	l := &c.lex
	name, _, err := l.text()
	if errors.Is(err, errNoValue) {
		return s, nil
	} else if err != nil {
		return s, err
	}
	s.Folder = c.decodeName(string(name))
	if l.next() == '(' {
		l.pos++
	}
	for c := l.next(); c != 0 && c != ')'; c = l.next() {
		if isDelimiter(c) {
			return s, l.drop()
		}
		word := string(l.word())
		n, ok, err := l.number()
		if errors.Is(err, errNoValue) {
			return s, nil
		} else if err != nil {
			return s, err
		}
		switch {
		case !ok:
		case is([]byte(word), "MESSAGES"):
			s.Exists = uint32(min(n, 1<<32-1))
		case is([]byte(word), "UIDNEXT") && n <= 1<<32-1:
			s.UIDNext = uint32(n)
		case is([]byte(word), "UIDVALIDITY"):
			s.UIDValidity = uint32(n) // of a number over 32 bits the low half, as with SELECT
		}
	}
	return s, nil
}
