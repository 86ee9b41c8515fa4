package mail

import (
	"errors"
	"strconv"
	"strings"
)

// plain is PLAIN (RFC 4616): both words in UTF-8, as they were given.
type plain struct{ login Login }

func (p *plain) Name() string { return Plain }
func (p *plain) Start() []byte {
	return []byte("\x00" + p.login.Username + "\x00" + p.login.Secret.Reveal())
}
func (p *plain) Done() error { return nil }

// Next answers a server that ignored the initial response and asks for it with
// an empty challenge.
func (p *plain) Next(challenge []byte) ([]byte, error) {
	if len(challenge) > 0 {
		return nil, errors.New("PLAIN: the server asks for more than there is")
	}
	return p.Start(), nil
}

// loginSASL is LOGIN: user name and password, asked for one after the other in
// whatever words.
type loginSASL struct {
	login Login
	asked int
}

func (l *loginSASL) Name() string  { return LoginSASL }
func (l *loginSASL) Start() []byte { return nil }
func (l *loginSASL) Done() error   { return nil }

func (l *loginSASL) Next([]byte) ([]byte, error) {
	l.asked++
	switch l.asked {
	case 1:
		return []byte(l.login.Username), nil
	case 2:
		return []byte(l.login.Secret.Reveal()), nil
	}
	return nil, errors.New("LOGIN: the server asks for more than there is")
}

// mostAnswers is how often a mechanism for tokens answers at most. There is one token,
// and one reason for not taking it.
const mostAnswers = 3

// bearer is what XOAUTH2 and OAUTHBEARER have in common: one response with the token.
// Whoever does not take it may say why, and wants that acknowledged before the refusal.
type bearer struct {
	name         string
	start        []byte
	acknowledged []byte
	answers      int
}

func (b *bearer) Name() string  { return b.name }
func (b *bearer) Start() []byte { return b.start }
func (b *bearer) Done() error   { return nil }

// Next gives the token to a server that ignored the first response and asks for it with
// an empty challenge, once, and acknowledges everything else.
func (b *bearer) Next(challenge []byte) ([]byte, error) {
	b.answers++
	switch {
	case b.answers > mostAnswers:
		return nil, errors.New(b.name + ": the server asks for more than there is")
	case b.answers == 1 && len(challenge) == 0:
		return b.start, nil
	}
	return b.acknowledged, nil
}

// xoauth2 is Google's mechanism from before RFC 7628. An error is acknowledged with an
// empty response (https://developers.google.com/workspace/gmail/imap/xoauth2-protocol).
func xoauth2(l Login) *bearer {
	start := "user=" + l.Username + "\x01auth=Bearer " + l.Secret.Reveal() + "\x01\x01"
	return &bearer{name: XOAuth2, start: []byte(start), acknowledged: []byte{}}
}

// oauthBearer is OAUTHBEARER (RFC 7628). An error is acknowledged with a single
// control-A (section 3.2.3).
func oauthBearer(l Login) *bearer {
	var b strings.Builder
	b.WriteString("n,a=")
	b.WriteString(saslName(l.Username))
	b.WriteByte(',')
	if l.Host != "" {
		b.WriteString("\x01host=" + l.Host)
	}
	if l.Port != 0 {
		b.WriteString("\x01port=" + strconv.Itoa(l.Port))
	}
	b.WriteString("\x01auth=Bearer " + l.Secret.Reveal() + "\x01\x01")
	return &bearer{name: OAuthBearer, start: []byte(b.String()), acknowledged: []byte{1}}
}

// saslName writes a name as RFC 5801 section 4 wants it in a GS2 header, and RFC
// 5802 in SCRAM.
func saslName(name string) string {
	return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(name)
}
