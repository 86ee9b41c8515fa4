package simulator

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// An oauthCode is what a browser brings back (RFC 6749 section 4.1.2).
type oauthCode struct {
	grant     *oauthGrant
	redirect  string
	challenge string
	expires   time.Time
	used      bool
}

const codeLasts = 10 * time.Minute

const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantClient  = "client_credentials"
	grantJWT     = "urn:ietf:params:oauth:grant-type:jwt-bearer"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// An issue is what the token endpoint gives.
type issue struct {
	token   *accessToken
	refresh string // empty: none
	first   bool   // there was no grant before: an ID token comes with it
}

// token is the token endpoint, under the lock.
func (p *OAuthServer) token(r *http.Request) (map[string]any, *oauthRefusal) {
	if p.isMicrosoft() && !p.isTenant(r.PathValue("tenant")) {
		return nil, refusalOf(noTenant)
	}
	form := r.PostForm
	if form.Get("grant_type") == grantJWT {
		i, refusal := p.byAssertion(form)
		return p.give(i, refusal)
	}
	app, refusal := p.client(r)
	if refusal != nil {
		return nil, refusal
	}
	var i issue
	switch form.Get("grant_type") {
	case grantCode:
		i, refusal = p.byCode(app, form)
	case grantRefresh:
		i, refusal = p.byRefresh(app, form)
	case grantClient:
		i, refusal = p.byClient(app, form)
	case grantDevice:
		i, refusal = p.byDevice(app, form)
	default:
		refusal = refusalOf(badGrantType)
	}
	return p.give(i, refusal)
}

// give makes the answer (RFC 6749 section 5.1).
func (p *OAuthServer) give(i issue, refusal *oauthRefusal) (map[string]any, *oauthRefusal) {
	if refusal != nil {
		return nil, refusal
	}
	said := map[string]any{
		"access_token": p.newAccess(i.token), "token_type": "Bearer",
		"expires_in": int(p.options.Lifetime / time.Second),
	}
	g := i.token.grant
	if g == nil {
		return said, nil
	}
	said["scope"] = strings.Join(p.listed(i.token.scopes), " ")
	if i.refresh != "" {
		said["refresh_token"] = i.refresh
	}
	if g.testing {
		said["refresh_token_expires_in"] = int(g.given.Add(testingLasts).Sub(p.now()) / time.Second)
	}
	if slices.Contains(i.token.scopes, "openid") {
		idToken, err := p.sign(p.aboutUser(g, i.first))
		if err != nil {
			return nil, refusalOf(badRequest)
		}
		said["id_token"] = idToken
	}
	return said, nil
}

// listed are scopes as the kind lists them: Microsoft leaves offline_access out, Google
// writes email and profile in full.
func (p *OAuthServer) listed(scopes []string) []string {
	var all []string
	for _, scope := range scopes {
		switch {
		case p.isMicrosoft() && scope == "offline_access":
			continue
		case !p.isMicrosoft() && (scope == "email" || scope == "profile"):
			scope = "https://www.googleapis.com/auth/userinfo." + scope
		}
		all = append(all, scope)
	}
	return all
}

// client finds the app that asks, and has it prove that (RFC 6749 section 2.3, RFC 7523
// section 2.2).
func (p *OAuthServer) client(r *http.Request) (*oauthApp, *oauthRefusal) {
	id, secret := r.PostForm.Get("client_id"), r.PostForm.Get("client_secret")
	if user, password, ok := r.BasicAuth(); ok {
		id, _ = url.QueryUnescape(user)
		secret, _ = url.QueryUnescape(password)
	}
	app := p.state.apps[id]
	assertion := r.PostForm.Get("client_assertion")
	switch {
	case app == nil:
		return nil, refusalOf(noApp)
	case assertion != "":
		c, err := readClaims(assertion)
		if err != nil || app.Key == nil || verify(assertion, app.Key) != nil || c.Issuer != id || c.Subject != id || !c.isTimely(p.now()) || !p.isHere(c.Audience) {
			return nil, refusalOf(badAssertion)
		}
	case app.Secret == "" && app.Key == nil:
	case secret == "":
		return nil, refusalOf(noSecret)
	case app.Secret == "" || subtle.ConstantTimeCompare([]byte(secret), []byte(app.Secret)) != 1:
		return nil, refusalOf(badSecret)
	case app.expired:
		return nil, refusalOf(oldSecret)
	}
	return app, nil
}

// isHere says whether an assertion is meant for this server.
func (p *OAuthServer) isHere(audience string) bool {
	u, err := url.Parse(audience)
	return err == nil && u.Scheme+"://"+u.Host == p.URL
}

// byCode turns a code into a grant (RFC 6749 section 4.1.3). A code that comes twice ends
// what it gave (section 4.1.2).
func (p *OAuthServer) byCode(app *oauthApp, form url.Values) (issue, *oauthRefusal) {
	c := p.state.codes[form.Get("code")]
	switch {
	case c == nil || c.grant.app != app:
		return issue{}, refusalOf(badCode)
	case c.used:
		c.grant.ended = true
		return issue{}, refusalOf(usedCode)
	case !p.now().Before(c.expires):
		return issue{}, refusalOf(oldCode)
	case c.redirect != form.Get("redirect_uri"):
		return issue{}, refusalOf(badRedirect)
	case s256(form.Get("code_verifier")) != c.challenge:
		return issue{}, refusalOf(badVerifier)
	}
	c.used = true
	return p.begin(c.grant)
}

