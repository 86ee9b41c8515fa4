package credential

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

var appAdmin = postroom.Viewer{User: 1, Role: postroom.RoleAdmin, Name: "Ana"}

const (
	aGUID      = "11111111-2222-3333-4444-555555555555"
	otherGUID  = "99999999-2222-3333-4444-555555555555"
	aGoogleID  = "1234567890-abc" + googleClient
	appsSecret = "GOCSPX-not-a-real-one-at-all"
)

func newApps(t *testing.T) *Apps {
	t.Helper()
	return &Apps{Store: openStore(t), Ring: newRing(t), Presets: &provider.Presets{}, Base: "https://post.example.net"}
}

// rsaKey is one key for all tests: to find one takes a while.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func pemOf(t *testing.T, key any) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

func certificateOf(t *testing.T, key *rsa.PrivateKey, ends time.Time) string {
	t.Helper()
	template := x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Postroom"}, NotBefore: ends.AddDate(-1, 0, 0), NotAfter: ends}
	der, err := x509.CreateCertificate(rand.Reader, &template, &template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func keyFile(t *testing.T, email, tokenURL string) string {
	t.Helper()
	file, err := json.Marshal(map[string]string{
		"type": "service_account", "client_email": email, "client_id": "104857600000000000001", "private_key_id": "k1",
		"private_key": pemOf(t, rsaKey()), "token_uri": tokenURL,
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(file)
}

func newApp(provider, id, secret string) NewApp {
	return NewApp{OAuthApp: postroom.OAuthApp{Provider: provider, ClientID: id}, Secret: postroom.Hide(secret)}
}

func TestARegistrationIsKeptAndItsSecretIsNot(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	n := newApp("gmail", "  "+aGoogleID+"\n", " \u200b“"+appsSecret+"”\r\n")
	n.Name = " Our Gmail "
	app, err := a.Add(ctx, appAdmin, n)
	if err != nil {
		t.Fatal(err)
	}
	if app.ClientID != aGoogleID || app.Name != "Our Gmail" || app.Kind != postroom.AppSignIn || app.SecretKind != postroom.AppSecretText || app.ID == 0 {
		t.Errorf("Add = %+v", app)
	}
	again, err := a.App(ctx, appAdmin, app.ID)
	if err != nil || cmp.Diff(app, again) != "" {
		t.Errorf("App = %v\n%s", err, cmp.Diff(app, again))
	}
	kept, err := a.Store.OAuthApp(ctx, app.ID)
	if err != nil || len(kept.Sealed) == 0 || strings.Contains(string(kept.Sealed), "GOCSPX") {
		t.Errorf("the secret is kept in clear, or not at all: %v", err)
	}
	r, err := a.Registration(ctx, app.ID)
	if err != nil {
		t.Fatal(err)
	}
	if r.OAuth.Secret.Reveal() != appsSecret || r.OAuth.RedirectURL != "https://post.example.net/oauth/callback" {
		t.Errorf("Registration has the secret %t, redirect %q", r.OAuth.Secret.Reveal() == appsSecret, r.OAuth.RedirectURL)
	}
	if text := fmt.Sprintf("%v %+v %#v", r, r, r); strings.Contains(text, appsSecret) {
		t.Error("a registration prints its secret")
	}
	list, err := a.List(ctx, appAdmin)
	if err != nil || len(list) != 1 {
		t.Errorf("List = %v, %v", list, err)
	}
}

func TestOnlyAdministratorsSeeRegistrations(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	agent := postroom.Viewer{User: 2, Role: postroom.RoleAgent}
	_, add := a.Add(ctx, agent, newApp("gmail", aGoogleID, appsSecret))
	_, list := a.List(ctx, agent)
	_, one := a.App(ctx, agent, 1)
	_, change := a.Change(ctx, agent, 1, nil, nil)
	_, check := a.Check(ctx, agent, 1)
	for what, err := range map[string]error{"Add": add, "List": list, "App": one, "Change": change, "Check": check, "Remove": a.Remove(ctx, agent, 1)} {
		if postroom.KindOf(err) != postroom.Forbidden {
			t.Errorf("%s by an agent = %v", what, err)
		}
	}
}

func TestWhatIsEnteredInTheWrongPlaceIsSaid(t *testing.T) {
	soon := time.Now().AddDate(0, 0, 100).Truncate(time.Second)
	small, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	with := func(n NewApp, change func(*NewApp)) NewApp { change(&n); return n }
	tests := map[string]struct {
		n           NewApp
		field, word string
	}{
		"no provider":                        {newApp("", aGoogleID, appsSecret), "provider", "missing"},
		"a provider that nobody knows":       {newApp("googel", aGoogleID, appsSecret), "provider", "googel"},
		"a provider without OAuth":           {newApp("gmx_net", "id", "gen-eric-1"), "provider", "app password"},
		"no client id":                       {newApp("gmail", "", appsSecret), "client_id", "missing"},
		"an address at Google":               {newApp("gmail", "robin@example.net", appsSecret), "client_id", "apps.googleusercontent.com"},
		"Google's with its secret":           {newApp("gmail", appsSecret, appsSecret), "client_id", "client secret"},
		"Google's secret is the client id":   {newApp("gmail", aGoogleID, aGoogleID), "client_secret", "client id"},
		"Google without a secret":            {newApp("gmail", aGoogleID, ""), "client_secret", "missing"},
		"Microsoft's is the secret":          {newApp("microsoft365", "abc8Q~defghijkl", "abc8Q~defghijkl"), "client_id", "client secret"},
		"Microsoft's secret is its id":       {newApp("microsoft365", aGUID, otherGUID), "client_secret", "Value"},
		"the tenant is the client id":        {with(newApp("microsoft365", aGUID, "abc~def"), func(n *NewApp) { n.Tenant = aGUID }), "tenant", "copied twice"},
		"the tenant is an address":           {with(newApp("microsoft365", aGUID, "abc~def"), func(n *NewApp) { n.Tenant = "ana@contoso.com" }), "tenant", "mail address"},
		"the tenant is a name":               {with(newApp("microsoft365", aGUID, "abc~def"), func(n *NewApp) { n.Tenant = "Contoso Ltd" }), "tenant", "is neither"},
		"a tenant at Google":                 {with(newApp("gmail", aGoogleID, appsSecret), func(n *NewApp) { n.Tenant = "contoso.com" }), "tenant", "Microsoft"},
		"a program without a tenant":         {with(newApp("microsoft365", aGUID, "abc~def"), func(n *NewApp) { n.Kind = postroom.AppClient }), "tenant", "one organisation"},
		"a program for all tenants":          {with(newApp("microsoft365", aGUID, "abc~def"), func(n *NewApp) { n.Kind, n.Tenant = postroom.AppClient, "Common" }), "tenant", "one organisation"},
		"a program without a secret":         {with(newApp("microsoft365", aGUID, ""), func(n *NewApp) { n.Kind, n.Tenant = postroom.AppClient, otherGUID }), "client_secret", "certificate"},
		"a program in its own name, Google":  {with(newApp("gmail", aGoogleID, appsSecret), func(n *NewApp) { n.Kind = postroom.AppClient }), "kind", "service account"},
		"a service account without a file":   {with(newApp("google_workspace", aGoogleID, appsSecret), func(n *NewApp) { n.Kind = postroom.AppServiceAccount }), "client_secret", "key file"},
		"a service account at Microsoft":     {newApp("microsoft365", aGUID, keyFile(t, "robot@project.iam.gserviceaccount.com", "")), "kind", "Google's"},
		"people by a service account":        {with(newApp("google_workspace", "", keyFile(t, "r@p.example", "")), func(n *NewApp) { n.Kind = postroom.AppSignIn }), "client_secret", "do not sign in"},
		"a kind that is none":                {with(newApp("gmail", aGoogleID, appsSecret), func(n *NewApp) { n.Kind = "magic" }), "kind", "magic"},
		"half a file":                        {newApp("gmail", "", keyFile(t, "r@p.example", "")[:200]), "client_secret", "cut off"},
		"a file of something else":           {newApp("google_workspace", "", `{"type":"authorized_user","refresh_token":"1//x"}`), "client_secret", "service account"},
		"a file without a secret":            {newApp("gmail", "", `{"web":{"client_id":"`+aGoogleID+`"}}`), "client_secret", "no client secret"},
		"only the certificate":               {newApp("microsoft365", aGUID, certificateOf(t, rsaKey(), soon)), "client_secret", "private key that belongs to it is missing"},
		"only the key":                       {newApp("microsoft365", aGUID, pemOf(t, rsaKey())), "client_secret", "certificate is missing"},
		"a key that is too weak":             {newApp("microsoft365", aGUID, pemOf(t, small)), "client_secret", "2048"},
		"a locked key":                       {newApp("microsoft365", aGUID, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----"), "client_secret", "password"},
		"a certificate that has ended":       {newApp("microsoft365", aGUID, pemOf(t, rsaKey())+certificateOf(t, rsaKey(), time.Now().AddDate(0, 0, -3))), "client_secret", "ended on"},
		"two things in one":                  {newApp("gmail", aGoogleID, "Client secret: abc"), "client_secret", "blanks"},
		"a secret that has ended":            {with(newApp("microsoft365", aGUID, "abc~def"), func(n *NewApp) { n.SecretExpiresAt = time.Now().Add(-time.Hour) }), "secret_expires_at", "ended on"},
		"generic without an address":         {newApp("generic", "id", "gen-eric-1"), "token_url", "issuer"},
		"generic without a place to sign in": {with(newApp("generic", "id", "gen-eric-1"), func(n *NewApp) { n.TokenURL = "https://a.example/token" }), "authorize_url", "sign in"},
		"not encrypted": {with(newApp("generic", "id", "gen-eric-1"), func(n *NewApp) {
			n.AuthorizeURL, n.TokenURL = "https://a.example/auth", "http://a.example/token"
		}), "token_url", "https://"},
		"an issuer that is no address": {with(newApp("generic", "id", "gen-eric-1"), func(n *NewApp) { n.Issuer = "keycloak" }), "issuer", "address"},
		"a parameter that is ours": {with(newApp("generic", "id", "gen-eric-1"), func(n *NewApp) {
			n.Issuer, n.ExtraParams = "https://a.example", map[string]string{"state": "x"}
		}), "extra_params", "state"},
		"a redirect without encryption": {with(newApp("gmail", aGoogleID, appsSecret), func(n *NewApp) { n.RedirectURL = "http://post.example.net/oauth/callback" }), "redirect_url", "https://"},
		"a scope with a quote":          {with(newApp("gmail", aGoogleID, appsSecret), func(n *NewApp) { n.Scopes = []string{`mail"all`} }), "scopes", "scope"},
	}
	a := newApps(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app, err := a.Add(t.Context(), appAdmin, test.n)
			f, ok := postroom.FaultOf(err)
			if !ok {
				t.Fatalf("Add = %+v, %v, want a Fault", app, err)
			}
			if f.Kind != postroom.Invalid || f.Field != test.field || !strings.Contains(f.Explanation+" "+f.Remedy, test.word) || f.Remedy == "" {
				t.Errorf("Fault %s about %q: %s / %s; want %q about %q", f.Kind, f.Field, f.Explanation, f.Remedy, test.word, test.field)
			}
			if secret := strings.TrimSpace(test.n.Secret.Reveal()); secret != "" && secret != test.n.ClientID && strings.Contains(err.Error()+f.Remedy, secret) {
				t.Error("the Fault tells the secret")
			}
			if list, err := a.List(t.Context(), appAdmin); err != nil || len(list) != 0 {
				t.Errorf("kept all the same: %v, %v", list, err)
			}
		})
	}
}

func TestWhatWasPastedIsUnderstood(t *testing.T) {
	soon := time.Now().AddDate(0, 0, 100).UTC().Truncate(time.Second)
	tests := map[string]struct {
		n    NewApp
		want postroom.OAuthApp
	}{
		"Google's file as the secret": {
			newApp("google_workspace", "", `{"web":{"client_id":"`+aGoogleID+`","project_id":"p","client_secret":"`+appsSecret+`"}}`),
			postroom.OAuthApp{Name: "Google Workspace", Provider: "google_workspace", Kind: postroom.AppSignIn, ClientID: aGoogleID, SecretKind: postroom.AppSecretText},
		},
		"Google's file as the client id": {
			newApp("gmail", ` {"installed":{"client_id":"`+aGoogleID+`","client_secret":"`+appsSecret+`"}} `, ""),
			postroom.OAuthApp{Name: "Gmail", Provider: "gmail", Kind: postroom.AppSignIn, ClientID: aGoogleID, SecretKind: postroom.AppSecretText},
		},
		"the key of a service account": {
			newApp("google_workspace", "", "\ufeff"+keyFile(t, "robot@project.iam.gserviceaccount.com", "")),
			postroom.OAuthApp{Name: "Google Workspace", Provider: "google_workspace", Kind: postroom.AppServiceAccount, ClientID: "104857600000000000001", SecretKind: postroom.AppSecretKeyFile},
		},
		"a key with its certificate": {
			newApp("microsoft365", aGUID, pemOf(t, rsaKey())+certificateOf(t, rsaKey(), soon)),
			postroom.OAuthApp{Name: "Microsoft 365", Provider: "microsoft365", Kind: postroom.AppSignIn, ClientID: aGUID, SecretKind: postroom.AppSecretCertificate, SecretExpiresAt: soon},
		},
		"Microsoft's address as the tenant": {
			NewApp{OAuthApp: postroom.OAuthApp{Provider: "microsoft365", ClientID: aGUID, Tenant: "https://login.microsoftonline.com/contoso.onmicrosoft.com/oauth2/v2.0/token"}},
			postroom.OAuthApp{Name: "Microsoft 365", Provider: "microsoft365", Kind: postroom.AppSignIn, ClientID: aGUID, Tenant: "contoso.onmicrosoft.com"},
		},
		"scopes in one line": {
			NewApp{OAuthApp: postroom.OAuthApp{Provider: "generic", ClientID: "id", Issuer: "https://id.example", Scopes: []string{"openid email,imap", "email"}}},
			postroom.OAuthApp{Name: "id.example", Provider: "generic", Kind: postroom.AppSignIn, ClientID: "id", Issuer: "https://id.example", Scopes: []string{"openid", "email", "imap"}},
		},
		"http to this computer": {
			NewApp{OAuthApp: postroom.OAuthApp{Provider: "generic", ClientID: "id", AuthorizeURL: "http://127.0.0.1:8080/auth", TokenURL: "http://localhost:8080/token"}},
			postroom.OAuthApp{Name: "127.0.0.1", Provider: "generic", Kind: postroom.AppSignIn, ClientID: "id", AuthorizeURL: "http://127.0.0.1:8080/auth", TokenURL: "http://localhost:8080/token"},
		},
	}
	a := newApps(t)
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			app, err := a.Add(t.Context(), appAdmin, test.n)
			if err != nil {
				t.Fatal(err)
			}
			app.ID, app.CreatedAt, app.UpdatedAt = 0, time.Time{}, time.Time{}
			if diff := cmp.Diff(test.want, app); diff != "" {
				t.Errorf("Add (-want +got):\n%s", diff)
			}
		})
	}
}

func TestABlankMayBeInASecretOfAProviderThatIsNotKnown(t *testing.T) {
	a := newApps(t)
	n := newApp("generic", "id", " of three words ")
	n.AuthorizeURL, n.TokenURL = "https://id.example/auth", "https://id.example/token"
	app, err := a.Add(t.Context(), appAdmin, n)
	if err != nil {
		t.Fatal(err)
	}
	r, err := a.Registration(t.Context(), app.ID)
	if err != nil || r.OAuth.Secret.Reveal() != "of three words" {
		t.Errorf("the secret is %q, %v", r.OAuth.Secret.Reveal(), err)
	}
	n.Secret = postroom.Hide("of two\nlines")
	_, err = a.Add(t.Context(), appAdmin, n)
	if postroom.KindOf(err) != postroom.Invalid {
		t.Errorf("two lines: %v", err)
	}
}

func TestANewSecretKeepsTheRegistration(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	n := newApp("microsoft365", aGUID, "old~secret")
	n.SecretExpiresAt = time.Now().AddDate(0, 1, 0).UTC().Truncate(time.Microsecond)
	app, err := a.Add(ctx, appAdmin, n)
	if err != nil {
		t.Fatal(err)
	}
	renamed, err := a.Change(ctx, appAdmin, app.ID, func(app *postroom.OAuthApp) error { app.Name = "Contoso"; return nil }, nil)
	if err != nil || renamed.Name != "Contoso" || !renamed.SecretExpiresAt.Equal(n.SecretExpiresAt) || renamed.SecretKind != postroom.AppSecretText {
		t.Errorf("renamed = %+v, %v", renamed, err)
	}
	secret := postroom.Hide("new~secret")
	changed, err := a.Change(ctx, appAdmin, app.ID, nil, &secret)
	if err != nil || changed.ID != app.ID || !changed.SecretExpiresAt.IsZero() {
		t.Errorf("with a new secret, of which nobody said when it ends: %+v, %v", changed, err)
	}
	r, err := a.Registration(ctx, app.ID)
	if err != nil || r.OAuth.Secret.Reveal() != "new~secret" {
		t.Errorf("Registration has another secret: %v", err)
	}
	secret = postroom.Hide(pemOf(t, rsaKey()) + certificateOf(t, rsaKey(), time.Now().AddDate(1, 0, 0)))
	changed, err = a.Change(ctx, appAdmin, app.ID, nil, &secret)
	if err != nil || changed.SecretKind != postroom.AppSecretCertificate || changed.SecretExpiresAt.IsZero() {
		t.Errorf("with a certificate: %+v, %v", changed, err)
	}
	if r, err = a.Registration(ctx, app.ID); err != nil || r.OAuth.Key == nil || r.OAuth.Key.Thumbprint == "" || !r.OAuth.Secret.IsEmpty() {
		t.Errorf("Registration with a certificate: %v", err)
	}
	// Nobody can say that a certificate lasts longer than it does.
	later, err := a.Change(ctx, appAdmin, app.ID, func(app *postroom.OAuthApp) error { app.SecretExpiresAt = time.Now().AddDate(9, 0, 0); return nil }, nil)
	if err != nil || !later.SecretExpiresAt.Equal(changed.SecretExpiresAt) {
		t.Errorf("the end of the certificate = %v, want %v, %v", later.SecretExpiresAt, changed.SecretExpiresAt, err)
	}
	none := postroom.Secret{}
	if changed, err = a.Change(ctx, appAdmin, app.ID, nil, &none); err != nil || changed.SecretKind != postroom.AppSecretNone {
		t.Errorf("without a secret: %+v, %v", changed, err)
	}
}

func TestTwoWhoChangeARegistrationLoseNothing(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	app, err := a.Add(ctx, appAdmin, newApp("gmail", aGoogleID, appsSecret))
	if err != nil {
		t.Fatal(err)
	}
	once := false
	changed, err := a.Change(ctx, appAdmin, app.ID, func(app *postroom.OAuthApp) error {
		if !once {
			once = true
			if _, err := a.Change(ctx, appAdmin, app.ID, func(app *postroom.OAuthApp) error { app.IsTesting = true; return nil }, nil); err != nil {
				t.Error(err)
			}
		}
		app.Name = "Ours"
		return nil
	}, nil)
	if err != nil || changed.Name != "Ours" || !changed.IsTesting {
		t.Errorf("Change = %+v, %v", changed, err)
	}
}

func TestASecretThatDoesNotOpenIsSaid(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	app, err := a.Add(ctx, appAdmin, newApp("gmail", aGoogleID, appsSecret))
	if err != nil {
		t.Fatal(err)
	}
	a.Ring = newRing(t)
	_, err = a.Registration(ctx, app.ID)
	wantWords(t, err, postroom.NeedsRepair, "not in the key file")
}

func TestARegistrationThatIsUsedIsNotRemoved(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	app, err := a.Add(ctx, appAdmin, newApp("gmail", aGoogleID, appsSecret))
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"a@gmail.com", "b@gmail.com", "c@gmail.com", "d@gmail.com"} {
		signIn(t, a, app.ID, address, time.Now())
	}
	app, err = a.App(ctx, appAdmin, app.ID)
	if err != nil || app.Mailboxes != 4 {
		t.Errorf("%d mailboxes sign in by it, want 4, %v", app.Mailboxes, err)
	}
	wantTold(t, a.Remove(ctx, appAdmin, app.ID), postroom.Conflict, "4 mailboxes", "a@gmail.com, b@gmail.com, c@gmail.com and 1 more")
	_, err = a.Change(ctx, appAdmin, app.ID, func(app *postroom.OAuthApp) error { app.ClientID = "2" + aGoogleID; return nil }, nil)
	wantTold(t, err, postroom.Conflict, "4 mailboxes", "of its own")
	if _, err := a.Store.OAuthApp(ctx, app.ID); err != nil {
		t.Errorf("removed all the same: %v", err)
	}
}

