// Package fetch keeps every active mailbox read: each message that a server shows
// becomes an arrival, with its bytes.
package fetch

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// ledger is what a Fleet asks of the database about the mailboxes it owns.
type ledger interface {
	Heartbeat(ctx context.Context, id postroom.NodeID, dead time.Duration) error
	TakeLeases(ctx context.Context, id postroom.NodeID) (surplus int, err error)
	GiveUpLeases(ctx context.Context, fences []store.Fence) error
	OwnedMailboxes(ctx context.Context, id postroom.NodeID) ([]store.Owned, error)
	MailboxesChangedAfter(ctx context.Context, position int64) (changed []postroom.MailboxID, last int64, err error)
	RequestedComparisons(ctx context.Context, id postroom.NodeID) ([]postroom.MailboxID, error)
	transcripts
	mailboxLedger
}

// A Fleet has one goroutine for each mailbox of this node. Run starts them and
// waits for them.
type Fleet struct {
	Ledger ledger
	Node   postroom.NodeID
	// Alone says that no other node can share the database: there is no heartbeat.
	Alone bool
	// Login returns what opens a mailbox, and whether it has done so before.
	Login func(ctx context.Context, m postroom.Mailbox) (Login, error)
	// Renew returns another access token for a mailbox of which the server has refused
	// the one of refused. It is asked once for a try. Nil: there are none.
	Renew func(ctx context.Context, m postroom.Mailbox, refused Login) (Login, error)
	// Opened hears of every sign-in that a server took; nil: nobody does.
	Opened func(ctx context.Context, m postroom.Mailbox)
	// Prefer keeps the form of a secret that has opened a mailbox in place of the one
	// that was refused. It is needed where Login knows another form.
	Prefer func(ctx context.Context, id postroom.MailboxID, was, is postroom.Secret) error
	// Explain turns what went wrong with a mailbox into a Fault; nil: nothing did.
	Explain func(err error, m postroom.Mailbox, l Login) *postroom.Fault
	// TopReceived reads the instant of the topmost Received field of a header.
	TopReceived func(header []byte) time.Time
	// Arrived is called after bytes have been recorded. It is a nudge.
	Arrived func()
	// Wake says "look now" at what people have changed. It is a nudge.
	Wake <-chan struct{}
	// Hold says what keeps this node from taking in more mail: a Fault with the words
	// for every mailbox. Nil, or a nil Fault: nothing does.
	Hold func() *postroom.Fault
	// Step hears of every point between two steps on a server; nil: nobody does.
	Step func(point string)
	// Troubled hears of every fault; nil: nobody does.
	Troubled func(*postroom.Fault)

	MaxMessageBytes int64         // 0: 256 MB; a larger message is quarantined
	IdleAtMost      time.Duration // 0: 9 minutes; IDLE is issued again after this
	CommandTimeout  time.Duration // 0: 30 seconds without an answer
	DeadAfter       time.Duration // 0: 6 seconds; a node without a heartbeat is dead
	FirstRetry      time.Duration // 0: a minute; between two tries of one message
	SeatHold        time.Duration // 0: 15 seconds; a mailbox's turn, where a server takes fewer connections than there are mailboxes
	Retry           work.Delay    // zero: from 5 seconds to 15 minutes; between tries of a server in trouble
	Log             *slog.Logger

	gate    work.Gate  // connections being opened
	seats   work.Seats // connections that are open
	servers servers
	mu      sync.Mutex // held to change readers, and to look there from elsewhere
	readers map[postroom.MailboxID]*running
	ears    map[postroom.MailboxID]*ear // who wants to hear a dialogue
}

// running is a reader and its end.
type running struct {
	*reader
	stop context.CancelFunc
	done chan struct{}
}

const (
	defaultMaxMessage = 256 << 20
	defaultIdle       = 9 * time.Minute
	defaultDeadAfter  = 6 * time.Second
	lookInterval      = time.Second
	reconcileInterval = 30 * time.Second
)

