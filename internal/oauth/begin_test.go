package oauth

import (
	"context"
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

// RFC 7636 appendix B.
func TestChallengeIsThatOfTheRFC(t *testing.T) {
	if got := challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"); got != "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" {
		t.Errorf("challenge = %s", got)
	}
}

func TestBegin(t *testing.T) {
	a := appAt("https://login.example")
	a.AuthorizeURL = "https://login.example/{tenant}/authorize?p=policy"
	a.Tenant = "contoso.onmicrosoft.com"
	a.ExtraParams = map[string]string{"access_type": "offline", "prompt": "consent"}
	b, err := a.Begin(Ask{Scopes: []string{"https://mail.google.com/", "openid"}, LoginHint: "support+x@example.com", Prompt: "select_account consent"})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(b.Address)
	if err != nil {
		t.Fatal(err)
	}
	got := u.Query()
	want := map[string]string{
		"p": "policy", "response_type": "code", "client_id": "postroom-app", "redirect_uri": "https://postroom.example/oauth/callback",
		"scope": "https://mail.google.com/ openid", "state": b.State.Reveal(), "nonce": b.Nonce.Reveal(), "code_challenge": challenge(b.Verifier.Reveal()),
		"code_challenge_method": "S256", "login_hint": "support+x@example.com", "prompt": "select_account consent", "access_type": "offline",
	}
	for name, value := range want {
		if got.Get(name) != value {
			t.Errorf("%s = %q, want %q", name, got.Get(name), value)
		}
	}
	if len(got) != len(want) || u.Host != "login.example" || u.Path != "/contoso.onmicrosoft.com/authorize" {
		t.Errorf("address = %s", b.Address)
	}
	if len(b.Verifier.Reveal()) != 43 || len(b.State.Reveal()) < 22 || strings.Contains(b.Address, b.Verifier.Reveal()) || strings.Contains(b.Address, a.Secret.Reveal()) {
		t.Error("the verifier or the state is short, or a secret is in the address")
	}
	again, err := a.Begin(Ask{})
	if err != nil || again.State.Reveal() == b.State.Reveal() || again.Verifier.Reveal() == b.Verifier.Reveal() {
		t.Errorf("a second sign-in has the same state or verifier: %v", err)
	}
	if !again.Nonce.IsEmpty() || strings.Contains(again.Address, "nonce") || strings.Contains(again.Address, "scope") || !strings.Contains(again.Address, "prompt=consent") {
		t.Errorf("without OpenID: %s", again.Address)
	}
}

func TestRegistrationsThatCannotBeUsed(t *testing.T) {
	tests := map[string]struct {
		change func(*App)
		field  string
	}{
		"no client id":              {func(a *App) { a.ClientID = "" }, "client_id"},
		"no address":                {func(a *App) { a.AuthorizeURL = "" }, "authorize_url"},
		"http":                      {func(a *App) { a.AuthorizeURL = "http://login.example/" }, "authorize_url"},
		"no host":                   {func(a *App) { a.AuthorizeURL = "https:///x" }, "authorize_url"},
		"a script":                  {func(a *App) { a.AuthorizeURL = "javascript:alert(1)" }, "authorize_url"},
		"a host that looks local":   {func(a *App) { a.AuthorizeURL = "http://127.0.0.1.example/" }, "authorize_url"},
		"a user name":               {func(a *App) { a.AuthorizeURL = "https://google.com@login.example/" }, "authorize_url"},
		"a fragment":                {func(a *App) { a.AuthorizeURL = "https://login.example/#x" }, "authorize_url"},
		"an empty fragment":         {func(a *App) { a.AuthorizeURL = "https://login.example/#" }, "authorize_url"},
		"a control character":       {func(a *App) { a.AuthorizeURL = "https://login.example/\n" }, "authorize_url"},
		"no tenant":                 {func(a *App) { a.AuthorizeURL = "https://login.example/{tenant}/" }, "tenant"},
		"a tenant that is a path":   {func(a *App) { a.AuthorizeURL, a.Tenant = "https://login.example/{tenant}/", "../x" }, "tenant"},
		"a tenant that is a host":   {func(a *App) { a.AuthorizeURL, a.Tenant = "https://{tenant}/", "evil.example/" }, "tenant"},
		"no redirect address":       {func(a *App) { a.RedirectURL = "" }, "redirect_url"},
		"a redirect by http":        {func(a *App) { a.RedirectURL = "http://postroom.example/cb" }, "redirect_url"},
		"someone else's state":      {func(a *App) { a.ExtraParams = map[string]string{"state": "x"} }, "extra_params"},
		"no secret":                 {func(a *App) { a.Auth, a.Secret = AuthHeader, postroom.Secret{} }, "client_secret"},
		"no key":                    {func(a *App) { a.Auth = AuthKey }, "private_key"},
		"a proof nobody here knows": {func(a *App) { a.Auth = "tls_client_auth" }, "auth"},
	}
	for name, test := range tests {
		a := appAt("https://login.example")
		a.AuthorizeURL = "https://login.example/authorize"
		test.change(&a)
		var wrong *AppError
		if _, err := a.Begin(Ask{}); !errors.As(err, &wrong) || wrong.Field != test.field {
			t.Errorf("%s: %v, want what is wrong with %s", name, err, test.field)
		}
	}
	for _, redirect := range []string{"http://localhost:8080/cb", "http://127.0.0.1/cb", "http://[::1]:9/cb"} {
		a := appAt("https://login.example")
		a.AuthorizeURL, a.RedirectURL = "https://login.example/authorize", redirect
		if _, err := a.Begin(Ask{}); err != nil || !a.LoopbackRedirect() {
			t.Errorf("%s: %v, or not on this machine", redirect, err)
		}
	}
}

