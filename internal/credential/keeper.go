// Package credential keeps what opens a mailbox.
package credential

import (
	"context"
	"errors"
	"fmt"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// A Keeper seals the credentials of mailboxes, and opens them for whoever signs in.
type Keeper struct {
	Store *store.DB
	Ring  *vault.Ring
}

// place is where the credential of a mailbox is kept; it opens nowhere else.
func place(id postroom.MailboxID) vault.Place {
	return vault.Place{Table: "credential", Column: "sealed", Row: id.String()}
}

// Seal makes what is kept of the secret of a mailbox.
func (k *Keeper) Seal(id postroom.MailboxID, secret postroom.Secret) ([]byte, error) {
	return k.Ring.Seal(secret, place(id))
}

// Open returns the secret of a mailbox, of which kind it is ("password" or
// "app_password"), and whether it has opened the mailbox before. A secret that
// cannot be opened any more is a Fault of kind NeedsRepair.
func (k *Keeper) Open(ctx context.Context, id postroom.MailboxID) (kind string, secret postroom.Secret, hasWorked bool, err error) {
	kept, err := k.Store.Credential(ctx, id)
	if err != nil {
		return "", postroom.Secret{}, false, err
	}
	secret, err = k.Ring.Open(kept.Sealed, place(id))
	if err != nil {
		return "", postroom.Secret{}, false, unopened(err)
	}
	return kept.Kind, secret, !kept.WorkedAt.IsZero(), nil
}

// outgoingPlace is where what opens the outgoing server is kept, where that is
// something else: one does not open in the place of the other.
func outgoingPlace(id postroom.MailboxID) vault.Place {
	return vault.Place{Table: "outgoing_credential", Column: "sealed", Row: id.String()}
}

// SealOutgoing makes what is kept of the secret for the outgoing server of a mailbox.
func (k *Keeper) SealOutgoing(id postroom.MailboxID, secret postroom.Secret) ([]byte, error) {
	return k.Ring.Seal(secret, outgoingPlace(id))
}

// OpenOutgoing returns the secret for the outgoing server of a mailbox, and its
// kind: one of its own where there is one, else that of the mailbox.
func (k *Keeper) OpenOutgoing(ctx context.Context, id postroom.MailboxID) (kind string, secret postroom.Secret, err error) {
	kept, ok, err := k.Store.OutgoingCredential(ctx, id)
	if err != nil {
		return "", postroom.Secret{}, err
	}
	if !ok {
		kind, secret, _, err = k.Open(ctx, id)
		return kind, secret, err
	}
	if secret, err = k.Ring.Open(kept.Sealed, outgoingPlace(id)); err != nil {
		return "", postroom.Secret{}, unopened(err)
	}
	return kept.Kind, secret, nil
}

// unopened is the Fault for a secret that does not open.
func unopened(err error) error {
	f := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Err: err}
	switch {
	case errors.Is(err, vault.ErrKeyUnknown):
		f.Explanation = "The password of this mailbox was sealed with a key that is not in the key file."
		f.Remedy = "Put the old key file back into the data directory. If it is gone for good, enter the password of this mailbox again; its mail and issues are not affected."
	case errors.Is(err, vault.ErrTampered):
		f.Explanation = "The sealed password of this mailbox was changed after Postroom wrote it."
		f.Remedy = "Enter the password of this mailbox again, and find out who can write to the database."
	default:
		return fmt.Errorf("open credential: %w", err)
	}
	return f
}
