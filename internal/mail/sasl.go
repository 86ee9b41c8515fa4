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

// xoauth2 is Google's mechanism from before RFC 7628.
type xoauth2 struct{ login Login }

func (x *xoauth2) Name() string { return XOAuth2 }
func (x *xoauth2) Start() []byte {
	return []byte("user=" + x.login.Username + "\x01auth=Bearer " + x.login.Secret.Reveal() + "\x01\x01")
}
func (x *xoauth2) Done() error { return nil }

// Next answers the error that comes as a challenge with an empty line, upon which
// the server says NO.
func (x *xoauth2) Next(challenge []byte) ([]byte, error) {
	if len(challenge) == 0 {
		return x.Start(), nil
	}
	return []byte{}, nil
}

// oauthBearer is OAUTHBEARER (RFC 7628).
type oauthBearer struct{ login Login }

func (o *oauthBearer) Name() string { return OAuthBearer }
func (o *oauthBearer) Start() []byte {
	var b strings.Builder
	b.WriteString("n,a=")
	b.WriteString(saslName(o.login.Username))
	b.WriteByte(',')
	if o.login.Host != "" {
		b.WriteString("\x01host=" + o.login.Host)
	}
	if o.login.Port != 0 {
		b.WriteString("\x01port=" + strconv.Itoa(o.login.Port))
	}
	b.WriteString("\x01auth=Bearer " + o.login.Secret.Reveal() + "\x01\x01")
	return []byte(b.String())
}
func (o *oauthBearer) Done() error { return nil }

// Next answers the error that comes as a challenge with the single control-A of
// RFC 7628 section 3.2.3.
func (o *oauthBearer) Next(challenge []byte) ([]byte, error) {
	if len(challenge) == 0 {
		return o.Start(), nil
	}
	return []byte{1}, nil
}

// saslName writes a name as RFC 5801 section 4 wants it in a GS2 header, and RFC
// 5802 in SCRAM.
func saslName(name string) string {
	return strings.NewReplacer("=", "=3D", ",", "=2C").Replace(name)
}
