package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A Grant is what a provider gives: tokens, how long they last, and what they open.
type Grant struct {
	AccessToken postroom.Secret
	// RefreshToken is the one to use from now on: the one that was used where none came
	// with the answer (RFC 6749 section 6). Empty: there is none.
	RefreshToken postroom.Secret
	// Rotated: the refresh token is not the one that was used.
	Rotated bool
	IDToken postroom.Secret // OpenID Connect; empty: none

	TokenType string    // as HTTP writes it: Bearer
	At        time.Time // when it was asked for; what lasts is counted from here
	Expires   time.Time // of the access token; zero: not said
	// RefreshExpires is when the refresh token ends, where the provider says so; zero: it
	// does not, or it never ends.
	RefreshExpires time.Time
	// Scopes are those that were granted; where the provider names none, those that were
	// asked for (RFC 6749 section 5.1), and ScopesSaid is false.
	Scopes     []string
	ScopesSaid bool
}

// Missing are those of needed that were not granted, as where somebody has left a box
// empty. What asks for tokens and names instead of access (OpenID Connect Core sections
// 5.4 and 11) is not missed: Microsoft never lists offline_access, Google writes email in
// another way. Letters' case does not count; Microsoft changes it.
func (g Grant) Missing(needed []string) []string {
	var missing []string
	for _, scope := range needed {
		has := func(granted string) bool { return strings.EqualFold(granted, scope) }
		if g.ScopesSaid && !slices.Contains(aboutTokens, scope) && !slices.ContainsFunc(g.Scopes, has) {
			missing = append(missing, scope)
		}
	}
	return missing
}

var aboutTokens = []string{"openid", "offline_access", "profile", "email", "address", "phone"}

// Exchange turns the code that the browser came back with into a grant (RFC 6749 section
// 4.1.3, RFC 7636 section 4.5). A code works once: what fails is begun anew. scopes are
// those that were asked for.
func (c *Client) Exchange(ctx context.Context, a App, r Return, verifier postroom.Secret, scopes []string) (Grant, error) {
	if err := a.Check(r); err != nil {
		return Grant{}, err
	}
	if r.Code.IsEmpty() {
		return Grant{}, fmt.Errorf("%w: no code", ErrReturn)
	}
	return c.grant(ctx, a, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {r.Code.Reveal()},
		"redirect_uri":  {a.RedirectURL},
		"code_verifier": {verifier.Reveal()},
	}, scopes)
}

// Refresh asks for a new access token (RFC 6749 section 6). With no scopes the provider
// is asked for all that were granted, and Grant.Scopes is empty where it does not list
// them: they are as before. With some, it is asked for no more than those.
func (c *Client) Refresh(ctx context.Context, a App, refresh postroom.Secret, scopes []string) (Grant, error) {
	if refresh.IsEmpty() {
		return Grant{}, errors.New("there is no refresh token")
	}
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh.Reveal()}}
	setScopes(form, scopes)
	g, err := c.grant(ctx, a, form, scopes)
	if err != nil {
		return Grant{}, err
	}
	if g.RefreshToken.IsEmpty() {
		g.RefreshToken = refresh
	}
	g.Rotated = g.RefreshToken.Reveal() != refresh.Reveal()
	return g, nil
}

// ClientToken asks for a token in the app's own name (RFC 6749 section 4.4). For
// Microsoft the one scope is that of a resource: https://outlook.office365.com/.default
func (c *Client) ClientToken(ctx context.Context, a App, scopes []string) (Grant, error) {
	if a.auth() == AuthNone {
		return Grant{}, &AppError{"client_secret", "is missing, and so is a private key"}
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	setScopes(form, scopes)
	return c.grant(ctx, a, form, scopes)
}

func setScopes(form url.Values, scopes []string) {
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
}

// grant asks the token endpoint.
func (c *Client) grant(ctx context.Context, a App, form url.Values, scopes []string) (Grant, error) {
	at := c.now()
	said, secrets, err := c.post(ctx, a, PhaseToken, "token_url", a.TokenURL, form)
	if err != nil {
		return Grant{}, err
	}
	return said.grant(PhaseToken, at, secrets, scopes)
}

// isError says whether an answer refuses. Some servers do so with status 200 (Zoho,
// Mail.ru).
func (a *answer) isError() bool {
	code, _ := a.errorName()
	return a.err != nil || a.status < 200 || a.status > 299 || code != ""
}

// grant reads an answer of the token endpoint (RFC 6749 sections 5.1 and 5.2).
func (a *answer) grant(phase Phase, at time.Time, secrets []postroom.Secret, asked []string) (Grant, error) {
	if a.isError() {
		return Grant{}, a.refusal(phase, secrets)
	}
	for _, name := range []string{"access_token", "refresh_token", "id_token"} {
		if token := a.said(name); len(token) > maxToken || !isVisible(token) {
			a.err = fmt.Errorf("%w: its %s cannot be one", ErrAnswer, name)
			return Grant{}, a.refusal(phase, secrets)
		}
	}
	token, kind := a.said("access_token"), a.said("token_type")
	switch {
	case token == "":
		a.err = ErrNoToken
		return Grant{}, a.refusal(phase, secrets)
	case kind != "" && !strings.EqualFold(kind, "Bearer"): // Mail.ru says none
		a.err = ErrTokenType
		return Grant{}, a.refusal(phase, secrets)
	}
	g := Grant{
		AccessToken:  postroom.Hide(token),
		RefreshToken: postroom.Hide(a.said("refresh_token")),
		IDToken:      postroom.Hide(a.said("id_token")),
		TokenType:    "Bearer",
		At:           at,
		Scopes:       slices.Clone(asked),
	}
	if lasts, ok := a.firstSpan("expires_in_sec", "expires_in"); ok { // Zoho: expires_in may be milliseconds
		g.Expires = at.Add(lasts)
	}
	// Google's name, and those of others: Intuit's is known from everywhere, Keycloak's too.
	if lasts, ok := a.firstSpan("refresh_token_expires_in", "x_refresh_token_expires_in", "refresh_expires_in"); ok {
		g.RefreshExpires = at.Add(lasts)
	}
	if scopes, ok := a.list("scope"); ok {
		g.Scopes, g.ScopesSaid = scopes, true
	}
	g.Rotated = !g.RefreshToken.IsEmpty()
	return g, nil
}

func (a *answer) firstSpan(names ...string) (time.Duration, bool) {
	for _, name := range names {
		if lasts, ok := a.span(name); ok {
			return lasts, true
		}
	}
	return 0, false
}
