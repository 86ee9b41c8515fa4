package store

import (
	"context"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func (h *house) arrivalState(id postroom.ArrivalID) (state postroom.ArrivalState, reason string) {
	h.t.Helper()
	h.must(h.db.queryRow(context.Background(), `select state, reason from arrival where id = $1`, int64(id)).Scan(&state, &reason))
	return state, reason
}

func (h *house) count(query string, args ...any) (n int) {
	h.t.Helper()
	h.must(h.db.queryRow(context.Background(), query, args...).Scan(&n))
	return n
}

func TestClosingTwiceHappensOnce(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.support, 0, "Printer", "On fire")
		for i, want := range []bool{true, false} {
			changed, err := db.SetIssueState(ctx, h.ana, a.issue, postroom.IssueClosed, "Closed")
			h.must(err)
			if changed != want {
				t.Errorf("close %d: changed = %v, want %v", i+1, changed, want)
			}
		}
		for i, want := range []bool{true, false} {
			changed, err := db.AssignIssue(ctx, h.program, a.issue, h.ben.User, "Assigned to Ben")
			h.must(err)
			if changed != want {
				t.Errorf("assign %d: changed = %v, want %v", i+1, changed, want)
			}
		}
		line, err := h.r.Issue(ctx, h.ana, a.issue)
		h.must(err)
		if line.State != postroom.IssueClosed || line.AssigneeName != "Ben" || line.Entries != 3 {
			t.Errorf("issue = %+v", line)
		}
		entries, _, err := h.r.Entries(ctx, h.ana, a.issue, 0, "")
		h.must(err)
		if len(entries) != 3 || entries[1].Text != "Closed" || entries[1].AuthorName != "Ana" || entries[2].AuthorName != "program" {
			t.Errorf("entries = %+v", entries)
		}
		events, err := h.r.Events(ctx, h.ana, 1, 0)
		h.must(err)
		if len(events) != 2 || events[0].Type != postroom.EventIssueChanged || events[0].Issue != a.issue || events[0].Mailbox != h.support || events[0].ID == events[1].ID {
			t.Errorf("events = %+v", events)
		}
		h.wantIssues("Ben's", h.ben, IssueFilter{Assignee: h.ben.User}, a.issue)
	})
}

func TestHiddenIssueCannotBeChanged(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.privat, 0, "Salary", "Raise")
		_, closing := db.SetIssueState(ctx, h.ana, a.issue, postroom.IssueClosed, "Closed")
		_, assigning := db.AssignIssue(ctx, h.ana, a.issue, h.ana.User, "Assigned")
		_, noting := db.NoteIssue(ctx, h.ana, a.issue, "mine")
		_, deleting := db.DeleteIssue(ctx, h.ana, a.issue)
		_, recovering := db.RecoverIssue(ctx, h.ana, a.issue)
		for what, err := range map[string]error{"close": closing, "assign": assigning, "note": noting, "delete": deleting, "recover": recovering} {
			if postroom.KindOf(err) != postroom.NotFound {
				t.Errorf("%s: %v, want not found", what, err)
			}
		}
	})
}

func TestNoteIsFoundAtOnce(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.support, 0, "Printer", "On fire")
		b := h.file(h.support, 0, "Invoice", "Later")
		note, err := db.NoteIssue(ctx, h.ben, a.issue, "The Tönerkartusche leaks")
		h.must(err)
		h.wantIssues("search", h.ana, IssueFilter{Query: "toner"}, a.issue)
		h.wantIssues("list", h.ana, IssueFilter{}, a.issue, b.issue)
		if note.ID == 0 || note.At.IsZero() {
			t.Errorf("note = %+v", note)
		}
	})
}

