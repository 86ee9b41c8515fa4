package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// openOld makes a database with the first schema, has fill put something into it,
// and opens it with today's.
func openOld(t *testing.T, o Options, fill func(ctx context.Context, do func(query string, args ...any))) *DB {
	t.Helper()
	ctx := context.Background()
	old, err := open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	p, err := old.provider()
	if err == nil {
		_, err = p.UpTo(ctx, 1)
	}
	if err != nil {
		t.Fatal(err)
	}
	fill(ctx, func(query string, args ...any) {
		t.Helper()
		if _, err := old.write.ExecContext(ctx, query, args...); err != nil {
			t.Fatalf("%v: %s", err, query)
		}
	})
	if err := errors.Join(old.closePools()); err != nil {
		t.Fatal(err)
	}
	return openForTest(t, o)
}

// What the first version stored is there, and goes on.
func TestFirstSchemaIsBroughtUpToDate(t *testing.T) {
	ctx := context.Background()
	options := map[string]Options{
		"sqlite": {Path: filepath.Join(t.TempDir(), "postroom.db")}, "postgres": {URL: testbed.Postgres(t)},
	}
	for name, o := range options {
		t.Run(name, func(t *testing.T) {
			m := supportMailbox()
			m.Incoming.Folders = []string{"INBOX"}
			settings, err := packSettings(m)
			if err != nil {
				t.Fatal(err)
			}
			letter := letterOf("first")
			sum := sha256.Sum256([]byte("first"))
			db := openOld(t, o, func(_ context.Context, do func(string, ...any)) {
				do(`insert into mailbox (name, address, settings, everyone, visibility_key, state, state_since, proven_at, start_at, created_at, updated_at)
					values ('Support', 'support@example.net', $1, true, 'everyone', 'active', 1, 1, 1, 1, 1)`, settings)
				do(`insert into lease (mailbox, node, epoch) values (1, null, 3)`)
				for serial, begun := range []int64{10, 20} {
					do(`insert into numbering (mailbox, serial, protocol, host, username, folder, uid_validity, floor, position, begun_at)
						values (1, $1, 'imap', 'imap.example.net', 'support@example.net', 'INBOX', $1, 0, 1, $2)`, serial+1, begun)
				}
				do(`insert into raw (sha256, size_bytes, chunks, packed, created_at) values ($1, 5, 1, 3, 1)`, sum[:])
				do(`insert into raw_chunk (id, body) values (1048576, $1)`, []byte("abc"))
				do(`insert into mail (raw, message_id, message_id_hash, digest, subject, from_name, from_address, kind, kind_reason, preview, facts, body, size_bytes, created_at)
					values (1, 'first', $1, $2, '', '', '', 'person', '', '', '{}', $3, 5, 1)`, idHash("first"), letter.Digest[:], packBody(mailBody{}))
				do(`insert into issue (number, subject, state, requester_name, requester_address, historic, preview, entries, created_at, last_at)
					values (1, '', 'open', '', '', false, '', 1, 1, 1)`)
				do(`update counter set value = 1 where name = 'issue'`)
				do(`insert into entry (issue, kind, mail, text, at) values (1, 'mail', 1, '', 1)`)
				do(`insert into issue_mailbox (issue, mailbox) values (1, 1)`)
				do(`insert into arrival (mailbox, numbering, uid, uidl, occurrence, state, reason, seen_at, raw, mail, entry, settled_at)
					values (1, 1, 1, '', 0, 'filed', 'x', 11, 1, 1, 1, 12)`)
				do(`insert into arrival (mailbox, numbering, uid, uidl, occurrence, state, reason, seen_at) values (1, 2, 1, '', 0, 'waiting', '', 21)`)
			})
			p := newPostman(t, db, "one")
			_, err = db.TakeLeases(ctx, p.node)
			p.must(err)
			now, err := db.Numberings(ctx, 1)
			p.must(err)
			if n := now["INBOX"]; len(now) != 1 || n.ID != 2 || !n.EndedAt.IsZero() || n.ByContent {
				t.Errorf("numberings %+v, want the second", now)
			}
			counts, err := db.NumberingCounts(ctx, 1)
			p.must(err)
			if len(counts) != 2 || !counts[0].EndedAt.Equal(at(20)) || counts[0].Counts[postroom.ArrivalFiled] != 1 {
				t.Errorf("%+v, want the first ended when the second began", counts)
			}
			c, _, err := db.Compare(ctx, 1, []ServerList{{Numbering: now["INBOX"], UIDs: []uint32{1}}})
			if err != nil || !c.Balanced() {
				t.Errorf("%+v, %v, want it balanced", c, err)
			}
			p.box[1], p.after = now["INBOX"], postroom.AfterImportDelete
			again := p.bytesFor(1, 2, "first", true)
			h := &house{t: t, db: db}
			if state, _ := h.arrivalState(again); state != postroom.ArrivalDuplicate {
				t.Errorf("the mail again: %s, want duplicate", state)
			}
			p.wantDue("old mail was kept, and is", 1)
			p.keepFor(1, 30)
			if n, err := db.ExpireRaw(ctx, time.Now(), 10); err != nil || n != 0 {
				t.Errorf("%d originals went, %v, want none: the copy is of today", n, err)
			}
			p.expire(30, 1)
			if got := (cmp.Equal(p.settled(1), map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 1, postroom.ArrivalDuplicate: 1})); !got {
				t.Errorf("arrivals %v", p.settled(1))
			}
		})
	}
}
