package oauth

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postroom/postroom"
)

// Whatever a server answers, it is read without harm: what is granted can be used as it
// is, and what is shown is bounded, printable, and without what was sent.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"access_token":"ya29.a0Af","expires_in":3599,"scope":"a b","token_type":"Bearer","refresh_token":"1//x","id_token":"a.b.c"}`,
		`{"error":"invalid_grant","error_description":"AADSTS50076: \u0000 the-secret-that-went-out","error_codes":[50076],"error_uri":"https://x.example/?the-secret-that-went-out"}`,
		`{"error":{"code":403,"message":["the-secret-that-went-out"],"status":{}}}`, `access_token=a&expires_in=1e9&scope=+`, `<html><title>the-secret-that-went-out`,
		"\xef\xbb\xbf{}", `{"a":1,"a":2}`, `{"expires_in":-1e400}`, `{"access_token":null}`, strings.Repeat("[", 1000), "the-secret-that-\nwent-out", "{\"error\":\"\xff\xfe\"}",
	} {
		f.Add(200, body)
		f.Add(400, body)
	}
	const secret = "the-secret-that-went-out"
	f.Fuzz(func(t *testing.T, status int, body string) {
		a := &answer{status: status}
		a.read([]byte(body), false)
		g, err := a.grant(PhaseToken, noon, []postroom.Secret{postroom.Hide(secret)}, []string{"asked"})
		if err == nil {
			if g.AccessToken.IsEmpty() || !isVisible(g.AccessToken.Reveal()) || !isVisible(g.RefreshToken.Reveal()) || len(g.Scopes) == 0 || g.TokenType != "Bearer" {
				t.Errorf("grant = %+v", g)
			}
			if !g.Expires.IsZero() && (!g.Expires.After(noon) || g.Expires.After(noon.Add(maxSpan))) {
				t.Errorf("expires %v", g.Expires)
			}
			return
		}
		r, ok := RefusalOf(err)
		if !ok {
			t.Fatalf("error = %v", err)
		}
		for _, shown := range []string{r.Error(), r.Reply, r.Code, r.Description, r.URI} {
			if strings.Contains(shown, secret) || len(shown) > 3*maxShown || !utf8.ValidString(shown) || strings.ContainsAny(shown, "\x00\n\r\x1b\u202e") {
				t.Errorf("shown: %q", shown)
			}
		}
		a.account()
		a.metadata()
	})
}

func FuzzReturn(f *testing.F) {
	for _, text := range []string{"code=4%2F0A&state=s", "error=access_denied&state=s&error_description=no%00", "https://x/?code=a&code=b&state=s#", "state=s&error=%ff"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ReadPasted(text)
		if err != nil {
			return
		}
		if r.State.IsEmpty() || r.Code.IsEmpty() == (r.Refusal == nil) != r.Allowed || !isVisible(r.Code.Reveal()) {
			t.Errorf("return = %q %q %v", r.State.Reveal(), r.Code.Reveal(), r.Refusal)
		}
		if err := (App{Issuer: "https://login.example"}).Check(r); err != nil && strings.ContainsAny(err.Error(), "\x00\n\r\x1b") {
			t.Errorf("error = %q", err)
		}
	})
}

func FuzzAddress(f *testing.F) {
	f.Add("https://login.example/{tenant}/x?y", "contoso.example")
	f.Add("http://[::1%25lo]:80/", "")
	f.Fuzz(func(t *testing.T, text, tenant string) {
		u, err := App{Tenant: tenant}.address("token_url", text)
		if err != nil {
			return
		}
		again, err := url.Parse(u.String())
		if err != nil || again.Host != u.Host || !isSafe(again) || again.User != nil || again.Fragment != "" {
			t.Errorf("%q became %v, %v", text, u, err)
		}
	})
}