// Run reads mailboxes until ctx ends; then it stops every reader and waits for it.
func (f *Fleet) Run(ctx context.Context) error {
	f.withDefaults()
	parts, ctx := errgroup.WithContext(ctx)
	if !f.Alone {
		parts.Go(func() error { return f.beat(ctx) })
	}
	parts.Go(func() error { return f.lookAfter(ctx) })
	return parts.Wait()
}

// lookAfter keeps the readers in step with what this node owns.
func (f *Fleet) lookAfter(ctx context.Context) error {
	defer f.endAll(ctx)
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	var position int64 = -1
	var reconciled time.Time
	for {
		var err error
		if position, err = f.look(ctx, position, &reconciled); err != nil && ctx.Err() == nil {
			f.Log.ErrorContext(ctx, "cannot look after mailboxes", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-f.Wake:
		}
	}
}

func (f *Fleet) withDefaults() {
	f.mu.Lock()
	f.readers = make(map[postroom.MailboxID]*running)
	f.mu.Unlock()
	f.seats = work.Seats{Hold: f.SeatHold}
	f.gate = work.Gate{Total: 32, PerKey: 8, Spread: 200 * time.Millisecond}
	if f.MaxMessageBytes == 0 {
		f.MaxMessageBytes = defaultMaxMessage
	}
	if f.IdleAtMost == 0 {
		f.IdleAtMost = defaultIdle
	}
	if f.CommandTimeout == 0 {
		f.CommandTimeout = imap.DefaultCommandTimeout
	}
	if f.DeadAfter == 0 {
		f.DeadAfter = defaultDeadAfter
	}
	if f.FirstRetry == 0 {
		f.FirstRetry = time.Minute
	}
	if f.Retry.First == 0 {
		f.Retry = work.Delay{First: 5 * time.Second, Max: 15 * time.Minute, Factor: 2.5}
	}
	if f.Troubled == nil {
		f.Troubled = func(*postroom.Fault) {}
	}
	if f.Opened == nil {
		f.Opened = func(context.Context, postroom.Mailbox) {}
	}
	if f.Log == nil {
		f.Log = slog.New(slog.DiscardHandler)
	}
}

func (f *Fleet) step(point string) {
	if f.Step != nil {
		f.Step(point)
	}
}

// look is one turn: the fair share, what people have changed, who wants to compare.
func (f *Fleet) look(ctx context.Context, position int64, reconciled *time.Time) (int64, error) {
	surplus, err := f.Ledger.TakeLeases(ctx, f.Node)
	if err != nil {
		return position, err
	}
	changed, last, err := f.Ledger.MailboxesChangedAfter(ctx, position)
	if err != nil {
		return position, err
	}
	if len(changed) > 0 || surplus != 0 || f.hasEnded() || time.Since(*reconciled) > reconcileInterval {
		if err := f.reconcile(ctx, surplus); err != nil {
			return position, err
		}
		*reconciled = time.Now()
	}
	for _, id := range changed {
		if r := f.readers[id]; r != nil {
			r.nudge()
		}
	}
	if err := f.compareRequested(ctx); err != nil {
		return last, err
	}
	return last, f.listen(ctx)
}

// reconcile starts the readers that should run and stops those that should not,
// or that know older settings.
func (f *Fleet) reconcile(ctx context.Context, surplus int) error {
	owned, err := f.Ledger.OwnedMailboxes(ctx, f.Node)
	if err != nil {
		return err
	}
	if surplus > 0 && surplus <= len(owned) {
		if err := f.giveUp(ctx, owned[len(owned)-surplus:]); err != nil {
			return err
		}
		owned = owned[:len(owned)-surplus]
	}
	wanted := make(map[postroom.MailboxID]store.Owned, len(owned))
	for _, o := range owned {
		if o.State != postroom.MailboxPaused {
			wanted[o.Fence.Mailbox] = o
		}
	}
	var over []*running
	for id, r := range f.readers {
		o, ok := wanted[id]
		if !ok || r.fence != o.Fence || r.version != o.Version || r.ended() {
			over = append(over, r)
		}
	}
	f.stop(over)
	for _, o := range owned { // those with the newest mail first
		if _, ok := wanted[o.Fence.Mailbox]; ok && f.readers[o.Fence.Mailbox] == nil {
			f.start(ctx, o)
		}
	}
	return nil
}

func (f *Fleet) giveUp(ctx context.Context, owned []store.Owned) error {
	fences := make([]store.Fence, 0, len(owned))
	var over []*running
	for _, o := range owned {
		if r := f.readers[o.Fence.Mailbox]; r != nil {
			over = append(over, r)
		}
		fences = append(fences, o.Fence)
	}
	f.stop(over)
	return f.Ledger.GiveUpLeases(ctx, fences)
}

func (f *Fleet) start(ctx context.Context, o store.Owned) {
	ctx, cancel := context.WithCancel(ctx)
	r := &running{
		reader: &reader{fleet: f, ledger: f.Ledger, fence: o.Fence, version: o.Version, failures: o.Failures, wake: make(chan struct{}, 1), visiting: make(chan struct{}, 1)},
		stop:   cancel,
		done:   make(chan struct{}),
	}
	if o.State != postroom.MailboxActive {
		r.nextTry = o.NextTryAt
	}
	r.refused = o.State == postroom.MailboxNeedsSignIn
	r.stopped = o.State == postroom.MailboxNeedsSignIn && o.NextTryAt.IsZero()
	f.mu.Lock()
	f.readers[o.Fence.Mailbox] = r
	f.mu.Unlock()
	go func() {
		defer close(r.done)
		r.run(ctx)
	}()
}

// stop ends readers, all at once, and waits for each.
func (f *Fleet) stop(readers []*running) {
	for _, r := range readers {
		r.stop()
	}
	for _, r := range readers {
		<-r.done
		f.mu.Lock()
		delete(f.readers, r.fence.Mailbox)
		f.mu.Unlock()
	}
}

// Nudge has the reader of a mailbox look whether there is something to do. It does
// nothing where the mailbox is not read here.
func (f *Fleet) Nudge(id postroom.MailboxID) {
	f.mu.Lock()
	r := f.readers[id]
	f.mu.Unlock()
	if r != nil {
		r.nudge()
	}
}

// endAll stops all readers, and keeps what was heard of their last words.
func (f *Fleet) endAll(ctx context.Context) {
	f.stop(slices.Collect(maps.Values(f.readers)))
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	if err := f.keepTranscripts(ctx); err != nil {
		f.Log.ErrorContext(ctx, "cannot keep a transcript", "err", err)
	}
}

// hasEnded says whether a reader has ended by itself: its mailbox is another's, or
// its settings are old.
func (f *Fleet) hasEnded() bool {
	for _, r := range f.readers {
		if r.ended() {
			return true
		}
	}
	return false
}

func (r *running) ended() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// compareRequested passes on who wants a mailbox compared. Where nobody reads it,
// the answer is why.
func (f *Fleet) compareRequested(ctx context.Context) error {
	ids, err := f.Ledger.RequestedComparisons(ctx, f.Node)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if r := f.readers[id]; r != nil {
			r.askToCompare() // one that has ended is about to have a successor, which will be asked
			continue
		}
		if err := f.answerUnread(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

func (f *Fleet) answerUnread(ctx context.Context, id postroom.MailboxID) error {
	owned, err := f.Ledger.OwnedMailboxes(ctx, f.Node)
	if err != nil {
		return err
	}
	for _, o := range owned {
		if o.Fence.Mailbox != id || o.State != postroom.MailboxPaused {
			continue
		}
		fault := &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "This mailbox is paused, so its server is not asked.",
			Remedy:      "Resume the mailbox to compare it with the server.",
		}
		r := &reader{ledger: f.Ledger, fence: o.Fence}
		return r.answer(ctx, store.Comparison{Fault: fault})
	}
	return nil
}
