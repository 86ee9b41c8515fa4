package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postroom/postroom"
)

// Figures are the counts that /metrics shows.
type Figures struct {
	Mailboxes map[postroom.MailboxState]int64
	Arrivals  map[postroom.ArrivalState]int64
}

const countMailboxes = `select state, count(*) from mailbox where deleted_at is null group by state`

// countArrivals counts along the index of mailbox and state, without sorting.
const countArrivals = `
	select state, cast(sum(n) as bigint) from (select mailbox, state, count(*) as n from arrival group by mailbox, state) counts
	group by state`

// Figures counts everything; every state has a number. It reads an index of all
// arrivals from end to end: ask every few seconds at most.
func (r *Reader) Figures(ctx context.Context) (Figures, error) {
	f := Figures{make(map[postroom.MailboxState]int64), make(map[postroom.ArrivalState]int64)}
	for _, s := range postroom.MailboxStates() {
		f.Mailboxes[s] = 0
	}
	for _, s := range postroom.ArrivalStates() {
		f.Arrivals[s] = 0
	}
	if err := countInto(ctx, r.db, countMailboxes, f.Mailboxes); err != nil {
		return Figures{}, fmt.Errorf("count mailboxes: %w", err)
	}
	if err := countInto(ctx, r.db, countArrivals, f.Arrivals); err != nil {
		return Figures{}, fmt.Errorf("count arrivals: %w", err)
	}
	return f, nil
}

func countInto[State ~string](ctx context.Context, db *DB, query string, counts map[State]int64) error {
	rows, err := db.query(ctx, query)
	_, err = collect(rows, err, func(rows *sql.Rows) (state State, err error) {
		var n int64
		err = rows.Scan(&state, &n)
		counts[state] = n
		return state, err
	})
	return err
}
