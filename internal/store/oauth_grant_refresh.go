package store

import (
	"context"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A Lease is the right to ask a provider about one grant, which one process has at a
// time.
type Lease struct {
	Grant   postroom.GrantID
	Holder  string // names who asks; no two share a name
	Answers int64  // that the holder knows of: after another one there is nothing to ask
	// For outlives the request and the commit of its answer.
	For time.Duration
	Now time.Time // zero: by the database's clock
}

const leaseGrant = `
	update oauth_grant
	set lease_holder = $2, lease_until = coalesce(cast($3 as bigint), db_now()) + $4,
	    interrupted = interrupted + case when asked_at is null then 0 else 1 end,
	    lost_at = coalesce(lost_at, asked_at),
	    asked_at = coalesce(cast($3 as bigint), db_now())
	where id = $1 and answers = $5 and revocation = ''
	  and (lease_until is null or lease_until <= coalesce(cast($3 as bigint), db_now()))`

// LeaseGrant takes the lease and notes that the provider is asked now. ok is false
// where somebody else has it, or an answer came meanwhile. An earlier answer that was
// never recorded is counted as interrupted.
func (db *DB) LeaseGrant(ctx context.Context, l Lease) (k KeptGrant, ok bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		k, ok = KeptGrant{}, false
		n, err := t.changed(leaseGrant, int64(l.Grant), l.Holder, nullMicros(l.Now), l.For.Microseconds(), l.Answers)
		if err != nil || n == 0 {
			return err
		}
		ok = true
		k, err = scanGrant(t.row(grantByID, int64(l.Grant)).Scan)
		return err
	})
	if err != nil {
		return KeptGrant{}, false, fmt.Errorf("lease grant %s: %w", l.Grant, err)
	}
	return k, ok, nil
}

// A Refreshed is an answer of a provider with tokens.
type Refreshed struct {
	SealedTokens  // all three, as they are from now on
	Scopes        []string
	At            time.Time
	AccessExpires time.Time
	// RefreshExpires is what the provider says about the refresh token; zero: nothing,
	// and what it said before holds unless the token is another.
	RefreshExpires time.Time
	Rotated        bool
	Fault          *postroom.Fault // of what the tokens open, such as too little; nil: none
	NextTry        time.Time       // with Fault, where nothing is asked before; zero: when the token ends
}

const recordRefresh = `
	update oauth_grant
	set sealed_refresh = $3, sealed_former = $4, sealed_access = $5, scopes = $6, refreshed_at = $7, access_expires_at = $8,
	    refresh_expires_at = case when cast($9 as bigint) is not null or $10 then cast($9 as bigint) else refresh_expires_at end,
	    refresh_moves = case when cast($9 as bigint) is null then refresh_moves when refresh_expires_at is null then null
	        else cast($9 as bigint) > refresh_expires_at + 60000000 end,
	    former_at = case when $10 then cast($7 as bigint) else former_at end,
	    failures = 0, next_try_at = $12, fault = $11, failed_at = case when cast($11 as text) is null then null else cast($7 as bigint) end,
	    answers = answers + 1, lease_holder = '', lease_until = null, asked_at = null, lost_at = null
	where id = $1 and lease_holder = $2 and revocation in ('', 'due')`

// RecordRefresh keeps new tokens and gives up the lease. A holder who has lost the
// lease meanwhile records nothing; ok is then false.
func (db *DB) RecordRefresh(ctx context.Context, id postroom.GrantID, holder string, r Refreshed) (ok bool, err error) {
	scopes, err := packScopes(r.Scopes)
	if err != nil {
		return false, err
	}
	err = db.commit(ctx, func(t *tx) error {
		n, err := t.changed(recordRefresh, int64(id), holder, r.Refresh, r.Former, r.Access, scopes, micros(r.At),
			nullMicros(r.AccessExpires), nullMicros(r.RefreshExpires), r.Rotated, packFault(r.Fault), nullMicros(r.NextTry))
		ok = n > 0
		return err
	})
	if err != nil {
		return false, fmt.Errorf("record the refresh of grant %s: %w", id, err)
	}
	return ok, nil
}

