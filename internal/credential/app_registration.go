package credential

import (
	"context"
	"net"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
)

// Registration returns a registration ready for use. Where only its issuer is known, that
// is asked first; that it does not answer is a Delayed fault.
func (a *Apps) Registration(ctx context.Context, id postroom.OAuthAppID) (Registration, error) {
	r, err := a.kept(ctx, id)
	if err != nil {
		return Registration{}, err
	}
	return a.discovered(ctx, r)
}

// kept is a registration without what its issuer says.
func (a *Apps) kept(ctx context.Context, id postroom.OAuthAppID) (Registration, error) {
	k, err := a.Store.BareOAuthApp(ctx, id)
	if err != nil {
		return Registration{}, err
	}
	r := Registration{OAuthApp: k.OAuthApp, Preset: a.preset(k.Provider)}
	r.OAuth = known(k.OAuthApp, r.Preset)
	r.OAuth.RedirectURL = a.RedirectURL(k.OAuthApp)
	if k.SecretKind == postroom.AppSecretNone {
		return r, nil
	}
	if len(k.Sealed) == 0 {
		return Registration{}, unusable(k.OAuthApp, errNoSecret)
	}
	secret, err := a.Ring.Open(k.Sealed, appPlace(id))
	if err != nil {
		return Registration{}, unusable(k.OAuthApp, err)
	}
	if err := r.openSecret(secret); err != nil {
		return Registration{}, unusable(k.OAuthApp, err)
	}
	return r, nil
}

// unusable is the Fault for a secret that cannot be opened any more.
func unusable(app postroom.OAuthApp, cause error) error {
	return &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Field: "client_secret",
		Explanation: "The client secret of “" + app.Name + "” cannot be opened any more: it was sealed with a key that is not in the key file.",
		Remedy:      "Restore the key file that belongs to this database, or enter the client secret again. The mailboxes go on by themselves.",
		Err:         cause,
	}
}

// preset is the provider with an id; nil: a generic one.
func (a *Apps) preset(id string) *provider.Preset {
	preset, ok := a.Presets.ByID(id)
	if !ok {
		return nil
	}
	return preset
}

func (a *Apps) client() *oauth.Client {
	if a.Client == nil {
		return &oauth.Client{}
	}
	return a.Client
}

// callback is where browsers come back to, below the public address.
const callback = "/oauth/callback"

// RedirectURL is where the browser comes back to, letter by letter as it is to be entered
// at the provider. It is empty where nobody has said under which address this Postroom
// is reached.
func (a *Apps) RedirectURL(app postroom.OAuthApp) string { return a.RedirectAt(app, a.Base) }

// RedirectAt is the same for somebody who has come by the address base; empty: the usual.
// Without encryption providers send browsers back to the computer that they run on only
// (RFC 8252 section 7.3). Where that is not this one, the last address is pasted.
func (a *Apps) RedirectAt(app postroom.OAuthApp, base string) string {
	base = first(base, a.Base)
	if app.RedirectURL != "" || base == "" {
		return app.RedirectURL
	}
	base = strings.TrimRight(base, "/") + callback
	if u, err := url.Parse(base); err == nil && u.Scheme == "http" && !(oauth.App{RedirectURL: base}).LoopbackRedirect() {
		u.Host = net.JoinHostPort("localhost", first(u.Port(), "80"))
		return u.String()
	}
	return base
}
