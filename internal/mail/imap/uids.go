package imap

import (
	"context"
	"fmt"
	"strconv"

	"github.com/postroom/postroom/internal/mail"
)

// UIDs lists every UID from the given one on that the server shows in the selected
// folder, ascending, each once. What has been announced before is no news any more
// once it is called.
//
// Servers answer SEARCH from an index that may lag or be limited. Where a list of
// the whole folder is shorter than the server's own count, what FETCH shows is
// added.
func (c *Client) UIDs(ctx context.Context, from uint32) ([]uint32, error) {
	c.news = false
	from = max(from, 1)
	for _, question := range []string{"UID SEARCH RETURN (ALL) ", "UID SEARCH "} {
		if question != "UID SEARCH " && !c.Has("ESEARCH") {
			continue
		}
		uids, answered, err := c.search(ctx, question, from)
		if err != nil && !c.Usable() {
			return nil, err
		}
		if err == nil && !answered && c.exists == 0 {
			return nil, nil
		}
		if err != nil || !answered {
			continue
		}
		if from == 1 && len(uids) < int(c.exists) {
			more, err := c.listByFetch(ctx, from)
			if err != nil && !c.Usable() {
				return nil, err
			}
			uids = normal(append(uids, more...))
		}
		return uids, nil
	}
	return c.listByFetch(ctx, from)
}

// search asks for UIDs in pages, from the highest down, for as long as the server
// says that it has looked at a part only (RFC 9738 section 3.3). answered is false
// when it said OK and nothing else.
func (c *Client) search(ctx context.Context, question string, from uint32) (uids []uint32, answered bool, err error) {
	list := uidList{from: from}
	hear := func(word keyword, _ uint64) (bool, error) {
		switch word {
		case wordSearch:
			answered = true
			return true, c.hearNumbers(&list)
		case wordESearch:
			answered = true
			if ok, err := c.skipToAll(); !ok || err != nil {
				return true, err
			}
			return true, c.hearNumbers(&list)
		}
		return false, nil
	}
	last := uint32(0) // 0: the end of the folder
	for {
		what := "UID " + setFrom(from, last)
		if from == 1 && last == 0 {
			what = "ALL" // on an empty folder some servers call 1:* an error
		}
		if _, err := c.page(ctx, mail.PhaseSearch, hear, question+what); err != nil {
			return nil, false, err
		}
		if c.lowest <= from || last != 0 && c.lowest > last {
			return normal(list.uids), answered, nil
		}
		last = c.lowest - 1
	}
}

// page runs one command and notes in c.lowest how far down the server went.
func (c *Client) page(ctx context.Context, phase mail.Phase, on handler, command string) (reply, error) {
	c.lowest = 0
	return c.simple(ctx, phase, on, command)
}

func setFrom(from, last uint32) string {
	if last == 0 {
		return strconv.FormatUint(uint64(from), 10) + ":*"
	}
	return fmt.Sprintf("%d:%d", from, last)
}

// hearNumbers reads numbers to the end of the line, however long it is.
func (c *Client) hearNumbers(list *uidList) error {
	l := &c.lex
	l.next()
	list.ended = false
	if err := list.feed(l.line[l.pos:]); err != nil {
		return err
	}
	for {
		ok, err := l.more()
		if err != nil {
			return err
		}
		if !ok {
			return list.close()
		}
		if err := list.feed(l.line); err != nil {
			return err
		}
	}
}

// skipToAll goes to the set behind ALL in an ESEARCH response (RFC 4731 section
// 3.1): (TAG "P7") UID ALL 1:4,6. ok is false when there is none: no message.
func (c *Client) skipToAll() (ok bool, err error) {
	l := &c.lex
	for l.next() != 0 {
		if c := l.next(); isDelimiter(c) {
			if err := l.drop(); err != nil || c == ')' {
				return false, err
			}
		} else if is(l.word(), "ALL") {
			return true, nil
		}
	}
	return false, nil
}

// listByFetch asks for the UID of every message instead of searching.
func (c *Client) listByFetch(ctx context.Context, from uint32) ([]uint32, error) {
	var uids []uint32
	hear := func(word keyword, number uint64) (bool, error) {
		if word != wordFetch && word != wordUIDFetch {
			return false, nil
		}
		var f Fact
		if word == wordUIDFetch && number <= 1<<32-1 {
			f.UID = uint32(number)
		}
		err := c.lex.fetchItems(func(item items) error {
			if item == itemUID {
				return c.lex.readItem(item, &f)
			}
			return errNoValue
		})
		if f.UID >= from {
			if len(uids) == maxUIDs {
				return true, errTooManyUIDs
			}
			uids = append(uids, f.UID)
		}
		return true, err
	}
	last := uint32(0)
	for {
		_, err := c.page(ctx, mail.PhaseSearch, hear, "UID FETCH "+setFrom(from, last)+" (UID)")
		if err != nil {
			if c.Usable() && c.exists == 0 && len(uids) == 0 {
				return nil, nil // an empty folder, of which the server cannot fetch
			}
			return nil, err
		}
		if c.lowest <= from || last != 0 && c.lowest > last {
			return normal(uids), nil
		}
		last = c.lowest - 1
	}
}