// Nothing is asked with a registration that cannot be used.
func TestNothingSecretGoesOutInClear(t *testing.T) {
	a := appAt("https://login.example")
	a.TokenURL = "http://192.0.2.1/token"
	var wrong *AppError
	if _, err := new(Client).Refresh(context.Background(), a, postroom.Hide("r"), nil); !errors.As(err, &wrong) || wrong.Field != "token_url" {
		t.Errorf("error = %v, want what is wrong with token_url", err)
	}
	a.Secret = postroom.Secret{}
	if _, err := new(Client).ClientToken(context.Background(), a, nil); !errors.As(err, &wrong) || wrong.Field != "client_secret" {
		t.Errorf("error = %v, want what is wrong with client_secret", err)
	}
}

func TestScopesForSeveralUses(t *testing.T) {
	a := App{Scopes: map[postroom.Protocol][]string{postroom.IMAP: {"imap", "offline_access"}, postroom.SMTP: {"smtp", "offline_access"}}}
	if got := strings.Join(a.ScopesFor(postroom.IMAP, postroom.SMTP, postroom.POP3), " "); got != "imap offline_access smtp" {
		t.Errorf("scopes = %s", got)
	}
}

func TestReturns(t *testing.T) {
	const from = "https://honest.as.example"
	tests := map[string]struct {
		query string
		cause error  // nil: none, or a Refusal with code
		code  string // of the refusal
	}{
		"a code":                        {"code=4%2F0A&state=s", nil, ""},
		"RFC 9207 section 2.1":          {"code=x1848ZT64p4IirMPT0R-X3141MFPTuBX-VFL_cvaplMH58&state=ZWVlNDBlYzA1NjdkMDNhYjg3ZjUxZjAyNGQzMTM2NzI&iss=https%3A%2F%2Fhonest.as.example", nil, ""},
		"RFC 9207 section 2.2":          {"error=access_denied&state=N2JjNGJhY2JiZjRhYzA3MGJkMzNmMDE5OWJhZmJhZjA&iss=https%3A%2F%2Fhonest.as.example", nil, "access_denied"},
		"Microsoft":                     {"error=access_denied&error_subcode=cancel&state=s&error_description=AADSTS65004%3a+User+declined+to+consent+to+access+the+app.", nil, "access_denied"},
		"another provider":              {"code=c&state=s&iss=https%3A%2F%2Fattacker.example", ErrIssuer, ""},
		"nearly the provider":           {"code=c&state=s&iss=https%3A%2F%2Fhonest.as.example%2F", ErrIssuer, ""},
		"another provider that refuses": {"error=access_denied&state=s&iss=https%3A%2F%2Fattacker.example", ErrIssuer, ""},
		"no state":                      {"code=c", ErrReturn, ""},
		"nothing":                       {"", ErrReturn, ""},
		"only a state":                  {"state=s", ErrReturn, ""},
		"both":                          {"state=s&code=c&error=x", ErrReturn, ""},
		"two codes":                     {"state=s&code=c&code=d", ErrReturn, ""},
		"two states":                    {"state=s&state=s&code=d", ErrReturn, ""},
		"a line's end":                  {"state=s&code=c%0a", ErrReturn, ""},
		"a book":                        {"state=s&code=" + strings.Repeat("x", maxToken+1), ErrReturn, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			query, err := url.ParseQuery(test.query)
			if err != nil {
				t.Fatal(err)
			}
			r, err := ReadReturn(query)
			if err == nil {
				err = App{Issuer: from}.Check(r)
			}
			refusal, refused := RefusalOf(err)
			switch {
			case test.cause != nil && !errors.Is(err, test.cause):
				t.Errorf("error = %v, want %v", err, test.cause)
			case test.cause == nil && refused != (test.code != ""):
				t.Errorf("error = %v, want code %q", err, test.code)
			case refused && (refusal.Code != test.code || refusal.Phase != PhaseAuthorize):
				t.Errorf("refusal = %+v, want %s", refusal, test.code)
			case test.cause == nil && !refused && (err != nil || r.Code.Reveal() != query.Get("code") || r.State.Reveal() != query.Get("state")):
				t.Errorf("return = %q, %v", r.Code.Reveal(), err)
			}
		})
	}
	if err := (App{Issuer: from, ReturnsIssuer: true}).Check(Return{Code: postroom.Hide("c")}); !errors.Is(err, ErrIssuer) {
		t.Errorf("a provider that always says who it is did not: %v", err)
	}
}

