package mailbox

import (
	"context"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// Test tries a mailbox that is not kept. It changes nothing, here or on the server,
// and takes fifteen seconds at most. Settings that cannot be used are an error, not a
// report. A password that was refused within the last ten minutes is not sent again.
func (d *Desk) Test(ctx context.Context, by postroom.Viewer, m postroom.Mailbox, c Credential, o TestOptions) (Report, error) {
	if err := needAdmin(by); err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, testEnds, errTestOver)
	defer cancel()
	m, c, err := d.complete(ctx, m, c)
	if err != nil {
		return Report{}, err
	}
	if o.Side == OutgoingSide && m.Outgoing == nil {
		return Report{}, onlyReads()
	}
	kept, err := d.Store.MailboxByAddress(ctx, m.Address)
	switch {
	case err == nil: // other settings for one that is here
		resume, err := d.takeTurn(ctx, kept, o)
		if err != nil {
			return Report{}, err
		}
		defer resume()
		if c, err = d.asKept(ctx, kept.ID, c); err != nil {
			return Report{}, err
		}
	case postroom.KindOf(err) != postroom.NotFound:
		return Report{}, err
	}
	return d.tester().Run(ctx, m, c, o), nil
}

// TestSaved tries a mailbox as it is kept, as Test does. Where its server lets in only
// one at a time, whoever reads it steps aside meanwhile. Which form of a password has
// worked is kept.
func (d *Desk) TestSaved(ctx context.Context, by postroom.Viewer, id postroom.MailboxID, o TestOptions) (Report, error) {
	if err := needAdmin(by); err != nil {
		return Report{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, testEnds, errTestOver)
	defer cancel()
	m, err := d.Store.Mailbox(ctx, id)
	if err != nil {
		return Report{}, err
	}
	if o.Side == OutgoingSide && m.Outgoing == nil {
		return Report{}, onlyReads()
	}
	c, err := d.keptCredential(ctx, m)
	if err != nil {
		return Report{}, fmt.Errorf("test mailbox %s: %w", id, err)
	}
	resume, err := d.takeTurn(ctx, m, o)
	if err != nil {
		return Report{}, err
	}
	defer resume()
	r := d.tester().Run(ctx, m, c, o)
	if err := d.prefer(ctx, d.Prefer, id, c.Password, r.form); err != nil {
		return r, err
	}
	if c.Outgoing == nil {
		return r, nil
	}
	return r, d.prefer(ctx, d.PreferOutgoing, id, c.Outgoing.Password, r.outgoingForm)
}

// keptCredential is what opens both sides of a mailbox. A sign-in at the provider from
// which no token comes now is one that is lost: what can be tried without is.
func (d *Desk) keptCredential(ctx context.Context, m postroom.Mailbox) (Credential, error) {
	c, err := d.incomingCredential(ctx, m.ID)
	if err != nil || m.Outgoing == nil {
		return c, err
	}
	own, err := d.outgoingCredential(ctx, m.ID)
	c.Outgoing = &own
	return c, err
}

// incomingCredential is what opens a mailbox.
func (d *Desk) incomingCredential(ctx context.Context, id postroom.MailboxID) (Credential, error) {
	kind, secret, hasWorked, err := d.Open(ctx, id)
	return d.opened(id, kind, secret, hasWorked, err)
}

// opened is a credential as it was opened.
func (d *Desk) opened(id postroom.MailboxID, kind string, secret postroom.Secret, hasWorked bool, err error) (Credential, error) {
	c := Credential{Kind: kind, Password: secret, proven: hasWorked}
	if kind != KindOAuth {
		return c, err
	}
	if f, ok := postroom.FaultOf(err); ok {
		c.lost, err = f, nil
	}
	if d.Renew != nil {
		c.renew = func(ctx context.Context, refused postroom.Secret) (postroom.Secret, error) {
			return d.Renew(ctx, id, refused)
		}
	}
	return c, err
}

// asKept is c with what is known of it where the mailbox has it already: that it has
// worked, or the token of the sign-in.
func (d *Desk) asKept(ctx context.Context, id postroom.MailboxID, c Credential) (Credential, error) {
	switch {
	case !c.isUnsigned():
		c.proven = d.hasOpened(ctx, id, c)
		return c, nil
	case !d.isKept(ctx, id, c):
		return c, nil
	}
	kept, err := d.incomingCredential(ctx, id)
	kept.Outgoing = c.Outgoing
	return kept, err
}

// hasOpened says whether a credential is the one that is kept, and has worked as it is.
func (d *Desk) hasOpened(ctx context.Context, id postroom.MailboxID, c Credential) bool {
	kind, secret, hasWorked, err := d.Open(ctx, id)
	return err == nil && hasWorked && isSecret(c.Password, secret) && kind == c.Kind
}

// prefer keeps the form of a password that has worked, where that is another one.
func (d *Desk) prefer(ctx context.Context, keep func(context.Context, postroom.MailboxID, postroom.Secret, postroom.Secret) error, id postroom.MailboxID, was, is postroom.Secret) error {
	if keep == nil || is.IsEmpty() || isSecret(was, is) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := keep(ctx, id, was, is); err != nil {
		return fmt.Errorf("keep the form of the password of mailbox %s: %w", id, err)
	}
	return nil
}

// Forms are what may open the incoming server of a mailbox: the forms of its password,
// the most likely first, two at most. hasWorked says that the only one has done so.
func (d *Desk) Forms(ctx context.Context, m postroom.Mailbox) (kind string, forms []postroom.Secret, hasWorked bool, err error) {
	kind, secret, hasWorked, err := d.Open(ctx, m.ID)
	if err != nil {
		return kind, nil, hasWorked, err
	}
	c := Credential{Kind: kind, Password: secret, proven: hasWorked}
	return kind, d.Tester.Explainer.formsOf(m, c), hasWorked, nil
}

// inKnownForm is c as it is kept for m: in the form in which a test has found it to
// work, where one has.
func (d *Desk) inKnownForm(m postroom.Mailbox, c Credential) Credential {
	for _, form := range d.Tester.Explainer.formsOf(m, c) {
		if d.guard.hasWorked(m.Incoming.Host, m.Incoming.Username, form) {
			c.Password = form
			break
		}
	}
	if c.Outgoing != nil && m.Outgoing != nil {
		own := d.inKnownForm(outgoingSide(m), *c.Outgoing)
		c.Outgoing = &own
	}
	return c
}

// turnLimit is how long a test waits for whoever reads a mailbox to step aside.
const turnLimit = 5 * time.Second

// takeTurn has whoever reads a mailbox step aside, where the test reads it too and its
// server lets in only one at a time. By IMAP tests do not wait for one another either.
func (d *Desk) takeTurn(ctx context.Context, kept postroom.Mailbox, o TestOptions) (resume func(), err error) {
	if o.Side == OutgoingSide || kept.Incoming.Protocol != postroom.POP3 {
		return func() {}, nil
	}
	if resume, err = d.aside(ctx, kept.ID); err != nil {
		return nil, fmt.Errorf("take turns at mailbox %s: %w", kept.ID, err)
	}
	return resume, nil
}

// aside has whoever reads a mailbox step aside. One who hangs at the server is not
// waited for: the test then says what hangs, or that somebody has the mailbox open.
func (d *Desk) aside(ctx context.Context, id postroom.MailboxID) (resume func(), err error) {
	if d.Aside == nil {
		return func() {}, nil
	}
	soon, cancel := context.WithTimeout(ctx, turnLimit)
	defer cancel()
	resume, err = d.Aside(soon, id)
	if err != nil && soon.Err() != nil && ctx.Err() == nil {
		return func() {}, nil
	}
	return resume, err
}
