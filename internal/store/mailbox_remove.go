package store

import (
	"context"
	"fmt"

	"github.com/postroom/postroom"
)

const (
	removeMailbox = `
	update mailbox
	set deleted_at = db_now(), next_try_at = null, fault = null, version = version + 1
	where id = $1 and deleted_at is null
	returning deleted_at`

	destroyCredential = `delete from credential where mailbox = $1`
	destroyOutgoing   = `delete from outgoing_credential where mailbox = $1`
	freeLease         = `delete from lease where mailbox = $1`
	closeLinks        = `update sign_in_link set revoked_at = db_now(), sealed = null where mailbox = $1 and used_at is null and revoked_at is null`
	forgetRoundTrips  = `delete from round_trip where mailbox = $1`
	forgetTranscript  = `delete from transcript where mailbox = $1`
	forgetDialogue    = `delete from transcript_line where mailbox = $1`

	// The issues of this mailbox that no other mailbox brought mail to. What was
	// deleted as long ago as this is no longer recoverable, and is erased.
	eraseIssues = `
	update issue
	set deleted_at = cast($2 as bigint)
	where id in (select issue from issue_mailbox where mailbox = $1)
	  and not exists (
		select 1 from issue_mailbox o join mailbox b on b.id = o.mailbox
		where o.issue = issue.id and o.mailbox <> $1 and b.deleted_at is null)
	  and (deleted_at is null or deleted_at > cast($2 as bigint))
	returning id`

	// The mail of those issues, so that the ledger does not call it filed until it is
	// erased.
	deleteTheirArrivals = `
	update arrival
	set state = 'deleted', reason = $3, settled_at = db_now()
	where mailbox = $1 and state = 'filed' and exists (
		select 1 from entry e join issue i on i.id = e.issue where e.id = arrival.entry and i.deleted_at <= cast($2 as bigint))`
)

// DeleteMailbox removes a mailbox from sight and destroys what opens it; tokens of a
// provider go once they have been given back. Its arrivals and fingerprints stay. With erase its issues go too, for good, but for
// those that mail of another mailbox belongs to.
func (db *DB) DeleteMailbox(ctx context.Context, id postroom.MailboxID, erase bool) error {
	return db.commit(ctx, func(t *tx) error {
		var now int64
		switch err := t.row(removeMailbox, int64(id)).Scan(&now); {
		case noRows(err):
			return noMailbox(err)
		case err != nil:
			return fmt.Errorf("delete mailbox %s: %w", id, err)
		}
		if err := t.endGrantsOf(id, 0); err != nil {
			return err
		}
		for _, statement := range []string{destroyCredential, destroyOutgoing, freeLease, closeLinks, forgetRoundTrips, forgetTranscript, forgetDialogue} {
			if err := t.exec(statement, int64(id)); err != nil {
				return fmt.Errorf("delete mailbox %s: %w", id, err)
			}
		}
		t.event(postroom.Event{
			ID: "mailbox.deleted:" + id.String(), Type: postroom.EventMailboxDeleted, At: at(now), Mailbox: id,
		})
		if !erase {
			return nil
		}
		if err := t.eraseIssues(id, now); err != nil {
			return fmt.Errorf("erase issues of mailbox %s: %w", id, err)
		}
		return nil
	})
}

func (t *tx) eraseIssues(id postroom.MailboxID, now int64) error {
	long := now - postroom.RecoverableFor.Microseconds()
	rows, err := t.rows(eraseIssues, int64(id), long)
	if err != nil {
		return err
	}
	issues, err := scanIDs[postroom.IssueID](rows)
	if err != nil {
		return err
	}
	for _, issue := range issues {
		t.event(postroom.Event{
			ID:   fmt.Sprintf("issue.deleted:%s:%d", issue, now),
			Type: postroom.EventIssueDeleted, At: at(now), Mailbox: id, Issue: issue,
		})
	}
	return t.exec(deleteTheirArrivals, int64(id), long, erasedForGood)
}

const (
	arrivalToRetry = `
	select a.mailbox, a.state from arrival a join mailbox b on b.id = a.mailbox
	where a.id = $1 and b.deleted_at is null /*pg for update of a */`

	// Bytes that are here no more are fetched again.
	retryArrival = `
	update arrival
	set state = 'waiting', reason = 'Somebody asked for it to be tried again.', tries = 0, next_try_at = null, settled_at = null,
		raw = (select r.id from raw r where r.id = arrival.raw and r.erased_at is null and r.expired_at is null)
	where id = $1
	returning db_now()`
)

// RetryArrival sends an arrival that was set aside on its way again. An arrival
// that waits already is left as it is; one that is filed is a Conflict.
func (db *DB) RetryArrival(ctx context.Context, id postroom.ArrivalID) error {
	return db.commit(ctx, func(t *tx) error {
		var mailbox postroom.MailboxID
		var state postroom.ArrivalState
		switch err := t.row(arrivalToRetry, int64(id)).Scan(&mailbox, &state); {
		case noRows(err):
			return noArrival(err)
		case err != nil:
			return fmt.Errorf("retry arrival %s: %w", id, err)
		case state == postroom.ArrivalWaiting:
			return nil
		case !state.CanBecome(postroom.ArrivalWaiting):
			return nothingToRetry(state)
		}
		var now int64
		if err := t.row(retryArrival, int64(id)).Scan(&now); err != nil {
			return fmt.Errorf("retry arrival %s: %w", id, err)
		}
		t.mailboxChanged(mailbox, fmt.Sprintf("arrival:%s:%d", id, now), at(now))
		return nil
	})
}

func noArrival(cause error) error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "This arrival is not in the ledger.",
		Remedy:      "Look at the ledger of the mailbox.",
		Err:         cause,
	}
}

func nothingToRetry(state postroom.ArrivalState) error {
	explanation := "This message is filed already."
	switch state {
	case postroom.ArrivalDuplicate:
		explanation = "This message is here already: its content came before."
	case postroom.ArrivalDeleted:
		explanation = "This message was deleted here by a person."
	}
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: explanation,
		Remedy:      "There is nothing to try again. A deleted issue can be recovered from the list of deleted issues.",
	}
}
