package oauth

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// idToken makes one of claims; null ones are left out.
func idToken(t *testing.T, claims map[string]any) postroom.Secret {
	t.Helper()
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	body, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	code := base64.RawURLEncoding.EncodeToString
	return postroom.Hide(code([]byte(`{"alg":"RS256","kid":"1"}`)) + "." + code(body) + "." + code([]byte("signature")))
}

const contoso = "b9419818-09af-49c2-b0c3-653adc1f376e"

// with returns usual claims of an ID token, some of them changed.
func with(changes map[string]any) map[string]any {
	claims := map[string]any{
		"iss": "https://accounts.google.com", "aud": "postroom-app", "azp": "postroom-app", "sub": "11059", "email": "support@example.com", "email_verified": true,
		"nonce": "the-nonce", "iat": noon.Unix(), "exp": noon.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, changes)
	return claims
}

func TestIDTokensAsProvidersMakeThem(t *testing.T) {
	google := App{Issuer: "https://accounts.google.com", ClientID: "postroom-app"}
	microsoft := App{Issuer: "https://login.microsoftonline.com/{tenant}/v2.0", Tenant: "organizations", ClientID: "postroom-app"}
	user := map[string]any{
		"iss": "https://login.microsoftonline.com/" + contoso + "/v2.0", "tid": contoso, "azp": nil, "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ",
		"email": nil, "email_verified": nil, "preferred_username": "AbeLi@contoso.example", "upn": "abeli@contoso.example", "name": "Abe Lincoln",
	}
	tests := map[string]struct {
		app       App
		claims    map[string]any
		want      Account
		addresses []string
	}{
		"Google":                     {google, with(nil), Account{Issuer: "https://accounts.google.com", Subject: "11059", Email: "support@example.com"}, []string{"support@example.com"}},
		"Google, without the scheme": {google, with(map[string]any{"iss": "accounts.google.com"}), Account{Issuer: "accounts.google.com", Subject: "11059", Email: "support@example.com"}, []string{"support@example.com"}},
		"Google, not verified":       {google, with(map[string]any{"email_verified": false}), Account{Issuer: "https://accounts.google.com", Subject: "11059", Email: "support@example.com", EmailUnverified: true}, []string{"support@example.com"}},
		"not verified, in words":     {google, with(map[string]any{"email_verified": "false"}), Account{Issuer: "https://accounts.google.com", Subject: "11059", Email: "support@example.com", EmailUnverified: true}, []string{"support@example.com"}},
		"several audiences":          {google, with(map[string]any{"aud": []string{"other", "postroom-app"}}), Account{Issuer: "https://accounts.google.com", Subject: "11059", Email: "support@example.com"}, []string{"support@example.com"}},
		"Microsoft, any organisation": {microsoft, with(user), Account{Issuer: "https://login.microsoftonline.com/" + contoso + "/v2.0", Tenant: contoso, Subject: "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", Username: "AbeLi@contoso.example", UPN: "abeli@contoso.example", Name: "Abe Lincoln"},
			[]string{"abeli@contoso.example"}},
		"a name that is no address": {google, with(map[string]any{"email": nil, "preferred_username": "+49 30 1234567"}), Account{Issuer: "https://accounts.google.com", Subject: "11059", Username: "+49 30 1234567"}, nil},
		"a name that cannot be":     {google, with(map[string]any{"email": "a@b.c\u202e", "name": strings.Repeat("x", 400)}), Account{Issuer: "https://accounts.google.com", Subject: "11059"}, nil},
		"clocks that differ":        {google, with(map[string]any{"exp": noon.Add(-4 * time.Minute).Unix(), "iat": noon.Add(4 * time.Minute).Unix()}), Account{Issuer: "https://accounts.google.com", Subject: "11059", Email: "support@example.com"}, []string{"support@example.com"}},
		"nobody knows the issuer":   {App{ClientID: "postroom-app"}, with(map[string]any{"iss": "https://id.example"}), Account{Issuer: "https://id.example", Subject: "11059", Email: "support@example.com"}, []string{"support@example.com"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := (&Client{Now: func() time.Time { return noon }}).Account(context.Background(), test.app, Grant{IDToken: idToken(t, test.claims)}, postroom.Hide("the-nonce"))
			if err != nil || got != test.want || !slices.Equal(got.Addresses(), test.addresses) {
				t.Errorf("account = %+v %q, %v, want %+v %q", got, got.Addresses(), err, test.want, test.addresses)
			}
		})
	}
}

