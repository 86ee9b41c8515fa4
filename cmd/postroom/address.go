package main

import (
	"net"
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
