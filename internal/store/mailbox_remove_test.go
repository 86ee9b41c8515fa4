package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// putIssue makes an issue that mail of these mailboxes belongs to.
func putIssue(t *testing.T, db *DB, number int64, mailboxes ...postroom.MailboxID) (id postroom.IssueID) {
	t.Helper()
	err := db.commit(context.Background(), func(t *tx) error {
		err := t.row(`insert into issue (number, subject, state, requester_name, requester_address, historic, preview, created_at, last_at)
			values ($1, 'Hello', 'open', '', 'a@example.org', $2, '', db_now(), db_now()) returning id`, number, false).Scan(&id)
		for _, m := range mailboxes {
			if err == nil {
				err = t.exec(`insert into issue_mailbox (issue, mailbox) values ($1, $2)`, int64(id), int64(m))
			}
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// putArrival enters an arrival in the ledger, in a numbering of its own.
func putArrival(t *testing.T, db *DB, mailbox postroom.MailboxID, serial int, state postroom.ArrivalState) (id postroom.ArrivalID) {
	t.Helper()
	err := db.commit(context.Background(), func(t *tx) error {
		var numbering int64
		err := t.row(`insert into numbering (mailbox, serial, protocol, host, username, folder, uid_validity, floor, position, begun_at)
			values ($1, $2, 'imap', 'h', 'u', 'INBOX', 1, 0, 1, db_now()) returning id`, int64(mailbox), serial).Scan(&numbering)
		if err != nil {
			return err
		}
		return t.row(`insert into arrival (mailbox, numbering, uid, uidl, occurrence, state, reason, seen_at, tries, settled_at)
			values ($1, $2, 1, '', 0, $3, 'why', db_now(), 3, db_now()) returning id`, int64(mailbox), numbering, string(state)).Scan(&id)
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func TestDeletedMailboxKeepsItsLedgerAndNoSecret(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		issue := putIssue(t, db, 1, m.ID)
		putArrival(t, db, m.ID, 1, postroom.ArrivalFiled)
		if err := db.DeleteMailbox(ctx, m.ID, false); err != nil {
			t.Fatal(err)
		}
		_, err := db.Mailbox(ctx, m.ID)
		wantKind(t, err, postroom.NotFound)
		_, err = db.Credential(ctx, m.ID)
		wantKind(t, err, postroom.NotFound)
		wantKind(t, db.SaveCredential(ctx, m.ID, NewCredential{"password", sealed("x")}), postroom.NotFound)
		wantKind(t, db.DeleteMailbox(ctx, m.ID, false), postroom.NotFound)
		var secrets, deleted int
		if err := db.queryRow(ctx, `select count(*) from credential`).Scan(&secrets); err != nil || secrets != 0 {
			t.Errorf("%d credentials left, %v, want none", secrets, err)
		}
		if counts, err := db.ArrivalCounts(ctx, m.ID); err != nil || counts[postroom.ArrivalFiled] != 1 {
			t.Errorf("arrivals %v, %v, want one filed", counts, err)
		}
		if err := db.queryRow(ctx, `select count(*) from issue where id = $1 and deleted_at is not null`, int64(issue)).Scan(&deleted); err != nil || deleted != 0 {
			t.Errorf("%d issues deleted, %v, want none", deleted, err)
		}
	})
}

func TestARemovedMailboxLeavesNothingOfItsTests(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		if _, err := db.BeginRoundTrip(ctx, RoundTrip{Mailbox: m.ID, MessageID: "a@example.net", Subject: "a"}, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := db.BeginTranscript(ctx, m.ID, 0, time.Hour); err != nil {
			t.Fatal(err)
		}
		if err := db.RecordTranscript(ctx, m.ID, []TranscriptLine{{At: time.Now(), Session: "1", Direction: 'S', Line: "* OK"}}); err != nil {
			t.Fatal(err)
		}
		if err := db.DeleteMailbox(ctx, m.ID, false); err != nil {
			t.Fatal(err)
		}
		for _, table := range []string{"round_trip", "transcript", "transcript_line"} {
			var left int
			if err := db.queryRow(ctx, `select count(*) from `+table).Scan(&left); err != nil || left != 0 {
				t.Errorf("%d rows are left in %s, %v", left, table, err)
			}
		}
	})
}

func TestErasingLeavesIssuesOfOtherMailboxes(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		second := supportMailbox()
		second.Address = "sales@example.net"
		other := addMailbox(t, db, second)
		own, shared, foreign := putIssue(t, db, 1, m.ID), putIssue(t, db, 2, m.ID, other.ID), putIssue(t, db, 3, other.ID)
		if err := db.DeleteMailbox(ctx, m.ID, true); err != nil {
			t.Fatal(err)
		}
		tooLate := time.Now().Add(-postroom.RecoverableFor).UnixMicro()
		for issue, want := range map[postroom.IssueID]bool{own: true, shared: false, foreign: false} {
			var gone bool
			err := db.queryRow(ctx, `select coalesce(deleted_at <= $2, $3) from issue where id = $1`, int64(issue), tooLate, false).Scan(&gone)
			if err != nil || gone != want {
				t.Errorf("issue %s is erased: %v, %v, want %v", issue, gone, err, want)
			}
		}
		if got := eventsOf(t, db, m.ID); len(got) != 3 {
			t.Errorf("events %v, want added, mailbox deleted, issue deleted", got)
		}
		if err := db.DeleteMailbox(ctx, other.ID, true); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := db.queryRow(ctx, `select count(*) from issue where deleted_at is null`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d issues left, %v, want none once both mailboxes are gone", left, err)
		}
	})
}

func TestRetryArrival(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		for i, state := range postroom.ArrivalStates() {
			id := putArrival(t, db, m.ID, i+1, state)
			err := db.RetryArrival(ctx, id)
			if state != postroom.ArrivalWaiting && !state.CanBecome(postroom.ArrivalWaiting) {
				wantKind(t, err, postroom.Conflict)
				continue
			}
			if err != nil {
				t.Fatalf("retry of a %s arrival: %v", state, err)
			}
		}
		counts, err := db.Reader().ArrivalCounts(ctx, m.ID)
		want := map[postroom.ArrivalState]int64{
			postroom.ArrivalWaiting: 5, postroom.ArrivalFiled: 1, postroom.ArrivalDuplicate: 1, postroom.ArrivalDeleted: 1,
		}
		if err != nil || !cmp.Equal(counts, want) {
			t.Errorf("counts %v, %v, want %v", counts, err, want)
		}
		var fresh int
		if err := db.queryRow(ctx, `select count(*) from arrival where state = 'waiting' and tries = 0 and settled_at is null and reason like 'Somebody asked%'`).Scan(&fresh); err != nil || fresh != 4 {
			t.Errorf("%d fresh arrivals, %v, want the 4 that were sent on their way again", fresh, err)
		}
		wantKind(t, db.RetryArrival(ctx, 4711), postroom.NotFound)
	})
}

