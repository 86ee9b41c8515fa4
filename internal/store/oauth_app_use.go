package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// An AppUse says when somebody last signed in by a registration.
type AppUse struct {
	App      postroom.OAuthAppID
	At       time.Time
	InDomain time.Time // for a mailbox of the domain that was asked about; zero: never
}

const appUses = `
	select g.app, max(g.signed_in_at), max(case when lower(m.address) like $1 escape '\' then g.signed_in_at end)
	from oauth_grant g join mailbox m on m.id = g.mailbox
	where g.adopted_at is not null and m.deleted_at is null
	group by g.app`

// AppUses lists the registrations by which somebody has signed in.
func (db *DB) AppUses(ctx context.Context, domain string) ([]AppUse, error) {
	ending := strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(clean(domain)))
	rows, err := db.query(ctx, appUses, `%@`+ending)
	uses, err := collect(rows, err, func(rows *sql.Rows) (u AppUse, err error) {
		var last, inDomain sql.NullInt64
		err = rows.Scan(&u.App, &last, &inDomain)
		u.At, u.InDomain = fromMicros(last), fromMicros(inDomain)
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("list when registrations were used: %w", err)
	}
	return uses, nil
}

// An AppRecord is what the grants of a registration have shown of it.
type AppRecord struct {
	ByCode   time.Time // the newest that somebody signed in for with a browser; zero: none
	ByDevice time.Time // on another device
	ByApp    time.Time // in its own name
	// Oldest is when the oldest was given that still works, as its last refreshing has
	// shown; Worked is when that was.
	Oldest, Worked time.Time
}

const appRecord = `
	select
		max(case when way = 'code' then signed_in_at end),
		max(case when way = 'device' then signed_in_at end),
		max(case when way = 'app' then signed_in_at end),
		min(case when ended_at is null and fault is null and refreshed_at is not null then signed_in_at end),
		max(case when ended_at is null and fault is null then refreshed_at end)
	from oauth_grant where app = $1 and adopted_at is not null`

// AppRecord returns what the grants of a registration that opened mailboxes have shown.
func (db *DB) AppRecord(ctx context.Context, id postroom.OAuthAppID) (r AppRecord, err error) {
	var times [5]sql.NullInt64
	if err := db.queryRow(ctx, appRecord, int64(id)).Scan(&times[0], &times[1], &times[2], &times[3], &times[4]); err != nil {
		return AppRecord{}, fmt.Errorf("read the record of registration %s: %w", id, err)
	}
	for i, at := range []*time.Time{&r.ByCode, &r.ByDevice, &r.ByApp, &r.Oldest, &r.Worked} {
		*at = fromMicros(times[i])
	}
	return r, nil
}
