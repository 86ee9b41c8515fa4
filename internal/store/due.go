package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// Due is what is still to be done with a message on the server, now that it is
// here.
type Due struct {
	Arrival     postroom.ArrivalID
	Name        postroom.Name
	Action      postroom.AfterImport
	Folder      string // with AfterImportMove
	MessageID   string // without brackets; empty: it has none
	SizeBytes   int64  // of the bytes that came
	ListedBytes int64  // as the list told (POP3)
	SHA256      []byte // of the bytes that came
	Tries       int
	Copied      bool // the copy of a move is known to be made, the original was not removed yet
}

// isDue holds for the arrivals a of a numbering ($1) with something to do: the mail
// is safely here. One that was set aside is not, and so is none of its copies; nor
// are they while it still waits to be filed.
const isDue = `a.numbering = $1 and a.due_action <> '' and a.state <> 'waiting'
	and a.state in ('filed', 'duplicate', 'ignored', 'deleted')
	and (a.state <> 'duplicate' or not exists (select 1 from arrival q
		where q.raw = a.raw and q.mailbox = a.mailbox and q.state in ('waiting', 'quarantined')))`

const dueActions = `
	select a.id, a.uid, a.uidl, a.occurrence, a.due_action, a.after_folder, a.size_bytes, a.listed_bytes, a.due_tries, a.due_copied,
		coalesce(r.sha256, ''), coalesce(m.message_id, (select o.message_id from mail o where o.raw = a.raw order by o.id limit 1), '')
	from arrival a left join raw r on r.id = a.raw left join mail m on m.id = a.mail
	where ` + isDue + ` and (a.due_at is null or a.due_at <= db_now())
	order by a.uid, a.id limit $2`

// DueActions returns what is to be done now with messages of a numbering, in the
// order of their names.
func (db *DB) DueActions(ctx context.Context, n postroom.NumberingID, limit int) ([]Due, error) {
	rows, err := db.query(ctx, dueActions, n, limit)
	due, err := collect(rows, err, func(r *sql.Rows) (d Due, err error) {
		err = r.Scan(&d.Arrival, &d.Name.UID, &d.Name.UIDL, &d.Name.Occurrence, &d.Action, &d.Folder, &d.SizeBytes, &d.ListedBytes,
			&d.Tries, &d.Copied, &d.SHA256, &d.MessageID)
		return d, err
	})
	if err != nil {
		return nil, fmt.Errorf("list due actions: %w", err)
	}
	return due, nil
}

const nextDue = `select coalesce(min(coalesce(a.due_at, 1)), 0) from arrival a where ` + isDue

// NextDue returns when the next action in a numbering may be done; ok is false when
// there is none.
func (db *DB) NextDue(ctx context.Context, n postroom.NumberingID) (next time.Time, ok bool, err error) {
	var due int64
	err = db.queryRow(ctx, nextDue, n).Scan(&due)
	if err != nil || due == 0 {
		return time.Time{}, false, err
	}
	return at(due), true, nil
}

// RecordCopied notes that the copies of a move are made, before the originals are
// removed: after a crash in between no second copy is made.
func (db *DB) RecordCopied(ctx context.Context, f Fence, ids []postroom.ArrivalID) error {
	return db.recordDue(ctx, f, ids, "copy recorded", func(t *tx, id postroom.ArrivalID) error {
		return t.exec(`update arrival set due_copied = true where id = $1 and due_action <> ''`, id)
	})
}

// RecordDone is commit 3: the server has done what was due. how is empty, or says
// in words what was done instead.
func (db *DB) RecordDone(ctx context.Context, f Fence, ids []postroom.ArrivalID, how string) error {
	how = clip(how, 2000)
	return db.recordDue(ctx, f, ids, "action recorded", func(t *tx, id postroom.ArrivalID) error {
		return t.exec(`update arrival set due_action = '', due_tries = 0, due_at = null, due_reason = $2, due_copied = false where id = $1`, id, how)
	})
}

// RecordUndone notes why actions could not be done. They stay due, and are tried
// again at next.
func (db *DB) RecordUndone(ctx context.Context, f Fence, ids []postroom.ArrivalID, reason string, next time.Time) error {
	reason = clip(reason, 2000)
	return db.recordDue(ctx, f, ids, "action put off", func(t *tx, id postroom.ArrivalID) error {
		return t.exec(`update arrival set due_tries = due_tries + 1, due_at = $3, due_reason = $2 where id = $1 and due_action <> ''`,
			id, reason, micros(next))
	})
}

func (db *DB) recordDue(ctx context.Context, f Fence, ids []postroom.ArrivalID, step string, one func(*tx, postroom.ArrivalID) error) error {
	if len(ids) == 0 {
		return nil
	}
	err := db.commit(ctx, func(t *tx) error {
		if err := t.hold(f); err != nil {
			return err
		}
		for _, id := range ids {
			if err := one(t, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("record what was done on the server of %s: %w", f.Mailbox, err)
	}
	db.step(step)
	return nil
}
