package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A KeptCredential is what opens a mailbox, sealed.
type KeptCredential struct {
	Kind     string
	Sealed   []byte
	WorkedAt time.Time // when it last opened the mailbox; zero: never yet
	// CreatedAt is when it became what opens the mailbox.
	CreatedAt time.Time
	// Grant is what it rests on with kind "oauth"; 0: nobody has signed in yet.
	Grant postroom.GrantID
}

const readCredential = `
	select c.kind, c.sealed, c.worked_at, c.created_at, c.oauth_grant from credential c
	join mailbox m on m.id = c.mailbox
	where c.mailbox = $1 and m.deleted_at is null`

// Credential returns the credential of a mailbox, or a NotFound fault.
func (db *DB) Credential(ctx context.Context, id postroom.MailboxID) (KeptCredential, error) {
	var k KeptCredential
	var worked, grant sql.NullInt64
	var created int64
	err := db.queryRow(ctx, readCredential, int64(id)).Scan(&k.Kind, &k.Sealed, &worked, &created, &grant)
	switch {
	case noRows(err):
		return KeptCredential{}, &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.BadCredentials, FixBy: postroom.FixByUser,
			Explanation: "There is no password for this mailbox.",
			Remedy:      "Open the mailbox and enter its password.",
			Err:         err,
		}
	case err != nil:
		return KeptCredential{}, fmt.Errorf("read credential of mailbox %s: %w", id, err)
	}
	k.WorkedAt, k.CreatedAt, k.Grant = fromMicros(worked), at(created), postroom.GrantID(grant.Int64)
	return k, nil
}

// SaveCredential replaces the credential of a mailbox, which is tried at once
// unless the mailbox is paused.
func (db *DB) SaveCredential(ctx context.Context, id postroom.MailboxID, c NewCredential) error {
	return db.commit(ctx, func(t *tx) error {
		now, err := t.now()
		if err != nil {
			return err
		}
		version, err := t.raiseVersion(id)
		if err != nil {
			return err
		}
		if err := t.saveCredential(id, c, now); err != nil {
			return err
		}
		if err := t.exec(reopenMailbox, micros(now), int64(id)); err != nil {
			return fmt.Errorf("reopen mailbox %s: %w", id, err)
		}
		t.mailboxChanged(id, fmt.Sprint(version), now)
		return nil
	})
}

const (
	saveCredential = `
	insert into credential (mailbox, kind, sealed, created_at) values ($1, $2, $3, $4)
	on conflict (mailbox) do update
	set kind = excluded.kind, sealed = excluded.sealed, oauth_grant = null, worked_at = null, created_at = excluded.created_at`

	// Nobody has signed in yet.
	expectSignIn = `
	insert into credential (mailbox, kind, sealed, created_at) values ($1, 'oauth', $2, $3)
	on conflict (mailbox) do nothing`
)

// saveCredential replaces what opens a mailbox. A grant that did so until now ends. A
// sign-in that is still to come replaces nothing: what is there works on until it is
// proven (AdoptGrant).
func (t *tx) saveCredential(id postroom.MailboxID, c NewCredential, now time.Time) error {
	if c.Kind == postroom.CredentialOAuth {
		if err := t.exec(expectSignIn, int64(id), []byte{}, micros(now)); err != nil {
			return fmt.Errorf("expect a sign-in for mailbox %s: %w", id, err)
		}
		return nil
	}
	sealed, err := c.Seal(id)
	if err != nil {
		return fmt.Errorf("seal credential of mailbox %s: %w", id, err)
	}
	if err := t.endAdopted(id); err != nil {
		return err
	}
	if err := t.exec(saveCredential, int64(id), c.Kind, sealed, micros(now)); err != nil {
		return fmt.Errorf("save credential of mailbox %s: %w", id, err)
	}
	return nil
}

const raiseVersion = `update mailbox set version = version + 1 where id = $1 and deleted_at is null returning version`

// raiseVersion makes the mailbox's session look at it again.
func (t *tx) raiseVersion(id postroom.MailboxID) (version int64, err error) {
	err = t.row(raiseVersion, int64(id)).Scan(&version)
	switch {
	case noRows(err):
		return 0, noMailbox(err)
	case err != nil:
		return 0, fmt.Errorf("change mailbox %s: %w", id, err)
	}
	return version, nil
}
