package simulator

import (
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
)

func TestSomebodySignsInAndAllowsIt(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		g := q.signIn()
		if g.RefreshToken.IsEmpty() || len(g.Missing(q.scopes)) > 0 || !g.Expires.Equal(q.clock.now().Add(time.Hour)) {
			q.Errorf("granted are %v until %v", g.Scopes, g.Expires)
		}
		token, err := introspect(http.DefaultClient, q.server, appID, "app secret", g.AccessToken)
		if err != nil || !token.Active || token.Username != anna {
			q.Errorf("introspection says %+v, %v", token, err)
		}
		next, err := q.refresh(g)
		if err != nil || next.AccessToken.Reveal() == g.AccessToken.Reveal() || next.Rotated != q.server.isMicrosoft() {
			q.Errorf("refreshed: rotated %v, %v", next.Rotated, err)
		}
		want := map[string]int{"authorization_code": 1, "refresh_token": 1, "introspect": 1, "authorize": 1, "discover": 1}
		got := q.server.Requests()
		delete(got, "page")
		if !reflect.DeepEqual(got, want) {
			q.Errorf("asked were %v, want %v", got, want)
		}
		if err := q.client.Revoke(q.Context(), q.app, next.RefreshToken, oauth.RefreshToken); err != nil {
			q.Error(err)
		}
		_, err = q.refresh(next)
		q.wantCode(err, "invalid_grant", "")
		if token, err := introspect(http.DefaultClient, q.server, appID, "app secret", next.AccessToken); err != nil || token.Active {
			q.Errorf("after revoking, introspection says %+v, %v", token, err)
		}
	})
}

func TestTheAccountChooserAndItsWaysOut(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		q.signIn()
		q.hint, q.prompt = "", "select_account"
		b, v := q.begin()
		if !strings.Contains(v.text, `id="account-0" name="account" value="`+anna+`"`) {
			q.Fatalf("the chooser is %s", v.text)
		}
		v = q.enter(v, "do", "other")
		v = q.enter(v, "identifier", "nobody@example.net")
		if !strings.Contains(v.text, `id="wrong"`) {
			q.Errorf("somebody who is not known meets %s", v.text)
		}
		v = q.enter(v, "identifier", bert)
		if v = q.enter(v, "password", "no"); !strings.Contains(v.text, `id="wrong"`) {
			q.Errorf("a wrong password meets %s", v.text)
		}
		v = q.enter(v, "password", password)
		v = q.enter(v, "do", "allow", "scope", googleMail)
		g, err := q.exchange(b, v)
		if err != nil {
			q.Fatal(err)
		}
		if who, err := q.client.Account(q.Context(), q.app, g, b.Nonce); err != nil || who.Email != bert {
			q.Errorf("signed in as %+v, %v", who, err)
		}
	})
}

func TestSomebodyDeclines(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		b, v := q.begin()
		v = q.enter(v, "password", password)
		v = q.enter(v, "do", "decline")
		_, err := q.exchange(b, v)
		q.wantCode(err, "access_denied", map[bool]string{true: "AADSTS65004"}[q.server.isMicrosoft()])
	})
}

func TestAScopeIsLeftOut(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Kind: GoogleOAuth})
	b, v := q.begin()
	v = q.enter(v, "password", password)
	if !strings.Contains(v.text, `id="scope-2" name="scope" value="`+googleMail+`" checked`) {
		t.Errorf("the page is %s", v.text)
	}
	g, err := q.exchange(b, q.enter(v, "do", "allow"))
	if err != nil || !reflect.DeepEqual(g.Missing(q.scopes), []string{googleMail}) {
		t.Errorf("missing are %v, %v", g.Missing(q.scopes), err)
	}
	if _, _, ok := q.server.lets(postroom.IMAP, anna, g.AccessToken.Reveal()); ok {
		t.Error("a token without the scope opens the mailbox")
	}
}

func TestErrorPagesSpeakTheProvidersWords(t *testing.T) {
	t.Parallel()
	words := map[OAuthKind][]string{
		GoogleOAuth:    {"Error 400: redirect_uri_mismatch", "Error 401: invalid_client", "Error 400: invalid_scope"},
		MicrosoftOAuth: {"AADSTS50011: ", "AADSTS700016: ", "AADSTS70011: "},
	}
	bothKinds(t, func(q *signInSetup) {
		app, scopes := q.app, q.scopes
		for i, change := range []func(){func() { q.app.RedirectURL = backAt + "/" }, func() { q.app.ClientID = "other" }, func() { q.scopes = []string{"everything"} }} {
			q.app, q.scopes = app, scopes
			change()
			if _, v := q.begin(); v.back != nil || v.status < 400 || !strings.Contains(v.text, words[q.server.options.Kind][i]) {
				q.Errorf("answered %d with %s, want %q", v.status, v.text, words[q.server.options.Kind][i])
			}
		}
	})
}

