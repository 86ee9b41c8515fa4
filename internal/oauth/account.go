package oauth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// An Account is who signed in, as the provider calls them. What it does not say stays
// empty; no name but Subject is sure to be theirs alone, or to stay.
type Account struct {
	Issuer   string
	Subject  string // sub: the account's id at the issuer
	Tenant   string // tid: Microsoft's id of the organisation
	Email    string
	Username string // preferred_username: at Microsoft what one signs in with
	UPN      string // Microsoft's user principal name
	Name     string // of the person
	// EmailUnverified: the provider says that it has not looked whether Email is theirs.
	EmailUnverified bool
}

// Addresses are the names of the account that look like mail addresses, the likeliest
// first, each once.
func (a Account) Addresses() []string {
	var all []string
	for _, name := range []string{a.Email, a.UPN, a.Username} {
		if at := strings.LastIndexByte(name, '@'); at < 1 || at == len(name)-1 {
			continue
		}
		if !slices.ContainsFunc(all, func(other string) bool { return strings.EqualFold(other, name) }) {
			all = append(all, name)
		}
	}
	return all
}

var (
	// ErrIDToken is the cause when an ID token is not for this sign-in, or not believable.
	ErrIDToken = errors.New("the ID token does not belong to this sign-in")
	// ErrNoAccount is the cause when a provider does not tell who signed in.
	ErrNoAccount = errors.New("the provider does not tell who signed in")
)

// skew is how far the provider's clock and ours may be apart.
const skew = 5 * time.Minute

// Account finds out who signed in: from the ID token that came with g, and where that
// names no address or there is none, from the userinfo endpoint. nonce is the one of
// Begun; it is not compared where it is empty, for then OpenID was not asked for.
func (c *Client) Account(ctx context.Context, a App, g Grant, nonce postroom.Secret) (Account, error) {
	var who Account
	if !g.IDToken.IsEmpty() {
		var err error
		if who, err = a.readIDToken(g.IDToken, nonce, c.now()); err != nil {
			return Account{}, err
		}
		if len(who.Addresses()) > 0 {
			return who, nil
		}
	}
	if a.UserInfoURL == "" {
		if who.Subject == "" {
			return Account{}, ErrNoAccount
		}
		return who, nil
	}
	more, err := c.userInfo(ctx, a, g.AccessToken)
	switch {
	case err != nil && who.Subject != "":
		return who, nil // as much as is known
	case err != nil:
		return Account{}, err
	case who.Subject != "" && more.Subject != who.Subject: // OpenID Connect Core section 5.3.2
		return Account{}, fmt.Errorf("%w: the provider names two accounts", ErrIDToken)
	}
	more.Issuer, more.Tenant = who.Issuer, who.Tenant
	if more.Subject == "" && len(more.Addresses()) == 0 {
		return Account{}, ErrNoAccount
	}
	return more, nil
}

// readIDToken reads an ID token that came straight from the token endpoint. TLS has
// shown whose it is, which stands for the signature (OpenID Connect Core section
// 3.1.3.7, point 6); issuer, audience, times and nonce are held against what is expected.
func (a App) readIDToken(token, nonce postroom.Secret, now time.Time) (Account, error) {
	no := func(why string) (Account, error) { return Account{}, fmt.Errorf("%w: %s", ErrIDToken, why) }
	parts := strings.Split(token.Reveal(), ".")
	if len(parts) != 3 {
		return no("it is none")
	}
	payload, err := base64.RawURLEncoding.DecodeString(strings.TrimRight(parts[1], "="))
	if err != nil {
		return no("it is none")
	}
	claims := &answer{}
	if claims.read(payload, false); claims.err != nil || claims.fields == nil {
		return no("it cannot be read")
	}
	audience, _ := claims.list("aud")
	issuer, tenant := claims.said("iss"), claims.said("tid")
	switch {
	case issuer == "" || !a.isIssuer(issuer):
		return no("it is from another provider")
	case tenant != "" && tenantID.MatchString(a.Tenant) && !strings.EqualFold(tenant, a.Tenant):
		return no("it is from another organisation")
	case !slices.Contains(audience, a.ClientID):
		return no("it is for another app")
	case claims.said("azp") != "" && claims.said("azp") != a.ClientID, claims.said("azp") == "" && len(audience) > 1:
		return no("it was made for another app")
	case claims.said("sub") == "":
		return no("it names nobody")
	case !now.Before(claims.instant("exp").Add(skew)):
		return no("it has expired, or the clock of this machine is wrong")
	case now.Add(skew).Before(claims.instant("nbf")), now.Add(skew).Before(claims.instant("iat")):
		return no("it is from the future, so the clock of this machine is wrong")
	case !nonce.IsEmpty() && subtle.ConstantTimeCompare([]byte(nonce.Reveal()), []byte(claims.said("nonce"))) != 1:
		return no("it is the answer to another sign-in")
	}
	return claims.account(), nil
}

// userInfo asks who a token is for (OpenID Connect Core section 5.3).
func (c *Client) userInfo(ctx context.Context, a App, token postroom.Secret) (Account, error) {
	to, err := a.address("userinfo_url", a.UserInfoURL)
	if err != nil {
		return Account{}, err
	}
	said, secrets, err := c.ask(ctx, request{phase: PhaseUserInfo, to: to, bearer: token})
	if err != nil {
		return Account{}, err
	}
	if said.isError() {
		return Account{}, said.refusal(PhaseUserInfo, secrets)
	}
	return said.account(), nil
}

// account reads the claims of OpenID Connect Core section 5.1 and of Microsoft, and what
// Yandex (default_email, login, id) and Zoho (Email, ZUID) say instead.
func (a *answer) account() Account {
	who := Account{
		Issuer: a.name("iss"), Subject: a.name("sub", "id", "ZUID"), Tenant: a.name("tid"), Email: a.name("email", "default_email", "Email"),
		Username: a.name("preferred_username", "login"), UPN: a.name("upn"), Name: a.name("name", "real_name", "Display_Name"),
	}
	if verified, has := a.fields["email_verified"]; has && who.Email != "" {
		who.EmailUnverified = verified == false || a.said("email_verified") == "false"
	}
	return who
}

// name is the first of some fields that is there, as it may be shown and compared. One
// that is too long or holds unprintable characters is none.
func (a *answer) name(names ...string) string {
	for _, one := range names {
		if text := strings.TrimSpace(a.said(one)); text != "" && len(text) <= 320 && visible(text) == text {
			return text
		}
	}
	return ""
}

// instant is a field that holds seconds since 1970 (RFC 7519 section 2); zero: it does
// not.
func (a *answer) instant(name string) time.Time {
	if since, ok := a.seconds(name); ok && since < 1<<40 {
		return time.Unix(int64(since), 0).UTC()
	}
	return time.Time{}
}
