package simulator

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// An oauthFlow is a person on the way through the pages.
type oauthFlow struct {
	browser, id string
	app         *oauthApp
	device      *oauthDevice // that is signed in; nil: a browser brings a code back
	admin       bool         // an administrator allows the app for everybody
	owner       bool         // looks after what is allowed already, and there is no app

	redirect, state, nonce, challenge string
	scopes                            []string
	prompt                            string
	offline                           bool // there is to be a refresh token, if it is the first time

	step    oauthStep
	user    string // whose password is asked for, or who has signed in
	typed   string // what was typed as the account
	wrong   string // about what was typed last
	expires time.Time
}

type oauthStep string

const (
	stepChoose   oauthStep = "choose"
	stepAccount  oauthStep = "account"
	stepPassword oauthStep = "password"
	stepConsent  oauthStep = "consent"
	stepAdmin    oauthStep = "admin"
	stepCode     oauthStep = "code"
	stepDone     oauthStep = "done"
	stepApps     oauthStep = "apps"
)

const flowLasts = 30 * time.Minute

// authorize is where a browser is sent to (RFC 6749 section 4.1.1).
func (p *OAuthServer) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := &oauthFlow{
		app: p.state.apps[q.Get("client_id")], redirect: q.Get("redirect_uri"), state: q.Get("state"), nonce: q.Get("nonce"),
		challenge: q.Get("code_challenge"), scopes: strings.Fields(q.Get("scope")), prompt: q.Get("prompt"),
	}
	f.offline = q.Get("access_type") == "offline"
	if p.isMicrosoft() {
		f.offline = slices.Contains(f.scopes, "offline_access")
	}
	if refusal := p.unfit(f, r); refusal != nil {
		p.errorPage(w, refusal)
		return
	}
	if q.Get("response_type") != "code" || f.challenge == "" || q.Get("code_challenge_method") != "S256" {
		p.sendBack(w, r, f, url.Values{"error": {"invalid_request"}, "error_description": {"response_type=code and code_challenge_method=S256 are required"}})
		return
	}
	f.browser = p.browser(w, r)
	if hint := q.Get("login_hint"); hint != "" {
		f.typed = hint
		f.user, _ = p.account(hint)
	}
	if f.prompt == "none" {
		p.silent(w, r, f)
		return
	}
	p.enter(f)
	p.moveOn(w, r, f)
}

// unfit says why a request is refused on a page, without the browser being sent back.
func (p *OAuthServer) unfit(f *oauthFlow, r *http.Request) *oauthRefusal {
	switch {
	case p.isMicrosoft() && !p.isTenant(r.PathValue("tenant")):
		return refusalOf(noTenant)
	case f.app == nil:
		return refusalOf(noApp)
	case !slices.Contains(f.app.RedirectURLs, f.redirect):
		return refusalOf(badRedirect)
	case !f.admin && !p.knows(f.scopes):
		return refusalOf(badScope)
	}
	return nil
}

// knows says whether there are scopes, and the server gives them all.
func (p *OAuthServer) knows(scopes []string) bool {
	for _, scope := range scopes {
		if !slices.ContainsFunc(p.knownScopes(), func(known string) bool {
			return known == scope || p.isMicrosoft() && strings.EqualFold(known, scope)
		}) {
			return false
		}
	}
	return len(scopes) > 0
}

// browser is the cookie of a browser, which may be new.
func (p *OAuthServer) browser(w http.ResponseWriter, r *http.Request) string {
	if c, err := r.Cookie(browserCookie); err == nil && p.state.browsers[c.Value] != nil {
		return c.Value
	}
	const most = 10_000
	if len(p.state.browsers) > most {
		clear(p.state.browsers) // they sign in again
	}
	id := rand.Text()
	p.state.browsers[id] = []string{}
	http.SetCookie(w, &http.Cookie{Name: browserCookie, Value: id, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode})
	return id
}

const browserCookie = "pretend_sign_in"

// enter begins a flow with the first page that it needs.
func (p *OAuthServer) enter(f *oauthFlow) {
	const most = 1000
	for id, old := range p.state.flows {
		if !p.now().Before(old.expires) || len(p.state.flows) > most {
			delete(p.state.flows, id)
		}
	}
	for code, c := range p.state.codes {
		if p.now().After(c.expires.Add(codeLasts)) {
			delete(p.state.codes, code)
		}
	}
	f.id, f.expires = rand.Text(), p.now().Add(flowLasts)
	p.state.flows[f.id] = f
	switch {
	case f.step != "": // the code of a device
	case f.prompt == "select_account" || f.typed == "" && len(p.choices(f)) > 0:
		f.step = stepChoose
	case f.user == "":
		f.step = stepAccount
	case p.isSignedIn(f, f.user) && f.prompt != "login":
		p.afterSignIn(f)
	default:
		f.step = stepPassword
	}
}

// choices are the accounts that a browser knows.
func (p *OAuthServer) choices(f *oauthFlow) []string {
	all := slices.Clone(p.state.browsers[f.browser])
	for _, user := range p.options.Chooser {
		if !slices.Contains(all, user) {
			all = append(all, user)
		}
	}
	return all
}

func (p *OAuthServer) isSignedIn(f *oauthFlow, user string) bool {
	return slices.Contains(p.state.browsers[f.browser], user)
}

