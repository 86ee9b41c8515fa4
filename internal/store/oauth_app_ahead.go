package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A GrantAhead is what is known of when a grant ends that opens a mailbox now.
type GrantAhead struct {
	Grant      postroom.GrantID
	Mailbox    postroom.MailboxID
	App        postroom.OAuthAppID
	Way        postroom.GrantWay
	SignedInAt time.Time
	HasRefresh bool
	Refreshed  time.Time // last; zero: never yet
	// Ends is when the provider says that the refresh token ends; zero: it does not say.
	// Moves: refreshing puts that off; Firm: it does not. Neither: nobody has seen yet.
	Ends        time.Time
	Moves, Firm bool
	Fault       *postroom.Fault // of refreshing; nil: none
	FailedAt    time.Time       // when Fault was
}

const grantsAhead = `
	select g.id, g.mailbox, g.app, g.way, g.signed_in_at, g.sealed_refresh is not null, g.refreshed_at,
		g.refresh_expires_at, g.refresh_moves, g.fault, g.failed_at
	from oauth_grant g
	join credential c on c.oauth_grant = g.id
	join mailbox m on m.id = c.mailbox
	where g.ended_at is null and m.deleted_at is null
	order by g.id`

// GrantsAhead lists the grants that open mailboxes now.
func (db *DB) GrantsAhead(ctx context.Context) ([]GrantAhead, error) {
	rows, err := db.query(ctx, grantsAhead)
	list, err := collect(rows, err, func(rows *sql.Rows) (g GrantAhead, err error) {
		var signedIn int64
		var refreshed, ends, failed sql.NullInt64
		var moves sql.NullBool
		var fault sql.NullString
		err = rows.Scan(&g.Grant, &g.Mailbox, &g.App, &g.Way, &signedIn, &g.HasRefresh, &refreshed, &ends, &moves, &fault, &failed)
		g.SignedInAt, g.Refreshed, g.Ends, g.FailedAt = at(signedIn), fromMicros(refreshed), fromMicros(ends), fromMicros(failed)
		g.Moves, g.Firm = moves.Valid && moves.Bool, moves.Valid && !moves.Bool
		g.Fault = unpackFault(fault)
		return g, err
	})
	if err != nil {
		return nil, fmt.Errorf("list when grants end: %w", err)
	}
	return list, nil
}
