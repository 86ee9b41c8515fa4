// Package credential keeps what opens a mailbox.
package credential

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// A Keeper seals the credentials of mailboxes, and opens them for whoever signs in.
// What rests on a sign-in at a provider it renews there, ahead of need. With Store and
// Ring alone it opens passwords, and tokens while they last.
type Keeper struct {
	Store *store.DB
	Ring  *vault.Ring
	// Registration returns a registration ready for use (Apps.Registration); nil: nobody
	// is asked for tokens.
	Registration func(context.Context, postroom.OAuthAppID) (Registration, error)
	Client       *oauth.Client // nil: the usual one
	// Explain says what a refusal means; nil, and where it returns nil: what is said of
	// every provider.
	Explain func(err error, s Situation) *postroom.Fault
	Node    string // names this process, for whoever reads the database
	// Now is the clock by which tokens end and pauses are over; nil: that of the
	// database, which all processes share.
	Now func() time.Time
	Log *slog.Logger // nil: the default one
	// Interrupted counts answers of providers that were never recorded, because a process
	// ended between the two; nil: nobody counts.
	Interrupted func()
	// Step hears how far a refresh has come, by name; nil: nobody does.
	Step func(point string)

	flights flights
	uses    uses
}

// A Situation is what is known here of whoever was refused.
type Situation struct {
	Provider *provider.Preset // nil: generic
	App      postroom.OAuthApp
	Mailbox  postroom.Mailbox
	Account  postroom.Account // who had signed in; zero: nobody, or it is not known
	// HasWorked: this sign-in has given access before.
	HasWorked bool
	// Interrupted: an answer of the provider was lost since then.
	Interrupted bool
	SignedInAt  time.Time // zero: not known
	UsedAt      time.Time // when the sign-in was last renewed or used; zero: not known
	ConsentURL  string    // where an administrator allows the app for everybody; empty: nowhere
}

// place is where the credential of a mailbox is kept; it opens nowhere else.
func place(id postroom.MailboxID) vault.Place {
	return vault.Place{Table: "credential", Column: "sealed", Row: id.String()}
}

// Seal makes what is kept of the secret of a mailbox.
func (k *Keeper) Seal(id postroom.MailboxID, secret postroom.Secret) ([]byte, error) {
	return k.Ring.Seal(secret, place(id))
}

// Open returns the secret of a mailbox, of which kind it is ("password",
// "app_password", or "oauth" for an access token), and whether it has opened the
// mailbox before. A secret that cannot be opened any more is a Fault of kind
// NeedsRepair.
func (k *Keeper) Open(ctx context.Context, id postroom.MailboxID) (kind string, secret postroom.Secret, hasWorked bool, err error) {
	kept, err := k.Store.Credential(ctx, id)
	if err != nil {
		return "", postroom.Secret{}, false, err
	}
	hasWorked = !kept.WorkedAt.IsZero()
	if kept.Kind == postroom.CredentialOAuth {
		t, err := k.tokenOf(ctx, kept)
		return kept.Kind, t.Access, hasWorked, err
	}
	secret, err = k.Ring.Open(kept.Sealed, place(id))
	if err != nil {
		return "", postroom.Secret{}, false, unopened(err)
	}
	return kept.Kind, secret, hasWorked, nil
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
