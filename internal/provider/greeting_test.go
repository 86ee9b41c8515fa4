package provider

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// listen starts a mail server on a real socket of this computer.
func listen(t *testing.T, n *internet, host string, port int, odd string) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var open sync.WaitGroup
	open.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			open.Go(func() {
				defer conn.Close()
				n.serveMail(conn, host, port, odd)
			})
		}
	})
	t.Cleanup(func() { l.Close(); open.Wait() })
	return l.Addr().(*net.TCPAddr).Port
}

func TestServersAreGreetedOnRealSockets(t *testing.T) {
	tests := map[string]struct {
		protocol postroom.Protocol
		tls      postroom.TLSPolicy
		port     int // whose server is played
		odd      string
		there    bool
		trusted  bool
	}{
		"IMAP with TLS":                      {postroom.IMAP, postroom.TLSImplicit, 993, "", true, true},
		"POP3 with TLS":                      {postroom.POP3, postroom.TLSImplicit, 995, "", true, true},
		"SMTP with TLS":                      {postroom.SMTP, postroom.TLSImplicit, 465, "", true, true},
		"IMAP that turns to TLS":             {postroom.IMAP, postroom.TLSStart, 143, "", true, true},
		"SMTP that turns to TLS":             {postroom.SMTP, postroom.TLSStart, 587, "", true, true},
		"a certificate of nobody":            {postroom.IMAP, postroom.TLSImplicit, 993, "untrusted", true, false},
		"a certificate of another name":      {postroom.IMAP, postroom.TLSImplicit, 993, "other name", true, false},
		"and after STARTTLS":                 {postroom.SMTP, postroom.TLSStart, 587, "other name", true, false},
		"IMAP that stays in clear":           {postroom.IMAP, postroom.TLSStart, 143, "no starttls", false, false},
		"SMTP that stays in clear":           {postroom.SMTP, postroom.TLSStart, 587, "no starttls", false, false},
		"something else behind TLS":          {postroom.IMAP, postroom.TLSImplicit, 993, "babble", false, true},
		"something else in clear":            {postroom.SMTP, postroom.TLSStart, 587, "babble", false, false},
		"clear where TLS is expected":        {postroom.IMAP, postroom.TLSImplicit, 143, "", false, false},
		"TLS where clear is expected":        {postroom.SMTP, postroom.TLSStart, 465, "", false, false},
		"a server that is silent":            {postroom.IMAP, postroom.TLSStart, 143, "silent", false, false},
		"a server that is silent behind TLS": {postroom.IMAP, postroom.TLSImplicit, 993, "silent", false, true},
		"SMTP at the port of POP3":           {postroom.SMTP, postroom.TLSImplicit, 995, "", false, true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n := newInternet(t, nil)
			f := &Finder{Roots: n.ca.pool, AllowPrivate: true}
			c := Candidate{Protocol: test.protocol, TLS: test.tls, Host: "mail.example.net", Port: listen(t, n, "mail.example.net", test.port, test.odd)}
			ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
			defer cancel()
			isTrusted, err := f.greets(ctx, c, []netip.Addr{netip.MustParseAddr("127.0.0.1")})
			if (err == nil) != test.there || isTrusted != test.trusted {
				t.Errorf("there: %v, trusted: %t; want %t, %t", err, isTrusted, test.there, test.trusted)
			}
			n.lock.Lock()
			defer n.lock.Unlock()
			for _, said := range n.seen.said {
				if !strings.HasPrefix(said, "\x16\x03") && // a handshake, to a server that talks in clear
					!slices.Contains([]string{"a CAPABILITY", "b STARTTLS", "EHLO [127.0.0.1]", "STARTTLS"}, said) {
					t.Errorf("the server was told %q", said)
				}
			}
		})
	}
}

// A server that goes on for ever costs a bounded number of bytes.
func TestAnEndlessGreetingEnds(t *testing.T) {
	for _, line := range []string{"220-more\r\n", strings.Repeat("x", 1000)} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var open sync.WaitGroup
		open.Go(func() {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			defer conn.Close()
			for {
				if _, err := fmt.Fprint(conn, line); err != nil {
					return
				}
			}
		})
		c := Candidate{Protocol: postroom.SMTP, TLS: postroom.TLSStart, Host: "mail.example.net", Port: l.Addr().(*net.TCPAddr).Port}
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err = (&Finder{AllowPrivate: true}).greets(ctx, c, []netip.Addr{netip.MustParseAddr("127.0.0.1")})
		if err == nil || ctx.Err() != nil {
			t.Errorf("%.10q for ever: %v, context %v", line, err, ctx.Err())
		}
		cancel()
		l.Close()
		open.Wait()
	}
}

// The second address is tried when the first refuses, and at the latest after a moment.
func TestTheNextAddressIsTried(t *testing.T) {
	n := newInternet(t, nil)
	port := listen(t, n, "mail.example.net", 993, "")
	f := &Finder{Roots: n.ca.pool, AllowPrivate: true, Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		switch {
		case strings.HasPrefix(addr, "192.0.2.1"):
			<-ctx.Done() // nobody is there
			return nil, ctx.Err()
		case strings.HasPrefix(addr, "192.0.2.2"):
			return nil, fmt.Errorf("connection refused")
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}
	conn, err := f.dial(t.Context(), []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2"), netip.MustParseAddr("127.0.0.1")}, port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	encrypted, isTrusted, err := f.handshake(t.Context(), conn, "mail.example.net")
	if err != nil || !isTrusted {
		t.Fatalf("trusted %t, %v", isTrusted, err)
	}
	if v := encrypted.(*tls.Conn).ConnectionState().Version; v < tls.VersionTLS12 {
		t.Errorf("version %x", v)
	}
	if _, err := f.dial(t.Context(), []netip.Addr{netip.MustParseAddr("192.0.2.2")}, port); err == nil {
		t.Error("nobody answers, and that is no error")
	}
}
