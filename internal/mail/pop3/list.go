package pop3

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom/internal/mail"
)

const (
	maxMessages = 1_000_000 // more than that in one mailbox are not listed
	maxUIDL     = 255       // bytes; RFC 1939 allows 70. Longer ones are shortened
	maxAsked    = 50        // messages whose name is asked for one by one
)

// A Message is what a server lists.
type Message struct {
	Number    int
	SizeBytes int64 // as the server counts, which may be wrong; 0: it does not say
	// UIDL is the server's name for the message (RFC 1939 section 7); empty: it named
	// others, and not this one. Names that are too long or hold anything but
	// printable ASCII stand here as "sha256:" and their digest in hexadecimal.
	UIDL string
}

// List returns all messages by number, and whether the server names them.
// hasUIDL is false where it does not know UIDL, refuses it, or gives names that
// cannot tell messages apart. A refusal for the moment only is an error.
func (c *Client) List(ctx context.Context) (messages []Message, hasUIDL bool, err error) {
	leave, err := c.enter(ctx)
	if err != nil {
		return nil, false, err
	}
	defer leave()
	sizes, refusal, err := c.table(ctx, "LIST", parseSize)
	if err != nil {
		return nil, false, err
	}
	names, uidlRefusal, err := c.table(ctx, "UIDL", parseName)
	if err != nil {
		return nil, false, err
	}
	for _, r := range []*reply{refusal, uidlRefusal} {
		if r != nil && r.isTemporary() {
			return nil, false, c.refused(mail.PhaseList, *r)
		}
	}
	messages = merge(sizes, names)
	if len(messages) == 0 {
		return nil, uidlRefusal == nil, c.isEmpty(ctx, refusal)
	}
	if uidlRefusal != nil || !tellApart(messages) {
		for i := range messages {
			messages[i].UIDL = ""
		}
		return messages, false, nil
	}
	return messages, true, c.nameTheRest(ctx, messages)
}

// table asks for one line about each message. refusal is the server's answer when
// that is all it has.
func (c *Client) table(ctx context.Context, command string, parse func([]byte) (Message, bool)) (rows []Message, refusal *reply, err error) {
	r, err := c.ask(ctx, mail.PhaseList, command, command)
	if err != nil {
		return nil, nil, err
	}
	if !r.ok {
		return nil, &r, c.inStep(ctx, mail.PhaseList)
	}
	err = c.hearList(ctx, mail.PhaseList, maxMessages, func(l line) {
		if m, ok := parse(l.text); ok && l.isWhole {
			rows = append(rows, m)
		}
	})
	return byNumber(rows), nil, err
}

// byNumber sorts rows and keeps the first of each number.
func byNumber(rows []Message) []Message {
	slices.SortStableFunc(rows, func(a, b Message) int { return cmp.Compare(a.Number, b.Number) })
	return slices.CompactFunc(rows, func(a, b Message) bool { return a.Number == b.Number })
}

// parseSize reads a line of LIST: a number and a size, and whatever follows.
func parseSize(text []byte) (Message, bool) {
	fields := bytes.Fields(text)
	if len(fields) == 0 {
		return Message{}, false
	}
	m, ok := parseNumber(fields[0])
	if len(fields) > 1 {
		if size, err := strconv.ParseInt(string(fields[1]), 10, 64); err == nil && size > 0 {
			m.SizeBytes = size
		}
	}
	return m, ok
}

// parseName reads a line of UIDL: a number and a name, which by right has no
// blanks; where it has, they belong to it.
func parseName(text []byte) (Message, bool) {
	end := bytes.IndexAny(text, " \t")
	if end < 0 {
		return Message{}, false
	}
	m, ok := parseNumber(text[:end])
	m.UIDL = storable(bytes.TrimSpace(text[end:]))
	return m, ok
}

func parseNumber(text []byte) (Message, bool) {
	n, err := strconv.ParseInt(string(text), 10, 64)
	return Message{Number: int(n)}, err == nil && n > 0 && n <= math.MaxInt32
}

// storable returns a name as it is, or a digest of it when it is too long or
// holds what is no text.
func storable(name []byte) string {
	isText := !bytes.ContainsFunc(name, func(r rune) bool { return r < ' ' || r > '~' })
	if isText && len(name) <= maxUIDL {
		return string(name)
	}
	sum := sha256.Sum256(name)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// merge joins the two tables, both by number. What one of them leaves out the
// other knows; a message is believed to be there when either says so.
func merge(sizes, names []Message) []Message {
	all := make([]Message, 0, max(len(sizes), len(names)))
	for len(sizes) > 0 || len(names) > 0 {
		switch {
		case len(names) == 0 || len(sizes) > 0 && sizes[0].Number < names[0].Number:
			all, sizes = append(all, sizes[0]), sizes[1:]
		case len(sizes) == 0 || names[0].Number < sizes[0].Number:
			all, names = append(all, names[0]), names[1:]
		default:
			m := sizes[0]
			m.UIDL = names[0].UIDL
			all, sizes, names = append(all, m), sizes[1:], names[1:]
		}
	}
	return all
}

// tellApart says whether names are of use: at least one is there, and they are
// not all the same.
func tellApart(messages []Message) bool {
	named, isSame := 0, true
	for _, m := range messages {
		if m.UIDL != "" {
			named++
			isSame = isSame && m.UIDL == messages[0].UIDL
		}
	}
	return named > 0 && (!isSame || named <= 2)
}

// nameTheRest asks by number for names that the list has left out, unless they
// are many.
func (c *Client) nameTheRest(ctx context.Context, messages []Message) error {
	asked := 0
	for i, m := range messages {
		if m.UIDL != "" {
			continue
		}
		if asked++; asked > maxAsked {
			return nil
		}
		command := "UIDL " + strconv.Itoa(m.Number)
		r, err := c.ask(ctx, mail.PhaseList, command, command)
		if err != nil {
			return err
		}
		if err := c.inStep(ctx, mail.PhaseList); err != nil {
			return err
		}
		if _, rest, found := strings.Cut(r.line, " "); r.ok && found {
			if named, ok := parseName([]byte(strings.TrimSpace(rest))); ok && named.Number == m.Number {
				messages[i].UIDL = named.UIDL
			}
		}
	}
	return nil
}

// isEmpty returns nil when STAT says, too, that there is nothing to list; a list
// may have been too garbled to read, and some servers refuse to make an empty one.
// refusal is that of LIST, or nil.
func (c *Client) isEmpty(ctx context.Context, refusal *reply) error {
	r, err := c.ask(ctx, mail.PhaseList, "STAT", "STAT")
	if err != nil {
		return err
	}
	if err := c.inStep(ctx, mail.PhaseList); err != nil {
		return err
	}
	fields := strings.Fields(r.line)
	switch {
	case r.ok && len(fields) > 1 && fields[1] == "0":
		return nil
	case refusal != nil:
		return c.refused(mail.PhaseList, *refusal)
	case !r.ok && !r.isTemporary():
		return nil
	}
	return c.refused(mail.PhaseList, r)
}
