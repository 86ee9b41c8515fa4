package simulator

import (
	"crypto/rand"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// oauthState is all that an OAuth server keeps, under its lock.
type oauthState struct {
	apps      map[string]*oauthApp
	accounts  map[string]*oauthAccount // by the name of the account
	grants    []*oauthGrant
	access    map[string]*accessToken
	refresh   map[string]*refreshToken
	codes     map[string]*oauthCode
	devices   map[string]*oauthDevice // by device code
	flows     map[string]*oauthFlow
	browsers  map[string][]string // who has signed in there, by cookie
	counts    map[string]int
	faults    []*OAuthFaults
	testing   bool
	adminOnly bool
	pruned    int // access tokens that were left then
}

func newOAuthState(o OAuthOptions) oauthState {
	s := oauthState{
		apps: map[string]*oauthApp{}, accounts: map[string]*oauthAccount{}, access: map[string]*accessToken{}, refresh: map[string]*refreshToken{},
		codes: map[string]*oauthCode{}, devices: map[string]*oauthDevice{}, flows: map[string]*oauthFlow{}, browsers: map[string][]string{}, counts: map[string]int{},
	}
	for _, a := range o.Apps {
		s.apps[a.ClientID] = &oauthApp{OAuthApp: a}
	}
	return s
}

type oauthApp struct {
	OAuthApp
	expired bool // its secret
	allowed bool // by an administrator, for everybody
}

// An oauthAccount is what the OAuth server knows of an account besides its password.
type oauthAccount struct {
	upn     string   // what one signs in with; empty: its name
	aliases []string // other addresses of it
	members []string // accounts that may open it, as a shared mailbox
}

// An oauthGrant is what somebody has allowed an app.
type oauthGrant struct {
	app       *oauthApp
	user      string
	scopes    []string
	nonce     string
	changes   int // of the password, when it was given
	testing   bool
	given     time.Time
	used      time.Time
	ended     bool // revoked
	refreshes bool // there is to be a refresh token
}

type accessToken struct {
	grant   *oauthGrant // nil: in the app's own name
	app     *oauthApp   // nil: of a service account
	user    string      // whose mailbox it opens; empty: any
	scopes  []string
	expires time.Time
	ended   bool
}

type refreshToken struct {
	grant    *oauthGrant
	issued   time.Time
	replaced time.Time // zero: not
	ended    bool
}

const testingLasts = 7 * 24 * time.Hour

// idleLimit is how long a refresh token lasts unused.
func (p *OAuthServer) idleLimit() time.Duration {
	if p.isMicrosoft() {
		return 90 * 24 * time.Hour
	}
	return 183 * 24 * time.Hour // "six months"
}

// newToken makes one that looks like those of the kind.
func (p *OAuthServer) newToken(google, microsoft string) string {
	if p.isMicrosoft() {
		return microsoft + rand.Text() + rand.Text()
	}
	return google + rand.Text() + rand.Text()
}

// why says how a grant has come to its end; nil: it has not.
func (p *OAuthServer) why(g *oauthGrant) *oauthRefusal {
	now := p.now()
	changes, exists := p.provider.passwordChanges(g.user)
	switch {
	case !exists:
		return refusalOf(accountGone)
	case g.ended:
		return refusalOf(grantRevoked)
	case changes != g.changes && (p.isMicrosoft() || slices.Contains(g.scopes, googleMail)):
		return refusalOf(passwordChanged)
	case g.testing && !now.Before(g.given.Add(testingLasts)):
		return refusalOf(grantRevoked)
	}
	return nil
}

// grant notes what somebody has allowed.
func (p *OAuthServer) grant(g *oauthGrant) *oauthGrant {
	g.given, g.used = p.now(), p.now()
	g.testing = p.state.testing && !p.isMicrosoft()
	g.changes, _ = p.provider.passwordChanges(g.user)
	p.state.grants = append(p.state.grants, g)
	return g
}

func (p *OAuthServer) newRefresh(g *oauthGrant) string {
	token := p.newToken("1//", "0.AX")
	p.state.refresh[token] = &refreshToken{grant: g, issued: p.now()}
	return token
}

func (p *OAuthServer) newAccess(a *accessToken) string {
	const some = 1000
	if len(p.state.access) > p.state.pruned+some {
		for token, old := range p.state.access {
			if !p.now().Before(old.expires.Add(24 * time.Hour)) {
				delete(p.state.access, token)
			}
		}
		p.state.pruned = len(p.state.access)
	}
	token := p.newToken("ya29.", "EwB")
	if a.grant == nil && a.app != nil {
		if signed, err := p.appToken(a.app); err == nil {
			token = signed
		}
	}
	a.expires = p.now().Add(p.options.Lifetime)
	p.state.access[token] = a
	return token
}

// isLive says whether an access token opens anything now.
func (p *OAuthServer) isLive(a *accessToken) bool {
	return a != nil && !a.ended && p.now().Before(a.expires) && (a.grant == nil || p.why(a.grant) == nil)
}

// useRefresh spends a refresh token, and returns its grant and the token that is to be
// used from now on; empty: the same.
func (p *OAuthServer) useRefresh(token string, app *oauthApp) (*oauthGrant, string, *oauthRefusal) {
	t := p.state.refresh[token]
	if t == nil || t.grant.app != app {
		return nil, "", refusalOf(badGrant)
	}
	g, now := t.grant, p.now()
	if r := p.why(g); r != nil {
		return nil, "", r
	}
	unused := now.Sub(g.used)
	if p.options.Rotation == AddRefresh {
		unused = now.Sub(t.issued)
	}
	replaced := !t.replaced.IsZero()
	switch {
	case t.ended:
		return nil, "", refusalOf(grantRevoked)
	case unused >= p.idleLimit():
		return nil, "", refusalOf(grantIdle)
	case replaced && p.options.Rotation == RotateStrict:
		g.ended = true
		return nil, "", refusalOf(grantRevoked)
	case replaced && p.options.Rotation == RotateWithGrace && !now.Before(t.replaced.Add(p.options.Grace)):
		return nil, "", refusalOf(grantRevoked)
	}
	g.used = now
	if p.options.Rotation == KeepRefresh {
		return g, "", nil
	}
	if !replaced {
		t.replaced = now
	}
	return g, p.newRefresh(g), nil
}

// passwordChanges counts how often an account has been given another password.
func (s *Server) passwordChanges(user string) (changes int, exists bool) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	a := s.store.accounts[user]
	if a == nil {
		return 0, false
	}
	return a.passwordChanges, true
}

