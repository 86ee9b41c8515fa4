package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postroom/postroom"
)

// eventWindow is how many events are looked at for one answer at most.
const eventWindow = 5000

const lastOfWindow = `select coalesce(max(position), $1) from (
	select position from event where position > $1 order by position limit $2) w`

// listEvents: an event of an issue is for those who may see the issue, an event of
// a mailbox alone for administrators and those who may see its mail.
const listEvents = `
	select ev.id, ev.position, ev.type, ev.at, ev.mailbox, ev.issue, ev.historic
	from event ev
	where ev.position > $3 and ev.position <= $4
	and case
		when ev.issue is not null then exists (select 1 from issue i where i.id = ev.issue and ` + seesIssue + `)
		when ev.mailbox is not null then $5 = 1 or exists (select 1 from mailbox b where b.id = ev.mailbox and ` + seesMailbox + `)
		else $5 = 1
	end
	order by ev.position limit $6`

// Events returns the events after a position that v may know of, oldest first.
func (r *Reader) Events(ctx context.Context, v postroom.Viewer, after int64, limit int) ([]postroom.Event, error) {
	for {
		events, seen, err := r.EventsThrough(ctx, v, after, limit)
		if err != nil || len(events) > 0 || seen == after {
			return events, err
		}
		after = seen
	}
}

// EventsThrough is one step of Events: it looks at a few thousand events at most
// and says through which position it has seen. There may be no event for v among
// them; when seen is after, there is nothing new at all.
func (r *Reader) EventsThrough(ctx context.Context, v postroom.Viewer, after int64, limit int) (events []postroom.Event, seen int64, err error) {
	limit = pageSize(limit)
	if err := r.db.queryRow(ctx, lastOfWindow, after, eventWindow).Scan(&seen); err != nil {
		return nil, after, fmt.Errorf("look for events: %w", err)
	}
	if seen == after {
		return nil, after, nil
	}
	admin := 0
	if v.IsAdmin() {
		admin = 1
	}
	rows, err := r.db.query(ctx, listEvents, int64(v.User), int64(v.Token), after, seen, admin, limit)
	events, err = collect(rows, err, scanEvent)
	if err != nil {
		return nil, after, fmt.Errorf("list events: %w", err)
	}
	if len(events) == limit {
		seen = events[limit-1].Position
	}
	return events, seen, nil
}

func scanEvent(rows *sql.Rows) (postroom.Event, error) {
	var e postroom.Event
	var when int64
	var mailbox, issue sql.NullInt64
	err := rows.Scan(&e.ID, &e.Position, &e.Type, &when, &mailbox, &issue, &e.Historic)
	e.At, e.Mailbox, e.Issue = at(when), postroom.MailboxID(mailbox.Int64), postroom.IssueID(issue.Int64)
	return e, err
}

// LastEvent returns the position of the newest event; 0 when there is none.
func (r *Reader) LastEvent(ctx context.Context) (position int64, err error) {
	err = r.db.queryRow(ctx, `select coalesce(max(position), 0) from event`).Scan(&position)
	return position, err
}

// Changed returns a channel that is closed when there may be new events: a nudge
// and nothing more.
func (r *Reader) Changed() <-chan struct{} { return r.db.Changed() }
