package main

import (
	"crypto/tls"
	"net/http/httptest"
	"net/netip"
	"testing"
)

func TestAddressUnderWhichPeopleReachTheServer(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	own := "http://127.0.0.1:8025"
	for name, test := range map[string]struct {
		base   base
		from   string
		host   string
		header map[string]string
		tls    bool
		want   string
	}{
		"what was configured counts whatever a request says": {
			base{Fixed: "https://mail.example.net", Own: own, Proxies: proxies}, "10.0.0.1:5", "evil.example", map[string]string{"X-Forwarded-Host": "evil.example"}, false, "https://mail.example.net"},
		"a proxy of ours is believed": {
			base{Own: own, Proxies: proxies}, "10.0.0.1:5", "backend", map[string]string{"X-Forwarded-Host": "Mail.example.net", "X-Forwarded-Proto": "https"}, false, "https://mail.example.net"},
		"a proxy that does not tell the scheme has the one it came by": {
			base{Own: own, Proxies: proxies}, "10.0.0.1:5", "backend", map[string]string{"X-Forwarded-Host": "mail.example.net:8443"}, true, "https://mail.example.net:8443"},
		"of several hosts the last was written by our proxy": {
			base{Own: own, Proxies: proxies}, "10.0.0.1:5", "backend", map[string]string{"X-Forwarded-Host": "evil.example, mail.example.net", "X-Forwarded-Proto": "http, https"}, false, "https://mail.example.net"},
		"a stranger who writes the header is not believed": {
			base{Own: own, Proxies: proxies}, "192.0.2.1:5", "evil.example", map[string]string{"X-Forwarded-Host": "evil.example"}, false, own},
		"a proxy that writes no host leaves it open": {
			base{Own: own, Proxies: proxies}, "10.0.0.1:5", "backend", map[string]string{"X-Forwarded-Host": "a/b"}, false, own},
		"a listener on one address has that one": {base{Own: own}, "127.0.0.1:5", "localhost:8025", nil, false, own},
		"a listener on all addresses is reached as the browser says": {
			base{Own: "http://localhost:8025", IsOpen: true}, "192.0.2.1:5", "postroom.lan:8025", nil, false, "http://postroom.lan:8025"},
		"a host that is none is not repeated": {
			base{Own: "http://localhost:8025", IsOpen: true}, "192.0.2.1:5", "user@evil", nil, false, "http://localhost:8025"},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/", nil)
			r.RemoteAddr, r.Host = test.from, test.host
			if test.tls {
				r.TLS = &tls.ConnectionState{}
			}
			for key, value := range test.header {
				r.Header.Set(key, value)
			}
			if got := test.base.of(r); got != test.want {
				t.Errorf("of = %q, want %q", got, test.want)
			}
		})
	}
}

func TestMailNamesTheAddressThatPeopleKnow(t *testing.T) {
	own := "http://127.0.0.1:8025"
	for want, b := range map[string]base{
		"https://mail.example.net": {Fixed: "https://mail.example.net", Own: own, IsOpen: true}, own: {Own: own}, "": {Own: own, IsOpen: true},
	} {
		if got := b.known(); got != want {
			t.Errorf("%+v is known as %q, want %q", b, got, want)
		}
	}
}
