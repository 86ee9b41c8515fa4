package api

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/vault"
)

var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

const (
	appSecret   = "GOCSPX-of-the-test"
	ownAddress  = "https://post.example.net"
	googleScope = "https://mail.google.com/"
)

// atProvider gives the rig registrations, sign-ins and a provider with the account
// support@example.net.
func (r *rig) atProvider() *simulator.OAuthServer {
	r.t.Helper()
	key, err := signingKey()
	r.must(err)
	p, err := simulator.Start(simulator.Options{})
	r.must(err)
	r.t.Cleanup(func() { _ = p.Close() })
	p.AddAccount("support@example.net", "right")
	p.AddAccount("new@example.net", "right")
	o, err := p.StartOAuth(simulator.OAuthOptions{Key: key, Apps: []simulator.OAuthApp{{
		ClientID: "postroom", Name: "Postroom", Secret: appSecret, RedirectURLs: []string{ownAddress + "/oauth/callback"},
	}}})
	r.must(err)
	ring, err := vault.Open(vault.Source{Dir: r.t.TempDir()})
	r.must(err)
	client, explain := &oauth.Client{}, credential.Explainer{Catalogue: &diagnose.Catalogue{}}.Explain
	apps := &credential.Apps{Store: r.db, Ring: ring, Client: client, Presets: &provider.Presets{}, Base: ownAddress, Log: r.api.Log}
	keeper := &credential.Keeper{Store: r.db, Ring: ring, Registration: apps.Registration, Client: client, Explain: explain, Node: "test", Log: r.api.Log}
	desk := &credential.Desk{
		Store: r.db, Keeper: keeper, Apps: apps, Client: client, Explain: explain, Base: ownAddress, Log: r.api.Log,
		Prove: func(context.Context, postroom.Mailbox, credential.Token) credential.Proof {
			return credential.Proof{OK: true, Report: mailbox.Report{OK: true}.Pack()}
		},
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- desk.Run(ctx) }()
	r.t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			r.t.Errorf("Run = %v", err)
		}
	})
	r.api.Apps, r.api.SignIns = apps, desk
	r.api.Forecast = (&credential.Forecast{Store: r.db, Presets: &provider.Presets{}}).Ahead
	r.api.Base = func(*http.Request) string { return ownAddress }
	return o
}

// register adds a registration by the API and returns its id.
func (r *rig) register(o *simulator.OAuthServer) string {
	r.t.Helper()
	made := r.do(r.admin, "POST", "/oauth-apps", `{"name":"Pretend","provider":"generic","client_id":"postroom","client_secret":"`+appSecret+`",
		"authorize_url":"`+o.AuthorizeURL+`","token_url":"`+o.TokenURL+`","device_url":"`+o.DeviceURL+`","userinfo_url":"`+o.UserInfoURL+`","revoke_url":"`+o.RevokeURL+`",
		"scopes":["`+googleScope+`","openid","email"],"extra_params":{"access_type":"offline","prompt":"consent"}}`).want(201)
	id, _ := made.at("id").(string)
	return id
}

func TestRegistrationsAreKeptAndNeverTellTheirSecret(t *testing.T) {
	r := newRig(t)
	o := r.atProvider()
	r.do(r.writer, "GET", "/oauth-apps", "").refused(403, "")
	r.do(r.admin, "GET", "/oauth-apps", "").want(200).has(map[string]any{"items": []any{}, "next_cursor": nil})
	id := r.register(o)
	path := "/oauth-apps/" + id
	r.do(r.admin, "GET", path, "").want(200).has(map[string]any{
		"name": "Pretend", "provider": "generic", "kind": "sign_in", "secret": "secret", "redirects_to": ownAddress + "/oauth/callback", "mailboxes": 0.0, "checked_at": nil,
	})
	r.do(r.admin, "PATCH", path, `{"name":"Other","secret_expires_at":"2027-05-31","is_testing":true}`).want(200).has(map[string]any{
		"name": "Other", "secret_expires_at": "2027-05-31T00:00:00Z", "is_testing": true, "client_id": "postroom", "secret": "secret",
	})
	r.do(r.admin, "PATCH", path, `{"secret_expires_at":"soon"}`).refused(422, "secret_expires_at")
	r.do(r.admin, "PATCH", path, `{"client_secret":"a","key_file":"{}"}`).refused(422, "client_secret")
	r.do(r.admin, "PATCH", path, `{"token_url":"http://provider.example.net/token"}`).refused(422, "token_url")
	r.do(r.admin, "POST", "/oauth-apps", `{"provider":"nobody","client_id":"x"}`).refused(422, "provider")
	r.do(r.admin, "POST", path+"/check", "").want(200)
	checked := r.do(r.admin, "GET", path, "").want(200)
	if points, _ := checked.at("checks").([]any); len(points) == 0 || checked.at("checked_at") == nil {
		t.Errorf("it was not checked: %s", checked.Body)
	}
	for _, reply := range []string{string(checked.Body), string(r.do(r.admin, "GET", "/oauth-apps", "").want(200).Body)} {
		if strings.Contains(reply, appSecret) {
			t.Errorf("the secret is told: %s", reply)
		}
	}
	r.do(r.admin, "DELETE", path, "").want(204)
	r.do(r.admin, "GET", path, "").refused(404, "")
}

