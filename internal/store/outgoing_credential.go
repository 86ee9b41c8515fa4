package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const readOutgoingCredential = `
	select c.kind, c.sealed, c.worked_at from outgoing_credential c
	join mailbox m on m.id = c.mailbox
	where c.mailbox = $1 and m.deleted_at is null`

// OutgoingCredential returns what opens the outgoing server of a mailbox, where
// that is something else than what opens the mailbox; ok is false where it is not.
func (db *DB) OutgoingCredential(ctx context.Context, id postroom.MailboxID) (k KeptCredential, ok bool, err error) {
	var worked sql.NullInt64
	err = db.queryRow(ctx, readOutgoingCredential, int64(id)).Scan(&k.Kind, &k.Sealed, &worked)
	switch {
	case noRows(err):
		return KeptCredential{}, false, nil
	case err != nil:
		return KeptCredential{}, false, fmt.Errorf("read outgoing credential of mailbox %s: %w", id, err)
	}
	k.WorkedAt = fromMicros(worked)
	return k, true, nil
}

const saveOutgoing = `
	insert into outgoing_credential (mailbox, kind, sealed, created_at) values ($1, $2, $3, $4)
	on conflict (mailbox) do update
	set kind = excluded.kind, sealed = excluded.sealed, worked_at = null, created_at = excluded.created_at`

func (t *tx) saveOutgoing(id postroom.MailboxID, c NewCredential, now time.Time) error {
	sealed, err := c.Seal(id)
	if err != nil {
		return fmt.Errorf("seal outgoing credential of mailbox %s: %w", id, err)
	}
	if err := t.exec(saveOutgoing, int64(id), c.Kind, sealed, micros(now)); err != nil {
		return fmt.Errorf("save outgoing credential of mailbox %s: %w", id, err)
	}
	return nil
}

// changeOutgoing keeps a new one, or destroys the one there is where nothing is
// sent any more, or with the credential of the mailbox.
func (t *tx) changeOutgoing(m postroom.Mailbox, c MailboxChange, now time.Time) error {
	switch {
	case m.Outgoing == nil || c.SameOutgoing:
		if err := t.exec(destroyOutgoing, int64(m.ID)); err != nil {
			return fmt.Errorf("destroy outgoing credential of mailbox %s: %w", m.ID, err)
		}
	case c.Outgoing != nil:
		return t.saveOutgoing(m.ID, *c.Outgoing, now)
	}
	return nil
}
