package store

import (
	"context"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestFormerMailboxIsContinued(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		_, err := db.FormerMailbox(ctx, "support@example.net")
		wantKind(t, err, postroom.NotFound)
		m := supportMailbox()
		m.Start = postroom.Start{Kind: postroom.StartNow}
		m, err = db.AddMailbox(ctx, m, "password", sealed("secret"))
		p.must(err)
		_, err = db.TakeLeases(ctx, p.node)
		p.must(err)
		in := m.Incoming
		shown := postroom.Numbering{Mailbox: m.ID, Protocol: in.Protocol, Host: in.Host, Username: in.Username, Folder: "INBOX", UIDValidity: 7, Floor: 3}
		proven, err := db.RecordProof(ctx, p.fence(m.ID), 1, []postroom.Numbering{shown})
		p.must(err)
		numberings, err := db.Numberings(ctx, m.ID)
		p.must(err)
		p.box[m.ID] = numberings["INBOX"]
		p.uid = 3
		filed := p.deliver(m.ID, letterOf("first"))
		old := p.fence(m.ID)
		m = mustKeep(t, db, m.ID).Mailbox
		p.must(db.DeleteMailbox(ctx, m.ID, false))

		former, err := db.FormerMailbox(ctx, "SUPPORT@example.net")
		if err != nil || former.ID != m.ID || former.Arrivals != 1 || former.Issues != 1 || former.RemovedAt.IsZero() || !former.ProvenAt.Equal(proven) {
			t.Fatalf("former %+v, %v", former, err)
		}
		back := supportMailbox()
		back.Name, back.Start, back.RawRetentionDays = "Help", postroom.Start{Kind: postroom.StartNow}, 30
		back.Incoming.Folders = []string{"INBOX", "New"}
		got, err := db.ContinueMailbox(ctx, m.ID, back, "password", sealed("new secret"))
		p.must(err)
		if got.ID != m.ID || got.Name != "Help" || got.State != postroom.MailboxDraft || !got.ProvenAt.Equal(proven) ||
			got.Start != m.Start || !got.CreatedAt.Equal(m.CreatedAt) || got.RawRetentionDays != 30 {
			t.Errorf("continued as %+v", got)
		}
		if c, err := db.Credential(ctx, m.ID); err != nil || string(c.Sealed) != "new secret of "+m.ID.String() {
			t.Errorf("credential %q, %v", c.Sealed, err)
		}
		_, err = db.FormerMailbox(ctx, m.Address)
		wantKind(t, err, postroom.NotFound)
		_, err = db.ContinueMailbox(ctx, m.ID, back, "password", sealed("x"))
		wantKind(t, err, postroom.NotFound)

		_, err = db.TakeLeases(ctx, p.node)
		p.must(err)
		if now := p.fence(m.ID); now.Epoch <= old.Epoch {
			t.Errorf("epoch %d after %d", now.Epoch, old.Epoch)
		}
		again := shown
		again.Floor = 99 // what is there now is not before the start: it came meanwhile
		other := again
		other.Folder = "New"
		_, err = db.RecordProof(ctx, p.fence(m.ID), mustKeep(t, db, m.ID).Version, []postroom.Numbering{again, other})
		p.must(err)
		numberings, err = db.Numberings(ctx, m.ID)
		p.must(err)
		if n := numberings["INBOX"]; n.ID != p.box[m.ID].ID || n.Position != 4 || n.Floor != 3 {
			t.Errorf("INBOX goes on as %+v, want numbering %s at 4", n, p.box[m.ID].ID)
		}
		if n := numberings["New"]; n.Floor != postroom.FloorByDate {
			t.Errorf("the new folder begins at %d, want by date", n.Floor)
		}
		reply := p.deliver(m.ID, letterOf("reply", "first"))
		wantFiled(t, "a reply after all that", reply, postroom.ArrivalFiled, filed.Issue, false)
	})
}

