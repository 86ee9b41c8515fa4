package mailbox

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// earlierAtOnce is how many earlier round trips are cleared away in one go.
const earlierAtOnce = 5

// An ownMail is a mail of a round trip that is to be removed from the server.
type ownMail struct {
	row      store.RoundTrip
	ids      []string                 // the Message-IDs that it may have there
	arrivals []store.RoundTripArrival // where the server has shown it
}

func ownMailOf(row store.RoundTrip, found store.RoundTripFound) ownMail {
	o := ownMail{row: row, ids: []string{row.MessageID}, arrivals: found.Arrivals}
	for _, other := range []string{row.CameAs, found.MessageID} {
		if other != "" && !slices.Contains(o.ids, other) {
			o.ids = append(o.ids, other)
		}
	}
	return o
}

// A cleared is what became of the mails on the server.
type cleared struct {
	folders []string        // in which some were deleted
	trash   bool            // they are in the trash there
	left    *postroom.Fault // why some are there still; nil: none is
	unseen  bool            // what was sent is not shown
}

// clear deletes the issue here and the mail on the server, and what earlier round
// trips have left.
func (t *trip) clear(ctx context.Context) {
	t.clearIssue(ctx)
	since := time.Now()
	t.begin(ctx, RoundTripMail, "On "+t.m.Incoming.Host+", and the copy among what was sent.")
	mails := append([]ownMail{ownMailOf(t.row, t.found)}, t.earlier(ctx)...)
	t.awaitDue(ctx)
	what := t.clearServer(ctx, mails)
	t.row.Removed = what.left == nil
	t.tell(ctx, RoundTripStep{Kind: RoundTripMail, OK: what.left == nil, Took: time.Since(since), Detail: what.words(), Fault: what.left})
	if what.left == nil {
		t.forget(ctx, mails[1:])
	}
}

// lateAtMost is how long a mail is expected that has not come.
const lateAtMost = 24 * time.Hour

// forget notes that nothing is left of earlier round trips, and says so. A mail that
// has not come may still do so.
func (t *trip) forget(ctx context.Context, earlier []ownMail) {
	n := 0
	for _, m := range earlier {
		hasCome := len(m.arrivals) > 0
		if !hasCome && time.Since(m.row.BegunAt) < lateAtMost {
			continue
		}
		if hasCome {
			n++
		}
		m.row.Removed = true
		if err := t.Store.SaveRoundTrip(ctx, m.row, true); err != nil && t.err == nil {
			t.err = err
		}
	}
	switch n {
	case 0:
	case 1:
		t.tell(ctx, RoundTripStep{Kind: RoundTripEarlier, OK: true, Detail: "1 earlier test mail that was left."})
	default:
		t.tell(ctx, RoundTripStep{Kind: RoundTripEarlier, OK: true, Detail: fmt.Sprintf("%d earlier test mails that were left.", n)})
	}
}

// clearIssue deletes the issue that the mail has become.
func (t *trip) clearIssue(ctx context.Context) {
	since := time.Now()
	what, err := t.Store.DeleteRoundTripIssue(ctx, t.by, t.m.ID, t.found.Mail)
	s := RoundTripStep{Kind: RoundTripIssue, OK: err == nil && what != store.RoundTripIssueUsed, Took: time.Since(since)}
	switch {
	case err != nil:
		t.err = err
		return
	case what == store.RoundTripIssueUsed:
		s.Fault = &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: fmt.Sprintf("Issue %d stays: there is more in it than the test mail.", t.found.Number),
			Remedy:      "Delete it yourself if it is not needed.",
		}
	case what == store.RoundTripIssueNone:
		return
	default:
		s.Detail = fmt.Sprintf("Issue %d is deleted. It can be recovered for 30 days.", t.found.Number)
	}
	t.tell(ctx, s)
}

// earlier are the mails that earlier round trips have left, with their issues deleted.
func (t *trip) earlier(ctx context.Context) (mails []ownMail) {
	rows, err := t.Store.LeftRoundTrips(ctx, t.m.ID)
	if err != nil {
		t.err = err
		return nil
	}
	for _, row := range rows[:min(len(rows), earlierAtOnce)] {
		found, err := t.Store.FindRoundTrip(ctx, row)
		if err == nil && found.Mail != 0 {
			_, err = t.Store.DeleteRoundTripIssue(ctx, t.by, t.m.ID, found.Mail)
		}
		if err != nil {
			t.err = err
			return mails
		}
		mails = append(mails, ownMailOf(row, found))
	}
	return mails
}

// dueLimit is how long what is to happen after import may take before it is cleared
// away regardless.
const dueLimit = 10 * time.Second

// awaitDue waits until what is to happen with the mail after import has happened, so
// that nobody else is at it.
func (t *trip) awaitDue(ctx context.Context) {
	until := time.Now().Add(dueLimit)
	look := time.NewTicker(tripLook)
	defer look.Stop()
	for {
		isDue := slices.ContainsFunc(t.found.Arrivals, func(a store.RoundTripArrival) bool { return a.Due })
		if !isDue || time.Now().After(until) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-look.C:
		}
		if found, err := t.Store.FindRoundTrip(ctx, t.row); err == nil && found.Mail != 0 {
			t.found = found
		}
	}
}

// clearServer removes mails from the server: those alone.
func (t *trip) clearServer(ctx context.Context, mails []ownMail) cleared {
	if t.m.Incoming.Protocol == postroom.POP3 {
		return t.clearPOP3(ctx, mails)
	}
	return t.clearIMAP(ctx, mails)
}

func (c cleared) words() string {
	switch {
	case len(c.folders) == 0 && c.left == nil:
		return "It was not there any more."
	case len(c.folders) == 0:
		return ""
	case c.trash:
		return "Moved to the trash there, out of " + strings.Join(c.folders, " and ") + "."
	}
	words := "Deleted in " + strings.Join(c.folders, " and ") + "."
	if c.unseen {
		words += " If the server keeps a copy among what was sent, that stays: POP3 does not show it."
	}
	return words
}

func (c *cleared) took(folder string) {
	if !slices.Contains(c.folders, folder) {
		c.folders = append(c.folders, folder)
	}
}

// leave notes why something stays; the first reason is told.
func (c *cleared) leave(f *postroom.Fault) {
	if c.left == nil {
		c.left = f
	}
}

// staysThere is the Fault of a test mail that cannot be removed from the server.
func staysThere(why string) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "The test mail stays on the server: " + why,
		Remedy:      "It does no harm. Delete it in a mail program if it is in the way.",
	}
}

// couldNotClear is staysThere where something went wrong.
func (t *trip) couldNotClear(err error) *postroom.Fault {
	f := staysThere("it could not be deleted there.")
	if explained := t.Tester.Explainer.Explain(err, t.m, t.in, true); explained != nil {
		f.Class, f.Reply = explained.Class, explained.Reply
		f.Explanation = "The test mail stays on the server. " + explained.Explanation
	}
	f.Err = err
	return f
}
