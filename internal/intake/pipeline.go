package intake

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// ledger is what a Pipeline asks of the database.
type ledger interface {
	ReadyArrivals(ctx context.Context, node postroom.NodeID, after postroom.ArrivalID, limit int) ([]store.Ready, error)
	OpenRaw(ctx context.Context, id postroom.RawID) (io.ReadCloser, error)
	File(ctx context.Context, f store.Filing) (store.Filed, error)
	Settle(ctx context.Context, f store.Fence, ids []postroom.ArrivalID, state postroom.ArrivalState, reason string) error
	RecordFailedTry(ctx context.Context, f store.Fence, id postroom.ArrivalID, reason string, next time.Time, limit int) (bool, error)
}

// A Pipeline files the arrivals of the mailboxes that its node reads. Because one
// node reads a mailbox, and the fence holds others off, what is under way need not
// be written down: after a crash it is found waiting again.
type Pipeline struct {
	Ledger ledger
	Node   postroom.NodeID
	// Nudge says that there may be new arrivals.
	Nudge <-chan struct{}
	// IsOwn says of a mail, by its header, that this Postroom wrote it to the people who
	// look after it: that never becomes an issue. Nil: no mail is.
	IsOwn func(mime.Header) bool
	// Filed hears of every arrival that was settled; nil: nobody does.
	Filed func(store.Filed)
	// Workers is how many mails are understood and filed side by side; 0: 24 for
	// each processor. They wait together, so that their commits join.
	Workers int
	Log     *slog.Logger

	mu        sync.Mutex
	active    map[postroom.ArrivalID]bool
	restUntil time.Time // the database takes nothing; zero: it does
}

const (
	readyAtOnce = 256
	maxTries    = 5 // of filing one mail; then it is quarantined with its bytes
)

// retry is how long a mail waits that could not be filed.
var retry = work.Delay{First: time.Second, Max: 5 * time.Minute, Factor: 4}

// Run files what waits until ctx ends, then lets what is under way come to its end.
func (p *Pipeline) Run(ctx context.Context) error {
	p.active = make(map[postroom.ArrivalID]bool)
	if p.Workers == 0 {
		p.Workers = 24 * runtime.GOMAXPROCS(0)
	}
	if p.Filed == nil {
		p.Filed = func(store.Filed) {}
	}
	if p.Log == nil {
		p.Log = slog.New(slog.DiscardHandler)
	}
	jobs := make(chan store.Ready)
	var workers sync.WaitGroup
	for range p.Workers {
		workers.Go(func() {
			for r := range jobs {
				p.handle(ctx, r)
			}
		})
	}
	loop := work.Loop{Name: "intake", Turn: func(ctx context.Context) (int, time.Time, error) {
		n, err := p.turn(ctx, jobs)
		return n, time.Time{}, err
	}, Nudge: p.Nudge, Interval: time.Second, Log: p.Log}
	err := loop.Run(ctx)
	close(jobs)
	workers.Wait()
	return err
}

// turn hands out what is ready and not under way yet, in the order of arrival.
func (p *Pipeline) turn(ctx context.Context, jobs chan<- store.Ready) (did int, err error) {
	var after postroom.ArrivalID
	for !p.rests() {
		ready, err := p.Ledger.ReadyArrivals(ctx, p.Node, after, readyAtOnce)
		if err != nil || len(ready) == 0 {
			return did, err
		}
		for _, r := range ready {
			after = r.ID
			if p.rests() {
				return did, nil
			}
			if !p.begin(r.ID) {
				continue
			}
			select {
			case jobs <- r:
				did++
			case <-ctx.Done():
				p.end(r.ID)
				return did, nil
			}
		}
	}
	return did, nil
}

// begin marks an arrival as under way; false: it is already.
func (p *Pipeline) begin(id postroom.ArrivalID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.active[id] {
		return false
	}
	p.active[id] = true
	return true
}

func (p *Pipeline) end(id postroom.ArrivalID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.active, id)
}

// handle files one arrival. What cannot be filed is tried again later, and set
// aside with the reason in the end: it never holds up another.
func (p *Pipeline) handle(ctx context.Context, r store.Ready) {
	defer p.end(r.ID)
	filed, err := p.file(ctx, r)
	if err == nil {
		if filed.State != "" {
			p.Filed(filed)
		}
		return
	}
	if ctx.Err() != nil || errors.Is(err, store.ErrFenced) { // another node files it
		return
	}
	if store.IsTrouble(err) || errors.Is(err, context.DeadlineExceeded) { // which is not the mail's fault
		p.rest(ctx, err)
		return
	}
	p.Log.ErrorContext(ctx, "cannot file a mail", "arrival", r.ID, "mailbox", r.Fence.Mailbox, "tries", r.Tries+1, "err", err)
	reason := "This mail could not be filed: " + err.Error()
	if _, err := p.Ledger.RecordFailedTry(ctx, r.Fence, r.ID, reason, time.Now().Add(retry.After(r.Tries+1)), maxTries); err != nil {
		p.rest(ctx, err)
	}
}

