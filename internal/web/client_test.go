package web

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestClientsBehindProxies(t *testing.T) {
	s := &Server{Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}}
	for name, test := range map[string]struct {
		from string
		told []string
		want string
	}{
		"directly":                           {"203.0.113.9:1234", nil, "203.0.113.9"},
		"a stranger's header is not read":    {"203.0.113.9:1234", []string{"198.51.100.7"}, "203.0.113.9"},
		"by a proxy":                         {"127.0.0.1:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"what the proxy was told counts not": {"127.0.0.1:1234", []string{"198.51.100.7, 203.0.113.9"}, "203.0.113.9"},
		"in a header of its own neither":     {"127.0.0.1:1234", []string{"198.51.100.7", "203.0.113.9"}, "203.0.113.9"},
		"by two proxies":                     {"127.0.0.1:1234", []string{"203.0.113.9, 10.1.2.3"}, "203.0.113.9"},
		"from a proxy itself":                {"127.0.0.1:1234", []string{"10.1.2.3"}, "10.1.2.3"},
		"by a proxy that says nothing":       {"127.0.0.1:1234", nil, "127.0.0.1"},
		"by a proxy that says nonsense":      {"127.0.0.1:1234", []string{"203.0.113.9, unknown"}, "127.0.0.1"},
		"with a port":                        {"127.0.0.1:1234", []string{"203.0.113.9:4711"}, "203.0.113.9"},
		"over IPv6":                          {"[::1]:1234", []string{"[2001:db8::1]:4711"}, "2001:db8::1"},
		"an IPv4 address in an IPv6 one":     {"[::ffff:127.0.0.1]:1234", []string{"203.0.113.9"}, "203.0.113.9"},
		"without an address":                 {"pipe", nil, "pipe"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = test.from
		r.Header["X-Forwarded-For"] = test.told
		if got := s.client(r).Address; got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.RemoteAddr = "127.0.0.1:1234"
	r.Header.Set("X-Forwarded-For", "203.0.113.9")
	if got := (&Server{}).client(r).Address; got != "127.0.0.1" {
		t.Errorf("without proxies the header says %s", got)
	}
}

// A proxy may ask under another name than browsers know; plain HTTP has no
// Sec-Fetch-Site that would say so.
func TestFormsArriveThroughAProxy(t *testing.T) {
	s := &Server{PublicURL: "http://postroom.example.net"}
	done := s.guard(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	s.assets = loadAssets()
	for origin, want := range map[string]int{"http://postroom.example.net": http.StatusNoContent, "http://evil.example": http.StatusForbidden} {
		r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8025/sign-in", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		done.ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("a form from %s: %d, want %d", origin, w.Code, want)
		}
	}
}
