package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestRevoke(t *testing.T) {
	tests := map[string]struct {
		status int
		body   string
		code   string // of the refusal
		done   bool
	}{
		"without a word":           {200, "", "", true},
		"Google":                   {200, "{}", "", true},
		"Google, ended already":    {400, `{"error":"invalid_token","error_description":"Token expired or revoked"}`, "", true},
		"a kind that cannot be":    {400, `{"error":"unsupported_token_type"}`, "unsupported_token_type", false},
		"not ours":                 {401, `{"error":"invalid_client"}`, "invalid_client", false},
		"an error in a success":    {200, `{"error":"invalid_code"}`, "invalid_code", false},
		"an outage":                {503, "<html>busy</html>", "", false},
		"a hotspot":                {200, "<html>Welcome</html>", "", false},
		"an outage without a word": {503, "", "", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := provide(t, func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Retry-After", "9")
				says(test.status, "application/json", test.body)(w, r)
			})
			err := p.client().Revoke(context.Background(), p.app(), postroom.Hide("the-token"), RefreshToken)
			if (err == nil) != test.done {
				t.Fatalf("error = %v", err)
			}
			if form := p.asked[0].form; form.Get("token") != "the-token" || form.Get("token_type_hint") != "refresh_token" || form.Get("client_id") != "postroom-app" {
				t.Errorf("asked %v", form)
			}
			if err == nil {
				return
			}
			if r := refusalOf(t, err); r.Code != test.code || r.Phase != PhaseRevoke || r.Status != test.status || r.RetryAfter != 9*time.Second {
				t.Errorf("refusal = %+v", r)
			}
		})
	}
	if err := new(Client).Revoke(context.Background(), App{}, postroom.Hide("t"), AccessToken); !errors.Is(err, ErrNotOffered) {
		t.Errorf("without an address: %v", err)
	}
}

func TestIntrospect(t *testing.T) {
	tests := map[string]struct {
		body string
		want Token
	}{
		"RFC 7662 section 2.2": {`{"active":true,"client_id":"l238j323ds-23ij4","username":"jdoe","scope":"read write dolphin","sub":"Z5O3upPC88QrAjx00dis","aud":"https://protected.example.net/resource","iss":"https://server.example.com/","exp":1419356238,"iat":1419350238,"extension_field":"twenty-seven"}`,
			Token{Active: true, Scopes: []string{"read", "write", "dolphin"}, ClientID: "l238j323ds-23ij4", Username: "jdoe", Subject: "Z5O3upPC88QrAjx00dis", Expires: time.Unix(1419356238, 0).UTC()}},
		"over":     {`{"active":false}`, Token{}},
		"in words": {`{"active":"true","exp":1e30}`, Token{Active: true}},
	}
	for name, test := range tests {
		p := provide(t, says(200, "application/json", test.body))
		got, err := p.client().Introspect(context.Background(), p.app(), postroom.Hide("t"))
		if err != nil || fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %+v, %v, want %+v", name, got, err, test.want)
		}
	}
	for body, cause := range map[string]error{`{"access_token":"a"}`: ErrAnswer, "<html>": ErrPage, `{"error":"invalid_client"}`: nil} {
		p := provide(t, says(200, "application/json", body))
		if _, err := p.client().Introspect(context.Background(), p.app(), postroom.Hide("t")); refusalOf(t, err).Phase != PhaseIntrospect || !errors.Is(refusalOf(t, err).Err, cause) {
			t.Errorf("%s: %v, want %v", body, err, cause)
		}
	}
	if _, err := new(Client).Introspect(context.Background(), App{}, postroom.Hide("t")); !errors.Is(err, ErrNotOffered) {
		t.Errorf("without an address: %v", err)
	}
}