func TestEarlierStartLooksAgainAtWhatWasBefore(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		day := func(n int) time.Time { return time.Date(2026, 1, n, 0, 0, 0, 0, time.UTC) }
		dates := []time.Time{day(1), day(5), {}}
		for i, date := range dates {
			id := putArrival(t, db, m.ID, i+1, postroom.ArrivalBeforeStart)
			err := db.commit(ctx, func(t *tx) error {
				return t.exec(`update arrival set internal_date = $1 where id = $2`, nullMicros(date), int64(id))
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		putArrival(t, db, m.ID, 9, postroom.ArrivalQuarantined)
		move := func(start postroom.Start, wantWaiting int64) {
			t.Helper()
			m = mustKeep(t, db, m.ID).Mailbox
			m.Start = start
			if _, err := db.ChangeMailbox(ctx, m, MailboxChange{Seen: m.UpdatedAt, EarlierStart: true}); err != nil {
				t.Fatal(err)
			}
			counts, err := db.ArrivalCounts(ctx, m.ID)
			if err != nil || counts[postroom.ArrivalWaiting] != wantWaiting || counts[postroom.ArrivalQuarantined] != 1 {
				t.Errorf("start %v: %v, %v, want %d waiting", start, counts, err, wantWaiting)
			}
		}
		move(postroom.Start{Kind: postroom.StartDate, At: day(3)}, 2)
		move(postroom.Start{Kind: postroom.StartAll}, 3)
	})
}