func TestIDTokensThatAreNotBelieved(t *testing.T) {
	tests := map[string]map[string]any{
		"another issuer":                    {"iss": "https://evil.example"},
		"no issuer":                         {"iss": nil},
		"Google, nearly":                    {"iss": "https://accounts.google.com/"},
		"another app":                       {"aud": "other", "azp": nil},
		"no app":                            {"aud": nil},
		"made for another":                  {"aud": []string{"postroom-app", "other"}, "azp": "other"},
		"several apps and nobody in charge": {"aud": []string{"postroom-app", "other"}, "azp": nil},
		"nobody":                            {"sub": nil},
		"over":                              {"exp": noon.Add(-6 * time.Minute).Unix()},
		"without an end":                    {"exp": nil},
		"an end that is none":               {"exp": "tomorrow"},
		"not yet":                           {"nbf": noon.Add(6 * time.Minute).Unix()},
		"from tomorrow":                     {"iat": noon.Add(24 * time.Hour).Unix()},
		"another sign-in":                   {"nonce": "another"},
		"no sign-in":                        {"nonce": nil},
	}
	c := &Client{Now: func() time.Time { return noon }}
	a := App{Issuer: "https://accounts.google.com", ClientID: "postroom-app"}
	for name, changes := range tests {
		if who, err := c.Account(context.Background(), a, Grant{IDToken: idToken(t, with(changes))}, postroom.Hide("the-nonce")); !errors.Is(err, ErrIDToken) || who != (Account{}) {
			t.Errorf("%s: %+v, %v", name, who, err)
		}
	}
	for _, text := range []string{"x", "a.b", "a.b.c.d", "..", "a.!.c", "a." + base64.RawURLEncoding.EncodeToString([]byte("[]")) + ".c"} {
		if _, err := c.Account(context.Background(), a, Grant{IDToken: postroom.Hide(text)}, postroom.Secret{}); !errors.Is(err, ErrIDToken) || strings.Contains(err.Error(), text+" ") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// An organisation that is registered by its id is the only one that gets in.
func TestOneOrganisationIsNotAnother(t *testing.T) {
	const other = "72f988bf-86f1-41af-91ab-2d7cd011db47"
	issuer := func(id string) string { return "https://login.microsoftonline.com/" + id + "/v2.0" }
	tests := map[string]struct {
		tenant, iss, tid string
		believed         bool
	}{
		"itself":                     {contoso, issuer(contoso), contoso, true},
		"in other letters":           {strings.ToUpper(contoso), issuer(contoso), contoso, true},
		"another":                    {contoso, issuer(other), other, false},
		"another that pretends":      {contoso, issuer(contoso), other, false},
		"all, and one of them":       {"common", issuer(other), other, true},
		"by a domain":                {"contoso.example", issuer(contoso), contoso, true},
		"a path":                     {"common", issuer("x/" + other), other, false},
		"another host":               {"common", "https://login.evil.example/" + other + "/v2.0", other, false},
		"the old way of issuing":     {"common", "https://sts.windows.net/" + other + "/", other, false},
		"nothing where it should be": {"common", issuer(""), other, false},
	}
	for name, test := range tests {
		a := App{Issuer: issuer("{tenant}"), Tenant: test.tenant, ClientID: "postroom-app"}
		_, err := (&Client{Now: func() time.Time { return noon }}).Account(context.Background(), a, Grant{IDToken: idToken(t, with(map[string]any{"iss": test.iss, "tid": test.tid}))}, postroom.Secret{})
		if (err == nil) != test.believed {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestUserInfo(t *testing.T) {
	unnamed := with(map[string]any{"email": nil})
	tests := map[string]struct {
		token  map[string]any // nil: none
		status int
		body   string
		want   string // the first address
		sub    string
		cause  error
	}{
		"OpenID":                     {nil, 200, `{"sub":"1","email":"a@example.com","email_verified":true}`, "a@example.com", "1", nil},
		"Yandex":                     {nil, 200, `{"id":"1000034426","login":"ivan","default_email":"test@yandex.ru","emails":["test@yandex.ru","other-test@yandex.ru"],"real_name":"Ivan Ivanov"}`, "test@yandex.ru", "1000034426", nil},
		"Zoho":                       {nil, 200, `{"First_Name":"A","Email":"a@zoho.example","Display_Name":"A B","ZUID":12345}`, "a@zoho.example", "12345", nil},
		"an ID token without a name": {unnamed, 200, `{"sub":"11059","email":"a@example.com"}`, "a@example.com", "11059", nil},
		"an ID token of another":     {unnamed, 200, `{"sub":"2","email":"a@example.com"}`, "", "", ErrIDToken},
		"an ID token is enough":      {unnamed, 500, `{}`, "", "11059", nil},
		"nobody":                     {nil, 200, `{"locale":"de"}`, "", "", ErrNoAccount},
		"a page":                     {nil, 200, `<html>`, "", "", ErrPage},
		"a signed answer":            {nil, 200, `eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln`, "", "", ErrAnswer},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := provide(t, says(test.status, "application/json", test.body))
			a := p.app()
			g := Grant{AccessToken: postroom.Hide("the-access-token")}
			if test.token != nil {
				g.IDToken = idToken(t, maps.Clone(test.token))
			}
			who, err := p.client().Account(context.Background(), a, g, postroom.Secret{})
			if test.cause != nil {
				if !errors.Is(err, test.cause) {
					t.Errorf("error = %v, want %v", err, test.cause)
				}
				return
			}
			if err != nil || who.Subject != test.sub || strings.Join(who.Addresses(), "") != test.want {
				t.Errorf("account = %+v, %v", who, err)
			}
			if got := p.asked[0].header.Get("Authorization"); got != "Bearer the-access-token" {
				t.Errorf("asked with %q", got)
			}
		})
	}
	enough := provide(t, says(200, "application/json", `{"sub":"other"}`))
	g := Grant{AccessToken: postroom.Hide("t"), IDToken: idToken(t, with(nil))}
	a := enough.app()
	a.Issuer = "https://accounts.google.com"
	if who, err := enough.client().Account(context.Background(), a, g, postroom.Secret{}); err != nil || who.Email != "support@example.com" || len(enough.asked) != 0 {
		t.Errorf("an ID token that names an address: %+v, %v, and asked %d times", who, err, len(enough.asked))
	}
	p := provide(t, func(w http.ResponseWriter, r *http.Request) {
		says(401, "application/json", `{"error":"invalid_token"}`)(w, r)
	})
	_, err := p.client().Account(context.Background(), p.app(), Grant{AccessToken: postroom.Hide("t")}, postroom.Secret{})
	if r := refusalOf(t, err); r.Phase != PhaseUserInfo || r.Code != "invalid_token" {
		t.Errorf("refusal = %+v", r)
	}
	a = p.app()
	a.UserInfoURL = ""
	if _, err := p.client().Account(context.Background(), a, Grant{AccessToken: postroom.Hide("t")}, postroom.Secret{}); !errors.Is(err, ErrNoAccount) {
		t.Errorf("nothing to ask: %v", err)
	}
}
