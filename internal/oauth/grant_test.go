package oauth

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// What providers answer, from their documentation.
func TestGrantsAsProvidersAnswer(t *testing.T) {
	const json = "application/json"
	tests := map[string]struct {
		contentType, body string
		access, refresh   string // refresh empty: the old one
		expires           time.Duration
		refreshExpires    time.Duration
		scopes            []string // nil: as asked
	}{
		"Google, refreshed": {json + "; charset=utf-8", `{
  "access_token": "ya29.a0Af", "expires_in": 3599, "scope": "https://mail.google.com/ openid", "token_type": "Bearer"
}`, "ya29.a0Af", "", 3599 * time.Second, 0, []string{"https://mail.google.com/", "openid"}},
		"Google, an app in testing": {json, `{"access_token":"ya29.b","expires_in":3599,"refresh_token":"1//new","refresh_token_expires_in":604799,"scope":"https://mail.google.com/","token_type":"Bearer"}`,
			"ya29.b", "1//new", 3599 * time.Second, 604799 * time.Second, []string{"https://mail.google.com/"}},
		"Microsoft": {json + "; charset=utf-8", `{"token_type":"Bearer","scope":"https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send","expires_in":4895,"ext_expires_in":4895,"access_token":"EwB4A8l6","refresh_token":"M.C5_BAY.0.U.-new"}`,
			"EwB4A8l6", "M.C5_BAY.0.U.-new", 4895 * time.Second, 0, []string{"https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"}},
		"Yahoo": {json, `{"access_token":"Jzxbkqqcvjqik2IMxGFEE1cuaos--","token_type":"bearer","expires_in":3600,"refresh_token":"AOiRUlJn_qOmByVG-","xoauth_yahoo_guid":"JT4FACLQZI2OCE"}`,
			"Jzxbkqqcvjqik2IMxGFEE1cuaos--", "AOiRUlJn_qOmByVG-", time.Hour, 0, nil},
		"Mail.ru, without a token type": {json, `{"expires_in":3600,"access_token":"ae6c0ea4b741121aa536f76de2197f07"}`,
			"ae6c0ea4b741121aa536f76de2197f07", "", time.Hour, 0, nil},
		"Zoho": {json, `{"access_token":"1000.8cb99d.8d9dd33f","api_domain":"https://www.zohoapis.com","token_type":"Bearer","expires_in":3600}`,
			"1000.8cb99d.8d9dd33f", "", time.Hour, 0, nil},
		"Zoho, in milliseconds": {json, `{"access_token":"1000.a.b","expires_in_sec":3600,"token_type":"Bearer","expires_in":3600000}`,
			"1000.a.b", "", time.Hour, 0, nil},
		"Yandex":                              {json, `{"token_type":"bearer","access_token":"AQAAAACy1C6Z","expires_in":31536000,"refresh_token":"1:GN686QVt0mmakDd9"}`, "AQAAAACy1C6Z", "1:GN686QVt0mmakDd9", 365 * 24 * time.Hour, 0, nil},
		"Keycloak, offline":                   {json, `{"access_token":"eyJh","expires_in":300,"refresh_expires_in":0,"refresh_token":"eyJhbG","token_type":"Bearer","not-before-policy":0,"scope":"openid offline_access"}`, "eyJh", "eyJhbG", 5 * time.Minute, 0, []string{"openid", "offline_access"}},
		"seconds as text":                     {json, `{"access_token":"a","expires_in":"3600","x_refresh_token_expires_in":"8726400"}`, "a", "", time.Hour, 8726400 * time.Second, nil},
		"seconds with a fraction":             {json, `{"access_token":"a","expires_in":3599.9}`, "a", "", 3599 * time.Second, 0, nil},
		"no time":                             {json, `{"access_token":"a","token_type":"BEARER"}`, "a", "", 0, 0, nil},
		"a time in the past":                  {json, `{"access_token":"a","expires_in":-5}`, "a", "", 0, 0, nil},
		"no time at all":                      {json, `{"access_token":"a","expires_in":0}`, "a", "", 0, 0, nil},
		"a time that is none":                 {json, `{"access_token":"a","expires_in":"never"}`, "a", "", 0, 0, nil},
		"null and NaN":                        {json, `{"access_token":"a","expires_in":null,"refresh_token_expires_in":"NaN","scope":null}`, "a", "", 0, 0, nil},
		"for ever":                            {json, `{"access_token":"a","expires_in":1e300}`, "a", "", maxSpan, 0, nil},
		"an old server's form":                {"application/x-www-form-urlencoded", `access_token=a%2Fb&expires_in=3600&token_type=bearer&scope=mail+send`, "a/b", "", time.Hour, 0, []string{"mail", "send"}},
		"a form called text":                  {"text/plain", `access_token=a&token_type=bearer`, "a", "", 0, 0, nil},
		"JSON called a page":                  {"text/html", ` {"access_token":"a"} `, "a", "", 0, 0, nil},
		"JSON behind a byte order mark":       {json, "\xef\xbb\xbf{\"access_token\":\"a\"}", "a", "", 0, 0, nil},
		"scopes as an array":                  {json, `{"access_token":"a","scope":["mail","send"]}`, "a", "", 0, 0, []string{"mail", "send"}},
		"empty scopes":                        {json, `{"access_token":"a","scope":""}`, "a", "", 0, 0, nil},
		"the same value twice":                {json, `{"access_token":"a","access_token":"a"}`, "a", "", 0, 0, nil},
		"no error, in numbers and in silence": {json, `{"error":0,"error_description":"","access_token":"a"}`, "a", "", 0, 0, nil},
		"other letters are another name":      {json, `{"access_token":"a","ACCESS_TOKEN":"b","Error":"invalid_grant"}`, "a", "", 0, 0, nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := provide(t, says(200, test.contentType, test.body))
			old, asked := postroom.Hide("old-refresh-token"), []string{"asked.for"}
			g, err := p.client().Refresh(context.Background(), p.app(), old, asked)
			if err != nil {
				t.Fatal(err)
			}
			want := test.refresh
			if want == "" {
				want = old.Reveal()
			}
			if g.AccessToken.Reveal() != test.access || g.RefreshToken.Reveal() != want || g.Rotated != (test.refresh != "") {
				t.Errorf("tokens = %q, %q, rotated %v, want %q, %q", g.AccessToken.Reveal(), g.RefreshToken.Reveal(), g.Rotated, test.access, want)
			}
			if lasts := since(g.Expires); lasts != test.expires {
				t.Errorf("lasts %v, want %v", lasts, test.expires)
			}
			if lasts := since(g.RefreshExpires); lasts != test.refreshExpires {
				t.Errorf("refresh token lasts %v, want %v", lasts, test.refreshExpires)
			}
			if g.ScopesSaid != (test.scopes != nil) || g.ScopesSaid && !slices.Equal(g.Scopes, test.scopes) || !g.ScopesSaid && !slices.Equal(g.Scopes, asked) {
				t.Errorf("scopes = %q (said: %v), want %q", g.Scopes, g.ScopesSaid, test.scopes)
			}
			if g.TokenType != "Bearer" || !g.At.Equal(noon) {
				t.Errorf("type %q at %v", g.TokenType, g.At)
			}
		})
	}
}

