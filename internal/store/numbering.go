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

// endOtherNumberings ends those that the settings of a mailbox no longer lead to:
// of another protocol, server or user, or of a folder that is not read any more.
func (t *tx) endOtherNumberings(m postroom.Mailbox) error {
	rows, err := t.rows(currentNumberings, m.ID)
	current, err := collect(rows, err, func(r *sql.Rows) (postroom.Numbering, error) { return scanNumbering(r.Scan) })
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

const proveMailbox = `
	update mailbox set state = 'active', state_since = case when state = 'active' then state_since else db_now() end,
		fault = null, next_try_at = null, failures = 0,
		proven_at = coalesce(proven_at, db_now()), start_at = coalesce(start_at, db_now()), updated_at = db_now()
	where id = $1 and version = $2 and state = 'draft' and deleted_at is null
	returning version, proven_at`

// RecordProof makes a draft active: the server let us in and showed these
// folders. Their numberings begin in the same commit, so that the boundary
// between old mail and new is the moment of the proof and no other.
// A mailbox that is no draft any more, or whose settings have changed since
// version, is left as it is; proven is then zero.
func (db *DB) RecordProof(ctx context.Context, f Fence, settings int64, folders []postroom.Numbering) (proven time.Time, err error) {
	err = db.commit(ctx, func(t *tx) error {
		proven = time.Time{}
		if err := t.hold(f); err != nil {
			return err
		}
		var version, provenAt int64
		err := t.row(proveMailbox, f.Mailbox, settings).Scan(&version, &provenAt)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for _, n := range folders {
			if _, err := t.beginNumbering(n); err != nil {
				return err
			}
		}
		proven = at(provenAt)
		t.event(postroom.Event{
			ID: fmt.Sprintf("mailbox.proven:%d", f.Mailbox), Type: postroom.EventMailboxChanged, At: proven, Mailbox: f.Mailbox,
		})
		return t.exec(`update credential set worked_at = db_now() where mailbox = $1`, f.Mailbox)
	})
	if err != nil {
		return time.Time{}, fmt.Errorf("record proof of %s: %w", f.Mailbox, err)
	}
	db.step("mailbox proven")
	return proven, nil
}
