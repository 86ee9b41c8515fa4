package simulator

import (
	"encoding/base64"
	"errors"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/postroom/postroom"
)

// A lineLogin is the sign-in of a POP3 or SMTP connection.
type lineLogin struct {
	call       *call
	store      *store
	protocol   postroom.Protocol
	mechanisms []string
	gmail      bool // speaks as Google does; by POP3 "recent:" may stand before a name
	verdict    verdict
	account    *account // nil: not signed in
	name       string   // as it was said
}

var errNotLetIn = errors.New("the login was refused")

// mechanism begins a SASL exchange, if the server knows the mechanism.
func (l *lineLogin) mechanism(name string) (sasl.Server, bool) {
	if !slices.Contains(l.mechanisms, name) || l.call.faults().hides("AUTH="+name) {
		return nil, false
	}
	switch name {
	case "PLAIN":
		return sasl.NewPlainServer(func(_, user, password string) error { return l.try(user, password) }), true
	case "LOGIN":
		return &loginExchange{login: l.try}, true
	case "XOAUTH2", "OAUTHBEARER":
		return &bearerExchange{login: l.tryToken, challenge: l.store.challenge(l.call.faults())}, true
	}
	return nil, false
}

// offered are the mechanisms that faults do not hide.
func (l *lineLogin) offered() []string {
	f := l.call.faults()
	return slices.DeleteFunc(slices.Clone(l.mechanisms), func(m string) bool { return f.hides("AUTH=" + m) })
}

// try signs in by a password.
func (l *lineLogin) try(user, password string) error {
	return l.judge(user, func(a *account) verdict { return a.judge(l.protocol, password) })
}

// judge signs in to the account of a name if proof lets us in.
func (l *lineLogin) judge(user string, proof func(*account) verdict) error {
	l.name = user
	if l.gmail && l.protocol == postroom.POP3 {
		user = strings.TrimPrefix(user, recentPrefix)
	}
	l.store.mu.Lock()
	a := l.store.accounts[user]
	v := wrongPassword
	if a != nil {
		v = proof(a)
	}
	l.store.mu.Unlock()
	l.verdict = l.call.signIn(user, v)
	if l.verdict != letIn {
		return errNotLetIn
	}
	l.account = a
	return nil
}

// refusal is what the server is made to answer to a sign-in, or Google answers; ok is
// false where it answers in its own words, if it refuses at all.
func (l *lineLogin) refusal(f *Faults) (a answer, ok bool) {
	text := ""
	switch {
	case l.verdict == refusedByFault:
		text = f.RefuseLogin
	case l.verdict == refusedToken:
		text = microsoftSays(l.protocol)
	case l.gmail:
		text = googleSays(l.protocol, l.verdict)
	}
	return answer{line: crlf(text), quit: isFarewell(text)}, text != ""
}

// toBase64 and fromBase64 are for SASL, where "=" is an empty response
// (RFC 4954 section 4).
func toBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

func fromBase64(text string) ([]byte, error) {
	if text == "=" {
		return []byte{}, nil
	}
	return base64.StdEncoding.DecodeString(text)
}
