package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A Comparison is the server's own list of a mailbox held against the arrivals:
// the proof that the ledger accounts for everything, or the list of what it does
// not account for.
type Comparison struct {
	ComparedAt  time.Time
	OnServer    int64 // names that the server shows now
	Gone        int64 // arrivals whose name the server does not show now
	Arrivals    int64 // arrivals at that moment
	Unaccounted []UnaccountedName
	Incomplete  []IncompleteArrival
	Fault       *postroom.Fault // why the server's list could not be had; the figures then mean nothing
}

// Balanced says whether the ledger accounts for every message.
func (c Comparison) Balanced() bool {
	return c.Fault == nil && len(c.Unaccounted) == 0 && len(c.Incomplete) == 0 &&
		c.Arrivals == c.OnServer-int64(len(c.Unaccounted))+c.Gone
}

// An UnaccountedName is one that the server shows and the ledger does not know.
type UnaccountedName struct {
	Folder      string `json:"folder"`
	UIDValidity uint32 `json:"uid_validity"`
	UID         uint32 `json:"uid"`
}

// An IncompleteArrival is filed without its bytes or its entry.
type IncompleteArrival struct {
	Arrival postroom.ArrivalID `json:"arrival"`
	Missing string             `json:"missing"` // in words
}

// comparisonJSON is the JSON of comparison.result.
type comparisonJSON struct {
	OnServer    int64               `json:"on_server"`
	Gone        int64               `json:"gone"`
	Arrivals    int64               `json:"arrivals"`
	Unaccounted []UnaccountedName   `json:"unaccounted,omitempty"`
	Incomplete  []IncompleteArrival `json:"incomplete,omitempty"`
}

