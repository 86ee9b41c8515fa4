package store

import (
	"context"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func TestOneRoundTripAtATime(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box, other := p.mailbox("support"), p.mailbox("sales")
		begin := func(id postroom.MailboxID, lasts time.Duration) (RoundTrip, error) {
			return db.BeginRoundTrip(ctx, RoundTrip{Mailbox: id, MessageID: "trip@example.net", Subject: "Round trip"}, lasts)
		}
		var begun atomic.Int32
		var several sync.WaitGroup
		for range 8 {
			several.Go(func() {
				switch _, err := begin(box, time.Hour); {
				case err == nil:
					begun.Add(1)
				case postroom.KindOf(err) != postroom.Conflict:
					t.Errorf("begin: %v, want a conflict", err)
				}
			})
		}
		several.Wait()
		if n := begun.Load(); n != 1 {
			t.Fatalf("%d round trips of one mailbox have begun, want 1", n)
		}
		if _, err := begin(other, time.Hour); err != nil {
			t.Errorf("that of another mailbox: %v", err)
		}
		trip, ok, err := db.LastRoundTrip(ctx, box)
		if err != nil || !ok || !trip.EndedAt.IsZero() || trip.Until.Sub(trip.BegunAt).Round(time.Second) != time.Hour {
			t.Fatalf("the last is %+v, %v, %v", trip, ok, err)
		}
		p.must(db.SaveRoundTrip(ctx, trip, true))
		overdue, err := begin(box, time.Microsecond)
		p.must(err)
		for time.Now().Before(overdue.Until.Add(time.Millisecond)) {
			time.Sleep(time.Millisecond)
		}
		if _, err := begin(box, time.Hour); err != nil {
			t.Errorf("after one that was never ended: %v", err)
		}
	})
}

func TestARoundTripIsKeptAsItCame(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		if _, ok, err := db.LastRoundTrip(ctx, box); ok || err != nil {
			t.Errorf("a last one before the first: %v", err)
		}
		trip, err := db.BeginRoundTrip(ctx, RoundTrip{Mailbox: box, MessageID: "a@example.net", Subject: "Round trip (a)"}, time.Hour)
		p.must(err)
		trip.CameAs = "b@example.net"
		trip.Steps = []RoundTripStep{
			{Step: "sent", OK: true, Took: 312 * time.Millisecond, Detail: "Taken."},
			{Step: "seen", Running: true, Fault: &postroom.Fault{Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting, Explanation: "Late.", Remedy: "Wait."}},
		}
		p.must(db.SaveRoundTrip(ctx, trip, false))
		if left, err := db.LeftRoundTrips(ctx, box); err != nil || len(left) != 0 {
			t.Errorf("what is under way counts as left: %+v, %v", left, err)
		}
		p.must(db.SaveRoundTrip(ctx, trip, true))
		last, ok, err := db.LastRoundTrip(ctx, box)
		if err != nil || !ok || last.EndedAt.IsZero() {
			t.Fatalf("the last is %+v, %v, %v", last, ok, err)
		}
		last.EndedAt = time.Time{}
		if diff := cmp.Diff(trip, last); diff != "" {
			t.Errorf("it came back otherwise (-was +is):\n%s", diff)
		}
		if left, err := db.LeftRoundTrips(ctx, box); err != nil || len(left) != 1 || left[0].ID != trip.ID {
			t.Errorf("left are %+v, %v", left, err)
		}
		trip.Removed = true
		p.must(db.SaveRoundTrip(ctx, trip, true))
		if left, err := db.LeftRoundTrips(ctx, box); err != nil || len(left) != 0 {
			t.Errorf("left are %+v, %v, though it was removed", left, err)
		}
		kept, err := db.BeginRoundTrip(ctx, RoundTrip{Mailbox: box, MessageID: "c@example.net", Subject: "Round trip (c)", Kept: true}, time.Hour)
		p.must(err)
		p.must(db.SaveRoundTrip(ctx, kept, true))
		if left, err := db.LeftRoundTrips(ctx, box); err != nil || len(left) != 0 {
			t.Errorf("left are %+v, %v, though the issue was wanted", left, err)
		}
	})
}