// restFor is how long nothing is filed after the database took nothing.
const restFor = 5 * time.Second

// rest keeps all from being tried again at once while the database takes nothing,
// because its disk is full for instance. What waits goes on waiting, and no try of it
// is counted. The log is told once for each rest: it may be on the same disk.
func (p *Pipeline) rest(ctx context.Context, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if now := time.Now(); !now.Before(p.restUntil) {
		p.restUntil = now.Add(restFor)
		p.Log.WarnContext(ctx, "the database takes nothing; filing rests", "for", restFor, "err", err)
	}
}

func (p *Pipeline) rests() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.restUntil)
}

// file understands one mail and commits it. A mail that makes us panic costs
// itself its parts, not the process its life: it is filed with its raw message and
// a note.
func (p *Pipeline) file(ctx context.Context, r store.Ready) (store.Filed, error) {
	u, size, err := p.understand(ctx, r)
	if err != nil {
		return store.Filed{}, err
	}
	if p.IsOwn != nil && p.IsOwn(u.Header) {
		return p.leaveOut(ctx, r)
	}
	filed, broke, err := p.enter(ctx, r, u, size)
	if broke {
		filed, _, err = p.enter(ctx, r, unreadable(r.Raw), size)
	}
	return filed, err
}

// leaveOut settles a notice of our own. It has its line in the ledger, its bytes, and
// what is to be done with it on the server, as any other mail.
func (p *Pipeline) leaveOut(ctx context.Context, r store.Ready) (store.Filed, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	err := p.Ledger.Settle(ctx, r.Fence, []postroom.ArrivalID{r.ID}, postroom.ArrivalIgnored, "A notice of this Postroom.")
	if err != nil {
		return store.Filed{}, err
	}
	return store.Filed{State: postroom.ArrivalIgnored, SeenAt: r.SeenAt, Mailbox: r.Fence.Mailbox, Due: true}, nil
}

func (p *Pipeline) enter(ctx context.Context, r store.Ready, u Understanding, size int64) (filed store.Filed, broke bool, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			p.Log.ErrorContext(ctx, "a mail broke what files it", "arrival", r.ID, "cause", fmt.Sprint(cause))
			broke, err = true, fmt.Errorf("a mistake in Postroom itself: %v", cause)
		}
	}()
	received := receivedAt(u.Mail, r)
	f := store.Filing{
		Fence: r.Fence, Arrival: r.ID, Raw: r.Raw, SizeBytes: size, Mail: u.Mail,
		Ancestors: Ancestors(u.Mail), Words: wordsOf(u.Mail), At: received,
		Historic: !r.ProvenAt.IsZero() && received.Before(r.ProvenAt.Truncate(time.Second)),
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	filed, err = p.Ledger.File(ctx, f)
	return filed, false, err
}

func (p *Pipeline) understand(ctx context.Context, r store.Ready) (u Understanding, size int64, err error) {
	body, err := p.Ledger.OpenRaw(ctx, r.Raw)
	if err != nil {
		return u, 0, err
	}
	defer body.Close()
	counted := &counter{r: body}
	defer func() {
		if cause := recover(); cause != nil {
			p.Log.ErrorContext(ctx, "a mail broke its reader", "arrival", r.ID, "cause", fmt.Sprint(cause))
			u, err = unreadable(r.Raw), nil
			size = counted.n
		}
	}()
	u, err = Understand(counted)
	return u, counted.n, err
}

// receivedAt is when a mail came to the mailbox: as the server dates it, else as
// the last server on the way did, else when its name was seen. The future is no
// such instant.
func receivedAt(m postroom.Mail, r store.Ready) time.Time {
	for _, at := range []time.Time{r.InternalDate, m.Received, r.SeenAt} {
		if !at.IsZero() && at.Year() > 1980 && !at.After(r.SeenAt.Add(time.Hour)) {
			return at
		}
	}
	return r.SeenAt
}

// wordsOf is what the entry of a mail is found by.
func wordsOf(m postroom.Mail) string {
	var b strings.Builder
	add := func(text string) {
		b.WriteString(text)
		b.WriteByte('\n')
	}
	add(m.Subject)
	for _, people := range [][]postroom.Address{m.From, m.ReplyTo, m.To, m.Cc} {
		for _, a := range people {
			add(a.Name)
			add(a.Address)
		}
	}
	for _, a := range m.Attachments {
		add(a.Name)
	}
	if m.Text != "" {
		add(m.Text)
	} else {
		add(TextOfHTML(m.HTML))
	}
	return b.String()
}

type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}
