package provider

import (
	"cmp"
	"context"
	"net"
	"slices"
	"strings"
	"sync"

	"github.com/postroom/postroom"
)

// services are the records that say where a domain's mail is read and sent (RFC 6186
// section 3, RFC 8314 section 5.1), those with TLS from the first byte first.
var services = [...]struct {
	name     string
	protocol postroom.Protocol
	tls      postroom.TLSPolicy
}{
	{"imaps", postroom.IMAP, postroom.TLSImplicit},
	{"imap", postroom.IMAP, postroom.TLSStart},
	{"pop3s", postroom.POP3, postroom.TLSImplicit},
	{"pop3", postroom.POP3, postroom.TLSStart},
	{"submissions", postroom.SMTP, postroom.TLSImplicit},
	{"submission", postroom.SMTP, postroom.TLSStart},
}

// maxTargets is how many servers of one record are taken.
const maxTargets = 3

// askSRV asks for SRV records. A server in somebody else's domain is a suggestion only:
// DNS can be forged, and a certificate would then be good for the wrong name (RFC 6186
// section 6).
func (q *inquiry) askSRV(ctx context.Context, domain string) lead {
	l := lead{try: Try{Source: SourcePublished, Asked: "SRV records of " + domain}}
	var answers [len(services)][]Candidate
	var failures [len(services)]error
	var asking sync.WaitGroup
	for i, s := range services {
		asking.Go(func() {
			_, records, err := q.finder.resolver().LookupSRV(ctx, s.name, "tcp", rooted(domain))
			answers[i], failures[i] = targets(records, s.protocol, s.tls), err
		})
	}
	asking.Wait()
	list := slices.Concat(answers[:]...)
	for _, err := range failures {
		if len(list) == 0 && err != nil && !isNoName(err) {
			l.try.Words = inWords(err)
			return l
		}
	}
	if len(list) == 0 {
		l.try.Words = "nothing is there"
		return l
	}
	q.take(ctx, &l, list, nil, domain)
	var foreign []string
	for i, c := range l.candidates {
		if isBelow(c.Host, organisation(domain)) || q.isKnown(c.Host) {
			continue
		}
		l.candidates[i].Confirm = true
		if !slices.Contains(foreign, c.Host) {
			foreign = append(foreign, c.Host)
		}
	}
	if len(foreign) > 0 {
		l.notes = append(l.notes, domain+" names servers of another domain: "+strings.Join(foreign, ", ")+". Make sure that your provider has them before you enter a password.")
	}
	return l
}

// targets are the servers of SRV records, in the order in which they are to be tried
// (RFC 2782). The target "." says that there is no such service.
func targets(records []*net.SRV, protocol postroom.Protocol, policy postroom.TLSPolicy) (list []Candidate) {
	records = slices.Clone(records)
	slices.SortStableFunc(records, func(a, b *net.SRV) int {
		return cmp.Or(cmp.Compare(a.Priority, b.Priority), cmp.Compare(b.Weight, a.Weight), strings.Compare(a.Target, b.Target))
	})
	for _, r := range records {
		c := Candidate{
			Protocol: protocol, Host: strings.TrimSuffix(strings.ToLower(r.Target), "."), Port: int(r.Port),
			TLS: policy, Username: wholeAddress, SignIns: []string{"password"},
		}
		// Many publish the port of one service under the name of the other.
		if port := c.Port; port == 993 || port == 995 || port == 465 {
			c.TLS = postroom.TLSImplicit
		} else if port == 143 || port == 110 || port == 587 {
			c.TLS = postroom.TLSStart
		}
		if c.isPossible() && len(list) < maxTargets {
			list = append(list, c)
		}
	}
	return list
}
