package mailbox

import (
	"context"

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

// sealed completes new credentials, as far as there are any.
func (d *Desk) sealed(c NewCredentials) (with store.MailboxChange, err error) {
	own := c.Outgoing
	if c.Mailbox != nil {
		complete, err := c.Mailbox.complete()
		if err != nil {
			return with, err
		}
		with.Credential = &store.NewCredential{Kind: complete.Kind, Seal: d.sealing(complete)}
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
	return Credential{Kind: kind, Password: secret}, err
}
