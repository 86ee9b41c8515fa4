package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// keepFor has a mailbox keep originals for a number of days.
func (p *postman) keepFor(id postroom.MailboxID, days int) {
	p.t.Helper()
	k, err := p.db.KeptMailbox(context.Background(), id)
	p.must(err)
	k.RawRetentionDays = days
	_, err = p.db.ChangeMailbox(context.Background(), k.Mailbox, MailboxChange{Seen: k.UpdatedAt})
	p.must(err)
	if k, err = p.db.KeptMailbox(context.Background(), id); err != nil || k.RawRetentionDays != days {
		p.t.Fatalf("originals are kept for %d days, %v, want %d", k.RawRetentionDays, err, days)
	}
}

// hasBytes says whether the bytes of an arrival are here. Where they are not, there
// are none in the database either.
func (p *postman) hasBytes(a postroom.ArrivalID) bool {
	p.t.Helper()
	var raw postroom.RawID
	var chunks int64
	p.must(p.db.queryRow(context.Background(), `select raw from arrival where id = $1`, a).Scan(&raw))
	p.must(p.db.queryRow(context.Background(), `select count(*) from raw_chunk where id between $1 and $2`, firstChunk(raw), lastChunk(raw)).Scan(&chunks))
	body, err := p.db.OpenRaw(context.Background(), raw)
	if err == nil {
		body.Close()
	} else if postroom.KindOf(err) != postroom.NotFound {
		p.t.Errorf("open the bytes of %s: %v", a, err)
	}
	if (err == nil) != (chunks > 0) {
		p.t.Errorf("arrival %s: %v, and %d chunks", a, err, chunks)
	}
	return err == nil
}

func (p *postman) wantBytes(what string, want bool, arrivals ...postroom.ArrivalID) {
	p.t.Helper()
	for _, a := range arrivals {
		if got := p.hasBytes(a); got != want {
			p.t.Errorf("%s: the bytes of arrival %s are here: %v, want %v", what, a, got, want)
		}
	}
}

// expire lets go of what is due after a number of days.
func (p *postman) expire(days int, want int) {
	p.t.Helper()
	n, err := p.db.ExpireRaw(context.Background(), time.Now().AddDate(0, 0, days).Add(time.Hour), 1000)
	if err != nil || n != want {
		p.t.Errorf("after %d days %d originals went, %v, want %d", days, n, err, want)
	}
}

func TestOriginalsAreLetGoInTime(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		forMonth, forYear, forEver := p.mailbox("month"), p.mailbox("year"), p.mailbox("ever")
		p.keepFor(forMonth, 30)
		p.keepFor(forYear, 365)
		large := strings.Repeat("0123456789abcdef", 3<<16)
		own, filed := p.put(forMonth, large, letterOf("own"))
		shared, _ := p.put(forMonth, "shared", letterOf("shared"))
		delivered, _ := p.put(forYear, "shared", letterOf("shared"))
		kept, _ := p.put(forEver, "kept", letterOf("kept"))
		aside := p.bring(forMonth, "aside", true)
		_, err := db.RecordFailedTry(ctx, p.fence(forMonth), aside, "It cannot be read.", time.Now(), 1)
		p.must(err)

		p.expire(29, 0)
		p.expire(30, 1)
		p.wantBytes("after a month", false, own)
		p.wantBytes("after a month", true, shared, delivered, kept, aside)
		p.expire(365, 1)
		p.wantBytes("after a year", false, shared, delivered)
		p.wantBytes("after a year", true, kept, aside)

		p.must(db.RetryArrival(ctx, aside))
		_, err = db.File(ctx, p.filing(forMonth, aside, letterOf("aside")))
		p.must(err)
		p.expire(365, 1)
		p.wantBytes("understood after all", false, aside)
		p.keepFor(forEver, 1)
		p.expire(1, 1)
		p.wantBytes("for ever is over", false, kept)

		person := postroom.Viewer{User: addPerson(t, db, "ana@example.net")}
		mail := mailOf(t, db, own)
		_, _, err = db.Reader().OpenRaw(ctx, person, mail)
		fault, ok := postroom.FaultOf(err)
		if !ok || !strings.Contains(fault.Explanation, "30 days") {
			t.Errorf("the download says %v, want how long originals are kept", err)
		}
		if m, err := db.Reader().Mail(ctx, person, mail); err != nil || m.Text != "Text of own" {
			t.Errorf("the mail is %q, %v, want its text", m.Text, err)
		}
		for _, id := range []postroom.MailboxID{forMonth, forYear, forEver} {
			c, _, err := db.Compare(ctx, id, nil)
			if err != nil || len(c.Incomplete) > 0 {
				t.Errorf("the ledger of %s misses %v, %v, want nothing", id, c.Incomplete, err)
			}
		}
		if _, err := db.DeleteIssue(ctx, person, filed.Issue); err != nil {
			t.Fatal(err)
		}
	})
}

