package credential

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
)

const (
	support    = "support@example.net"
	joe        = "joe@example.net"
	far        = "eve@example.org"
	here       = "http://127.0.0.1:1"
	pass       = "right"
	deskSecret = "GOCSPX-of-the-desk"
)

// A logbook is what was logged.
type logbook struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// A counter is a desk with a provider, a mailbox there that nobody has signed in for yet,
// and somebody with a browser.
type counter struct {
	*testing.T
	clock    *clock
	provider *simulator.Server
	oauth    *simulator.OAuthServer
	smtp     *simulator.SMTPServer
	desk     *Desk
	app      postroom.OAuthApp
	mailbox  postroom.Mailbox
	browser  *http.Client
	log      *logbook

	mu      sync.Mutex
	proof   func(m postroom.Mailbox) *Proof // nil, or what it returns: the servers are asked
	tried   []string                        // incoming and outgoing user of each try
	at      func(point string)              // hears the steps
	secrets []string                        // that were seen
	cookies []postroom.Secret
	wakes   int
}

// openCounter begins with a mailbox of support, kept as a draft.
func openCounter(t *testing.T, kind simulator.OAuthKind, more ...func(*simulator.OAuthOptions)) *counter {
	t.Helper()
	return openCounterWith(t, openStore(t), kind, more...)
}

func openCounterWith(t *testing.T, db *store.DB, kind simulator.OAuthKind, more ...func(*simulator.OAuthOptions)) *counter {
	t.Helper()
	c := &counter{T: t, clock: newKeptClock(), log: &logbook{}}
	p, err := simulator.Start(simulator.Options{Gmail: kind == simulator.GoogleOAuth, Mechanisms: []string{"PLAIN", "XOAUTH2", "OAUTHBEARER"}})
	if err != nil {
		t.Fatal(err)
	}
	c.provider = p
	t.Cleanup(func() { _ = p.Close() })
	for _, user := range []string{support, joe, far} {
		p.AddAccount(user, pass)
	}
	o := simulator.OAuthOptions{Kind: kind, Now: c.clock.now, Key: rsaKey(), Apps: []simulator.OAuthApp{{
		ClientID: clientID, Name: "Postroom", Secret: deskSecret, RedirectURLs: []string{here + "/oauth/callback"},
		AsApp: []postroom.Protocol{postroom.IMAP, postroom.SMTP},
	}}}
	for _, change := range more {
		change(&o)
	}
	if c.oauth, err = p.StartOAuth(o); err != nil {
		t.Fatal(err)
	}
	if c.smtp, err = p.StartSMTP(simulator.SMTPOptions{Mechanisms: []string{"PLAIN", "XOAUTH2"}}); err != nil {
		t.Fatal(err)
	}
	ring := newRing(t)
	if _, err := db.CreateUser(t.Context(), postroom.User{Email: "ana@example.net", Name: "Ana", Role: postroom.RoleAdmin, CreatedAt: c.clock.now()}, ""); err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.NewTextHandler(c.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	client := &oauth.Client{Now: c.clock.now, Timeout: 5 * time.Second}
	explain := Explainer{Catalogue: &diagnose.Catalogue{}}.Explain
	apps := &Apps{Store: db, Ring: ring, Client: client, Presets: &provider.Presets{}, Now: c.clock.now, Log: log, Base: here}
	keeper := &Keeper{Store: db, Ring: ring, Registration: apps.Registration, Client: client, Explain: explain, Node: "test", Now: c.clock.now, Log: log}
	c.desk = &Desk{
		Store: db, Keeper: keeper, Apps: apps, Client: client, Explain: explain, Now: c.clock.now, Log: log, Base: here,
		Prove: c.prove, Wake: func() { c.wakes++ },
		Step: func(point string) {
			if c.at != nil {
				c.at(point)
			}
		},
	}
	c.app = c.register(kind, postroom.AppSignIn)
	c.mailbox = c.add(support, nil)
	c.clock.pass(time.Minute) // the registration is from before
	c.newBrowser()
	return c
}

// register enters the app of the provider here.
func (c *counter) register(kind simulator.OAuthKind, way postroom.AppKind) postroom.OAuthApp {
	c.Helper()
	app := postroom.OAuthApp{
		Name: "Mail of " + string(kind), Provider: "google_workspace", Kind: way, ClientID: clientID,
		Issuer: c.oauth.Issuer, AuthorizeURL: c.oauth.AuthorizeURL, TokenURL: c.oauth.TokenURL, DeviceURL: c.oauth.DeviceURL,
		RevokeURL: c.oauth.RevokeURL, UserInfoURL: c.oauth.UserInfoURL,
	}
	if kind == simulator.MicrosoftOAuth {
		app.Provider, app.Tenant = "microsoft365", simulator.OAuthTenant
	}
	app, err := c.desk.Apps.Add(c.Context(), appAdmin, NewApp{OAuthApp: app, Secret: postroom.Hide(deskSecret)})
	if err != nil {
		c.Fatal(err)
	}
	return app
}

// add keeps a mailbox; with a password it is active, and without one nobody has signed in.
func (c *counter) add(address string, password *string) postroom.Mailbox {
	c.Helper()
	kind, seal := postroom.CredentialOAuth, func(postroom.MailboxID) ([]byte, error) { return nil, nil }
	if password != nil {
		kind = postroom.CredentialPassword
		seal = func(id postroom.MailboxID) ([]byte, error) {
			return c.desk.Keeper.Seal(id, postroom.Hide(*password))
		}
	}
	m, err := c.desk.Store.AddMailbox(c.Context(), postroom.Mailbox{
		Address:  address,
		Incoming: postroom.IncomingSettings{Protocol: postroom.IMAP, ServerSettings: postroom.ServerSettings{Host: "127.0.0.1", Port: c.provider.Port, TLS: postroom.TLSNone, Username: address}},
		Outgoing: &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "127.0.0.1", Port: c.smtp.Port, TLS: postroom.TLSNone, Username: address}},
	}, kind, seal)
	if err != nil {
		c.Fatal(err)
	}
	return m
}

