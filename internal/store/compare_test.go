package store

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// compare holds what the server shows against the ledger, and keeps the outcome.
func (p *postman) compare(id postroom.MailboxID, lists ...ServerList) Comparison {
	p.t.Helper()
	ctx := context.Background()
	c, _, err := p.db.Compare(ctx, id, lists)
	p.must(err)
	p.must(p.db.RecordComparison(ctx, p.fence(id), c))
	kept, ok, err := p.db.LastComparison(ctx, id)
	p.must(err)
	c.ComparedAt, c.CheckedTo = kept.ComparedAt, kept.CheckedTo
	if !ok || !cmp.Equal(kept, c) {
		p.t.Errorf("kept is another comparison: %s", cmp.Diff(c, kept))
	}
	return c
}

func TestComparisonCountsWhatTheServerShows(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		person := postroom.Viewer{User: addPerson(t, db, "ben@example.net"), Name: "Ben"}
		_, gone := p.put(box, "1", letterOf("deleted"))
		_, err := db.DeleteIssue(ctx, person, gone.Issue)
		p.must(err)
		p.renumber(box)
		p.put(box, "1", letterOf("deleted")) // 2
		p.put(box, "3", letterOf("here"))
		p.must(db.BookNames(ctx, p.fence(box), p.box[box], []Listed{
			{Name: postroom.Name{UID: 4}, State: postroom.ArrivalBeforeStart, Reason: "old"}, {Name: postroom.Name{UID: 5}, State: postroom.ArrivalVanished, Reason: "gone"},
		}, 5))
		c, back, err := db.Compare(ctx, box, []ServerList{{Numbering: p.box[box], UIDs: []uint32{2, 3, 4, 5, 9}}})
		p.must(err)
		c.ComparedAt = time.Time{}
		want := Comparison{
			OnServer: 5, Known: 4, Deleted: 1, BeforeStart: 1, Gone: 1, Arrivals: 5,
			Unaccounted: []UnaccountedName{{Folder: "INBOX", UID: 9}},
		}
		if !cmp.Equal(c, want) || len(back) != 1 {
			t.Errorf("%d are back, %s", len(back), cmp.Diff(want, c))
		}
		p.compare(box, ServerList{Numbering: p.box[box], UIDs: []uint32{2, 3, 4, 5, 9}})

		n, err := db.BeginNumbering(ctx, p.fence(box), postroom.Numbering{Mailbox: box, Protocol: postroom.POP3, Folder: "INBOX", ByContent: true})
		p.must(err)
		p.box[box] = n
		p.bookList(box, []Listed{uidl(" a:1", 0), uidl(" a:1", 1)})
		c = p.compare(box, ServerList{Numbering: n, Names: []postroom.Name{{UIDL: " a:1"}, {UIDL: " a:1", Occurrence: 2}, {UIDL: " b:1"}}})
		if c.OnServer != 3 || c.Known != 1 || len(c.Unaccounted) != 2 || c.Unaccounted[1].UIDL != " b:1" || c.Gone != 6 || !c.ByContent || c.Balanced() {
			t.Errorf("by content: %+v", c)
		}
		if c = p.compare(box, ServerList{Numbering: n, Names: []postroom.Name{{UIDL: " a:1"}, {UIDL: " a:1", Occurrence: 1}}}); !c.Balanced() {
			t.Errorf("all is known, and not balanced: %+v", c)
		}
	})
}

// Whatever is taken away behind our back is told at the next comparison, and until
// it is back.
func TestComparisonMissesWhatWasTakenAway(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := &house{t: t, db: db}
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		var ids []postroom.ArrivalID
		for i := range 5 {
			id, _ := p.put(box, fmt.Sprint("mail ", i), letterOf(fmt.Sprint("mail ", i)))
			ids = append(ids, id)
		}
		want := func(what string, want ...string) {
			t.Helper()
			// As if there were so many that they are looked at in turns: it is that of the last.
			h.do(func(t *tx) error { return t.exec(`update comparison set checked_to = $1`, ids[3]) })
			var got []string
			for _, i := range p.compare(box).Incomplete {
				got = append(got, fmt.Sprint(i.Arrival, " ", i.Missing))
			}
			if !cmp.Equal(got, want) {
				t.Errorf("%s: %v is missing, want %v", what, got, want)
			}
		}
		p.compare(box)
		want("at first")
		h.do(func(t *tx) error {
			return t.exec(`delete from raw_chunk where id = (select raw from arrival where id = $1) * 1048576`, ids[0])
		})
		h.do(func(t *tx) error {
			return t.exec(`update raw_chunk set body = $2 where id = (select raw from arrival where id = $1) * 1048576`, ids[1], []byte("x"))
		})
		h.do(func(t *tx) error { return t.exec(`update arrival set entry = null where id = $1`, ids[2]) })
		h.do(func(t *tx) error { return t.exec(`update arrival set mail = null where id = $1`, ids[3]) })
		for range 2 {
			want("two are damaged, and two cut off",
				fmt.Sprint(ids[0], " part of its bytes"), fmt.Sprint(ids[1], " part of its bytes"), fmt.Sprint(ids[2], " its entry"), fmt.Sprint(ids[3], " its mail"))
		}
		p.renumber(box) // the same bytes come again, and mend what was damaged
		p.bring(box, "mail 0", true)
		want("one is whole again",
			fmt.Sprint(ids[1], " part of its bytes"), fmt.Sprint(ids[2], " its entry"), fmt.Sprint(ids[3], " its mail"))
	})
}