// A late original (an earlier start, a mail tried again) is kept from when it came.
func TestAgeCountsFromWhenTheBytesCame(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		h := &house{t: t, db: db}
		box := p.mailbox("support")
		p.keepFor(box, 30)
		late, _ := p.put(box, "late", letterOf("late"))
		h.do(func(t *tx) error { return t.exec(`update arrival set seen_at = seen_at - 8640000000000`) }) // 100 days
		p.expire(0, 0)
		p.wantBytes("brought today", true, late)
		p.expire(30, 1)
	})
}

// What comes again of a mail whose original was let go does not stay either.
func TestOriginalsThatWereLetGoStayAway(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.keepFor(box, 30)
		first, _ := p.put(box, "first", letterOf("first"))
		nameless, _ := p.put(box, "nameless", letterOf(""))
		p.expire(30, 2)
		p.renumber(box)
		exact, _ := p.put(box, "first", letterOf("first"))
		other, filed := p.put(box, "first, otherwise", letterOf("first"))
		wantFiled(t, "other bytes", filed, postroom.ArrivalDuplicate, 0, false)
		again, filed := p.put(box, "nameless", letterOf(""))
		wantFiled(t, "nameless again", filed, postroom.ArrivalDuplicate, 0, false)
		p.wantBytes("let go", false, first, nameless, exact, other, again)

		elsewhere := p.mailbox("sales") // which keeps for ever
		there, _ := p.put(elsewhere, "first", letterOf("first"))
		p.wantBytes("where they are kept", true, there)
		p.expire(400, 0)
		p.wantBytes("where they are kept", true, there)

		p.keepFor(box, 0)
		p.renumber(box)
		third, _ := p.put(box, "first, in a third way", letterOf("first"))
		p.wantBytes("kept for ever from now on", true, third)
	})
}

func TestManyOriginalsGoInTurns(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.keepFor(box, 1)
		for i := range 30 {
			p.put(box, fmt.Sprint("mail ", i), letterOf(fmt.Sprint("mail ", i)))
		}
		total := 0
		for range 4 {
			n, err := db.ExpireRaw(context.Background(), time.Now().Add(25*time.Hour), 10)
			p.must(err)
			if n > 10 {
				t.Errorf("%d went at once, want 10 at most", n)
			}
			total += n
		}
		if total != 30 {
			t.Errorf("%d went, want 30", total)
		}
	})
}

func TestIgnoredMailIsFetchedAgainWhereItsBytesAreGone(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.keepFor(box, 30)
		ignored := p.bring(box, "ignored", true)
		p.must(db.Settle(ctx, p.fence(box), []postroom.ArrivalID{ignored}, postroom.ArrivalIgnored, "By a rule."))
		p.expire(30, 1)
		p.must(db.RetryArrival(ctx, ignored))
		wanted, err := db.WantedArrivals(ctx, p.box[box].ID, 0, 10)
		if err != nil || len(wanted) != 1 || wanted[0].ID != ignored {
			t.Fatalf("wanted %v, %v, want arrival %s", wanted, err, ignored)
		}
		p.bytesFor(box, ignored, "ignored", true)
		p.wantBytes("fetched again", true, ignored)
	})
}
