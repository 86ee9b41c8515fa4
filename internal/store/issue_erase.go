package store

import (
	"context"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const issuesToErase = `
	select id from issue where deleted_at < $1 and deleted_at is not null and erased_at is null
	order by deleted_at limit $2 /*pg for update skip locked */`

// EraseDeleted erases at most limit issues that were deleted before an instant:
// subjects, people, texts, notes, words and bytes. What stays are fingerprints (the
// hash of the Message-ID, the digest, the SHA-256 of the bytes), so that the same
// mail does not come back, and the arrivals, so that the ledger balances.
func (db *DB) EraseDeleted(ctx context.Context, before time.Time, limit int) (erased int, err error) {
	nothing := packBody(mailBody{})
	err = db.commit(ctx, func(t *tx) error {
		erased = 0
		rows, err := t.rows(issuesToErase, micros(before), limit)
		if err != nil {
			return err
		}
		issues, err := scanIDs[postroom.IssueID](rows)
		if err != nil {
			return err
		}
		for _, id := range issues {
			if err := t.eraseIssue(id, nothing); err != nil {
				return fmt.Errorf("issue %s: %w", id, err)
			}
			erased++
		}
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("erase deleted issues: %w", err)
	}
	return erased, nil
}

// erasedForGood is the reason of an arrival whose issue cannot be recovered.
const erasedForGood = "Its issue was deleted for good."

const eraseIssue = `
	update issue set subject = '', requester_name = '', requester_address = '', preview = '', assignee = null, erased_at = db_now(),
		entries = (select count(*) from entry where issue = $1)
	where id = $1`

func (t *tx) eraseIssue(id postroom.IssueID, nothing []byte) error {
	rows, err := t.rows(`select id from entry where issue = $1`, int64(id))
	if err != nil {
		return err
	}
	entries, err := scanIDs[postroom.EntryID](rows)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := forgetEntry(t, e); err != nil {
			return err
		}
	}
	if err := t.exec(deleteArrivals, int64(id), erasedForGood); err != nil {
		return err
	}
	rows, err = t.rows(`select mail from entry where issue = $1 and mail is not null`, int64(id))
	if err != nil {
		return err
	}
	mails, err := scanIDs[postroom.MailID](rows)
	if err != nil {
		return err
	}
	for _, m := range mails {
		if err := t.eraseMail(m, id, nothing); err != nil {
			return err
		}
	}
	if err := t.exec(`delete from entry where issue = $1 and mail is null`, int64(id)); err != nil {
		return err
	}
	return t.exec(eraseIssue, int64(id))
}

const eraseMail = `
	update mail set message_id = '', subject = '', from_name = '', from_address = '', kind_reason = '', preview = '', facts = '{}', body = $2
	where id = $1`

// rawsOfMail: a mail that came twice may have come in different bytes.
const rawsOfMail = `
	select raw from mail where id = $1
	union select raw from arrival where mail = $1 and raw is not null`

func (t *tx) eraseMail(id postroom.MailID, issue postroom.IssueID, nothing []byte) error {
	rows, err := t.rows(rawsOfMail, int64(id))
	if err != nil {
		return err
	}
	raws, err := scanIDs[postroom.RawID](rows)
	if err != nil {
		return err
	}
	if err := t.exec(eraseMail, int64(id), nothing); err != nil {
		return err
	}
	if err := t.exec(`delete from mail_reference where mail = $1`, int64(id)); err != nil {
		return err
	}
	for _, raw := range raws {
		if err := t.eraseRaw(raw, issue); err != nil {
			return err
		}
	}
	return nil
}

// rawInUse: the same bytes may be those of a mail in another issue, and of an
// arrival that is still on its way or can be tried again.
const rawInUse = `
	select (select count(*) from arrival a where a.raw = $1 and (a.state not in ('deleted', 'duplicate')
			or exists (select 1 from entry e join issue i on i.id = e.issue
				where e.mail = a.mail and i.id <> $2 and i.erased_at is null)))
		+ (select count(*) from mail m join entry e on e.mail = m.id join issue i on i.id = e.issue
			where m.raw = $1 and i.id <> $2 and i.erased_at is null)`

func (t *tx) eraseRaw(id postroom.RawID, issue postroom.IssueID) error {
	if err := t.lockRaw(id); err != nil {
		return err
	}
	var uses int
	if err := t.row(rawInUse, int64(id), int64(issue)).Scan(&uses); err != nil || uses > 0 {
		return err
	}
	if err := t.emptyRaw(id); err != nil {
		return err
	}
	return t.exec(`update raw set erased_at = db_now() where id = $1 and erased_at is null`, int64(id))
}