func since(at time.Time) time.Duration {
	if at.IsZero() {
		return 0
	}
	return at.Sub(noon)
}

func TestRefusalsAsProvidersAnswer(t *testing.T) {
	const json = "application/json"
	tests := map[string]struct {
		status            int
		contentType, body string
		code, description string
		reply             string // part of it
		cause             error
	}{
		"Google, revoked": {400, json, "{\n  \"error\": \"invalid_grant\",\n  \"error_description\": \"Token has been expired or revoked.\"\n}",
			"invalid_grant", "Token has been expired or revoked.", `{"error":"invalid_grant","error_description":"Token has been expired or revoked."}`, nil},
		"Google, sign-in at intervals": {400, json, `{"error":"invalid_grant","error_description":"reauth related error (invalid_rapt)","error_uri":"https://support.google.com/a/answer/9368756","error_subtype":"invalid_rapt"}`,
			"invalid_grant", "reauth related error (invalid_rapt)", `"error_subtype":"invalid_rapt"`, nil},
		"Google, an API": {403, json, `{"error":{"code":403,"message":"Request had insufficient authentication scopes.","status":"PERMISSION_DENIED"}}`,
			"PERMISSION_DENIED", "Request had insufficient authentication scopes.", `{"error":{"code":403,"message":"Request had`, nil},
		"Microsoft": {400, json, `{"error":"invalid_grant","error_description":"AADSTS50076: Due to a configuration change made by your administrator, or because you moved to a new location, you must use multi-factor authentication to access '00000002-0000-0ff1-ce00-000000000000'. Trace ID: 1d0ef0a5-7f3c-4b67-8c0d-2d9f3a710200 Correlation ID: 7b1f6b0e-98a4-4c8e-9c1a-5a1f6f2b0c11 Timestamp: 2026-11-21 12:00:00Z","error_codes":[50076],"timestamp":"2026-11-21 12:00:00Z","trace_id":"1d0ef0a5-7f3c-4b67-8c0d-2d9f3a710200","correlation_id":"7b1f6b0e-98a4-4c8e-9c1a-5a1f6f2b0c11","error_uri":"https://login.microsoftonline.com/error?code=50076","suberror":"basic_action","claims":"{}"}`,
			"invalid_grant", "AADSTS50076: Due to", `"error_codes":[50076],"suberror":"basic_action","timestamp":"2026-11-21 12:00:00Z","trace_id":"1d0ef0a5-`, nil},
		"Yahoo": {400, json, `{"error":"INVALID_REFRESH_TOKEN","error_description":"Failed to decode/encode refresh token"}`,
			"INVALID_REFRESH_TOKEN", "Failed to decode/encode refresh token", "INVALID_REFRESH_TOKEN", nil},
		"Yahoo, in an object": {401, json, `{"error":{"localizedMessage":"client request is not acceptable or not supported","errorId":"INVALID_INPUT","message":"client request is not acceptable or not supported"}}`,
			"INVALID_INPUT", "client request is not acceptable or not supported", "errorId", nil},
		"Mail.ru, with status 200": {200, json, `{"error":"invalid username or password","error_code":3,"error_description":"username or password is incorrect"}`,
			"invalid username or password", "username or password is incorrect", `"error_code":3`, nil},
		"Zoho, with status 200": {200, json, `{"error":"invalid_code"}`, "invalid_code", "", `{"error":"invalid_code"}`, nil},
		"Zoho, too often": {400, json, `{"error_description":"You have made too many requests continuously. Please try again after some time.","error":"Access Denied","status":"failure"}`,
			"Access Denied", "You have made too many requests", `"status":"failure"`, nil},
		"names of its own":             {401, json, `{"code":"UNAUTHORIZED_CLIENT","message":"This client is not allowed here"}`, "", "", `{"code":"UNAUTHORIZED_CLIENT","message":"This client is not allowed here"}`, nil},
		"a form":                       {400, "application/x-www-form-urlencoded", "error=invalid_grant&error_description=gone", "invalid_grant", "gone", "invalid_grant", nil},
		"an outage, as a page":         {503, "text/html", "<html><head><title>503 Service &amp; Unavailable</title></head></html>", "", "", "503 Service & Unavailable", ErrPage},
		"a hotspot":                    {200, "text/html", "<!DOCTYPE html><html><script>var x='<b>'</script><body><h1>Welcome</h1><p>to  Café   WiFi</body></html>", "", "", "Welcome to Café WiFi", ErrPage},
		"a page called JSON":           {200, json, "<html><title></title>Sign in", "", "", "Sign in", ErrPage},
		"a redirect":                   {302, "text/html", "", "", "", "Location: https://hotspot.example", ErrRedirect},
		"words":                        {502, "text/plain", "upstream connect\nerror", "", "", "upstream connect error", ErrAnswer},
		"nothing":                      {200, json, "", "", "", "", ErrAnswer},
		"an array":                     {200, json, `["access_token"]`, "", "", "", ErrAnswer},
		"half an object":               {200, json, `{"access_token":"abc`, "", "", "", io.ErrUnexpectedEOF},
		"two objects":                  {200, json, `{"access_token":"a"}{"access_token":"b"}`, "", "", "", ErrAnswer},
		"two values":                   {200, json, `{"access_token":"a","access_token":"b"}`, "", "", "", ErrAnswer},
		"two values in a form":         {200, "application/x-www-form-urlencoded", "access_token=a&access_token=b", "", "", "", ErrAnswer},
		"an endless answer":            {200, json, `{"access_token":"` + strings.Repeat("a", 1<<20) + `"}`, "", "", "", ErrTooLong},
		"an endless page":              {200, json, `<title>x</title>` + strings.Repeat("a", 1<<20), "", "", "x", ErrPage},
		"a token as long as a book":    {200, json, `{"access_token":"` + strings.Repeat("a", maxToken+1) + `"}`, "", "", "", ErrAnswer},
		"a token with a line's end":    {200, json, `{"access_token":"a\nb"}`, "", "", "", ErrAnswer},
		"a token with a SASL mark":     {200, json, `{"access_token":"a\u0001auth=Bearer b"}`, "", "", "", ErrAnswer},
		"a token that is not ASCII":    {200, json, `{"access_token":"ä"}`, "", "", "", ErrAnswer},
		"a token that is a number":     {200, json, `{"access_token":{"a":1}}`, "", "", "", ErrNoToken},
		"no token":                     {200, json, `{"expires_in":3600}`, "", "", "", ErrNoToken},
		"a token of another kind":      {200, json, `{"access_token":"a","token_type":"DPoP"}`, "", "", "", ErrTokenType},
		"a failure without a word":     {500, json, `{}`, "", "", "", nil},
		"a failure that gives a token": {401, json, `{"access_token":"a"}`, "", "", "", nil},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := provide(t, func(w http.ResponseWriter, r *http.Request) {
				if test.status == 302 {
					w.Header().Set("Location", "https://hotspot.example/login?again="+r.PostFormValue("refresh_token"))
				}
				says(test.status, test.contentType, test.body)(w, r)
			})
			g, err := refresh(t, p)
			r := refusalOf(t, err)
			if r.Status != test.status || r.Phase != PhaseToken || r.Code != test.code || !strings.HasPrefix(r.Description, test.description) {
				t.Errorf("refused with %d %q %q, want %d %q %q", r.Status, r.Code, r.Description, test.status, test.code, test.description)
			}
			if !strings.Contains(r.Reply, test.reply) || len(r.Reply) > maxShown+len("…") {
				t.Errorf("reply = %q, want %q", r.Reply, test.reply)
			}
			if test.cause != nil && !errors.Is(err, test.cause) || test.cause == nil && r.Err != nil {
				t.Errorf("cause = %v, want %v", r.Err, test.cause)
			}
			if !g.AccessToken.IsEmpty() || len(p.asked) != 1 {
				t.Errorf("a token in spite of it, or asked %d times", len(p.asked))
			}
		})
	}
}

