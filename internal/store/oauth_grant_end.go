package store

import (
	"context"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// isShared holds for a grant while another living one is of the same account and app. Of
// two for one mailbox that are of the same app, and of which one does not say whose it is,
// it may well be so.
const isShared = `(exists (
		select 1 from oauth_grant o
		where o.app = oauth_grant.app and o.account_key = oauth_grant.account_key and o.ended_at is null and o.id <> oauth_grant.id)
	or exists (
		select 1 from oauth_grant o
		where o.mailbox = oauth_grant.mailbox and o.app = oauth_grant.app and o.ended_at is null and o.id <> oauth_grant.id
		  and (o.account_key = '' or oauth_grant.account_key = '')))`

// endGrant ends a grant. What an account allowed an app is given back as a whole, at
// some providers: it is kept while another living grant is of the same account and
// app. Tokens that are not needed for giving it back are destroyed here.
const (
	endGrant = `
	update oauth_grant
	set ended_at = db_now(), next_try_at = null, revocation_at = db_now(), revocation_tries = 0,
	    revocation = case
		when way = 'app' then 'not_offered'
		when ` + isShared + ` then 'shared'
		else 'due' end
	where id = $1 and ended_at is null`

	destroyTokens = `
	update oauth_grant
	set sealed_refresh = null, sealed_former = null, sealed_access = null, lease_holder = '', lease_until = null
	where id = $1 and revocation not in ('', 'due')`

	grantsToEnd = `select id from oauth_grant where mailbox = $1 and ended_at is null and id <> $2 order by id`

	adoptedToEnd = `select oauth_grant from credential where mailbox = $1 and oauth_grant is not null`
)

// EndGrant ends a grant that opens no mailbox, such as one that could not be proven.
// Ending it twice is a success and does nothing.
func (db *DB) EndGrant(ctx context.Context, id postroom.GrantID) error {
	return db.commit(ctx, func(t *tx) error { return t.endGrant(id) })
}

func (t *tx) endGrant(id postroom.GrantID) error {
	for _, statement := range []string{endGrant, destroyTokens} {
		if err := t.exec(statement, int64(id)); err != nil {
			return fmt.Errorf("end grant %s: %w", id, err)
		}
	}
	return nil
}

// endAdopted ends what the credential of a mailbox rests on, where that is a grant.
func (t *tx) endAdopted(id postroom.MailboxID) error {
	return t.endGrants(adoptedToEnd, int64(id))
}

// endGrantsOf ends all grants of a mailbox but one; 0: all.
func (t *tx) endGrantsOf(id postroom.MailboxID, but postroom.GrantID) error {
	return t.endGrants(grantsToEnd, int64(id), int64(but))
}

func (t *tx) endGrants(which string, args ...any) error {
	rows, err := t.rows(which, args...)
	if err != nil {
		return fmt.Errorf("look for grants to end: %w", err)
	}
	ids, err := scanIDs[postroom.GrantID](rows)
	if err != nil {
		return fmt.Errorf("look for grants to end: %w", err)
	}
	for _, id := range ids {
		if err := t.endGrant(id); err != nil {
			return err
		}
	}
	return nil
}

const revocationsDue = `
	select id from oauth_grant where revocation = 'due' and revocation_at <= coalesce(cast($1 as bigint), db_now())
	order by revocation_at limit $2`

// RevocationsDue returns grants that are to be given back to their providers now;
// with a zero instant, by the database's clock.
func (db *DB) RevocationsDue(ctx context.Context, now time.Time, limit int) ([]postroom.GrantID, error) {
	rows, err := db.query(ctx, revocationsDue, nullMicros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list what is to be given back: %w", err)
	}
	ids, err := scanIDs[postroom.GrantID](rows)
	if err != nil {
		return nil, fmt.Errorf("list what is to be given back: %w", err)
	}
	return ids, nil
}

const (
	grantSharedMeanwhile = `
	update oauth_grant set revocation = 'shared', revocation_at = db_now()
	where id = $1 and revocation = 'due' and ` + isShared

	// A refresh that is under way comes first: what it brings is what is given back.
	claimRevocation = `
	update oauth_grant
	set revocation_tries = revocation_tries + 1, revocation_at = coalesce(cast($2 as bigint), db_now()) + $3
	where id = $1 and revocation = 'due' and revocation_at <= coalesce(cast($2 as bigint), db_now())
	  and (lease_until is null or lease_until <= coalesce(cast($2 as bigint), db_now()))
	returning revocation_tries`
)

// ClaimRevocation takes on giving a grant back: nobody else tries before next is over.
// ok is false where somebody else has, or where it must not be given back any more
// because another mailbox lives by the same account and app. tries counts this one.
func (db *DB) ClaimRevocation(ctx context.Context, id postroom.GrantID, now time.Time, next time.Duration) (k KeptGrant, tries int, ok bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		k, tries, ok = KeptGrant{}, 0, false
		for _, statement := range []string{grantSharedMeanwhile, destroyTokens} {
			if err := t.exec(statement, int64(id)); err != nil {
				return err
			}
		}
		switch err := t.row(claimRevocation, int64(id), nullMicros(now), next.Microseconds()).Scan(&tries); {
		case noRows(err):
			return nil
		case err != nil:
			return err
		}
		ok = true
		k, err = scanGrant(t.row(grantByID, int64(id)).Scan)
		return err
	})
	if err != nil {
		return KeptGrant{}, 0, false, fmt.Errorf("give back grant %s: %w", id, err)
	}
	return k, tries, ok, nil
}

const putOffRevocation = `update oauth_grant set revocation_at = $2 where id = $1 and revocation = 'due'`

// PutOffRevocation says when it is tried again to give a grant back.
func (db *DB) PutOffRevocation(ctx context.Context, id postroom.GrantID, until time.Time) error {
	err := db.commit(ctx, func(t *tx) error { return t.exec(putOffRevocation, int64(id), micros(until)) })
	if err != nil {
		return fmt.Errorf("put off giving back grant %s: %w", id, err)
	}
	return nil
}

const settleRevocation = `update oauth_grant set revocation = $2, revocation_at = db_now() where id = $1 and revocation = 'due'`

// RecordRevocation says what became of giving a grant back, and destroys its tokens.
func (db *DB) RecordRevocation(ctx context.Context, id postroom.GrantID, outcome postroom.Revocation) error {
	err := db.commit(ctx, func(t *tx) error {
		if err := t.exec(settleRevocation, int64(id), string(outcome)); err != nil {
			return err
		}
		return t.exec(destroyTokens, int64(id))
	})
	if err != nil {
		return fmt.Errorf("record that grant %s was given back: %w", id, err)
	}
	return nil
}
