package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/simulator"
)

func TestASignInBeginsWhereTheBrowserComesBackTo(t *testing.T) {
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	s.pages.Base = func(*http.Request) string { return s.site.URL }
	begun, err := s.desk.Begin(t.Context(), s.viewer(), s.draft().ID, s.app.ID)
	if err != nil {
		t.Fatal(err)
	}
	open := func(address, host string) *http.Response {
		t.Helper()
		r := httptest.NewRequest(http.MethodGet, address, nil)
		r.Host = host
		w := httptest.NewRecorder()
		s.site.Config.Handler.ServeHTTP(w, r)
		return w.Result()
	}
	// Its cookie would stay at another name of this server.
	a := open(begun.Path, "localhost:8025")
	home := a.Header.Get("Location")
	if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(home, s.site.URL+begun.Path) || len(a.Cookies()) > 0 {
		t.Fatalf("by another name = %d to %q with %v", a.StatusCode, home, a.Cookies())
	}
	if a.Header.Get("Referrer-Policy") != "no-referrer" || a.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("its headers are %v", a.Header)
	}
	u, err := url.Parse(home)
	if err != nil {
		t.Fatal(err)
	}
	// A proxy may hide the name: that is no reason to turn in circles.
	for _, host := range []string{u.Host, "localhost:8025"} {
		a = open(u.RequestURI(), host)
		if a.StatusCode != http.StatusSeeOther || !strings.HasPrefix(a.Header.Get("Location"), s.google.AuthorizeURL) || len(a.Cookies()) != 1 {
			t.Errorf("at %s = %d to %q with %v", host, a.StatusCode, a.Header.Get("Location"), a.Cookies())
		}
	}
}
