package main

import (
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// publicURL is an address of this server as it is written before a path. What has
// more than a scheme and a host is refused: pages live at the root.
func publicURL(text string) (string, error) {
	wrong := wrongUse{"--public-url wants an address such as https://postroom.example.net, without a path."}
	u, err := url.Parse(strings.TrimSpace(text))
	if err != nil || u.Hostname() == "" || u.User != nil || u.Opaque != "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return "", wrong
	}
	if u.Scheme != "http" && u.Scheme != "https" { // url.Parse writes it in lower case
		return "", wrong
	}
	return u.Scheme + "://" + strings.ToLower(u.Host), nil
}

// openable is where a browser on this computer finds a listener. One that listens
// on all addresses has none of its own.
func openable(scheme string, at net.Addr) string {
	host, port, err := net.SplitHostPort(at.String())
	if err != nil {
		return scheme + "://" + at.String()
	}
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return (&url.URL{Scheme: scheme, Host: net.JoinHostPort(host, port)}).String()
}

// isUnspecified says whether a listener listens on all addresses.
func isUnspecified(at net.Addr) bool {
	tcp, ok := at.(*net.TCPAddr)
	return ok && tcp.IP.IsUnspecified()
}

// heartbeatAddress refuses what cannot be asked for. The address may hold a secret, so
// that it is not repeated.
func heartbeatAddress(text string) error {
	if text == "" {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return wrongUse{"--heartbeat-url wants an address that begins with https://."}
	}
	return nil
}

// networks reads addresses and networks such as 127.0.0.1 and 10.0.0.0/8.
func networks(texts []string) ([]netip.Prefix, error) {
	var all []netip.Prefix
	for _, text := range texts {
		text = strings.TrimSpace(text)
		if network, err := netip.ParsePrefix(text); err == nil {
			all = append(all, network)
			continue
		}
		address, err := netip.ParseAddr(text)
		if err != nil {
			return nil, wrongUse{"--proxy wants an address or a network such as 127.0.0.1 or 10.0.0.0/8, not “" + text + "”."}
		}
		all = append(all, netip.PrefixFrom(address.WithZone(""), address.BitLen()))
	}
	return all, nil
}
