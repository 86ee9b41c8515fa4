package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
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
	err = w.session.bodies(ctx, namesOf(b.wanted), func(t told, body io.Reader) error { return b.take(ctx, t, body) })
	if flushed := b.finish(ctx); flushed != nil {
		return nil, flushed
	}
	if err == nil {
		return nil, nil
	}
	if _, refused := mail.RefusalOf(err); refused && w.session.usable() {
		return err, nil
	}
	return nil, w.cutAt(ctx, b, err)
}

// A batch is the messages of one command on their way into the ledger. While the
// next ones are read, at most one commit is under way.
type batch struct {
	w         *watch
	wanted    []store.Wanted
	byName    map[postroom.Name]store.Wanted
	taken     map[postroom.Name]bool
	reading   postroom.Name
	isReading bool
	brought   []store.Brought
	bytes     int64
	byDate    bool       // messages nobody has judged yet are judged by their dates
	flushing  chan error // nil: no commit is under way
}

func newBatch(w *watch, f *folder, wanted []store.Wanted) *batch {
	b := &batch{w: w, wanted: wanted, byDate: w.judgesByDate(f), byName: make(map[postroom.Name]store.Wanted, len(wanted)), taken: make(map[postroom.Name]bool, len(wanted))}
	for _, m := range wanted {
		b.byName[m.Name] = m
	}
	return b
}

func namesOf(wanted []store.Wanted) []postroom.Name {
	names := make([]postroom.Name, len(wanted))
	for i, m := range wanted {
		names[i] = m.Name
	}
	return names
}

// take reads one message to its end.
func (b *batch) take(ctx context.Context, t told, body io.Reader) error {
	m, asked := b.byName[t.Name]
	if !asked || b.taken[t.Name] {
		return nil
	}
	if body == nil {
		return b.tooLarge(ctx, m)
	}
	if t.SizeBytes >= largeBytes { // what is here already does not wait for it
		if err := b.flush(ctx); err != nil {
			return err
		}
	}
	b.reading, b.isReading = t.Name, true
	one := store.Brought{
		Arrival: m.ID, InternalDate: t.InternalDate, GmailID: t.GmailID,
		After: b.w.m.AfterImport, Folder: b.w.m.MoveTo,
	}
	var err error
	var received time.Time
	one.Raw, err = b.w.ledger.ReadRaw(ctx, body, b.w.fleet.MaxMessageBytes, func(head []byte) {
		one.HasMessageID = hasMessageID(head)
		if m.Unjudged {
			received = b.w.fleet.TopReceived(head)
			if received.IsZero() && t.InternalDate.IsZero() {
				received = b.w.fleet.dated(head)
			}
		}
	})
	if errors.Is(err, store.ErrTooBig) {
		return b.tooLarge(ctx, m)
	}
	if err != nil {
		return err
	}
	b.isReading, b.taken[t.Name] = false, true
	if m.Unjudged && (b.byDate || b.w.cameBack(t.Name)) && !b.w.m.Start.Covers(t.InternalDate, received) {
		return b.w.beforeStart(ctx, m.ID, one.Raw)
	}
	b.brought = append(b.brought, one)
	b.bytes += min(one.Raw.SizeBytes, 1<<20)
	if len(b.brought) >= commitCount || b.bytes >= commitBytes {
		return b.flush(ctx)
	}
	return nil
}

// tooLarge sets a message aside. It stays on the server.
func (b *batch) tooLarge(ctx context.Context, m store.Wanted) error {
	b.isReading, b.taken[m.Name] = false, true
	reason := fmt.Sprintf("It is larger than %d MB, the most that is brought in. It stays on the server.", b.w.fleet.MaxMessageBytes>>20)
	return b.w.ledger.Settle(ctx, b.w.fence, []postroom.ArrivalID{m.ID}, postroom.ArrivalQuarantined, reason)
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
