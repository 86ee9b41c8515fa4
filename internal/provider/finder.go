package provider

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"slices"
	"time"
)

// A Finder finds the settings of an address. The zero Finder is ready: it asks the
// Internet, and nobody who has nothing to do with the address. It is safe for
// concurrent use, and must not be copied after it was used.
//
// What it asks, at most: the DNS; by HTTPS the hosts autoconfig, ua-auto-config and
// autodiscover of the domain, the domain's own web server, and the host autoconfig at
// the domain of the mail exchanger; and usual mail servers of the domain for their
// greeting. It never signs in anywhere.
type Finder struct {
	Presets  *Presets // nil: those of the program
	Resolver Resolver // nil: the system's
	// Dial makes every connection, to an IP address and a port; nil: a [net.Dialer].
	Dial  func(ctx context.Context, network, addr string) (net.Conn, error)
	Roots *x509.CertPool // nil: the system's
	// AllowPrivate lets addresses of this computer and of private networks be asked,
	// which nobody who only knows an address should be able to reach.
	AllowPrivate bool
	// AskDirectory lets third parties be asked: the directory that Thunderbird keeps,
	// which is told the domain, and Microsoft, which is told the address.
	AskDirectory bool

	answers answers
	own     Presets
}

// The limits of one look at a domain. Usually it takes less than a second.
const (
	// findLimit ends it in any case.
	findLimit = 4500 * time.Millisecond
	// publishedLimit is how long what a domain publishes is waited for.
	publishedLimit = 2 * time.Second
	// exchangerLead is how much earlier the mail exchanger is asked for than all else:
	// where it is that of a known provider, nothing else is asked.
	exchangerLead = 400 * time.Millisecond
	// guessAfter is when guesses begin, although not everybody has answered.
	guessAfter = 900 * time.Millisecond
	// betterGrace is how long a more reliable source is waited for once there is an
	// answer.
	betterGrace = 300 * time.Millisecond
)

func (f *Finder) presets() *Presets {
	if f.Presets != nil {
		return f.Presets
	}
	return &f.own
}

// Find returns the settings of an address, the best first, and where each comes from.
// Where nothing is found that is an answer too: its notes say what to do. The error is a
// Fault of kind Invalid for what is no address, or that of ctx.
func (f *Finder) Find(ctx context.Context, address string) (Found, error) {
	began := time.Now()
	a, err := readAddress(address)
	if err != nil {
		return Found{}, err
	}
	found, ok := f.byDomain(a)
	if !ok {
		found, err = f.answers.of(ctx, []string{a.domain, a.domain + " " + a.account}, func() (Found, string, error) {
			return f.look(ctx, a)
		})
		if err != nil {
			return Found{}, err
		}
	}
	found = found.of(a)
	found.Took = time.Since(began)
	return found, nil
}

// look asks around. The key says for whom the answer is: all addresses of the domain,
// or this one where somebody has made settings for it alone.
func (f *Finder) look(ctx context.Context, a mailAddress) (found Found, key string, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, findLimit, errFindLimit)
	defer cancel()
	q := &inquiry{finder: f, address: a}
	found = q.run(ctx)
	if ctx.Err() != nil && !errors.Is(context.Cause(ctx), errFindLimit) {
		return Found{}, "", ctx.Err()
	}
	key = a.domain
	if slices.ContainsFunc(slices.Concat(found.Incoming, found.Outgoing), Candidate.isPersonal) {
		key += " " + a.account
	}
	return found, key, nil
}

// byDomain is what is known of a provider by the domain of its addresses. Nobody is
// asked anything.
func (f *Finder) byDomain(a mailAddress) (Found, bool) {
	preset, ok := f.presets().ByDomain(a.domain)
	if !ok {
		return Found{}, false
	}
	q := &inquiry{finder: f, address: a}
	l := lead{
		try:      Try{Source: SourcePreset, Asked: a.domain, Found: true, Words: preset.Name},
		provider: preset, candidates: q.presetServers(preset, SourcePreset, preset.shortName()),
	}
	if len(l.candidates) == 0 && !isClosed(preset) {
		return Found{}, false // known by name only
	}
	q.got = []lead{l}
	return q.found(), true
}

// of is what was found for a domain, as it is for one of its addresses.
func (found Found) of(a mailAddress) Found {
	found.Address, found.Domain = a.typed, a.domain
	fill := func(list []Candidate) []Candidate {
		filled := make([]Candidate, len(list))
		for i, c := range list {
			filled[i] = c.filled(a)
			filled[i].SignIns = slices.Clone(c.SignIns)
		}
		return filled
	}
	found.Incoming, found.Outgoing = fill(found.Incoming), fill(found.Outgoing)
	found.Tried, found.Notes = slices.Clone(found.Tried), slices.Clone(found.Notes)
	if a.isTagged && len(found.Incoming) > 0 {
		found.Notes = append(found.Notes, "Mail to "+a.typed+" arrives in the mailbox "+a.account+": that is what is signed in to.")
	}
	return found
}
