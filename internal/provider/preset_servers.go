package provider

import (
	"strings"

	"github.com/postroom/postroom"
)

// ServersFor returns the servers for an address, with its user name: IMAP, POP3
// and SMTP, each the recommended one first. Where a mail goes that is sent to
// support+paris@… is the account support@….
func (p *Preset) ServersFor(address string) []Candidate {
	if p == nil {
		return nil
	}
	localPart, domain := splitAddress(strings.TrimSpace(address))
	domain = asciiName(domain)
	if localPart == "" || domain == "" {
		return nil
	}
	var candidates []Candidate
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3, postroom.SMTP} {
		for _, s := range p.servers(protocol) {
			candidates = append(candidates, Candidate{
				Protocol: protocol,
				Host:     strings.ReplaceAll(s.Host, "{domain}", domain), Port: s.Port, TLS: s.TLS,
				Username: p.username(protocol, address), SignIns: p.SignIns(protocol),
			})
		}
	}
	return candidates
}

func (p *Preset) servers(protocol postroom.Protocol) []Server {
	switch protocol {
	case postroom.IMAP:
		return p.IMAP
	case postroom.POP3:
		return p.POP3
	case postroom.SMTP:
		return p.SMTP
	}
	return nil
}

// username returns the user name for an address. What stands before the @ is one
// only in the provider's own domains.
func (p *Preset) username(protocol postroom.Protocol, address string) string {
	localPart, domain := splitAddress(strings.TrimSpace(address))
	if name, _, tagged := strings.Cut(localPart, "+"); tagged && name != "" {
		localPart = name
	}
	if p.LocalPartIsUser && (protocol != postroom.SMTP || !p.SendsAsAddress) && p.names(asciiName(domain)) {
		return localPart
	}
	return localPart + "@" + domain
}

// names says whether a domain is one of the provider's own.
func (p *Preset) names(domain string) bool {
	for _, own := range p.Domains {
		if domain == own || strings.HasSuffix(domain, "."+own) {
			return true
		}
	}
	return false
}

// SignIns are the ways to sign in that work with a protocol, the best first: oauth,
// app_password, password.
func (p *Preset) SignIns(protocol postroom.Protocol) []string {
	if p == nil {
		return nil
	}
	var ways []string
	if p.OAuth != nil && (protocol == "" || len(p.OAuth.Scopes[protocol]) > 0) {
		ways = append(ways, "oauth")
	}
	if p.AppPassword.Offered {
		ways = append(ways, "app_password")
	}
	if p.TakesPassword || p.TakesPasswordToSend && protocol == postroom.SMTP {
		ways = append(ways, "password")
	}
	return ways
}
