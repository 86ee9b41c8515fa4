package mail

import (
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
	Secret   postroom.Secret // a password, or with an OAuth mechanism an access token
	// Mechanism is one of the constants above. Empty: the best password mechanism
	// that the server offers.
	Mechanism string
	Host      string // what OAUTHBEARER names to the server
	Port      int
}

// IsOAuth says whether the secret is an access token.
func (l Login) IsOAuth() bool {
	return strings.EqualFold(l.Mechanism, XOAuth2) || strings.EqualFold(l.Mechanism, OAuthBearer)
}

// Choose names the mechanism for a server that offers those of offered. The one
// that the login asks for is taken as given. Under encryption PLAIN comes first,
// because it works with however the server stores its passwords; without, SCRAM,
// because it does not show the password. ok is false when none fits.
func (l Login) Choose(offered []string, encrypted bool) (mechanism string, ok bool) {
	if l.Mechanism != "" {
		return strings.ToUpper(l.Mechanism), true
	}
	order := []string{Plain, LoginSASL, ScramSHA256}
	if !encrypted {
		order = []string{ScramSHA256, Plain, LoginSASL}
	}
	for _, m := range order {
		if slices.ContainsFunc(offered, func(o string) bool { return strings.EqualFold(o, m) }) {
			return m, true
		}
	}
	return "", false
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
	case XOAuth2:
		return &xoauth2{l}, nil
	case OAuthBearer:
		return &oauthBearer{l}, nil
	}
	return nil, fmt.Errorf("SASL mechanism %q is not spoken here", mechanism)
}

// Scrub removes the secret from text that came from outside, as it is and as the
// mechanisms encode it. A secret of up to three characters is removed only where
// it stands as a word.
func (l Login) Scrub(text string) string {
	secret := l.Secret.Reveal()
	if secret == "" || text == "" {
		return text
	}
	const hidden = "[hidden]"
	if len(secret) <= 3 {
		words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(" \t\r\n\"'(),;:=", r) })
		if slices.Contains(words, secret) {
			return hidden
		}
	} else {
		text = strings.ReplaceAll(text, secret, hidden)
		quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(secret)
		text = strings.ReplaceAll(text, quoted, hidden)
	}
	for _, m := range []Mechanism{&plain{l}, &xoauth2{l}, &oauthBearer{l}} {
		text = strings.ReplaceAll(text, base64.StdEncoding.EncodeToString(m.Start()), hidden)
	}
	if encoded := base64.StdEncoding.EncodeToString([]byte(secret)); len(encoded) > 4 {
		text = strings.ReplaceAll(text, encoded, hidden)
	}
	return text
}
