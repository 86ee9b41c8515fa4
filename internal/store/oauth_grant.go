package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// SealedTokens are the tokens of a grant as they are kept; nil: there is none.
type SealedTokens struct {
	Refresh []byte
	Former  []byte // the refresh token before, until its successor has worked
	Access  []byte
}

// A KeptGrant is a grant with its tokens, and with what whoever refreshes it needs
// to know.
type KeptGrant struct {
	postroom.Grant
	SealedTokens
	FormerAt   time.Time // when the refresh token last took the place of another; zero: never
	FailedAt   time.Time // when Grant.Fault was; zero: there is none
	LostAt     time.Time // of an answer that was lost since it last worked; zero: none was
	LeaseUntil time.Time // while somebody asks the provider; zero: nobody does
	Answers    int64     // of the provider, so far
	HasWorked  bool      // it has opened the mailbox
	Now        time.Time // the database's clock when this was read
}

// A NewGrant is a grant on its way into the database.
type NewGrant struct {
	postroom.Grant
	// AccountKey is equal for all grants of one account, whatever mailbox they open.
	AccountKey string
	// Seal makes what is kept of the tokens. It is called within the commit, maybe
	// twice, because the grant's id is sealed in with them; it must not wait for
	// anything.
	Seal func(postroom.GrantID) (SealedTokens, error)
}

const (
	insertGrant = `
	insert into oauth_grant (mailbox, app, way, account, account_key, scopes, signed_in_by, signed_in_at,
		access_expires_at, refresh_expires_at)
	values ($1, $2, $3, $4, $5, $6, $7, coalesce(cast($8 as bigint), db_now()), $9, $10)
	returning id, signed_in_at`

	sealGrant = `update oauth_grant set sealed_refresh = $2, sealed_former = $3, sealed_access = $4 where id = $1`
)

// AddGrant keeps what a provider gave, proposed: the mailbox is opened by what
// opened it until then.
func (db *DB) AddGrant(ctx context.Context, n NewGrant) (g postroom.Grant, err error) {
	err = db.commit(ctx, func(t *tx) error {
		g, err = t.addGrant(n)
		return err
	})
	return g, err
}

func (t *tx) addGrant(n NewGrant) (postroom.Grant, error) {
	g := n.Grant
	scopes, err := packScopes(g.Scopes)
	if err != nil {
		return g, err
	}
	var signedIn int64
	err = t.row(insertGrant, int64(g.Mailbox), int64(g.App), string(g.Way), packSignedIn(g.Account), clean(n.AccountKey), scopes,
		nullID(g.SignedInBy), nullMicros(g.SignedInAt), nullMicros(g.AccessExpiresAt), nullMicros(g.RefreshExpiresAt)).Scan(&g.ID, &signedIn)
	if err != nil {
		return g, fmt.Errorf("add grant of mailbox %s: %w", g.Mailbox, err)
	}
	g.SignedInAt = at(signedIn)
	sealed, err := n.Seal(g.ID)
	if err != nil {
		return g, fmt.Errorf("seal grant of mailbox %s: %w", g.Mailbox, err)
	}
	if err := t.exec(sealGrant, int64(g.ID), sealed.Refresh, sealed.Former, sealed.Access); err != nil {
		return g, fmt.Errorf("keep the tokens of grant %s: %w", g.ID, err)
	}
	g.HasRefresh = sealed.Refresh != nil
	return g, nil
}

func packScopes(scopes []string) (string, error) {
	text, err := json.Marshal(scopes)
	if err != nil {
		return "", fmt.Errorf("pack scopes: %w", err)
	}
	return clean(string(text)), nil
}

const grantColumns = `
	g.id, g.mailbox, g.app, g.way, g.account, g.scopes, g.signed_in_by, g.signed_in_at, g.adopted_at, g.ended_at,
	g.access_expires_at, g.refresh_expires_at, g.refreshed_at, g.used_at, g.failures, g.former_at, g.failed_at, g.next_try_at, g.fault,
	g.answers, g.lease_until, g.interrupted, g.lost_at, g.revocation, g.sealed_refresh, g.sealed_former, g.sealed_access, db_now()`

