package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/credential"
)

func TestAppsAreRegisteredStepByStep(t *testing.T) {
	c := openCareOffice(t)
	b := c.browser(c.admin)
	b.get(appsAddress).has(t, http.StatusOK, "No app is registered yet.", `href="/settings/apps/new"`)
	b.get("/settings").has(t, http.StatusOK, `href="/settings/apps"`, `href="/settings/alerts"`)
	back := "/mailboxes/7/sign-in"
	list := b.get(appsAddress + "/new?return=" + url.QueryEscape(back))
	list.has(t, http.StatusOK, "Where are the mailboxes?", "provider=google_workspace", "Gmail, Google Workspace", "Microsoft 365", "Another provider", "return=%2Fmailboxes%2F7%2Fsign-in")
	form := b.get(appsAddress + "/new?provider=google_workspace&return=" + url.QueryEscape(back))
	form.has(t, http.StatusOK, c.site.URL+"/oauth/callback", "https://mail.google.com/", "This app is in testing", `value="`+back+`"`)
	for id, text := range map[string]string{"google_workspace": "This app is in testing", "microsoft365": "Tenant", "generic": "Issuer"} {
		b.get(appsAddress+"/new?provider="+id).has(t, http.StatusOK, text, `class="app-steps"`)
	}
	form.has(t, http.StatusOK, "Last checked", "https://console.cloud.google.com/", `href="#client-id"`, "way=service_account")
	service := b.get(appsAddress + "/new?provider=google_workspace&way=service_account")
	service.has(t, http.StatusOK, `name="kind" value="service_account"`)
	if strings.Contains(service.body, "{redirect}") || strings.Contains(form.body, "{redirect}") {
		t.Error("a step does not say the redirect address")
	}
	for _, id := range []string{"hetzner", "nobody", "%3Cscript%3E"} {
		b.get(appsAddress+"/new?provider="+id).has(t, http.StatusNotFound, "does not know how programs sign in")
	}

	typed := url.Values{"provider": {"google_workspace"}, "name": {`Office "<i>x</i>"`}, "kind": {"sign_in"}, "return": {back}}
	b.post(appsAddress, typed).has(t, http.StatusUnprocessableEntity, "client id", "Office &#34;&lt;i&gt;x&lt;/i&gt;&#34;", `id="wrong-client-id"`)
	part := b.post(appsAddress, typed, "HX-Request", "true")
	part.has(t, http.StatusUnprocessableEntity, `id="wrong-client-id"`, `hx-swap-oob="true"`)
	if strings.Contains(part.body, "<html") {
		t.Error("what is wrong with a form comes as a whole page")
	}
	typed.Set("client_secret", `{"web":{"client_id":"`+careClient+`","client_secret":"`+careSecret+`","project_id":"x"}}`)
	typed.Set("secret_expires_at", "the 3rd")
	page := b.post(appsAddress, typed)
	page.has(t, http.StatusUnprocessableEntity, "This day cannot be read.")
	typed.Del("secret_expires_at")
	kept := b.post(appsAddress, typed)
	at := kept.Get("Location")
	if kept.status != http.StatusSeeOther || at != "/settings/apps/1?return="+url.QueryEscape(back) {
		t.Fatalf("saving answers %d to %q\n%s", kept.status, at, kept.body)
	}
	app := b.get(at)
	app.has(t, http.StatusOK, careClient, c.site.URL+"/oauth/callback", `hx-trigger="load"`, "no mailbox yet", "Check this app")
	for what, body := range map[string]string{"the form": page.body, "the app": app.body, "the list": b.get(appsAddress).body} {
		if strings.Contains(body, careSecret) {
			t.Errorf("%s shows the secret", what)
		}
		if strings.Contains(body, "<i>x</i>") {
			t.Errorf("%s holds what somebody typed as it is", what)
		}
	}
}

func TestAnAppIsCheckedChangedAndRemoved(t *testing.T) {
	c := openCareOffice(t)
	b := c.browser(c.admin)
	n := googleApp()
	n.Secret = postroom.Hide("GOCSPX-another")
	app := c.register(n)
	at := appsAddress + "/" + app.ID.String()
	refuted := b.post(at+"/check", url.Values{}, "HX-Request", "true", "HX-Target", "verdicts")
	refuted.has(t, http.StatusOK, "Refuted", "What to do:", `id="verdicts"`)
	b.get(appsAddress).has(t, http.StatusOK, "point refuted")
	change := url.Values{"name": {"Google"}, "kind": {"sign_in"}, "client_id": {careClient}, "client_secret": {careSecret}}
	if got := b.post(at, change); got.status != http.StatusSeeOther {
		t.Fatalf("changing answers %d\n%s", got.status, got.body)
	}
	b.get(at).has(t, http.StatusOK, `hx-trigger="load"`)
	proven := b.post(at+"/check", url.Values{"return": {"/mailboxes/new"}}, "HX-Request", "true", "HX-Target", "verdicts")
	proven.has(t, http.StatusOK, "Proven", "Go on with the mailbox", `href="/mailboxes/new"`)
	if strings.Contains(proven.body, `state bad`) {
		t.Errorf("a registration that works is refuted:\n%s", proven.body)
	}
	// A change without a secret keeps it.
	change.Del("client_secret")
	change.Set("is_testing", "yes")
	b.post(at, change)
	b.get(at).has(t, http.StatusOK, `id="is-testing" checked`)
	b.post(at+"/check", url.Values{}, "HX-Request", "true").has(t, http.StatusOK, "The app is in testing", "Google takes the client secret.")
	b.post(at+"/remove", url.Values{"password": {"not mine"}}).has(t, http.StatusUnprocessableEntity, "This is not your password.")
	if got := b.post(at+"/remove", url.Values{"password": {ownPassword}}); got.Get("Location") != appsAddress+"?removed=1" {
		t.Errorf("removing answers %d\n%s", got.status, got.body)
	}
	b.get(at).has(t, http.StatusNotFound)
	b.get(appsAddress+"?removed=1").has(t, http.StatusOK, "its secret is destroyed", "No app is registered yet.")
}

func TestAThousandAppsAndTheLongestName(t *testing.T) {
	c := openCareOffice(t)
	b := c.browser(c.admin)
	for i := range 1000 {
		c.register(credential.NewApp{
			OAuthApp: postroom.OAuthApp{
				Name: fmt.Sprintf("%s %d", strings.Repeat("unbreakable", 9), i), Provider: postroom.GenericProvider, Kind: postroom.AppSignIn, ClientID: "postroom",
				AuthorizeURL: "https://login.example.net/a", TokenURL: "https://login.example.net/t", Scopes: []string{"mail"},
			},
		})
	}
	page := b.get(appsAddress)
	page.has(t, http.StatusOK, "Not checked yet")
	if n := strings.Count(page.body, `class="app-row"`); n != 1000 {
		t.Errorf("%d of 1000 apps are shown", n)
	}
}

func TestAppsLeadOnlyWithinThisSite(t *testing.T) {
	c := openCareOffice(t)
	b := c.browser(c.admin)
	app := c.register(googleApp())
	for _, back := range []string{"https://evil.example/", "//evil.example", `/\evil.example`, "javascript:alert(1)"} {
		for _, path := range []string{appsAddress + "/" + app.ID.String() + "?", appsAddress + "/new?", appsAddress + "/new?provider=gmail&"} {
			if page := b.get(path + "return=" + url.QueryEscape(back)); strings.Contains(page.body, "evil") || strings.Contains(page.body, "javascript:") {
				t.Errorf("%s leads to %s", path, back)
			}
		}
	}
}
