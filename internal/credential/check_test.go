package credential

import (
	"context"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/simulator"
)

const (
	checkedID     = "checked-app"
	checkedSecret = "s3cret-of-the-checked-app"
)

// A counterfeit is a provider for checks, and the app that is registered at it.
type counterfeit struct {
	server *simulator.OAuthServer
	apps   *Apps
	app    NewApp
}

func newCounterfeit(t *testing.T, o simulator.OAuthOptions) *counterfeit {
	t.Helper()
	return newCounterfeitFor(t, newApps(t), o)
}

func newCounterfeitFor(t *testing.T, a *Apps, o simulator.OAuthOptions) *counterfeit {
	t.Helper()
	p, err := simulator.Start(simulator.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	p.AddAccount("anna@example.net", "pass")
	if o.Apps == nil {
		o.Apps = []simulator.OAuthApp{{ClientID: checkedID, Name: "Postroom", Secret: checkedSecret, RedirectURLs: []string{"https://post.example.net" + callback},
			AsApp: []postroom.Protocol{postroom.IMAP, postroom.SMTP}}}
	}
	o.Key = rsaKey()
	c := &counterfeit{apps: a}
	if c.server, err = p.StartOAuth(o); err != nil {
		t.Fatal(err)
	}
	c.apps.Client = &oauth.Client{Dial: c.server.Dial}
	catalogue := &diagnose.Catalogue{}
	c.apps.Explain = Explainer{Catalogue: catalogue}.Explain
	c.app = NewApp{Secret: postroom.Hide(checkedSecret), OAuthApp: postroom.OAuthApp{
		Provider: "gmail", ClientID: checkedID, AuthorizeURL: c.server.AuthorizeURL, TokenURL: c.server.TokenURL,
	}}
	if o.Kind == simulator.MicrosoftOAuth {
		tenant := func(address string) string { return strings.Replace(address, simulator.OAuthTenant, tenantMark, 1) }
		c.app.Provider, c.app.Tenant = "microsoft365", simulator.OAuthTenant
		c.app.AuthorizeURL, c.app.TokenURL, c.app.DeviceURL = tenant(c.server.AuthorizeURL), tenant(c.server.TokenURL), tenant(c.server.DeviceURL)
	}
	return c
}

// check checks the app, and returns each point.
func (c *counterfeit) check(t *testing.T) map[string]postroom.AppCheck {
	t.Helper()
	app, err := c.apps.Add(t.Context(), appAdmin, c.app)
	if err != nil {
		t.Fatal(err)
	}
	return c.again(t, app.ID)
}

func (c *counterfeit) again(t *testing.T, id postroom.OAuthAppID) map[string]postroom.AppCheck {
	t.Helper()
	app, err := c.apps.Check(t.Context(), appAdmin, id)
	if err != nil {
		t.Fatal(err)
	}
	if app.CheckedAt.IsZero() {
		t.Error("it is not kept that it was checked")
	}
	points := map[string]postroom.AppCheck{}
	for _, check := range app.Checks {
		points[check.Point] = check
		text := fmt.Sprintf("%+v", check)
		if strings.Contains(text, checkedSecret) || strings.Contains(text, madeUp) {
			t.Errorf("a secret is shown: %s", text)
		}
		if check.Words == "" || check.Verdict == postroom.Refuted && check.Remedy == "" {
			t.Errorf("%s is %s without words or remedy: %+v", check.Point, check.Verdict, check)
		}
	}
	return points
}

// wantVerdicts compares points with “point verdict” each.
func wantVerdicts(t *testing.T, points map[string]postroom.AppCheck, want ...string) {
	t.Helper()
	for _, one := range want {
		point, verdict, _ := strings.Cut(one, " ")
		check, there := points[point]
		if verdict == "absent" {
			if there {
				t.Errorf("%s: %+v, want nothing said", point, check)
			}
			continue
		}
		if string(check.Verdict) != verdict {
			t.Errorf("%s is %q, want %q: %s %s", point, check.Verdict, verdict, check.Words, check.Remedy)
		}
	}
}

func TestAGoodAppIsProven(t *testing.T) {
	for kind, want := range map[simulator.OAuthKind][]string{
		simulator.GoogleOAuth: {"addresses proven", "client_id proven", "secret proven", "redirect_address proven", "redirect proven", "scopes proven", "testing unknowable", "tenant absent", "admin_consent absent", "roles absent", "secret_expiry absent"},
		simulator.MicrosoftOAuth: {"addresses proven", "tenant proven", "client_id proven", "secret proven", "secret_expiry unknowable", "redirect_address proven", "redirect proven", "scopes proven",
			"admin_consent unknowable", "device proven", "testing absent", "roles absent"},
	} {
		t.Run(string(kind), func(t *testing.T) {
			c := newCounterfeit(t, simulator.OAuthOptions{Kind: kind})
			points := c.check(t)
			wantVerdicts(t, points, want...)
			if kind == simulator.MicrosoftOAuth {
				link := points["admin_consent"].Link
				if !strings.HasPrefix(link.URL, c.server.ConsentURL+"?") || !strings.Contains(link.URL, "client_id="+checkedID) {
					t.Errorf("the link for administrators is %q", link.URL)
				}
			}
			if n := c.server.Grants(""); n != 0 {
				t.Errorf("%d grants came of a check", n)
			}
		})
	}
}

func TestWhatIsWrongWithAnAppIsFound(t *testing.T) {
	google, microsoft := simulator.GoogleOAuth, simulator.MicrosoftOAuth
	tests := map[string]struct {
		kind  simulator.OAuthKind
		spoil func(t *testing.T, c *counterfeit)
		want  []string
	}{
		"Google: wrong secret":                {google, func(_ *testing.T, c *counterfeit) { c.app.Secret = postroom.Hide("another") }, []string{"client_id proven", "secret refuted", "redirect proven"}},
		"Google: unknown client":              {google, func(_ *testing.T, c *counterfeit) { c.app.ClientID = "unknown" }, []string{"client_id refuted", "secret unknowable", "redirect unknowable", "addresses proven"}},
		"Google: no secret":                   {google, func(_ *testing.T, c *counterfeit) { c.app.Secret = postroom.Secret{} }, []string{"secret refuted", "client_id proven"}},
		"Google: another redirect address":    {google, func(_ *testing.T, c *counterfeit) { c.apps.Base = "https://other.example.net" }, []string{"redirect refuted", "redirect_address proven", "secret proven"}},
		"Google: scopes that are none":        {google, func(_ *testing.T, c *counterfeit) { c.app.Scopes = []string{"mail.everything"} }, []string{"scopes refuted", "secret proven"}},
		"Google: in testing":                  {google, func(_ *testing.T, c *counterfeit) { c.app.IsTesting = true }, []string{"testing refuted"}},
		"Google: no encryption":               {google, func(_ *testing.T, c *counterfeit) { c.apps.Base = "http://post.example.net" }, []string{"redirect_address unknowable"}},
		"Google: a bare IP address":           {google, func(_ *testing.T, c *counterfeit) { c.apps.Base = "https://192.0.2.7" }, []string{"redirect_address refuted"}},
		"Google: this computer only":          {google, func(_ *testing.T, c *counterfeit) { c.apps.Base = "http://127.0.0.1:8025" }, []string{"redirect_address unknowable"}},
		"Google: no public address":           {google, func(_ *testing.T, c *counterfeit) { c.apps.Base = "" }, []string{"redirect_address refuted", "redirect absent", "secret proven"}},
		"Google: another address by hand":     {google, func(_ *testing.T, c *counterfeit) { c.app.RedirectURL = "https://elsewhere.example/back" }, []string{"redirect_address unknowable", "redirect refuted"}},
		"Microsoft: wrong secret":             {microsoft, func(_ *testing.T, c *counterfeit) { c.app.Secret = postroom.Hide("another") }, []string{"client_id proven", "secret refuted"}},
		"Microsoft: expired secret":           {microsoft, func(_ *testing.T, c *counterfeit) { c.server.ExpireSecret(checkedID) }, []string{"client_id proven", "secret refuted"}},
		"Microsoft: a secret is wanted":       {microsoft, func(_ *testing.T, c *counterfeit) { c.app.Secret = postroom.Secret{} }, []string{"client_id proven", "secret refuted"}},
		"Microsoft: unknown client":           {microsoft, func(_ *testing.T, c *counterfeit) { c.app.ClientID = otherGUID }, []string{"client_id refuted", "secret unknowable", "tenant proven"}},
		"Microsoft: unknown tenant":           {microsoft, func(_ *testing.T, c *counterfeit) { c.app.Tenant = otherGUID }, []string{"tenant refuted", "client_id unknowable"}},
		"Microsoft: any tenant":               {microsoft, func(_ *testing.T, c *counterfeit) { c.app.Tenant = "" }, []string{"tenant absent", "client_id proven", "secret proven"}},
		"Microsoft: another redirect address": {microsoft, func(_ *testing.T, c *counterfeit) { c.apps.Base = "https://other.example.net" }, []string{"redirect refuted", "secret proven"}},
		"Microsoft: scopes that are none":     {microsoft, func(_ *testing.T, c *counterfeit) { c.app.Scopes = []string{"mail.everything"} }, []string{"scopes refuted"}},
		"Microsoft: a secret that ends soon":  {microsoft, func(_ *testing.T, c *counterfeit) { c.app.SecretExpiresAt = time.Now().AddDate(0, 0, 10) }, []string{"secret_expiry refuted", "secret proven"}},
		"Microsoft: a secret that lasts":      {microsoft, func(_ *testing.T, c *counterfeit) { c.app.SecretExpiresAt = time.Now().AddDate(0, 0, 100) }, []string{"secret_expiry proven"}},
		"Microsoft: a certificate that is not there": {microsoft, func(t *testing.T, c *counterfeit) {
			c.app.Secret = postroom.Hide(pemOf(t, rsaKey()) + certificateOf(t, rsaKey(), time.Now().AddDate(0, 0, 100)))
		}, []string{"client_id proven", "secret refuted", "secret_expiry proven"}},
		"a provider that is busy": {google, func(_ *testing.T, c *counterfeit) { c.server.SetFaults(simulator.OAuthFaults{Status: 503, Body: "{}"}) },
			[]string{"addresses unknowable", "secret unknowable", "client_id proven", "redirect proven"}},
		"a page in place of an answer": {google, func(_ *testing.T, c *counterfeit) {
			c.server.SetFaults(simulator.OAuthFaults{Status: 200, Body: "<html>Welcome to the hotel</html>", ContentType: "text/html"})
		}, []string{"addresses refuted", "secret unknowable"}},
		"in its own name": {microsoft, func(_ *testing.T, c *counterfeit) { c.app.Kind = postroom.AppClient },
			[]string{"addresses proven", "client_id proven", "secret proven", "roles proven", "mailboxes unknowable", "redirect absent", "scopes absent", "device absent", "admin_consent absent"}},
		"in its own name: not allowed": {microsoft, func(_ *testing.T, c *counterfeit) {
			c.app.Kind = postroom.AppClient
			c.server.Register(simulator.OAuthApp{ClientID: checkedID, Secret: checkedSecret})
		}, []string{"secret proven", "roles refuted"}},
		"in its own name: may not send": {microsoft, func(_ *testing.T, c *counterfeit) {
			c.app.Kind = postroom.AppClient
			c.server.Register(simulator.OAuthApp{ClientID: checkedID, Secret: checkedSecret, AsApp: []postroom.Protocol{postroom.IMAP}})
		}, []string{"secret proven", "roles refuted"}},
		"in its own name: wrong secret": {microsoft, func(_ *testing.T, c *counterfeit) {
			c.app.Kind, c.app.Secret = postroom.AppClient, postroom.Hide("another")
		}, []string{"client_id proven", "secret refuted", "roles unknowable"}},
		"in its own name: wrong tenant": {microsoft, func(_ *testing.T, c *counterfeit) {
			c.app.Kind, c.app.Tenant = postroom.AppClient, otherGUID
		}, []string{"tenant refuted", "secret unknowable", "roles unknowable"}},
	}
	shared := newApps(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			a := &Apps{Store: shared.Store, Ring: shared.Ring, Presets: shared.Presets, Base: shared.Base}
			c := newCounterfeitFor(t, a, simulator.OAuthOptions{Kind: test.kind})
			test.spoil(t, c)
			wantVerdicts(t, c.check(t), test.want...)
		})
	}
}