func TestDeletedIssueComesBack(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.support, 0, "Printer", "On fire")
		for i, want := range []bool{true, false} {
			changed, err := db.DeleteIssue(ctx, h.ana, a.issue)
			h.must(err)
			if changed != want {
				t.Errorf("delete %d: changed = %v, want %v", i+1, changed, want)
			}
		}
		if state, reason := h.arrivalState(a.arrival); state != postroom.ArrivalDeleted || reason != "Issue 1 was deleted by Ana." {
			t.Errorf("arrival = %s, %q", state, reason)
		}
		h.wantIssues("list", h.ana, IssueFilter{})
		h.wantIssues("search", h.ana, IssueFilter{Query: "printer"})
		h.wantIssues("deleted", h.ana, IssueFilter{Deleted: true}, a.issue)
		if _, err := db.SetIssueState(ctx, h.ana, a.issue, postroom.IssueClosed, "Closed"); postroom.KindOf(err) != postroom.Conflict {
			t.Errorf("closing a deleted issue: %v, want conflict", err)
		}
		// The same mail comes again and is settled as deleted, without an entry.
		var again postroom.ArrivalID
		h.do(func(tx *tx) error {
			return tx.row(`insert into arrival (mailbox, numbering, uid, uidl, occurrence, state, reason, seen_at, raw, mail, settled_at)
				select mailbox, numbering, 999, '', 0, 'deleted', 'again', 1, raw, mail, 1 from arrival where id = $1 returning id`, int64(a.arrival)).Scan(&again)
		})
		changed, err := db.RecoverIssue(ctx, h.ana, a.issue)
		h.must(err)
		if !changed {
			t.Error("recover changed nothing")
		}
		for _, id := range []postroom.ArrivalID{a.arrival, again} {
			line, err := h.r.Arrival(ctx, h.ana, id)
			h.must(err)
			if line.State != postroom.ArrivalFiled || line.Entry != a.entry {
				t.Errorf("arrival = %+v, want filed under entry %s", line, a.entry)
			}
		}
		h.wantIssues("list", h.ana, IssueFilter{}, a.issue)
		h.wantIssues("search", h.ana, IssueFilter{Query: "printer"}, a.issue)
	})
}

func TestErasedIssueLeavesFingerprintsOnly(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := newHouse(t, db)
		a := h.file(h.support, 0, "Printer", "On fire")
		stays := h.file(h.support, 0, "Invoice", "Later")
		shared := h.file(h.privat, 0, "Circular", "To all")
		h.do(func(tx *tx) error { // the same bytes are also those of a's mail
			return tx.exec(`update arrival set raw = (select raw from mail where id = $1) where id = $2`, int64(a.mail), int64(shared.arrival))
		})
		_, err := db.NoteIssue(ctx, h.ana, a.issue, "toner")
		h.must(err)
		_, err = db.DeleteIssue(ctx, h.ana, a.issue)
		h.must(err)
		erase := func(want int) {
			t.Helper()
			n, err := db.EraseDeleted(ctx, time.Now().Add(time.Hour), 10)
			h.must(err)
			if n != want {
				t.Fatalf("erased %d, want %d", n, want)
			}
		}
		n, err := db.EraseDeleted(ctx, time.Now().Add(-time.Hour), 10)
		h.must(err)
		if n != 0 {
			t.Fatalf("erased %d too early", n)
		}
		erase(1)
		erase(0)
		if h.count(`select count(*) from raw where erased_at is not null`) != 0 {
			t.Error("bytes that another arrival needs are erased")
		}
		_, err = db.DeleteIssue(ctx, h.ben, shared.issue)
		h.must(err)
		erase(1)
		if n := h.count(`select count(*) from raw where erased_at is not null and sha256 is not null`); n != 2 {
			t.Errorf("%d raws are erased to their fingerprints, want 2", n)
		}
		if n := h.count(`select count(*) from raw_chunk`); n != 1 {
			t.Errorf("%d chunks are left, want that of the issue that stays", n)
		}
		if n := h.count(`select count(*) from mail where id = $1 and message_id_hash is not null and subject = '' and from_address = '' and message_id = '' and preview = '' and facts = '{}'`, int64(a.mail)); n != 1 {
			t.Error("the mail is not erased to its fingerprints")
		}
		for what, v := range map[string]postroom.Viewer{"Ana": h.ana, "Ben": h.ben} {
			if _, err := h.r.Issue(ctx, v, a.issue); postroom.KindOf(err) != postroom.NotFound {
				t.Errorf("%s reads an erased issue: %v", what, err)
			}
			if _, err := h.r.Mail(ctx, v, a.mail); postroom.KindOf(err) != postroom.NotFound {
				t.Errorf("%s reads an erased mail: %v", what, err)
			}
			if _, err := db.RecoverIssue(ctx, v, a.issue); postroom.KindOf(err) != postroom.NotFound {
				t.Errorf("%s recovers an erased issue: %v", what, err)
			}
		}
		if state, _ := h.arrivalState(a.arrival); state != postroom.ArrivalDeleted {
			t.Errorf("arrival = %s, want deleted", state)
		}
		h.wantIssues("deleted", h.ana, IssueFilter{Deleted: true})
		h.wantIssues("list", h.ana, IssueFilter{}, stays.issue)
		h.wantIssues("search", h.ana, IssueFilter{Query: "toner"})
	})
}