func TestARemovedRegistrationIsGone(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	app, err := a.Add(ctx, appAdmin, newApp("gmail", aGoogleID, appsSecret))
	if err != nil {
		t.Fatal(err)
	}
	if err := a.Remove(ctx, appAdmin, app.ID); err != nil {
		t.Fatal(err)
	}
	_, err = a.Registration(ctx, app.ID)
	wantWords(t, err, postroom.NotFound, "no longer")
	wantWords(t, a.Remove(ctx, appAdmin, app.ID), postroom.NotFound, "no longer")
	if list, err := a.List(ctx, appAdmin); err != nil || len(list) != 0 {
		t.Errorf("List = %v, %v", list, err)
	}
}

// signIn has a mailbox opened by a grant of a registration.
func signIn(t *testing.T, a *Apps, app postroom.OAuthAppID, address string, at time.Time) postroom.MailboxID {
	t.Helper()
	m, err := a.Store.AddMailbox(context.Background(), postroom.Mailbox{Address: address}, "password",
		func(id postroom.MailboxID) ([]byte, error) {
			return a.Ring.Seal(postroom.Hide("x"), vault.Place{Table: "credential", Column: "sealed", Row: id.String()})
		})
	if err != nil {
		t.Fatal(err)
	}
	adopt(t, a, app, m.ID, at)
	return m.ID
}