func TestNewestFormerMailboxCounts(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		var removed []postroom.MailboxID
		for range 3 {
			m := addMailbox(t, db, supportMailbox())
			if err := db.DeleteMailbox(ctx, m.ID, false); err != nil {
				t.Fatal(err)
			}
			removed = append(removed, m.ID)
		}
		former, err := db.FormerMailbox(ctx, "support@example.net")
		if err != nil || former.ID != removed[2] {
			t.Errorf("former mailbox %s, %v, want %s", former.ID, err, removed[2])
		}
		there := addMailbox(t, db, supportMailbox())
		_, err = db.ContinueMailbox(ctx, former.ID, supportMailbox(), "password", sealed("x"))
		wantKind(t, err, postroom.Conflict)
		if err := db.DeleteMailbox(ctx, there.ID, false); err != nil {
			t.Fatal(err)
		}
		other := supportMailbox()
		other.Address = "sales@example.net"
		_, err = db.ContinueMailbox(ctx, former.ID, other, "password", sealed("x"))
		wantKind(t, err, postroom.NotFound)
	})
}

func TestContinuingFromAnEarlierStart(t *testing.T) {
	ctx := context.Background()
	day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
	date := func(n int) postroom.Start { return postroom.Start{Kind: postroom.StartDate, At: day(n)} }
	all, now := postroom.Start{Kind: postroom.StartAll}, postroom.Start{Kind: postroom.StartNow}
	tests := map[string]struct {
		was, next, want postroom.Start
		wantWaiting     int64 // of mails of the 1st and of the 5th of January, before the start
	}{
		"the same":             {date(10), date(10), date(10), 0},
		"a later one":          {date(10), date(20), date(20), 0},
		"an earlier one":       {date(10), date(3), date(3), 1},
		"everything":           {date(10), all, all, 2},
		"from now: as it was":  {date(10), now, date(10), 0},
		"it had everything":    {all, date(3), date(3), 0},
		"it was to have begun": {now, now, now, 0},
	}
	eachDatabase(t, func(t *testing.T, db *DB) {
		for name, test := range tests {
			m := supportMailbox()
			m.Start = test.was
			m = addMailbox(t, db, m)
			for i, n := range []int{1, 5} {
				id := putArrival(t, db, m.ID, i+1, postroom.ArrivalBeforeStart)
				err := db.commit(ctx, func(t *tx) error {
					return t.exec(`update arrival set internal_date = $1 where id = $2`, micros(day(n)), id)
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if err := db.DeleteMailbox(ctx, m.ID, false); err != nil {
				t.Fatal(err)
			}
			next := supportMailbox()
			next.Start = test.next
			got, err := db.ContinueMailbox(ctx, m.ID, next, "password", sealed("x"))
			if err != nil || got.Start != test.want {
				t.Errorf("%s: %+v, %v, want %+v", name, got.Start, err, test.want)
			}
			counts, err := db.ArrivalCounts(ctx, m.ID)
			if err != nil || counts[postroom.ArrivalWaiting] != test.wantWaiting {
				t.Errorf("%s: %v, %v, want %d waiting", name, counts, err, test.wantWaiting)
			}
			if err := db.DeleteMailbox(ctx, m.ID, false); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestRescan(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		want := func(what string, wanted bool, brought int64, known bool) {
			t.Helper()
			got, err := db.RescanWanted(ctx, box)
			if err != nil || got != wanted {
				t.Errorf("%s: a rescan is wanted: %v, %v, want %v", what, got, err, wanted)
			}
			at, n, ok, err := db.LastRescan(ctx, box)
			if err != nil || ok != known || n != brought || at.IsZero() == known {
				t.Errorf("%s: the last was at %v, brought %d, %v, %v", what, at, n, ok, err)
			}
			asked, err := db.RequestedComparisons(ctx, p.node)
			if err != nil || (len(asked) > 0) != wanted {
				t.Errorf("%s: asked for: %v, %v", what, asked, err)
			}
		}
		want("at first", false, 0, false)
		asked, err := db.RequestRescan(ctx, box)
		if err != nil || asked.IsZero() {
			t.Fatal(asked, err)
		}
		p.must(db.RecordComparison(ctx, p.fence(box), Comparison{}))
		want("asked for, and only compared", true, 0, false)
		p.must(db.RecordRescan(ctx, p.fence(box), 3))
		want("made", false, 3, true)
		_, err = db.RequestRescan(ctx, box)
		p.must(err)
		p.must(db.RecordComparison(ctx, p.fence(box), Comparison{}))
		want("asked for again", true, 3, true)
	})
}
