package oauth

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

// Metadata is what a provider publishes about itself (RFC 8414 section 2, OpenID Connect
// Discovery section 3). Addresses that are not safe to use are left out.
type Metadata struct {
	Issuer                                                    string
	AuthorizeURL, TokenURL, DeviceURL, RevokeURL, UserInfoURL string
	Scopes, GrantTypes                                        []string // empty: not said
	Auth                                                      []Auth   // of the token endpoint; empty: AuthHeader
	Challenges                                                []string // of PKCE; empty: not said
	ReturnsIssuer                                             bool
}

// TakesS256 says whether a provider knows the challenges that Begin sends, or leaves open
// whether it does; then it ignores them.
func (m Metadata) TakesS256() bool {
	return len(m.Challenges) == 0 || slices.Contains(m.Challenges, "S256")
}

// Discover asks an issuer, that of a, for its metadata: by the path of OpenID Connect
// (appended), which the large providers have, then by those of RFC 8414 (inserted before
// the path of the issuer, sections 3 and 5). What calls itself otherwise is not believed.
func (c *Client) Discover(ctx context.Context, a App) (Metadata, error) {
	issuer, err := a.address("issuer", a.Issuer)
	if err != nil {
		return Metadata{}, err
	}
	if issuer.RawQuery != "" {
		return Metadata{}, &AppError{"issuer", "holds a question mark"}
	}
	var first error
	for _, at := range wellKnown(issuer) {
		said, _, err := c.ask(ctx, request{phase: PhaseDiscover, to: at})
		if err != nil {
			return Metadata{}, err // another path leads to the same server
		}
		if said.isError() {
			refusal := said.refusal(PhaseDiscover, nil)
			if said.status == 429 || said.status >= 500 {
				return Metadata{}, refusal
			}
			if first == nil {
				first = refusal
			}
			continue
		}
		m := said.metadata()
		if m.Issuer == "" || !a.isIssuer(m.Issuer) && !m.isOf(a.issuer()) {
			return Metadata{}, &Refusal{Phase: PhaseDiscover, Status: said.status, Err: fmt.Errorf("%w: it calls itself %q", ErrIssuer, shorten(m.Issuer, maxShown))}
		}
		if m.TokenURL == "" {
			said.err = fmt.Errorf("%w: it names no token endpoint", ErrAnswer)
			return Metadata{}, said.refusal(PhaseDiscover, nil)
		}
		return m, nil
	}
	return Metadata{}, first
}

// isOf says whether m is that of issuer, though it is written otherwise: with a slash at
// its end, which people forget, or with {tenantid} where one of many organisations stands
// (Microsoft's share their metadata).
func (m Metadata) isOf(issuer string) bool {
	if strings.Contains(m.Issuer, "{tenantid}") {
		return App{Issuer: m.Issuer}.isIssuer(issuer)
	}
	return m.Issuer != "" && strings.TrimSuffix(m.Issuer, "/") == strings.TrimSuffix(issuer, "/")
}

// wellKnown are the places where an issuer's metadata may be.
func wellKnown(issuer *url.URL) []*url.URL {
	path := strings.TrimSuffix(issuer.Path, "/")
	places := []string{path + "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server" + path}
	if path != "" {
		places = append(places, "/.well-known/openid-configuration"+path)
	}
	var all []*url.URL
	for _, place := range places {
		at := *issuer
		at.Path, at.RawPath = place, ""
		all = append(all, &at)
	}
	return all
}

func (a *answer) metadata() Metadata {
	safe := func(name string) string { return page(a.said(name)) }
	m := Metadata{
		Issuer:        visible(a.said("issuer")),
		AuthorizeURL:  safe("authorization_endpoint"),
		TokenURL:      safe("token_endpoint"),
		DeviceURL:     safe("device_authorization_endpoint"),
		RevokeURL:     safe("revocation_endpoint"),
		UserInfoURL:   safe("userinfo_endpoint"),
		ReturnsIssuer: a.says("authorization_response_iss_parameter_supported"),
	}
	m.Scopes, _ = a.list("scopes_supported")
	m.GrantTypes, _ = a.list("grant_types_supported")
	m.Challenges, _ = a.list("code_challenge_methods_supported")
	ways, _ := a.list("token_endpoint_auth_methods_supported")
	for _, way := range ways {
		m.Auth = append(m.Auth, Auth(way))
	}
	return m
}

// Fill returns a with what it does not say itself taken from m.
func (m Metadata) Fill(a App) App {
	for _, one := range []struct {
		to   *string
		from string
	}{
		{&a.Issuer, m.Issuer},
		{&a.AuthorizeURL, m.AuthorizeURL}, {&a.TokenURL, m.TokenURL}, {&a.DeviceURL, m.DeviceURL},
		{&a.RevokeURL, m.RevokeURL}, {&a.UserInfoURL, m.UserInfoURL},
	} {
		if *one.to == "" {
			*one.to = one.from
		}
	}
	if m.isOf(a.issuer()) { // letter by letter as ID tokens will have it
		a.Issuer = m.Issuer
	}
	a.ReturnsIssuer = a.ReturnsIssuer || m.ReturnsIssuer
	// RFC 8414 section 2: who says nothing takes a secret in the header.
	if a.Auth == "" && a.auth() == AuthBody && !slices.Contains(m.Auth, AuthBody) && (len(m.Auth) == 0 || slices.Contains(m.Auth, AuthHeader)) {
		a.Auth = AuthHeader
	}
	return a
}
