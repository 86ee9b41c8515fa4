package mailbox

import (
	"context"
	"crypto/subtle"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// NewCredentials replace what opens a mailbox and its outgoing server.
type NewCredentials struct {
	Mailbox  *Credential // nil: it stays
	Outgoing *Credential // of the outgoing server alone; nil: it stays
	// SameOutgoing has what opens the mailbox open the outgoing server too: one of its
	// own is destroyed.
	SameOutgoing bool
}

// forNew is what opens a mailbox that is not here yet.
func (c NewCredentials) forNew() Credential {
	var all Credential
	if c.Mailbox != nil {
		all = *c.Mailbox
	}
	if c.Outgoing != nil {
		all.Outgoing = c.Outgoing
	}
	return all
}

// areNew names the credentials that a mailbox does not have already.
func (d *Desk) areNew(ctx context.Context, id postroom.MailboxID, c NewCredentials) (fields []string, err error) {
	if c.Mailbox != nil {
		wanted, err := c.Mailbox.Complete()
		if err != nil {
			return nil, err
		}
		if !d.isKept(ctx, id, wanted) {
			fields = append(fields, "credential")
		}
	}
	if c.Outgoing != nil {
		wanted, err := c.Outgoing.completeAs("outgoing.credential")
		if err != nil {
			return nil, err
		}
		if now, err := d.outgoingCredential(ctx, id); err != nil || !wanted.isKept(now.Kind, now.Password) {
			fields = append(fields, "outgoing.credential")
		}
	}
	if c.SameOutgoing {
		_, has, err := d.Store.OutgoingCredential(ctx, id)
		if err != nil {
			return nil, err
		}
		if has {
			fields = append(fields, "outgoing.credential")
		}
	}
	return fields, nil
}

// isKept says whether a mailbox has c already. Of a sign-in at the provider nothing is
// asked there for that.
func (d *Desk) isKept(ctx context.Context, id postroom.MailboxID, c Credential) bool {
	kept, err := d.Store.Credential(ctx, id)
	if err != nil || kept.Kind != c.Kind || c.Kind == KindOAuth {
		return err == nil && kept.Kind == c.Kind
	}
	kind, secret, _, err := d.Open(ctx, id)
	return err == nil && c.isKept(kind, secret)
}

// isKept says whether c is what is kept, in the form in which it was typed or in one
// that has worked since. Whoever asks may give the mailbox any server to sign in at,
// and so could learn its password anyway.
func (c Credential) isKept(kind string, kept postroom.Secret) bool {
	same := isSecret(c.Password, kept)
	for _, form := range c.formsAt(nil) {
		same = same || isSecret(form, kept)
	}
	return same && kind == c.Kind
}

func isSecret(a, b postroom.Secret) bool {
	return subtle.ConstantTimeCompare([]byte(a.Reveal()), []byte(b.Reveal())) == 1
}

// sealed completes new credentials for m, as far as there are any.
func (d *Desk) sealed(m postroom.Mailbox, c NewCredentials) (with store.MailboxChange, err error) {
	own := c.Outgoing
	if c.Mailbox != nil {
		complete, err := c.Mailbox.Complete()
		if err != nil {
			return with, err
		}
		complete = d.inKnownForm(m, complete)
		if !complete.isUnsigned() { // the sign-in takes the place of what there is, once it is proven
			with.Credential = &store.NewCredential{Kind: complete.Kind, Seal: d.sealing(complete)}
		}
		if own == nil {
			own = complete.Outgoing
		}
	}
	with.SameOutgoing = c.SameOutgoing
	if own != nil {
		complete, err := own.completeAs("outgoing.credential")
		if err != nil {
			return with, err
		}
		if m.Outgoing != nil {
			complete = d.inKnownForm(outgoingSide(m), complete)
		}
		with.Outgoing = d.sealingFor(complete)
	}
	return with, nil
}

// sealingOutgoing is what opens the outgoing server of a new mailbox, where that is
// something else and there is such a server.
func (d *Desk) sealingOutgoing(m postroom.Mailbox, c Credential) []store.NewCredential {
	if m.Outgoing == nil || c.Outgoing == nil {
		return nil
	}
	return []store.NewCredential{*d.sealingFor(*c.Outgoing)}
}

func (d *Desk) sealingFor(c Credential) *store.NewCredential {
	return &store.NewCredential{Kind: c.Kind, Seal: func(id postroom.MailboxID) ([]byte, error) {
		return d.SealOutgoing(id, c.Password)
	}}
}

// outgoingCredential is what opens the outgoing server of a mailbox.
func (d *Desk) outgoingCredential(ctx context.Context, id postroom.MailboxID) (Credential, error) {
	kind, secret, err := d.OpenOutgoing(ctx, id)
	return d.opened(id, kind, secret, false, err)
}
