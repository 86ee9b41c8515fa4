package fetch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/store"
)

// arrivals is what a reader asks of the database about single messages.
type arrivals interface {
	BookNames(ctx context.Context, f store.Fence, n postroom.Numbering, names []store.Listed, position uint32) error
	WantedArrivals(ctx context.Context, n postroom.NumberingID, fresh uint32, limit int) ([]store.Wanted, error)
	ReadRaw(ctx context.Context, r io.Reader, limitBytes int64, head func([]byte)) (*store.Raw, error)
	DropRaw(ctx context.Context, raw *store.Raw) error
	RecordBytes(ctx context.Context, f store.Fence, brought []store.Brought) error
	Settle(ctx context.Context, f store.Fence, ids []postroom.ArrivalID, state postroom.ArrivalState, reason string) error
	RecordFailedTry(ctx context.Context, f store.Fence, id postroom.ArrivalID, reason string, next time.Time, limit int) (bool, error)
}

const (
	bookAtOnce  = 2000    // names in one commit 0
	bringAtOnce = 200     // messages asked for in one command
	commitCount = 64      // messages in one commit 1
	commitBytes = 4 << 20 // raw bytes in one commit 1, about
	largeBytes  = 1 << 20 // a message from here on may take its time
	graceToStop = 8 * time.Second
)

// book enters names into the ledger, oldest first, and moves the position with
// each commit. Where dates decide what is before the start, the server is asked
// for them first.
func (w *watch) book(ctx context.Context, f *folder, uids []uint32) error {
	for len(uids) > 0 {
		some := uids[:min(len(uids), bookAtOnce)]
		uids = uids[len(some):]
		names, err := w.judge(ctx, f, some)
		if err != nil {
			return err
		}
		last := some[len(some)-1]
		if err := w.ledger.BookNames(ctx, w.fence, f.Numbering, names, last); err != nil {
			return err
		}
		f.Position = max(f.Position, last)
	}
	return nil
}

// judge tells the names that wait from those before the start.
func (w *watch) judge(ctx context.Context, f *folder, uids []uint32) ([]store.Listed, error) {
	names := make([]store.Listed, len(uids))
	for i, uid := range uids {
		names[i] = store.Listed{Name: postroom.Name{UID: uid}, State: postroom.ArrivalWaiting}
		if int64(uid) <= f.Floor && w.m.Start.Kind == postroom.StartNow { // which may have been chosen anew since
			names[i].State, names[i].Reason = postroom.ArrivalBeforeStart, "It was in the folder when the mailbox was connected."
		}
	}
	if !w.judgesByDate(f) {
		return names, nil
	}
	index := make(map[uint32]int, len(uids))
	for i, uid := range uids {
		index[uid] = i
	}
	err := w.client.Facts(ctx, uids, []string{"RECEIVED"}, func(fact imap.Fact) error {
		i, asked := index[fact.UID]
		if asked {
			l := &names[i]
			l.InternalDate, l.SizeBytes, l.GmailID = fact.InternalDate, fact.SizeBytes, fact.GmailID
			if !w.m.Start.Covers(fact.InternalDate, w.fleet.TopReceived(fact.Header)) {
				l.State = postroom.ArrivalBeforeStart
				l.Reason = w.beforeStartWords()
			}
		}
		return nil
	})
	if err != nil && !w.client.Usable() {
		return nil, err
	}
	return names, nil // in doubt a message is brought in
}

// judgesByDate says whether it is dates that decide what is before the start.
func (w *watch) judgesByDate(f *folder) bool {
	return w.m.Start.Kind == postroom.StartDate || w.m.Start.Kind == postroom.StartNow && f.Floor == postroom.FloorByDate
}

// bring fetches one batch of messages whose bytes are wanted; more says that there
// may be others.
func (w *watch) bring(ctx context.Context, f *folder) (more bool, err error) {
	wanted, err := w.ledger.WantedArrivals(ctx, f.ID, f.fresh, bringAtOnce)
	if err != nil || len(wanted) == 0 {
		return false, err
	}
	b := newBatch(w, f, wanted)
	refusal, err := w.ask(ctx, b)
	if err == nil {
		err = w.notGiven(ctx, f, b, refusal)
	}
	return err == nil, err
}

// ask asks the server for the messages of a batch, and has what it gives recorded.
// A refusal leaves the connection standing, an error does not.
func (w *watch) ask(ctx context.Context, b *batch) (refusal, err error) {
	err = w.client.Bodies(ctx, b.uids(), func(fact imap.Fact, body io.Reader) error { return b.take(ctx, fact, body) })
	if flushed := b.finish(ctx); flushed != nil {
		return nil, flushed
	}
	if err != nil && !w.client.Usable() {
		return nil, w.cutAt(ctx, b, err)
	}
	return err, nil
}

