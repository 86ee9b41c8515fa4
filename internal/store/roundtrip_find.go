package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postroom/postroom"
)

// A RoundTripFound is where the mail of a round trip is, as far as it is known here.
type RoundTripFound struct {
	Mail      postroom.MailID // 0: it has not been understood yet
	MessageID string          // with which it came
	Issue     postroom.IssueID
	Number    int64              // of the issue; 0: it has none
	Arrivals  []RoundTripArrival // in the mailbox, the first one first
	// Bounces have come to the mailbox since, the newest first; only while the mail
	// itself has not.
	Bounces []RoundTripBounce
	// Waiting says that the server has shown mail since, which is being brought in.
	Waiting bool
}

// A RoundTripBounce is a report that some mail was not delivered.
type RoundTripBounce struct {
	Raw    postroom.RawID
	Number int64 // of the issue that has it
}

// A RoundTripArrival is a line of the ledger for the mail of a round trip.
type RoundTripArrival struct {
	postroom.Arrival
	Folder      string
	UIDValidity uint32
	Ended       bool // the folder is counted otherwise now, or read no more
	Due         bool // what is to happen after import has not happened yet
}

const (
	mailCalled = `
	select m.id, m.message_id from mail m
	where m.message_id_hash = $1 and exists (select 1 from arrival a where a.mail = m.id and a.mailbox = $2)
	order by m.id limit 1`

	// Some servers give every mail a Message-ID of their own. What says that the mail did
	// not arrive, or answers it, is not the mail, though it may be called the same.
	mailTitled = `
	select m.id, m.message_id from (
		select id, mail from arrival where mailbox = $1 and state = 'filed' and mail is not null order by id desc limit 100) a
	join mail m on m.id = a.mail
	where m.subject = $2 and m.kind not in ('bounce', 'delay', 'delivered', 'auto_reply', 'receipt', 'report') order by a.id limit 1`

	tripArrivals = `
	select a.id, a.state, a.uid, a.uidl, a.occurrence, a.seen_at, a.settled_at, n.folder, n.uid_validity, n.ended_at is not null,
		a.due_action <> '' and n.ended_at is null
	from arrival a join numbering n on n.id = a.numbering where a.mail = $1 and a.mailbox = $2 order by a.id limit 20`

	tripIssue = `select i.id, i.number from entry e join issue i on i.id = e.issue where e.mail = $1`

	tripBounces = `
	select m.raw, i.number from (
		select mail, entry, seen_at from arrival where mailbox = $1 and state = 'filed' and mail is not null order by id desc limit 20) a
	join mail m on m.id = a.mail join entry e on e.id = a.entry join issue i on i.id = e.issue
	where m.kind = 'bounce' and a.seen_at >= $2 order by m.id desc limit 5`

	tripWaiting = `
	select count(*) from (select seen_at from arrival where mailbox = $1 and state = 'waiting' order by id desc limit 10) a
	where a.seen_at >= $2`
)

// FindRoundTrip looks for the mail of a round trip among the arrivals of its
// mailbox: by its Message-ID, or where a server has replaced that, by its subject.
func (db *DB) FindRoundTrip(ctx context.Context, r RoundTrip) (f RoundTripFound, err error) {
	if err := db.findTrip(ctx, r, &f); err != nil {
		return RoundTripFound{}, fmt.Errorf("look for the round trip of mailbox %s: %w", r.Mailbox, err)
	}
	return f, nil
}

func (db *DB) findTrip(ctx context.Context, r RoundTrip, f *RoundTripFound) error {
	own := idHash(r.MessageID)
	err := db.queryRow(ctx, mailCalled, own, int64(r.Mailbox)).Scan(&f.Mail, &f.MessageID)
	if noRows(err) {
		err = db.queryRow(ctx, mailTitled, int64(r.Mailbox), r.Subject).Scan(&f.Mail, &f.MessageID)
	}
	if noRows(err) {
		return db.findTripBounces(ctx, r, f)
	}
	if err != nil {
		return err
	}
	if err := db.queryRow(ctx, tripIssue, int64(f.Mail)).Scan(&f.Issue, &f.Number); err != nil && !noRows(err) {
		return err
	}
	rows, err := db.query(ctx, tripArrivals, int64(f.Mail), int64(r.Mailbox))
	f.Arrivals, err = collect(rows, err, func(rows *sql.Rows) (a RoundTripArrival, err error) {
		var seen int64
		var settled sql.NullInt64
		err = rows.Scan(&a.ID, &a.State, &a.Name.UID, &a.Name.UIDL, &a.Name.Occurrence, &seen, &settled, &a.Folder, &a.UIDValidity, &a.Ended, &a.Due)
		a.SeenAt, a.SettledAt = at(seen), fromMicros(settled)
		return a, err
	})
	return err
}

// findTripBounces looks for what may have come instead.
func (db *DB) findTripBounces(ctx context.Context, r RoundTrip, f *RoundTripFound) error {
	rows, err := db.query(ctx, tripBounces, int64(r.Mailbox), micros(r.BegunAt))
	f.Bounces, err = collect(rows, err, func(rows *sql.Rows) (b RoundTripBounce, err error) {
		err = rows.Scan(&b.Raw, &b.Number)
		return b, err
	})
	if err != nil {
		return err
	}
	var waiting int
	err = db.queryRow(ctx, tripWaiting, int64(r.Mailbox), micros(r.BegunAt)).Scan(&waiting)
	f.Waiting = waiting > 0
	return err
}

// RoundTripIssue is what became of the issue of a round trip.
type RoundTripIssue string

const (
	RoundTripIssueDeleted RoundTripIssue = "deleted" // now, or before
	RoundTripIssueUsed    RoundTripIssue = "used"    // somebody has done something with it; it stays
	RoundTripIssueNone    RoundTripIssue = "none"    // there is none
)

const tripIssueToDelete = `
	select i.id, i.number, i.deleted_at is not null, (select count(*) from entry x where x.issue = i.id)
	from entry e join issue i on i.id = e.issue where e.mail = $1 /*pg for update of i */`

// DeleteRoundTripIssue deletes the issue that a round trip has made, in the name of
// who asked for it, as people delete issues: it can be recovered for 30 days. One
// in which there is anything else stays.
func (db *DB) DeleteRoundTripIssue(ctx context.Context, by postroom.Viewer, mailbox postroom.MailboxID, mail postroom.MailID) (what RoundTripIssue, err error) {
	err = db.commit(ctx, func(t *tx) error {
		what = RoundTripIssueDeleted
		i := issueNow{mailbox: mailbox}
		var entries int
		err := t.row(tripIssueToDelete, int64(mail)).Scan(&i.id, &i.number, &i.isDeleted, &entries)
		switch {
		case noRows(err):
			what = RoundTripIssueNone
			return nil
		case err != nil || i.isDeleted:
			return err
		case entries != 1:
			what = RoundTripIssueUsed
			return nil
		}
		_, when, err := t.tell(by, i, postroom.EntryChange, "Deleted: it was a test, and is through", postroom.EventIssueDeleted)
		if err != nil {
			return err
		}
		if err := t.exec(`update issue set deleted_at = $2 where id = $1`, int64(i.id), when); err != nil {
			return err
		}
		return t.exec(deleteArrivals, int64(i.id), fmt.Sprintf("Issue %d was deleted by %s, after a round trip.", i.number, clip(by.Name, 200)))
	})
	if err != nil {
		return "", fmt.Errorf("delete the issue of a round trip of mailbox %s: %w", mailbox, err)
	}
	return what, nil
}
