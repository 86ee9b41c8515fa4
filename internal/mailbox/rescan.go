package mailbox

import (
	"context"

	"github.com/postroom/postroom"
)

// A RescanRequest asks for what the server of a mailbox has and the ledger does not.
type RescanRequest struct {
	// DryRun only says what there is.
	DryRun bool
	// Start is an earlier start that the mailbox gets first; nil: it stays.
	Start *postroom.Start
}

// A Rescan is what the server of a mailbox shows, held against its ledger, as it was
// before anything was brought in. Where Fault says why the server's list could not
// be had, the figures mean nothing; where Finished is false, bringing in goes on.
type Rescan struct {
	Known       int64 // on the server, and in the ledger
	Unaccounted int64 // on the server, and not in the ledger
	Gone        int64 // in the ledger, and not on the server any more
	Deleted     int64 // of those known: a person deleted them here; they stay deleted
	BeforeStart int64 // of those known: they are older than the start of the mailbox
	ByContent   bool  // the server's names do not last; messages are told apart by what they hold
	Brought     int64 // brought in, or on their way
	Finished    bool  // whether Brought is known; true for a dry run
	Fault       *postroom.Fault
}

// Rescan says what the server of a mailbox has that is not here, and brings it in
// unless only a dry run is asked for. Nothing is brought in twice, and what a person
// deleted here stays deleted. A dry run is for whoever may see the ledger.
func (d *Desk) Rescan(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, r RescanRequest) (Rescan, error) {
	if !r.DryRun {
		if err := needAdmin(by); err != nil {
			return Rescan{}, err
		}
	}
	m, err := d.ledgerOf(ctx, by, id)
	if err != nil {
		return Rescan{}, err
	}
	earlier, err := d.earlierStart(m, r.Start)
	if err != nil {
		return Rescan{}, err
	}
	c, err := d.compareAnew(ctx, m)
	if err != nil {
		return Rescan{}, err
	}
	found := Rescan{
		Known: c.Known, Unaccounted: int64(len(c.Unaccounted)), Gone: c.Gone, Deleted: c.Deleted, BeforeStart: c.BeforeStart,
		ByContent: c.ByContent, Finished: true, Fault: c.Fault,
	}
	if c.Fault != nil || r.DryRun {
		return found, nil
	}
	if !earlier {
		found.Brought, found.Finished, err = d.bringMissing(ctx, m)
		return found, err
	}
	return d.bringEarlier(ctx, by, m, *r.Start, found)
}

// bringEarlier is bringMissing after the start was moved: what was before the start
// is brought in too.
func (d *Desk) bringEarlier(ctx context.Context, by postroom.Viewer, m postroom.Mailbox, start postroom.Start, found Rescan) (Rescan, error) {
	before, err := d.counts(ctx, m.ID)
	if err != nil {
		return found, err
	}
	if m, err = d.Change(ctx, by, m.ID, func(m *postroom.Mailbox) error { m.Start = start; return nil }, nil); err != nil {
		return found, err
	}
	if found.Brought, found.Finished, err = d.bringMissing(ctx, m); err != nil || !found.Finished {
		return found, err
	}
	now, err := d.counts(ctx, m.ID)
	found.Brought += max(before[postroom.ArrivalBeforeStart]-now[postroom.ArrivalBeforeStart], 0)
	return found, err
}

// earlierStart checks the start of a rescan; earlier is false where it changes
// nothing.
func (d *Desk) earlierStart(m postroom.Mailbox, start *postroom.Start) (earlier bool, err error) {
	if start == nil {
		return false, nil
	}
	wanted := m
	wanted.Start = *start
	if err := d.rules().completeStart(&wanted); err != nil {
		return false, err
	}
	*start = wanted.Start
	if start.Kind != postroom.StartNow && isEarlier(m.Start, *start) {
		return true, nil
	}
	if isSameStart(*start, m.Start) || start.Kind == postroom.StartNow && m.Start.Kind == postroom.StartNow {
		return false, nil
	}
	return false, invalid("start",
		"This mailbox begins earlier than that already.",
		"Choose a day before its start, or all; or leave the start as it is.")
}

// bringMissing has whoever reads m bring in what the ledger does not know. Where
// that takes longer than anybody waits, it goes on, and finished is false.
func (d *Desk) bringMissing(ctx context.Context, m postroom.Mailbox) (brought int64, finished bool, err error) {
	asked, err := d.Store.RequestRescan(ctx, m.ID)
	if err != nil {
		return 0, false, err
	}
	d.wake()
	finished, err = d.await(ctx, m, func() (bool, error) {
		at, n, ok, err := d.Store.LastRescan(ctx, m.ID)
		brought = n
		return ok && !at.Before(asked), err
	})
	if !finished {
		brought = 0
	}
	return brought, finished, err
}
