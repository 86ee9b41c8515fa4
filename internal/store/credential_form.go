package store

import (
	"context"
	"fmt"

	"github.com/postroom/postroom"
)

const (
	preferForm         = `update credential set sealed = $1 where mailbox = $2 and sealed = $3`
	preferOutgoingForm = `update outgoing_credential set sealed = $1 where mailbox = $2 and sealed = $3`
)

// PreferForm replaces what is kept of a secret by another form of the same, unless it
// was replaced meanwhile: then nothing happens. Sessions go on as they are.
func (db *DB) PreferForm(ctx context.Context, id postroom.MailboxID, was, is []byte) error {
	return db.prefer(ctx, preferForm, id, was, is)
}

// PreferOutgoingForm is PreferForm for what opens the outgoing server alone.
func (db *DB) PreferOutgoingForm(ctx context.Context, id postroom.MailboxID, was, is []byte) error {
	return db.prefer(ctx, preferOutgoingForm, id, was, is)
}

func (db *DB) prefer(ctx context.Context, query string, id postroom.MailboxID, was, is []byte) error {
	err := db.commit(ctx, func(t *tx) error { return t.exec(query, is, int64(id), was) })
	if err != nil {
		return fmt.Errorf("keep the form of the credential of mailbox %s: %w", id, err)
	}
	return nil
}
