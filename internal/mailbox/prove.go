package mailbox

import (
	"context"

	"github.com/postroom/postroom"
)

// Prove tries a mailbox with an access token that is not its own yet, as a test does:
// its folders are opened, and its outgoing server signed in to, with what that has of
// its own if it has. What could not be tried at all is the Fault of the error.
func (d *Desk) Prove(ctx context.Context, m postroom.Mailbox, token postroom.Secret, o TestOptions) (Report, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, testEnds, errTestOver)
	defer cancel()
	c := Credential{Kind: postroom.CredentialOAuth, Password: token}
	if m.Outgoing != nil {
		_, has, err := d.Store.OutgoingCredential(ctx, m.ID)
		if err != nil {
			return Report{}, err
		}
		if has {
			own, err := d.outgoingCredential(ctx, m.ID)
			if err != nil {
				return Report{}, err
			}
			c.Outgoing = &own
		}
	}
	resume, err := d.takeTurn(ctx, m, o)
	if err != nil {
		return Report{}, err
	}
	defer resume()
	return d.Tester.Run(ctx, m, c, o), nil
}
