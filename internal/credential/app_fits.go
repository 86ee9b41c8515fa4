package credential

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
)

const (
	maxText   = 2000 // bytes, of an address or an id
	maxScopes = 50
	maxParams = 20
	// googleClient is how every client id of Google's ends.
	googleClient = ".apps.googleusercontent.com"
)

// guid is the shape of Microsoft's ids.
var guid = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// tenantForm is the form of a tenant: an id, a domain, or a word for many.
var tenantForm = regexp.MustCompile(`^[\pL\pN][\pL\pN._-]*$`)

// fitsKind: not every provider lets programs in on their own.
func fitsKind(app postroom.OAuthApp) error {
	switch app.Kind {
	case postroom.AppSignIn:
		if app.SecretKind == postroom.AppSecretKeyFile {
			return wrong("client_secret", "This is the key of a service account. People do not sign in by it.",
				"Choose “Service account” as the way, or enter a client id and a client secret.")
		}
	case postroom.AppClient:
		switch {
		case isGoogle(app.Provider):
			return wrong("kind", "At Google a program opens mailboxes in its own name by a service account.", "Choose “Service account” and paste its key file.")
		case app.SecretKind == postroom.AppSecretNone, app.SecretKind == postroom.AppSecretKeyFile:
			return wrong("client_secret", "Without a client secret or a certificate the provider cannot know that it is this Postroom that asks.", "Enter a client secret, or a private key with its certificate.")
		}
	case postroom.AppServiceAccount:
		switch {
		case !isGoogle(app.Provider):
			return wrong("kind", "Service accounts that open the mailboxes of a domain are Google's.", "Choose Google Workspace as the provider, or another way.")
		case app.SecretKind != postroom.AppSecretKeyFile:
			return wrong("client_secret", "The key file of the service account is missing.", "Paste the whole JSON file that Google made for a key of the service account.")
		}
	default:
		return wrong("kind", fmt.Sprintf("There is no way “%s” to open mailboxes.", clipped(string(app.Kind))), "Use sign_in, client_credentials or service_account.")
	}
	return nil
}

// fitsClient: what is often entered as a client id, and is none.
func fitsClient(app postroom.OAuthApp) error {
	id, own := app.ClientID, hasOwnAddresses(app)
	switch {
	case app.Kind == postroom.AppServiceAccount:
		return nil // the key file says who it is
	case id == "":
		return wrong("client_id", "The client id is missing.", "Copy it from the page of the app at the provider.")
	case strings.HasPrefix(id, "{"):
		return wrong("client_id", "A whole file was pasted as the client id.", "Paste the file as the client secret: Postroom reads the client id out of it.")
	case strings.HasPrefix(id, "GOCSPX-"):
		return wrong("client_id", "This is the client secret, not the client id.", "Enter the client id, which ends in "+googleClient+", and this as the client secret.")
	case isGoogle(app.Provider) && !own && strings.Contains(id, "@"): // another shape is for the check: Google may change its own
		return wrong("client_id", "This is an address, not a client id. A client id of Google's ends in "+googleClient+".", "In the Google Cloud console open Clients and copy the client id.")
	case isMicrosoft(app.Provider) && !own && strings.Contains(id, "~"):
		return wrong("client_id", "This looks like a client secret, not like the client id.", "Enter the Application (client) ID, and this as the client secret.")
	case strings.IndexFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) >= 0: // RFC 6749 appendix A.1
		return wrong("client_id", "The client id holds a blank, or a letter that no client id has.", "Copy it again, without what stands around it.")
	}
	return nil
}

// fitsTenant: only Microsoft has tenants, and a program in its own name is in one.
func fitsTenant(app postroom.OAuthApp) error {
	switch {
	case app.Tenant != "" && !isMicrosoft(app.Provider) && app.Provider != postroom.GenericProvider && !strings.Contains(app.AuthorizeURL+app.TokenURL+app.Issuer, tenantMark):
		return wrong("tenant", "Only Microsoft's organisations have a tenant.", "Leave it empty.")
	case app.Tenant == app.ClientID && app.Tenant != "":
		return wrong("tenant", "The tenant and the client id are the same, so one of them was copied twice.", "Copy the Directory (tenant) ID from the Overview page of the app.")
	case app.Kind == postroom.AppClient && isMicrosoft(app.Provider) && isAudience(app.Tenant):
		return wrong("tenant", "A program that opens mailboxes in its own name belongs to one organisation, and its tenant is missing.", "Copy the Directory (tenant) ID from the Overview page of the app.")
	case strings.Contains(app.Tenant, "@"):
		return wrong("tenant", "The tenant is an id or a domain, not a mail address.", "Enter what stands behind the @, or the Directory (tenant) ID.")
	case app.Tenant != "" && !tenantForm.MatchString(app.Tenant):
		return wrong("tenant", "The tenant is an id or a domain, and “"+clipped(app.Tenant)+"” is neither.", "Copy the Directory (tenant) ID from the Overview page of the app.")
	}
	return nil
}

