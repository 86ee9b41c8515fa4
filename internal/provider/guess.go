package provider

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/postroom/postroom"
)

const (
	// guessLimit is how long guesses are tried, and oneGuess how long one of them.
	guessLimit = 2200 * time.Millisecond
	oneGuess   = 1500 * time.Millisecond
	// guessGrace is how long the better ones are waited for once enough are found.
	guessGrace = 200 * time.Millisecond
	// atOnce is how many servers are connected to at the same time: all that have TLS
	// from the first byte, which come first, so that silent ones hold up none of them.
	atOnce = 12
)

// guesses are the servers that a domain usually has, the best first: TLS from the first
// byte at the names that say most, then what begins in clear and must turn to TLS.
// Further names are hosts of the domain that something else has pointed at.
func guesses(domain string, further []string) (list []Candidate) {
	for _, g := range []struct {
		protocol postroom.Protocol
		labels   []string
		ports    []Server
	}{
		{postroom.IMAP, []string{"imap", "mail", ""}, []Server{{Port: 993, TLS: postroom.TLSImplicit}, {Port: 143, TLS: postroom.TLSStart}}},
		{postroom.POP3, []string{"pop", "mail", ""}, []Server{{Port: 995, TLS: postroom.TLSImplicit}}},
		{postroom.SMTP, []string{"smtp", "mail", ""}, []Server{{Port: 465, TLS: postroom.TLSImplicit}, {Port: 587, TLS: postroom.TLSStart}}},
	} {
		var hosts []string
		for _, label := range g.labels {
			hosts = append(hosts, strings.TrimPrefix(label+"."+domain, "."))
		}
		for _, host := range further {
			if !slices.Contains(hosts, host) {
				hosts = append(hosts, host)
			}
		}
		for _, s := range g.ports {
			for _, host := range hosts {
				list = append(list, Candidate{
					Protocol: g.protocol, Host: host, Port: s.Port, TLS: s.TLS,
					Username: wholeAddress, Source: SourceGuess, SignIns: []string{"password"},
				})
			}
		}
	}
	return list
}

// A guessed is what came of trying one guess.
type guessed struct {
	index              int
	isThere, isTrusted bool
}

// askServers tries the usual names and ports of a domain: by connecting, shaking hands
// and reading the greeting. Only names within the domain are tried, and nobody signs in.
func (q *inquiry) askServers(ctx context.Context, domain string, further []string) lead {
	l := lead{try: Try{Source: SourceGuess, Asked: "usual names such as imap." + domain}}
	ctx, cancel := context.WithTimeout(ctx, guessLimit)
	defer cancel()
	list := guesses(domain, further)
	where := q.whereAre(ctx, list)
	list = slices.DeleteFunc(list, func(c Candidate) bool { return len(where[c.Host]) == 0 })
	slices.SortStableFunc(list, func(a, b Candidate) int {
		return cmp.Compare(weight(a.TLS == postroom.TLSStart), weight(b.TLS == postroom.TLSStart))
	})

	results := make(chan guessed)
	var next atomic.Int64
	var trying sync.WaitGroup
	defer trying.Wait()
	for range min(atOnce, len(list)) {
		trying.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(list); i = int(next.Add(1)) - 1 {
				one, done := context.WithTimeout(ctx, oneGuess)
				isTrusted, err := q.finder.greets(one, list[i], where[list[i].Host])
				done()
				results <- guessed{index: i, isThere: err == nil, isTrusted: isTrusted}
			}
		})
	}
	there := make([]guessed, len(list))
	enough := false
	for range list {
		r := <-results
		there[r.index] = r
		if !enough && isEnough(list, there) {
			enough = true
			defer time.AfterFunc(guessGrace, cancel).Stop()
		}
	}
	q.keepGuesses(&l, list, there)
	return l
}

// isEnough says whether there is a good server for both ways.
func isEnough(list []Candidate, there []guessed) bool {
	in, out := false, false
	for i, c := range list {
		if there[i].isTrusted && there[i].isThere && c.TLS == postroom.TLSImplicit {
			in, out = in || c.Protocol == postroom.IMAP, out || c.Protocol == postroom.SMTP
		}
	}
	return in && out
}

// whereAre returns the addresses of the hosts that there are.
func (q *inquiry) whereAre(ctx context.Context, list []Candidate) map[string][]netip.Addr {
	var all sync.Mutex
	where := map[string][]netip.Addr{}
	var asking sync.WaitGroup
	for _, host := range hostsOf(list) {
		asking.Go(func() {
			if addresses, err := q.finder.addresses(ctx, host); err == nil {
				all.Lock()
				defer all.Unlock()
				where[host] = addresses
			}
		})
	}
	asking.Wait()
	return where
}

// keepGuesses keeps what answered; servers whose certificate is not good for their name
// come last.
func (q *inquiry) keepGuesses(l *lead, list []Candidate, there []guessed) {
	var doubtful []string
	for i, c := range list {
		if !there[i].isThere {
			continue
		}
		if c.Confirm = !there[i].isTrusted; c.Confirm && !slices.Contains(doubtful, c.Host) {
			doubtful = append(doubtful, c.Host)
		}
		l.candidates = append(l.candidates, c)
	}
	if l.try.Found = len(l.candidates) > 0; !l.try.Found {
		l.try.Words = "no mail server answers there"
		return
	}
	l.try.Words = "answered by " + hostsInWords(l.candidates)
	if len(doubtful) > 0 {
		l.notes = append(l.notes, "The certificate of "+strings.Join(doubtful, ", ")+" is not good for that name. Ask whoever runs the mail for the right name of the server.")
	}
}
