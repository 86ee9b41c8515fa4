package simulator

import (
	"crypto/sha256"
	"fmt"
	"math/big"
	"net/http"
	"slices"
	"strings"
	"time"
)

// routes are the paths of the server.
func (p *OAuthServer) routes() http.Handler {
	m := http.NewServeMux()
	m.HandleFunc("GET "+p.path(p.AuthorizeURL), p.counted("authorize", p.authorize))
	m.HandleFunc("GET /signin", p.counted("page", p.showPage))
	m.HandleFunc("POST /signin", p.counted("page", p.takePage))
	m.HandleFunc("GET "+p.path(p.VerifyURL), p.counted("page", p.verifyPage))
	m.HandleFunc("GET "+p.path(p.PermissionsURL), p.counted("page", p.permissions))
	m.HandleFunc("POST "+p.path(p.TokenURL), p.counted("", p.tokens))
	m.HandleFunc("POST "+p.path(p.DeviceURL), p.counted("device", p.startDevice))
	m.HandleFunc("POST "+p.path(p.RevokeURL), p.counted("revoke", p.revoke))
	m.HandleFunc("POST "+p.path(p.IntrospectURL), p.counted("introspect", p.introspect))
	m.HandleFunc("GET "+p.path(p.UserInfoURL), p.counted("userinfo", p.userInfo))
	m.HandleFunc("GET "+p.path(p.keysURL), p.counted("keys", func(w http.ResponseWriter, _ *http.Request) { answerJSON(w, 200, p.jwks()) }))
	issuer := p.path(p.Issuer)
	m.HandleFunc("GET "+issuer+"/.well-known/openid-configuration", p.counted("discover", p.metadata))
	m.HandleFunc("GET /.well-known/oauth-authorization-server"+issuer, p.counted("discover", p.metadata))
	if p.isMicrosoft() {
		m.HandleFunc("GET "+p.path(p.ConsentURL), p.counted("authorize", p.adminConsent))
	}
	return m
}

// tokens is the token endpoint.
func (p *OAuthServer) tokens(w http.ResponseWriter, r *http.Request) {
	said, refusal := p.token(r)
	if refusal != nil {
		p.refuse(w, refusal)
		return
	}
	answerJSON(w, http.StatusOK, said)
}

// metadata is what the server publishes about itself (RFC 8414 section 2).
func (p *OAuthServer) metadata(w http.ResponseWriter, r *http.Request) {
	if p.isMicrosoft() && !p.isTenant(r.PathValue("tenant")) {
		p.refuse(w, refusalOf(noTenant))
		return
	}
	grants := []string{grantCode, grantRefresh, grantDevice, grantJWT}
	if p.isMicrosoft() {
		grants = []string{grantCode, grantRefresh, grantDevice, grantClient}
	}
	answerJSON(w, http.StatusOK, map[string]any{
		"issuer": p.Issuer, "authorization_endpoint": p.AuthorizeURL, "token_endpoint": p.TokenURL,
		"device_authorization_endpoint": p.DeviceURL, "revocation_endpoint": p.RevokeURL, "introspection_endpoint": p.IntrospectURL,
		"userinfo_endpoint": p.UserInfoURL, "jwks_uri": p.keysURL,
		"response_types_supported": []string{"code"}, "grant_types_supported": grants, "scopes_supported": p.knownScopes(),
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"RS256"},
		"token_endpoint_auth_methods_supported":          []string{"client_secret_post", "client_secret_basic", "private_key_jwt", "none"},
		"code_challenge_methods_supported":               []string{"S256"},
		"authorization_response_iss_parameter_supported": true,
	})
}

// knownScopes are those that the server gives.
func (p *OAuthServer) knownScopes() []string {
	if !p.isMicrosoft() {
		return []string{"openid", "email", "profile", googleMail}
	}
	all := []string{"openid", "email", "profile", "offline_access"}
	for _, resource := range []string{"https://outlook.office.com/", "https://outlook.office365.com/"} {
		all = append(all, resource+"IMAP.AccessAsUser.All", resource+"POP.AccessAsUser.All", resource+"SMTP.Send")
	}
	return all
}

