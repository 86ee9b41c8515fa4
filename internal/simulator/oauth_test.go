package simulator

import (
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"reflect"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
)

// A clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const (
	backAt    = "http://127.0.0.1:1/back"
	imapScope = "https://outlook.office.com/IMAP.AccessAsUser.All"
	popScope  = "https://outlook.office.com/POP.AccessAsUser.All"
	sendScope = "https://outlook.office.com/SMTP.Send"
	appID     = "app-1"
	password  = "secret"
)

// signInSetup is a provider with an OAuth server, and an app that is registered there.
type signInSetup struct {
	*testing.T
	provider *Server
	server   *OAuthServer
	clock    *clock
	client   *oauth.Client
	app      oauth.App
	scopes   []string
	prompt   string
	hint     string
	browser  *http.Client
}

func newSignIn(t *testing.T, o OAuthOptions) *signInSetup {
	t.Helper()
	s := begin(t, Options{Gmail: o.Kind == GoogleOAuth, Mechanisms: []string{"XOAUTH2", "OAUTHBEARER"}})
	s.AddAccount(bert, password)
	c := newClock()
	o.Now = c.now
	o.Apps = append(o.Apps, OAuthApp{ClientID: appID, Name: "Postroom", Secret: "app secret", RedirectURLs: []string{backAt}, AsApp: []postroom.Protocol{postroom.IMAP}})
	p, err := s.StartOAuth(o)
	if err != nil {
		t.Fatal(err)
	}
	q := &signInSetup{T: t, provider: s, server: p, clock: c, client: &oauth.Client{Now: c.now}, hint: anna, prompt: "consent"}
	m, err := q.client.Discover(t.Context(), oauth.App{Issuer: p.Issuer})
	if err != nil {
		t.Fatal(err)
	}
	q.app = m.Fill(oauth.App{ClientID: appID, Secret: postroom.Hide("app secret"), Auth: oauth.AuthBody, RedirectURL: backAt, ConsentURL: p.ConsentURL, ExtraParams: map[string]string{"access_type": "offline"}})
	q.scopes = []string{"openid", "email", googleMail}
	if o.Kind == MicrosoftOAuth {
		q.scopes = []string{"openid", "email", "profile", "offline_access", imapScope, popScope, sendScope}
	}
	q.freshBrowser()
	return q
}

func (q *signInSetup) freshBrowser() {
	jar, _ := cookiejar.New(nil)
	q.browser = &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), backAt) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// A seen is where a browser has come to.
type seen struct {
	status int
	text   string
	back   url.Values // nil: a page of the provider
}

func (q *signInSetup) seen(r *http.Response, err error) seen {
	q.Helper()
	if err != nil {
		q.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		q.Fatal(err)
	}
	v := seen{status: r.StatusCode, text: string(text)}
	if to, err := r.Location(); err == nil {
		v.back = to.Query()
	}
	return v
}

func (q *signInSetup) open(address string) seen {
	q.Helper()
	return q.seen(q.browser.Get(address))
}

var flowField = regexp.MustCompile(`name="flow" value="([^"]+)"`)

// enter sends the form of a page with some fields.
func (q *signInSetup) enter(v seen, pairs ...string) seen {
	q.Helper()
	flow := flowField.FindStringSubmatch(v.text)
	if flow == nil {
		q.Fatalf("no form on %s (back %v)", v.text, v.back)
	}
	form := url.Values{"flow": {flow[1]}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return q.seen(q.browser.PostForm(q.server.URL+"/signin", form))
}

func (q *signInSetup) begin() (oauth.Begun, seen) {
	q.Helper()
	b, err := q.app.Begin(oauth.Ask{Scopes: q.scopes, LoginHint: q.hint, Prompt: q.prompt})
	if err != nil {
		q.Fatal(err)
	}
	return b, q.open(b.Address)
}

// exchange turns what came back into a grant.
func (q *signInSetup) exchange(b oauth.Begun, v seen) (oauth.Grant, error) {
	q.Helper()
	back, err := oauth.ReadReturn(v.back)
	if err != nil {
		q.Fatalf("%v: %s", err, v.text)
	}
	if back.State.Reveal() != b.State.Reveal() {
		q.Error("the state is not the one that was sent")
	}
	return q.client.Exchange(q.Context(), q.app, back, b.Verifier, q.scopes)
}

// signIn goes the whole way.
func (q *signInSetup) signIn() oauth.Grant {
	q.Helper()
	b, v := q.begin()
	if strings.Contains(v.text, `id="password"`) {
		v = q.enter(v, "password", password)
	}
	if strings.Contains(v.text, `id="allow"`) {
		v = q.enter(v, "do", "allow", "scope", googleMail)
	}
	g, err := q.exchange(b, v)
	if err != nil {
		q.Fatal(err)
	}
	who, err := q.client.Account(q.Context(), q.app, g, b.Nonce)
	if err != nil || who.Email != q.hint {
		q.Errorf("signed in as %+v: %v", who, err)
	}
	return g
}

// wantCode checks what a refusal calls itself.
func (q *signInSetup) wantCode(err error, code, words string) {
	q.Helper()
	r, ok := oauth.RefusalOf(err)
	if !ok || r.Code != code || !strings.Contains(r.Description, words) {
		q.Errorf("refused by %v, want %s with %q", err, code, words)
	}
}

func (q *signInSetup) refresh(g oauth.Grant) (oauth.Grant, error) {
	return q.client.Refresh(q.Context(), q.app, g.RefreshToken, nil)
}

func bothKinds(t *testing.T, test func(*signInSetup)) {
	for _, kind := range []OAuthKind{GoogleOAuth, MicrosoftOAuth} {
		t.Run(string(kind), func(t *testing.T) { test(newSignIn(t, OAuthOptions{Kind: kind})) })
	}
}

func TestSomebodySignsInAndAllowsIt(t *testing.T) {
	t.Parallel()
	bothKinds(t, func(q *signInSetup) {
		g := q.signIn()
		if g.RefreshToken.IsEmpty() || len(g.Missing(q.scopes)) > 0 || !g.Expires.Equal(q.clock.now().Add(time.Hour)) {
			q.Errorf("granted are %v until %v", g.Scopes, g.Expires)
		}
		token, err := q.client.Introspect(q.Context(), q.app, g.AccessToken)
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
		if token, err := q.client.Introspect(q.Context(), q.app, next.AccessToken); err != nil || token.Active {
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
		if _, err := q.client.Poll(q.Context(), q.app, &early); !errors.Is(err, oauth.ErrPending) || early.Interval == d.Interval && !q.server.isMicrosoft() {
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
