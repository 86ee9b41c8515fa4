//go:build unix

package mailbox

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// TestAServerWithSeveralAddresses holds what is said where only some of them work, and
// that the whole is not much longer for it.
func TestAServerWithSeveralAddresses(t *testing.T) {
	a := newAuthorities(t)
	good := func(t *testing.T) string {
		return listenOn(t, func(conn net.Conn) { encryptedGreeting(a)(postroom.IMAP, conn) })
	}
	tests := map[string]struct {
		first, second func(t *testing.T) string // where the addresses 2001:db8::5 and 192.0.2.5 lead
		kind          postroom.Kind
		fixBy         postroom.FixBy
		says, advises string
	}{
		"IPv6 that is cut while IPv4 works": {
			func(t *testing.T) string { return listenOn(t, func(conn net.Conn) { reset("", conn) }) }, good,
			postroom.Delayed, postroom.FixByAppAdmin, "imap.example.net answers at 192.0.2.5, but not at 2001:db8::5.", "IPv6 does not work between here and there."},
		"IPv6 that swallows everything while IPv4 works": {
			func(t *testing.T) string { return listenOn(t, func(conn net.Conn) { silent("", conn) }) }, good,
			postroom.Delayed, postroom.FixByAppAdmin, "imap.example.net answers at 192.0.2.5, but not at 2001:db8::5.", "IPv6 does not work between here and there."},
		"IPv4 that is cut while IPv6 works": {
			good, closedPort,
			"", "", "", ""}, // the first that answers is enough
		"neither": {
			closedPort, closedPort,
			postroom.Delayed, postroom.FixByUser, "Nothing answers at imap.example.net on port 993.", "None of its addresses answers: 2001:db8::5, 192.0.2.5."},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first, second := test.first(t), test.second(t)
			tester := Tester{Explainer: newExplainer()}
			tester.LookUp = func(context.Context, string) ([]netip.Addr, error) {
				return []netip.Addr{netip.MustParseAddr("2001:db8::5"), netip.MustParseAddr("192.0.2.5")}, nil
			}
			tester.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
				at := first // also for the name, as a system does that prefers IPv6
				if strings.HasPrefix(addr, "192.0.2.5:") {
					at = second
				}
				return new(net.Dialer).DialContext(ctx, network, at)
			}
			m := plain()
			m.Incoming.Protocol, m.Incoming.Port, m.Incoming.TLS, m.Incoming.Folders = postroom.IMAP, 993, postroom.TLSImplicit, []string{"INBOX"}
			m.Incoming.CACertificate, m.Incoming.ConnectTimeout, m.Incoming.AuthTimeout = a.root.pem(), 400*time.Millisecond, 400*time.Millisecond
			began := time.Now()
			f := tester.Run(t.Context(), m, password("abcdefgh"), TestOptions{Side: IncomingSide}).Fault()
			if f == nil {
				t.Fatal("nothing went wrong")
			}
			if test.says == "" {
				if strings.Contains(f.Explanation, "but not at") {
					t.Errorf("explained by addresses: %q", f.Explanation)
				}
				return
			}
			if f.Kind != test.kind || f.FixBy != test.fixBy || f.Explanation != test.says || !strings.Contains(f.Remedy, test.advises) {
				t.Errorf("%s, %s: %q %q\nwant %s, %s: %q %q", f.Kind, f.FixBy, f.Explanation, f.Remedy, test.kind, test.fixBy, test.says, test.advises)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}
