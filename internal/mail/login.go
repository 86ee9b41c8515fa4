package mail

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// The SASL mechanisms that are spoken here.
const (
	Plain       = "PLAIN"         // RFC 4616
	LoginSASL   = "LOGIN"         // draft-murchison-sasl-login; in IMAP also the LOGIN command
	ScramSHA256 = "SCRAM-SHA-256" // RFC 7677
	XOAuth2     = "XOAUTH2"       // Google's, understood by Microsoft and Yahoo too
	OAuthBearer = "OAUTHBEARER"   // RFC 7628
)

// A Login is who signs in, and with what.
type Login struct {
	Username string
	Secret   postroom.Secret // a password, or an access token
	// OAuth says that Secret is an access token, for whichever OAuth mechanism the
	// server offers.
	OAuth bool
	// Mechanism is one of the constants above. Empty: the best that the server offers
	// for a secret of this kind.
	Mechanism string
	Host      string // what OAUTHBEARER names to the server
	Port      int

	proofs []postroom.Secret          // that were sent
	blanks []func(text string) string // for Scrub; nil: made each time
}

// IsOAuth says whether the secret is an access token.
func (l Login) IsOAuth() bool {
	return l.OAuth || strings.EqualFold(l.Mechanism, XOAuth2) || strings.EqualFold(l.Mechanism, OAuthBearer)
}

// Choose names the mechanism for a server that offers those of offered. The one
// that the login asks for is taken as given. Under encryption PLAIN comes first,
// because it works with however the server stores its passwords; without, SCRAM,
// because it does not show the password. Of the mechanisms for access tokens XOAUTH2
// comes first: Microsoft knows no other, and most others know both.
// ok is false when none fits.
func (l Login) Choose(offered []string, encrypted bool) (mechanism string, ok bool) {
	if l.Mechanism != "" {
		return strings.ToUpper(l.Mechanism), true
	}
	order := []string{Plain, LoginSASL, ScramSHA256}
	switch {
	case l.OAuth:
		order = bearers()
	case !encrypted:
		order = []string{ScramSHA256, Plain, LoginSASL}
	}
	for _, m := range order {
		if slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, m) }) {
			return m, true
		}
	}
	return "", false
}

// bearers are the mechanisms for access tokens, best first.
func bearers() []string { return []string{XOAuth2, OAuthBearer} }

// Unlisted are the mechanisms to ask for, one after the other, where a server lists none
// that fits: its list may be incomplete. An access token is not given to it before it asks
// for one. For passwords there are none: every server says how it takes them.
func (l Login) Unlisted() []string {
	if !l.OAuth {
		return nil
	}
	return bearers()
}

// Asked is what a challenge in base64 asks. Words that are not coded say nothing to a
// mechanism, other than that a token is not taken.
func (l Login) Asked(challenge []byte) []byte {
	text := bytes.TrimSpace(challenge)
	decoded, err := base64.StdEncoding.AppendDecode(nil, text)
	switch {
	case err == nil:
		return decoded
	case l.IsOAuth():
		return text
	}
	return nil
}

// A Mechanism is the client's side of one SASL exchange (RFC 4422), used once.
type Mechanism interface {
	Name() string
	// Start returns the initial response; nil when the server speaks first.
	Start() []byte
	// Next answers a challenge; an empty answer is an answer.
	Next(challenge []byte) ([]byte, error)
	// Done is asked when the server says that it is satisfied. An error says that
	// it did not prove itself, and must not be believed.
	Done() error
}

// Begin starts an exchange by the mechanism of that name.
func (l Login) Begin(mechanism string) (Mechanism, error) {
	switch strings.ToUpper(mechanism) {
	case Plain:
		if strings.ContainsRune(l.Username, 0) || strings.ContainsRune(l.Secret.Reveal(), 0) {
			return nil, errors.New("user name or password holds a NUL, which no server takes")
		}
		return &plain{l}, nil
	case LoginSASL:
		return &loginSASL{login: l}, nil
	case ScramSHA256:
		return newScram(l), nil
	case XOAuth2, OAuthBearer:
		if strings.ContainsAny(l.Username+l.Secret.Reveal(), "\x00\x01") {
			return nil, errors.New("user name or access token holds a control character, which no server takes")
		}
		if strings.EqualFold(mechanism, XOAuth2) {
			return xoauth2(l), nil
		}
		return oauthBearer(l), nil
	}
	return nil, fmt.Errorf("SASL mechanism %q is not spoken here", mechanism)
}

// How much of a text is searched for a secret, and how much of that may be shown: what
// stands behind may be the beginning of a secret that goes on where nobody looks. In bytes.
const (
	maxScrubbed = 16 << 10
	maxShown    = 12 << 10
)

// Scrub removes the secret from text that came from outside, in whatever form it
// stands there, and what was sent in proof of it. Of a text that is longer than
// anybody reads, such as a megabyte in one line, only the beginning is left.
func (l Login) Scrub(text string) string {
	isLong := len(text) > maxScrubbed
	if isLong {
		text = text[:maxScrubbed]
	}
	for _, blank := range l.Ready().blanks {
		text = blank(text)
	}
	if isLong {
		text = strings.ToValidUTF8(text[:min(len(text), maxShown)], "") + "…"
	}
	return text
}

// Ready returns l with what Scrub takes long for done once, for whoever scrubs often. It
// takes some memory, which who only waits for mail does not spend.
func (l Login) Ready() Login {
	if l.blanks != nil {
		return l
	}
	var wrappings []string
	for _, m := range []Mechanism{&plain{l}, xoauth2(l), oauthBearer(l)} {
		wrappings = append(wrappings, string(m.Start()))
	}
	l.blanks = []func(string) string{l.Secret.Blanker(hidden, wrappings...)}
	for _, proof := range l.proofs {
		l.blanks = append(l.blanks, proof.Blanker(hidden))
	}
	return l
}

const hidden = "[hidden]" // as a Secret prints itself

// Proven returns l with something that was sent in proof of its secret, which Scrub
// removes too: from it the secret can be guessed. Nothing proves nothing.
func (l Login) Proven(by string) Login {
	if by == "" {
		return l
	}
	l.proofs = append(slices.Clip(l.proofs), postroom.Hide(by))
	if l.blanks != nil {
		l.blanks = append(slices.Clip(l.blanks), postroom.Hide(by).Blanker(hidden))
	}
	return l
}

// Proof is what a response of a mechanism proves the secret by without holding it;
// empty: nothing.
func Proof(mechanism string, response []byte) string {
	if _, proof, ok := strings.Cut(string(response), ",p="); ok && mechanism == ScramSHA256 { // RFC 5802 section 7
		return proof
	}
	return ""
}
