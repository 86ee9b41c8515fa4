package simulator

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/oauth"
)

const resource = "https://outlook.office365.com/.default"

func keyText(t *testing.T, key any) postroom.Secret {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return postroom.Hide(string(pemBlock("PRIVATE KEY", der)))
}

func TestAnAppOpensEveryMailboxInItsOwnName(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Kind: MicrosoftOAuth})
	servers := q.mailServers()
	g, err := q.client.ClientToken(t.Context(), q.app, []string{resource})
	if err != nil || !g.RefreshToken.IsEmpty() {
		t.Fatal(err)
	}
	for _, user := range []string{anna, bert} {
		if err := q.signInBy(postroom.IMAP, servers[postroom.IMAP], mail.XOAuth2, user, g.AccessToken); err != nil {
			t.Error(err)
		}
	}
	if err := q.signInBy(postroom.SMTP, servers[postroom.SMTP], mail.XOAuth2, anna, g.AccessToken); err == nil {
		t.Error("SMTP is open, which was not allowed")
	}
	_, err = q.client.ClientToken(t.Context(), q.app, []string{imapScope})
	q.wantCode(err, "invalid_scope", "AADSTS70011")
	q.app.Secret = postroom.Hide("wrong")
	_, err = q.client.ClientToken(t.Context(), q.app, []string{resource})
	q.wantCode(err, "invalid_client", "AADSTS7000215")
}

func TestAnAppProvesItselfByAKey(t *testing.T) {
	t.Parallel()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	q := newSignIn(t, OAuthOptions{Kind: MicrosoftOAuth, Apps: []OAuthApp{{ClientID: "keyed", Key: key.Public(), AsApp: []postroom.Protocol{postroom.POP3}}}})
	q.app.ClientID, q.app.Secret, q.app.Auth = "keyed", postroom.Secret{}, oauth.AuthKey
	for right, with := range map[bool]*ecdsa.PrivateKey{true: key, false: other} {
		if q.app.Key, err = oauth.ReadKey(keyText(t, with)); err != nil {
			t.Fatal(err)
		}
		_, err := q.client.ClientToken(t.Context(), q.app, []string{resource})
		if !right {
			q.wantCode(err, "invalid_client", "AADSTS700027")
		} else if err != nil {
			t.Error(err)
		}
	}
}

func TestAServiceAccountOpensTheMailboxesOfItsDomain(t *testing.T) {
	t.Parallel()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	const robot = "robot@project.iam.example"
	q := newSignIn(t, OAuthOptions{Kind: GoogleOAuth, ServiceAccounts: []OAuthServiceAccount{{Email: robot, Key: key.Public(), Domains: []string{"example.net"}, Scopes: []string{googleMail}}}})
	q.provider.AddAccount("carl@elsewhere.example", password)
	file, err := json.Marshal(map[string]string{"type": "service_account", "client_email": robot, "private_key": keyText(t, key).Reveal(), "token_uri": q.server.TokenURL})
	if err != nil {
		t.Fatal(err)
	}
	account, err := oauth.ReadServiceAccount(postroom.Hide(string(file)))
	if err != nil {
		t.Fatal(err)
	}
	ask := func(subject, scope string) (oauth.Grant, error) {
		return q.client.ServiceToken(t.Context(), account, subject, []string{scope})
	}
	g, err := ask(anna, googleMail)
	if err != nil {
		t.Fatal(err)
	}
	servers := q.mailServers()
	for by, p := range servers {
		if err := q.signInBy(by, p, mail.XOAuth2, anna, g.AccessToken); err != nil {
			t.Error(err)
		}
		if err := q.signInBy(by, p, mail.XOAuth2, bert, g.AccessToken); err == nil {
			t.Errorf("%s: it opens the mailbox of somebody else", by)
		}
	}
	_, err = ask("carl@elsewhere.example", googleMail)
	q.wantCode(err, "unauthorized_client", "Client is unauthorized")
	_, err = ask(anna, "https://www.googleapis.com/auth/drive")
	q.wantCode(err, "unauthorized_client", "Client is unauthorized")
	_, err = ask("nobody@example.net", googleMail)
	q.wantCode(err, "invalid_grant", "Invalid email or User ID")
	q.client.Now = func() time.Time { return q.clock.now().Add(-2 * time.Hour) }
	_, err = ask(anna, googleMail)
	q.wantCode(err, "invalid_grant", "Invalid JWT: Token must be a short-lived token")
}

func TestAUserPrincipalNameIsNotTheAddress(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Kind: MicrosoftOAuth, Chooser: []string{bert}})
	q.server.SetUPN(anna, "a.miller@corp.example")
	q.hint = ""
	b, v := q.begin()
	v = q.enter(v, "do", "other")
	v = q.enter(v, "identifier", "A.Miller@corp.example")
	v = q.enter(v, "password", password)
	g, err := q.exchange(b, q.enter(v, "do", "allow"))
	if err != nil {
		t.Fatal(err)
	}
	who, err := q.client.Account(t.Context(), q.app, g, b.Nonce)
	if err != nil || who.Email != anna || who.Username != "a.miller@corp.example" || who.Tenant != OAuthTenant {
		t.Errorf("signed in as %+v, %v", who, err)
	}
}

func TestTokensEndInVirtualTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, Options{InMemory: true})
		p, err := s.StartOAuth(OAuthOptions{Kind: MicrosoftOAuth, Apps: []OAuthApp{{ClientID: appID, Secret: "s", AsApp: []postroom.Protocol{postroom.IMAP}}}})
		if err != nil {
			t.Fatal(err)
		}
		client := &oauth.Client{Dial: p.Dial}
		app := oauth.App{ClientID: appID, Secret: postroom.Hide("s"), TokenURL: p.TokenURL}
		g, err := client.ClientToken(t.Context(), app, []string{resource})
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Client{Transport: &http.Transport{DialContext: p.Dial, DisableKeepAlives: true}} // a mail server asks
		for _, want := range []bool{true, false} {
			token, err := introspect(server, p, appID, "s", g.AccessToken)
			if err != nil || token.Active != want {
				t.Errorf("introspection says %+v, %v, want %v", token, err, want)
			}
			time.Sleep(time.Hour)
		}
	})
}

// An introspected is what a server says about a token (RFC 7662 section 2.2).
type introspected struct {
	Active   bool
	Username string
}

// introspect asks about a token as a mail server does.
func introspect(c *http.Client, p *OAuthServer, clientID, secret string, token postroom.Secret) (said introspected, err error) {
	answer, err := c.PostForm(p.IntrospectURL, url.Values{"client_id": {clientID}, "client_secret": {secret}, "token": {token.Reveal()}})
	if err != nil {
		return said, err
	}
	defer answer.Body.Close()
	err = json.NewDecoder(answer.Body).Decode(&said)
	return said, err
}
