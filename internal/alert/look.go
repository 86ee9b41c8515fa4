package alert

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

const (
	// calm is how long trouble has to be over before its alert has ended: what comes back
	// sooner is the same trouble.
	calm = 10 * time.Minute
	// settled is how long trouble that may pass by itself has to last, and how long after
	// a start it is believed what was written down before: much of it is over at the first
	// try.
	settled = 2 * time.Minute
	// together is how long after the beginning of an alert other mailboxes with the same
	// trouble of their own belong to it. Access tokens live for an hour, so that what ends
	// many grants at once is noticed within little more.
	together = 90 * time.Minute
	// atOnce is how many mailboxes and notices one commit writes down, about, so that
	// others need not wait for it long.
	atOnce = 500
)

// A watch is what the goroutine that looks remembers from look to look. Nothing is lost
// with it: it makes sure that what is told is not over within moments.
type watch struct {
	begun      time.Time // of the first look
	spaceSince time.Time // room has been short; zero: it has not
	ledgers    ledgers
	ahead      []postroom.Expiry
	aheadAt    time.Time // ahead was asked for, with success
	aheadTried time.Time // or without
	swept      time.Time // old alerts were forgotten
}

// turn looks, until nothing is new.
func (d *Desk) turn(ctx context.Context) (did int, next time.Time, err error) {
	began := time.Now()
	more, err := d.look(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	d.took.Store(int64(time.Since(began)))
	d.looked.Store(time.Now().UnixMicro())
	if more {
		did = 1
	}
	return did, time.Time{}, nil
}

// look finds what needs somebody, and writes down what is new. More says that there is
// more to write down, or that somebody else has written meanwhile.
func (d *Desk) look(ctx context.Context) (more bool, err error) {
	now, err := d.now(ctx)
	if err != nil {
		return false, err
	}
	if d.watch.begun.IsZero() {
		d.watch.begun = now
	}
	alerts, version, err := d.Store.OpenAlerts(ctx)
	if err != nil {
		return false, err
	}
	l := &look{Desk: d, ctx: ctx, now: now, changes: store.AlertChanges{Version: version, At: now}}
	if err := l.find(); err != nil {
		return false, err
	}
	for _, a := range l.match(alerts) {
		if err := l.compare(a); err != nil {
			return false, err
		}
	}
	for _, c := range l.found {
		if err := l.raise(c); err != nil {
			return false, err
		}
	}
	if l.changes.IsEmpty() {
		return false, d.sweep(ctx, now)
	}
	done, err := d.Store.ChangeAlerts(ctx, l.changes)
	if err != nil {
		return false, err
	}
	if done && l.tells {
		d.wakeSender()
	}
	return !done || l.more, nil
}

// keptFor is how long alerts are kept after their end.
const keptFor = 180 * day

func (d *Desk) sweep(ctx context.Context, now time.Time) error {
	if now.Sub(d.watch.swept) < day {
		return nil
	}
	d.watch.swept = now
	return d.Store.ForgetAlerts(ctx, now.Add(-keptFor))
}

// A look is one look at everything.
type look struct {
	*Desk
	ctx     context.Context // of the one call that the look is
	now     time.Time
	found   []cause // that have no alert yet
	changes store.AlertChanges
	written int  // mailboxes and notices in changes
	more    bool // there was no room for all
	tells   bool // there are notices in changes
	isShort bool // of room: delays come from that
	isBlind bool // nobody can tell what ends soon
	people  *people
}

// find lists what needs somebody now.
func (l *look) find() error {
	if err := l.findSpace(); err != nil {
		return err
	}
	delay, err := l.Delay(l.ctx)
	if err != nil {
		return err
	}
	troubled, err := l.Store.TroubledMailboxes(l.ctx, l.now.Add(-delay))
	if err != nil {
		return err
	}
	if l.isShort { // every mailbox is delayed for lack of room
		troubled = withoutDelays(troubled)
	}
	l.found = append(l.found, causesOf(troubled, l.mayPass)...)
	aside, err := l.Store.SetAsideNow(l.ctx)
	if err != nil {
		return err
	}
	for _, s := range aside {
		l.found = append(l.found, quarantined(s))
	}
	if err := l.findUnbalanced(); err != nil {
		return err
	}
	l.findAhead()
	return nil
}

// mayPass says of a mailbox's trouble that nobody should be told of it yet. A lost
// sign-in does not pass.
func (l *look) mayPass(t store.TroubledMailbox) bool {
	if t.State == postroom.MailboxNeedsSignIn {
		return false
	}
	return l.now.Sub(t.Since) < settled || l.now.Sub(l.watch.begun) < settled
}

func withoutDelays(troubled []store.TroubledMailbox) []store.TroubledMailbox {
	var rest []store.TroubledMailbox
	for _, t := range troubled {
		if t.State != postroom.MailboxDelayed {
			rest = append(rest, t)
		}
	}
	return rest
}

// findSpace looks whether there is room. A disk that is full for moments, as while
// something is being unpacked, is no alert. One that is only running low delays no mail.
func (l *look) findSpace() error {
	var f *postroom.Fault
	if l.Space != nil {
		f = l.Space()
	}
	if f == nil {
		l.watch.spaceSince = time.Time{}
		return nil
	}
	if l.watch.spaceSince.IsZero() {
		l.watch.spaceSince = l.now
	}
	c := lackOfSpace(*f)
	c.isOld = l.now.Sub(l.watch.spaceSince) < settled/2
	l.isShort = f.Kind == postroom.Delayed
	l.found = append(l.found, c)
	return nil
}

// aheadEvery is how often is asked what ends soon: every mailbox is looked at for it.
const aheadEvery = time.Minute

// findAhead lists what ends soon. What Postroom sees to itself ends only where that has
// not worked, and then it is not said to be prevented. Where nobody can tell, everything
// else is told all the same.
func (l *look) findAhead() {
	if l.Ahead == nil {
		return
	}
	w := &l.watch
	if l.now.Sub(w.aheadTried) >= aheadEvery || l.now.Before(w.aheadTried) {
		w.aheadTried = l.now
		ends, err := l.Ahead(l.ctx)
		if err != nil {
			l.Log.WarnContext(l.ctx, "nobody can tell what ends soon", "err", err)
		} else {
			w.ahead, w.aheadAt = ends, l.now
		}
	}
	l.isBlind = w.aheadAt.IsZero()
	for _, e := range w.ahead {
		if !e.Prevented && isNear(e.At, l.now) {
			l.found = append(l.found, ahead(e))
		}
	}
}
