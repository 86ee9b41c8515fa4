package mailbox

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom"
)

// An Action is something that is done with many mailboxes at once.
type Action string

// What can be done with many mailboxes.
const (
	ActionPause  Action = "pause"
	ActionResume Action = "resume"
	ActionTest   Action = "test"
	ActionChange Action = "change" // their settings
)

const (
	// MaxBulk is how many mailboxes one call can name.
	MaxBulk = 500
	// testsAtOnce is how many mailboxes of one call are tested at the same time.
	testsAtOnce = 8
	// testsLast is how long the tests of one call may take together. Those that have
	// not begun by then are not made.
	testsLast = 90 * time.Second
)

// A BulkResult is what became of one of many mailboxes.
type BulkResult struct {
	ID     postroom.MailboxID
	Report Report // of ActionTest
	Err    error  // why it was not done; nil when it was
}

// Bulk does the same with each of many mailboxes: one that fails keeps no other from
// being done. change is for ActionChange, and must be safe for repeated use. A test
// that fails is no error but a report. The results are in the order of ids, each id
// once.
func (d *Desk) Bulk(ctx context.Context, by postroom.Viewer, ids []postroom.MailboxID, action Action, change func(*postroom.Mailbox) error) ([]BulkResult, error) {
	if err := needAdmin(by); err != nil {
		return nil, err
	}
	results := make([]BulkResult, 0, min(len(ids), MaxBulk))
	for _, id := range ids {
		if !slices.ContainsFunc(results, func(r BulkResult) bool { return r.ID == id }) {
			results = append(results, BulkResult{ID: id})
		}
		if len(results) > MaxBulk {
			return nil, invalid("mailboxes",
				fmt.Sprintf("More than %d mailboxes at once are too many.", MaxBulk), "Choose fewer, and the others in a second turn.")
		}
	}
	if len(results) == 0 {
		return nil, invalid("mailboxes", "No mailbox is named.", "Choose at least one.")
	}
	var do func(*BulkResult) error
	switch action {
	case ActionPause:
		do = func(r *BulkResult) error { return d.Pause(ctx, by, r.ID) }
	case ActionResume:
		do = func(r *BulkResult) error { return d.Resume(ctx, by, r.ID) }
	case ActionTest:
		d.testAll(ctx, by, results)
		return results, ctx.Err()
	case ActionChange:
		do = func(r *BulkResult) error {
			_, err := d.Change(ctx, by, r.ID, change, nil)
			return err
		}
	default:
		return nil, invalid("action", quote(string(action))+" is nothing that can be done with many mailboxes.", "Choose pause, resume, test or change.")
	}
	for i := range results {
		results[i].Err = do(&results[i])
	}
	return results, ctx.Err()
}

// testAll tests mailboxes side by side, a few at a time.
func (d *Desk) testAll(ctx context.Context, by postroom.Viewer, results []BulkResult) {
	until := time.Now().Add(testsLast)
	ctx, cancel := context.WithDeadline(ctx, until)
	defer cancel()
	var tests errgroup.Group
	tests.SetLimit(testsAtOnce)
	for i := range results {
		tests.Go(func() error {
			r := &results[i]
			if ctx.Err() != nil {
				r.Err = notTested()
				return nil
			}
			r.Report, r.Err = d.TestSaved(ctx, by, r.ID, TestOptions{})
			return nil
		})
	}
	_ = tests.Wait() // each has its own result
}

func notTested() error {
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByUser,
		Explanation: "This mailbox was not tested, because the tests before it took too long.",
		Remedy:      "Test it alone, or with fewer others.",
	}
}
