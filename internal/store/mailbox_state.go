package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const pauseMailbox = `
	update mailbox
	set state = 'paused', state_since = db_now(), next_try_at = null, version = version + 1
	where id = $1 and deleted_at is null and state <> 'paused'
	returning version, state_since`

// PauseMailbox stops the reading of a mailbox. What was wrong with it stays in
// view. Pausing it twice is a success and does nothing.
func (db *DB) PauseMailbox(ctx context.Context, id postroom.MailboxID) error {
	return db.moveMailbox(ctx, id, pauseMailbox)
}

const resumeMailbox = `
	update mailbox
	set state = case when state <> 'paused' then state when proven_at is null then 'draft' else 'active' end,
	    state_since = case when state = 'paused' then db_now() else state_since end,
	    failures = 0, next_try_at = null, version = version + 1
	where id = $1 and deleted_at is null and state <> 'active'
	returning version, db_now()`

const resumeRefused = `
	update mailbox
	set state = 'delayed', state_since = db_now()
	where id = $1 and state = 'needs_sign_in'`

// ResumeMailbox has a mailbox read again, and tried at once: a paused one becomes
// active, or a draft where it was never proven; one whose sign-in was refused
// becomes delayed; any other keeps its state until the try is over. On an active
// mailbox it does nothing.
func (db *DB) ResumeMailbox(ctx context.Context, id postroom.MailboxID) error {
	return db.moveMailbox(ctx, id, resumeMailbox, resumeRefused)
}

const mailboxIsHere = `select 1 from mailbox where id = $1 and deleted_at is null`

// moveMailbox runs a statement that returns the new version and the instant, or
// no row when there is nothing to do; and then the rest.
func (db *DB) moveMailbox(ctx context.Context, id postroom.MailboxID, first string, rest ...string) error {
	return db.commit(ctx, func(t *tx) error {
		var version, now int64
		err := t.row(first, int64(id)).Scan(&version, &now)
		if noRows(err) {
			var one int
			if err := t.row(mailboxIsHere, int64(id)).Scan(&one); err != nil {
				return noMailbox(err)
			}
			return nil
		}
		for _, statement := range rest {
			if err == nil {
				err = t.exec(statement, int64(id))
			}
		}
		if err != nil {
			return fmt.Errorf("change state of mailbox %s: %w", id, err)
		}
		t.mailboxChanged(id, fmt.Sprint(version), at(now))
		return nil
	})
}

// Trouble is what went wrong at a try to read a mailbox, and what comes next.
type Trouble struct {
	State    postroom.MailboxState // as [postroom.MailboxState.StateFor] tells
	Fault    *postroom.Fault
	NextTry  time.Time // zero: no try is planned
	Failures int       // tries that have failed since one worked, this one included
}

const troubledMailbox = `
	select state, fault from mailbox
	where id = $1 and version = $2 and deleted_at is null and state <> 'paused' /*pg for update */`

const recordTrouble = `
	update mailbox
	set fault = $1, next_try_at = $2, failures = $3,
	    state_since = case when state <> $4 then db_now() else state_since end, state = $4
	where id = $5
	returning db_now()`

// RecordTrouble keeps what went wrong with the mailbox of f. Settings that have
// changed since version, a pause and a removal come first: then the trouble is
// no longer this mailbox's, and is not recorded. An event is appended where the
// state or the cause is another than before, not for each try.
func (db *DB) RecordTrouble(ctx context.Context, f Fence, version int64, trouble Trouble) error {
	return db.recordOutcome(ctx, f, version, func(t *tx, was postroom.MailboxState, before *postroom.Fault) error {
		state := trouble.State
		if !was.CanBecome(state) {
			state = was
		}
		var now int64
		err := t.row(recordTrouble, packFault(trouble.Fault), nullMicros(trouble.NextTry), trouble.Failures, string(state), int64(f.Mailbox)).Scan(&now)
		if err != nil {
			return err
		}
		if state != was || !isSameCause(before, trouble.Fault) {
			t.mailboxChanged(f.Mailbox, fmt.Sprintf("%d:%s:%d", version, state, now), at(now))
		}
		return nil
	})
}

const recordHealth = `
	update mailbox
	set fault = null, next_try_at = null, failures = 0,
	    state_since = case when state <> $1 then db_now() else state_since end, state = $1
	where id = $2
	returning db_now()`

const credentialWorked = `update credential set worked_at = db_now() where mailbox = $1`

// RecordHealth says that the mailbox of f opened: it is active, nothing is wrong
// with it, and its credential works. A draft stays a draft, without a fault,
// until it has been proven. As with RecordTrouble, settings that have changed
// since version come first.
func (db *DB) RecordHealth(ctx context.Context, f Fence, version int64) error {
	return db.recordOutcome(ctx, f, version, func(t *tx, was postroom.MailboxState, before *postroom.Fault) error {
		state := postroom.MailboxActive
		if was == postroom.MailboxDraft {
			state = was
		}
		var now int64
		if err := t.row(recordHealth, string(state), int64(f.Mailbox)).Scan(&now); err != nil {
			return err
		}
		if state != was || before != nil {
			t.mailboxChanged(f.Mailbox, fmt.Sprintf("%d:%s:%d", version, state, now), at(now))
		}
		return t.exec(credentialWorked, int64(f.Mailbox))
	})
}

func (db *DB) recordOutcome(ctx context.Context, f Fence, version int64, do func(*tx, postroom.MailboxState, *postroom.Fault) error) error {
	err := db.commit(ctx, func(t *tx) error {
		if err := t.hold(f); err != nil {
			return err
		}
		var was postroom.MailboxState
		var before sql.NullString
		switch err := t.row(troubledMailbox, int64(f.Mailbox), version).Scan(&was, &before); {
		case noRows(err):
			return nil
		case err != nil:
			return err
		}
		return do(t, was, unpackFault(before))
	})
	if err != nil {
		return fmt.Errorf("record how mailbox %s is: %w", f.Mailbox, err)
	}
	return nil
}

// isSameCause says whether two faults ask the same of the same people.
func isSameCause(a, b *postroom.Fault) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Kind == b.Kind && a.Class == b.Class && a.Explanation == b.Explanation
}
