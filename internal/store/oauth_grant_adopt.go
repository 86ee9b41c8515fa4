package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// An Adoption says what else is true once a grant has been proven.
type Adoption struct {
	Grant  postroom.GrantID
	SignIn postroom.SignInID // that led to it; 0: none did
	Report []byte            // JSON: the steps of the test that proved it; nil: none
	// Incoming and Outgoing are who signs in to the servers from now on; empty: as before.
	Incoming, Outgoing string
	// Untried: the mailbox could not be opened with it yet, for a reason that passes.
	Untried bool
}

const (
	grantToAdopt = `
	select mailbox from oauth_grant
	where id = $1 and ended_at is null and adopted_at is null /*pg for update */`

	// Whoever came first has used the link; and a password that was entered since counts
	// more than a sign-in before it.
	adoptedTooLate = `
	select 1 from sign_in s
	left join sign_in_link l on l.id = s.link
	left join oauth_grant g on g.id = s.oauth_grant
	left join credential c on c.mailbox = s.mailbox
	where s.id = $1 and (l.used_at is not null or c.kind <> 'oauth' and c.created_at > g.signed_in_at)`

	adoptGrant = `update oauth_grant set adopted_at = $2, used_at = $3 where id = $1`

	adoptCredential = `
	insert into credential (mailbox, kind, sealed, oauth_grant, worked_at, created_at) values ($1, 'oauth', $2, $3, $4, $5)
	on conflict (mailbox) do update
	set kind = excluded.kind, sealed = excluded.sealed, oauth_grant = excluded.oauth_grant,
	    worked_at = excluded.worked_at, created_at = excluded.created_at`

	signInProven = `
	update sign_in
	set step = 'proven', fault = null, sealed = null, report = $2, next_try_at = null, ended_at = $3
	where id = $1 and ended_at is null
	returning link`

	linkUsed = `update sign_in_link set used_at = $2, sealed = null where id = $1 and used_at is null`

	setUsers = `update mailbox set settings = $2, updated_at = $3 where id = $1`
)

// AdoptGrant makes a proposed grant what opens its mailbox, in one commit with all that
// follows: what opened it before is let go, the mailbox is tried at once unless it is
// paused, the sign-in is proven and its link used. Its history and position stay. A
// grant that has ended, is adopted already, or came too late, is a Conflict.
func (db *DB) AdoptGrant(ctx context.Context, a Adoption) error {
	return db.commit(ctx, func(t *tx) error {
		var id postroom.MailboxID
		switch err := t.row(grantToAdopt, int64(a.Grant)).Scan(&id); {
		case noRows(err):
			return endedMeanwhile(err)
		case err != nil:
			return fmt.Errorf("adopt grant %s: %w", a.Grant, err)
		}
		now, err := t.now()
		if err != nil {
			return err
		}
		version, err := t.raiseVersion(id)
		if err != nil {
			return err
		}
		var one int
		switch err := t.row(adoptedTooLate, int64(a.SignIn)).Scan(&one); {
		case err == nil:
			return endedMeanwhile(fmt.Errorf("something else opens mailbox %s since", id))
		case !noRows(err):
			return fmt.Errorf("adopt grant %s of mailbox %s: %w", a.Grant, id, err)
		}
		if err := t.adopt(id, a, now); err != nil {
			return fmt.Errorf("adopt grant %s of mailbox %s: %w", a.Grant, id, err)
		}
		t.mailboxChanged(id, fmt.Sprint(version), now)
		t.event(postroom.Event{
			ID: "mailbox.signed_in:" + a.Grant.String(), Type: postroom.EventSignedIn, At: now, Mailbox: id,
		})
		return nil
	})
}

func (t *tx) adopt(id postroom.MailboxID, a Adoption, now time.Time) error {
	opened := now // a moment ago
	if a.Untried {
		opened = time.Time{}
	}
	if err := t.exec(adoptGrant, int64(a.Grant), micros(now), nullMicros(opened)); err != nil {
		return err
	}
	if err := t.endAdopted(id); err != nil {
		return err
	}
	if err := t.exec(adoptCredential, int64(id), []byte{}, int64(a.Grant), nullMicros(opened), micros(now)); err != nil {
		return err
	}
	if err := t.exec(reopenMailbox, micros(now), int64(id)); err != nil {
		return err
	}
	if err := t.setUsers(id, a, now); err != nil {
		return err
	}
	return t.signInProven(a, now)
}

// signInProven ends the sign-in that led to a grant, and spends its link.
func (t *tx) signInProven(a Adoption, now time.Time) error {
	if a.SignIn == 0 {
		return nil
	}
	var link sql.NullInt64
	report := sql.NullString{String: clean(string(a.Report)), Valid: a.Report != nil}
	err := t.row(signInProven, int64(a.SignIn), report, micros(now)).Scan(&link)
	if noRows(err) || err == nil && !link.Valid {
		return nil
	}
	if err != nil {
		return err
	}
	return t.exec(linkUsed, link.Int64, micros(now))
}

// setUsers changes who signs in to the servers of a mailbox.
func (t *tx) setUsers(id postroom.MailboxID, a Adoption, now time.Time) error {
	k, err := scanMailbox(t.row(mailboxByID, int64(id)).Scan)
	if err != nil {
		return err
	}
	changed := false
	set := func(user *string, to string) {
		if to != "" && *user != to {
			*user, changed = to, true
		}
	}
	set(&k.Incoming.Username, a.Incoming)
	if k.Outgoing != nil {
		set(&k.Outgoing.Username, a.Outgoing)
	}
	if !changed {
		return nil
	}
	settings, err := packSettings(k.Mailbox)
	if err != nil {
		return err
	}
	return t.exec(setUsers, int64(id), settings, micros(later(now, k.UpdatedAt)))
}

func endedMeanwhile(cause error) error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.ConsentMissing, FixBy: postroom.FixByUser,
		Explanation: "This sign-in was replaced by a later one, or the mailbox was removed meanwhile.",
		Remedy:      "Look at the mailbox, and sign in again if it is not being read.",
		Err:         cause,
	}
}
