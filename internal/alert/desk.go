// Package alert tells the right person that something needs them, once per cause.
package alert

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
	"github.com/postroom/postroom/internal/work"
)

// A Desk knows what needs a person, and tells them: on the pages, and by mail of its
// own, which is called a notice. All that it knows is in the database; of several nodes
// that look, one writes down what they found.
type Desk struct {
	Store *store.DB
	Ring  *vault.Ring
	// Base is the address under which people reach the pages, without a slash at its
	// end; empty: nobody has said, and notices name no page.
	Base string
	// Ahead lists what is known to end. Nil: nothing is.
	Ahead func(ctx context.Context) ([]postroom.Expiry, error)
	// Space says why no mail is read for lack of room, or that it is running low; nil
	// where there is enough, and where nobody looks.
	Space func() *postroom.Fault
	// SendBy hands a letter to the outgoing server of a mailbox, whose address the
	// letter is from. The error is nil when it was sent, else a Fault. Nil: notices leave
	// by the relay only.
	SendBy func(ctx context.Context, id postroom.MailboxID, l mime.Letter) (smtp.Fate, error)
	// AllowPlaintext lets the relay be another computer that is reached without
	// encryption.
	AllowPlaintext bool
	// Now is the time; nil: the database's clock.
	Now func() time.Time
	Log *slog.Logger

	watch  watch        // of the goroutine that looks
	took   atomic.Int64 // how long the last look took, in nanoseconds
	looked atomic.Int64 // when a look came to its end, in microseconds since 1970; 0: none has

	relayWait time.Duration // how long the relay may take for one letter; 0: relayTimeout

	mu    sync.Mutex
	post  chan struct{} // nudges whoever sends; made by the first who needs it
	rests rests
}

// How often is looked where nothing has happened, and how soon after something has.
const (
	lookEvery = 5 * time.Second
	lookAfter = 500 * time.Millisecond
	sendEvery = 30 * time.Second
	// lookWithin is how long nobody may have looked: whoever watches from elsewhere is
	// the only one who can tell of that.
	lookWithin = 2 * time.Minute
)

// Run raises, reminds and ends alerts and sends notices until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	d.looked.Store(time.Now().UnixMicro())
	news := make(chan struct{}, 1)
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error {
		d.hear(ctx, news)
		return nil
	})
	parts.Go(func() error {
		look := work.Loop{Name: "alerts", Turn: d.turn, Nudge: news, Interval: lookEvery, Log: d.Log}
		return look.Run(ctx)
	})
	parts.Go(func() error {
		send := work.Loop{Name: "notices", Turn: d.sendDue, Nudge: d.posted(), Interval: sendEvery, Log: d.Log}
		return send.Run(ctx)
	})
	return parts.Wait()
}

// hear passes on that something has happened, at most twice a second, because a backlog
// that is being read makes an event of every mail; and so that looking takes a twentieth
// of the time at most, also where ten thousand mailboxes are in trouble.
func (d *Desk) hear(ctx context.Context, news chan<- struct{}) {
	changed := d.Store.Changed()
	for {
		select {
		case <-ctx.Done():
			return
		case <-changed:
		}
		changed = d.Store.Changed() // before the look, so that nothing that comes during it is missed
		work.Ring(news)
		select {
		case <-ctx.Done():
			return
		case <-time.After(max(lookAfter, min(20*time.Duration(d.took.Load()), 2*lookEvery))):
		}
	}
}

// posted is what nudges whoever sends.
func (d *Desk) posted() chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.post == nil {
		d.post = make(chan struct{}, 1)
	}
	return d.post
}

// Alive says what keeps this process from telling anybody anything: a database that does
// not answer or takes nothing, or a look that does not come to its end.
func (d *Desk) Alive(ctx context.Context) error {
	if err := d.Store.Ping(ctx); err != nil {
		return err
	}
	if looked := d.looked.Load(); looked != 0 && time.Since(time.UnixMicro(looked)) > lookWithin {
		return errors.New("nobody has looked what needs a person since " + time.UnixMicro(looked).UTC().Format(time.RFC3339))
	}
	return nil
}

func (d *Desk) now(ctx context.Context) (time.Time, error) {
	if d.Now != nil {
		return d.Now(), nil
	}
	return d.Store.Now(ctx)
}

func needAdmin(by postroom.Viewer) error {
	if by.IsAdmin() {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "Who is told when something needs a person is for administrators.",
		Remedy:      "Ask an administrator of Postroom, or use a token with the admin scope.",
	}
}
