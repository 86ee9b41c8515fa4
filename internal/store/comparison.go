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
	Known       int64 // of these, those that the ledger knows
	Deleted     int64 // of these, mail that a person deleted here
	BeforeStart int64 // of these, mail from before the start
	Gone        int64 // arrivals whose name the server does not show now
	Arrivals    int64 // arrivals at that moment
	ByContent   bool  // the server has no lasting names in some folder: content tells its mail apart
	Unaccounted []UnaccountedName
	Incomplete  []IncompleteArrival
	Fault       *postroom.Fault // why the server's list could not be had; the figures then mean nothing

	// CheckedTo is the arrival up to which bytes have been looked at, of a mailbox
	// that has too many for once. 0: all have been.
	CheckedTo postroom.ArrivalID
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
	UIDL        string `json:"uidl,omitempty"`
}

// An IncompleteArrival is filed without its bytes or its entry.
type IncompleteArrival struct {
	Arrival postroom.ArrivalID `json:"arrival"`
	Missing string             `json:"missing"` // in words
}

// comparisonJSON is the JSON of comparison.result.
type comparisonJSON struct {
	OnServer    int64               `json:"on_server"`
	Deleted     int64               `json:"deleted,omitempty"`
	BeforeStart int64               `json:"before_start,omitempty"`
	Gone        int64               `json:"gone"`
	Arrivals    int64               `json:"arrivals"`
	ByContent   bool                `json:"by_content,omitempty"`
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
	return Comparison{
		ComparedAt: fromMicros(compared), OnServer: j.OnServer, Known: j.OnServer - int64(len(j.Unaccounted)),
		Deleted: j.Deleted, BeforeStart: j.BeforeStart, Gone: j.Gone, Arrivals: j.Arrivals, ByContent: j.ByContent,
		Unaccounted: j.Unaccounted, Incomplete: j.Incomplete, Fault: unpackFault(fault),
	}, true, nil
}

const requestedComparisons = `
	select c.mailbox from comparison c join lease l on l.mailbox = c.mailbox and l.node = $1
	where c.requested_at > coalesce(c.compared_at, 0) or c.rescan_requested_at > coalesce(c.rescanned_at, 0)`

// RequestedComparisons returns the mailboxes of a node that somebody wants compared
// or rescanned.
func (db *DB) RequestedComparisons(ctx context.Context, node postroom.NodeID) ([]postroom.MailboxID, error) {
	rows, err := db.query(ctx, requestedComparisons, node)
	if err != nil {
		return nil, fmt.Errorf("list requested comparisons: %w", err)
	}
	return scanIDs[postroom.MailboxID](rows)
}

const recordComparison = `
	insert into comparison (mailbox, requested_at, compared_at, result, fault, checked_to) values ($1, db_now(), db_now(), $2, $3, $4)
	on conflict (mailbox) do update set compared_at = excluded.compared_at, result = excluded.result, fault = excluded.fault,
		checked_to = case when excluded.result is null then comparison.checked_to else excluded.checked_to end`

// RecordComparison keeps what was found, for whoever asked.
func (db *DB) RecordComparison(ctx context.Context, f Fence, c Comparison) error {
	result := sql.NullString{}
	if c.Fault == nil {
		j := comparisonJSON{c.OnServer, c.Deleted, c.BeforeStart, c.Gone, c.Arrivals, c.ByContent, c.Unaccounted, c.Incomplete}
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
		for _, i := range c.Incomplete { // to be looked at each time until it is whole
			if err := t.exec(`update raw set damaged = true where id = (select raw from arrival where id = $1)`, i.Arrival); err != nil {
				return err
			}
		}
		return t.exec(recordComparison, f.Mailbox, result, packFault(c.Fault), c.CheckedTo)
	})
}
