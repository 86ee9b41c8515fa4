package simulator

import (
	"net/http"
	"slices"
)

// permissions is where the owner of an account sees which apps may open it, and removes
// them (myaccount.google.com/connections, myaccount.microsoft.com).
func (p *OAuthServer) permissions(w http.ResponseWriter, r *http.Request) {
	f := &oauthFlow{browser: p.browser(w, r), owner: true}
	p.enter(f)
	p.moveOn(w, r, f)
}

// allowedApps are the apps that may open the account of a flow.
func (p *OAuthServer) allowedApps(f *oauthFlow) []OAuthApp {
	var all []OAuthApp
	for _, g := range p.state.grants {
		known := slices.ContainsFunc(all, func(a OAuthApp) bool { return a.ClientID == g.app.ClientID })
		if g.user == f.user && !known && p.why(g) == nil {
			all = append(all, g.app.OAuthApp)
		}
	}
	return all
}

// remove takes from an app all that an account has allowed it; an empty clientID is every
// app.
func (p *OAuthServer) remove(user, clientID string) {
	for _, g := range p.state.grants {
		if g.user == user && (clientID == "" || g.app.ClientID == clientID) {
			g.ended = true
		}
	}
}