// An answer of somebody else is not exchanged.
func TestMixedUpProvidersGetNoCode(t *testing.T) {
	p := provide(t, says(200, "application/json", `{"access_token":"a"}`))
	a := p.app()
	a.Issuer = "https://honest.as.example"
	r := Return{State: postroom.Hide("s"), Code: postroom.Hide("c"), Issuer: "https://attacker.example"}
	if _, err := p.client().Exchange(context.Background(), a, r, postroom.Hide("v"), nil); !errors.Is(err, ErrIssuer) || len(p.asked) != 0 {
		t.Errorf("error %v, asked %d times", err, len(p.asked))
	}
}

// As Microsoft describes its endpoint for administrators.
func TestAnAdministratorAllowsAnApp(t *testing.T) {
	a := appAt("https://login.example")
	if _, err := a.AskAdmin(nil); !errors.Is(err, ErrNotOffered) {
		t.Errorf("without an address: %v", err)
	}
	a.ConsentURL, a.Tenant, a.Secret = "https://login.microsoftonline.com/{tenant}/v2.0/adminconsent", "organizations", postroom.Secret{}
	b, err := a.AskAdmin([]string{"https://outlook.office.com/IMAP.AccessAsUser.All", "offline_access"})
	if err != nil {
		t.Fatal(err)
	}
	want := "https://login.microsoftonline.com/organizations/v2.0/adminconsent?client_id=postroom-app&redirect_uri=https%3A%2F%2Fpostroom.example%2Foauth%2Fcallback&scope=https%3A%2F%2Foutlook.office.com%2FIMAP.AccessAsUser.All+offline_access&state=" + b.State.Reveal()
	if b.Address != want || b.State.IsEmpty() || !b.Verifier.IsEmpty() {
		t.Errorf("address = %s, want %s", b.Address, want)
	}
	r, err := ReadPasted("http://localhost/cb?admin_consent=True&tenant=" + contoso + "&scope=x&state=s")
	if err != nil || !r.Allowed || r.Tenant != contoso || a.Check(r) != nil {
		t.Errorf("return = %+v, %v", r, err)
	}
	if _, err := new(Client).Exchange(context.Background(), a, r, postroom.Hide("v"), nil); !errors.Is(err, ErrReturn) {
		t.Errorf("there is no code to exchange: %v", err)
	}
	r, err = ReadPasted("?error=permission_denied&error_description=The+admin+canceled+the+request&admin_consent=True&state=s")
	if err != nil || r.Allowed || r.Refusal == nil || r.Refusal.Code != "permission_denied" {
		t.Errorf("return = %+v, %v", r, err)
	}
	r, err = ReadPasted("?code=c&admin_consent=True&state=s")
	if err != nil || r.Allowed || r.Code.IsEmpty() {
		t.Errorf("return = %+v, %v", r, err)
	}
	if _, err := ReadPasted("?admin_consent=False&state=s"); !errors.Is(err, ErrReturn) {
		t.Errorf("neither allowed nor refused: %v", err)
	}
}

func TestPastedAddresses(t *testing.T) {
	for _, text := range []string{
		"http://127.0.0.1:8080/oauth/callback?state=s&code=4%2F0A&scope=https://mail.google.com/",
		"  \"https://postroom.example/oauth/callback?code=4/0A&state=s#\"\n", "code=4/0A&state=s", "?state=s&code=4/0A", "<http://localhost/?state=s&code=4/0A>",
	} {
		r, err := ReadPasted(text)
		if err != nil || r.Code.Reveal() != "4/0A" || r.State.Reveal() != "s" {
			t.Errorf("%s: %q %q, %v", text, r.Code.Reveal(), r.State.Reveal(), err)
		}
	}
	for _, text := range []string{"", "4/0AQSTgQF", "https://postroom.example/", "https://x/?state=s&code=%zz", "?code=4/0A&state=s&x=" + strings.Repeat("x", maxReturn)} {
		if _, err := ReadPasted(text); !errors.Is(err, ErrReturn) || strings.Contains(err.Error(), "4/0A") || strings.Contains(err.Error(), "%zz") {
			t.Errorf("%.40s: %v", text, err)
		}
	}
}