// scanGrant reads grantColumns, and then more.
func scanGrant(scan func(...any) error, more ...any) (k KeptGrant, err error) {
	var (
		account, scopes                                            string
		fault                                                      sql.NullString
		by, adopted, ended, access, refresh, refreshed, used, next sql.NullInt64
		former, failed, lease, lost                                sql.NullInt64
		signedIn, now                                              int64
	)
	g := &k.Grant
	err = scan(append([]any{
		&g.ID, &g.Mailbox, &g.App, &g.Way, &account, &scopes, &by, &signedIn, &adopted, &ended,
		&access, &refresh, &refreshed, &used, &g.Failures, &former, &failed, &next, &fault,
		&k.Answers, &lease, &g.Interrupted, &lost, &g.Revocation, &k.Refresh, &k.Former, &k.Access, &now,
	}, more...)...)
	if err != nil {
		return KeptGrant{}, err
	}
	if g.Account, err = unpackSignedIn(account); err != nil {
		return KeptGrant{}, err
	}
	if err := json.Unmarshal([]byte(scopes), &g.Scopes); err != nil {
		return KeptGrant{}, fmt.Errorf("read the scopes of grant %s: %w", g.ID, err)
	}
	g.SignedInBy, g.SignedInAt = postroom.UserID(by.Int64), at(signedIn)
	g.AdoptedAt, g.EndedAt = fromMicros(adopted), fromMicros(ended)
	g.AccessExpiresAt, g.RefreshExpiresAt = fromMicros(access), fromMicros(refresh)
	g.RefreshedAt, g.UsedAt, g.NextTryAt = fromMicros(refreshed), fromMicros(used), fromMicros(next)
	g.HasRefresh, g.Fault = k.Refresh != nil, unpackFault(fault)
	k.FormerAt = fromMicros(former)
	k.FailedAt, k.LostAt, k.LeaseUntil, k.Now = fromMicros(failed), fromMicros(lost), fromMicros(lease), at(now)
	k.HasWorked = !g.UsedAt.IsZero()
	return k, nil
}

const grantByID = `select ` + grantColumns + ` from oauth_grant g where g.id = $1`

// Grant returns a grant, also one that has ended, or a NotFound fault.
func (db *DB) Grant(ctx context.Context, id postroom.GrantID) (KeptGrant, error) {
	return foundGrant(db.queryRow(ctx, grantByID, int64(id)), id)
}

func foundGrant(r row, id postroom.GrantID) (KeptGrant, error) {
	k, err := scanGrant(r.Scan)
	switch {
	case noRows(err):
		return KeptGrant{}, &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.ConsentMissing, FixBy: postroom.FixByUser,
			Explanation: "This sign-in is not here any more.",
			Remedy:      "Open the mailbox and choose Sign in.",
			Err:         err,
		}
	case err != nil:
		return KeptGrant{}, fmt.Errorf("read grant %s: %w", id, err)
	}
	return k, nil
}

const grantsOfMailbox = `select ` + grantColumns + ` from oauth_grant g where g.mailbox = $1 order by g.id desc limit 100`

// Grants returns what providers gave for a mailbox, the newest first, ended ones too;
// not more than a hundred.
func (db *DB) Grants(ctx context.Context, id postroom.MailboxID) ([]postroom.Grant, error) {
	rows, err := db.query(ctx, grantsOfMailbox, int64(id))
	all, err := collect(rows, err, bareGrant)
	if err != nil {
		return nil, fmt.Errorf("list the grants of mailbox %s: %w", id, err)
	}
	return all, nil
}

func bareGrant(r *sql.Rows) (postroom.Grant, error) {
	k, err := scanGrant(r.Scan)
	return k.Grant, err
}
