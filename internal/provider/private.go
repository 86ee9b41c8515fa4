package provider

import (
	"net/netip"
	"slices"
	"strings"
)

// The addresses that nobody has in the open Internet, or that only this computer or its
// network has (IANA special-purpose registries, RFC 6890), beyond those that
// [netip.Addr] knows itself.
const (
	specialIPv4 = "0.0.0.0/8 100.64.0.0/10 192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 240.0.0.0/4"
	// Of IPv6 only 2000::/3 is given out; within it Teredo and the other protocols of
	// 2001::/23, and documentation.
	specialIPv6 = "2001::/23 2001:db8::/32 3fff::/20"
)

// isPublic says whether an address is one of the open Internet.
func isPublic(a netip.Addr) bool {
	a = a.Unmap()
	switch {
	case !a.IsValid(), a.Zone() != "", !a.IsGlobalUnicast(), a.IsPrivate(), a.IsLoopback(), a.IsLinkLocalUnicast():
		return false
	case a.Is4():
		return !isWithin(a, specialIPv4)
	}
	if inner, ok := innerIPv4(a); ok {
		return isPublic(inner)
	}
	return netip.MustParsePrefix("2000::/3").Contains(a) && !isWithin(a, specialIPv6)
}

func isWithin(a netip.Addr, prefixes string) bool {
	return slices.ContainsFunc(strings.Fields(prefixes), func(p string) bool { return netip.MustParsePrefix(p).Contains(a) })
}

// innerIPv4 is the IPv4 address that an IPv6 address leads to: by NAT64 (RFC 6052) or
// 6to4 (RFC 3056).
func innerIPv4(a netip.Addr) (netip.Addr, bool) {
	bytes := a.As16()
	switch {
	case netip.MustParsePrefix("64:ff9b::/96").Contains(a):
		return netip.AddrFrom4([4]byte(bytes[12:16])), true
	case netip.MustParsePrefix("2002::/16").Contains(a):
		return netip.AddrFrom4([4]byte(bytes[2:6])), true
	}
	return netip.Addr{}, false
}

// isLocalName says whether a name means something within one network or computer only
// (RFC 6761, RFC 6762, RFC 8375, and what is usual in companies), so that asking the
// open Internet about it is of no use.
func isLocalName(host string) bool {
	labels := strings.Split(host, ".")
	if len(labels) == 1 {
		return true
	}
	last := labels[len(labels)-1]
	return slices.Contains([]string{"localhost", "local", "internal", "onion", "lan", "intranet", "private", "corp", "home"}, last) ||
		strings.HasSuffix(host, ".home.arpa")
}
