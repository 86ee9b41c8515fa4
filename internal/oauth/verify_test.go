package oauth

import (
	"errors"
	"testing"
)

func TestVerify(t *testing.T) {
	tests := map[string]struct {
		a     App
		field string // empty: it can be used
	}{
		"nothing at all":                {App{}, ""},
		"as providers have it":          {App{Issuer: "https://a.example", AuthorizeURL: "https://a.example/auth", TokenURL: "https://a.example/token", RedirectURL: "http://localhost/cb"}, ""},
		"a tenant in its place":         {App{TokenURL: "https://a.example/{tenant}/token", Tenant: "contoso.com"}, ""},
		"a tenant is missing":           {App{TokenURL: "https://a.example/{tenant}/token"}, "tenant"},
		"no address":                    {App{AuthorizeURL: "a.example"}, "authorize_url"},
		"not encrypted":                 {App{TokenURL: "http://a.example/token"}, "token_url"},
		"a fragment":                    {App{RedirectURL: "https://a.example/#x"}, "redirect_url"},
		"a user name":                   {App{RevokeURL: "https://me:secret@a.example/"}, "revoke_url"},
		"a parameter that others set":   {App{ExtraParams: map[string]string{"access_type": "offline", "redirect_uri": "https://evil.example"}}, "extra_params"},
		"a parameter of the provider's": {App{ExtraParams: map[string]string{"access_type": "offline"}}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			err := test.a.Verify()
			var bad *AppError
			if errors.As(err, &bad) != (test.field != "") || bad != nil && bad.Field != test.field {
				t.Errorf("Verify = %v, want one about %q", err, test.field)
			}
		})
	}
}
