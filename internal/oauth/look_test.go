package oauth

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func TestLook(t *testing.T) {
	const back = "https://postroom.example/oauth/callback"
	page := func(status int, text string) http.HandlerFunc { return says(status, "text/html", text) }
	sent := func(to string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) }
	}
	tests := map[string]struct {
		answer   http.HandlerFunc
		returned bool
		page     string
		code     string
	}{
		"back at once, since nobody is signed in": {sent(back + "?error=login_required&state=x"), true, "", "login_required"},
		"back, and the scopes are wrong":          {sent(back + "?error=invalid_scope&error_description=no&state=x"), true, "", "invalid_scope"},
		"another path of ours":                    {sent("https://postroom.example/other?error=login_required&state=x"), false, "https://postroom.example/other", ""},
		"to a page to sign in at":                 {sent("https://accounts.example/v3/signin/identifier?client_id=x"), false, "https://accounts.example/v3/signin/identifier", ""},
		"to Google's page about errors":           {sent("https://accounts.example/signin/oauth/error?authError=ChVyZWRpcmVjdF91cmlfbWlzbWF0Y2g%3D&client_id=x"), false, "https://accounts.example/signin/oauth/error", "redirect_uri_mismatch"},
		"a page to sign in at":                    {page(200, "<title>Sign in</title> invalid_request is a word in its script"), false, "", ""},
		"Google's page in place":                  {page(400, "<p>Error 400: redirect_uri_mismatch</p>"), false, "", "redirect_uri_mismatch"},
		"Google's about the client":               {page(401, "<p>Error 401: invalid_client</p> The OAuth client was not found."), false, "", "invalid_client"},
		"Microsoft's page, with status 200":       {page(200, `$Config={"strServiceExceptionMessage":"AADSTS50011: The redirect URI &#39;x&#39; does not match"}`), false, "", "AADSTS50011"},
		"Keycloak's":                              {page(400, "<p>Invalid parameter: redirect_uri</p>"), false, "", "invalid_redirect_uri"},
		"nothing that is known":                   {page(500, "oops"), false, "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := provide(t, test.answer)
			a := appAt(p.URL)
			a.RedirectURL = back
			l, err := p.client().Look(t.Context(), a, Ask{Scopes: []string{"openid"}})
			if err != nil {
				t.Fatal(err)
			}
			code := ""
			if l.Refusal != nil {
				code = l.Refusal.Code
			}
			if l.Returned != test.returned || l.Page != test.page || code != test.code {
				t.Errorf("Look = returned %t, page %q, code %q", l.Returned, l.Page, code)
			}
			if len(p.asked) != 1 {
				t.Errorf("asked %d times", len(p.asked))
			}
		})
	}
}

func TestLookAsksLikeABrowserAndShowsNoSecret(t *testing.T) {
	var query url.Values
	var header http.Header
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query, header = r.URL.Query(), r.Header
		w.WriteHeader(http.StatusBadRequest)
	}))
	defer s.Close()
	a := appAt("https://login.example")
	a.AuthorizeURL, a.ExtraParams = s.URL+"/authorize", map[string]string{"prompt": "consent"}
	if _, err := (&Client{}).Look(t.Context(), a, Ask{Scopes: []string{"mail"}}); err != nil {
		t.Fatal(err)
	}
	if query.Get("prompt") != "none" || query.Get("client_id") != a.ClientID || query.Get("code_challenge") == "" || query.Get("redirect_uri") != a.RedirectURL {
		t.Errorf("asked %v", query)
	}
	if header.Get("Authorization") != "" || strings.Contains(query.Encode(), a.Secret.Reveal()) {
		t.Error("the secret of the app went out")
	}
	s.Close()
	if _, err := (&Client{}).Look(t.Context(), a, Ask{}); err == nil {
		t.Error("nobody answers, and that is no error")
	} else if r, ok := RefusalOf(err); !ok || r.Status != 0 || r.Phase != PhaseAuthorize {
		t.Errorf("error = %v", err)
	}
}