// adopt makes a grant of a registration what opens a mailbox.
func adopt(t *testing.T, a *Apps, app postroom.OAuthAppID, m postroom.MailboxID, at time.Time) postroom.GrantID {
	t.Helper()
	g, err := a.Store.AddGrant(context.Background(), store.NewGrant{
		Grant:      postroom.Grant{Mailbox: m, App: app, Way: postroom.GrantByCode, SignedInAt: at, Scopes: []string{"mail"}},
		AccountKey: fmt.Sprint(m),
		Seal: func(postroom.GrantID) (store.SealedTokens, error) {
			return store.SealedTokens{Refresh: []byte("sealed")}, nil
		},
	})
	if err == nil {
		err = a.Store.AdoptGrant(context.Background(), store.Adoption{Grant: g.ID})
	}
	if err != nil {
		t.Fatal(err)
	}
	return g.ID
}

// wantTold is wantWords for several words, wherever the Fault says them.
func wantTold(t *testing.T, err error, kind postroom.Kind, words ...string) {
	t.Helper()
	f, ok := postroom.FaultOf(err)
	if !ok || f.Kind != kind || f.Remedy == "" {
		t.Fatalf("error %v (kind %q), want a fault of kind %q", err, postroom.KindOf(err), kind)
	}
	for _, word := range words {
		if !strings.Contains(f.Explanation+" "+f.Remedy, word) {
			t.Errorf("%s / %s, want it to say %q", f.Explanation, f.Remedy, word)
		}
	}
}
