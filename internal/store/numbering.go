package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

const numberingColumns = `
	n.id, n.mailbox, n.serial, n.protocol, n.host, n.username, n.folder, n.uid_validity, n.floor, n.position,
	n.by_content, n.begun_at, n.ended_at`

// scanNumbering reads numberingColumns, and then the rest into more.
func scanNumbering(scan func(...any) error, more ...any) (n postroom.Numbering, err error) {
	var begun int64
	var ended sql.NullInt64
	err = scan(append([]any{&n.ID, &n.Mailbox, &n.Serial, &n.Protocol, &n.Host, &n.Username, &n.Folder, &n.UIDValidity, &n.Floor, &n.Position,
		&n.ByContent, &begun, &ended}, more...)...)
	n.BegunAt, n.EndedAt = at(begun), fromMicros(ended)
	return n, err
}

const currentNumberings = `select ` + numberingColumns + ` from numbering n where n.mailbox = $1 and n.ended_at is null`

// Numberings returns the numbering that each folder of a mailbox is counted in now.
// A folder whose numbering has ended, and that nobody has looked at since, has none.
func (db *DB) Numberings(ctx context.Context, id postroom.MailboxID) (map[string]postroom.Numbering, error) {
	rows, err := db.query(ctx, currentNumberings, id)
	all, err := collect(rows, err, func(r *sql.Rows) (postroom.Numbering, error) { return scanNumbering(r.Scan) })
	if err != nil {
		return nil, fmt.Errorf("read numberings of %s: %w", id, err)
	}
	byFolder := make(map[string]postroom.Numbering, len(all))
	for _, n := range all {
		byFolder[n.Folder] = n
	}
	return byFolder, nil
}

const endNumbering = `update numbering set ended_at = db_now() where mailbox = $1 and folder = $2 and ended_at is null`

const insertNumbering = `
	insert into numbering (mailbox, serial, protocol, host, username, folder, uid_validity, floor, position, by_content, begun_at)
	values ($1, (select coalesce(max(serial), 0) + 1 from numbering where mailbox = $1 and folder = $2),
		$3, $4, $5, $2, $6, $7, $8, $9, db_now())
	returning id, serial, begun_at`

func (t *tx) beginNumbering(n postroom.Numbering) (postroom.Numbering, error) {
	if err := t.exec(endNumbering, n.Mailbox, n.Folder); err != nil {
		return n, err
	}
	var begun int64
	err := t.row(insertNumbering, n.Mailbox, n.Folder, string(n.Protocol), n.Host, n.Username, n.UIDValidity, n.Floor, n.Position, n.ByContent).
		Scan(&n.ID, &n.Serial, &begun)
	n.BegunAt, n.EndedAt = at(begun), time.Time{}
	return n, err
}

// numberFrom begins the numbering of a folder of a mailbox that has just been proven.
func (t *tx) numberFrom(m postroom.Mailbox, n postroom.Numbering) error {
	if !m.ProvenAt.IsZero() {
		current, err := t.currentNumberings(m.ID)
		if err != nil || slices.ContainsFunc(current, n.IsSame) {
			return err
		}
		n.Floor = postroom.FloorByDate
		if m.Start.Kind == postroom.StartAll {
			n.Floor = 0
		}
	}
	_, err := t.beginNumbering(n)
	return err
}

func (t *tx) currentNumberings(id postroom.MailboxID) ([]postroom.Numbering, error) {
	rows, err := t.rows(currentNumberings, id)
	return collect(rows, err, func(r *sql.Rows) (postroom.Numbering, error) { return scanNumbering(r.Scan) })
}

// endOtherNumberings ends those that the settings of a mailbox no longer lead to:
// of another protocol, server or user, or of a folder that is not read any more.
func (t *tx) endOtherNumberings(m postroom.Mailbox) error {
	current, err := t.currentNumberings(m.ID)
	if err != nil {
		return err
	}
	for _, n := range current {
		in := m.Incoming
		if n.Protocol == in.Protocol && n.Host == in.Host && n.Username == in.Username && slices.Contains(in.Folders, n.Folder) {
			continue
		}
		if err := t.exec(endNumbering, n.Mailbox, n.Folder); err != nil {
			return err
		}
	}
	return nil
}