// prove signs in to both servers with a token, as a test of the settings does.
func (c *counter) prove(ctx context.Context, m postroom.Mailbox, t Token) Proof {
	c.mu.Lock()
	names := m.Incoming.Username
	if m.Outgoing != nil {
		names += " " + m.Outgoing.Username
	}
	c.tried = append(c.tried, names)
	c.secrets = append(c.secrets, t.Access.Reveal())
	proof := c.proof
	c.mu.Unlock()
	if proof != nil {
		if p := proof(m); p != nil {
			return *p
		}
	}
	at := func(s postroom.ServerSettings) mail.Endpoint {
		return mail.Endpoint{Host: s.Host, Port: s.Port, TLS: s.TLS}
	}
	login := func(user string) mail.Login {
		return mail.Login{Username: user, Secret: t.Access, Mechanism: mail.XOAuth2}
	}
	in, err := imap.Open(ctx, imap.Options{Endpoint: at(m.Incoming.ServerSettings), Login: login(m.Incoming.Username)})
	if err == nil {
		_ = in.Close()
	}
	if err == nil && m.Outgoing != nil {
		var out *smtp.Client
		if out, err = smtp.Open(ctx, smtp.Options{Endpoint: at(m.Outgoing.ServerSettings), Login: login(m.Outgoing.Username)}); err == nil {
			_ = out.Close()
		}
	}
	if err != nil {
		return Proof{Fault: refusedWith("The server does not take it.", "Sign in again."), Report: []byte(`{"ok":false}`)}
	}
	return Proof{OK: true, Report: []byte(`{"ok":true}`)}
}

func (c *counter) newBrowser() {
	jar, _ := cookiejar.New(nil)
	c.cookies = nil
	c.browser = &http.Client{Jar: jar, Timeout: 20 * time.Second, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), here) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
}

// A page is where the browser has come to.
type page struct {
	text string
	back url.Values // nil: a page of the provider
}

func (c *counter) page(r *http.Response, err error) page {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		c.Fatal(err)
	}
	p := page{text: string(text)}
	if to, err := r.Location(); err == nil {
		p.back = to.Query()
		c.secrets = append(c.secrets, p.back.Get("state"))
		if code := p.back.Get("code"); code != "" {
			c.secrets = append(c.secrets, code)
		}
	}
	return p
}

var flowField = regexp.MustCompile(`name="flow" value="([^"]+)"`)

// enter sends the form of a page.
func (c *counter) enter(p page, pairs ...string) page {
	c.Helper()
	flow := flowField.FindStringSubmatch(p.text)
	if flow == nil {
		c.Fatalf("no form on %s (back %v)", p.text, p.back)
	}
	form := url.Values{"flow": {flow[1]}}
	for i := 0; i < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return c.page(c.browser.PostForm(c.oauth.URL+"/signin", form))
}

func (c *counter) begin() Begun {
	c.Helper()
	b, err := c.desk.Begin(c.Context(), appAdmin, c.mailbox.ID, c.app.ID)
	if err != nil {
		c.Fatal(err)
	}
	return b
}

// startOf is the secret of a start.
func startOf(b Begun) string { return strings.TrimPrefix(b.Path, "/oauth/start/") }

// send opens the start in the browser, up to the provider's first page.
func (c *counter) send(b Begun) page {
	c.Helper()
	sent, err := c.desk.Send(c.Context(), startOf(b), here)
	if err != nil {
		c.Fatal(err)
	}
	if sent.Address == "" {
		c.Fatalf("sent to %q instead of the provider", sent.Result)
	}
	c.secrets = append(c.secrets, startOf(b), sent.Browser.Reveal())
	c.cookies = append(c.cookies, sent.Browser)
	return c.page(c.browser.Get(sent.Address))
}

