package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const requestRescan = `
	insert into comparison (mailbox, requested_at, rescan_requested_at) values ($1, db_now(), db_now())
	on conflict (mailbox) do update set rescan_requested_at = excluded.rescan_requested_at
	returning rescan_requested_at`

// RequestRescan asks the node that reads the mailbox to bring in what the server
// shows and the ledger does not know.
func (db *DB) RequestRescan(ctx context.Context, id postroom.MailboxID) (requestedAt time.Time, err error) {
	var requested int64
	err = db.commit(ctx, func(t *tx) error {
		return t.row(requestRescan, id).Scan(&requested)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for a rescan of %s: %w", id, err)
	}
	return at(requested), nil
}

// RescanWanted says whether somebody has asked for a rescan that was not made yet.
func (db *DB) RescanWanted(ctx context.Context, id postroom.MailboxID) (bool, error) {
	var wanted int
	err := db.queryRow(ctx, `select count(*) from comparison where mailbox = $1 and rescan_requested_at > coalesce(rescanned_at, 0)`, id).Scan(&wanted)
	if err != nil {
		return false, fmt.Errorf("look for a wanted rescan of %s: %w", id, err)
	}
	return wanted > 0, nil
}

// RecordRescan answers whoever asked for a rescan: that many messages were brought
// in, or are on their way.
func (db *DB) RecordRescan(ctx context.Context, f Fence, brought int64) error {
	err := db.commit(ctx, func(t *tx) error {
		if err := t.hold(f); err != nil {
			return err
		}
		return t.exec(`update comparison set rescanned_at = db_now(), rescanned = $2 where mailbox = $1`, f.Mailbox, brought)
	})
	if err != nil {
		return fmt.Errorf("record rescan of %s: %w", f.Mailbox, err)
	}
	return nil
}

// LastRescan returns when the mailbox was last rescanned, and how many messages
// that brought in; ok is false when it never was.
func (db *DB) LastRescan(ctx context.Context, id postroom.MailboxID) (rescannedAt time.Time, brought int64, ok bool, err error) {
	var rescanned, n sql.NullInt64
	err = db.queryRow(ctx, `select rescanned_at, rescanned from comparison where mailbox = $1`, id).Scan(&rescanned, &n)
	if noRows(err) || err == nil && !rescanned.Valid {
		return time.Time{}, 0, false, nil
	}
	if err != nil {
		return time.Time{}, 0, false, fmt.Errorf("read the last rescan of %s: %w", id, err)
	}
	return fromMicros(rescanned), n.Int64, true, nil
}
