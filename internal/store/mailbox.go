package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
)

const mailboxColumns = `
	m.id, m.name, m.address, m.settings, m.owner, m.state, m.state_since, m.fault, m.next_try_at,
	m.last_arrival_at, m.proven_at, m.start_at, m.created_at, m.updated_at, m.version, m.failures`

// A KeptMailbox is a mailbox with what only its reader needs to know.
type KeptMailbox struct {
	postroom.Mailbox
	// Version is raised by every change that an open session must learn of.
	Version int64
	// Failures is how many tries have failed since one worked.
	Failures int
}

func scanMailbox(scan func(...any) error) (KeptMailbox, error) {
	var (
		k                                          KeptMailbox
		settings                                   string
		fault                                      sql.NullString
		owner, nextTry, lastArrival, proven, start sql.NullInt64
		since, created, updated                    int64
	)
	m := &k.Mailbox
	err := scan(&m.ID, &m.Name, &m.Address, &settings, &owner, &m.State, &since, &fault, &nextTry,
		&lastArrival, &proven, &start, &created, &updated, &k.Version, &k.Failures)
	if err != nil {
		return KeptMailbox{}, err
	}
	m.Owner = postroom.UserID(owner.Int64)
	m.StateSince, m.CreatedAt, m.UpdatedAt = at(since), at(created), at(updated)
	m.NextTryAt, m.LastArrivalAt, m.ProvenAt = fromMicros(nextTry), fromMicros(lastArrival), fromMicros(proven)
	m.Fault = unpackFault(fault)
	if err := unpackSettings(settings, m); err != nil {
		return KeptMailbox{}, err
	}
	m.Start.At = fromMicros(start)
	return k, nil
}

// noMailbox is the Fault for a mailbox that is not there, or not any more.
func noMailbox(cause error) error {
	return &postroom.Fault{
		Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "This mailbox is not here. It may have been removed.",
		Remedy:      "Look at the list of mailboxes.",
		Err:         cause,
	}
}

const mailboxByID = `select ` + mailboxColumns + ` from mailbox m where m.id = $1 and m.deleted_at is null`

// Mailbox returns a mailbox, or a NotFound fault.
func (db *DB) Mailbox(ctx context.Context, id postroom.MailboxID) (postroom.Mailbox, error) {
	k, err := db.KeptMailbox(ctx, id)
	return k.Mailbox, err
}

// KeptMailbox is Mailbox for whoever reads the mailbox.
func (db *DB) KeptMailbox(ctx context.Context, id postroom.MailboxID) (KeptMailbox, error) {
	return foundMailbox(db.queryRow(ctx, mailboxByID, int64(id)), "mailbox "+id.String())
}

const mailboxByAddress = `select ` + mailboxColumns + ` from mailbox m where m.address = $1 and m.deleted_at is null`

// MailboxByAddress returns the mailbox of an address, in whatever case it is
// written, or a NotFound fault.
func (db *DB) MailboxByAddress(ctx context.Context, address string) (postroom.Mailbox, error) {
	k, err := foundMailbox(db.queryRow(ctx, mailboxByAddress, addressKey(address)), "mailbox of an address")
	return k.Mailbox, err
}

func foundMailbox(r row, what string) (KeptMailbox, error) {
	k, err := scanMailbox(r.Scan)
	switch {
	case noRows(err):
		return KeptMailbox{}, noMailbox(errors.New("there is no " + what))
	case err != nil:
		return KeptMailbox{}, fmt.Errorf("read %s: %w", what, err)
	}
	return k, nil
}

// addressKey is how an address is kept: two that differ in case only are one.
func addressKey(address string) string { return strings.ToLower(clean(address)) }

// MailboxFilter says which mailboxes to list.
type MailboxFilter struct {
	State  postroom.MailboxState // empty: all
	Query  string                // a part of the name or of the address
	Limit  int                   // 0: 50; at most 500
	Cursor string                // where the list before ended
}

const listMailboxes = `
	select ` + mailboxColumns + ` from mailbox m
	where m.deleted_at is null
	  and ($1 = '' or m.state = $1)
	  and ($2 = '' or lower(m.name) like $2 escape '\' or m.address like $2 escape '\')
	  and (cast($3 as bigint) = 0 or (m.name, m.id) > (select c.name, c.id from mailbox c where c.id = cast($3 as bigint)))
	order by m.name, m.id
	limit $4`

// Mailboxes lists mailboxes by name. next continues the list; it is empty at its end.
func (db *DB) Mailboxes(ctx context.Context, f MailboxFilter) (list []postroom.Mailbox, next string, err error) {
	place, err := readCursor(f.Cursor, "mailboxes", 1)
	if err != nil {
		return nil, "", err
	}
	var after int64
	if place != nil {
		after = place[0]
	}
	limit := pageSize(f.Limit)
	rows, err := db.query(ctx, listMailboxes, string(f.State), containing(f.Query), after, limit+1)
	list, err = collect(rows, err, func(r *sql.Rows) (postroom.Mailbox, error) {
		k, err := scanMailbox(r.Scan)
		return k.Mailbox, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list mailboxes: %w", err)
	}
	if len(list) > limit {
		list = list[:limit]
		next = makeCursor("mailboxes", int64(list[limit-1].ID))
	}
	return list, next, nil
}

// containing is the pattern of texts in lower case that contain words; empty for none.
func containing(words string) string {
	words = strings.ToLower(strings.TrimSpace(clean(words)))
	if words == "" {
		return ""
	}
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(words) + "%"
}

// Mailbox returns a mailbox, or a NotFound fault.
func (r *Reader) Mailbox(ctx context.Context, id postroom.MailboxID) (postroom.Mailbox, error) {
	return r.db.Mailbox(ctx, id)
}

// MailboxByAddress returns the mailbox of an address, or a NotFound fault.
func (r *Reader) MailboxByAddress(ctx context.Context, address string) (postroom.Mailbox, error) {
	return r.db.MailboxByAddress(ctx, address)
}

// Mailboxes lists mailboxes by name. next continues the list; it is empty at its end.
func (r *Reader) Mailboxes(ctx context.Context, f MailboxFilter) (list []postroom.Mailbox, next string, err error) {
	return r.db.Mailboxes(ctx, f)
}

// ArrivalCounts counts the arrivals of a mailbox by state, over all numberings.
func (r *Reader) ArrivalCounts(ctx context.Context, id postroom.MailboxID) (map[postroom.ArrivalState]int64, error) {
	return r.db.ArrivalCounts(ctx, id)
}

const arrivalCounts = `select state, count(*) from arrival where mailbox = $1 group by state`

// ArrivalCounts counts the arrivals of a mailbox by state, over all numberings.
// A state without arrivals is missing.
func (db *DB) ArrivalCounts(ctx context.Context, id postroom.MailboxID) (map[postroom.ArrivalState]int64, error) {
	rows, err := db.query(ctx, arrivalCounts, int64(id))
	if err != nil {
		return nil, fmt.Errorf("count arrivals of mailbox %s: %w", id, err)
	}
	defer rows.Close()
	counts := make(map[postroom.ArrivalState]int64)
	for rows.Next() {
		var state postroom.ArrivalState
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return nil, fmt.Errorf("count arrivals of mailbox %s: %w", id, err)
		}
		counts[state] = n
	}
	return counts, rows.Err()
}
