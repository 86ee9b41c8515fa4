package fetch

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/pop3"
	"github.com/postroom/postroom/internal/store"
)

// lists is what a reader asks of the database about names that have no order.
type lists interface {
	ShownArrivals(ctx context.Context, n postroom.NumberingID) ([]store.ShownName, error)
	LastOccurrences(ctx context.Context, n postroom.NumberingID, uidls []string) (map[string]int, error)
	BookList(ctx context.Context, f store.Fence, n postroom.Numbering, names []store.Listed, gone []postroom.ArrivalID) error
}

// A listing is what a server shows in one session by POP3.
type listing struct {
	messages []pop3.Message
	hasUIDL  bool

	numbering postroom.NumberingID  // in which names are; 0: not held against the ledger yet
	names     []postroom.Name       // what the ledger calls each message
	at        map[postroom.Name]int // where in messages
	shared    map[string]bool       // UIDLs that tell no message from another
}

const (
	bookByTOP = 100 // names in one commit 0 where each costs a TOP
	// maxNameless is how often in a row a server that named its messages may not do so
	// before it is believed that it has no names any more.
	maxNameless = 3
)

// listed asks for the list, once.
func (s *popSession) listed(ctx context.Context) (*listing, error) {
	if s.listing != nil {
		return s.listing, nil
	}
	messages, hasUIDL, err := s.client.List(ctx)
	if err != nil {
		return nil, err
	}
	if hasUIDL {
		s.nameless = 0
	} else {
		s.nameless++
	}
	s.listing = &listing{messages: messages, hasUIDL: hasUIDL}
	return s.listing, nil
}

func (s *popSession) choose(ctx context.Context, folder string) (shown postroom.Numbering, last uint32, err error) {
	l, err := s.listed(ctx)
	if err != nil {
		return postroom.Numbering{}, 0, err
	}
	shown = s.shown(folder)
	shown.ByContent = !l.hasUIDL
	return shown, 0, nil
}

// countsAnew says whether the names of a server have lost their meaning: it has none
// any more, or it calls the mail that is known by names that are all new. Where that
// happens twice in a row, mail is known by its content from then on.
func (s *popSession) countsAnew(ctx context.Context, n postroom.Numbering, shown *postroom.Numbering) (bool, error) {
	l := s.listing
	switch {
	case n.ByContent:
		return false, nil
	case !l.hasUIDL && s.nameless < maxNameless:
		return false, &mail.Refusal{Protocol: postroom.POP3, Phase: mail.PhaseList, Err: errNoNames}
	case !l.hasUIDL:
		return true, nil
	case l.numbering == n.ID:
		return false, nil
	}
	known, err := s.ledger.ShownArrivals(ctx, n.ID)
	if err != nil {
		return false, err
	}
	again, anyShared := renamed(l.messages, known)
	if anyShared {
		s.renamed = 0
	}
	if !again {
		return false, nil
	}
	s.renamed++
	shown.ByContent = s.renamed > 1
	return true, nil
}

var errNoNames = errors.New("the server did not tell the names of its messages, as it did before")

// drawLine enters what is listed at the proof as before the start. That is before
// the proof: whatever ends the process in between, the mailbox is still to be
// proven then, and its line is drawn anew.
func (s *popSession) drawLine(ctx context.Context, n *postroom.Numbering) error {
	if n.ID == 0 {
		n.Floor = 0
		begun, err := s.ledger.BeginNumbering(ctx, s.fence, *n)
		if err != nil {
			return err
		}
		*n = begun
	}
	return s.bookNew(ctx, *n, bookAtOnce, func(names []store.Listed) error {
		for i := range names {
			names[i].State, names[i].Reason = postroom.ArrivalBeforeStart, atProofWords
		}
		return nil
	})
}

// enter books what is new in the list, and notes what is gone from it.
func (s *popSession) enter(ctx context.Context, f *folder) error {
	atOnce := bookAtOnce
	if s.judgesByDate(f) {
		atOnce = bookByTOP
	}
	return s.bookNew(ctx, f.Numbering, atOnce, func(names []store.Listed) error { return s.judge(ctx, f, names) })
}

