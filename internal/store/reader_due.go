package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A DueCount is how much is still to be done on the server of a mailbox with mail that
// is here.
type DueCount struct {
	Due     int64
	Undone  int64     // of these, how many were tried already
	Reason  string    // of the one that is tried again first; empty where none was tried
	NextTry time.Time // zero where none was tried
}

const (
	countDue = `
	select count(*), coalesce(sum(case when due_tries > 0 then 1 else 0 end), 0) from arrival
	where numbering in (select id from numbering where mailbox = $1 and ended_at is null)
	  and due_action <> '' and state <> 'waiting' and state in ('filed', 'duplicate', 'ignored', 'deleted')`

	nextUndone = `
	select due_reason, due_at from arrival
	where numbering in (select id from numbering where mailbox = $1 and ended_at is null)
	  and due_action <> '' and state <> 'waiting' and state in ('filed', 'duplicate', 'ignored', 'deleted') and due_tries > 0
	order by due_at, id limit 1`
)

// DueCount counts what is still to be done on the server of a mailbox.
func (r *Reader) DueCount(ctx context.Context, id postroom.MailboxID) (c DueCount, err error) {
	if err := r.db.queryRow(ctx, countDue, id).Scan(&c.Due, &c.Undone); err != nil {
		return c, fmt.Errorf("count what is due in mailbox %s: %w", id, err)
	}
	if c.Undone == 0 {
		return c, nil
	}
	var next sql.NullInt64
	err = r.db.queryRow(ctx, nextUndone, id).Scan(&c.Reason, &next)
	if err != nil && !noRows(err) { // it may be done by now
		return c, fmt.Errorf("read why something is undone in mailbox %s: %w", id, err)
	}
	c.NextTry = fromMicros(next)
	return c, nil
}
