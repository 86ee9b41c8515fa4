package credential

import (
	"context"
	"errors"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// proveFor is how long a proposal is tried that only temporary trouble keeps from being
// proven.
const proveFor = 6 * 24 * time.Hour

// provePause are the pauses between the tries of proving a sign-in.
var provePause = work.Delay{First: 5 * time.Second, Max: time.Hour}

// prove tries the mailbox with what was proposed, and adopts it once it opens.
func (d *Desk) prove(ctx context.Context, k store.KeptSignIn) error {
	m, reg, err := d.partiesOf(ctx, k)
	if err != nil {
		return d.refuseOrLeave(ctx, k, err)
	}
	switch f, later, err := d.laterThan(ctx, k); {
	case err != nil:
		return err
	case later:
		return d.refuse(ctx, k, f, nil)
	}
	token, err := d.Keeper.TokenOf(ctx, k.Grant)
	if err != nil {
		f, ok := postroom.FaultOf(err)
		if !ok || ctx.Err() != nil {
			return err
		}
		if !passes(f) { // nothing has come to the mailbox
			return d.refuse(ctx, k, f, nil)
		}
		return d.unproven(ctx, k, m, attempt{}, Proof{Fault: f})
	}
	d.step("proving")
	how, proof, err := d.attempt(ctx, k, m, reg, token)
	if err != nil || ctx.Err() != nil {
		return errors.Join(err, ctx.Err())
	}
	if !proof.OK {
		return d.unproven(ctx, k, m, how, proof)
	}
	return d.adopt(ctx, k, how.adoption(proof))
}

// laterThan says whether something else opens the mailbox that came later than a
// sign-in, and what.
func (d *Desk) laterThan(ctx context.Context, k store.KeptSignIn) (f *postroom.Fault, later bool, err error) {
	grants, err := d.Store.Grants(ctx, k.Mailbox)
	if err != nil {
		return nil, false, err
	}
	var signedIn time.Time
	for _, g := range grants {
		switch {
		case g.ID == k.Grant:
			signedIn = g.SignedInAt
		case g.ID > k.Grant && !g.AdoptedAt.IsZero() && g.EndedAt.IsZero():
			return superseded(), true, nil
		}
	}
	c, err := d.Store.Credential(ctx, k.Mailbox)
	if postroom.KindOf(err) == postroom.NotFound {
		return nil, false, nil
	}
	later = err == nil && c.Kind != postroom.CredentialOAuth && c.CreatedAt.After(signedIn)
	return passwordSince(), later, err
}

// attempt tries the mailbox under the user names that may fit, until one opens it and
// sends. Where none does, it is the first that opens it; or else the first one says what
// is wrong.
func (d *Desk) attempt(ctx context.Context, k store.KeptSignIn, m postroom.Mailbox, reg Registration, t Token) (attempt, Proof, error) {
	_, own, err := d.Store.OutgoingCredential(ctx, m.ID)
	if err != nil {
		return attempt{}, Proof{}, err
	}
	if own {
		m.Outgoing = nil // something else opens it
	}
	ways := []attempt{{}}
	if reg.Kind == postroom.AppSignIn || reg.Kind == "" {
		ways = attemptsFor(m, k.Account, Choice(k.Answer), namesBy(reg, m, k.By))
	}
	var best attempt
	var bestProof Proof
	for i, way := range ways {
		proof := d.Prove(ctx, way.on(m), t)
		if own {
			way.outgoing = ""
		}
		if proof.OK {
			return way, proof, nil
		}
		if i == 0 || proof.Reads && !bestProof.Reads {
			best, bestProof = way, proof
		}
		if ctx.Err() != nil || proof.Fault == nil || passes(proof.Fault) {
			return way, proof, nil
		}
	}
	return best, bestProof, nil
}

// adoption is what is proven by p under the names of the attempt.
func (a attempt) adoption(p Proof) store.Adoption {
	return store.Adoption{Incoming: a.incoming, Outgoing: a.outgoing, Report: p.Report}
}

// unproven decides about a proposal that has not done all that it is for. Where nothing
// else opens the mailbox, one that reads it is adopted, though sending has to be put
// right; and so is one that could not open it for a reason that passes, or that lies in
// the mailbox: its reader tries again. What passes by itself is tried again here where
// something opens the mailbox meanwhile.
func (d *Desk) unproven(ctx context.Context, k store.KeptSignIn, m postroom.Mailbox, how attempt, p Proof) error {
	f := p.Fault
	if f == nil {
		f = refusedWith("The mailbox did not open with this sign-in.", "Look at the steps of the test, and sign in again.")
	}
	open, err := d.opensOtherwise(ctx, m)
	switch {
	case err != nil:
		return err
	case !open && p.Reads:
		return d.adopt(ctx, k, how.adoption(p))
	case !open && k.Answer == "" && (passes(f) || f.Kind == postroom.NeedsRepair):
		return d.adopt(ctx, k, store.Adoption{Untried: true, Report: p.Report})
	case !passes(f), d.now().Sub(k.CreatedAt) >= proveFor:
		return d.refuse(ctx, k, f, p.Report)
	}
	next := d.now().Add(provePause.AfterAsked(k.Tries+1, f.RetryAfter))
	return ifMoved(d.Store.PutOffSignIn(ctx, k.ID, f, p.Report, next))
}

// passes says whether something goes right by itself at another time.
func passes(f *postroom.Fault) bool {
	switch f.Kind {
	case postroom.Delayed, postroom.TooMany, postroom.Internal:
		return true
	}
	return false
}

// opensOtherwise says whether something opens the mailbox, or may: only then it is worth
// keeping until what was proposed is proven.
func (d *Desk) opensOtherwise(ctx context.Context, m postroom.Mailbox) (bool, error) {
	if m.State == postroom.MailboxNeedsSignIn {
		return false, nil
	}
	c, err := d.Store.Credential(ctx, m.ID)
	switch {
	case postroom.KindOf(err) == postroom.NotFound:
		return false, nil
	case err != nil:
		return false, err
	}
	return !c.WorkedAt.IsZero() || c.Kind != postroom.CredentialOAuth && m.State != postroom.MailboxDraft, nil
}

// adopt makes what was proposed what opens the mailbox.
func (d *Desk) adopt(ctx context.Context, k store.KeptSignIn, a store.Adoption) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	a.Grant, a.SignIn = k.Grant, k.ID
	err := d.Store.AdoptGrant(ctx, a)
	if postroom.KindOf(err) == postroom.Conflict {
		f, later, err := d.laterThan(ctx, k)
		if err != nil {
			return err
		}
		if !later {
			f = superseded()
		}
		return d.refuse(ctx, k, f, nil)
	}
	if err != nil {
		return err
	}
	d.step("adopted")
	d.log().InfoContext(ctx, "somebody has signed in for a mailbox", "mailbox", k.Mailbox, "sign_in", k.ID, "grant", k.Grant)
	if d.Wake != nil {
		d.Wake()
	}
	return nil
}