func TestWhoDoesNotAnswerIsNotProven(t *testing.T) {
	c := newCounterfeit(t, simulator.OAuthOptions{})
	c.server.SetFaults(simulator.OAuthFaults{Hang: true})
	c.apps.Client.Timeout = 50 * time.Millisecond
	began := time.Now()
	wantVerdicts(t, c.check(t), "addresses unknowable", "secret unknowable", "client_id proven")
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the check took %s", took)
	}
}

func TestWhoCannotBeReachedIsRefutedWhereThatWillNotPass(t *testing.T) {
	tests := map[string]struct {
		err  error
		want string
	}{
		"no such name":               {&net.DNSError{Err: "no such host", Name: "login.example", IsNotFound: true}, "addresses refuted"},
		"a name server that is down": {&net.DNSError{Err: "server misbehaving", Name: "login.example", IsTemporary: true}, "addresses unknowable"},
		"nobody there":               {&net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}, "addresses unknowable"},
		"another party":              {x509.UnknownAuthorityError{}, "addresses refuted"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := newCounterfeit(t, simulator.OAuthOptions{})
			c.apps.Client = &oauth.Client{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, test.err }}
			wantVerdicts(t, c.check(t), test.want, "secret unknowable", "client_id unknowable", "redirect unknowable")
		})
	}
}

