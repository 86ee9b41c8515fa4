package credential

import (
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
)

// Whatever somebody pastes, it is understood or a Fault says what is wrong with it, and
// what was the secret is in neither.
func FuzzWhatIsPasted(f *testing.F) {
	for _, seed := range []struct{ id, secret, tenant, scopes string }{
		{aGoogleID, appsSecret, "", "a b"}, {aGUID, "a~b", otherGUID, ""}, {"{", "{", "{", "{"}, {"", "-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----", "%zz", "\x00"},
		{"", `{"web":{"client_id":"x","client_secret":"\u0000"}}`, "https://a/b/c", ","}, {"", `{"type":"service_account","private_key":"x","client_email":"y"}`, "://", "\""},
	} {
		f.Add("google_workspace", seed.id, seed.secret, seed.tenant, seed.scopes)
		f.Add("generic", seed.id, seed.secret, seed.tenant, seed.scopes)
	}
	a := &Apps{Presets: &provider.Presets{}, Base: "https://post.example.net"}
	f.Fuzz(func(t *testing.T, id, client, secret, tenant, scopes string) {
		app, read, err := a.read(postroom.OAuthApp{Provider: id, ClientID: client, Tenant: tenant, Scopes: []string{scopes}, Issuer: tenant}, postroom.Hide(secret))
		if err != nil {
			fault, ok := postroom.FaultOf(err)
			if !ok || fault.Kind != postroom.Invalid || fault.Explanation == "" || fault.Remedy == "" || fault.Field == "" {
				t.Fatalf("%v is no Fault that says what to do", err)
			}
			if told := tidy(secret); len(told) > 8 && strings.Contains(err.Error()+fault.Remedy, told) && !strings.Contains(client+tenant+scopes+id, told) {
				t.Errorf("%v tells the secret", err)
			}
			return
		}
		if (app.SecretKind == "") != read.IsEmpty() || app.Name == "" || app.Kind == "" || app.ClientID == "" && app.Kind != postroom.AppServiceAccount {
			t.Errorf("understood as %+v", app)
		}
		if err := known(app, a.preset(app.Provider)).Verify(); err != nil {
			t.Errorf("what was understood cannot be used: %v", err)
		}
	})
}
