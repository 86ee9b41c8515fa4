package credential

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func register(t *testing.T, a *Apps, n NewApp) Registration {
	t.Helper()
	app, err := a.Add(t.Context(), appAdmin, n)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Registration(t.Context(), app.ID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARegistrationAsksWhereItsProviderIs(t *testing.T) {
	all := []postroom.Protocol{postroom.IMAP, postroom.POP3, postroom.SMTP}
	tests := map[string]struct {
		n                        NewApp
		authorize, token, issuer string
		tenant                   string
		scopes                   []string
	}{
		"Gmail": {
			newApp("gmail", aGoogleID, appsSecret), "https://accounts.google.com/o/oauth2/v2/auth", "https://oauth2.googleapis.com/token", "https://accounts.google.com", "",
			[]string{"https://mail.google.com/", "openid", "email"},
		},
		"Microsoft 365 without a tenant": {
			newApp("microsoft365", aGUID, "a~b"), "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize", "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
			"https://login.microsoftonline.com/{tenant}/v2.0", "organizations",
			[]string{"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access", "openid", "email", "profile", "https://outlook.office.com/POP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"},
		},
		"Outlook.com": {
			newApp("outlook_com", aGUID, ""), "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize", "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
			"https://login.microsoftonline.com/{tenant}/v2.0", "consumers",
			[]string{"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access", "openid", "email", "profile", "https://outlook.office.com/POP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"},
		},
		"the cloud of the US government, in its own name": {
			NewApp{OAuthApp: postroom.OAuthApp{Provider: "microsoft365_gcc_high", Kind: postroom.AppClient, ClientID: aGUID, Tenant: otherGUID}, Secret: postroom.Hide("a~b")},
			"https://login.microsoftonline.us/{tenant}/oauth2/v2.0/authorize", "https://login.microsoftonline.us/{tenant}/oauth2/v2.0/token", "https://login.microsoftonline.us/{tenant}/v2.0", otherGUID,
			[]string{"https://outlook.office365.us/.default"},
		},
		"worldwide, in its own name": {
			NewApp{OAuthApp: postroom.OAuthApp{Provider: "microsoft365", Kind: postroom.AppClient, ClientID: aGUID, Tenant: "contoso.com"}, Secret: postroom.Hide("a~b")},
			"https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize", "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token", "https://login.microsoftonline.com/{tenant}/v2.0", "contoso.com",
			[]string{"https://outlook.office365.com/.default"},
		},
		"China": {
			newApp("microsoft365_china", aGUID, "a~b"), "https://login.chinacloudapi.cn/{tenant}/oauth2/v2.0/authorize", "https://login.chinacloudapi.cn/{tenant}/oauth2/v2.0/token",
			"https://login.chinacloudapi.cn/{tenant}/v2.0", "organizations",
			[]string{"https://partner.outlook.cn/IMAP.AccessAsUser.All", "offline_access", "openid", "email", "profile", "https://partner.outlook.cn/POP.AccessAsUser.All", "https://partner.outlook.cn/SMTP.Send"},
		},
		"Yahoo": {
			newApp("yahoo", "dj0yJmk9abc", "0123456789"), "https://api.login.yahoo.com/oauth2/request_auth", "https://api.login.yahoo.com/oauth2/get_token", "", "", []string{"mail-w"},
		},
		"Gmail with addresses of its own": {
			NewApp{OAuthApp: postroom.OAuthApp{Provider: "gmail", ClientID: "x", AuthorizeURL: "http://localhost:1/a", TokenURL: "http://localhost:1/t", Scopes: []string{"mine"}}},
			"http://localhost:1/a", "http://localhost:1/t", "", "", []string{"mine"},
		},
		"Microsoft with addresses of its own": {
			NewApp{OAuthApp: postroom.OAuthApp{Provider: "microsoft365", ClientID: "x", AuthorizeURL: "http://localhost:1/{tenant}/oauth2/v2.0/authorize", TokenURL: "http://localhost:1/{tenant}/oauth2/v2.0/token", Scopes: []string{"mine"}}},
			"http://localhost:1/{tenant}/oauth2/v2.0/authorize", "http://localhost:1/{tenant}/oauth2/v2.0/token", "http://localhost:1/{tenant}/v2.0", "organizations", []string{"mine"},
		},
	}
	a := newApps(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := register(t, a, test.n)
			got := []string{r.OAuth.AuthorizeURL, r.OAuth.TokenURL, r.OAuth.Issuer, r.OAuth.Tenant}
			if diff := cmp.Diff([]string{test.authorize, test.token, test.issuer, test.tenant}, got); diff != "" {
				t.Errorf("addresses (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.scopes, r.OAuth.ScopesFor(all...)); diff != "" {
				t.Errorf("scopes (-want +got):\n%s", diff)
			}
			if err := r.OAuth.Verify(); err != nil {
				t.Errorf("Verify = %v", err)
			}
		})
	}
}

func TestNothingOfAnotherProviderIsAskedWithAnAppsSecret(t *testing.T) {
	r := register(t, newApps(t), NewApp{
		OAuthApp: postroom.OAuthApp{Provider: "gmail", ClientID: "x", AuthorizeURL: "http://localhost:1/a", TokenURL: "http://localhost:1/t"}, Secret: postroom.Hide("s3cret"),
	})
	for what, address := range map[string]string{"RevokeURL": r.OAuth.RevokeURL, "DeviceURL": r.OAuth.DeviceURL, "UserInfoURL": r.OAuth.UserInfoURL, "Issuer": r.OAuth.Issuer} {
		if strings.Contains(address, "google") {
			t.Errorf("%s = %s, though the app is registered elsewhere", what, address)
		}
	}
}

func TestAServiceAccountOpensMailboxes(t *testing.T) {
	r := register(t, newApps(t), newApp("google_workspace", "", keyFile(t, "robot@project.iam.gserviceaccount.com", "")))
	if r.Service == nil || r.Service.Email != "robot@project.iam.gserviceaccount.com" || r.Service.TokenURL != "https://oauth2.googleapis.com/token" {
		t.Fatalf("Service = %+v", r.Service)
	}
	// What asks for names is not delegated.
	if scopes := r.OAuth.ScopesFor(postroom.IMAP, postroom.SMTP); !slices.Equal(scopes, []string{"https://mail.google.com/"}) {
		t.Errorf("scopes = %v", scopes)
	}
}

// An issuer publishes its metadata, or refuses.
type issuer struct {
	*httptest.Server
	asked   atomic.Int64
	refuses atomic.Bool
	name    string // empty: its own
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		i.asked.Add(1)
		if i.refuses.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		name := i.name
		if name == "" {
			name = i.URL
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": name, "authorization_endpoint": i.URL + "/authorize", "token_endpoint": i.URL + "/token", "userinfo_endpoint": i.URL + "/me",
		})
	}))
	t.Cleanup(i.Close)
	return i
}