func TestTheRecordOfAnAppProves(t *testing.T) {
	c := newCounterfeit(t, simulator.OAuthOptions{})
	c.apps.Base = "https://post.example.net"
	c.app.Scopes = []string{"https://mail.google.com/"}
	app, err := c.apps.Add(t.Context(), appAdmin, c.app)
	if err != nil {
		t.Fatal(err)
	}
	signIn(t, c.apps, app.ID, "anna@example.net", time.Now().Add(time.Hour))
	c.server.SetFaults(simulator.OAuthFaults{Status: 503, Body: "{}"})
	wantVerdicts(t, c.again(t, app.ID), "redirect proven", "scopes proven", "testing unknowable")
}

func TestAServiceAccountIsChecked(t *testing.T) {
	const robot = "robot@project.iam.gserviceaccount.com"
	const mail = "https://mail.google.com/"
	tests := map[string]struct {
		account simulator.OAuthServiceAccount
		mailbox string
		want    []string
	}{
		"allowed":                {simulator.OAuthServiceAccount{Email: robot, Domains: []string{"example.net"}, Scopes: []string{mail}}, "anna@example.net", []string{"addresses proven", "client_id proven", "secret proven", "delegation proven", "redirect_address absent"}},
		"not allowed":            {simulator.OAuthServiceAccount{Email: robot, Domains: []string{"example.net"}}, "anna@example.net", []string{"secret proven", "delegation refuted"}},
		"for nobody yet":         {simulator.OAuthServiceAccount{Email: robot, Domains: []string{"example.net"}, Scopes: []string{mail}}, "", []string{"secret proven", "delegation unknowable"}},
		"for an unknown account": {simulator.OAuthServiceAccount{Email: robot, Domains: []string{"example.net"}, Scopes: []string{mail}}, "nobody@example.net", []string{"secret proven", "delegation refuted"}},
		"deleted":                {simulator.OAuthServiceAccount{Email: "other@project.iam.gserviceaccount.com"}, "anna@example.net", []string{"client_id refuted", "secret unknowable", "delegation unknowable"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.account.Key = rsaKey().Public()
			c := newCounterfeit(t, simulator.OAuthOptions{ServiceAccounts: []simulator.OAuthServiceAccount{test.account}})
			c.app = newApp("google_workspace", "", keyFile(t, robot, c.server.TokenURL))
			if test.mailbox != "" {
				m := postroom.Mailbox{Address: test.mailbox}
				m.Incoming.Host = "imap.gmail.com"
				if _, err := c.apps.Store.AddMailbox(t.Context(), m, "password", func(postroom.MailboxID) ([]byte, error) { return []byte("x"), nil }); err != nil {
					t.Fatal(err)
				}
			}
			wantVerdicts(t, c.check(t), test.want...)
		})
	}
}

