package mailbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

const (
	tripLook  = 250 * time.Millisecond // between two looks into the ledger
	tripWords = 10 * time.Second       // between two words of how long it has been
)

// tripNudges are the times after sending at which whoever reads the mailbox is asked
// to look at the server. Most servers tell by themselves; where they do not, each
// look may be a login, so that they become rare.
var tripNudges = [...]time.Duration{time.Second, 4 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second, 60 * time.Second, 90 * time.Second}

// await waits until the mail has been filed; false: that did not happen.
func (t *trip) await(ctx context.Context) bool {
	since := time.Now()
	limit, stop := context.WithTimeout(ctx, t.o.Patience)
	defer stop()
	t.begin(ctx, RoundTripSeen, t.waitingFor())
	told, nudges := since, tripNudges[:]
	look := time.NewTicker(tripLook)
	defer look.Stop()
	for {
		if here, done := t.look(ctx, since); done {
			return here
		}
		waited := time.Since(since)
		if len(nudges) > 0 && waited >= nudges[0] {
			nudges = nudges[1:]
			t.lookNow(ctx)
		}
		if time.Since(told) > tripWords {
			told = time.Now()
			t.tell(ctx, RoundTripStep{Kind: RoundTripSeen, Running: true, Took: waited, Detail: "Not there yet, after " + inWords(waited.Round(time.Second)) + "."})
		}
		select {
		case <-look.C:
		case <-limit.Done():
			t.missed(ctx, since)
			return false
		}
	}
}

// waitingFor says how the mail will be noticed.
func (t *trip) waitingFor() string {
	return "Waiting for it to arrive at " + t.m.Incoming.Host + "."
}

// lookNow has whoever reads the mailbox list what the server has: a comparison does.
func (t *trip) lookNow(ctx context.Context) {
	if _, err := t.Store.RequestComparison(ctx, t.m.ID); err == nil {
		t.wake()
	}
}

// look reads once how far the mail has come; done says that there is nothing more to
// wait for.
func (t *trip) look(ctx context.Context, since time.Time) (here, done bool) {
	found, err := t.Store.FindRoundTrip(ctx, t.row)
	if err != nil {
		return false, false // the next look, or the end of the patience, comes
	}
	for _, a := range found.Arrivals {
		if !a.SettledAt.IsZero() {
			t.found = found
			t.arrived(ctx)
			return true, true
		}
	}
	for _, b := range found.Bounces {
		if t.isOurs(ctx, b.Raw) {
			t.fail(ctx, RoundTripSeen, since, bounced(b.Number))
			return false, true
		}
	}
	m, err := t.Store.Mailbox(ctx, t.m.ID)
	if err != nil {
		f, known := postroom.FaultOf(err)
		if known {
			t.fail(ctx, RoundTripSeen, since, f)
		}
		return false, known
	}
	if !m.State.IsRead() || m.State == postroom.MailboxNeedsRepair {
		t.fail(ctx, RoundTripSeen, since, t.notForRoundTrip(m))
		return false, true
	}
	if found.Waiting {
		t.tellOnce(ctx, RoundTripStep{Kind: RoundTripSeen, Running: true, Took: time.Since(since), Detail: "New mail has been seen on the server, and is being brought in."})
	}
	return false, false
}

// arrived tells how long the mail took, stage by stage.
func (t *trip) arrived(ctx context.Context) {
	first := t.found.Arrivals[0]
	if t.uncertain {
		t.tell(ctx, RoundTripStep{Kind: RoundTripSent, OK: true, Detail: "The server did not say whether it takes the mail. It has: the mail arrived."})
	}
	if t.found.MessageID != t.row.MessageID {
		t.row.CameAs = t.found.MessageID
	}
	t.tell(ctx, RoundTripStep{
		Kind: RoundTripSeen, OK: true, Took: max(first.SeenAt.Sub(t.sentAt), 0),
		Detail: "Seen in " + first.Folder + " at " + t.m.Incoming.Host + ".",
	})
	detail := "It is here."
	if t.found.Number != 0 {
		detail = fmt.Sprintf("It became issue %d.", t.found.Number)
	}
	t.tell(ctx, RoundTripStep{Kind: RoundTripFiled, OK: true, Took: max(first.SettledAt.Sub(first.SeenAt), 0), Detail: detail})
}

// missed says where a mail most likely is that did not come.
func (t *trip) missed(ctx context.Context, since time.Time) {
	if ctx.Err() != nil {
		t.fail(ctx, RoundTripSeen, since, interrupted())
		return
	}
	t.tell(ctx, RoundTripStep{Kind: RoundTripSeen, Running: true, Took: time.Since(since), Detail: "It has not come. Looking where else it may be."})
	t.fail(ctx, RoundTripSeen, since, t.whereabouts(ctx))
}

// fail ends a step, and with it the round trip.
func (t *trip) fail(ctx context.Context, k RoundTripKind, since time.Time, f *postroom.Fault) {
	t.tell(ctx, RoundTripStep{Kind: k, Took: time.Since(since), Fault: f})
}

// tellOnce is tell, unless the same was told last.
func (t *trip) tellOnce(ctx context.Context, s RoundTripStep) {
	if last := t.row.Steps[len(t.row.Steps)-1]; last.Step == string(s.Kind) && last.Detail == s.Detail {
		return
	}
	t.tell(ctx, s)
}

// bounceLimit is how much of a bounce is read, in bytes: it has the header of what
// came back in it.
const bounceLimit = 256 << 10

// isOurs says whether a bounce is about the mail of this round trip. Each is read
// once.
func (t *trip) isOurs(ctx context.Context, raw postroom.RawID) bool {
	if slices.Contains(t.bounces, raw) {
		return false
	}
	t.bounces = append(t.bounces, raw)
	body, err := t.Store.OpenRaw(ctx, raw)
	if err != nil {
		return false
	}
	defer body.Close()
	text, err := io.ReadAll(io.LimitReader(body, bounceLimit))
	return err == nil && (bytes.Contains(text, []byte(t.row.MessageID)) || bytes.Contains(text, []byte(t.row.Subject)))
}

// bounced is the Fault of a mail that came back.
func bounced(number int64) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.RecipientRejected, FixBy: postroom.FixByMailboxAdmin,
		Explanation: fmt.Sprintf("The mail was sent, and came back: the reason stands in issue %d.", number),
		Remedy:      "Read what that issue says. Ask whoever runs the mail server why it does not deliver mail to this address.",
	}
}
