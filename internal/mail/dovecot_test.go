package mail_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/mail/pop3"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

const (
	anna    = "anna@example.net"
	bert    = "bert@example.net"
	gmail   = "https://mail.google.com/"
	appID   = "postroom"
	relayed = "relay@example.net"
)

// A bearers is a Dovecot that has every token looked up at a provider, and hands on what
// its users send to the provider's own server.
type bearers struct {
	*testing.T
	dovecot  *testbed.DovecotServer
	provider *simulator.OAuthServer
	out      *simulator.SMTPServer
	client   oauth.Client
	app      oauth.App

	mu  sync.Mutex
	now time.Time
}

func newBearers(t *testing.T) *bearers {
	t.Helper()
	testbed.Need(t, testbed.NeedSubmission)
	b := &bearers{T: t, now: time.Now()}
	accounts, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = accounts.Close() })
	for _, user := range []string{anna, bert, relayed} {
		accounts.AddAccount(user, "secret")
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	b.provider, err = accounts.StartOAuth(simulator.OAuthOptions{Kind: simulator.GoogleOAuth, Key: key, Now: b.clock, Apps: []simulator.OAuthApp{
		{ClientID: appID, Name: "Postroom", Secret: "app/secret"}, {ClientID: "dovecot", Name: "Dovecot", Secret: "mail secret"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if b.out, err = accounts.StartSMTP(simulator.SMTPOptions{}); err != nil {
		t.Fatal(err)
	}
	at, err := url.Parse(b.provider.IntrospectURL)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword("dovecot", "mail secret")
	b.dovecot = testbed.Dovecot(t, testbed.DovecotOptions{
		Users: map[string]string{anna: "secret", bert: "secret"}, Tokens: at.String(),
		Relay: fmt.Sprintf("%s:secret@%s:%d", url.QueryEscape(relayed), b.out.Host, b.out.Port),
	})
	b.client.Now = b.clock
	b.app = oauth.App{TokenURL: b.provider.TokenURL, ClientID: appID, Secret: postroom.Hide("app/secret"), Auth: oauth.AuthBody}
	return b
}

func (b *bearers) clock() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.now
}

func (b *bearers) later(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.now = b.now.Add(d)
}

// token is a new one that user has allowed.
func (b *bearers) token(user string) postroom.Secret {
	b.Helper()
	refresh, ok := b.provider.Allow(user, appID, "openid", "email", gmail)
	if !ok {
		b.Fatal("nothing can be allowed")
	}
	g, err := b.client.Refresh(b.Context(), b.app, postroom.Hide(refresh), nil)
	if err != nil {
		b.Fatal(err)
	}
	return g.AccessToken
}

// A door is one way into Dovecot.
type door struct {
	protocol  postroom.Protocol
	tls       postroom.TLSPolicy
	port      int
	mechanism string // empty: what the product chooses
}

func (b *bearers) doors() (all []door) {
	d := b.dovecot
	for _, mechanism := range []string{"", mail.XOAuth2, mail.OAuthBearer} {
		all = append(all,
			door{postroom.IMAP, postroom.TLSImplicit, d.IMAPSPort, mechanism}, door{postroom.IMAP, postroom.TLSStart, d.IMAPPort, mechanism},
			door{postroom.POP3, postroom.TLSImplicit, d.POP3SPort, mechanism}, door{postroom.POP3, postroom.TLSStart, d.POP3Port, mechanism},
			door{postroom.SMTP, postroom.TLSImplicit, d.SubmissionsPort, mechanism}, door{postroom.SMTP, postroom.TLSStart, d.SubmissionPort, mechanism})
	}
	return all
}

// open signs in at a door and tells all that was said.
func (b *bearers) open(at door, user string, token postroom.Secret) (said string, err error) {
	b.Helper()
	endpoint := mail.Endpoint{Host: "localhost", Port: at.port, TLS: at.tls, CACertificate: b.dovecot.CAPEM}
	login := mail.Login{Username: user, Secret: token, OAuth: true, Mechanism: at.mechanism}
	var lines strings.Builder
	hear := func(dir byte, line string) { lines.WriteString(string(dir) + " " + line + "\n") }
	ctx, cancel := context.WithTimeout(b.Context(), 20*time.Second)
	defer cancel()
	var c interface{ Close() error }
	switch at.protocol {
	case postroom.IMAP:
		c, err = imap.Open(ctx, imap.Options{Endpoint: endpoint, Login: login, Transcript: hear})
	case postroom.POP3:
		c, err = pop3.Open(ctx, pop3.Options{Endpoint: endpoint, Login: login, Transcript: hear})
	default:
		c, err = smtp.Open(ctx, smtp.Options{Endpoint: endpoint, Login: login, Transcript: hear})
	}
	if err == nil {
		_ = c.Close()
	}
	return lines.String(), err
}

// atEach opens every door at once: Dovecot takes its time to say no.
func (b *bearers) atEach(user string, token postroom.Secret, hear func(at door, said string, err error)) {
	b.Helper()
	var all sync.WaitGroup
	for _, at := range b.doors() {
		all.Go(func() {
			said, err := b.open(at, user, token)
			if strings.Contains(said, token.Reveal()[:16]) || !strings.Contains(said, "AUTH") {
				b.Errorf("%+v was told in this:\n%s", at, said)
			}
			hear(at, said, err)
		})
	}
	all.Wait()
}

func TestDovecotTakesTokens(t *testing.T) {
	t.Parallel()
	b := newBearers(t)
	b.atEach(anna, b.token(anna), func(at door, said string, err error) {
		if err != nil {
			b.Errorf("%+v: %v\n%s", at, err, said)
		}
	})
	if asked := b.provider.Requests()["introspect"]; asked != len(b.doors()) {
		t.Errorf("the provider was asked about %d tokens", asked)
	}
}

func TestDovecotRefusesTokensAndSaysWhy(t *testing.T) {
	t.Parallel()
	b := newBearers(t)
	expired := b.token(anna)
	b.later(2 * time.Hour)
	revoked := b.token(bert)
	b.provider.Revoke(bert, "")
	refusals := map[postroom.Protocol]string{
		postroom.IMAP: "NO [AUTHENTICATIONFAILED] Authentication failed.", postroom.POP3: "-ERR [AUTH] Authentication failed.", postroom.SMTP: "535 5.7.8 Authentication failed.",
	}
	reasons := map[string]string{
		"": `{"status":"401","schemes":"bearer","scope":"mail"}`, mail.XOAuth2: `{"status":"401","schemes":"bearer","scope":"mail"}`, mail.OAuthBearer: `{"status":"invalid_token"}`,
	}
	for name, c := range map[string]struct {
		user  string
		token postroom.Secret
	}{
		"made up": {anna, postroom.Hide("ya29.nothing-of-this-is-true")}, "expired": {anna, expired}, "revoked": {bert, revoked}, "of somebody else": {bert, b.token(anna)},
	} {
		b.atEach(c.user, c.token, func(at door, _ string, err error) {
			r, ok := mail.RefusalOf(err)
			if !ok || r.Phase != mail.PhaseAuth || r.Reply != refusals[at.protocol] || r.Challenge != reasons[at.mechanism] {
				b.Errorf("a token that is %s, at %+v: %v", name, at, err)
			}
		})
	}
}

func TestDovecotSaysWhenItCannotAskAboutATokenNow(t *testing.T) {
	t.Parallel()
	b := newBearers(t)
	token := b.token(anna)
	b.provider.SetFaults(simulator.OAuthFaults{For: []string{"introspect"}, Status: 503, Body: "busy"})
	codes := map[postroom.Protocol]string{postroom.IMAP: "UNAVAILABLE", postroom.POP3: "SYS/TEMP", postroom.SMTP: "4.7.0"}
	b.atEach(anna, token, func(at door, _ string, err error) {
		if r, ok := mail.RefusalOf(err); !ok || r.Code != codes[at.protocol] {
			b.Errorf("%+v: %v", at, err)
		}
	})
	b.provider.SetFaults()
	b.atEach(anna, token, func(at door, _ string, err error) {
		if err != nil {
			b.Errorf("then, at %+v: %v", at, err)
		}
	})
}

// A Dovecot that knows passwords only is not shown a token.
func TestDovecotWithoutTokensIsShownNone(t *testing.T) {
	t.Parallel()
	b := newBearers(t)
	b.dovecot = testbed.Dovecot(t, testbed.DovecotOptions{
		Users: map[string]string{anna: "secret"}, Relay: fmt.Sprintf("%s:secret@%s:%d", url.QueryEscape(relayed), b.out.Host, b.out.Port),
	})
	for _, at := range b.doors() {
		if at.mechanism != "" {
			continue
		}
		said, err := b.open(at, anna, postroom.Hide("ya29.nothing-of-this-is-true"))
		if !errors.Is(err, mail.ErrNoTokens) || strings.Contains(said, "[hidden]") {
			t.Errorf("%+v: %v\n%s", at, err, said)
		}
	}
}

func TestDovecotHandsOnWhatATokenSends(t *testing.T) {
	t.Parallel()
	b := newBearers(t)
	token := b.token(anna)
	var want []string
	for n, login := range []mail.Login{
		{Username: anna, Secret: token, OAuth: true}, {Username: anna, Secret: token, Mechanism: mail.OAuthBearer}, {Username: bert, Secret: postroom.Hide("secret")},
	} {
		at := mail.Endpoint{Host: "localhost", Port: b.dovecot.SubmissionPort, TLS: postroom.TLSStart, CACertificate: b.dovecot.CAPEM}
		c, err := smtp.Open(t.Context(), smtp.Options{Endpoint: at, Login: login})
		if err != nil {
			t.Fatal(err)
		}
		letter := fmt.Sprintf("From: %s\r\nSubject: Letter %d\r\n\r\n.Hello\r\n", login.Username, n)
		fate, err := c.Send(t.Context(), login.Username, []string{"ana@example.org"}, int64(len(letter)), strings.NewReader(letter))
		if err != nil || fate.Outcome != smtp.Sent {
			t.Fatalf("letter %d: %+v, %v", n, fate, err)
		}
		_ = c.Close()
		want = append(want, letter)
	}
	taken := b.out.Accepted()
	if len(taken) != len(want) {
		t.Fatalf("%d letters have come", len(taken))
	}
	for n, a := range taken {
		if !strings.HasSuffix(string(a.Raw), "\r\n"+want[n]) || !strings.HasPrefix(want[n], "From: "+a.From) || a.User != relayed {
			t.Errorf("%s handed on %q of %s, want %q", a.User, a.Raw, a.From, want[n])
		}
	}
}