func TestAGenericProviderIsCheckedByItsIssuer(t *testing.T) {
	c := newCounterfeit(t, simulator.OAuthOptions{})
	c.app.Provider, c.app.AuthorizeURL, c.app.TokenURL = postroom.GenericProvider, "", ""
	c.app.Issuer, c.app.Scopes = c.server.Issuer, []string{"openid", "email", "https://mail.google.com/"}
	wantVerdicts(t, c.check(t), "addresses proven", "client_id proven", "secret proven", "redirect proven", "scopes proven", "testing absent", "tenant absent")

	gone := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(gone.Close)
	c.apps.Client = &oauth.Client{}
	c.app.Issuer = gone.URL
	wantVerdicts(t, c.check(t), "addresses refuted", "client_id unknowable", "secret unknowable")
}

func TestNothingThatAProviderRepeatsIsKeptOfACheck(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":"invalid_client","error_description":"not this one: %s %s"}`, r.PostForm.Get("client_secret"), r.PostForm.Get("refresh_token"))
	}))
	t.Cleanup(s.Close)
	a := newApps(t)
	app, err := a.Add(t.Context(), appAdmin, NewApp{Secret: postroom.Hide(checkedSecret), OAuthApp: postroom.OAuthApp{Provider: "generic", ClientID: "x", AuthorizeURL: s.URL + "/a", TokenURL: s.URL + "/t"}})
	if err != nil {
		t.Fatal(err)
	}
	c := &counterfeit{apps: a}
	wantVerdicts(t, c.again(t, app.ID), "secret unknowable", "client_id refuted")
}
