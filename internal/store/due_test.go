package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// due are the arrivals of a mailbox with something to do on the server now.
func (p *postman) due(id postroom.MailboxID) (arrivals []postroom.ArrivalID, all []Due) {
	p.t.Helper()
	all, err := p.db.DueActions(context.Background(), p.box[id].ID, 100)
	p.must(err)
	for _, d := range all {
		arrivals = append(arrivals, d.Arrival)
	}
	next, ok, err := p.db.NextDue(context.Background(), p.box[id].ID)
	p.must(err)
	if len(all) > 0 && (!ok || next.After(time.Now())) {
		p.t.Errorf("the next action is due at %v, %v, and %d are due now", next, ok, len(all))
	}
	return arrivals, all
}

func (p *postman) wantDue(what string, id postroom.MailboxID, want ...postroom.ArrivalID) {
	p.t.Helper()
	if got, _ := p.due(id); !cmp.Equal(got, want) {
		p.t.Errorf("%s: due are %v, want %v", what, got, want)
	}
}

// put has a mail come in the given bytes, and files it.
func (p *postman) put(id postroom.MailboxID, raw string, m postroom.Mail) (postroom.ArrivalID, Filed) {
	p.t.Helper()
	arrival := p.bring(id, raw, m.MessageID != "")
	filed, err := p.db.File(context.Background(), p.filing(id, arrival, m))
	p.must(err)
	return arrival, filed
}

func TestWhatIsDueOnTheServer(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.after = postroom.AfterImportKeep
		_, filed := p.put(box, "kept", letterOf("kept"))
		if filed.Due || filed.Mailbox != box {
			t.Errorf("%+v, want nothing due in mailbox %s", filed, box)
		}
		p.after, p.folder = postroom.AfterImportMove, "Done"
		first := p.bring(box, "first", true)
		p.wantDue("waiting to be filed", box)
		if _, ok, err := db.NextDue(ctx, p.box[box].ID); ok || err != nil {
			t.Errorf("something is due before it is filed: %v", err)
		}
		filed, err := db.File(ctx, p.filing(box, first, letterOf("first")))
		p.must(err)
		if !filed.Due {
			t.Error("filing does not say that something is due")
		}
		again := p.bring(box, "first", true)
		p.wantDue("filed, and a copy", box, first, again)
		_, all := p.due(box)
		for i, d := range all {
			if d.Action != postroom.AfterImportMove || d.Folder != "Done" || d.MessageID != "first" || d.SizeBytes != 5 || len(d.SHA256) != 32 ||
				d.Name.UID != uint32(2+i) || d.Copied || d.Tries != 0 {
				t.Errorf("due is %+v", d)
			}
		}

		f := p.fence(box)
		p.must(db.RecordCopied(ctx, f, []postroom.ArrivalID{first}))
		later := time.Now().Add(time.Hour)
		p.must(db.RecordUndone(ctx, f, []postroom.ArrivalID{again}, "The folder is full.", later))
		p.wantDue("one is put off", box, first)
		if _, all := p.due(box); !all[0].Copied {
			t.Error("that the copy is made is forgotten")
		}
		p.must(db.RecordDone(ctx, f, []postroom.ArrivalID{first}, "Marked as deleted."))
		p.wantDue("one is done", box)
		next, ok, err := db.NextDue(ctx, p.box[box].ID)
		if err != nil || !ok || !next.Equal(later.Truncate(time.Microsecond)) {
			t.Errorf("next due %v, %v, %v, want %v", next, ok, err, later)
		}
		p.must(db.RecordUndone(ctx, f, []postroom.ArrivalID{again}, "The folder is full.", time.Now().Add(-time.Second)))
		if _, all := p.due(box); len(all) != 1 || all[0].Tries != 2 {
			t.Errorf("%+v, want one with 2 tries", all)
		}

		ana := postroom.Viewer{User: addPerson(t, db, "ana@example.net"), Role: postroom.RoleAdmin}
		line, err := db.Reader().Arrival(ctx, ana, again)
		p.must(err)
		if !line.Due || line.DueReason != "The folder is full." || line.AfterImport != postroom.AfterImportMove || line.MoveTo != "Done" {
			t.Errorf("the ledger says %+v", line)
		}
		for what, err := range map[string]error{
			"RecordCopied": db.RecordCopied(ctx, Fence{Mailbox: box}, []postroom.ArrivalID{again}),
			"RecordDone":   db.RecordDone(ctx, Fence{Mailbox: box}, []postroom.ArrivalID{again}, ""),
			"RecordUndone": db.RecordUndone(ctx, Fence{Mailbox: box}, []postroom.ArrivalID{again}, "", later),
			"BookList":     db.BookList(ctx, Fence{Mailbox: box}, p.box[box], nil, []postroom.ArrivalID{again}),
			"BookMissing":  db.BookMissing(ctx, Fence{Mailbox: box}, p.box[box], nil),
			"RecordRescan": db.RecordRescan(ctx, Fence{Mailbox: box}, 1),
		} {
			if !errors.Is(err, ErrFenced) {
				t.Errorf("%s without the lease = %v, want ErrFenced", what, err)
			}
		}
	})
}

