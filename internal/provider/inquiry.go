package provider

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// errFindLimit ends an inquiry that has lasted for long enough; what was found by then
// is an answer.
var errFindLimit = errors.New("the time for finding settings is over")

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

// An inquiry is one look at the domain of an address.
type inquiry struct {
	finder  *Finder
	address mailAddress

	leads   chan lead
	pending int // questions that have no answer yet
	asking  sync.WaitGroup
	got     []lead

	isAsked, isGuessed bool // what is published; the usual names
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

// run asks: first for the mail exchanger, then for all that the domain publishes, at the
// same time, and at last for servers with usual names. Every goroutine has ended when it
// returns.
func (q *inquiry) run(ctx context.Context) Found {
	domain := q.address.domain
	if isLocalName(domain) && !q.finder.AllowPrivate {
		return q.found()
	}
	ctx, cancel := context.WithCancel(ctx)
	defer func() { cancel(); q.asking.Wait() }()
	q.leads = make(chan lead)
	published, stopPublished := context.WithTimeout(ctx, publishedLimit)
	defer stopPublished()
	q.ask(published, rankMX, func(ctx context.Context) lead { return q.askMX(ctx, domain) })
	askAll, guess := time.NewTimer(exchangerLead), time.NewTimer(guessAfter)
	defer askAll.Stop()
	defer guess.Stop()
	for q.pending > 0 {
		select {
		case l := <-q.leads:
			q.pending--
			q.hear(published, l)
			switch {
			case l.isSettled:
				cancel()
			case l.isComplete():
				defer time.AfterFunc(betterGrace, cancel).Stop()
			}
		case <-askAll.C:
			q.askPublished(published)
		case <-guess.C:
			q.guess(ctx)
		}
		if q.pending == 0 && ctx.Err() == nil {
			q.guess(ctx)
		}
	}
	return q.found()
}

// hear takes an answer in, and asks what follows from it.
func (q *inquiry) hear(ctx context.Context, l lead) {
	q.got = append(q.got, l)
	if l.exchangers == nil || l.isSettled {
		return
	}
	if l.exchangers.missing {
		q.ask(ctx, rankName, func(ctx context.Context) lead { return q.askName(ctx, organisation(q.address.domain)) })
	}
	q.askPublished(ctx)
	for _, domain := range l.exchangers.domainsOf(q.address.domain) {
		q.ask(ctx, rankHoster, func(ctx context.Context) lead { return q.askHoster(ctx, domain) })
	}
}

// ask has a question answered, in a goroutine that ends with it.
func (q *inquiry) ask(ctx context.Context, rank int, question func(context.Context) lead) {
	q.pending++
	q.asking.Go(func() {
		l := question(ctx)
		l.rank = rank
		q.leads <- l
	})
}

// askPublished asks for what the domain publishes.
func (q *inquiry) askPublished(ctx context.Context) {
	if q.isAsked || ctx.Err() != nil {
		return
	}
	q.isAsked = true
	domain := q.address.domain
	q.ask(ctx, rankPACC, func(ctx context.Context) lead { return q.askPACC(ctx, domain) })
	q.ask(ctx, rankAutoconfig, func(ctx context.Context) lead { return q.askAutoconfig(ctx, domain, true) })
	q.ask(ctx, rankWellKnown, func(ctx context.Context) lead { return q.askWellKnown(ctx, domain) })
	q.ask(ctx, rankSRV, func(ctx context.Context) lead { return q.askSRV(ctx, domain) })
	q.ask(ctx, rankAlias, func(ctx context.Context) lead { return q.askAutodiscoverName(ctx, domain) })
	q.ask(ctx, rankAutodiscover, func(ctx context.Context) lead { return q.askAutodiscover(ctx, domain) })
	if q.finder.AskDirectory {
		q.ask(ctx, rankDirectory, func(ctx context.Context) lead { return q.askDirectory(ctx, domain) })
		q.ask(ctx, rankMicrosoft, q.askMicrosoft)
	}
}

// guess tries usual names, unless there is an answer already. An address below a
// registered domain may have its servers there: what that publishes is asked for too.
func (q *inquiry) guess(ctx context.Context) {
	if q.isGuessed || slices.ContainsFunc(q.got, func(l lead) bool { return l.isComplete() || l.isSettled }) {
		return
	}
	q.isGuessed = true
	domain := q.address.domain
	further := q.furtherHosts()
	q.ask(ctx, rankGuess, func(ctx context.Context) lead { return q.askServers(ctx, domain, further) })
	if above := organisation(domain); above != domain {
		q.ask(ctx, rankOrganisation, func(ctx context.Context) lead { return q.askAutoconfig(ctx, above, false) })
		q.ask(ctx, rankOrganisation, func(ctx context.Context) lead { return q.askSRV(ctx, above) })
		q.ask(ctx, rankGuess, func(ctx context.Context) lead { return q.askServers(ctx, above, nil) })
	}
}

// furtherHosts are hosts of the domain that something has pointed at: its most preferred
// mail exchanger, where that is its own, and where its Exchange server answers.
func (q *inquiry) furtherHosts() (hosts []string) {
	own := organisation(q.address.domain)
	for _, l := range q.got {
		if l.exchangers != nil && len(l.exchangers.hosts) > 0 && isBelow(l.exchangers.hosts[0], own) {
			hosts = append(hosts, l.exchangers.hosts[0])
		}
		hosts = append(hosts, l.hosts...)
	}
	return hosts
}

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

// isKnown says whether a server is one of a provider that is known by name.
func (q *inquiry) isKnown(host string) bool {
	_, ok := q.finder.presets().ByHost(host)
	return ok
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
			if preset, ok := q.finder.presets().ByHost(c.Host); ok && len(preset.SignIns(c.Protocol)) > 0 {
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

// found puts together what all answers come to.
func (q *inquiry) found() (found Found) {
	slices.SortStableFunc(q.got, func(a, b lead) int { return cmp.Compare(a.rank, b.rank) })
	var all []Candidate
	for _, l := range q.got {
		found.Tried = append(found.Tried, l.try)
		all = append(all, l.candidates...)
		if found.Provider == nil && (l.rank <= rankMX || len(l.candidates) > 0 || len(l.hosts) > 0) {
			found.Provider = l.provider
		}
	}
	for _, c := range inOrder(all) {
		if c.Protocol == postroom.SMTP {
			found.Outgoing = append(found.Outgoing, c)
		} else {
			found.Incoming = append(found.Incoming, c)
		}
	}
	if found.Provider == nil && len(found.Incoming) > 0 {
		found.Provider, _ = q.finder.presets().ByHost(found.Incoming[0].Host)
	}
	found.Notes = q.notes(found)
	return found
}

// maxCandidates is how many servers are handed out in all.
const maxCandidates = 24

// inOrder sorts candidates and drops repeats: those that nobody has to look at first,
// IMAP before POP3, then by source, then TLS from the first byte before STARTTLS.
func inOrder(all []Candidate) (list []Candidate) {
	sources := []Source{SourcePreset, SourceMX, SourcePublished, SourceDirectory, SourceGuess}
	weight := func(yes bool) int {
		if yes {
			return 1
		}
		return 0
	}
	slices.SortStableFunc(all, func(a, b Candidate) int {
		return cmp.Or(
			cmp.Compare(weight(a.Confirm), weight(b.Confirm)),
			cmp.Compare(weight(a.Protocol == postroom.POP3), weight(b.Protocol == postroom.POP3)),
			cmp.Compare(slices.Index(sources, a.Source), slices.Index(sources, b.Source)),
			cmp.Compare(weight(a.TLS != postroom.TLSImplicit), weight(b.TLS != postroom.TLSImplicit)),
		)
	})
	for _, c := range all {
		isSame := func(o Candidate) bool {
			return o.Protocol == c.Protocol && o.Host == c.Host && o.Port == c.Port && o.TLS == c.TLS
		}
		if len(list) < maxCandidates && !slices.ContainsFunc(list, isSame) {
			list = append(list, c)
		}
	}
	return list
}
