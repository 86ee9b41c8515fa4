package mailbox

import (
	"context"
	"sync"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// letIn opens a connection with one form of the password after the other, until the
// server takes one: two at most, and the second only where the first was refused.
// The steps are those of the first connection.
func letIn[C any](ctx context.Context, r *test, open func(mail.Login) (C, error)) (client C, err error) {
	if r.c.Kind == KindOAuth {
		return letInByToken(ctx, r, open)
	}
	defer r.doubt.settle(r)
	var refusal error
	var known *postroom.Fault // that it was refused just now
	host, username := r.m.Incoming.Host, r.m.Incoming.Username
	for _, form := range r.forms {
		if refusal != nil && !r.doubt.mayTry(ctx, r) {
			break
		}
		p, fault := r.guard.enter(ctx, host, username, form, r.told)
		if fault != nil {
			known = fault
			continue
		}
		if refusal == nil {
			r.begin(StepConnection, r.place())
		}
		r.opening.again()
		client, err := open(mail.Login{Username: username, Secret: form})
		fault = r.refusedPassword(err)
		p.done(counted(fault), err == nil)
		if err == nil {
			r.form = form
			return client, nil
		}
		if refusal == nil || r.isDelay(err) { // then nobody knows yet that this form is refused, too
			refusal = err
		}
		if fault == nil {
			break
		}
		r.refused = true
	}
	if refusal == nil { // then there is a Fault of every form
		if refusal = r.reachOnly(ctx); refusal == nil {
			refusal = known
		}
	}
	return client, refusal
}

// refusedPassword is the Fault of a sign-in that was refused, where another form of
// the password may help; nil otherwise.
func (r *test) refusedPassword(err error) *postroom.Fault {
	refusal, ok := mail.RefusalOf(err)
	if !ok || refusal.Phase != mail.PhaseAuth || refusal.Reply == "" {
		return nil
	}
	f := r.Explainer.explain(err, r.m, r.c, false)
	if f == nil || f.Kind != postroom.NeedsSignIn {
		return nil
	}
	switch f.Class {
	case postroom.BadCredentials, postroom.AppPasswordRequired, postroom.AccountPasswordPasted, postroom.Unknown:
		return f
	}
	return nil
}

func (r *test) isDelay(err error) bool {
	f := r.Explainer.explain(err, r.m, r.c, false)
	return f != nil && f.Kind == postroom.Delayed
}

// counted is a refusal that is one of the password for certain. What a server says
// in words that nobody knows may be cured elsewhere, and is tried again then.
func counted(f *postroom.Fault) *postroom.Fault {
	if f == nil || f.Class == postroom.Unknown {
		return nil
	}
	return f
}

// reachOnly goes as far as one can without signing in.
func (r *test) reachOnly(ctx context.Context) error {
	r.begin(StepConnection, r.place())
	r.opening.shuns = true
	conn, err := mail.Dial(ctx, r.watched(ctx))
	if err != nil {
		return err
	}
	conn.Close()
	r.begin(StepSignIn, r.m.Incoming.Username)
	return nil
}

// A doubt is which form of one password both servers of a mailbox take. The one that
// the mailbox is read from decides: together they are not to see more wrong
// passwords than need be.
type doubt struct {
	shared  bool // both servers are tested, and have the same password
	once    sync.Once
	settled chan struct{} // closed when the incoming server has decided
	form    postroom.Secret
	refused bool // it has refused what it was shown
}

func newDoubt(c Credential, side Side) *doubt {
	shared := side == BothSides && (c.Outgoing == nil || c.Outgoing.Password.Reveal() == c.Password.Reveal())
	return &doubt{shared: shared, settled: make(chan struct{})}
}

// settle notes what the incoming server has decided, when it has.
func (d *doubt) settle(r *test) {
	if r.dialogue.side != IncomingSide {
		return
	}
	d.once.Do(func() {
		d.form, d.refused = r.form, r.refused
		close(d.settled)
	})
}

// mayTry says whether a second form is worth trying: not where the incoming server
// has refused them all.
func (d *doubt) mayTry(ctx context.Context, r *test) bool {
	if !d.shared || r.dialogue.side == IncomingSide {
		return true
	}
	select {
	case <-d.settled:
	case <-ctx.Done():
		return false
	}
	return !d.refused || !d.form.IsEmpty()
}
