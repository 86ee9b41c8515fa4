package provider

import (
	"cmp"
	"slices"

	"github.com/postroom/postroom"
)

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
	if found.Provider == nil && len(found.Incoming) > 0 && !found.Incoming[0].Confirm {
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

// weight puts what is so behind what is not.
func weight(isSo bool) int {
	if isSo {
		return 1
	}
	return 0
}
