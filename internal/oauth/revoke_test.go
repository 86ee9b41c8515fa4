package oauth

import (
	"context"
	"errors"
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
