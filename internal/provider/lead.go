package provider

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// A lead is what one question came to.
type lead struct {
	rank       int // the lower, the more it counts
	try        Try
	candidates []Candidate // user names with %EMAIL…% in them
	provider   *Preset     // that the domain is at; nil: not known by this
	notes      []string
	// isSettled says that nothing else needs to be asked.
	isSettled  bool
	exchangers *exchangers // what the DNS said of them; nil: that was not the question
	hosts      []string    // of the domain, where mail servers may be too
	// isUnregistered says that there is no such domain.
	isUnregistered bool
}

// doubt has every candidate looked at by a person.
func (l *lead) doubt() {
	for i := range l.candidates {
		l.candidates[i].Confirm = true
	}
}

// isComplete says whether a lead has a server for both ways that nobody has to look at.
func (l *lead) isComplete() bool {
	in, out := false, false
	for _, c := range l.candidates {
		if !c.Confirm {
			in, out = in || c.Protocol != postroom.SMTP, out || c.Protocol == postroom.SMTP
		}
	}
	return in && out
}

// The ranks of questions, in the order in which their answers count.
const (
	rankPreset = iota
	rankMX
	rankName
	rankPACC
	rankAutoconfig
	rankWellKnown
	rankSRV
	rankHoster
	rankAutodiscover
	rankAlias
	rankDirectory
	rankMicrosoft
	rankOrganisation
	rankGuess
)

// presetServers are the servers of a provider that are known by name. The user name is
// kept open for all addresses of the domain.
func (q *inquiry) presetServers(p *Preset, source Source, where string) (list []Candidate) {
	whole := localPart + "@" + q.address.domain
	for _, c := range p.ServersFor(whole) {
		if strings.Contains(c.Host, "{") || source != SourcePreset && isBelow(c.Host, q.address.domain) {
			continue // {domain} stands for the provider's own ones
		}
		if c.Username == whole {
			c.Username = wholeAddress
		}
		c.Source, c.Where = source, where
		list = append(list, c)
	}
	return list
}

// isKnown says whether a server is one that a provider tells its customers to use. Any
// other name under a provider's domain may be a customer's.
func (q *inquiry) isKnown(host string) bool {
	preset, ok := q.finder.presets().ByHost(host)
	return ok && slices.ContainsFunc(slices.Concat(preset.IMAP, preset.POP3, preset.SMTP), func(s Server) bool { return s.Host == host })
}

// hostLimit is how long the DNS is asked for a host that somebody has published.
const hostLimit = 700 * time.Millisecond

// take takes in the servers that a document names: those that there are, and that are
// not within a private network.
func (q *inquiry) take(ctx context.Context, l *lead, list []Candidate, err error, where string) {
	if err == nil && len(list) == 0 {
		err = errNothingOfUse
	}
	if err != nil {
		l.try.Words = inWords(err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, hostLimit)
	defer cancel()
	hosts := hostsOf(list)
	failures := make([]error, len(hosts))
	var asking sync.WaitGroup
	for i, host := range hosts {
		if !q.isKnown(host) {
			asking.Go(func() { _, failures[i] = q.finder.addresses(ctx, host) })
		}
	}
	asking.Wait()
	var words []string
	for _, c := range list {
		var private *privateError
		switch err := failures[slices.Index(hosts, c.Host)]; {
		case errors.As(err, &private):
			words = append(words, err.Error())
		case isNoName(err):
			words = append(words, c.Host+", which does not exist")
		default:
			c.Source, c.Where = l.try.Source, where
			if preset, _ := q.finder.presets().ByHost(c.Host); q.isKnown(c.Host) && len(preset.SignIns(c.Protocol)) > 0 {
				c.SignIns = preset.SignIns(c.Protocol) // what publishers say about passwords is often old
			}
			l.candidates = append(l.candidates, c)
		}
	}
	if l.try.Found = len(l.candidates) > 0; l.try.Found {
		l.try.Words = hostsInWords(l.candidates)
		return
	}
	l.try.Words = "names " + strings.Join(slices.Compact(words), "; ")
}

// hostsOf are the hosts of candidates, each once, in their order.
func hostsOf(list []Candidate) (hosts []string) {
	for _, c := range list {
		if !slices.Contains(hosts, c.Host) {
			hosts = append(hosts, c.Host)
		}
	}
	return hosts
}

func hostsInWords(list []Candidate) string { return strings.Join(hostsOf(list), ", ") }
