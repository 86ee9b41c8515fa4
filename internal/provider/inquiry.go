package provider

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// errFindLimit ends an inquiry that has lasted for long enough; what was found by then
// is an answer.
var errFindLimit = errors.New("the time for finding settings is over")

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
