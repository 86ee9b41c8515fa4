package oauth

import (
	"context"
	"net/url"

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