// subject is the id of an account, which stays whatever its name.
func (p *OAuthServer) subject(user string) string {
	sum := sha256.Sum256([]byte(user))
	if p.isMicrosoft() {
		return fmt.Sprintf("AAAA%x", sum[:20])
	}
	return fmt.Sprintf("1%020d", new(big.Int).SetBytes(sum[:8]))
}

// aboutUser are the claims of an ID token (OpenID Connect Core section 2).
func (p *OAuthServer) aboutUser(g *oauthGrant, first bool) map[string]any {
	now := p.now()
	c := p.namesOf(g.user, g.scopes)
	c["iss"], c["aud"], c["iat"], c["exp"] = p.Issuer, g.app.ClientID, now.Unix(), now.Add(time.Hour).Unix()
	if !p.isMicrosoft() {
		c["azp"] = g.app.ClientID
	}
	if first && g.nonce != "" {
		c["nonce"] = g.nonce
	}
	return c
}

// namesOf are the names of an account that scopes show.
func (p *OAuthServer) namesOf(user string, scopes []string) map[string]any {
	c := map[string]any{"sub": p.subject(user)}
	name, _, _ := strings.Cut(user, "@")
	if slices.Contains(scopes, "email") {
		c["email"] = user
		if !p.isMicrosoft() {
			c["email_verified"] = true
		}
	}
	if slices.Contains(scopes, "profile") {
		c["name"] = name
	}
	if p.isMicrosoft() {
		c["tid"], c["preferred_username"] = p.options.Tenant, user
		if a := p.state.accounts[user]; a != nil && a.upn != "" {
			c["preferred_username"] = a.upn
		}
	}
	return c
}

// userInfo says whose token it is (OpenID Connect Core section 5.3).
func (p *OAuthServer) userInfo(w http.ResponseWriter, r *http.Request) {
	token, _ := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	t := p.state.access[token]
	if !p.isLive(t) || t.grant == nil || !slices.Contains(t.scopes, "openid") && !slices.Contains(t.scopes, "email") {
		w.Header().Set("WWW-Authenticate", `Bearer error="invalid_token"`)
		answerJSON(w, http.StatusUnauthorized, map[string]any{"error": "invalid_token", "error_description": "Invalid Credentials"})
		return
	}
	answerJSON(w, http.StatusOK, p.namesOf(t.user, t.scopes))
}

// revoke takes a token back (RFC 7009), and with it its whole grant.
func (p *OAuthServer) revoke(w http.ResponseWriter, r *http.Request) {
	token := r.PostForm.Get("token")
	var g *oauthGrant
	if t := p.state.refresh[token]; t != nil {
		g = t.grant
	}
	if t := p.state.access[token]; t != nil {
		t.ended, g = true, t.grant
	}
	switch {
	case g != nil:
		p.end(g)
	case !p.isMicrosoft() && p.state.access[token] == nil:
		answerJSON(w, http.StatusBadRequest, map[string]any{"error": "invalid_token", "error_description": "Token expired or revoked"})
		return
	}
	w.WriteHeader(http.StatusOK)
}

// introspect tells an app about a token (RFC 7662), as mail servers ask.
func (p *OAuthServer) introspect(w http.ResponseWriter, r *http.Request) {
	if _, refusal := p.client(r); refusal != nil {
		p.refuse(w, refusal)
		return
	}
	t := p.state.access[r.PostForm.Get("token")]
	if !p.isLive(t) {
		answerJSON(w, http.StatusOK, map[string]any{"active": false})
		return
	}
	said := map[string]any{"active": true, "scope": strings.Join(t.scopes, " "), "exp": t.expires.Unix(), "token_type": "Bearer"}
	if t.user != "" {
		said["username"], said["sub"], said["email"] = t.user, p.subject(t.user), t.user
	}
	if t.app != nil {
		said["client_id"] = t.app.ClientID
	}
	answerJSON(w, http.StatusOK, said)
}
