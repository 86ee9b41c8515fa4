package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/postroom/postroom"
)

// maxUIDLBytes is how much of a UIDL is kept. RFC 1939 section 7 allows 70.
const maxUIDLBytes = 255

// A ShownName is a name of a POP3 numbering that the server showed when it was
// last asked.
type ShownName struct {
	ID          postroom.ArrivalID
	Name        postroom.Name
	ListedBytes int64 // as the list told
	State       postroom.ArrivalState
}

const shownArrivals = `
	select id, uid, uidl, occurrence, listed_bytes, state from arrival
	where numbering = $1 and uidl <> '' and gone_at is null
	order by uidl, occurrence`

// ShownArrivals returns the names of a POP3 numbering that were in the last list,
// by UIDL and occurrence.
func (db *DB) ShownArrivals(ctx context.Context, n postroom.NumberingID) ([]ShownName, error) {
	rows, err := db.query(ctx, shownArrivals, n)
	shown, err := collect(rows, err, func(r *sql.Rows) (s ShownName, err error) {
		err = r.Scan(&s.ID, &s.Name.UID, &s.Name.UIDL, &s.Name.Occurrence, &s.ListedBytes, &s.State)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("list shown names: %w", err)
	}
	return shown, nil
}

// askedAtOnce is how many UIDLs one statement asks for.
const askedAtOnce = 200

// lastOccurrences finds its rows by the unique index of names: with POP3 the UID
// is 0.
var lastOccurrences = func() string {
	c := condition{args: make([]any, 1)}
	c.write(`select uidl, max(occurrence) from arrival where numbering = $1 and uid = 0 and uidl in (`+marks(askedAtOnce)+`) group by uidl`,
		make([]any, askedAtOnce)...)
	return c.text.String()
}()

// LastOccurrences returns the highest occurrence in the ledger of each of these
// UIDLs. One that was never seen is missing.
func (db *DB) LastOccurrences(ctx context.Context, n postroom.NumberingID, uidls []string) (map[string]int, error) {
	last := make(map[string]int)
	for some := range slices.Chunk(uidls, askedAtOnce) {
		args := make([]any, 1+askedAtOnce)
		args[0] = n
		for i := range args[1:] {
			args[1+i] = clip(some[min(i, len(some)-1)], maxUIDLBytes)
		}
		rows, err := db.query(ctx, lastOccurrences, args...)
		_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) {
			var uidl string
			var occurrence int
			err := r.Scan(&uidl, &occurrence)
			last[uidl] = occurrence
			return struct{}{}, err
		})
		if err != nil {
			return nil, fmt.Errorf("look for earlier occurrences: %w", err)
		}
	}
	return last, nil
}

// Nothing is due any more for what is gone. Bytes that are here are filed whether
// the server still shows them or not.
const goneArrival = `
	update arrival set gone_at = db_now(),
		due_reason = case when due_action = '' then due_reason else 'It was gone from the server by itself.' end,
		due_action = '', due_at = null,
		reason = case when state = 'waiting' and raw is null then 'It was gone from the server before it could be read.' else reason end,
		settled_at = case when state = 'waiting' and raw is null then db_now() else settled_at end,
		state = case when state = 'waiting' and raw is null then 'vanished' else state end
	where id = $1 and numbering = $2 and gone_at is null`

// BookList is commit 0 of a server whose names have no order (POP3): it enters the
// names that are new, and notes which of those that were shown before are gone. A
// gone one whose bytes had not come is vanished.
func (db *DB) BookList(ctx context.Context, f Fence, n postroom.Numbering, names []Listed, gone []postroom.ArrivalID) error {
	return db.book(ctx, f, n, names, func(t *tx) error {
		for _, id := range gone {
			if err := t.exec(goneArrival, id, n.ID); err != nil {
				return err
			}
		}
		return nil
	})
}
