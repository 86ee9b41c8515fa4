package oauth

import (
	"context"
	"crypto/x509"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postroom/postroom"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// noon is the time in these tests.
var noon = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// A provider is a server with TLS, and the questions that it was asked.
type provider struct {
	*httptest.Server
	asked []asked
}

type asked struct {
	path   string
	header http.Header
	form   url.Values
}

// provide starts one that answers by answer.
func provide(t *testing.T, answer http.HandlerFunc) *provider {
	t.Helper()
	p := &provider{}
	p.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		p.asked = append(p.asked, asked{r.URL.Path, r.Header, r.PostForm})
		answer(w, r)
	}))
	t.Cleanup(p.Close)
	return p
}

// says answers always the same.
func says(status int, contentType, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}
}

// client trusts p, and lives at noon.
func (p *provider) client() *Client {
	roots := x509.NewCertPool()
	roots.AddCert(p.Certificate())
	return &Client{Roots: roots, Now: func() time.Time { return noon }, Timeout: 5 * time.Second}
}

// app is a registration at p.
func (p *provider) app() App { return appAt(p.URL) }

func appAt(base string) App {
	return App{
		AuthorizeURL: base + "/authorize", TokenURL: base + "/token", DeviceURL: base + "/device", RevokeURL: base + "/revoke",
		UserInfoURL: base + "/userinfo",
		ClientID:    "postroom-app", Secret: postroom.Hide("GOCSPX-9dk3LmQx7vTz2RwB"), RedirectURL: "https://postroom.example/oauth/callback",
	}
}

func refresh(t *testing.T, p *provider) (Grant, error) {
	t.Helper()
	return p.client().Refresh(context.Background(), p.app(), postroom.Hide("1//0e-Jq8sVw4ZtN6yRbKcXmUfHgPdLa3"), nil)
}

// parts of a Refusal that tests compare.
func refusalOf(t *testing.T, err error) *Refusal {
	t.Helper()
	r, ok := RefusalOf(err)
	if !ok {
		t.Fatalf("error = %v, want a Refusal", err)
	}
	return r
}
