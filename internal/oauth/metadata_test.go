package oauth

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// The places of RFC 8414 sections 3 and 5 and of OpenID Connect Discovery section 4.
func TestDiscoverLooksWhereMetadataMayBe(t *testing.T) {
	tests := map[string]struct {
		issuer string // behind the host
		at     string
		tries  int
	}{
		"OpenID":                     {"", "/.well-known/openid-configuration", 1},
		"OpenID, with a slash":       {"/", "/.well-known/openid-configuration", 1},
		"OpenID, with a path":        {"/realms/mail", "/realms/mail/.well-known/openid-configuration", 1},
		"RFC 8414":                   {"", "/.well-known/oauth-authorization-server", 2},
		"RFC 8414, with a path":      {"/issuer1", "/.well-known/oauth-authorization-server/issuer1", 2},
		"OpenID in RFC 8414's place": {"/issuer1", "/.well-known/openid-configuration/issuer1", 3},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var p *provider
			p = provide(t, func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != test.at {
					says(404, "text/html", "<html>not here")(w, r)
					return
				}
				says(200, "application/json", `{"issuer":"`+p.URL+test.issuer+`","authorization_endpoint":"`+p.URL+`/a","token_endpoint":"`+p.URL+`/t"}`)(w, r)
			})
			m, err := p.client().Discover(context.Background(), App{Issuer: p.URL + test.issuer})
			if err != nil || m.TokenURL != p.URL+"/t" || len(p.asked) != test.tries {
				t.Errorf("metadata = %+v, %v, after %d questions, want %d", m, err, len(p.asked), test.tries)
			}
		})
	}
}

func TestMetadataFillsARegistration(t *testing.T) {
	var p *provider
	p = provide(t, func(w http.ResponseWriter, r *http.Request) {
		says(200, "application/json", strings.ReplaceAll(`{"issuer":"HOST","authorization_endpoint":"HOST/a","token_endpoint":"HOST/t","device_authorization_endpoint":"HOST/d","revocation_endpoint":"http://in-clear.example/r",
			"userinfo_endpoint":"HOST/u","jwks_uri":"HOST/k","scopes_supported":["openid","mail"],"grant_types_supported":["authorization_code","refresh_token"],
			"code_challenge_methods_supported":["plain","S256"],"token_endpoint_auth_methods_supported":["client_secret_basic","private_key_jwt"],"authorization_response_iss_parameter_supported":true}`, "HOST", p.URL))(w, r)
	})
	m, err := p.client().Discover(context.Background(), App{Issuer: p.URL})
	if err != nil {
		t.Fatal(err)
	}
	got := m.Fill(App{ClientID: "x", Secret: postroom.Hide("s"), TokenURL: "https://ours.example/token"})
	if got.Issuer != p.URL || got.AuthorizeURL != p.URL+"/a" || got.TokenURL != "https://ours.example/token" || got.DeviceURL != p.URL+"/d" || got.RevokeURL != "" ||
		got.UserInfoURL != p.URL+"/u" || !got.ReturnsIssuer || got.Auth != AuthHeader {
		t.Errorf("app = %+v", got)
	}
	if !m.TakesS256() || !slices.Equal(m.Scopes, []string{"openid", "mail"}) || !slices.Equal(m.GrantTypes, []string{"authorization_code", "refresh_token"}) {
		t.Errorf("metadata = %+v", m)
	}
	if (Metadata{Challenges: []string{"plain"}}).TakesS256() || !(Metadata{}).TakesS256() {
		t.Error("who knows plain only takes S256, or who says nothing does not")
	}
	for want, says := range map[Auth][]Auth{AuthHeader: nil, "": {AuthBody, AuthHeader}} {
		if got := (Metadata{Auth: says}).Fill(App{Secret: postroom.Hide("s")}).Auth; got != want {
			t.Errorf("with %q the secret goes by %q, want %q", says, got, want)
		}
	}
	if got := (Metadata{}).Fill(App{Secret: postroom.Hide("s"), Auth: AuthBody}).Auth; got != AuthBody {
		t.Errorf("what was chosen became %q", got)
	}
}