func TestOnlyACodeWithItsVerifierWorksOnceAndForTenMinutes(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		code := func() (oauth.Begun, seen) {
			b, v := q.begin()
			if strings.Contains(v.text, `id="password"`) {
				v = q.enter(v, "password", password)
			}
			return b, q.enter(v, "do", "allow", "scope", googleMail)
		}
		b, v := code()
		wrong := b
		wrong.Verifier = postroom.Hide("another")
		_, err := q.exchange(wrong, v)
		q.wantCode(err, "invalid_grant", "")
		g, err := q.exchange(b, v)
		if err != nil {
			q.Fatal(err)
		}
		_, err = q.exchange(b, v)
		q.wantCode(err, "invalid_grant", "")
		if _, err = q.refresh(g); err == nil {
			q.Error("a code that came twice leaves its grant")
		}
		b, v = code()
		q.clock.pass(codeLasts)
		_, err = q.exchange(b, v)
		q.wantCode(err, "invalid_grant", "")
	})
}

func TestPagesBelongToOneBrowser(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{})
	_, v := q.begin()
	q.freshBrowser()
	if v = q.enter(v, "password", password); v.status != http.StatusBadRequest || !strings.Contains(v.text, `id="error"`) {
		t.Errorf("another browser meets %d %s", v.status, v.text)
	}
}

func TestPromptNoneShowsNoPage(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		q.prompt = "none"
		b, v := q.begin()
		_, err := q.exchange(b, v)
		q.wantCode(err, "login_required", "")
		q.prompt = "consent"
		q.signIn()
		q.prompt = "none"
		b, v = q.begin()
		if _, err := q.exchange(b, v); err != nil {
			q.Error(err)
		}
	})
}

func TestSecretsThatAreWrongOrOver(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		g := q.signIn()
		q.server.ExpireSecret(appID)
		_, err := q.refresh(g)
		q.wantCode(err, "invalid_client", map[bool]string{true: "AADSTS7000222", false: "Unauthorized"}[q.server.isMicrosoft()])
		q.server.Register(OAuthApp{ClientID: appID, Secret: "new secret", RedirectURLs: []string{backAt}})
		_, err = q.refresh(g)
		q.wantCode(err, "invalid_client", map[bool]string{true: "AADSTS7000215", false: "Unauthorized"}[q.server.isMicrosoft()])
		q.app.Secret = postroom.Hide("new secret")
		if _, err = q.refresh(g); err != nil {
			q.Error(err)
		}
		q.app.ClientID = "other"
		_, err = q.refresh(g)
		q.wantCode(err, map[bool]string{true: "unauthorized_client", false: "invalid_client"}[q.server.isMicrosoft()], "")
	})
}

func TestAnAdministratorAllowsTheAppForEverybody(t *testing.T) {
	t.Parallel()
	q := newSignIn(t, OAuthOptions{Kind: MicrosoftOAuth})
	q.server.RequireAdminConsent(true)
	_, v := q.begin()
	if v = q.enter(v, "password", password); !strings.Contains(v.text, "Need admin approval") {
		t.Errorf("without an administrator: %s", v.text)
	}
	b, err := q.app.AskAdmin(q.scopes)
	if err != nil {
		t.Fatal(err)
	}
	v = q.enter(q.open(b.Address), "account", anna)
	v = q.enter(v, "do", "allow")
	back, err := oauth.ReadReturn(v.back)
	if err != nil || !back.Allowed || back.Tenant != OAuthTenant || q.app.Check(back) != nil {
		t.Fatalf("came back with %+v, %v", back, err)
	}
	q.prompt = ""
	q.signIn()
}

func TestADeviceIsConfirmedElsewhere(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		if !q.server.isMicrosoft() {
			_, err := q.client.Device(q.Context(), q.app, q.scopes)
			q.wantCode(err, "invalid_scope", "")
			q.scopes = []string{"openid", "email"}
		}
		d, err := q.client.Device(q.Context(), q.app, q.scopes)
		if err != nil {
			q.Fatal(err)
		}
		q.clock.pass(d.Interval)
		if _, err := q.client.Poll(q.Context(), q.app, &d); !errors.Is(err, oauth.ErrPending) {
			q.Errorf("before anybody confirms: %v", err)
		}
		early := d
		early.Next = q.clock.now()
		if _, err := q.client.Poll(q.Context(), q.app, &early); !errors.Is(err, oauth.ErrPending) || early.Interval == d.Interval {
			q.Errorf("polled too early: %v, then every %v", err, early.Interval)
		}
		v := q.enter(q.open(d.VerifyURL), "user_code", "no")
		v = q.enter(v, "user_code", d.UserCode)
		v = q.enter(v, "identifier", anna)
		v = q.enter(v, "password", password)
		if v = q.enter(v, "do", "allow", "scope", googleMail); !strings.Contains(v.text, `id="done"`) {
			q.Errorf("it ends with %s", v.text)
		}
		q.clock.pass(time.Minute)
		g, err := q.client.Poll(q.Context(), q.app, &d)
		if err != nil || g.RefreshToken.IsEmpty() {
			q.Errorf("confirmed: %v", err)
		}
	})
}
