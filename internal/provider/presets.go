package provider

import (
	_ "embed"
	"net/netip"
	"path"
	"strings"
	"sync"

	"golang.org/x/net/idna"
)

// providers is what is known about the mail providers. Its head, how_to_use, is
// the contract of this package; what was corrected here stands below it.
//
//go:embed providers.yaml
var providers string

// Presets are the providers that are known. The zero Presets is ready and safe for
// concurrent use. It looks through the names when it is first asked, and reads a
// provider in full only when that is wanted.
type Presets struct {
	once    sync.Once
	known   []*known // in the file's order
	ids     map[string]*known
	domains map[string]*known
	hosts   map[string][]*known

	readTerms sync.Once
	terms     []Term

	readAppGuides sync.Once
	appGuides     []appGuideText
}

// All returns every provider, in the file's order.
func (p *Presets) All() []*Preset {
	p.once.Do(p.index)
	all := make([]*Preset, 0, len(p.known))
	for _, k := range p.known {
		all = append(all, k.preset())
	}
	return all
}

// ByID returns the provider with an id.
func (p *Presets) ByID(id string) (*Preset, bool) {
	p.once.Do(p.index)
	return p.ids[id].found()
}

// ByDomain returns the provider of the addresses of a domain, which may be written
// in ASCII or in Unicode (RFC 5890). A provider that names the domain itself comes
// first, then one with a pattern for it, then one that names a parent domain.
func (p *Presets) ByDomain(domain string) (*Preset, bool) {
	p.once.Do(p.index)
	domain = asciiName(domain)
	if k := p.domains[domain]; k != nil {
		return k.found()
	}
	for _, k := range p.known {
		for _, pattern := range k.patterns {
			if pattern().MatchString(domain) {
				return k.found()
			}
		}
	}
	for _, parent, ok := strings.Cut(domain, "."); ok; _, parent, ok = strings.Cut(parent, ".") {
		if k := p.domains[parent]; k != nil {
			return k.found()
		}
	}
	return nil, false
}

// ByMX returns the provider that receives the mail of a domain, by its mail
// exchangers, the most preferred first. Of several patterns that fit one host the
// most exact counts.
func (p *Presets) ByMX(hosts []string) (*Preset, bool) {
	p.once.Do(p.index)
	for _, host := range hosts {
		if k := p.mostExact(asciiName(host), func(k *known) []string { return k.mx }); k != nil {
			return k.found()
		}
	}
	return nil, false
}

// ByHost returns the provider that a server belongs to. Where one server is that
// of several, the provider for domains of one's own is preferred: one for its own
// domains only is found by the domain. [Presets.For] knows the address too.
func (p *Presets) ByHost(host string) (*Preset, bool) { return p.For("", host) }

// For returns the provider of a mailbox, by the server that it is read from and
// its address; either may be empty. The server decides: whose name it is, that is
// who refuses and who is to be asked. A server that nobody is known for belongs to
// no provider, whatever the address. On this computer itself anything may run,
// such as a bridge to a provider; there the address tells.
func (p *Presets) For(address, host string) (*Preset, bool) {
	p.once.Do(p.index)
	_, domain := splitAddress(address)
	domain, host = asciiName(domain), asciiName(host)
	if host == "" || isLoopback(host) {
		return p.ByDomain(domain)
	}
	sharing := p.hosts[host]
	if len(sharing) == 0 {
		if k := p.mostExact(host, func(k *known) []string { return k.further }); k != nil {
			return k.found()
		}
		if _, parent, _ := strings.Cut(host, "."); p.domains[parent] != nil && p.domains[parent].kind != "hosting" {
			return p.domains[parent].found()
		}
		return nil, false
	}
	if own, ok := p.ByDomain(domain); ok {
		for _, k := range sharing {
			if k.id == own.ID {
				return own, true
			}
		}
	}
	for _, k := range sharing {
		if k.kind == "business" {
			return k.found()
		}
	}
	return sharing[0].found()
}

// isLoopback says whether a host is this computer itself (RFC 6761 section 6.3).
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return err == nil && ip.Unmap().IsLoopback() || host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// mostExact returns the provider with the most exact of the patterns that match a
// host: one without *, else the longest. It is nil when none matches.
func (p *Presets) mostExact(host string, patterns func(*known) []string) *known {
	var best *known
	longest := 0
	for _, k := range p.known {
		for _, pattern := range patterns(k) {
			if pattern == host {
				return k
			}
			if matched, err := path.Match(pattern, host); err == nil && matched && len(pattern) > longest {
				best, longest = k, len(pattern)
			}
		}
	}
	return best
}

// longestName is more bytes than any name has in Unicode: in the DNS it is at most
// 253 (RFC 1035 section 2.3.4).
const longestName = 1024

// asciiName returns the name of a domain or a host as it stands in the DNS: in
// ASCII, lower case, without a final dot. What is no such name is returned in
// lower case, and matches nothing.
func asciiName(name string) string {
	if len(name) > longestName {
		return ""
	}
	name = strings.TrimRight(strings.TrimSpace(name), ".")
	if ascii, err := idna.Lookup.ToASCII(name); err == nil {
		return strings.TrimRight(ascii, ".")
	}
	return strings.ToLower(name)
}

// splitAddress cuts an address at its last @.
func splitAddress(address string) (localPart, domain string) {
	at := strings.LastIndexByte(address, '@')
	if at < 0 {
		return address, ""
	}
	return address[:at], address[at+1:]
}