// What goes out is what RFC 6749, 7523 and 7636 want, and nothing else.
func TestWhatIsAsked(t *testing.T) {
	ok := says(200, "application/json", `{"access_token":"a"}`)
	ctx := context.Background()
	code := Return{State: postroom.Hide("s"), Code: postroom.Hide("4/0A+b c")}
	tests := map[string]struct {
		change func(*App)
		ask    func(*Client, App) error
		want   map[string]string
		header string
	}{
		"a code": {nil, func(c *Client, a App) error {
			_, err := c.Exchange(ctx, a, code, postroom.Hide("the-verifier"), nil)
			return err
		}, map[string]string{"grant_type": "authorization_code", "code": "4/0A+b c", "redirect_uri": "https://postroom.example/oauth/callback", "code_verifier": "the-verifier", "client_id": "postroom-app", "client_secret": "GOCSPX-9dk3LmQx7vTz2RwB"}, ""},
		"a refresh": {func(a *App) { a.Auth = AuthHeader; a.Secret = postroom.Hide("a:b c") }, func(c *Client, a App) error {
			_, err := c.Refresh(ctx, a, postroom.Hide("r"), []string{"x", "y"})
			return err
		}, map[string]string{"grant_type": "refresh_token", "refresh_token": "r", "scope": "x y"}, "Basic cG9zdHJvb20tYXBwOmElM0FiK2M="},
		"an app without a secret": {func(a *App) { a.Secret = postroom.Secret{} }, func(c *Client, a App) error {
			_, err := c.Refresh(ctx, a, postroom.Hide("r"), nil)
			return err
		}, map[string]string{"grant_type": "refresh_token", "refresh_token": "r", "client_id": "postroom-app"}, ""},
		"an app in its own name": {nil, func(c *Client, a App) error {
			_, err := c.ClientToken(ctx, a, []string{"https://outlook.office365.com/.default"})
			return err
		}, map[string]string{"grant_type": "client_credentials", "scope": "https://outlook.office365.com/.default", "client_id": "postroom-app", "client_secret": "GOCSPX-9dk3LmQx7vTz2RwB"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p := provide(t, ok)
			a := p.app()
			if test.change != nil {
				test.change(&a)
			}
			if err := test.ask(p.client(), a); err != nil {
				t.Fatal(err)
			}
			form := p.asked[0].form
			for field, want := range test.want {
				if got := form.Get(field); got != want {
					t.Errorf("%s = %q, want %q", field, got, want)
				}
			}
			if len(form) != len(test.want) || p.asked[0].header.Get("Authorization") != test.header {
				t.Errorf("asked %v with %q, want %v with %q", form, p.asked[0].header.Get("Authorization"), test.want, test.header)
			}
		})
	}
}

