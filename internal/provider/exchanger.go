package provider

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strings"
)

// exchangers are what the DNS says about where the mail of a domain goes.
type exchangers struct {
	hosts   []string // the most preferred first
	refuses bool     // it takes no mail at all (RFC 7505)
	missing bool     // it names none
}

const maxExchangers = 16

// askMX asks for the mail exchangers. Where they are those of a known provider, nothing
// else needs to be asked.
func (q *inquiry) askMX(ctx context.Context, domain string) lead {
	l := lead{try: Try{Source: SourceMX, Asked: "mail exchanger of " + domain}}
	records, err := q.finder.resolver().LookupMX(ctx, rooted(domain))
	if len(records) == 0 {
		l.exchangers = &exchangers{missing: err == nil || isNoName(err)}
		if l.try.Words = "there is none"; !l.exchangers.missing {
			l.try.Words = inWords(err)
		}
		return l
	}
	l.exchangers = readMX(records)
	if len(l.exchangers.hosts) == 0 {
		l.try.Words = "it says that it takes no mail"
		return l
	}
	first := l.exchangers.hosts[0]
	preset, ok := q.finder.presets().ByMX(l.exchangers.hosts)
	if !ok {
		l.try.Words = first + ", of nobody who is known here"
		return l
	}
	l.try.Found, l.try.Words = true, first+", which is "+preset.shortName()
	l.provider = preset
	l.candidates = q.presetServers(preset, SourceMX, first+" ("+preset.shortName()+")")
	if !isClosed(preset) {
		nearest(l.candidates, first)
	}
	l.isSettled = len(l.candidates) > 0 || isClosed(preset)
	return l
}

// nearest puts the servers first that are in the region or the registered domain of a
// mail exchanger, where a provider has them in several.
func nearest(list []Candidate, exchanger string) {
	isNear := func(c Candidate) bool {
		if organisation(c.Host) == organisation(exchanger) {
			return true
		}
		for label := range strings.SplitSeq(exchanger, ".") {
			if strings.Contains(label, "-") && strings.Contains(c.Host, "."+label+".") { // eu-west-1
				return true
			}
		}
		return false
	}
	slices.SortStableFunc(list, func(a, b Candidate) int {
		switch near, other := isNear(a), isNear(b); {
		case near == other:
			return 0
		case near:
			return -1
		}
		return 1
	})
}

// askName asks whether a domain is registered at all: then it has name servers.
func (q *inquiry) askName(ctx context.Context, domain string) lead {
	l := lead{try: Try{Source: SourceMX, Asked: "name servers of " + domain}}
	servers, err := q.finder.resolver().LookupNS(ctx, rooted(domain))
	switch {
	case len(servers) > 0:
		l.try.Words = "the domain is registered"
	case err != nil && !isNoName(err):
		l.try.Words = inWords(err)
	default:
		l.try.Words, l.isUnregistered = "there is no such domain", true
	}
	return l
}

func readMX(records []*net.MX) *exchangers {
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b *net.MX) int {
		return cmp.Or(cmp.Compare(a.Pref, b.Pref), strings.Compare(a.Host, b.Host))
	})
	var m exchangers
	for _, r := range records {
		host := strings.TrimSuffix(strings.ToLower(r.Host), ".")
		switch {
		case host == "":
			m.refuses = true
		case isHostName(host) && len(m.hosts) < maxExchangers:
			m.hosts = append(m.hosts, host)
		}
	}
	m.refuses = m.refuses && len(m.hosts) == 0
	m.missing = !m.refuses && len(m.hosts) == 0
	return &m
}

// domainsOf are the domains under which whoever runs the most preferred mail exchanger
// may publish settings (draft-ietf-mailmaint-autoconfig, MX): what is behind its first
// label, and its registered domain. The domain of the address itself is not among them:
// it is asked anyway.
func (m *exchangers) domainsOf(own string) (domains []string) {
	if len(m.hosts) == 0 {
		return nil
	}
	base := organisation(m.hosts[0])
	_, full, _ := strings.Cut(m.hosts[0], ".")
	for _, d := range []string{full, base} {
		if isBelow(d, base) && !isBelow(d, organisation(own)) && !slices.Contains(domains, d) {
			domains = append(domains, d)
		}
	}
	return domains
}

// askHoster asks for settings under the domain of the mail exchanger, by HTTPS only.
// The DNS alone says that it is the right one, and DNS can be forged: servers that
// belong neither to the domain nor to a known provider need a person's eye.
func (q *inquiry) askHoster(ctx context.Context, domain string) lead {
	l := q.askAutoconfig(ctx, domain, false)
	var foreign []string
	for i, c := range l.candidates {
		l.candidates[i].Where = domain + ", where the mail exchanger is"
		if isBelow(c.Host, organisation(q.address.domain)) || q.isKnown(c.Host) {
			continue
		}
		l.candidates[i].Confirm = true
		if base := organisation(c.Host); !slices.Contains(foreign, base) {
			foreign = append(foreign, base)
		}
	}
	if len(foreign) > 0 {
		l.notes = append(l.notes, "The servers belong to "+strings.Join(foreign, ", ")+". Make sure that this is your provider before you enter a password.")
	}
	return l
}