// A RefreshTrouble is an answer of a provider without tokens, or none.
type RefreshTrouble struct {
	Fault   *postroom.Fault
	At      time.Time
	NextTry time.Time
	// Lost: the provider may have answered, and what it gave is gone.
	Lost bool
	// Refused: the provider will not take the refresh tokens any more; the former one is
	// of no use either.
	Refused bool
	// Spent: the access token is of no use, whatever its time.
	Spent bool
}

const recordRefreshTrouble = `
	update oauth_grant
	set failures = failures + 1, fault = $3, failed_at = $4, next_try_at = $5,
	    lost_at = case when $6 then coalesce(lost_at, asked_at, $4) else lost_at end,
	    sealed_former = case when $7 then null else sealed_former end,
	    sealed_access = case when $8 then null else sealed_access end,
	    answers = answers + 1, lease_holder = '', lease_until = null, asked_at = null
	where id = $1 and lease_holder = $2 and revocation in ('', 'due')`

// RecordRefreshTrouble keeps why there are no new tokens and gives up the lease, as
// RecordRefresh does. The refresh token stays, whatever the fault.
func (db *DB) RecordRefreshTrouble(ctx context.Context, id postroom.GrantID, holder string, r RefreshTrouble) error {
	err := db.commit(ctx, func(t *tx) error {
		return t.exec(recordRefreshTrouble, int64(id), holder, packFault(r.Fault), micros(r.At), nullMicros(r.NextTry), r.Lost, r.Refused, r.Spent)
	})
	if err != nil {
		return fmt.Errorf("record the trouble of grant %s: %w", id, err)
	}
	return nil
}

const grantUsed = `
	update oauth_grant set used_at = $2
	where id = (select c.oauth_grant from credential c where c.mailbox = $1) and (used_at is null or used_at < $2)`

// RecordGrantUse notes that the grant of a mailbox has opened it; without a grant
// nothing happens.
func (db *DB) RecordGrantUse(ctx context.Context, id postroom.MailboxID, now time.Time) error {
	err := db.commit(ctx, func(t *tx) error { return t.exec(grantUsed, int64(id), micros(now)) })
	if err != nil {
		return fmt.Errorf("record that the grant of mailbox %s was used: %w", id, err)
	}
	return nil
}

const idleGrants = `
	select ` + grantColumns + ` from oauth_grant g
	where g.id > $1 and g.ended_at is null and g.adopted_at is not null and g.sealed_refresh is not null
	  and (coalesce(g.refreshed_at, g.signed_in_at) <= $2 or g.refresh_expires_at is not null)
	order by g.id
	limit $3`

// IdleGrants returns living grants that were last refreshed before an instant, and those
// whose end the provider has stated, in the order of their ids from the one behind after
// on. Their mailboxes may be paused.
func (db *DB) IdleGrants(ctx context.Context, before time.Time, after postroom.GrantID, limit int) ([]postroom.Grant, error) {
	rows, err := db.query(ctx, idleGrants, int64(after), micros(before), limit)
	all, err := collect(rows, err, bareGrant)
	if err != nil {
		return nil, fmt.Errorf("list idle grants: %w", err)
	}
	return all, nil
}

const strayGrants = `
	select id from oauth_grant where ended_at is null and adopted_at is null and signed_in_at <= $1 order by id limit $2`

// StrayGrants returns grants that were proposed before an instant, and never became
// what opens a mailbox.
func (db *DB) StrayGrants(ctx context.Context, before time.Time, limit int) ([]postroom.GrantID, error) {
	rows, err := db.query(ctx, strayGrants, micros(before), limit)
	if err != nil {
		return nil, fmt.Errorf("list stray grants: %w", err)
	}
	ids, err := scanIDs[postroom.GrantID](rows)
	if err != nil {
		return nil, fmt.Errorf("list stray grants: %w", err)
	}
	return ids, nil
}
