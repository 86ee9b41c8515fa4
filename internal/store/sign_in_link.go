package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A KeptLink is a link to sign in, with its secret, sealed.
type KeptLink struct {
	postroom.SignInLink
	Sealed []byte // nil: it is spent
}

const (
	// Of two links for one mailbox that go to the same place the newer one counts.
	replaceLinks = `
	update sign_in_link set revoked_at = $4, sealed = null
	where mailbox = $1 and app = $2 and sent_to = $3 and used_at is null and revoked_at is null`

	insertSignInLink = `
	insert into sign_in_link (hash, mailbox, app, asked_by, sent_to, created_at, expires_at)
	values ($1, $2, $3, $4, $5, $6, $7)
	returning id`

	sealSignInLink = `update sign_in_link set sealed = $2 where id = $1`

	maxSentTo = 320 // bytes of an address
)

// AddSignInLink keeps a link of which hash is the SHA-256; seal makes what is kept of
// its secret. An earlier one for the same mailbox that goes to the same address opens
// nothing any more.
func (db *DB) AddSignInLink(ctx context.Context, l postroom.SignInLink, hash [32]byte, seal func(postroom.SignInLinkID) ([]byte, error)) (postroom.SignInLink, error) {
	l.SentTo = clip(l.SentTo, maxSentTo)
	err := db.commit(ctx, func(t *tx) error {
		var one int
		if err := t.row(mailboxIsHere, int64(l.Mailbox)).Scan(&one); err != nil {
			return noMailbox(err)
		}
		if l.SentTo != "" {
			if err := t.exec(replaceLinks, int64(l.Mailbox), int64(l.App), l.SentTo, micros(l.CreatedAt)); err != nil {
				return fmt.Errorf("replace links of mailbox %s: %w", l.Mailbox, err)
			}
		}
		err := t.row(insertSignInLink, hash[:], int64(l.Mailbox), int64(l.App), nullID(l.By), l.SentTo, micros(l.CreatedAt), micros(l.ExpiresAt)).Scan(&l.ID)
		if err != nil {
			return fmt.Errorf("add a link for mailbox %s: %w", l.Mailbox, err)
		}
		sealed, err := seal(l.ID)
		if err != nil {
			return fmt.Errorf("seal link %s: %w", l.ID, err)
		}
		return t.exec(sealSignInLink, int64(l.ID), sealed)
	})
	return l, err
}

const linkColumns = `
	l.id, l.mailbox, l.app, l.asked_by, l.sent_to, l.created_at, l.expires_at, l.sent_at, l.reminded_at, l.opened_at, l.used_at,
	l.revoked_at, l.sealed`

func scanLink(scan func(into ...any) error, more ...any) (k KeptLink, err error) {
	var by, sent, reminded, opened, used, revoked sql.NullInt64
	var created, expires int64
	err = scan(append([]any{
		&k.ID, &k.Mailbox, &k.App, &by, &k.SentTo, &created, &expires, &sent, &reminded, &opened, &used, &revoked, &k.Sealed,
	}, more...)...)
	k.By, k.CreatedAt, k.ExpiresAt = postroom.UserID(by.Int64), at(created), at(expires)
	k.SentAt, k.RemindedAt, k.OpenedAt = fromMicros(sent), fromMicros(reminded), fromMicros(opened)
	k.UsedAt, k.RevokedAt = fromMicros(used), fromMicros(revoked)
	return k, err
}

const (
	signInLinkByID   = `select ` + linkColumns + ` from sign_in_link l join mailbox m on m.id = l.mailbox where l.id = $1 and m.deleted_at is null`
	signInLinkByHash = `select ` + linkColumns + ` from sign_in_link l join mailbox m on m.id = l.mailbox where l.hash = $1 and m.deleted_at is null`
)

// SignInLink returns a link, or a NotFound fault.
func (db *DB) SignInLink(ctx context.Context, id postroom.SignInLinkID) (KeptLink, error) {
	return foundLink(db.queryRow(ctx, signInLinkByID, int64(id)))
}

// SignInLinkByHash returns the link with this SHA-256, or a NotFound fault.
func (db *DB) SignInLinkByHash(ctx context.Context, hash [32]byte) (KeptLink, error) {
	return foundLink(db.queryRow(ctx, signInLinkByHash, hash[:]))
}

func foundLink(r row) (KeptLink, error) {
	k, err := scanLink(r.Scan)
	switch {
	case noRows(err):
		return KeptLink{}, &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "This link opens nothing, or not any more.",
			Remedy:      "If it came by mail, check that all of it is in the address. Otherwise ask whoever sent it for a new one.",
			Err:         err,
		}
	case err != nil:
		return KeptLink{}, fmt.Errorf("read a link: %w", err)
	}
	return k, nil
}