func TestTheMailOfARoundTripIsFoundAndItsIssueDeleted(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box, other := p.mailbox("support"), p.mailbox("sales")
		trip, err := db.BeginRoundTrip(ctx, RoundTrip{Mailbox: box, MessageID: "trip@example.net", Subject: "Round trip (x)"}, time.Hour)
		p.must(err)
		p.put(box, "something else", letterOf("else"))
		waiting := p.bring(box, "raw of it", true)
		found, err := db.FindRoundTrip(ctx, trip)
		if err != nil || found.Mail != 0 || !found.Waiting {
			t.Fatalf("before it is filed it is %+v, %v", found, err)
		}
		mail := letterOf("trip@example.net")
		mail.Subject = trip.Subject
		filed, err := db.File(ctx, p.filing(box, waiting, mail))
		p.must(err)
		found, err = db.FindRoundTrip(ctx, trip)
		if err != nil || found.Mail == 0 || found.MessageID != "trip@example.net" || found.Issue != filed.Issue || found.Number == 0 || len(found.Arrivals) != 1 {
			t.Fatalf("found %+v, %v", found, err)
		}
		if a := found.Arrivals[0]; a.ID != waiting || a.State != postroom.ArrivalFiled || a.Folder != "INBOX" || a.Name.UID == 0 || a.SettledAt.IsZero() || a.Ended || a.Due {
			t.Errorf("its arrival is %+v", a)
		}
		// The mail of another mailbox is not ours, whatever it is called.
		theirs := trip
		theirs.Mailbox = other
		if found, err := db.FindRoundTrip(ctx, theirs); err != nil || found.Mail != 0 {
			t.Errorf("in another mailbox: %+v, %v", found, err)
		}
		// Where a server has replaced the Message-ID, the subject tells.
		replaced := trip
		replaced.MessageID = "never@example.net"
		if found, err := db.FindRoundTrip(ctx, replaced); err != nil || found.MessageID != "trip@example.net" {
			t.Errorf("by its subject: %+v, %v", found, err)
		}

		by := postroom.Viewer{Scope: postroom.ScopeAdmin, Name: "the command line"}
		for range 2 { // once more is a success
			if what, err := db.DeleteRoundTripIssue(ctx, by, box, found.Mail); err != nil || what != RoundTripIssueDeleted {
				t.Errorf("delete: %v, %v", what, err)
			}
		}
		found, err = db.FindRoundTrip(ctx, trip)
		if err != nil || len(found.Arrivals) != 1 || found.Arrivals[0].State != postroom.ArrivalDeleted {
			t.Errorf("after that it is %+v, %v", found, err)
		}
		if changed, err := db.RecoverIssue(ctx, by, found.Issue); err != nil || !changed {
			t.Errorf("recover: %v, %v", changed, err)
		}
		// Now somebody has done something with it.
		if what, err := db.DeleteRoundTripIssue(ctx, by, box, found.Mail); err != nil || what != RoundTripIssueUsed {
			t.Errorf("delete what was recovered: %v, %v", what, err)
		}
		if what, err := db.DeleteRoundTripIssue(ctx, by, box, 999); err != nil || what != RoundTripIssueNone {
			t.Errorf("delete what is not there: %v, %v", what, err)
		}
	})
}

func TestBouncesSinceARoundTripWasBegun(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		bounce := func(raw string) {
			mail := letterOf(raw)
			mail.Kind = postroom.KindBounce
			p.put(box, raw, mail)
		}
		bounce("an old one")
		trip, err := db.BeginRoundTrip(ctx, RoundTrip{Mailbox: box, MessageID: "trip@example.net", Subject: "Round trip (x)"}, time.Hour)
		p.must(err)
		p.put(box, "no bounce", letterOf("none"))
		bounce("the first")
		bounce("the second")
		found, err := db.FindRoundTrip(ctx, trip)
		p.must(err)
		var said []string
		for _, b := range found.Bounces {
			body, err := db.OpenRaw(ctx, b.Raw)
			p.must(err)
			raw, err := io.ReadAll(body)
			p.must(err)
			p.must(body.Close())
			said = append(said, string(raw))
		}
		if want := []string{"the second", "the first"}; !slices.Equal(said, want) {
			t.Errorf("bounces are %q, want %q", said, want)
		}
	})
}

// What says that a mail did not arrive may have its subject.
func TestABounceIsNotTheMailOfARoundTrip(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		trip, err := db.BeginRoundTrip(ctx, RoundTrip{Mailbox: box, MessageID: "trip@example.net", Subject: "Round trip (x)"}, time.Hour)
		p.must(err)
		for _, kind := range []postroom.MailKind{postroom.KindBounce, postroom.KindDelay, postroom.KindAutoReply} {
			mail := letterOf(string(kind))
			mail.Kind, mail.Subject = kind, trip.Subject
			p.put(box, string(kind), mail)
		}
		found, err := db.FindRoundTrip(ctx, trip)
		if err != nil || found.Mail != 0 || len(found.Bounces) != 1 {
			t.Errorf("found %+v, %v, want a bounce and no mail", found, err)
		}
	})
}