// A batch is the messages of one command on their way into the ledger. While the
// next ones are read, at most one commit is under way.
type batch struct {
	w        *watch
	wanted   []store.Wanted
	byUID    map[uint32]store.Wanted
	taken    map[uint32]bool
	reading  uint32 // the UID that is being read; 0: none
	brought  []store.Brought
	bytes    int64
	byDate   bool       // messages nobody has judged yet are judged by their dates
	flushing chan error // nil: no commit is under way
}

func newBatch(w *watch, f *folder, wanted []store.Wanted) *batch {
	b := &batch{w: w, wanted: wanted, byDate: w.judgesByDate(f), byUID: make(map[uint32]store.Wanted, len(wanted)), taken: make(map[uint32]bool, len(wanted))}
	for _, m := range wanted {
		b.byUID[m.Name.UID] = m
	}
	return b
}

func (b *batch) uids() []uint32 {
	uids := make([]uint32, len(b.wanted))
	for i, m := range b.wanted {
		uids[i] = m.Name.UID
	}
	return uids
}

// take reads one message to its end.
func (b *batch) take(ctx context.Context, fact imap.Fact, body io.Reader) error {
	m, asked := b.byUID[fact.UID]
	if !asked || b.taken[fact.UID] {
		return nil
	}
	if fact.SizeBytes >= largeBytes { // what is here already does not wait for it
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	b.reading = fact.UID
	one := store.Brought{Arrival: m.ID, InternalDate: fact.InternalDate, GmailID: fact.GmailID}
	var err error
	var received time.Time
	one.Raw, err = b.w.ledger.ReadRaw(ctx, body, b.w.fleet.MaxMessageBytes, func(head []byte) {
		one.HasMessageID = hasMessageID(head)
		if m.Unjudged {
			received = b.w.fleet.TopReceived(head)
		}
	})
	if errors.Is(err, store.ErrTooBig) {
		b.reading, b.taken[fact.UID] = 0, true
		reason := fmt.Sprintf("It is larger than %d MB, the most that is brought in. It stays on the server.", b.w.fleet.MaxMessageBytes>>20)
		return b.w.ledger.Settle(ctx, b.w.fence, []postroom.ArrivalID{m.ID}, postroom.ArrivalQuarantined, reason)
	}
	if err != nil {
		return err
	}
	b.reading, b.taken[fact.UID] = 0, true
	if m.Unjudged && b.byDate && !b.w.m.Start.Covers(fact.InternalDate, received) {
		return b.w.beforeStart(ctx, m.ID, one.Raw)
	}
	b.brought = append(b.brought, one)
	b.bytes += min(one.Raw.SizeBytes, 1<<20)
	if len(b.brought) >= commitCount || b.bytes >= commitBytes {
		return b.flush(ctx)
	}
	return nil
}

// beforeStart settles a message that is older than the start: the start was moved,
// and only now its dates are known.
func (w *watch) beforeStart(ctx context.Context, id postroom.ArrivalID, raw *store.Raw) error {
	if err := w.ledger.DropRaw(ctx, raw); err != nil {
		return err
	}
	return w.ledger.Settle(ctx, w.fence, []postroom.ArrivalID{id}, postroom.ArrivalBeforeStart, w.beforeStartWords())
}

func (w *watch) beforeStartWords() string {
	return "It is older than " + w.m.Start.At.UTC().Format("2 January 2006 15:04") + " UTC, from where on mail is brought in."
}

// flush begins a commit of what was read, after the one before has ended. A
// request to stop does not interrupt it: a message is either here or still only
// on the server.
func (b *batch) flush(ctx context.Context) error {
	if err := b.wait(); err != nil || len(b.brought) == 0 {
		return err
	}
	brought := b.brought
	b.brought, b.bytes = nil, 0
	b.flushing = make(chan error, 1)
	go func(done chan<- error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceToStop)
		defer cancel()
		err := b.w.ledger.RecordBytes(ctx, b.w.fence, brought)
		if err == nil {
			b.w.fleet.Arrived()
		}
		done <- err
	}(b.flushing)
	return nil
}

func (b *batch) wait() error {
	if b.flushing == nil {
		return nil
	}
	err := <-b.flushing
	b.flushing = nil
	return err
}

// finish commits the rest and waits until nothing is under way.
func (b *batch) finish(ctx context.Context) error {
	return errors.Join(b.flush(ctx), b.wait())
}

// hasMessageID says whether a header names its message (RFC 5322 section 3.6.4).
func hasMessageID(head []byte) bool {
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			return false
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if found && bytes.EqualFold(bytes.TrimRight(name, " \t"), []byte("Message-ID")) {
			folded, _, _ := bytes.Cut(rest, []byte("\n"))
			return bytes.ContainsRune(value, '<') || len(bytes.TrimSpace(value)) > 0 || bytes.ContainsRune(folded, '<')
		}
		head = rest
	}
	return false
}
