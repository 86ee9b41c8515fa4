package simulator

import "slices"

// Revoke ends all that an account has allowed, as its owner can at the provider. An
// empty clientID is every app.
func (p *OAuthServer) Revoke(user, clientID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.remove(user, clientID)
}

// end ends a grant; at Google with all others of the account and the app.
func (p *OAuthServer) end(g *oauthGrant) {
	g.ended = true
	for _, other := range p.state.grants {
		if !p.isMicrosoft() && other.app == g.app && other.user == g.user {
			other.ended = true
		}
	}
}

// EndAccess ends the access tokens of an account, as if their hour were over.
func (p *OAuthServer) EndAccess(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.state.access {
		t.ended = t.ended || t.user == user
	}
}

// Grants counts what an account has allowed and still holds.
func (p *OAuthServer) Grants(user string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, g := range p.state.grants {
		if g.user == user && p.why(g) == nil {
			n++
		}
	}
	return n
}

// SetTesting has what people allow from now on last seven days, as with an app of
// Google's whose publishing status is testing.
func (p *OAuthServer) SetTesting(testing bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.testing = testing
}

// Register adds an app, or changes one; what people have allowed it stays.
func (p *OAuthServer) Register(a OAuthApp) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known := p.state.apps[a.ClientID]; known != nil {
		known.OAuthApp, known.expired = a, false
		return
	}
	p.state.apps[a.ClientID] = &oauthApp{OAuthApp: a}
}

// ExpireSecret ends the secret of an app, until it is registered again.
func (p *OAuthServer) ExpireSecret(clientID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if a := p.state.apps[clientID]; a != nil {
		a.expired = true
	}
}

// RequireAdminConsent lets nobody allow an app who is no administrator; at the ConsentURL
// everybody is one.
func (p *OAuthServer) RequireAdminConsent(required bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.state.adminOnly = required
}

// SetAliases gives an account other addresses, by which it can be signed in to and opened.
func (p *OAuthServer) SetAliases(user string, aliases ...string) {
	p.change(user, func(a *oauthAccount) { a.aliases = slices.Clone(aliases) })
}

// SetUPN gives an account another name to sign in with than its address (Microsoft's
// user principal name).
func (p *OAuthServer) SetUPN(user, upn string) {
	p.change(user, func(a *oauthAccount) { a.upn = upn })
}

// Share makes an account a shared mailbox, which others read with their own tokens. They
// send as themselves.
func (p *OAuthServer) Share(mailbox string, with ...string) {
	p.change(mailbox, func(a *oauthAccount) { a.members = slices.Clone(with) })
}

func (p *OAuthServer) change(user string, do func(*oauthAccount)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	a := p.state.accounts[user]
	if a == nil {
		a = &oauthAccount{}
		p.state.accounts[user] = a
	}
	do(a)
}

func (p *OAuthServer) shares(mailbox, user string) bool {
	a := p.state.accounts[mailbox]
	return a != nil && slices.Contains(a.members, user)
}