func s256(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// begin gives the first tokens of a grant.
func (p *OAuthServer) begin(g *oauthGrant) (issue, *oauthRefusal) {
	if refusal := p.why(g); refusal != nil {
		return issue{}, refusal
	}
	i := issue{token: &accessToken{grant: g, app: g.app, user: g.user, scopes: g.scopes}, first: true}
	if g.refreshes {
		i.refresh = p.newRefresh(g)
	}
	return i, nil
}

// byRefresh gives a new access token (RFC 6749 section 6).
func (p *OAuthServer) byRefresh(app *oauthApp, form url.Values) (issue, *oauthRefusal) {
	scopes := strings.Fields(form.Get("scope"))
	if t := p.state.refresh[form.Get("refresh_token")]; t != nil { // before anything is spent
		for _, scope := range scopes {
			if !slices.ContainsFunc(t.grant.scopes, func(given string) bool { return strings.EqualFold(given, scope) }) {
				if p.isMicrosoft() {
					return issue{}, refusalOf(noConsent)
				}
				return issue{}, refusalOf(badScope)
			}
		}
	}
	g, next, refusal := p.useRefresh(form.Get("refresh_token"), app)
	if refusal != nil {
		return issue{}, refusal
	}
	if len(scopes) == 0 {
		scopes = g.scopes
	}
	return issue{token: &accessToken{grant: g, app: app, user: g.user, scopes: scopes}, refresh: next}, nil
}

// byClient gives a token in the app's own name (RFC 6749 section 4.4), at Microsoft for
// the one scope .default of a resource. An app that may open nothing is given one too,
// which says so.
func (p *OAuthServer) byClient(app *oauthApp, form url.Values) (issue, *oauthRefusal) {
	scope := form.Get("scope")
	resource, isDefault := strings.CutSuffix(scope, "/.default")
	switch {
	case !p.isMicrosoft():
		return issue{}, refusalOf(badGrantType)
	case !isDefault:
		return issue{}, refusalOf(badScope)
	case app.Secret == "" && app.Key == nil:
		return issue{}, refusalOf(noAppAccess)
	}
	t := &accessToken{app: app}
	for _, by := range app.AsApp {
		t.scopes = append(t.scopes, resource+"/"+roleOf(by))
	}
	return issue{token: t}, nil
}

// roleOf is the permission by which an app opens mailboxes in its own name.
func roleOf(by postroom.Protocol) string {
	switch by {
	case postroom.POP3:
		return "POP.AccessAsApp"
	case postroom.SMTP:
		return "SMTP.SendAsApp"
	}
	return "IMAP.AccessAsApp"
}

// appToken is an access token in an app's own name, which says what the app may do, as
// Microsoft's do.
func (p *OAuthServer) appToken(app *oauthApp) (string, error) {
	now := p.now()
	c := map[string]any{
		"iss": p.Issuer, "tid": p.options.Tenant, "appid": app.ClientID, "idtyp": "app", "uti": rand.Text(),
		"iat": now.Unix(), "exp": now.Add(p.options.Lifetime).Unix(),
	}
	var roles []string
	for _, by := range app.AsApp {
		roles = append(roles, roleOf(by))
	}
	if len(roles) > 0 {
		c["roles"] = roles
	}
	return p.sign(c)
}

// byAssertion gives a service account a token for a mailbox (RFC 7523 section 2.1).
func (p *OAuthServer) byAssertion(form url.Values) (issue, *oauthRefusal) {
	if p.isMicrosoft() {
		return issue{}, refusalOf(badGrantType)
	}
	assertion := form.Get("assertion")
	c, err := readClaims(assertion)
	i := slices.IndexFunc(p.options.ServiceAccounts, func(s OAuthServiceAccount) bool { return s.Email == c.Issuer })
	switch {
	case err != nil:
		return issue{}, refusalOf(badAssertion)
	case i < 0:
		return issue{}, &oauthRefusal{status: 400, code: "invalid_grant", google: "Invalid grant: account not found"}
	}
	s := p.options.ServiceAccounts[i]
	user, known := p.account(c.Subject)
	_, domain, _ := strings.Cut(user, "@")
	scopes := strings.Fields(c.Scope)
	switch {
	case verify(assertion, s.Key) != nil || !p.isHere(c.Audience):
		return issue{}, refusalOf(badAssertion)
	case !c.isTimely(p.now()):
		return issue{}, &oauthRefusal{status: 400, code: "invalid_grant", google: "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. Check your iat and exp values in the JWT claim."}
	case !known:
		return issue{}, refusalOf(badSubject)
	case !slices.Contains(s.Domains, domain) || len(scopes) == 0 || slices.ContainsFunc(scopes, func(scope string) bool { return !slices.Contains(s.Scopes, scope) }):
		return issue{}, refusalOf(noAppAccess)
	}
	return issue{token: &accessToken{user: user, scopes: scopes}}, nil
}

// isTenant says whether a word in an address stands for the tenant.
func (p *OAuthServer) isTenant(word string) bool {
	return slices.Contains(append([]string{p.options.Tenant, "common", "organizations", "consumers"}, p.options.Domains...), word)
}
