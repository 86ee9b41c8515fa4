package mailbox

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// letInByToken opens a connection with an access token. One that is refused is asked
// for anew where that can be done, once. There is but one form of a token, and none
// that was refused locks an account: nobody is spared anything.
func letInByToken[C any](ctx context.Context, r *test, open func(mail.Login) (C, error)) (client C, err error) {
	defer r.doubt.settle(r)
	if f := r.noToken(); f != nil {
		if err := r.reachOnly(ctx); err != nil {
			return client, err
		}
		return client, f
	}
	r.begin(StepConnection, r.place())
	for renewed := false; ; renewed = true {
		r.opening.again()
		client, err = open(mail.Login{Username: r.m.Incoming.Username, Secret: r.c.Password, OAuth: true})
		if err == nil || renewed || r.c.renew == nil || !r.isTokenRefused(err) {
			return client, err
		}
		another, failed := r.c.renew(ctx, r.c.Password)
		switch {
		case failed != nil:
			return client, failed
		case isSecret(another, r.c.Password): // it is as new as can be
			return client, err
		}
		r.c.Password = another
	}
}

// noToken is the Fault of a sign-in that has no token; nil where there is one.
func (r *test) noToken() *postroom.Fault {
	switch {
	case r.c.lost != nil:
		return r.c.lost
	case r.c.isUnsigned():
		return r.Explainer.unsigned(r.m)
	}
	return nil
}

// isTokenRefused says whether another token may open what this one did not.
func (r *test) isTokenRefused(err error) bool {
	refusal, ok := mail.RefusalOf(err)
	if !ok || refusal.Phase != mail.PhaseAuth || refusal.Reply == "" {
		return false
	}
	f := r.Explainer.explain(err, r.m, r.c, false)
	return f != nil && f.Kind != postroom.Delayed
}

// unsigned is the Fault of a mailbox for which nobody has signed in at its provider.
func (x Explainer) unsigned(m postroom.Mailbox) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.ConsentMissing, FixBy: postroom.FixByUser,
		Explanation: "Nobody has signed in at " + x.providerOf(m) + " for this mailbox yet.",
		Remedy:      "Open the mailbox and choose Sign in, or send its owner a link to sign in.",
	}
}

// byToken is who signed in, and how, of one who did so at the provider.
func (r *test) byToken() string {
	who := r.m.Incoming.Username
	if r.opening.mechanism != "" {
		who += " (" + r.opening.mechanism + ")"
	}
	return who + ", signed in at " + r.Explainer.providerOf(r.m)
}

// providerOf is how a sentence calls the provider of a mailbox.
func (x Explainer) providerOf(m postroom.Mailbox) string {
	if p, ok := x.presetOf(m); ok {
		return p.Called()
	}
	return "its provider"
}
