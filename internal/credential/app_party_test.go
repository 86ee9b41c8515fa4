package credential

import (
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

func TestASecretGoesToNobodyElseThanItWasEnteredFor(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	n := newApp("generic", "id", "gen-eric-1")
	n.AuthorizeURL, n.TokenURL = "https://id.example/auth", "https://id.example/token"
	app, err := a.Add(ctx, appAdmin, n)
	if err != nil {
		t.Fatal(err)
	}
	again := postroom.Hide("gen-eric-1")
	tests := map[string]struct {
		change func(*postroom.OAuthApp)
		secret *postroom.Secret
		field  string // empty: it is taken
	}{
		"tokens of somebody else":            {func(a *postroom.OAuthApp) { a.TokenURL = "https://eve.example/token" }, nil, "client_secret"},
		"with the secret entered once more":  {func(a *postroom.OAuthApp) { a.RevokeURL = "https://two.example/revoke" }, &again, ""},
		"another place at the same provider": {func(a *postroom.OAuthApp) { a.TokenURL = "https://id.example/v2/token" }, nil, ""},
		"signing in elsewhere":               {func(a *postroom.OAuthApp) { a.AuthorizeURL = "https://login.example/" }, nil, ""},
		"looked at by somebody else":         {func(a *postroom.OAuthApp) { a.UserInfoURL = "https://eve.example/look" }, nil, "client_secret"},
		"another issuer":                     {func(a *postroom.OAuthApp) { a.TokenURL, a.AuthorizeURL, a.Issuer = "", "", "https://eve.example" }, nil, "client_secret"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := a.Change(ctx, appAdmin, app.ID, func(a *postroom.OAuthApp) error { test.change(a); return nil }, test.secret)
			f, _ := postroom.FaultOf(err)
			switch {
			case test.field == "" && err != nil:
				t.Errorf("Change = %v", err)
			case test.field != "" && (f == nil || f.Kind != postroom.Invalid || f.Field != test.field):
				t.Errorf("Change = %v, want %s refused", err, test.field)
			}
		})
	}
}

func TestWhatAProviderGaveGoesToNobodyElse(t *testing.T) {
	t.Parallel()
	c := openCounter(t, simulator.GoogleOAuth)
	c.wantStep(c.whole(support), postroom.SignInProven)
	made := postroom.Hide("made-up")
	_, err := c.desk.Apps.Change(t.Context(), appAdmin, c.app.ID, func(a *postroom.OAuthApp) error {
		a.TokenURL = "https://eve.example/token"
		return nil
	}, &made)
	c.wantFault(err, postroom.Conflict, "1 mailbox signs in")
}
