package credential

import (
	"context"
	"crypto/subtle"

	"github.com/postroom/postroom"
)

// Prefer keeps another form of the secret of a mailbox, without the blanks that its
// provider shows for instance: the one that has opened it. A secret that is no
// longer was stays as it is, and so does a sign-in, which has one form only.
func (k *Keeper) Prefer(ctx context.Context, id postroom.MailboxID, was, is postroom.Secret) error {
	kept, err := k.Store.Credential(ctx, id)
	if err != nil || kept.Kind == postroom.CredentialOAuth {
		return err
	}
	opened, err := k.Ring.Open(kept.Sealed, place(id))
	if err != nil {
		return unopened(err)
	}
	if !isSame(opened, was) {
		return nil
	}
	sealed, err := k.Seal(id, is)
	if err != nil {
		return err
	}
	return k.Store.PreferForm(ctx, id, kept.Sealed, sealed)
}

// PreferOutgoing is Prefer for what opens the outgoing server, where that is
// something else; where it is not, nothing happens: the mailbox itself decides.
func (k *Keeper) PreferOutgoing(ctx context.Context, id postroom.MailboxID, was, is postroom.Secret) error {
	kept, ok, err := k.Store.OutgoingCredential(ctx, id)
	if err != nil || !ok {
		return err
	}
	opened, err := k.Ring.Open(kept.Sealed, outgoingPlace(id))
	if err != nil {
		return unopened(err)
	}
	if !isSame(opened, was) {
		return nil
	}
	sealed, err := k.SealOutgoing(id, is)
	if err != nil {
		return err
	}
	return k.Store.PreferOutgoingForm(ctx, id, kept.Sealed, sealed)
}

func isSame(a, b postroom.Secret) bool {
	return subtle.ConstantTimeCompare([]byte(a.Reveal()), []byte(b.Reveal())) == 1
}