// A slash too few is what people write; the provider's own spelling counts from then on.
func TestASlashAtTheEndOfAnIssuer(t *testing.T) {
	var p *provider
	p = provide(t, func(w http.ResponseWriter, r *http.Request) {
		says(200, "application/json", `{"issuer":"`+p.URL+`/","token_endpoint":"`+p.URL+`/t"}`)(w, r)
	})
	m, err := p.client().Discover(context.Background(), App{Issuer: p.URL})
	if err != nil || m.Fill(App{Issuer: p.URL}).Issuer != p.URL+"/" {
		t.Errorf("issuer = %q, %v", m.Fill(App{Issuer: p.URL}).Issuer, err)
	}
}

// Microsoft's metadata for many organisations has a place for the one that signs in.
func TestMetadataForManyOrganisations(t *testing.T) {
	var p *provider
	p = provide(t, func(w http.ResponseWriter, r *http.Request) {
		says(200, "application/json", `{"issuer":"`+p.URL+`/{tenantid}/v2.0","token_endpoint":"`+p.URL+`/t"}`)(w, r)
	})
	for name, a := range map[string]App{"with a place": {Issuer: p.URL + "/{tenant}/v2.0", Tenant: "organizations"}, "without": {Issuer: p.URL + "/organizations/v2.0"}} {
		a.ClientID = "postroom-app"
		m, err := p.client().Discover(context.Background(), a)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		g := Grant{IDToken: idToken(t, with(map[string]any{"iss": p.URL + "/" + contoso + "/v2.0", "tid": contoso}))}
		if _, err := p.client().Account(context.Background(), m.Fill(a), g, postroom.Secret{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if p.asked[len(p.asked)-1].path != "/organizations/v2.0/.well-known/openid-configuration" {
			t.Errorf("%s: asked %s", name, p.asked[len(p.asked)-1].path)
		}
	}
}

func TestMetadataThatIsNotBelieved(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		cause  error
		tries  int
	}{
		"another's":         {200, `{"issuer":"https://evil.example","token_endpoint":"https://evil.example/t"}`, ErrIssuer, 1},
		"nobody's":          {200, `{"token_endpoint":"https://evil.example/t"}`, ErrIssuer, 1},
		"no token endpoint": {200, `{"issuer":"HOST"}`, ErrAnswer, 1},
		"one in clear":      {200, `{"issuer":"HOST","token_endpoint":"http://in-clear.example/t"}`, ErrAnswer, 1},
		"a page":            {200, `<html>`, ErrPage, 2},
		"too long":          {200, `{"issuer":"HOST","x":"` + strings.Repeat("x", maxAnswer) + `"}`, ErrTooLong, 2},
		"an outage":         {503, `<html>`, ErrPage, 1},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var p *provider
			p = provide(t, func(w http.ResponseWriter, r *http.Request) {
				says(test.status, "application/json", strings.ReplaceAll(test.body, "HOST", p.URL))(w, r)
			})
			_, err := p.client().Discover(context.Background(), App{Issuer: p.URL})
			if r := refusalOf(t, err); !errors.Is(err, test.cause) || r.Phase != PhaseDiscover || len(p.asked) != test.tries {
				t.Errorf("error = %v after %d questions, want %v after %d", err, len(p.asked), test.cause, test.tries)
			}
		})
	}
	for _, issuer := range []string{"", "http://login.example", "https://login.example?x=1", "login.example"} {
		var wrong *AppError
		if _, err := new(Client).Discover(context.Background(), App{Issuer: issuer}); !errors.As(err, &wrong) || wrong.Field != "issuer" {
			t.Errorf("%q: %v", issuer, err)
		}
	}
	at := speak(t, func(net.Conn) {})
	begun := time.Now()
	if _, err := new(Client).Discover(context.Background(), App{Issuer: "http://" + at}); refusalOf(t, err).Err == nil || time.Since(begun) > 5*time.Second {
		t.Errorf("a server that hangs up: %v", err)
	}
}