const (
	waitingInThePast = `
		select id from arrival where mailbox = $1 and state = 'waiting' and raw is null
			and numbering in (select id from numbering where mailbox = $1 and ended_at is not null)
		limit 1000`
	vanishInThePast = `
		update arrival set state = 'vanished', settled_at = db_now(), next_try_at = null,
			reason = 'Its folder is counted in another way now. If the server still has it, it is in the ledger under its new name.'
		where id = $1 and state = 'waiting' and raw is null`
)

// EndWaiting settles names that wait for their bytes in numberings that have ended:
// nobody can ask for them by these names any more.
func (db *DB) EndWaiting(ctx context.Context, f Fence) error {
	for {
		rows, err := db.query(ctx, waitingInThePast, f.Mailbox)
		if err != nil {
			return fmt.Errorf("look for names of the past in %s: %w", f.Mailbox, err)
		}
		ids, err := scanIDs[postroom.ArrivalID](rows)
		if err != nil || len(ids) == 0 {
			return err
		}
		err = db.commit(ctx, func(t *tx) error {
			if err := t.hold(f); err != nil {
				return err
			}
			for _, id := range ids {
				if err := t.exec(vanishInThePast, id); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("settle names of the past in %s: %w", f.Mailbox, err)
		}
	}
}

// BeginNumbering enters that a folder is counted anew, and so ends the numbering
// that it was counted in. Calling it again begins another one.
func (db *DB) BeginNumbering(ctx context.Context, f Fence, n postroom.Numbering) (begun postroom.Numbering, err error) {
	err = db.commit(ctx, func(t *tx) error {
		if err := t.hold(f); err != nil {
			return err
		}
		begun, err = t.beginNumbering(n)
		return err
	})
	if err != nil {
		return begun, fmt.Errorf("begin numbering of %s in %s: %w", n.Folder, n.Mailbox, err)
	}
	return begun, nil
}

// A NumberingCount is a numbering with what became of the messages in it.
type NumberingCount struct {
	postroom.Numbering
	Counts map[postroom.ArrivalState]int64 // a state without arrivals is missing
}

const allNumberings = `select ` + numberingColumns + ` from numbering n where n.mailbox = $1 order by n.begun_at, n.id`

const numberingCounts = `select numbering, state, count(*) from arrival where mailbox = $1 group by numbering, state`

// NumberingCounts returns all numberings of a mailbox, in the order in which they
// began, with what became of the messages in each.
func (db *DB) NumberingCounts(ctx context.Context, id postroom.MailboxID) ([]NumberingCount, error) {
	rows, err := db.query(ctx, numberingCounts, id)
	counts := make(map[postroom.NumberingID]map[postroom.ArrivalState]int64)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
		var n postroom.NumberingID
		var state postroom.ArrivalState
		var count int64
		err := r.Scan(&n, &state, &count)
		if counts[n] == nil {
			counts[n] = make(map[postroom.ArrivalState]int64)
		}
		counts[n][state] = count
		return struct{}{}, err
	})
	if err != nil {
		return nil, fmt.Errorf("count arrivals of %s: %w", id, err)
	}
	rows, err = db.query(ctx, allNumberings, id)
	list, err := collect(rows, err, func(r *sql.Rows) (NumberingCount, error) {
		n, err := scanNumbering(r.Scan)
		return NumberingCount{n, counts[n.ID]}, err
	})
	if err != nil {
		return nil, fmt.Errorf("list numberings of %s: %w", id, err)
	}
	return list, nil
}

// NumberingCounts returns all numberings of a mailbox, in the order in which they
// began, with what became of the messages in each.
func (r *Reader) NumberingCounts(ctx context.Context, id postroom.MailboxID) ([]NumberingCount, error) {
	return r.db.NumberingCounts(ctx, id)
}