// Nothing is done with what was set aside, nor with a copy of it.
func TestNothingIsDueForWhatIsNotSafelyHere(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.after = postroom.AfterImportDelete
		first := p.bring(box, "bytes", true)
		again := p.bring(box, "bytes", true)
		p.wantDue("a copy of what waits", box)
		_, err := db.RecordFailedTry(ctx, p.fence(box), first, "It cannot be read.", time.Now(), 1)
		p.must(err)
		p.wantDue("a copy of what was set aside", box)
		p.must(db.RetryArrival(ctx, first))
		filed, err := db.File(ctx, p.filing(box, first, letterOf("first")))
		p.must(err)
		if !filed.Due {
			t.Error("nothing is due for what was tried again")
		}
		p.wantDue("filed after all", box, first, again)

		p.must(db.BookNames(ctx, p.fence(box), p.box[box], []Listed{{Name: postroom.Name{UID: 1}, State: postroom.ArrivalBeforeStart, Reason: "old"}}, 1))
		p.wantDue("what was before the start is nobody's business", box, first, again)
	})
}

func TestWhatIsGoneIsNotDue(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.postOffice("support")
		p.after = postroom.AfterImportDelete
		first, _ := p.put(box, "bytes", letterOf("first"))
		second, _ := p.put(box, "other bytes", letterOf("second"))
		p.wantDue("both are here", box, first, second)
		p.bookList(box, nil, first)
		p.wantDue("one is gone", box, second)
	})
}

// A changed action counts for what comes from then on, also where a new numbering
// shows old mail again.
func TestChangedActionIsNotRetroactive(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		p.after = postroom.AfterImportKeep
		p.put(box, "old bytes", letterOf("old"))
		p.put(box, "older bytes", letterOf("older"))
		p.put(box, "nameless bytes", letterOf(""))
		p.after, p.folder = postroom.AfterImportMove, "Done"
		p.put(box, "moved bytes", letterOf("moved"))
		p.after, p.folder = postroom.AfterImportDelete, ""
		copied := p.bring(box, "old bytes", true)
		p.wantDue("a copy in the same numbering, and the moved one", box, copied-1, copied)

		for round := range 2 {
			p.renumber(box)
			exact := p.bring(box, "old bytes", true)
			_, other := p.put(box, "older bytes, other line ends", letterOf("older"))
			_, nameless := p.put(box, "nameless bytes", letterOf(""))
			moved, again := p.put(box, "moved bytes, otherwise", letterOf("moved"))
			_, fresh := p.put(box, []string{"fresh", "fresher"}[round], letterOf([]string{"fresh", "fresher"}[round]))
			if other.Due || nameless.Due || !again.Due || !fresh.Due {
				t.Errorf("round %d: due are %v, %v, %v, %v, want none for what was kept", round, other.Due, nameless.Due, again.Due, fresh.Due)
			}
			_, all := p.due(box)
			if len(all) != 2 || all[0].Arrival != moved || all[0].Action != postroom.AfterImportMove || all[0].Folder != "Done" || all[1].Action != postroom.AfterImportDelete {
				t.Errorf("round %d: %+v (arrival %s is a copy of what was kept)", round, all, exact)
			}
		}
	})
}
