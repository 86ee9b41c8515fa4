package oauth

import (
	"context"
	"net/url"
	"time"

	"github.com/postroom/postroom"
)

// Kind is what a token is (RFC 7009 section 2.1).
type Kind string

const (
	AccessToken  Kind = "access_token"
	RefreshToken Kind = "refresh_token"
)

// Revoke gives a token back (RFC 7009). Some providers end the whole grant with it, and
// with that every other token of this account and app. A token that the provider does
// not know, or no more, is a success: it opens nothing.
func (c *Client) Revoke(ctx context.Context, a App, token postroom.Secret, kind Kind) error {
	if a.RevokeURL == "" {
		return notOffered("revoking")
	}
	form := url.Values{"token": {token.Reveal()}, "token_type_hint": {string(kind)}}
	said, secrets, err := c.post(ctx, a, PhaseRevoke, "revoke_url", a.RevokeURL, form)
	if err != nil {
		return err
	}
	code, _ := said.errorName()
	switch {
	case code == "invalid_token": // Google's answer to one that has ended
		return nil
	case said.status == 200 && code == "" && (len(said.text) == 0 || said.fields != nil): // usually without a body
		return nil
	}
	return said.refusal(PhaseRevoke, secrets)
}

// A Token is what a provider says about a token of its own (RFC 7662 section 2.2). What
// it does not say stays zero.
type Token struct {
	Active   bool
	Scopes   []string
	ClientID string
	Username string
	Subject  string
	Expires  time.Time
}

// Introspect asks a provider about a token (RFC 7662). Most let only mail servers ask.
func (c *Client) Introspect(ctx context.Context, a App, token postroom.Secret) (Token, error) {
	if a.IntrospectURL == "" {
		return Token{}, notOffered("asking about tokens")
	}
	said, secrets, err := c.post(ctx, a, PhaseIntrospect, "introspect_url", a.IntrospectURL, url.Values{"token": {token.Reveal()}})
	if err != nil {
		return Token{}, err
	}
	if _, has := said.fields["active"]; !has && !said.isError() {
		said.err = ErrAnswer
	}
	if said.isError() {
		return Token{}, said.refusal(PhaseIntrospect, secrets)
	}
	t := Token{Active: said.says("active"), ClientID: said.name("client_id"), Username: said.name("username"), Subject: said.name("sub"), Expires: said.instant("exp")}
	t.Scopes, _ = said.list("scope")
	return t, nil
}
