package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const (
	// What waits or was set aside is not understood yet, and keeps its bytes until it
	// is. The state is named as the index arrival_kept has it.
	arrivalsToExpire = `
	select a.id, a.raw
	from mailbox b join arrival a on a.mailbox = b.id
	where b.raw_retention_days > 0
		and a.kept_at is not null and a.state in ('filed', 'duplicate', 'deleted', 'ignored')
		and a.kept_at <= cast($1 as bigint) - b.raw_retention_days * 86400000000
	limit $2`

	keepNoLonger = `
	update arrival set kept_at = null where id = $1 and state in ('filed', 'duplicate', 'deleted', 'ignored')
	returning (select b.raw_retention_days from mailbox b where b.id = arrival.mailbox)`

	// rawToExpire is no row where the bytes are gone already, or where another arrival
	// keeps them.
	rawToExpire = `
	select 1 from raw r where r.id = $1 and r.erased_at is null and r.expired_at is null
		and not exists (select 1 from arrival a where a.raw = r.id and a.kept_at is not null)`
)

// expireAtOnce is how many arrivals one commit looks at.
const expireAtOnce = 200

// ExpireRaw lets go of originals that have been kept for as long as their mailboxes
// say, of at most about limit arrivals. What was understood of the mail stays, and so
// do the fingerprints: the mail does not come in again. n is how many originals
// went; none is left to go when it is below limit.
func (db *DB) ExpireRaw(ctx context.Context, now time.Time, limit int) (n int, err error) {
	for n < limit {
		looked, expired, err := db.expireSome(ctx, now, min(expireAtOnce, limit))
		n += expired
		if err != nil {
			return n, fmt.Errorf("let go of originals: %w", err)
		}
		if looked == 0 {
			break
		}
	}
	return n, nil
}

// A keptRaw is an original that an arrival has kept for long enough.
type keptRaw struct {
	arrival postroom.ArrivalID
	raw     postroom.RawID
}

func (db *DB) expireSome(ctx context.Context, now time.Time, limit int) (looked, expired int, err error) {
	rows, err := db.query(ctx, arrivalsToExpire, micros(now), limit)
	due, err := collect(rows, err, func(r *sql.Rows) (k keptRaw, err error) {
		err = r.Scan(&k.arrival, &k.raw)
		return k, err
	})
	if err != nil || len(due) == 0 {
		return 0, 0, err
	}
	err = db.commit(ctx, func(t *tx) error {
		expired = 0
		for _, k := range due {
			gone, err := t.expireRaw(k.arrival, k.raw, micros(now))
			if err != nil {
				return err
			}
			if gone {
				expired++
			}
		}
		return nil
	})
	return len(due), expired, err
}

// expireRaw has an arrival keep its bytes no longer, and lets go of them where it was
// the last.
func (t *tx) expireRaw(a postroom.ArrivalID, raw postroom.RawID, now int64) (gone bool, err error) {
	if err := t.lockRaw(raw); err != nil {
		return false, err
	}
	var days, one int64
	err = t.row(keepNoLonger, a).Scan(&days)
	if err == nil {
		err = t.row(rawToExpire, raw).Scan(&one)
	}
	if noRows(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err := t.emptyRaw(raw); err != nil {
		return false, err
	}
	return true, t.exec(`update raw set expired_at = $2, expired_days = $3 where id = $1`, raw, now, days)
}

// lockRaw keeps others from linking new arrivals to bytes that may be about to go,
// see knownRaw. SQLite has one writer.
func (t *tx) lockRaw(id postroom.RawID) error {
	var one int
	err := t.row(`select 1 from raw where id = $1 /*pg for update */`, id).Scan(&one)
	if noRows(err) {
		return nil
	}
	return err
}
