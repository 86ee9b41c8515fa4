package mailbox

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A Ledger is what became of every message that the server of a mailbox ever
// showed, and the proof that none is missing.
type Ledger struct {
	Counts map[postroom.ArrivalState]int64 // of every state, current

	// What follows is as of ComparedAt. It is nil, or empty, where Fault says why the
	// server's list could not be had.
	OnServer    *int64 // messages that the server shows
	Gone        *int64 // arrivals that it does not show any more
	Unaccounted []store.UnaccountedName
	Incomplete  []store.IncompleteArrival
	Balanced    *bool
	ByContent   bool // the server's names do not last: messages are told apart by what they hold
	ComparedAt  time.Time
	Fault       *postroom.Fault
}

const (
	comparisonLasts = 5 * time.Second       // an answer as old as this is given again
	comparisonLimit = 20 * time.Second      // how long an active mailbox may take to answer
	troubledLimit   = 4 * time.Second       // and one that is in trouble
	comparisonLook  = 50 * time.Millisecond // between two looks whether the answer is there
	comparisonTries = 3                     // how often it is compared anew because more has arrived meanwhile
)

// Ledger holds the server's own list of a mailbox against its arrivals. The node
// that reads the mailbox does so in its own session; where it cannot, the ledger
// says why and gives the counts alone. A comparison that knew fewer arrivals than
// there are now is made anew, so that the figures can be added up.
func (d *Desk) Ledger(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) (Ledger, error) {
	m, err := d.ledgerOf(ctx, by, id)
	if err != nil {
		return Ledger{}, err
	}
	c, err := d.compare(ctx, m)
	if err != nil {
		return Ledger{}, err
	}
	counts, err := d.counts(ctx, id)
	for try := 0; try < comparisonTries && err == nil && c.Fault == nil && total(counts) != c.Arrivals; try++ {
		if c, err = d.compareAnew(ctx, m); err != nil {
			break
		}
		counts, err = d.counts(ctx, id)
	}
	l := Ledger{Counts: counts, Fault: c.Fault, ComparedAt: c.ComparedAt}
	if err != nil || c.Fault != nil {
		return l, err
	}
	balanced := c.Balanced()
	l.OnServer, l.Gone, l.Balanced = &c.OnServer, &c.Gone, &balanced
	l.Unaccounted, l.Incomplete, l.ByContent = c.Unaccounted, c.Incomplete, c.ByContent
	return l, nil
}

// ledgerOf returns a mailbox whose ledger the one who asks may see.
func (d *Desk) ledgerOf(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) (postroom.Mailbox, error) {
	m, err := d.Store.Mailbox(ctx, id)
	if err != nil {
		return postroom.Mailbox{}, err
	}
	if !by.IsAdmin() && !by.CanSeeMail(m) {
		return postroom.Mailbox{}, &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "This mailbox is not here, or its mail is not for you.",
			Remedy:      "Ask an administrator who may see its mail.",
		}
	}
	return m, nil
}

// counts returns a number for every state.
func (d *Desk) counts(ctx context.Context, id postroom.MailboxID) (map[postroom.ArrivalState]int64, error) {
	counts, err := d.Store.ArrivalCounts(ctx, id)
	if err != nil {
		return nil, err
	}
	for _, s := range postroom.ArrivalStates() {
		counts[s] += 0
	}
	return counts, nil
}

func total(counts map[postroom.ArrivalState]int64) (sum int64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// compare returns a comparison that is fresh, or one with the Fault that says why
// there is none.
func (d *Desk) compare(ctx context.Context, m postroom.Mailbox) (store.Comparison, error) {
	last, ok, err := d.Store.LastComparison(ctx, m.ID)
	if err != nil {
		return store.Comparison{}, err
	}
	now, err := d.Store.Now(ctx)
	if err != nil {
		return store.Comparison{}, err
	}
	isRecent := ok && now.Sub(last.ComparedAt) <= comparisonLasts && last.ComparedAt.After(m.UpdatedAt)
	if isRecent && (last.Fault == nil || last.ComparedAt.After(m.StateSince)) { // no trouble of another state
		return last, nil
	}
	return d.compareAnew(ctx, m)
}

// compareAnew is compare, for those to whom a comparison of a moment ago is too old.
func (d *Desk) compareAnew(ctx context.Context, m postroom.Mailbox) (store.Comparison, error) {
	if d.Unattended || !m.State.IsRead() {
		return store.Comparison{Fault: d.notCompared(m)}, nil
	}
	asked, err := d.Store.RequestComparison(ctx, m.ID)
	if err != nil {
		return store.Comparison{}, err
	}
	d.wake()
	var c store.Comparison
	answered, err := d.await(ctx, m, func() (ok bool, err error) {
		c, ok, err = d.Store.LastComparison(ctx, m.ID)
		return ok && !c.ComparedAt.Before(asked), err
	})
	if err != nil || answered {
		return c, err
	}
	if now, err := d.Store.Mailbox(ctx, m.ID); err == nil {
		m = now
	}
	return store.Comparison{Fault: d.notCompared(m)}, nil
}

// await looks again and again whether whoever reads m has answered, for as long as
// that may take.
func (d *Desk) await(ctx context.Context, m postroom.Mailbox, answered func() (bool, error)) (bool, error) {
	limit := comparisonLimit
	if m.State != postroom.MailboxActive {
		limit = troubledLimit
	}
	until := time.NewTimer(limit)
	defer until.Stop()
	look := time.NewTicker(comparisonLook)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false, ctx.Err()
		case <-until.C:
			return false, nil
		case <-look.C:
			if ok, err := answered(); err != nil || ok {
				return ok, err
			}
		}
	}
}

// notCompared says why the server's list of a mailbox could not be had.
func (d *Desk) notCompared(m postroom.Mailbox) *postroom.Fault {
	f := &postroom.Fault{Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByWaiting}
	switch {
	case m.State == postroom.MailboxPaused:
		f.FixBy = postroom.FixByAppAdmin
		f.Explanation = "This mailbox is paused, so its server was not asked what it has."
		f.Remedy = "Resume the mailbox, then ask for its ledger again."
	case m.Fault != nil:
		return m.Fault
	case d.Unattended:
		f.FixBy = postroom.FixByAppAdmin
		f.Explanation = "Postroom is not running on this data, so the server was not asked what it has."
		f.Remedy = "Start “postroom serve”, then ask for the ledger again."
	case m.State == postroom.MailboxDraft:
		f.Explanation = "This mailbox has not been proven yet, so its server was not asked what it has."
		f.Remedy = "Ask for its ledger again in a moment."
	default:
		f.Explanation = "The server did not give its list of messages in time."
		f.Remedy = "Ask for the ledger again in a minute. If this lasts, look at the state of the mailbox."
	}
	return f
}