func TestProgramsBeginSignInsThatAnybodyCanGoOnWith(t *testing.T) {
	r := newRig(t)
	id := r.register(r.atProvider())
	connect := "/mailboxes/" + r.support.ID.String() + "/connect"
	r.do(r.writer, "POST", connect, `{}`).refused(403, "")
	r.do(r.admin, "POST", connect, `{"oauth_app":"99"}`).refused(404, "")
	r.do(r.admin, "POST", connect, `{"oauth_app":"x"}`).refused(422, "oauth_app")
	r.do(r.admin, "POST", "/mailboxes/99/connect", `{"oauth_app":"`+id+`"}`).refused(404, "")
	begun := r.do(r.admin, "POST", connect, `{"oauth_app":"`+id+`"}`).want(200)
	if url, _ := begun.at("url").(string); !strings.HasPrefix(url, ownAddress+"/oauth/start/") || len(url) < len(ownAddress)+50 {
		t.Errorf("url = %q, want an address of Postroom itself", url)
	}
	signIn, _ := begun.at("sign_in").(string)
	r.do(r.admin, "GET", "/sign-ins/"+signIn, "").want(200).has(map[string]any{"step": "begun", "mailbox": r.support.ID.String(), "fault": nil, "ended_at": nil})
	r.do(r.admin, "POST", connect, "").want(200) // the app that fits
	// Google lets no app that reads mail sign in on another device.
	r.do(r.admin, "POST", "/mailboxes/"+r.support.ID.String()+"/device", `{"oauth_app":"`+id+`"}`).refused(502, "")
}

func TestRefreshTokenFromElsewhereOpensAMailbox(t *testing.T) {
	r := newRig(t)
	o := r.atProvider()
	id := r.register(o)
	draft := `{"address":"new@example.net","incoming":{"host":"127.0.0.1","tls":"none","port":143},"credential":{"kind":"oauth"`
	r.do(r.admin, "POST", "/mailboxes", draft+`,"refresh_token":"x"}}`).refused(422, "credential.oauth_app")
	token, ok := o.Allow("new@example.net", "postroom", googleScope, "openid", "email")
	if !ok {
		t.Fatal("the provider allows nothing")
	}
	before := r.do(r.admin, "GET", "/mailboxes?q=new@example.net", "").want(200)
	if items, _ := before.at("items").([]any); len(items) != 0 {
		t.Errorf("a mailbox was kept that was refused: %s", before.Body)
	}
	made := r.do(r.admin, "POST", "/mailboxes", draft+`,"oauth_app":"`+id+`","refresh_token":"`+token+`"}}`).want(201)
	m, _ := made.at("id").(string)
	var shown reply
	for range 100 {
		if shown = r.do(r.admin, "GET", "/mailboxes/"+m+"/credential", "").want(200); shown.at("grant") != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	shown.has(map[string]any{"kind": "oauth", "grant.account": "new@example.net", "grant.way": "brought", "grant.oauth_app": id, "sign_ins.0.step": "proven"})
	if strings.Contains(string(shown.Body), token) {
		t.Errorf("the token is told: %s", shown.Body)
	}
	r.do(r.admin, "DELETE", "/oauth-apps/"+id, "").refused(409, "")
	r.do(r.admin, "PATCH", "/mailboxes/"+r.support.ID.String(), `{"credential":{"kind":"oauth"}}`).refused(422, "credential")
}

func TestOwnersAreAskedByLinks(t *testing.T) {
	r := newRig(t)
	id := r.register(r.atProvider())
	path := "/mailboxes/" + r.support.ID.String() + "/sign-in-links"
	r.do(r.writer, "POST", path, `{}`).refused(403, "")
	r.do(r.admin, "POST", path, `{"oauth_app":"`+id+`","lasts":"x"}`).refused(422, "lasts")
	made := r.do(r.admin, "POST", path, `{"oauth_app":"`+id+`","lasts":"48h"}`).want(201)
	if url, _ := made.at("url").(string); !strings.HasPrefix(url, ownAddress+"/link/") {
		t.Errorf("url = %q", url)
	}
	link, _ := made.at("id").(string)
	listed := r.do(r.admin, "GET", "/sign-in-links?open=true&mailbox="+r.support.ID.String(), "").want(200)
	listed.has(map[string]any{"items.0.id": link, "items.0.address": "support@example.net", "items.0.used_at": nil})
	if strings.Contains(string(listed.Body), "/link/") {
		t.Errorf("a link is told a second time: %s", listed.Body)
	}
	r.do(r.admin, "DELETE", "/sign-in-links/"+link, "").want(204)
	r.do(r.admin, "GET", "/sign-in-links?open=true", "").want(200).has(map[string]any{"items": []any{}})
}
