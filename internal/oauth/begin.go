package oauth

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// An Ask is what a sign-in in the browser is to be about.
type Ask struct {
	Scopes    []string
	LoginHint string // the address of the account that should sign in
	Prompt    string // consent, select_account, login; empty: what the app says, or nothing
}

// A Begun is a sign-in that a browser is sent off to. Address may be seen by the
// browser only. State comes back with it; Verifier and Nonce must be at hand then, and
// prove that the answer belongs to this very sign-in.
type Begun struct {
	Address  string
	State    postroom.Secret
	Verifier postroom.Secret // empty: no code is asked for
	Nonce    postroom.Secret // empty: OpenID is not used
}

// ours are the parameters that nobody else may set.
var ours = []string{"response_type", "client_id", "redirect_uri", "scope", "state", "nonce", "code_challenge", "code_challenge_method", "client_secret", "request", "request_uri"}

// Begin makes the address for an authorization code with PKCE (RFC 6749 section 4.1.1,
// RFC 7636 section 4.3). It asks nobody.
func (a App) Begin(ask Ask) (Begun, error) {
	if err := a.check(); err != nil { // better here than when the browser comes back
		return Begun{}, err
	}
	to, err := a.address("authorize_url", a.AuthorizeURL)
	if err != nil {
		return Begun{}, err
	}
	if _, err := a.address("redirect_url", a.RedirectURL); err != nil {
		return Begun{}, err
	}
	query := to.Query() // what the address has stays (RFC 6749 section 3.1)
	for name, value := range a.ExtraParams {
		if slices.Contains(ours, name) {
			return Begun{}, &AppError{"extra_params", "sets " + name + ", which is not for others to set"}
		}
		query.Set(name, value)
	}
	b := Begun{State: postroom.Hide(rand.Text()), Verifier: newVerifier()}
	query.Set("response_type", "code")
	query.Set("client_id", a.ClientID)
	query.Set("redirect_uri", a.RedirectURL) // letter by letter as registered (RFC 9700 section 2.1)
	query.Set("state", b.State.Reveal())
	query.Set("code_challenge", challenge(b.Verifier.Reveal()))
	query.Set("code_challenge_method", "S256")
	if len(ask.Scopes) > 0 {
		query.Set("scope", strings.Join(ask.Scopes, " "))
	}
	if ask.LoginHint != "" {
		query.Set("login_hint", ask.LoginHint)
	}
	if ask.Prompt != "" {
		query.Set("prompt", ask.Prompt)
	}
	if slices.Contains(ask.Scopes, "openid") { // OpenID Connect Core section 3.1.2.1
		b.Nonce = postroom.Hide(rand.Text())
		query.Set("nonce", b.Nonce.Reveal())
	}
	to.RawQuery = query.Encode()
	b.Address = to.String()
	return b, nil
}

// AskAdmin makes the address at which an administrator allows the app for everybody, as
// Microsoft has it. The browser comes back with Return.Allowed instead of a code. A link
// to it may be sent: what it holds is no secret but the state.
func (a App) AskAdmin(scopes []string) (Begun, error) {
	if a.ConsentURL == "" {
		return Begun{}, notOffered("consent of an administrator")
	}
	if a.ClientID == "" {
		return Begun{}, &AppError{"client_id", "is missing"}
	}
	to, err := a.address("consent_url", a.ConsentURL)
	if err != nil {
		return Begun{}, err
	}
	if _, err := a.address("redirect_url", a.RedirectURL); err != nil {
		return Begun{}, err
	}
	b := Begun{State: postroom.Hide(rand.Text())}
	to.RawQuery = url.Values{"client_id": {a.ClientID}, "redirect_uri": {a.RedirectURL}, "scope": {strings.Join(scopes, " ")}, "state": {b.State.Reveal()}}.Encode()
	b.Address = to.String()
	return b, nil
}

// newVerifier makes one of 43 characters from 32 octets (RFC 7636 section 4.1).
func newVerifier() postroom.Secret {
	octets := make([]byte, 32)
	_, _ = rand.Read(octets) // never fails
	return postroom.Hide(base64.RawURLEncoding.EncodeToString(octets))
}

// challenge is S256 of RFC 7636 section 4.2.
func challenge(verifier string) string {
	sum := sha256.Sum256([]byte(verifier))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// LoopbackRedirect says whether the browser comes back to the machine that it runs on,
// where perhaps nobody listens (RFC 8252 section 7.3): then its owner brings the address
// here by hand.
func (a App) LoopbackRedirect() bool {
	u, err := url.Parse(a.RedirectURL)
	return err == nil && u.Scheme == "http" && isSafe(u)
}
