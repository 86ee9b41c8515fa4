package store

import (
	"context"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const proveMailbox = `
	update mailbox set state = 'active', state_since = case when state = 'active' then state_since else db_now() end,
		fault = null, next_try_at = null, failures = 0,
		proven_at = coalesce(proven_at, db_now()), start_at = coalesce(start_at, db_now()), updated_at = db_now()
	where id = $1
	returning version, proven_at`

const mailboxToProve = `
	select ` + mailboxColumns + ` from mailbox m
	where m.id = $1 and m.version = $2 and m.state = 'draft' and m.deleted_at is null /*pg for update */`

// RecordProof makes a draft active: the server let us in and showed these
// folders. Their numberings begin in the same commit, so that the boundary
// between old mail and new is the moment of the proof and no other.
// A mailbox that was proven before, and removed, and is continued now, goes on with
// the numberings that it has; in those that begin for it the dates decide, so that
// what came in between is brought in. A mailbox that is no draft any more, or whose
// settings have changed since version, is left as it is; proven is then zero.
func (db *DB) RecordProof(ctx context.Context, f Fence, settings int64, folders []postroom.Numbering) (proven time.Time, err error) {
	err = db.commit(ctx, func(t *tx) error {
		proven = time.Time{}
		if err := t.hold(f); err != nil {
			return err
		}
		k, err := scanMailbox(t.row(mailboxToProve, f.Mailbox, settings).Scan)
		if noRows(err) {
			return nil
		}
		if err != nil {
			return err
		}
		var version, provenAt int64
		if err := t.row(proveMailbox, f.Mailbox).Scan(&version, &provenAt); err != nil {
			return err
		}
		for _, n := range folders {
			if err := t.numberFrom(k.Mailbox, n); err != nil {
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
