package mailbox

import (
	"context"

	"github.com/postroom/postroom"
)

// A replacement is a password that is to take the place of a sign-in at the provider.
// That ends with it for good, so the password is tried first.
type replacement struct {
	*Desk
	id     postroom.MailboxID
	proven bool
}

// prove tries what is to open m from now on, where a sign-in that works would be given
// up for it. The Fault says why that stays.
func (r *replacement) prove(ctx context.Context, m postroom.Mailbox, c *Credential) error {
	if r.proven || c == nil || c.Kind == KindOAuth || m.State == postroom.MailboxNeedsSignIn {
		return nil
	}
	kept, err := r.Store.Credential(ctx, r.id)
	if err != nil || kept.Kind != KindOAuth || kept.WorkedAt.IsZero() {
		return err
	}
	complete, err := c.Complete()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, testEnds, errTestOver)
	defer cancel()
	resume, err := r.takeTurn(ctx, m, TestOptions{Side: IncomingSide})
	if err != nil {
		return err
	}
	defer resume()
	f := r.tester().Run(ctx, m, complete, TestOptions{Side: IncomingSide}).Fault()
	if f == nil {
		r.proven = true
		return nil
	}
	stays := *f
	stays.Explanation = "The password did not open the mailbox, so the sign-in at the provider stays as it is. " + f.Explanation
	if f.Kind != postroom.Delayed {
		stays.Kind = postroom.Invalid
	}
	if stays.Field == "" {
		stays.Field = "credential.password"
	}
	return &stays
}
