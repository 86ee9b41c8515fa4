package simulator

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/mail/pop3"
	"github.com/postroom/postroom/internal/mail/smtp"
)

// mailServers are the ports of a provider, by protocol.
func (q *signInSetup) mailServers() map[postroom.Protocol]*port {
	q.Helper()
	bearers := []string{"XOAUTH2", "OAUTHBEARER"}
	pop, err := q.provider.StartPOP3(POP3Options{Mechanisms: bearers, Shared: true})
	if err != nil {
		q.Fatal(err)
	}
	out, err := q.provider.StartSMTP(SMTPOptions{Mechanisms: bearers})
	if err != nil {
		q.Fatal(err)
	}
	return map[postroom.Protocol]*port{postroom.IMAP: &q.provider.port, postroom.POP3: &pop.port, postroom.SMTP: &out.port}
}

// signInBy opens a mailbox with a token, as the product does.
func (q *signInSetup) signInBy(by postroom.Protocol, p *port, mechanism, user string, token postroom.Secret) error {
	q.Helper()
	at := mail.Endpoint{Host: p.Host, Port: p.Port, TLS: postroom.TLSNone}
	login := mail.Login{Username: user, Secret: token, Mechanism: mechanism}
	switch by {
	case postroom.IMAP:
		c, err := imap.Open(q.Context(), imap.Options{Endpoint: at, Login: login})
		if err == nil {
			_ = c.Close()
		}
		return err
	case postroom.POP3:
		c, err := pop3.Open(q.Context(), pop3.Options{Endpoint: at, Login: login})
		if err == nil {
			_ = c.Close()
		}
		return err
	}
	c, err := smtp.Open(q.Context(), smtp.Options{Endpoint: at, Login: login})
	if err == nil {
		_ = c.Close()
	}
	return err
}

// refusedWords are what each kind answers to a token that it does not take.
func refusedWords(kind OAuthKind, by postroom.Protocol) string {
	if kind == MicrosoftOAuth {
		return microsoftSays(by)
	}
	return strings.ReplaceAll(googleSays(by, wrongPassword), "\n", " ")
}

func TestTokensOpenTheMailboxByEveryProtocol(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		g := q.signIn()
		servers := q.mailServers()
		each := func(name string, token postroom.Secret, user string, want bool) {
			q.Helper()
			for by, p := range servers {
				for _, mechanism := range []string{mail.XOAuth2, mail.OAuthBearer} {
					err := q.signInBy(by, p, mechanism, user, token)
					if (err == nil) != want {
						q.Errorf("%s, %s by %s: %v", name, by, mechanism, err)
					}
					if want {
						continue
					}
					r, ok := mail.RefusalOf(err)
					if !ok || !strings.HasPrefix(strings.ReplaceAll(r.Reply, "\n", " "), refusedWords(q.server.options.Kind, by)[:20]) {
						q.Errorf("%s, %s by %s is refused with %v", name, by, mechanism, err)
					} else if google := strings.Contains(r.Challenge, `"status":"400"`); google == q.server.isMicrosoft() {
						q.Errorf("%s, %s by %s is told %q first", name, by, mechanism, r.Challenge)
					}
				}
			}
		}
		each("the owner", g.AccessToken, anna, true)
		each("the password", postroom.Hide(password), anna, false)
		each("somebody else's mailbox", g.AccessToken, bert, false)
		each("nobody's mailbox", g.AccessToken, "nobody@example.net", false)
		q.server.SetAliases(anna, "info@example.net")
		each("an alias", g.AccessToken, "info@example.net", true)
		q.clock.pass(time.Hour)
		each("an hour later", g.AccessToken, anna, false)
		g, err := q.refresh(g)
		if err != nil {
			q.Fatal(err)
		}
		each("refreshed", g.AccessToken, anna, true)
		q.server.Revoke(anna, appID)
		each("revoked", g.AccessToken, anna, false)
	})
}

func TestASharedMailboxIsReadByThoseWhoShareIt(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Kind: MicrosoftOAuth})
	g := q.signIn()
	servers := q.mailServers()
	q.server.Share(bert, anna)
	for by, want := range map[postroom.Protocol]bool{postroom.IMAP: true, postroom.POP3: true, postroom.SMTP: false} {
		if err := q.signInBy(by, servers[by], mail.XOAuth2, bert, g.AccessToken); (err == nil) != want {
			t.Errorf("%s: %v", by, err)
		}
	}
}

func TestATokenOpensOnlyWhatItsScopesSay(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Kind: MicrosoftOAuth})
	q.scopes = []string{"openid", "email", "offline_access", popScope}
	g := q.signIn()
	servers := q.mailServers()
	for by, want := range map[postroom.Protocol]bool{postroom.IMAP: false, postroom.POP3: true, postroom.SMTP: false} {
		if err := q.signInBy(by, servers[by], mail.XOAuth2, anna, g.AccessToken); (err == nil) != want {
			t.Errorf("%s: %v", by, err)
		}
	}
}

func TestSessionsAreCutWhenTheirTokenHasEnded(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Kind: MicrosoftOAuth})
	g := q.signIn()
	connection, err := net.Dial("tcp", q.provider.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	r := newRaw(t, connection)
	if got := r.sayFor("a AUTHENTICATE XOAUTH2 " + toBase64([]byte("user="+anna+"\x01auth=Bearer "+g.AccessToken.Reveal()+"\x01\x01"))); !strings.Contains(got, "a OK") {
		t.Fatalf("signed in with %q", got)
	}
	if n := q.provider.CutEnded(); n != 0 {
		t.Errorf("%d sessions are cut too early", n)
	}
	q.clock.pass(time.Hour)
	if n := q.provider.CutEnded(); n != 1 {
		t.Errorf("%d sessions are cut", n)
	}
	if got := r.until("* BYE"); !strings.Contains(got, "* BYE Session invalidated - AccessTokenExpired\r\n") {
		t.Errorf("the end is %q", got)
	}
}