func TestWithoutARefreshTokenNobodyIsAsked(t *testing.T) {
	p := provide(t, says(200, "application/json", `{"access_token":"a"}`))
	if _, err := p.client().Refresh(context.Background(), p.app(), postroom.Secret{}, nil); err == nil || len(p.asked) != 0 {
		t.Errorf("error %v, asked %d times", err, len(p.asked))
	}
}

func TestRetryAfter(t *testing.T) {
	tests := map[string]struct {
		header, date string
		want         time.Duration
	}{
		"none":                      {"", "", 0},
		"seconds":                   {"120", "", 2 * time.Minute},
		"seconds, with blanks":      {" 7 ", "", 7 * time.Second},
		"a date":                    {"Sat, 21 Nov 2026 12:05:00 GMT", "", 5 * time.Minute},
		"a date by another clock":   {"Sat, 21 Nov 2026 18:05:00 GMT", "Sat, 21 Nov 2026 18:00:00 GMT", 5 * time.Minute},
		"a date that has passed":    {"Sat, 21 Nov 2026 11:00:00 GMT", "", 0},
		"less than nothing":         {"-5", "", 0},
		"a year":                    {"31536000", "", maxRetryAfter},
		"a date in a hundred years": {"Fri, 21 Nov 2126 12:00:00 GMT", "", maxRetryAfter},
		"more than a number holds":  {"99999999999999999999", "", 0},
		"soon":                      {"soon", "", 0},
	}
	for name, test := range tests {
		h := http.Header{"Retry-After": {test.header}, "Date": {test.date}}
		if got := retryAfter(h, noon); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
	p := provide(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Retry-After", "30")
		says(429, "application/json", `{"error":"temporarily_unavailable"}`)(w, r)
	})
	_, err := refresh(t, p)
	if r := refusalOf(t, err); r.RetryAfter != 30*time.Second || r.Status != 429 {
		t.Errorf("refusal = %+v, want 30 seconds", r)
	}
}

func TestScopesThatAreMissing(t *testing.T) {
	needed := []string{"openid", "email", "offline_access", "https://outlook.office.com/IMAP.AccessAsUser.All", "https://outlook.office.com/SMTP.Send"}
	tests := map[string]struct {
		grant Grant
		want  string
	}{
		"all":                 {Grant{ScopesSaid: true, Scopes: []string{"https://outlook.office.com/smtp.send", "https://outlook.office.com/IMAP.AccessAsUser.All"}}, ""},
		"one is not":          {Grant{ScopesSaid: true, Scopes: []string{"openid", "https://outlook.office.com/SMTP.Send"}}, "https://outlook.office.com/IMAP.AccessAsUser.All"},
		"nothing was granted": {Grant{ScopesSaid: true}, "https://outlook.office.com/IMAP.AccessAsUser.All https://outlook.office.com/SMTP.Send"},
		"nothing was said":    {Grant{}, ""},
	}
	for name, test := range tests {
		if got := strings.Join(test.grant.Missing(needed), " "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