// afterSignIn is the step that follows when somebody has signed in.
func (p *OAuthServer) afterSignIn(f *oauthFlow) {
	switch {
	case f.owner:
		f.step = stepApps
	case !f.admin && p.state.adminOnly && !f.app.allowed:
		f.step = stepAdmin
	case !f.admin && f.device == nil && f.prompt != "consent" && p.hasAllowed(f):
		f.step = stepDone
	default:
		f.step = stepConsent
	}
}

// hasAllowed says whether all that is asked for was allowed before.
func (p *OAuthServer) hasAllowed(f *oauthFlow) bool {
	if f.app.allowed {
		return true
	}
	return slices.ContainsFunc(p.state.grants, func(g *oauthGrant) bool {
		return g.app == f.app && g.user == f.user && p.why(g) == nil && !slices.ContainsFunc(f.scopes, func(s string) bool { return !slices.Contains(g.scopes, s) })
	})
}

// silent answers a request that may show no page (OpenID Connect Core section 3.1.2.1).
func (p *OAuthServer) silent(w http.ResponseWriter, r *http.Request, f *oauthFlow) {
	if signedIn := p.state.browsers[f.browser]; f.user == "" && len(signedIn) == 1 {
		f.user = signedIn[0]
	}
	switch {
	case f.user == "" || !p.isSignedIn(f, f.user):
		p.sendError(w, r, f, refusalOf(notSignedIn))
	case !p.hasAllowed(f):
		refusal := refusalOf(noConsent)
		refusal.code = "interaction_required"
		p.sendError(w, r, f, refusal)
	default:
		p.finish(w, r, f, f.scopes)
	}
}

// moveOn shows the page of a flow, or ends it where no more is to be asked.
func (p *OAuthServer) moveOn(w http.ResponseWriter, r *http.Request, f *oauthFlow) {
	if f.step == stepDone && f.device == nil {
		p.finish(w, r, f, f.scopes)
		return
	}
	if f.step == stepAdmin && !p.isMicrosoft() {
		delete(p.state.flows, f.id)
		p.errorPage(w, refusalOf(adminNeeded))
		return
	}
	http.Redirect(w, r, "/signin?flow="+f.id, http.StatusSeeOther)
}

// finish gives what was allowed to the app.
func (p *OAuthServer) finish(w http.ResponseWriter, r *http.Request, f *oauthFlow, scopes []string) {
	if f.admin {
		f.app.allowed = true
		delete(p.state.flows, f.id)
		p.sendBack(w, r, f, url.Values{"admin_consent": {"True"}, "tenant": {p.options.Tenant}})
		return
	}
	before := p.hasAllowed(f) && f.prompt != "consent"
	g := p.grant(&oauthGrant{app: f.app, user: f.user, scopes: scopes, nonce: f.nonce})
	g.refreshes = f.offline && (p.isMicrosoft() || !before)
	if f.device != nil {
		g.refreshes = !p.isMicrosoft() || slices.Contains(f.scopes, "offline_access")
		f.device.grant, f.step = g, stepDone
		http.Redirect(w, r, "/signin?flow="+f.id, http.StatusSeeOther)
		return
	}
	delete(p.state.flows, f.id)
	code := p.newToken("4/0A", "0.AX")
	p.state.codes[code] = &oauthCode{grant: g, redirect: f.redirect, challenge: f.challenge, expires: p.now().Add(codeLasts)}
	p.sendBack(w, r, f, url.Values{"code": {code}, "scope": {strings.Join(p.listed(scopes), " ")}})
}

// sendError sends the browser back with an error (RFC 6749 section 4.1.2.1).
func (p *OAuthServer) sendError(w http.ResponseWriter, r *http.Request, f *oauthFlow, refusal *oauthRefusal) {
	back := url.Values{"error": {p.nameOf(refusal)}}
	if text, _, _, _ := p.words(refusal); p.isMicrosoft() {
		back.Set("error_description", text)
		back.Set("error_uri", fmt.Sprintf("%s/error?code=%d", p.URL, refusal.number))
	}
	p.sendBack(w, r, f, back)
}

// sendBack sends the browser back to the app, saying whose answer it is (RFC 9207).
func (p *OAuthServer) sendBack(w http.ResponseWriter, r *http.Request, f *oauthFlow, back url.Values) {
	to, err := url.Parse(f.redirect)
	if err != nil {
		p.errorPage(w, refusalOf(badRedirect))
		return
	}
	query := to.Query()
	for name, values := range back {
		query[name] = values
	}
	if f.state != "" {
		query.Set("state", f.state)
	}
	query.Set("iss", p.Issuer)
	to.RawQuery = query.Encode()
	http.Redirect(w, r, to.String(), http.StatusSeeOther)
}

// adminConsent is where an administrator allows an app for everybody.
func (p *OAuthServer) adminConsent(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	f := &oauthFlow{admin: true, app: p.state.apps[q.Get("client_id")], redirect: q.Get("redirect_uri"), state: q.Get("state"), scopes: strings.Fields(q.Get("scope"))}
	if refusal := p.unfit(f, r); refusal != nil {
		p.errorPage(w, refusal)
		return
	}
	f.browser = p.browser(w, r)
	p.enter(f)
	p.moveOn(w, r, f)
}
