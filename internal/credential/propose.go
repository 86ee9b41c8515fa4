package credential

import (
	"context"
	"errors"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
)

// brought is what a sign-in has brought.
type brought struct {
	oauth.Grant
	Nonce postroom.Secret // that the ID token has to name; empty: none was sent
	// InOwnName: the registration opens the mailbox by itself.
	InOwnName bool
}

// propose keeps what was brought, whatever is to become of it: nothing that a provider
// gave is lost from here on, and what is refused is given back.
func (d *Desk) propose(ctx context.Context, k store.KeptSignIn, reg Registration, m postroom.Mailbox, b brought) error {
	account, p, err := d.judge(ctx, k, reg, m, b)
	if err != nil {
		return d.refuseFor(ctx, k, err, situation(reg, m))
	}
	given, err := d.Keeper.dated(ctx, b.Grant, d.now())
	if err != nil {
		return err
	}
	p.Grant = d.Keeper.newGrant(postroom.Grant{
		Mailbox: m.ID, App: reg.ID, Way: k.Way, Account: account, SignedInBy: k.By,
	}, given)
	p.At = d.now()
	_, err = d.Store.ProposeSignIn(ctx, k.ID, p)
	switch {
	case errors.Is(err, store.ErrSignInMoved):
		return nil
	case err != nil:
		return err
	}
	d.step("proposed")
	d.log().InfoContext(ctx, "somebody signed in", "mailbox", m.ID, "sign_in", k.ID, "step", p.Step)
	if p.Step == postroom.SignInProposed {
		d.ring()
	}
	return nil
}

// judge says who signed in, and whether what was brought is to be proven, needs a
// person's word first, or cannot be used.
func (d *Desk) judge(ctx context.Context, k store.KeptSignIn, reg Registration, m postroom.Mailbox, b brought) (postroom.Account, store.Proposal, error) {
	on := store.Proposal{Step: postroom.SignInProposed}
	if b.InOwnName {
		return postroom.Account{Address: m.Address, Issuer: "app " + reg.ID.String()}, on, nil
	}
	account, err := d.whoSignedIn(ctx, reg, b)
	if err != nil {
		return account, on, err
	}
	uses, err := d.usesOf(ctx, m)
	if err != nil {
		return account, on, err
	}
	refused := func(f *postroom.Fault) (postroom.Account, store.Proposal, error) {
		return account, store.Proposal{Step: postroom.SignInRefused, Fault: f}, nil
	}
	provider := calledBy(reg.Preset, reg.OAuthApp)
	if missing := b.Missing(reg.OAuth.ScopesFor(uses...)); len(missing) > 0 {
		return refused(leftOut(provider, missing))
	}
	if b.RefreshToken.IsEmpty() {
		if isGoogle(reg.Provider) {
			return refused(noRefreshGoogle(reg.Name))
		}
		return refused(noRefresh(provider, reg.Name))
	}
	was, err := d.lastAccount(ctx, m.ID)
	if err != nil {
		return account, on, err
	}
	if relate(reg.Provider, m, account, was) != accountOther {
		return account, on, nil
	}
	if len(choicesFor(reg.Provider, m, account)) == 0 {
		return refused(wrongAccount(provider, m, account))
	}
	return account, store.Proposal{Step: postroom.SignInAsking}, nil
}

// whoSignedIn asks the provider who signed in. Not every one tells; then the mailbox
// itself does, by opening or not.
func (d *Desk) whoSignedIn(ctx context.Context, reg Registration, b brought) (postroom.Account, error) {
	if b.IDToken.IsEmpty() && reg.OAuth.UserInfoURL == "" {
		return postroom.Account{}, nil
	}
	who, err := d.Client.Account(ctx, reg.OAuth, b.Grant, b.Nonce)
	switch {
	case errors.Is(err, oauth.ErrIDToken):
		return postroom.Account{}, err
	case err != nil:
		d.log().InfoContext(ctx, "the provider did not say who signed in", "app", reg.ID, "err", err)
		return postroom.Account{}, nil
	}
	return accountOf(who), nil
}
