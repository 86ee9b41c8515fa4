package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/testbed"
)

// An OpenID provider and a mail server that others have written, by the generic preset:
// from the registration to the mail, and on with renewed and with ended sign-ins.
func TestSignInWithAProviderAndAMailServerWrittenByOthers(t *testing.T) {
	const address, secret = "support@example.net", "a-secret-of-this-test"
	i := install(t)
	provider := testbed.StartOpenID(t, 4*time.Second, testbed.OpenIDClient{
		ID: "postroom", Secret: secret, RedirectURLs: []string{i.server.url + "/oauth/callback"},
	}, testbed.OpenIDClient{ID: "dovecot", Secret: "of-the-mail-server", RedirectURLs: []string{i.server.url + "/oauth/callback"}})
	host := strings.TrimPrefix(provider.IntrospectURL, "http://")
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{address: "not used"}, Tokens: "http://dovecot:of-the-mail-server@" + host})
	d.Deliver(address, "INBOX", []byte("Subject: The first\r\nMessage-ID: <1@x>\r\nFrom: a@example.org\r\n\r\nHello.\r\n"))

	var app api.OAuthApp
	i.must(http.MethodPost, "/oauth-apps", map[string]any{
		"name": "Theirs", "provider": "generic", "client_id": "postroom", "client_secret": secret, "issuer": provider.Issuer,
		"scopes": []string{"openid", "email", "offline_access", "mail"}, "extra_params": map[string]string{"prompt": "consent"},
	}, &app)
	i.must(http.MethodPost, "/oauth-apps/"+app.ID+"/check", nil, &app)
	for _, c := range app.Checks {
		if c.Verdict == string(postroom.Refuted) {
			t.Errorf("%s is refuted: %s", c.Point, c.Words)
		}
	}
	var m api.Mailbox
	i.must(http.MethodPost, "/mailboxes", map[string]any{
		"address": address, "start": "all", "credential": map[string]string{"kind": "oauth"},
		"incoming": map[string]any{"host": d.Host, "port": d.IMAPSPort, "tls": "implicit", "ca_certificate": d.CAPEM, "poll_interval": "1s"},
	}, &m)
	i.signIn(m, app.ID, address)
	i.becomes(m.ID, "active")
	i.filed(m, 1)
	i.credentialIs(m, func(c api.KeptCredential) error {
		if c.Kind != "oauth" || c.Grant == nil || c.Grant.Account != address || c.Grant.App != app.ID {
			return fmt.Errorf("it is %+v", c)
		}
		return nil
	})

	// It is renewed ahead of its end, each time by a refresh token that the provider has
	// replaced, and the connection with it.
	for seen, n := (time.Time{}), 0; n < 3; n++ {
		i.credentialIs(m, func(c api.KeptCredential) error {
			if c.Grant == nil || c.Grant.Fault != nil || c.Grant.RefreshedAt == nil || !c.Grant.RefreshedAt.After(seen) {
				return fmt.Errorf("it was renewed %d times: %+v", n, c.Grant)
			}
			seen = *c.Grant.RefreshedAt
			return nil
		})
	}
	d.Deliver(address, "INBOX", []byte("Subject: The second\r\nMessage-ID: <2@x>\r\nFrom: a@example.org\r\n\r\nHello.\r\n"))
	i.filed(m, 2)
	i.becomes(m.ID, "active")

	// Another person signs in: the mailbox is not given away.
	var stranger api.SignIn
	i.must(http.MethodGet, "/sign-ins/"+i.signInAs(m, app.ID, "eve@example.org"), nil, &stranger)
	if stranger.Step != string(postroom.SignInAsking) || stranger.Account != "eve@example.org" {
		t.Errorf("the stranger's sign-in is %s: %+v", stranger.Step, stranger)
	}
	i.credentialIs(m, func(c api.KeptCredential) error {
		if c.Grant == nil || c.Grant.Account != address {
			return fmt.Errorf("another one opens it: %+v", c.Grant)
		}
		return nil
	})
	i.becomes(m.ID, "active")
}

// credentialIs waits until what opens a mailbox is as somebody wants it.
func (i *installed) credentialIs(m api.Mailbox, as func(api.KeptCredential) error) {
	i.Helper()
	err := eventually(patience, func() error {
		var c api.KeptCredential
		i.must(http.MethodGet, "/mailboxes/"+m.ID+"/credential", nil, &c)
		return as(c)
	})
	if err != nil {
		i.Fatal(err)
	}
}

// signIn has a person sign in for a mailbox at an OpenID provider, and waits until that
// is proven.
func (i *installed) signIn(m api.Mailbox, app, as string) {
	i.Helper()
	id := i.signInAs(m, app, as)
	err := eventually(patience, func() error {
		var s api.SignIn
		i.must(http.MethodGet, "/sign-ins/"+id, nil, &s)
		if s.Step != string(postroom.SignInProven) {
			return fmt.Errorf("the sign-in is %s: %+v", s.Step, s.Fault)
		}
		return nil
	})
	if err != nil {
		i.Fatal(err)
	}
}

// signInAs goes through the pages of the provider, which ask who it is and whether the
// app may.
func (i *installed) signInAs(m api.Mailbox, app, as string) (id string) {
	i.Helper()
	var begun api.Connecting
	i.must(http.MethodPost, "/mailboxes/"+m.ID+"/connect", map[string]string{"oauth_app": app}, &begun)
	s, err := newSurfer()
	if err == nil {
		err = s.open(begun.URL)
	}
	for range 5 {
		if err != nil || strings.HasPrefix(s.at.String(), i.server.url) {
			break
		}
		var ok bool
		if ok, err = s.submit("login", as, "password", "any"); !ok {
			i.Fatalf("no form on %s: %s", s.at, s.page)
		}
	}
	if err != nil {
		i.Fatal(err)
	}
	return begun.SignIn
}