// RequestComparison asks the node that reads the mailbox to compare.
func (db *DB) RequestComparison(ctx context.Context, id postroom.MailboxID) (requestedAt time.Time, err error) {
	var requested int64
	err = db.commit(ctx, func(t *tx) error {
		return t.row(`insert into comparison (mailbox, requested_at) values ($1, db_now())
			on conflict (mailbox) do update set requested_at = excluded.requested_at returning requested_at`, id).Scan(&requested)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("ask for a comparison of %s: %w", id, err)
	}
	return at(requested), nil
}

// LastComparison returns what was found when the mailbox was last compared; ok is
// false when it never was.
func (db *DB) LastComparison(ctx context.Context, id postroom.MailboxID) (c Comparison, ok bool, err error) {
	var compared sql.NullInt64
	var result, fault sql.NullString
	err = db.queryRow(ctx, `select compared_at, result, fault from comparison where mailbox = $1`, id).Scan(&compared, &result, &fault)
	if noRows(err) || err == nil && !compared.Valid {
		return Comparison{}, false, nil
	}
	if err != nil {
		return Comparison{}, false, fmt.Errorf("read comparison of %s: %w", id, err)
	}
	var j comparisonJSON
	if result.Valid {
		if err := json.Unmarshal([]byte(result.String), &j); err != nil {
			return Comparison{}, false, err
		}
	}
	return Comparison{fromMicros(compared), j.OnServer, j.Gone, j.Arrivals, j.Unaccounted, j.Incomplete, unpackFault(fault)}, true, nil
}

const requestedComparisons = `
	select c.mailbox from comparison c join lease l on l.mailbox = c.mailbox and l.node = $1
	where c.requested_at > coalesce(c.compared_at, 0)`

// RequestedComparisons returns the mailboxes of a node that somebody wants compared.
func (db *DB) RequestedComparisons(ctx context.Context, node postroom.NodeID) ([]postroom.MailboxID, error) {
	rows, err := db.query(ctx, requestedComparisons, node)
	if err != nil {
		return nil, fmt.Errorf("list requested comparisons: %w", err)
	}
	return scanIDs[postroom.MailboxID](rows)
}

// A ServerList is what the server shows of one folder, in the numbering it belongs to.
type ServerList struct {
	Numbering postroom.Numbering
	UIDs      []uint32 // ascending
}

const arrivalsOfNumbering = `select id, uid, state from arrival where numbering = $1 order by uid`

// Compare holds the server's lists against the arrivals of a mailbox, all read in
// one moment. It returns the vanished arrivals that the server shows again.
func (db *DB) Compare(ctx context.Context, id postroom.MailboxID, lists []ServerList) (c Comparison, back []postroom.ArrivalID, err error) {
	snapshot := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if db.dialect == dialectSQLite { // every read transaction is a snapshot there
		snapshot = &sql.TxOptions{ReadOnly: true}
	}
	tx, err := db.read.BeginTx(ctx, snapshot)
	if err != nil {
		return Comparison{}, nil, err
	}
	defer func() { _ = tx.Rollback() }()
	if err := tx.QueryRowContext(ctx, `select count(*) from arrival where mailbox = $1`, id).Scan(&c.Arrivals); err != nil {
		return Comparison{}, nil, err
	}
	known := int64(0)
	for _, l := range lists {
		found, again, err := compareList(ctx, tx, l, &c)
		if err != nil {
			return Comparison{}, nil, fmt.Errorf("compare %s of %s: %w", l.Numbering.Folder, id, err)
		}
		known += found
		back = append(back, again...)
		c.OnServer += int64(len(l.UIDs))
	}
	c.Gone = c.Arrivals - known
	c.Incomplete, err = incomplete(ctx, tx, id)
	return c, back, err
}

// compareList counts the arrivals that the server shows, and notes those that it
// shows and the ledger does not know.
func compareList(ctx context.Context, tx *sql.Tx, l ServerList, c *Comparison) (known int64, back []postroom.ArrivalID, err error) {
	rows, err := tx.QueryContext(ctx, arrivalsOfNumbering, l.Numbering.ID)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	shown := l.UIDs
	note := func(uid uint32) {
		c.Unaccounted = append(c.Unaccounted, UnaccountedName{l.Numbering.Folder, l.Numbering.UIDValidity, uid})
	}
	for rows.Next() {
		var id postroom.ArrivalID
		var uid uint32
		var state postroom.ArrivalState
		if err := rows.Scan(&id, &uid, &state); err != nil {
			return 0, nil, err
		}
		for len(shown) > 0 && shown[0] < uid {
			note(shown[0])
			shown = shown[1:]
		}
		if len(shown) > 0 && shown[0] == uid {
			shown = shown[1:]
			known++
			if state == postroom.ArrivalVanished {
				back = append(back, id)
			}
		}
	}
	for _, uid := range shown {
		note(uid)
	}
	return known, back, rows.Err()
}

const incompleteArrivals = `
	select a.id, case
		when r.id is null or r.erased_at is not null then 'its bytes'
		when (select count(*) from raw_chunk c where c.id between r.id * 1048576 and r.id * 1048576 + 1048575) <> r.chunks then 'part of its bytes'
		when (select coalesce(sum(length(c.body)), 0) from raw_chunk c where c.id between r.id * 1048576 and r.id * 1048576 + 1048575) <> r.packed then 'part of its bytes'
		when e.id is null then 'its entry'
		else 'its mail' end
	from arrival a
	left join raw r on r.id = a.raw
	left join mail m on m.id = a.mail
	left join entry e on e.id = a.entry
	where a.mailbox = $1 and a.state = 'filed' and (
		r.id is null or r.erased_at is not null or m.id is null or e.id is null
		or (select count(*) from raw_chunk c where c.id between r.id * 1048576 and r.id * 1048576 + 1048575) <> r.chunks
		or (select coalesce(sum(length(c.body)), 0) from raw_chunk c where c.id between r.id * 1048576 and r.id * 1048576 + 1048575) <> r.packed)
	order by a.id`

func incomplete(ctx context.Context, tx *sql.Tx, id postroom.MailboxID) ([]IncompleteArrival, error) {
	rows, err := tx.QueryContext(ctx, incompleteArrivals, id)
	if err != nil {
		return nil, fmt.Errorf("look for incomplete arrivals of %s: %w", id, err)
	}
	defer rows.Close()
	var list []IncompleteArrival
	for rows.Next() {
		var i IncompleteArrival
		if err := rows.Scan(&i.Arrival, &i.Missing); err != nil {
			return nil, err
		}
		list = append(list, i)
	}
	return list, rows.Err()
}

// RecordComparison keeps what was found, for whoever asked.
func (db *DB) RecordComparison(ctx context.Context, f Fence, c Comparison) error {
	result := sql.NullString{}
	if c.Fault == nil {
		j := comparisonJSON{c.OnServer, c.Gone, c.Arrivals, c.Unaccounted, c.Incomplete}
		b, err := json.Marshal(j)
		if err != nil {
			return err
		}
		result = sql.NullString{String: clean(string(b)), Valid: true}
	}
	return db.commit(ctx, func(t *tx) error {
		if err := t.hold(f); err != nil {
			return err
		}
		return t.exec(`insert into comparison (mailbox, requested_at, compared_at, result, fault) values ($1, db_now(), db_now(), $2, $3)
			on conflict (mailbox) do update set compared_at = excluded.compared_at, result = excluded.result, fault = excluded.fault`,
			f.Mailbox, result, packFault(c.Fault))
	})
}
