package fetch

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// dues is what a reader asks of the database about what is still to be done with
// messages on the server, now that they are here.
type dues interface {
	DueActions(ctx context.Context, n postroom.NumberingID, limit int) ([]store.Due, error)
	NextDue(ctx context.Context, n postroom.NumberingID) (next time.Time, ok bool, err error)
	RecordCopied(ctx context.Context, f store.Fence, ids []postroom.ArrivalID) error
	RecordDone(ctx context.Context, f store.Fence, ids []postroom.ArrivalID, how string) error
	RecordUndone(ctx context.Context, f store.Fence, ids []postroom.ArrivalID, reason string, next time.Time) error
}

// actAtOnce is how many messages are acted upon before new mail has its turn again.
const actAtOnce = 200

// done is commit 3: the server has said that it did it, or there was nothing to do
// it with. A request to stop does not interrupt it.
func (w *watch) done(ctx context.Context, due []store.Due, how string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), graceToStop)
	defer cancel()
	return w.ledger.RecordDone(ctx, w.fence, idsOf(due), how)
}

// putOff keeps actions due that could not be done, and tells the mailbox why.
func (w *watch) putOff(ctx context.Context, f *folder, due []store.Due, cause error) error {
	if len(due) == 0 {
		return nil
	}
	tries := 0
	for _, d := range due {
		tries = max(tries, d.Tries)
	}
	f.undone = w.notDone(due[0], cause)
	reason := f.undone.Explanation
	if f.undone.Reply != "" {
		reason += " The server says: " + f.undone.Reply
	}
	pauses := work.Delay{First: w.fleet.FirstRetry, Max: longestPutOff, Factor: 5}
	return w.ledger.RecordUndone(ctx, w.fence, idsOf(due), reason, time.Now().Add(pauses.After(tries+1)))
}

// longestPutOff is the longest pause between two tries of what could not be done.
const longestPutOff = 6 * time.Hour

// notDone is the Fault for an action that the server did not carry out. Reading
// goes on meanwhile.
func (w *watch) notDone(d store.Due, cause error) *postroom.Fault {
	what := "marked as read"
	switch d.Action {
	case postroom.AfterImportMove:
		what = "moved to “" + d.Folder + "”"
	case postroom.AfterImportDelete:
		what = "deleted"
	}
	fault := &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByMailboxAdmin,
		Explanation: "New mail is brought in, but what was brought in cannot be " + what + " on the server.",
		Remedy:      "Postroom tries again by itself. If this lasts, give the account the right to change its mail there, or choose that mail is kept untouched.",
		Err:         cause,
	}
	if _, refused := mail.RefusalOf(cause); !refused {
		fault.Explanation = strings.TrimSuffix(fault.Explanation, ".") + ": " + cause.Error() + "."
		return fault
	}
	if explained := w.fleet.Explain(cause, w.m, w.login); explained != nil {
		fault.Class, fault.Reply, fault.RetryAfter = explained.Class, explained.Reply, explained.RetryAfter
		if explained.Kind == postroom.NeedsRepair {
			fault.Kind = postroom.NeedsRepair
		}
	}
	return fault
}

// undone is what could not be done in any folder; nil: everything could.
func (w *watch) undone() error {
	var all []error
	for _, f := range w.numberings {
		if f.undone != nil {
			all = append(all, f.undone)
		}
	}
	return errors.Join(all...)
}

// isDone forgets what could not be done in a folder once nothing is due there.
func (w *watch) isDone(ctx context.Context, f *folder) error {
	if f.undone == nil {
		return nil
	}
	_, more, err := w.ledger.NextDue(ctx, f.ID)
	if err == nil && !more {
		f.undone = nil
	}
	return err
}

func idsOf(due []store.Due) []postroom.ArrivalID {
	ids := make([]postroom.ArrivalID, len(due))
	for i, d := range due {
		ids[i] = d.Arrival
	}
	return ids
}