// A LinkFilter says which links to list.
type LinkFilter struct {
	Mailbox postroom.MailboxID // 0: all
	Open    bool               // only those by which somebody may, and should, still sign in
	Now     time.Time
	Limit   int    // 0: 50; at most 500
	Cursor  string // where the list before ended
}

// A LinkLine is a link in a list, with the mailbox that it is for.
type LinkLine struct {
	postroom.SignInLink
	Address, Name string
	State         postroom.MailboxState
	AskedBy       string // name; empty: a program, or somebody who is gone
	// SignedIn: somebody has signed in for the mailbox since, by this link or otherwise.
	SignedIn bool
}

const signedInSince = `exists (select 1 from oauth_grant g where g.mailbox = l.mailbox and g.adopted_at >= l.created_at)`

const listSignInLinks = `
	select ` + linkColumns + `, m.address, m.name, m.state, coalesce(u.name, ''), ` + signedInSince + `
	from sign_in_link l join mailbox m on m.id = l.mailbox left join app_user u on u.id = l.asked_by
	where m.deleted_at is null
	  and (cast($1 as bigint) = 0 or l.mailbox = cast($1 as bigint))
	  and (not $2 or l.used_at is null and l.revoked_at is null and l.expires_at > $3 and not ` + signedInSince + `)
	  and (cast($4 as bigint) = 0 or l.id < cast($4 as bigint))
	order by l.id desc
	limit $5`

// SignInLinks lists links, the newest first. next continues the list; it is empty at
// its end.
func (db *DB) SignInLinks(ctx context.Context, f LinkFilter) (list []LinkLine, next string, err error) {
	place, err := readCursor(f.Cursor, "links", 1)
	if err != nil {
		return nil, "", err
	}
	var after int64
	if place != nil {
		after = place[0]
	}
	limit := pageSize(f.Limit)
	rows, err := db.query(ctx, listSignInLinks, int64(f.Mailbox), f.Open, micros(f.Now), after, limit+1)
	list, err = collect(rows, err, func(r *sql.Rows) (l LinkLine, err error) {
		k, err := scanLink(r.Scan, &l.Address, &l.Name, &l.State, &l.AskedBy, &l.SignedIn)
		l.SignInLink = k.SignInLink
		return l, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list links: %w", err)
	}
	if len(list) > limit {
		list = list[:limit]
		next = makeCursor("links", int64(list[limit-1].ID))
	}
	return list, next, nil
}

const (
	revokeSignInLink = `update sign_in_link set revoked_at = $2, sealed = null where id = $1 and used_at is null and revoked_at is null`
	endItsSignIns    = `select id from sign_in where link = $1 and ended_at is null and step in ('begun', 'sent', 'asking', 'proposed')`
	dropItsNotices   = `delete from notice where link = $1 and state = 'queued'`
	openedSignInLink = `update sign_in_link set opened_at = $2 where id = $1 and opened_at is null`
	sentSignInLink   = `
	update sign_in_link
	set reminded_at = case when sent_at is null then reminded_at else cast($3 as bigint) end, sent_at = coalesce(sent_at, cast($3 as bigint)), sent_to = $2
	where id = $1`
)

// RevokeSignInLink has a link open nothing any more; f ends the sign-ins that were begun
// by it, and it is not sent any more. ok is false where it was used, or revoked, before.
func (db *DB) RevokeSignInLink(ctx context.Context, id postroom.SignInLinkID, f *postroom.Fault, at time.Time) (ok bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		n, err := t.changed(revokeSignInLink, int64(id), micros(at))
		ok = n > 0
		if err != nil || !ok {
			return err
		}
		if err := t.exec(dropItsNotices, int64(id)); err != nil {
			return err
		}
		rows, err := t.rows(endItsSignIns, int64(id))
		if err != nil {
			return err
		}
		begun, err := scanIDs[postroom.SignInID](rows)
		if err != nil {
			return err
		}
		for _, s := range begun {
			if err := t.refuseSignIn(s, f, nil, at); err != nil && !errors.Is(err, ErrSignInMoved) {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return false, fmt.Errorf("revoke link %s: %w", id, err)
	}
	return ok, nil
}

// RecordLinkOpened notes that somebody has come by a link, the first time.
func (db *DB) RecordLinkOpened(ctx context.Context, id postroom.SignInLinkID, at time.Time) error {
	err := db.commit(ctx, func(t *tx) error { return t.exec(openedSignInLink, int64(id), micros(at)) })
	if err != nil {
		return fmt.Errorf("note that link %s was opened: %w", id, err)
	}
	return nil
}

// RecordLinkSent notes that a link was sent to an address; again, that it was a reminder.
func (db *DB) RecordLinkSent(ctx context.Context, id postroom.SignInLinkID, to string, at time.Time) error {
	err := db.commit(ctx, func(t *tx) error { return t.exec(sentSignInLink, int64(id), clip(to, maxSentTo), micros(at)) })
	if err != nil {
		return fmt.Errorf("note that link %s was sent: %w", id, err)
	}
	return nil
}
