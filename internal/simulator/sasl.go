package simulator

import (
	"bytes"
	"strings"

	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-sasl"
)

var _ imapserver.SessionSASL = (*session)(nil)

// AuthenticateMechanisms names the mechanisms of the server; the first that
// clients find is usually the one they take.
func (s *session) AuthenticateMechanisms() []string { return s.wire.server.options.Mechanisms }

// Authenticate begins an exchange. With the two OAuth mechanisms a token of
// the provider's OAuth server signs in; where there is none, the password of the account
// is its token.
func (s *session) Authenticate(mechanism string) (sasl.Server, error) {
	switch mechanism {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error { return s.Login(user, password) }), nil
	case "LOGIN":
		return &loginExchange{login: s.Login}, nil
	case "XOAUTH2", "OAUTHBEARER":
		return &bearerExchange{login: s.loginByToken, challenge: s.store.challenge(s.wire.faults())}, nil
	}
	return nil, refuse("", "Unsupported authentication mechanism")
}

// A loginExchange asks for the name and then for the password
// (draft-murchison-sasl-login).
type loginExchange struct {
	login func(user, password string) error
	asked int
	user  string
}

func (e *loginExchange) Next(response []byte) (challenge []byte, done bool, err error) {
	if e.asked == 0 && response != nil {
		e.asked = 1 // the name came with the command
	}
	e.asked++
	switch e.asked {
	case 1:
		return []byte("Username:"), false, nil
	case 2:
		e.user = string(response)
		return []byte("Password:"), false, nil
	}
	return nil, true, e.login(e.user, string(response))
}

// A bearerExchange reads the one response of XOAUTH2 (as Gmail documents it) or
// OAUTHBEARER (RFC 7628 section 3.1). After a wrong token it gives a reason as
// JSON, and refuses when the client has acknowledged that.
type bearerExchange struct {
	login     func(user, password string) error
	challenge string // the reason; empty: none is given
	refusal   error
}

func (e *bearerExchange) Next(response []byte) (challenge []byte, done bool, err error) {
	if e.refusal != nil {
		return nil, false, e.refusal
	}
	if response == nil {
		return []byte{}, false, nil
	}
	var user, token string
	for field := range bytes.SplitSeq(response, []byte{1}) {
		text := string(field)
		if name, ok := strings.CutPrefix(text, "user="); ok {
			user = name
		}
		if header, ok := strings.CutPrefix(text, "n,a="); ok {
			user = strings.NewReplacer("=2C", ",", "=3D", "=").Replace(strings.TrimSuffix(header, ","))
		}
		if bearer, ok := strings.CutPrefix(text, "auth=Bearer "); ok {
			token = bearer
		}
	}
	if e.refusal = e.login(user, token); e.refusal != nil {
		if e.challenge == "" {
			return nil, true, e.refusal
		}
		return []byte(e.challenge), false, nil
	}
	return nil, true, nil
}
