// Package oauth speaks OAuth 2.0 to providers (RFC 6749, as RFC 9700 wants it used
// today): signing in with a browser or on another device, refreshing, revoking, and
// what a program may do in its own name. It knows how, never why: what a refusal means
// is for others to say.
package oauth

import (
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// An App is a registration at a provider: what we are there, and where things are
// asked. Addresses may hold {tenant}. They are https, or http to this machine.
type App struct {
	// Issuer is what the provider calls itself (RFC 8414 section 2); empty: it does not,
	// or nobody knows. Then the issuer is not compared.
	Issuer string

	AuthorizeURL string
	TokenURL     string
	DeviceURL    string // RFC 8628; empty: not offered
	RevokeURL    string // RFC 7009; empty: not offered
	UserInfoURL  string // OpenID Connect Core section 5.3; empty: not offered
	// ConsentURL is where an administrator allows the app for everybody (Microsoft's
	// /v2.0/adminconsent); empty: not offered.
	ConsentURL string

	Tenant   string // fills {tenant}: an id, a domain, or what stands for many, such as "organizations"
	ClientID string
	Secret   postroom.Secret // empty: none
	Key      *Key            // signs instead of a secret; nil: none
	Auth     Auth            // how the app proves who it is; empty: by what it has

	// Scopes are what is asked for, by what it is needed for.
	Scopes      map[postroom.Protocol][]string
	ExtraParams map[string]string // of the address that the browser is sent to
	RedirectURL string            // where the browser comes back to, exactly as registered

	// ReturnsIssuer: the provider always says who it is when the browser comes back (RFC
	// 9207), so an answer that does not is none of its.
	ReturnsIssuer bool
}

// Auth is how an app proves who it is (RFC 6749 section 2.3, RFC 7523 section 2.2).
// The words are those of RFC 7591 section 2.
type Auth string

const (
	AuthBody   Auth = "client_secret_post"
	AuthHeader Auth = "client_secret_basic"
	AuthKey    Auth = "private_key_jwt"
	AuthNone   Auth = "none" // an app that can keep no secret
)

// An AppError says which part of a registration cannot be used. Nothing was asked.
type AppError struct {
	Field  string // token_url, tenant, client_id, …
	Reason string // a clause: "is not an address that begins with https://"
}

func (e *AppError) Error() string { return "registration: " + e.Field + " " + e.Reason }

// ScopesFor are the scopes for all of uses, each once, in order.
func (a App) ScopesFor(uses ...postroom.Protocol) []string {
	var all []string
	for _, use := range uses {
		for _, scope := range a.Scopes[use] {
			if !slices.Contains(all, scope) {
				all = append(all, scope)
			}
		}
	}
	return all
}

// auth is how the app proves who it is.
func (a App) auth() Auth {
	switch {
	case a.Auth != "":
		return a.Auth
	case a.Key != nil:
		return AuthKey
	case !a.Secret.IsEmpty():
		return AuthBody
	}
	return AuthNone
}

// tenantShape is that of an id, a domain, or a word.
var tenantShape = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,252}$`)

// tenantID is the shape of an id, which only one tenant has.
var tenantID = regexp.MustCompile(`^[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

const tenantMark = "{tenant}"

// address is one of the app's addresses, ready for use.
func (a App) address(field, text string) (*url.URL, error) {
	if text == "" {
		return nil, &AppError{field, "is missing"}
	}
	if strings.Contains(text, tenantMark) {
		if !tenantShape.MatchString(a.Tenant) {
			return nil, &AppError{"tenant", "is missing, or is neither an id nor a domain"}
		}
		text = strings.ReplaceAll(text, tenantMark, a.Tenant)
	}
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Opaque != "" || u.Hostname() == "":
		return nil, &AppError{field, "is not an address"}
	case !isSafe(u):
		return nil, &AppError{field, "is not an address that begins with https://"}
	case u.User != nil:
		return nil, &AppError{field, "holds a user name"}
	case u.Fragment != "" || strings.HasSuffix(text, "#"):
		return nil, &AppError{field, "holds a fragment (#)"} // RFC 6749 sections 3.1 and 3.2
	}
	return u, nil
}

// isSafe says whether nobody on the way can read what goes to u: https, or http within
// this machine (RFC 8252 section 7.3).
func isSafe(u *url.URL) bool {
	switch u.Scheme {
	case "https":
		return true
	case "http":
		ip := net.ParseIP(u.Hostname())
		return strings.EqualFold(u.Hostname(), "localhost") || ip != nil && ip.IsLoopback()
	}
	return false
}

// issuer is the app's issuer with its tenant; it may still hold {tenantid}.
func (a App) issuer() string { return strings.ReplaceAll(a.Issuer, tenantMark, a.Tenant) }

// isIssuer says whether the provider may call itself said. Where an issuer has a place
// for the tenant, any may stand there: a tenant is registered by its domain or by a word
// for many, and named by its id. Google leaves out the scheme in ID tokens.
func (a App) isIssuer(said string) bool {
	want := strings.ReplaceAll(a.Issuer, "{tenantid}", tenantMark)
	if want == "" || said == want || said == a.issuer() {
		return true
	}
	if before, after, found := strings.Cut(want, tenantMark); found {
		tenant, fits := strings.CutPrefix(said, before)
		if tenant, fits = cutSuffix(tenant, after, fits); fits {
			return tenant == "{tenantid}" || !tenantID.MatchString(a.Tenant) && tenantShape.MatchString(tenant) || strings.EqualFold(tenant, a.Tenant)
		}
	}
	return want == "https://accounts.google.com" && said == "accounts.google.com"
}

func cutSuffix(text, end string, ok bool) (string, bool) {
	rest, found := strings.CutSuffix(text, end)
	return rest, ok && found
}

// check says whether an app can be used at all.
func (a App) check() error {
	if a.ClientID == "" {
		return &AppError{"client_id", "is missing"}
	}
	switch a.auth() {
	case AuthBody, AuthHeader:
		if a.Secret.IsEmpty() {
			return &AppError{"client_secret", "is missing"}
		}
	case AuthKey:
		if a.Key == nil {
			return &AppError{"private_key", "is missing"}
		}
	case AuthNone:
	default:
		return &AppError{"auth", fmt.Sprintf("%q is not spoken here", string(a.Auth))}
	}
	return nil
}
