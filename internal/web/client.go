package web

import (
	"net/http"
	"net/netip"
	"strings"

	"github.com/postroom/postroom/internal/access"
)

// client is where a request comes from. Anybody may write X-Forwarded-For; what a
// proxy of ours was told stands before what it has seen itself, so that the header
// is read from its end, and no further than to the first who is none of ours.
func (s *Server) client(r *http.Request) access.Client {
	from, ok := hop(r.RemoteAddr)
	if !ok {
		return access.Client{Address: r.RemoteAddr, Agent: r.UserAgent()}
	}
	told := strings.Join(r.Header.Values("X-Forwarded-For"), ",")
	for s.isProxy(from) {
		i := strings.LastIndexByte(told, ',')
		before, ok := hop(told[i+1:])
		if !ok {
			break
		}
		from, told = before, told[:max(i, 0)]
	}
	return access.Client{Address: from.String(), Agent: r.UserAgent()}
}

// hop reads an address as proxies write it, with or without a port.
func hop(text string) (netip.Addr, bool) {
	text = strings.TrimSpace(text)
	if with, err := netip.ParseAddrPort(text); err == nil {
		return with.Addr().Unmap(), true
	}
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	return address.Unmap(), err == nil
}

func (s *Server) isProxy(address netip.Addr) bool {
	for _, network := range s.Proxies {
		if network.Contains(address.WithZone("")) {
			return true
		}
	}
	return false
}
