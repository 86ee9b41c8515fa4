package alert

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

const (
	// compareEvery is how often a ledger is held against its server where nobody asks
	// for it; compareAtOnce of them at a time, so that ten thousand are through in a day.
	compareEvery  = day
	compareAtOnce = 20
	// ledgersEvery is how often is looked which ledgers do not balance: what was found of
	// each mailbox has to be read for it.
	ledgersEvery = time.Minute
	// A ledger that does not balance is compared again, sooner before somebody is told.
	confirmAfter = 5 * time.Minute
	againAfter   = time.Hour
)

// ledgers are what a watch knows of the ledgers that do not balance.
type ledgers struct {
	lookedAt   time.Time
	unbalanced []store.Unbalanced
	// firstSeen is when each of them was compared when it was seen first. Mail that moves
	// while it is compared can make a ledger look wrong once, hardly twice.
	firstSeen map[postroom.MailboxID]time.Time
	asked     map[postroom.MailboxID]time.Time
}

// findUnbalanced lists the ledgers that do not account for everything, and has ledgers
// compared.
func (l *look) findUnbalanced() error {
	w := &l.watch.ledgers
	if l.now.Sub(w.lookedAt) >= ledgersEvery || l.now.Before(w.lookedAt) {
		if err := l.lookAtLedgers(l.ctx, l.now); err != nil {
			return err
		}
	}
	for _, u := range w.unbalanced {
		c := unbalanced(u)
		c.isOld = !u.ComparedAt.After(w.firstSeen[u.Mailbox])
		l.found = append(l.found, c)
	}
	return nil
}

func (d *Desk) lookAtLedgers(ctx context.Context, now time.Time) error {
	w := &d.watch.ledgers
	list, err := d.Store.UnbalancedLedgers(ctx)
	if err != nil {
		return err
	}
	seen, asked := make(map[postroom.MailboxID]time.Time, len(list)), make(map[postroom.MailboxID]time.Time, len(list))
	for _, u := range list {
		first, known := w.firstSeen[u.Mailbox]
		if !known {
			first = u.ComparedAt
		}
		seen[u.Mailbox], asked[u.Mailbox] = first, w.asked[u.Mailbox]
		pause := confirmAfter
		if u.ComparedAt.After(first) {
			pause = againAfter
		}
		if now.Sub(asked[u.Mailbox]) < pause {
			continue
		}
		asked[u.Mailbox] = now
		if _, err := d.Store.RequestComparison(ctx, u.Mailbox); err != nil {
			return err
		}
	}
	due, err := d.Store.LongNotCompared(ctx, now.Add(-compareEvery), compareAtOnce)
	if err != nil {
		return err
	}
	for _, id := range due {
		if _, err := d.Store.RequestComparison(ctx, id); err != nil {
			return err
		}
	}
	w.unbalanced, w.firstSeen, w.asked, w.lookedAt = list, seen, asked, now
	return nil
}
