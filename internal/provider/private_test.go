package provider

import (
	"net/netip"
	"strings"
	"testing"
)

func TestAddressesOfNobodyAreNotPublic(t *testing.T) {
	for _, text := range strings.Fields(`0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.9.9.9 169.254.169.254 172.16.0.1 172.31.255.255
		192.0.0.8 192.0.2.1 192.88.99.1 192.168.0.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 240.0.0.1 255.255.255.255
		:: ::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::127.0.0.1 64:ff9b::10.0.0.1 64:ff9b::7f00:1 64:ff9b:1::1 100::1 2001::1 2001:10::1 2001:db8::1 2002:7f00:1::
		2002:a00:1::1 3fff::1 5f00::1 fc00::1 fd12:3456::1 fe80::1 fe80::1%eth0 fec0::1 ff02::1 2606:4700::1111%eth0`) {
		if isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is taken for a public address", text)
		}
	}
	for _, text := range strings.Fields(`1.1.1.1 9.9.9.9 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 192.0.1.1 198.17.0.1 198.20.0.1 223.255.255.255
		::ffff:9.9.9.9 64:ff9b::9.9.9.9 2002:909:909::1 2606:4700::1111 2a01:4f8::1 2001:4860:4860::8888`) {
		if !isPublic(netip.MustParseAddr(text)) {
			t.Errorf("%s is not taken for a public address", text)
		}
	}
	if isPublic(netip.Addr{}) {
		t.Error("no address is taken for a public one")
	}
}

// A name may lead to several addresses: the private ones among them are left out, and
// what is dialled is what was looked at.
func TestOnlyPublicAddressesOfANameAreDialled(t *testing.T) {
	n := newInternet(t, []string{"mixed.net A 10.0.0.1", "mixed.net A 9.9.9.9", "mixed.net A ::1"})
	f := n.finder()
	got, err := f.addresses(t.Context(), "mixed.net")
	if err != nil || len(got) != 1 || got[0] != netip.MustParseAddr("9.9.9.9") {
		t.Errorf("addresses = %v, %v", got, err)
	}
	for _, host := range []string{"10.0.0.1", "[::1]", "localhost", "printer.local", "router", "169.254.169.254", "nas.home.arpa"} {
		if got, err := f.addresses(t.Context(), strings.Trim(host, "[]")); err == nil {
			t.Errorf("%s is at %v, want it refused", host, got)
		}
	}
	if len(n.seen.dns) != 1 {
		t.Errorf("the DNS was asked for %q", n.seen.dns)
	}
	if _, err := f.dialHost(t.Context(), "tcp", "mixed.net:25"); err == nil {
		t.Error("port 25 is taken for a web server")
	}
}
