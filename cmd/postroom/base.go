package main

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// A base tells under which address people reach this server: the providers of mail
// send browsers back there, letter by letter.
type base struct {
	Fixed   string         // --public-url; empty: nobody has said
	Own     string         // of the listener, as a browser on this computer finds it
	IsOpen  bool           // the listener listens on all addresses, so that Own is one of many
	Proxies []netip.Prefix // that are believed what they say of where a request was sent to
}

// of is the address under which a request has come. X-Forwarded-Host and
// X-Forwarded-Proto count where one of our proxies sends them; of several hosts the
// last one, which that proxy has written itself.
func (b base) of(r *http.Request) string {
	if b.Fixed != "" {
		return b.Fixed
	}
	if b.isProxied(r) {
		if host := lastOf(r.Header.Values("X-Forwarded-Host")); isHost(host) {
			scheme := strings.ToLower(lastOf(r.Header.Values("X-Forwarded-Proto")))
			if scheme != "http" && scheme != "https" {
				scheme = schemeOf(r)
			}
			return scheme + "://" + strings.ToLower(host)
		}
	}
	if b.IsOpen && isHost(r.Host) {
		return schemeOf(r) + "://" + strings.ToLower(r.Host)
	}
	return b.Own
}

// known is the address where nobody has come by one, as for a mail; empty where this
// server listens on all addresses and nobody has said which of them people know.
func (b base) known() string {
	if b.Fixed != "" || b.IsOpen {
		return b.Fixed
	}
	return b.Own
}

func (b base) isProxied(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	from, err := netip.ParseAddr(host)
	return err == nil && slices.ContainsFunc(b.Proxies, func(p netip.Prefix) bool { return p.Contains(from.Unmap().WithZone("")) })
}

func schemeOf(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

func lastOf(values []string) string {
	all := strings.Split(strings.Join(values, ","), ",")
	return strings.TrimSpace(all[len(all)-1])
}

// isHost says whether a text is a host, perhaps with a port, and nothing else.
func isHost(text string) bool {
	if text == "" || strings.ContainsAny(text, "/\\@?# \t") {
		return false
	}
	u, err := url.Parse("http://" + text)
	return err == nil && u.Host == text && u.Hostname() != ""
}
