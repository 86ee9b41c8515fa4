package credential

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// Apps keeps the registrations of this Postroom at providers (RFC 6749 section 2), and
// says what is wrong with them before anybody stumbles.
type Apps struct {
	Store   *store.DB
	Ring    *vault.Ring
	Client  *oauth.Client
	Presets *provider.Presets
	// Explain says what a refusal means; nil: they stay as they are.
	Explain func(err error, s Situation) *postroom.Fault
	Base    string           // the public address of this Postroom, as https://post.example.net
	Now     func() time.Time // nil: time.Now
	Log     *slog.Logger     // nil: slog.Default

	issuers issuers // what was read of those that publish where everything is
}

// A Registration is an app ready for use: its secret opened, its addresses filled in.
type Registration struct {
	postroom.OAuthApp
	OAuth   oauth.App
	Service *oauth.ServiceAccount // with AppServiceAccount
	Preset  *provider.Preset      // nil: generic
}

// A NewApp is a registration as somebody entered it.
type NewApp struct {
	postroom.OAuthApp
	// Secret is a client secret, a private key with its certificate (PEM), or the key file
	// of a service account (JSON), as SecretKind says; where that is empty, what it looks
	// like decides. Empty: an app that can keep no secret.
	Secret postroom.Secret
}

// issuers are what issuers have published, by their address. It is safe for concurrent use.
type issuers struct {
	mu sync.Mutex
	of map[string]*published
}

// published is what one issuer has said, or why it could not.
type published struct {
	asking   sync.Mutex // guards what follows
	said     oauth.Metadata
	err      error
	until    time.Time // asked again then
	failures int
}

func (a *Apps) now() time.Time {
	if a.Now == nil {
		return time.Now()
	}
	return a.Now()
}

func appPlace(id postroom.OAuthAppID) vault.Place {
	return vault.Place{Table: "oauth_app", Column: "sealed", Row: id.String()}
}

// List returns the registrations, by name.
func (a *Apps) List(ctx context.Context, by postroom.Viewer) ([]postroom.OAuthApp, error) {
	if err := needAppAdmin(by); err != nil {
		return nil, err
	}
	kept, err := a.Store.OAuthApps(ctx)
	if err != nil {
		return nil, err
	}
	apps := make([]postroom.OAuthApp, 0, len(kept))
	for _, k := range kept {
		apps = append(apps, k.OAuthApp)
	}
	return apps, nil
}

// App returns a registration.
func (a *Apps) App(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID) (postroom.OAuthApp, error) {
	if err := needAppAdmin(by); err != nil {
		return postroom.OAuthApp{}, err
	}
	kept, err := a.Store.OAuthApp(ctx, id)
	return kept.OAuthApp, err
}

func needAppAdmin(by postroom.Viewer) error {
	if by.IsAdmin() {
		return nil
	}
	return &postroom.Fault{
		Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "Registrations at providers are for administrators.",
		Remedy:      "Ask an administrator of Postroom, or use a token with the admin scope.",
	}
}