// isAudience says whether a tenant stands for many.
func isAudience(tenant string) bool {
	return slices.Contains([]string{"", "common", "organizations", "consumers"}, strings.ToLower(tenant))
}

// fitsSecret: Google gives every client a secret, Microsoft wants a certificate beside a key.
func fitsSecret(app postroom.OAuthApp) error {
	switch {
	case app.SecretKind == postroom.AppSecretNone && isGoogle(app.Provider) && !hasOwnAddresses(app):
		return wrong("client_secret", "The client secret is missing. Google gives one to every client of this kind.", "In the Google Cloud console open Clients, the client, and make a client secret.")
	case app.SecretKind == postroom.AppSecretCertificate && isMicrosoft(app.Provider) && app.SecretExpiresAt.IsZero():
		return wrong("client_secret", "The certificate is missing. Microsoft knows the key by it.", "Paste both: the private key and the certificate that was uploaded at Microsoft.")
	case app.SecretKind == postroom.AppSecretNone && !app.SecretExpiresAt.IsZero():
		return wrong("secret_expires_at", "There is a day on which the secret ends, but no secret.", "Enter the secret, or leave the day out.")
	}
	return nil
}

// endsAhead: a secret that has ended already opens nothing.
func endsAhead(app postroom.OAuthApp, now time.Time) error {
	if app.SecretExpiresAt.IsZero() || now.Before(app.SecretExpiresAt) {
		return nil
	}
	what, field := "secret", "secret_expires_at"
	if app.SecretKind == postroom.AppSecretCertificate {
		what, field = "certificate", "client_secret"
	}
	return wrong(field, fmt.Sprintf("This %s ended on %s.", what, app.SecretExpiresAt.Format("2 January 2006")), fmt.Sprintf("Make a new %s at the provider and enter that.", what))
}

// fitsAddresses: where a generic provider is asked, and that nobody on the way can listen.
func fitsAddresses(app postroom.OAuthApp) error {
	own := hasOwnAddresses(app) || app.Provider == postroom.GenericProvider
	switch {
	case own && app.TokenURL == "" && app.Issuer == "" && app.Kind != postroom.AppServiceAccount:
		return wrong("token_url", "It is not known where tokens are asked for.", "Enter the issuer, of which the rest is read, or the address for signing in and the address for tokens.")
	case own && app.Kind == postroom.AppSignIn && app.AuthorizeURL == "" && app.Issuer == "":
		return wrong("authorize_url", "It is not known where people sign in.", "Enter the issuer, or the address for signing in.")
	}
	tenant := app.Tenant
	if tenant == "" {
		tenant = "organizations"
	}
	return wrongApp(oauth.App{
		Issuer: app.Issuer, AuthorizeURL: app.AuthorizeURL, TokenURL: app.TokenURL, DeviceURL: app.DeviceURL, RevokeURL: app.RevokeURL,
		UserInfoURL: app.UserInfoURL, RedirectURL: app.RedirectURL, Tenant: tenant, ExtraParams: app.ExtraParams,
	}.Verify())
}

func fitsLimits(app postroom.OAuthApp) error {
	for field, text := range map[string]string{
		"client_id": app.ClientID, "tenant": app.Tenant, "issuer": app.Issuer, "authorize_url": app.AuthorizeURL, "token_url": app.TokenURL,
		"device_url": app.DeviceURL, "revoke_url": app.RevokeURL, "userinfo_url": app.UserInfoURL, "redirect_url": app.RedirectURL,
	} {
		if len(text) > maxText {
			return wrong(field, fmt.Sprintf("The %s is too long to be one.", fieldName(field)), "Copy it again, without what stands around it.")
		}
	}
	for _, scope := range app.Scopes {
		if len(scope) > maxText || strings.IndexFunc(scope, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) >= 0 { // RFC 6749 section 3.3
			return wrong("scopes", fmt.Sprintf("“%s” cannot be a scope.", clipped(scope)), "Copy the scopes from the provider's documentation.")
		}
	}
	for name, value := range app.ExtraParams {
		if name == "" || len(name) > 100 || len(value) > maxText {
			return wrong("extra_params", "One of the further parameters has no name, or is too long.", "Give each a short name and a value.")
		}
	}
	switch {
	case len(app.Scopes) > maxScopes:
		return wrong("scopes", fmt.Sprintf("There are more than %d scopes.", maxScopes), "Enter those that reading and sending mail need.")
	case len(app.ExtraParams) > maxParams:
		return wrong("extra_params", fmt.Sprintf("There are more than %d further parameters.", maxParams), "Enter those that the provider asks for.")
	}
	return nil
}
