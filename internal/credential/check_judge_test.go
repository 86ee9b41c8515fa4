package credential

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/provider"
)

// findingsAt are those of an app at a provider itself, before anything was asked.
func findingsAt(t *testing.T, id string, kind postroom.AppKind) *findings {
	t.Helper()
	preset, ok := (&provider.Presets{}).ByID(id)
	if !ok {
		t.Fatalf("there is no provider %s", id)
	}
	app := postroom.OAuthApp{Provider: id, Kind: kind, ClientID: aGUID}
	return &findings{Registration: Registration{OAuthApp: app, OAuth: known(app, preset), Preset: preset}}
}

func TestWhereBrowsersComeBackTo(t *testing.T) {
	tests := map[string]struct {
		provider, address string
		want              postroom.Verdict
	}{
		"a name in public":                   {"gmail", "https://post.example.net/oauth/callback", postroom.Proven},
		"an inner name, at Google":           {"gmail", "https://postroom.local/oauth/callback", postroom.Refuted},
		"a name without a domain, at Google": {"gmail", "https://postroom/oauth/callback", postroom.Refuted},
		"an inner name, at Microsoft":        {"microsoft365", "https://postroom.corp/oauth/callback", postroom.Proven},
		"a bare address, at Google":          {"gmail", "https://192.0.2.1/oauth/callback", postroom.Refuted},
		"a bare address, at Microsoft":       {"microsoft365", "https://192.0.2.1/oauth/callback", postroom.Proven},
		"this computer, at Google":           {"gmail", "http://127.0.0.1:8025/oauth/callback", postroom.Unknowable},
		"this computer, at Microsoft":        {"microsoft365", "http://localhost:8025/oauth/callback", postroom.Unknowable},
		"by another name, at Microsoft":      {"microsoft365", "http://127.0.0.1:8025/oauth/callback", postroom.Refuted},
		"not encrypted":                      {"microsoft365", "http://post.example.net/oauth/callback", postroom.Refuted},
		"nobody knows":                       {"gmail", "", postroom.Refuted},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := findingsAt(t, test.provider, postroom.AppSignIn)
			f.OAuth.RedirectURL = test.address
			if check, ok := f.reach(); !ok || check.Verdict != test.want {
				t.Errorf("reach = %+v, want %s", check, test.want)
			}
		})
	}
}

func TestAProviderThatDoesNotTakeWhatProtectsASignIn(t *testing.T) {
	for challenges, want := range map[string]postroom.Verdict{"plain": postroom.Refuted, "S256": postroom.Proven, "": postroom.Proven} {
		f := findingsAt(t, "gmail", postroom.AppSignIn)
		f.issuer, f.metadata.Challenges = answerOf{asked: true}, strings.Fields(challenges)
		if check, ok := f.addresses(); !ok || check.Verdict != want {
			t.Errorf("with %q: %+v, want %s", challenges, check, want)
		}
	}
}

// Google's answers as they really come: the browser is sent on, to sign in or to a page
// about what is wrong.
func TestWhatGoogleShowsABrowser(t *testing.T) {
	const signIn = "https://accounts.google.com/v3/signin/identifier"
	refusal := func(code string) *oauth.Refusal {
		return &oauth.Refusal{Phase: oauth.PhaseAuthorize, Status: 302, Code: code}
	}
	tests := map[string]struct {
		look oauth.Look
		want []string
	}{
		"to sign in":                  {oauth.Look{Page: signIn}, []string{"redirect proven", "scopes proven"}},
		"another address":             {oauth.Look{Page: "https://accounts.google.com/signin/oauth/error", Refusal: refusal("redirect_uri_mismatch")}, []string{"redirect refuted", "scopes unknowable"}},
		"no such client":              {oauth.Look{Page: "https://accounts.google.com/signin/oauth/error", Refusal: refusal("invalid_client")}, []string{"client_id refuted", "redirect unknowable", "scopes unknowable"}},
		"a client that was deleted":   {oauth.Look{Page: "https://accounts.google.com/signin/oauth/error", Refusal: refusal("deleted_client")}, []string{"client_id refuted"}},
		"a client that is off":        {oauth.Look{Refusal: refusal("disabled_client")}, []string{"client_id refuted"}},
		"no such scope":               {oauth.Look{Refusal: refusal("invalid_scope")}, []string{"scopes refuted"}},
		"something that nobody knows": {oauth.Look{}, []string{"redirect unknowable", "scopes unknowable"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := findingsAt(t, "gmail", postroom.AppSignIn)
			f.OAuth.RedirectURL, f.look = "https://post.example.net/oauth/callback", test.look
			points := map[string]postroom.AppCheck{}
			for _, check := range f.judge() {
				points[check.Point] = check
			}
			wantVerdicts(t, points, test.want...)
			if link := points["redirect"].Link; points["redirect"].Verdict == postroom.Refuted && link.URL != "https://console.cloud.google.com/auth/clients" {
				t.Errorf("it leads to %+v", link)
			}
		})
	}
}

func TestALinkLeadsToThePortalOfTheCloud(t *testing.T) {
	for id, portal := range map[string]string{
		"microsoft365": "https://entra.microsoft.com/", "outlook_com": "https://entra.microsoft.com/", "microsoft365_gcc_high": "https://portal.azure.us/",
		"microsoft365_dod": "https://portal.azure.us/", "microsoft365_china": "https://portal.azure.cn/",
	} {
		f := findingsAt(t, id, postroom.AppSignIn)
		if link := f.secretPage(); !strings.HasPrefix(link.URL, portal) || !strings.HasSuffix(link.URL, "/appId/"+aGUID) || link.Words == "" {
			t.Errorf("%s leads to %+v", id, link)
		}
		f.ClientID = "javascript:alert(1)"
		if link := f.secretPage(); link.URL != "" {
			t.Errorf("%s leads to %+v for a client id that is none", id, link)
		}
	}
}

func TestTheRolesOfAnAppAreReadFromItsToken(t *testing.T) {
	token := func(body string) postroom.Secret {
		return postroom.Hide("e30." + base64.RawURLEncoding.EncodeToString([]byte(body)) + ".x")
	}
	tests := map[string]struct {
		token postroom.Secret
		roles []string
		ok    bool
	}{
		"some":       {token(`{"roles":["IMAP.AccessAsApp"]}`), []string{"IMAP.AccessAsApp"}, true},
		"none":       {token(`{"aud":"x"}`), nil, true},
		"of a kind":  {token(`{"roles":"IMAP.AccessAsApp"}`), nil, false},
		"no JSON":    {token(`roles`), nil, false},
		"no base64":  {postroom.Hide("a.!!.c"), nil, false},
		"no JWT":     {postroom.Hide("EwBAAl3BAAUFFpUAo7J3Ve0bjLBWZWCclRC3EoAA"), nil, false},
		"nothing":    {postroom.Secret{}, nil, false},
		"five parts": {postroom.Hide("a.b.c.d.e"), nil, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			roles, ok := rolesIn(test.token)
			if diff := cmp.Diff(test.roles, roles); diff != "" || ok != test.ok {
				t.Errorf("rolesIn = %v, %t", roles, ok)
			}
		})
	}
}
