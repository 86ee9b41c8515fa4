package simulator

import "slices"

// Allow does what the owner of an account does on the pages: the app gets all of
// scopes. It returns a refresh token, as if a program had signed them in and kept it.
func (p *OAuthServer) Allow(user, clientID string, scopes ...string) (refresh string, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	app := p.state.apps[clientID]
	name, exists := p.account(user)
	if app == nil || !exists || !p.knows(scopes) {
		return "", false
	}
	return p.newRefresh(p.grant(&oauthGrant{app: app, user: name, scopes: slices.Clone(scopes), refreshes: true})), true
}