// bookNew holds the list against the ledger, once, and books the difference.
func (s *popSession) bookNew(ctx context.Context, n postroom.Numbering, atOnce int, judge func([]store.Listed) error) error {
	l := s.listing
	if l.numbering == n.ID {
		return nil
	}
	if err := s.nameByContent(ctx, n.ByContent); err != nil {
		return err
	}
	known, err := s.ledger.ShownArrivals(ctx, n.ID)
	if err != nil {
		return err
	}
	m := match(l.messages, known)
	l.shared = sharedNames(l.messages, known)
	if uidls := m.newUIDLs(); len(uidls) > 0 {
		last, err := s.ledger.LastOccurrences(ctx, n.ID, uidls)
		if err != nil {
			return err
		}
		m.number(last)
	}
	l.names, l.at = m.names, make(map[postroom.Name]int, len(m.names))
	var names []store.Listed
	for i, name := range m.names {
		l.at[name] = i
		if m.isNew[i] {
			names = append(names, store.Listed{Name: name, State: postroom.ArrivalWaiting, SizeBytes: l.messages[i].SizeBytes})
		}
	}
	for some := range slices.Chunk(m.gone, bookAtOnce) {
		if err := s.ledger.BookList(ctx, s.fence, n, nil, some); err != nil {
			return err
		}
	}
	for some := range slices.Chunk(names, atOnce) {
		if err := judge(some); err != nil {
			return err
		}
		if err := s.ledger.BookList(ctx, s.fence, n, some, nil); err != nil {
			return err
		}
	}
	l.numbering = n.ID
	return nil
}

// nameByContent gives names to messages that have none of the server's, or none
// that last.
func (s *popSession) nameByContent(ctx context.Context, all bool) error {
	for i := range s.listing.messages {
		m := &s.listing.messages[i]
		if !all && m.UIDL != "" || strings.HasPrefix(m.UIDL, " ") {
			continue
		}
		head, err := s.head(ctx, m)
		if err != nil {
			return err
		}
		m.UIDL = contentName(head, m.SizeBytes)
	}
	return nil
}

// head is the header of a message: by TOP, or else the message is read for it. One
// that is too large to be brought in is not read. What the server does not give has
// no header.
func (s *popSession) head(ctx context.Context, m *pop3.Message) (head []byte, err error) {
	if head, ok, err := s.top(ctx, m.Number); ok || err != nil {
		return head, err
	}
	if m.SizeBytes > s.fleet.MaxMessageBytes {
		return nil, nil
	}
	err = s.client.Retrieve(ctx, m.Number, func(body io.Reader) error {
		head, err = io.ReadAll(io.LimitReader(body, maxHeadBytes))
		if err == nil {
			_, err = io.Copy(io.Discard, body)
		}
		return err
	})
	if err != nil && (!s.usable() || saysLater(err)) {
		return nil, err
	}
	return head, nil
}

const maxHeadBytes = 64 << 10

// top asks for a header; ok is false where the server does not give it.
func (s *popSession) top(ctx context.Context, number int) (head []byte, ok bool, err error) {
	if s.noTOP {
		return nil, false, nil
	}
	head, err = s.client.Top(ctx, number)
	switch {
	case err == nil:
		s.gaveTOP = true
		return head, true, nil
	case !s.usable() || saysLater(err):
		return nil, false, err
	}
	s.noTOP = !s.gaveTOP
	return nil, false, nil
}

// list is everything that the server shows, by the names of the ledger.
func (s *popSession) list(ctx context.Context, f *folder) (store.ServerList, error) {
	if err := s.enter(ctx, f); err != nil {
		return store.ServerList{}, err
	}
	return store.ServerList{Numbering: f.Numbering, Names: s.listing.names}, nil
}

// shows is what the list says: it holds for the whole session.
func (s *popSession) shows(_ context.Context, names []postroom.Name) (map[postroom.Name]bool, error) {
	shown := make(map[postroom.Name]bool, len(names))
	for _, n := range names {
		if _, ok := s.listing.at[n]; ok {
			shown[n] = true
		}
	}
	return shown, nil
}