// signIn goes through the provider's pages as user, allowing everything.
func (c *counter) signIn(p page, user string) page {
	c.Helper()
	for range 8 {
		switch {
		case p.back != nil:
			return p
		case strings.Contains(p.text, `id="password"`) && strings.Contains(p.text, `id="who">`+user):
			p = c.enter(p, "password", pass)
		case strings.Contains(p.text, `id="password"`), strings.Contains(p.text, `id="choose"`):
			p = c.enter(p, "do", "other")
		case strings.Contains(p.text, `id="identifier"`):
			p = c.enter(p, "identifier", user)
		case strings.Contains(p.text, `id="allow"`):
			p = c.enter(p, "do", "allow", "scope", allMail)
		default:
			c.Fatalf("stuck at %s", p.text)
		}
	}
	c.Fatal("no end of pages")
	return p
}

// come back from the provider; where it has to be asked again, the browser goes there.
func (c *counter) back(p page, user string) postroom.SignIn {
	c.Helper()
	back, err := c.desk.Return(c.Context(), p.back, c.cookies...)
	if err != nil {
		c.Fatalf("Return: %v", err)
	}
	if back.Address != "" {
		return c.back(c.signIn(c.page(c.browser.Get(back.Address)), user), user)
	}
	return back.SignIn
}

// whole goes the whole way as user, and proves what came of it.
func (c *counter) whole(user string) postroom.SignIn {
	c.Helper()
	s := c.back(c.signIn(c.send(c.begin()), user), user)
	c.work()
	return c.signInNow(s.ID)
}

func (c *counter) signInNow(id postroom.SignInID) postroom.SignIn {
	c.Helper()
	k, err := c.desk.Store.SignIn(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	return k.SignIn
}

// work does what is due now.
func (c *counter) work() {
	c.Helper()
	for range 20 {
		claimed, err := c.desk.claim(c.Context(), atOnce)
		if err != nil {
			c.Fatal(err)
		}
		if len(claimed) == 0 {
			return
		}
		for _, k := range claimed {
			c.desk.lookAfter(c.Context(), k)
		}
	}
}

func (c *counter) sweep() {
	c.Helper()
	if err := c.desk.sweep(c.Context()); err != nil {
		c.Fatal(err)
	}
}

func (c *counter) wantStep(s postroom.SignIn, want postroom.SignInStep, words ...string) {
	c.Helper()
	if s.Step != want {
		c.Fatalf("the sign-in is %s (%v), want %s", s.Step, s.Fault, want)
	}
	for _, w := range words {
		if s.Fault == nil || !strings.Contains(s.Fault.Explanation+" "+s.Fault.Remedy, w) {
			c.Errorf("the sign-in says %v, want it to say %q", s.Fault, w)
		}
	}
}

// kept is what opens the mailbox.
func (c *counter) kept() store.KeptCredential {
	c.Helper()
	k, err := c.desk.Store.Credential(c.Context(), c.mailbox.ID)
	if err != nil {
		c.Fatal(err)
	}
	return k
}

func (c *counter) grant(id postroom.GrantID) postroom.Grant {
	c.Helper()
	g, err := c.desk.Store.Grant(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	return g.Grant
}

func (c *counter) wantFault(err error, kind postroom.Kind, words string) {
	c.Helper()
	f, ok := postroom.FaultOf(err)
	if !ok || f.Kind != kind || !strings.Contains(f.Explanation+" "+f.Remedy, words) || f.Remedy == "" {
		c.Errorf("error %v (%s), want %s that says %q", err, postroom.KindOf(err), kind, words)
	}
	for _, secret := range c.secrets {
		if len(secret) > 5 && strings.Contains(fmt.Sprintf("%v %+v", err, f), secret) {
			c.Errorf("an error shows a secret of %d characters", len(secret))
		}
	}
}

// nothingLeaked says that no secret is in the log or in what is shown of sign-ins.
func (c *counter) nothingLeaked() {
	c.Helper()
	shown := c.log.String()
	list, err := c.desk.Store.SignIns(context.Background(), c.mailbox.ID, 100)
	if err != nil {
		c.Fatal(err)
	}
	for _, k := range list {
		shown += fmt.Sprintf("%+v %#v", k.SignIn, k.SignIn)
		if k.Fault != nil {
			shown += fmt.Sprintf("%+v %v", *k.Fault, errors.Unwrap(k.Fault))
		}
	}
	for _, secret := range append(c.secrets, pass, deskSecret) {
		if len(secret) > 5 && strings.Contains(shown, secret) {
			c.Errorf("a secret of %d characters is to be seen", len(secret))
		}
	}
}

func bothKinds(t *testing.T, test func(*counter), more ...func(*simulator.OAuthOptions)) {
	for _, kind := range []simulator.OAuthKind{simulator.GoogleOAuth, simulator.MicrosoftOAuth} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := openCounter(t, kind, more...)
			test(c)
			c.nothingLeaked()
		})
	}
}
