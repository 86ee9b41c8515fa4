package credential

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
)

// Bring takes a refresh token that was obtained elsewhere, or none where the app needs
// nobody to sign in. It goes the way of a sign-in from there. A token that the provider
// refuses is an error.
func (d *Desk) Bring(ctx context.Context, by postroom.Viewer, m postroom.MailboxID, app postroom.OAuthAppID, refresh postroom.Secret) (postroom.SignIn, error) {
	mailbox, err := d.mailboxFor(ctx, by, m)
	if err != nil {
		return postroom.SignIn{}, err
	}
	reg, err := d.Apps.Registration(ctx, app)
	if err != nil {
		return postroom.SignIn{}, err
	}
	b, way := brought{InOwnName: true, Grant: oauth.Grant{At: d.now()}}, postroom.GrantByApp
	if reg.Kind == postroom.AppSignIn {
		way = postroom.GrantBrought
		if b, err = d.tried(ctx, reg, mailbox, refresh); err != nil {
			return postroom.SignIn{}, err
		}
	} else if !refresh.IsEmpty() {
		return postroom.SignIn{}, wrong("credential.refresh_token", "This registration opens mailboxes in its own name: there is no refresh token.", "Leave the refresh token out, or name the registration that it was given to.")
	}
	// What the provider gave is not to be lost because nobody waits any more.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeLasts)
	defer cancel()
	_, hash := newSecret()
	now := d.now()
	s, err := d.Store.AddSignIn(ctx, store.NewSignIn{
		SignIn: postroom.SignIn{
			Mailbox: m, App: reg.ID, Way: way, By: by.User, Step: postroom.SignInReturned,
			CreatedAt: now, ExpiresAt: now.Add(SignInLasts),
		},
		Start: hash, NextTryAt: now.Add(exchangeLost),
	})
	if err != nil {
		return postroom.SignIn{}, err
	}
	if err := d.propose(ctx, store.KeptSignIn{SignIn: s}, reg, mailbox, b); err != nil {
		return postroom.SignIn{}, err
	}
	k, err := d.Store.SignIn(ctx, s.ID)
	if err == nil && k.Step == postroom.SignInRefused && k.Fault != nil {
		err = k.Fault
	}
	return k.SignIn, err
}

// tried uses a refresh token once: what the provider does not take is not kept.
func (d *Desk) tried(ctx context.Context, reg Registration, m postroom.Mailbox, refresh postroom.Secret) (brought, error) {
	text := tidy(refresh.Reveal())
	if text == "" {
		return brought{}, wrong("credential.refresh_token", "The refresh token is missing.", "Give the refresh token that the provider gave for this mailbox, or sign in.")
	}
	uses, err := d.usesOf(ctx, m)
	if err != nil {
		return brought{}, err
	}
	longer, done := outlast(ctx)
	defer done()
	g, err := d.Client.Refresh(longer, reg.OAuth, postroom.Hide(text), nil)
	if err != nil {
		f := d.explain(err, situation(reg, m))
		if f.Kind == postroom.NeedsSignIn {
			f.Kind, f.Field = postroom.Invalid, "credential.refresh_token"
		}
		return brought{}, f
	}
	if !g.ScopesSaid && len(g.Scopes) == 0 {
		g.Scopes = reg.OAuth.ScopesFor(uses...) // as before, which only the provider knows: the mailbox tells
	}
	return brought{Grant: g}, nil
}