// isPassword says whether an account has a password.
func (s *Server) isPassword(user, password string) bool {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	a := s.store.accounts[user]
	return a != nil && a.password == password
}

// account finds who an address, an alias or a user principal name belongs to.
func (p *OAuthServer) account(name string) (user string, ok bool) {
	name = strings.TrimSpace(name)
	for user, a := range p.state.accounts {
		if strings.EqualFold(a.upn, name) || slices.ContainsFunc(a.aliases, func(alias string) bool { return strings.EqualFold(alias, name) }) {
			return user, true
		}
	}
	return p.provider.accountOf(name)
}

const googleMail = "https://mail.google.com/"

// opens says whether scopes let a program in by a protocol.
func (p *OAuthServer) opens(scopes []string, by postroom.Protocol) bool {
	if !p.isMicrosoft() {
		return slices.Contains(scopes, googleMail)
	}
	ends := map[postroom.Protocol][]string{
		postroom.IMAP: {"/imap.accessasuser.all", "/imap.accessasapp"},
		postroom.POP3: {"/pop.accessasuser.all", "/pop.accessasapp"},
		postroom.SMTP: {"/smtp.send", "/smtp.sendasapp"},
	}[by]
	return slices.ContainsFunc(scopes, func(scope string) bool {
		scope = strings.ToLower(scope)
		return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix(scope, end) })
	})
}
