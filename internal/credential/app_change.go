package credential

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// Add keeps a registration.
func (a *Apps) Add(ctx context.Context, by postroom.Viewer, n NewApp) (postroom.OAuthApp, error) {
	if err := needAppAdmin(by); err != nil {
		return postroom.OAuthApp{}, err
	}
	app, secret, err := a.read(n.OAuthApp, n.Secret)
	if err != nil {
		return postroom.OAuthApp{}, err
	}
	app.CheckedAt, app.Checks, app.Mailboxes = postroom.OAuthApp{}.CheckedAt, nil, 0
	var seal func(postroom.OAuthAppID) ([]byte, error)
	if !secret.IsEmpty() {
		seal = func(id postroom.OAuthAppID) ([]byte, error) { return a.Ring.Seal(secret, appPlace(id)) }
	}
	return a.Store.AddOAuthApp(ctx, app, seal)
}

// read understands a registration with a secret as somebody entered them. A file that
// was pasted as the client id is taken for the secret.
func (a *Apps) read(app postroom.OAuthApp, secret postroom.Secret) (postroom.OAuthApp, postroom.Secret, error) {
	if id := tidy(app.ClientID); secret.IsEmpty() && strings.HasPrefix(id, "{") {
		app.ClientID, secret = "", postroom.Hide(id)
	}
	p, err := readSecret(secret, app)
	if err != nil {
		return app, secret, err
	}
	if asked := app.SecretKind; asked != "" && p.kind != "" && asked != p.kind {
		return app, secret, wrong("client_secret", fmt.Sprintf("This is not %s.", kindName(asked)), "Paste "+kindName(asked)+", or choose another kind of secret.")
	}
	if app, err = a.complete(app, p); err != nil {
		return app, secret, err
	}
	return app, p.secret, endsAhead(app, a.now())
}

func kindName(kind postroom.AppSecretKind) string {
	switch kind {
	case postroom.AppSecretCertificate:
		return "a private key with its certificate"
	case postroom.AppSecretKeyFile:
		return "the key file of a service account"
	}
	return "a client secret"
}

// Change keeps a registration as it is once change has changed it. secret is a new one;
// nil: it stays. It is the same registration as before, by which mailboxes go on.
func (a *Apps) Change(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID, change func(*postroom.OAuthApp) error, secret *postroom.Secret) (postroom.OAuthApp, error) {
	if err := needAppAdmin(by); err != nil {
		return postroom.OAuthApp{}, err
	}
	const tries = 5 // others may be changing it
	for range tries {
		was, err := a.Store.OAuthApp(ctx, id)
		if err != nil {
			return postroom.OAuthApp{}, err
		}
		app, sealed, err := a.changed(was, change, secret)
		if err != nil {
			return postroom.OAuthApp{}, err
		}
		ok, err := a.Store.ChangeOAuthApp(ctx, app, was.UpdatedAt, sealed)
		if err != nil {
			return postroom.OAuthApp{}, err
		}
		if ok {
			a.issuers.forget(app.Issuer)
			return a.App(ctx, by, id)
		}
	}
	return postroom.OAuthApp{}, &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "Somebody else is changing this registration at the same time.", Remedy: "Open it again, and look what it says now.",
	}
}

// changed is a registration with what change and a new secret make of it.
func (a *Apps) changed(was store.KeptApp, change func(*postroom.OAuthApp) error, secret *postroom.Secret) (postroom.OAuthApp, *store.AppSecret, error) {
	app := was.OAuthApp
	if change != nil {
		if err := change(&app); err != nil {
			return app, nil, err
		}
	}
	app.ID = was.ID
	var err error
	var kept *store.AppSecret
	switch {
	case secret == nil:
		p := pasted{kind: was.SecretKind}
		if was.SecretKind == postroom.AppSecretCertificate {
			p.ends = was.SecretExpiresAt // the certificate says it, nobody else
		}
		if app, err = a.complete(app, p); err != nil {
			return app, nil, err
		}
		if !app.SecretExpiresAt.Equal(was.SecretExpiresAt) {
			err = endsAhead(app, a.now())
		}
	default:
		if app.SecretKind == was.SecretKind {
			app.SecretKind = "" // the new one may be of another kind
		}
		if app.SecretExpiresAt.Equal(was.SecretExpiresAt) {
			app.SecretExpiresAt = postroom.OAuthApp{}.SecretExpiresAt // that was the old one's
		}
		var plain postroom.Secret
		if app, plain, err = a.read(app, *secret); err != nil {
			return app, nil, err
		}
		kept = &store.AppSecret{}
		if !plain.IsEmpty() {
			kept.Sealed, err = a.Ring.Seal(plain, appPlace(app.ID))
		}
	}
	if err == nil {
		err = staysTheSame(was.OAuthApp, app)
	}
	if err == nil {
		err = a.staysAmong(was.OAuthApp, app, secret != nil)
	}
	return app, kept, err
}

// staysTheSame: what a provider gave, it gave to this client (RFC 6749 section 6).
func staysTheSame(was, is postroom.OAuthApp) error {
	if was.Mailboxes == 0 {
		return nil
	}
	var field string
	switch {
	case was.ClientID != is.ClientID:
		field = "client_id"
	case was.Provider != is.Provider:
		field = "provider"
	case was.Kind != is.Kind:
		field = "kind"
	default:
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Field: field,
		Explanation: fmt.Sprintf("%s by this registration. With another %s what the provider gave for them would open nothing any more.", signInBy(was.Mailboxes), fieldName(field)),
		Remedy:      "Enter the other one as a registration of its own, and let the mailboxes sign in by it one after the other.",
	}
}

func signInBy(mailboxes int) string {
	if mailboxes == 1 {
		return "1 mailbox signs in"
	}
	return fmt.Sprintf("%d mailboxes sign in", mailboxes)
}

// Remove destroys a registration that no mailbox signs in by.
func (a *Apps) Remove(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID) error {
	if err := needAppAdmin(by); err != nil {
		return err
	}
	const named = 3
	users, count, err := a.Store.RemoveOAuthApp(ctx, id, named)
	if err != nil || count == 0 {
		return err
	}
	names := strings.Join(users, ", ")
	if more := count - len(users); more > 0 {
		names += fmt.Sprintf(" and %d more", more)
	}
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: fmt.Sprintf("%s by this registration: %s.", signInBy(count), names),
		Remedy:      "Let them sign in by another registration first, or remove them.",
		Err:         errors.New("the registration is in use"),
	}
}
