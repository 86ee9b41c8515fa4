package credential

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/testbed"
)

func TestAnAppAtAProviderWrittenByOthersIsChecked(t *testing.T) {
	server := testbed.StartOpenID(t, time.Minute, testbed.OpenIDClient{ID: checkedID, Secret: checkedSecret, RedirectURLs: []string{"https://post.example.net" + callback}})
	tests := map[string]struct {
		spoil func(a *Apps, n *NewApp)
		want  []string
	}{
		"as it should be":              {func(*Apps, *NewApp) {}, []string{"addresses proven", "client_id proven", "secret proven", "redirect proven", "scopes proven"}},
		"wrong secret":                 {func(_ *Apps, n *NewApp) { n.Secret = postroom.Hide("another") }, []string{"addresses proven", "client_id proven", "secret refuted", "redirect proven"}},
		"unknown client":               {func(_ *Apps, n *NewApp) { n.ClientID = "unknown" }, []string{"client_id refuted", "secret unknowable", "redirect unknowable"}},
		"another address":              {func(a *Apps, _ *NewApp) { a.Base = "https://other.example.net" }, []string{"secret proven", "redirect refuted"}},
		"scopes that it does not have": {func(_ *Apps, n *NewApp) { n.Scopes = []string{"openid", "everything"} }, []string{"secret proven", "redirect proven", "scopes unknowable"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := &counterfeit{apps: newApps(t), app: NewApp{Secret: postroom.Hide(checkedSecret), OAuthApp: postroom.OAuthApp{
				Provider: postroom.GenericProvider, ClientID: checkedID, Issuer: server.Issuer, Scopes: []string{"openid", "email", "offline_access"},
			}}}
			c.apps.Client = &oauth.Client{}
			test.spoil(c.apps, &c.app)
			points := c.check(t)
			wantVerdicts(t, points, test.want...)
			if !strings.Contains(points["addresses"].Words, "127.0.0.1") {
				t.Errorf("addresses: %+v", points["addresses"])
			}
		})
	}
}
