package simulator

import (
	"crypto/rand"
	"crypto/rsa"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
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

// signingKey is one for all tests, for finding it takes long.
var signingKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

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
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	o.Now, o.Key = c.now, key
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
