package credential

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"unicode"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// tidy takes off what comes along when something is copied: blanks, line ends, quotes,
// and signs that nobody sees.
func tidy(text string) string {
	return strings.TrimFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) || strings.ContainsRune("\"'“”„", r)
	})
}

// complete understands a registration as somebody entered it. p is what they entered as
// its secret, or with a kept one only its kind.
func (a *Apps) complete(app postroom.OAuthApp, p pasted) (postroom.OAuthApp, error) {
	app = tidied(app)
	preset, err := a.presetOf(app)
	if err != nil {
		return app, err
	}
	if p.clientID != "" && (app.ClientID == "" || strings.HasPrefix(app.ClientID, "{")) {
		app.ClientID = p.clientID
	}
	app.SecretKind = p.kind
	if !p.ends.IsZero() {
		app.SecretExpiresAt = p.ends
	}
	if app.Kind == "" {
		app.Kind = postroom.AppSignIn
		if p.kind == postroom.AppSecretKeyFile {
			app.Kind = postroom.AppServiceAccount
		}
	}
	for _, check := range []func(postroom.OAuthApp) error{fitsKind, fitsClient, fitsTenant, fitsSecret, fitsAddresses, fitsLimits} {
		if err := check(app); err != nil {
			return app, err
		}
	}
	if app.Name == "" {
		app.Name = nameOf(app, preset)
	}
	return app, nil
}

// tidied is a registration without what came along when its parts were copied.
func tidied(app postroom.OAuthApp) postroom.OAuthApp {
	for _, text := range []*string{
		&app.Name, &app.Provider, &app.ClientID, &app.Tenant, &app.Issuer, &app.AuthorizeURL, &app.TokenURL, &app.DeviceURL,
		&app.RevokeURL, &app.UserInfoURL, &app.RedirectURL,
	} {
		*text = tidy(*text)
	}
	app.Tenant = tenantIn(app.Tenant)
	var scopes []string
	for _, pasted := range app.Scopes { // several with blanks or commas between them are several
		for _, scope := range strings.FieldsFunc(pasted, func(r rune) bool { return unicode.IsSpace(r) || r == ',' }) {
			if scope = tidy(scope); scope != "" && !slices.Contains(scopes, scope) {
				scopes = append(scopes, scope)
			}
		}
	}
	app.Scopes = scopes
	app.ExtraParams = maps.Clone(app.ExtraParams)
	if len(app.ExtraParams) == 0 {
		app.ExtraParams = nil
	}
	return app
}

// tenantIn is the tenant in what was copied: an address of Microsoft's that holds it, or
// itself.
func tenantIn(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return text
	}
	first, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	return first
}

// presetOf is the provider of a registration; nil: a generic one.
func (a *Apps) presetOf(app postroom.OAuthApp) (*provider.Preset, error) {
	if app.Provider == postroom.GenericProvider {
		return nil, nil //nolint:nilnil // all methods of a preset work on nil
	}
	preset, known := a.Presets.ByID(app.Provider)
	switch {
	case app.Provider == "":
		return nil, wrong("provider", "The provider is missing.", "Say which provider it is, or “generic” with its addresses.")
	case !known:
		return nil, wrong("provider", fmt.Sprintf("There is no provider “%s”.", clipped(app.Provider)), "Use the id of a provider, such as gmail or microsoft365, or “generic” with its addresses.")
	case preset.OAuth == nil && !hasOwnAddresses(app):
		return nil, wrong("provider", preset.Called()+" has no sign-in that programs can use, as far as is known.", "Connect its mailboxes by app password, or enter the addresses that "+preset.Called()+" gave you.")
	}
	return preset, nil
}

func clipped(text string) string {
	if runes := []rune(text); len(runes) > 60 {
		return string(runes[:60]) + "…"
	}
	return text
}

// hasOwnAddresses says whether a registration asks elsewhere than its provider's preset
// says. None of the preset's addresses is used then: a secret goes to one party only.
func hasOwnAddresses(app postroom.OAuthApp) bool {
	return app.AuthorizeURL != "" || app.TokenURL != "" || app.Issuer != ""
}

// nameOf is what a registration is called where nobody gave it a name.
func nameOf(app postroom.OAuthApp, preset *provider.Preset) string {
	if preset != nil {
		return preset.Called()
	}
	for _, address := range []string{app.Issuer, app.AuthorizeURL, app.TokenURL} {
		if u, err := url.Parse(address); err == nil && u.Host != "" {
			return u.Hostname()
		}
	}
	return "OAuth"
}
