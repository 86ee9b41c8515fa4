package imap

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom/internal/mail"
)

// Facts asks for what the server knows of messages, and for fields of their
// headers if any are named. Take is called at most once for each message that the
// server says anything of, in the server's order. Its error ends the call and is
// returned; the connection is closed then.
func (c *Client) Facts(ctx context.Context, uids []uint32, headerFields []string, take func(Fact) error) error {
	items, names := c.factItems()
	if len(headerFields) > 0 {
		items |= itemHeader
		names += " BODY.PEEK[HEADER.FIELDS (" + strings.Join(headerFields, " ") + ")]"
	}
	return c.fetch(ctx, uids, "("+names+")", func(f *fetching) error {
		return c.hearFact(f, items&^(itemUID|itemFlags), take)
	}, func(f *fetching) error {
		return f.takePartly(take)
	})
}

// Bodies asks for messages whole. Take is called at most once for each, in the
// server's order, with the bytes as they come; what it leaves unread is dropped,
// and the reader is of no use afterwards. A message that the server does not
// give, or gives empty though it says that it is not, is not taken.
//
// An error of take ends the call and is returned; the connection is closed then.
// When the bytes end before the announced length, the reader fails with the
// [*mail.Refusal] that Bodies returns too.
func (c *Client) Bodies(ctx context.Context, uids []uint32, take func(Fact, io.Reader) error) error {
	items, names := c.factItems()
	r := &bodyReader{lex: &c.lex, lose: func(err error) error { return c.lose(ctx, mail.PhaseFetch, err) }}
	return c.fetch(ctx, uids, "("+names+" BODY.PEEK[])", func(f *fetching) error {
		return c.hearBody(f, r, items, take)
	}, nil)
}

// factItems are asked for with everything. BODYSTRUCTURE and ENVELOPE are not:
// servers get them wrong, and the bytes say it all.
func (c *Client) factItems() (items, string) {
	if c.Has("X-GM-EXT-1") {
		return itemUID | itemFlags | itemDate | itemSize | itemGmailID, "UID FLAGS INTERNALDATE RFC822.SIZE X-GM-MSGID"
	}
	return itemUID | itemFlags | itemDate | itemSize, "UID FLAGS INTERNALDATE RFC822.SIZE"
}

// fetching is what one UID FETCH command has asked for, and got so far.
type fetching struct {
	asked  []uint32 // sorted
	done   []bool   // of each of asked, whether it has been taken
	partly []Fact   // of which nothing has come that would not come unasked

	// The response being heard.
	number uint64
	isUID  bool // number is a UID (RFC 9586)

	failure error // of take
}

// wants says whether uid was asked for and has not been taken.
func (f *fetching) wants(uid uint32) bool {
	i, found := slices.BinarySearch(f.asked, uid)
	return found && !f.done[i]
}

// settle notes that uid is being taken, and what take said.
func (f *fetching) settle(uid uint32, take func() error) error {
	if i, found := slices.BinarySearch(f.asked, uid); found {
		f.done[i] = true
	}
	f.failure = take()
	return f.failure
}

// fact is what is known before any item has been read.
func (f *fetching) fact() (Fact, items) {
	if f.isUID && f.number <= 1<<32-1 {
		return Fact{UID: uint32(f.number)}, itemUID
	}
	return Fact{}, 0
}

// theOne is the UID of a response that does not say it: known when no other was
// asked for.
func (f *fetching) theOne() uint32 {
	if len(f.asked) == 1 {
		return f.asked[0]
	}
	return 0
}

// leftOut are the UIDs that a server did not look at, because of a limit that
// stopped it at lowest; none when it looked at all, or at nothing.
func (f *fetching) leftOut(lowest uint32) []uint32 {
	var left []uint32
	for i, uid := range f.asked {
		if uid < lowest && !f.done[i] {
			left = append(left, uid)
		}
	}
	if len(left) == len(f.asked) {
		return nil
	}
	return left
}

// takePartly takes what is known of messages of which too little has come.
func (f *fetching) takePartly(take func(Fact) error) error {
	for _, fact := range f.partly {
		if f.wants(fact.UID) {
			if err := f.settle(fact.UID, func() error { return take(fact) }); err != nil {
				return err
			}
		}
	}
	return nil
}

// fetch asks for uids in commands that no server finds too long, and again for
// those that a server left out for the sake of its limit. Hear reads one
// response; end, if there is one, is called after each command.
func (c *Client) fetch(ctx context.Context, uids []uint32, names string, hear, end func(*fetching) error) error {
	limit := c.messageLimit()
	rest := normal(uids)
	for len(rest) > 0 {
		var set string
		f := &fetching{}
		set, f.asked, rest = nextSet(rest, limit)
		f.done = make([]bool, len(f.asked))
		_, err := c.page(ctx, mail.PhaseFetch, func(word keyword, number uint64) (bool, error) {
			if word != wordFetch && word != wordUIDFetch {
				return false, nil
			}
			f.number, f.isUID = number, word == wordUIDFetch
			return true, hear(f)
		}, "UID FETCH "+set+" "+names)
		if f.failure == nil && end != nil && c.Usable() {
			if failure := end(f); failure != nil {
				c.abandon(ctx, failure)
			}
		}
		if f.failure != nil {
			return f.failure
		}
		if err != nil {
			return err
		}
		rest = append(f.leftOut(c.lowest), rest...)
	}
	return nil
}

// abandon closes the connection because its user cannot go on.
func (c *Client) abandon(ctx context.Context, cause error) {
	c.inUse.Lock()
	defer c.inUse.Unlock()
	_ = c.lose(ctx, mail.PhaseFetch, cause) // the cause is what is returned
}

// messageLimit is the greatest number of messages that one command may concern
// (RFC 9738 section 3); 0: any.
func (c *Client) messageLimit() int {
	for _, value := range c.values("MESSAGELIMIT") {
		if n, err := strconv.Atoi(value); err == nil && n > 0 {
			return n
		}
	}
	return 0
}

// hearFact reads a response to Facts.
func (c *Client) hearFact(f *fetching, telling items, take func(Fact) error) error {
	fact, seen := f.fact()
	err := c.lex.fetchItems(func(item items) error {
		seen |= item
		return c.lex.readItem(item, &fact)
	})
	if err != nil {
		return err
	}
	if seen&itemUID == 0 && seen&telling != 0 {
		fact.UID = f.theOne()
	}
	switch {
	case !f.wants(fact.UID):
		return nil
	case seen&telling == 0:
		f.partly = append(f.partly, fact)
		return nil
	}
	return f.settle(fact.UID, func() error { return take(fact) })
}