// A large mailbox is looked at in turns, all of it in the end.
func TestBytesAreLookedAtInTurns(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		for i := range 5 {
			p.put(box, fmt.Sprint("mail ", i), letterOf(fmt.Sprint("mail ", i)))
		}
		tx, err := db.read.BeginTx(context.Background(), &sql.TxOptions{ReadOnly: true})
		p.must(err)
		defer func() { _ = tx.Rollback() }()
		m := moment{context.Background(), tx}
		var turns []int64
		from := postroom.ArrivalID(0)
		for range 4 {
			c := Comparison{CheckedTo: from}
			p.must(m.checkSome(box, &c, 2, func(IncompleteArrival) {}))
			turns = append(turns, int64(c.CheckedTo))
			from = c.CheckedTo
		}
		if want := []int64{2, 4, 0, 2}; !cmp.Equal(turns, want) {
			t.Errorf("looked at up to %v, want %v", turns, want)
		}
	})
}

// BenchmarkComparison holds the server's list of a large mailbox against its ledger:
// go test -run - -bench Comparison -mails 1000000
func BenchmarkComparison(b *testing.B) {
	for name, o := range map[string]Options{
		"sqlite": {Path: filepath.Join(b.TempDir(), "postroom.db")}, "postgres": {URL: testbed.Postgres(b)},
	} {
		db := openForTest(b, o)
		p := newPostman(b, db, "one")
		box := p.mailbox("support")
		n := p.box[box]
		do := func(query string, args ...any) {
			p.must(db.commit(context.Background(), func(t *tx) error { return t.exec(query, args...) }))
		}
		const numbers = `with recursive n(i) as (select 1 union all select i + 1 from n where i < cast($1 as bigint)) `
		do(`insert into raw (size_bytes, chunks, packed, created_at, sha256) `+numbers+` select 3, 1, 3, 1, cast(cast(i as text) as `+map[string]string{"sqlite": "blob", "postgres": "bytea"}[name]+`) from n`, *mails)
		do(`insert into raw_chunk (id, body) select id * 1048576, cast('abc' as ` + map[string]string{"sqlite": "blob", "postgres": "bytea"}[name] + `) from raw`)
		do(`insert into arrival (mailbox, numbering, uid, uidl, occurrence, state, reason, seen_at, raw, settled_at, kept_at)
				select $1, $2, id, '', 0, 'before_start', 'x', 1, id, 1, 1 from raw`, box, n.ID)
		do(`insert into issue (number, subject, state, requester_name, requester_address, historic, preview, created_at, last_at) values (1, '', 'open', '', '', false, '', 1, 1)`)
		do(`insert into mail (raw, message_id, digest, subject, from_name, from_address, kind, kind_reason, preview, facts, body, size_bytes, created_at)
				select id, '', sha256, '', '', '', '', '', '', '', sha256, 3, 1 from raw`)
		do(`insert into entry (issue, kind, mail, text, at) select 1, 'mail', id, '', 1 from mail`)
		do(`update arrival set state = 'filed', mail = (select m.id from mail m where m.raw = arrival.raw), entry = (select e.id from entry e join mail m on e.mail = m.id where m.raw = arrival.raw)`)
		uids := make([]uint32, *mails)
		for i := range uids {
			uids[i] = uint32(i + 1)
		}
		if db.dialect == dialectPostgres {
			do(`analyze`)
		}
		b.Run(name, func(b *testing.B) {
			for range b.N {
				c := p.compare(box, ServerList{Numbering: n, UIDs: uids})
				if c.Known != int64(*mails) || len(c.Incomplete) > 0 {
					b.Fatalf("%+v", c)
				}
			}
		})
	}
}
