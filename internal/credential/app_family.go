package credential

import (
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
)

// isGoogle says whether a provider is one of Google's, which share registrations.
func isGoogle(id string) bool { return id == "gmail" || id == "google_workspace" }

// isMicrosoft says whether a provider is one of Microsoft's, in whatever cloud.
func isMicrosoft(id string) bool {
	return id == "outlook_com" || strings.HasPrefix(id, "microsoft365")
}

// family is what providers have in common that share registrations: where people sign
// in. Microsoft's clouds are apart, Yahoo's brands are not.
func family(p *provider.Preset) string {
	if p == nil || p.OAuth == nil {
		return ""
	}
	u, err := url.Parse(p.OAuth.AuthorizeURL)
	if err != nil {
		return ""
	}
	return u.Host
}

const tenantMark = "{tenant}"

// known fills in what the preset of a registration says: where its provider is asked,
// and for what. Addresses of its own take the place of all of the preset's.
func known(app postroom.OAuthApp, preset *provider.Preset) oauth.App {
	o := oauth.App{
		Issuer: app.Issuer, AuthorizeURL: app.AuthorizeURL, TokenURL: app.TokenURL, DeviceURL: app.DeviceURL, RevokeURL: app.RevokeURL,
		UserInfoURL: app.UserInfoURL,
		Tenant:      app.Tenant, ClientID: app.ClientID, ExtraParams: app.ExtraParams,
	}
	if preset != nil && preset.OAuth != nil && !hasOwnAddresses(app) {
		p := preset.OAuth
		o.Issuer, o.AuthorizeURL, o.TokenURL = p.Issuer, p.AuthorizeURL, p.TokenURL
		o.DeviceURL, o.RevokeURL = first(app.DeviceURL, p.DeviceURL), first(app.RevokeURL, p.RevokeURL)
		if o.ExtraParams == nil {
			o.ExtraParams = p.ExtraParams
		}
		if isMicrosoft(preset.ID) {
			o = inTenant(o)
		}
	}
	if preset != nil && hasOwnAddresses(app) && preset.OAuth != nil && o.ExtraParams == nil {
		o.ExtraParams = preset.OAuth.ExtraParams
	}
	if isMicrosoft(app.Provider) && hasOwnAddresses(app) {
		o = ownMicrosoft(o)
	}
	o.Scopes = scopesOf(app, preset)
	return o
}

func first(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// inTenant has Microsoft asked in the tenant of the app, or where it has none, in that of
// the preset, which stands for many.
func inTenant(o oauth.App) oauth.App {
	u, err := url.Parse(o.AuthorizeURL)
	if err != nil {
		return o
	}
	audience, _, _ := strings.Cut(strings.TrimPrefix(u.Path, "/"), "/")
	if o.Tenant == "" {
		o.Tenant = audience
	}
	root := u.Scheme + "://" + u.Host + "/"
	for _, address := range []*string{&o.AuthorizeURL, &o.TokenURL, &o.DeviceURL} {
		if rest, ok := strings.CutPrefix(*address, root+audience+"/"); ok {
			*address = root + tenantMark + "/" + rest
		}
	}
	o.Issuer = root + tenantMark + "/v2.0"
	o.ConsentURL = root + tenantMark + "/v2.0/adminconsent"
	return o
}

// ownMicrosoft finds the page where administrators allow an app beside the address for
// signing in, as it is in every one of Microsoft's clouds.
func ownMicrosoft(o oauth.App) oauth.App {
	if o.Tenant == "" && strings.Contains(o.AuthorizeURL+o.TokenURL+o.Issuer, tenantMark) {
		o.Tenant = "organizations"
	}
	if root, ok := strings.CutSuffix(o.AuthorizeURL, "/oauth2/v2.0/authorize"); ok {
		o.ConsentURL = root + "/v2.0/adminconsent"
		if o.Issuer == "" {
			o.Issuer = root + "/v2.0"
		}
	}
	return o
}

// scopesOf are what is asked for, by what it is needed for.
func scopesOf(app postroom.OAuthApp, preset *provider.Preset) map[postroom.Protocol][]string {
	scopes := map[postroom.Protocol][]string{}
	for _, use := range []postroom.Protocol{postroom.IMAP, postroom.POP3, postroom.SMTP} {
		switch {
		case len(app.Scopes) > 0:
			scopes[use] = app.Scopes
		case preset == nil || preset.OAuth == nil:
		case app.Kind == postroom.AppClient && isMicrosoft(preset.ID):
			scopes[use] = []string{resourceOf(preset) + "/.default"}
		case app.Kind == postroom.AppSignIn && len(preset.OAuth.Scopes[use]) > 0:
			scopes[use] = withNames(preset)(preset.OAuth.Scopes[use])
		default:
			scopes[use] = preset.OAuth.Scopes[use]
		}
	}
	return scopes
}

// withNames adds to scopes what has the provider say who signed in, where every client
// may ask for that: the account is compared with the mailbox.
func withNames(preset *provider.Preset) func(scopes []string) []string {
	var names []string
	switch {
	case isGoogle(preset.ID):
		names = []string{"openid", "email"}
	case isMicrosoft(preset.ID):
		names = []string{"openid", "email", "profile"} // offline_access is among the preset's
	}
	return func(scopes []string) []string {
		return append(append([]string{}, scopes...), names...)
	}
}

// resourceOf is what a program opens in its own name at Microsoft: Exchange Online of the
// preset's cloud. Worldwide it has another name than where people sign in
// (learn.microsoft.com: Authenticate an IMAP, POP or SMTP connection using OAuth).
func resourceOf(preset *provider.Preset) string {
	for _, scope := range preset.OAuth.Scopes[postroom.IMAP] {
		if u, err := url.Parse(scope); err == nil && u.Host != "" {
			if u.Host == "outlook.office.com" {
				u.Host = "outlook.office365.com"
			}
			return "https://" + u.Host
		}
	}
	return "https://outlook.office365.com"
}
