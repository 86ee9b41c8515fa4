package alert

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
)

// A way is something that notices may leave by.
type way struct {
	name string // what people call it: an address, or a host
	from string // the sender's address
	send func(ctx context.Context, l mime.Letter) (smtp.Fate, *postroom.Fault)
}

// maxWays is how many mailboxes one try goes through.
const maxWays = 3

// ways lists what a notice may leave by: the relay, then mailboxes that work, those last
// that have refused lately. A mailbox that the alert itself is about comes only where
// there is no other.
func (d *Desk) ways(ctx context.Context, about postroom.AlertID) ([]way, error) {
	var ways []way
	k, ok, err := d.keptRelay(ctx)
	if err != nil {
		return nil, err
	}
	if ok {
		ways = append(ways, way{k.Host, k.From, func(ctx context.Context, l mime.Letter) (smtp.Fate, *postroom.Fault) {
			return d.sendByRelay(ctx, k, l)
		}})
	}
	if d.SendBy == nil {
		return ways, nil
	}
	mailboxes, err := d.senders(ctx, about)
	if err != nil {
		return nil, err
	}
	for _, m := range mailboxes {
		ways = append(ways, way{m.Address, m.Address, func(ctx context.Context, l mime.Letter) (smtp.Fate, *postroom.Fault) {
			fate, err := d.SendBy(ctx, m.ID, l)
			if err == nil || fate.Outcome == smtp.Sent {
				return fate, nil
			}
			return fate, ownFault(err)
		}})
	}
	now, err := d.now(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortStableFunc(ways, func(a, b way) int { return d.rests.compare(a.name, b.name, now) })
	return ways[:min(len(ways), maxWays+1)], nil
}

// senders are mailboxes that a notice may leave by, more than one try goes through, so
// that there are others while some rest.
func (d *Desk) senders(ctx context.Context, about postroom.AlertID) ([]postroom.Mailbox, error) {
	concerned := make(map[postroom.MailboxID]bool)
	if about != 0 {
		named, err := d.Store.AlertedMailboxes(ctx, about)
		if err != nil {
			return nil, err
		}
		for _, m := range named {
			concerned[m.ID] = true
		}
	}
	mailboxes, err := d.Store.MailboxesThatSend(ctx, 4*maxWays, concerned)
	if err != nil || len(mailboxes) > 0 || len(concerned) == 0 {
		return mailboxes, err
	}
	return d.Store.MailboxesThatSend(ctx, maxWays, nil)
}

// hasWay says whether there is anything that notices may leave by.
func (d *Desk) hasWay(ctx context.Context) (bool, error) {
	ways, err := d.ways(ctx, 0)
	return len(ways) > 0, err
}

// restFor is how long a way that failed comes after all others.
const restFor = 10 * time.Minute

// rests remember which ways have failed lately: of many notices, each would otherwise
// wait for the same server that does not answer. The zero rests are ready.
type rests struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// rest keeps a way from being tried first. What was wrong with the recipient is not the
// way's fault.
func (r *rests) rest(name string, f *postroom.Fault, now time.Time) {
	if f != nil && (f.Class == postroom.RecipientRejected || errors.Is(f.Err, context.Canceled)) {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.until == nil || len(r.until) > 1000 {
		r.until = make(map[string]time.Time)
	}
	r.until[name] = now.Add(restFor)
}

func (r *rests) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.until = nil
}

// compare puts what rests behind what does not, and else keeps the order.
func (r *rests) compare(a, b string, now time.Time) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	restsA, restsB := r.until[a].After(now), r.until[b].After(now)
	switch {
	case restsA == restsB:
		return 0
	case restsA:
		return 1
	}
	return -1
}
