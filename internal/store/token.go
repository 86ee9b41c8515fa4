package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// A Token opens the API to a program.
type Token struct {
	ID         postroom.TokenID
	Name       string
	Scope      postroom.Scope
	Mailboxes  []postroom.MailboxID // whose mail it may see besides that for everyone; sorted
	CreatedAt  time.Time
	LastUsedAt time.Time // to the minute; zero: never
	RevokedAt  time.Time // zero: it is good
}

const maxTokenName = 200 // bytes

const (
	insertToken = `
	insert into token (name, scope, hash, created_at) values ($1, $2, $3, $4) returning id`

	insertTokenMailbox = `
	insert into token_mailbox (token, mailbox)
	select t.id, m.id from token t, mailbox m where t.id = $1 and m.id = $2 and m.deleted_at is null
	on conflict (token, mailbox) do nothing`
)

// CreateToken adds a token, of which hash is the SHA-256. When one of its
// mailboxes is not there, nothing is added and missing names it.
func (db *DB) CreateToken(ctx context.Context, tk Token, hash [32]byte) (id postroom.TokenID, missing postroom.MailboxID, err error) {
	mailboxes := slices.Clone(tk.Mailboxes)
	slices.Sort(mailboxes)
	err = db.commit(ctx, func(t *tx) error {
		missing = 0
		err := t.row(insertToken, clip(tk.Name, maxTokenName), string(tk.Scope), hash[:], micros(tk.CreatedAt)).Scan(&id)
		if err != nil {
			return fmt.Errorf("create token: %w", err)
		}
		for _, m := range slices.Compact(mailboxes) {
			n, err := t.changed(insertTokenMailbox, int64(id), int64(m))
			if err != nil {
				return fmt.Errorf("create token for mailbox %s: %w", m, err)
			}
			if n == 0 {
				missing = m
				return fmt.Errorf("create token: there is no mailbox %s", m)
			}
		}
		return nil
	})
	if missing != 0 {
		return 0, missing, nil
	}
	return id, 0, err
}

const tokenColumns = `t.id, t.name, t.scope, t.created_at, t.last_used_at, t.revoked_at`

func scanToken(scan func(dest ...any) error) (t Token, err error) {
	var created int64
	var used, revoked sql.NullInt64
	err = scan(&t.ID, &t.Name, &t.Scope, &created, &used, &revoked)
	t.CreatedAt, t.LastUsedAt, t.RevokedAt = at(created), fromMicros(used), fromMicros(revoked)
	return t, err
}

const tokenByHash = `select ` + tokenColumns + ` from token t where t.hash = $1 and t.revoked_at is null`

// Token finds the token that has this SHA-256. A revoked one is not there.
func (db *DB) Token(ctx context.Context, hash [32]byte) (t Token, ok bool, err error) {
	t, err = scanToken(db.queryRow(ctx, tokenByHash, hash[:]).Scan)
	if noRows(err) {
		return Token{}, false, nil
	}
	if err != nil {
		return Token{}, false, fmt.Errorf("find token: %w", err)
	}
	of, err := db.tokenMailboxes(ctx, t.ID)
	if err != nil {
		return Token{}, false, err
	}
	t.Mailboxes = of[t.ID]
	return t, true, nil
}

const allTokens = `select ` + tokenColumns + ` from token t where t.revoked_at is null order by t.id`

// Tokens lists the tokens that are good, the oldest first.
func (db *DB) Tokens(ctx context.Context) ([]Token, error) {
	of, err := db.tokenMailboxes(ctx, 0)
	if err != nil {
		return nil, err
	}
	rows, err := db.query(ctx, allTokens)
	if err != nil {
		return nil, fmt.Errorf("list tokens: %w", err)
	}
	defer rows.Close()
	var tokens []Token
	for rows.Next() {
		t, err := scanToken(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list tokens: %w", err)
		}
		t.Mailboxes = of[t.ID]
		tokens = append(tokens, t)
	}
	return tokens, rows.Err()
}

const (
	mailboxesOfToken  = `select token, mailbox from token_mailbox where token = $1 order by mailbox`
	mailboxesOfTokens = `select token, mailbox from token_mailbox order by mailbox`
)

// tokenMailboxes returns the mailboxes of one token, or with 0 of all.
func (db *DB) tokenMailboxes(ctx context.Context, id postroom.TokenID) (map[postroom.TokenID][]postroom.MailboxID, error) {
	query, args := mailboxesOfTokens, []any(nil)
	if id != 0 {
		query, args = mailboxesOfToken, []any{int64(id)}
	}
	rows, err := db.query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list mailboxes of tokens: %w", err)
	}
	defer rows.Close()
	of := make(map[postroom.TokenID][]postroom.MailboxID)
	for rows.Next() {
		var token postroom.TokenID
		var mailbox postroom.MailboxID
		if err := rows.Scan(&token, &mailbox); err != nil {
			return nil, fmt.Errorf("list mailboxes of tokens: %w", err)
		}
		of[token] = append(of[token], mailbox)
	}
	return of, rows.Err()
}

const touchToken = `
	update token set last_used_at = $2
	where id = $1 and (last_used_at is null or last_used_at < $2)`

// TouchToken notes that a token was used.
func (db *DB) TouchToken(ctx context.Context, id postroom.TokenID, at time.Time) error {
	return db.commit(ctx, func(t *tx) error { return t.exec(touchToken, int64(id), micros(at)) })
}

const revokeToken = `update token set revoked_at = $2 where id = $1 and revoked_at is null`

// RevokeToken makes a token useless for ever. It is false when no good token has
// this id.
func (db *DB) RevokeToken(ctx context.Context, id postroom.TokenID, at time.Time) (ok bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		n, err := t.changed(revokeToken, int64(id), micros(at))
		ok = n > 0
		return err
	})
	return ok, err
}