func TestAnIssuerIsAskedOnceAnHour(t *testing.T) {
	ctx, a, i := t.Context(), newApps(t), newIssuer(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	a.Now = func() time.Time { return now }
	app, err := a.Add(ctx, appAdmin, NewApp{OAuthApp: postroom.OAuthApp{Provider: "generic", ClientID: "x", Issuer: i.URL, Scopes: []string{"imap"}}, Secret: postroom.Hide("s3cret")})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		r, err := a.Registration(ctx, app.ID)
		if err != nil || r.OAuth.TokenURL != i.URL+"/token" || r.OAuth.AuthorizeURL != i.URL+"/authorize" || r.OAuth.UserInfoURL != i.URL+"/me" {
			t.Fatalf("Registration = %+v, %v", r.OAuth, err)
		}
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("asked %d times, want once", n)
	}
	// What it said holds while it does not answer.
	i.refuses.Store(true)
	now = now.Add(2 * time.Hour)
	if r, err := a.Registration(ctx, app.ID); err != nil || r.OAuth.TokenURL == "" || i.asked.Load() != 2 {
		t.Errorf("with the issuer down: %+v, %v, asked %d times", r.OAuth, err, i.asked.Load())
	}
	if _, err := a.Registration(ctx, app.ID); err != nil || i.asked.Load() != 2 {
		t.Errorf("asked again at once: %v, %d times", err, i.asked.Load())
	}
}

func TestAnIssuerThatDoesNotAnswerIsADelay(t *testing.T) {
	ctx, a, i := t.Context(), newApps(t), newIssuer(t)
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	a.Now = func() time.Time { return now }
	i.refuses.Store(true)
	app, err := a.Add(ctx, appAdmin, NewApp{OAuthApp: postroom.OAuthApp{Provider: "generic", ClientID: "x", Issuer: i.URL}})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		_, err := a.Registration(ctx, app.ID)
		wantWords(t, err, postroom.Delayed, "does not say where to sign in")
	}
	if n := i.asked.Load(); n != 1 {
		t.Errorf("asked %d times within a moment, want once", n)
	}
	i.refuses.Store(false)
	now = now.Add(10 * time.Minute)
	if r, err := a.Registration(ctx, app.ID); err != nil || r.OAuth.TokenURL == "" {
		t.Errorf("once it answers: %v", err)
	}
}

func TestWhoStopsWaitingForAnIssuerSaysNothingOfIt(t *testing.T) {
	a, i := newApps(t), newIssuer(t)
	app, err := a.Add(t.Context(), appAdmin, NewApp{OAuthApp: postroom.OAuthApp{Provider: "generic", ClientID: "x", Issuer: i.URL}})
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.kept(t.Context(), app.ID)
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := a.discovered(gone, r); err == nil {
		t.Fatal("an answer without asking")
	}
	if r, err := a.Registration(t.Context(), app.ID); err != nil || r.OAuth.TokenURL == "" {
		t.Errorf("the next one has to wait: %v", err)
	}
}

