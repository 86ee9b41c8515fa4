package main

import (
	"errors"
	"fmt"
	"net"
	"testing"
)

func TestPublicURL(t *testing.T) {
	for text, want := range map[string]string{
		"https://postroom.example.net":     "https://postroom.example.net",
		"https://postroom.example.net/":    "https://postroom.example.net",
		"HTTPS://Postroom.Example.Net":     "https://postroom.example.net",
		"http://[2001:db8::1]:8025":        "http://[2001:db8::1]:8025",
		"postroom.example.net":             "",
		"https://":                         "",
		"https://:8025":                    "",
		"ftp://postroom.example.net":       "",
		"https://example.net/postroom":     "",
		"https://user:word@example.net":    "",
		"https://example.net?a=b":          "",
		"javascript:alert(1)":              "",
		"https://example.net\r\nX-Evil: 1": "",
	} {
		got, err := publicURL(text)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("publicURL(%q) = %q, %v, want %q", text, got, err, want)
		}
		if use := (wrongUse{}); err != nil && !errors.As(err, &use) {
			t.Errorf("publicURL(%q) fails with %v, want wrong use", text, err)
		}
	}
}

func TestOpenable(t *testing.T) {
	for _, test := range []struct {
		ip   string
		zone string
		want string
	}{
		{"127.0.0.1", "", "http://127.0.0.1:8025"},
		{"0.0.0.0", "", "http://localhost:8025"},
		{"::", "", "http://localhost:8025"},
		{"::1", "", "http://[::1]:8025"},
		{"2001:db8::1", "", "http://[2001:db8::1]:8025"},
		{"fe80::1", "eth0", "http://[fe80::1%25eth0]:8025"},
	} {
		at := &net.TCPAddr{IP: net.ParseIP(test.ip), Port: 8025, Zone: test.zone}
		if got := openable("http", at); got != test.want {
			t.Errorf("openable(%s) = %s, want %s", at, got, test.want)
		}
	}
}

func TestNetworks(t *testing.T) {
	got, err := networks([]string{"127.0.0.1", " 10.0.0.0/8", "::1", "fe80::1%eth0"})
	if want := "[127.0.0.1/32 10.0.0.0/8 ::1/128 fe80::1/128]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("networks = %v, %v, want %s", got, err, want)
	}
	for _, text := range []string{"", "localhost", "10.0.0.0/99", "*"} {
		if _, err := networks([]string{text}); err == nil {
			t.Errorf("networks takes %q", text)
		}
	}
}