func TestAnIssuerByAnotherNameIsNotBelieved(t *testing.T) {
	ctx, a, i := t.Context(), newApps(t), newIssuer(t)
	i.name = "https://evil.example"
	app, err := a.Add(ctx, appAdmin, NewApp{OAuthApp: postroom.OAuthApp{Provider: "generic", ClientID: "x", Issuer: i.URL}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Registration(ctx, app.ID)
	wantWords(t, err, postroom.NeedsRepair, "another name")
}

func TestTheRegistrationThatFitsComesFirst(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	apps := map[string]postroom.OAuthAppID{}
	for _, n := range []struct {
		name string
		NewApp
	}{
		{"gmail", newApp("gmail", aGoogleID, appsSecret)},
		{"workspace", newApp("google_workspace", "2"+aGoogleID, appsSecret)},
		{"delegated", newApp("google_workspace", "", keyFile(t, "robot@project.iam.gserviceaccount.com", ""))},
		{"any organisation", newApp("microsoft365", aGUID, "a~b")},
		{"contoso", NewApp{OAuthApp: postroom.OAuthApp{Provider: "microsoft365", ClientID: otherGUID, Tenant: "Contoso.com"}, Secret: postroom.Hide("a~b")}},
		{"everybody", NewApp{OAuthApp: postroom.OAuthApp{Provider: "microsoft365", ClientID: otherGUID, Tenant: "common"}, Secret: postroom.Hide("a~b")}},
		{"personal", newApp("outlook_com", aGUID, "")},
		{"china", newApp("microsoft365_china", aGUID, "a~b")},
		{"yahoo", newApp("yahoo", "dj0yJmk9abc", "0123456789")},
		{"keycloak", NewApp{OAuthApp: postroom.OAuthApp{Provider: "generic", ClientID: "x", Issuer: "https://id.example"}}},
	} {
		app, err := a.Add(ctx, appAdmin, n.NewApp)
		if err != nil {
			t.Fatalf("%s: %v", n.name, err)
		}
		apps[n.name] = app.ID
	}
	signIn(t, a, apps["workspace"], "ana@acme.example", time.Now().Add(-time.Hour))
	signIn(t, a, apps["gmail"], "ana@gmail.com", time.Now())
	tests := map[string]struct {
		address, host string
		want          []string
	}{
		"at Gmail":                              {"x@gmail.com", "imap.gmail.com", []string{"gmail", "workspace"}},
		"a company at Google that was here":     {"ben@acme.example", "imap.gmail.com", []string{"workspace", "delegated", "gmail"}},
		"at Outlook.com":                        {"x@outlook.com", "outlook.office365.com", []string{"personal", "everybody"}},
		"a company at Microsoft":                {"x@contoso.com", "outlook.office365.com", []string{"contoso", "everybody", "any organisation"}},
		"in China":                              {"x@firma.cn", "partner.outlook.cn", []string{"china"}},
		"at a brand of Yahoo's":                 {"x@att.net", "imap.mail.att.net", []string{"yahoo"}},
		"at nobody's who is known":              {"x@own.example", "mail.own.example", []string{"keycloak"}},
		"at a known one without a registration": {"x@yandex.com", "imap.yandex.com", []string{"keycloak"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := postroom.Mailbox{Address: test.address}
			m.Incoming.Host = test.host
			list, err := a.For(ctx, m)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, app := range list {
				for name, id := range apps {
					if id == app.ID {
						got = append(got, name)
					}
				}
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("For (-want +got):\n%s", diff)
			}
		})
	}
}

// Providers send browsers back with encryption, or to the computer that they run on.
func TestTheRedirectAddressIsOneThatProvidersTake(t *testing.T) {
	a := &Apps{Base: "http://localhost:8025"}
	for base, want := range map[string]string{
		"":                         "http://localhost:8025/oauth/callback",
		"https://post.example.net": "https://post.example.net/oauth/callback",
		"http://127.0.0.1:8131":    "http://127.0.0.1:8131/oauth/callback",
		"http://192.0.2.7:8025":    "http://localhost:8025/oauth/callback",
		"http://post.example.net":  "http://localhost:80/oauth/callback",
	} {
		if got := a.RedirectAt(postroom.OAuthApp{}, base); got != want {
			t.Errorf("by %q %q, want %q", base, got, want)
		}
	}
	const own = "https://elsewhere.example.net/back"
	if got := a.RedirectAt(postroom.OAuthApp{RedirectURL: own}, "http://192.0.2.7:8025"); got != own {
		t.Errorf("%q, want what was entered", got)
	}
}
