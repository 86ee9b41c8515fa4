package fetch

import (
	"cmp"
	"slices"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/pop3"
	"github.com/postroom/postroom/internal/store"
)

// A matching is a POP3 server's list held against the names that its last list had.
type matching struct {
	// names are what the ledger calls the messages of the list, one for each. Those
	// that are new have no occurrence yet.
	names []postroom.Name
	isNew []bool
	gone  []postroom.ArrivalID // known, and listed no more
}

// match tells which messages of a list are known. A message is known by its UIDL
// together with its size: a UIDL that returns after absence, that has another size,
// or that is listed more often than before is a new occurrence, because servers
// give UIDLs out again (RFC 1939 section 7 forbids it). Where fewer are listed than
// known, those whose bytes are not here stay: in doubt they are asked for.
//
// A size that nobody told is any size.
func match(list []pop3.Message, known []store.ShownName) matching {
	left := make(map[string][]store.ShownName)
	for _, k := range known {
		left[k.Name.UIDL] = append(left[k.Name.UIDL], k)
	}
	for _, same := range left {
		slices.SortStableFunc(same, func(a, b store.ShownName) int {
			return cmp.Or(waitsFirst(a.State)-waitsFirst(b.State), a.Name.Occurrence-b.Name.Occurrence)
		})
	}
	m := matching{names: make([]postroom.Name, len(list)), isNew: make([]bool, len(list))}
	for i, l := range list {
		same := left[l.UIDL]
		at := slices.IndexFunc(same, func(k store.ShownName) bool { return isSameSize(k.ListedBytes, l.SizeBytes) })
		if at < 0 {
			m.names[i], m.isNew[i] = postroom.Name{UIDL: l.UIDL}, true
			continue
		}
		m.names[i] = same[at].Name
		left[l.UIDL] = slices.Delete(same, at, at+1)
	}
	for _, same := range left {
		for _, k := range same {
			m.gone = append(m.gone, k.ID)
		}
	}
	slices.Sort(m.gone)
	return m
}

func isSameSize(a, b int64) bool { return a == b || a == 0 || b == 0 }

func waitsFirst(s postroom.ArrivalState) int {
	if s == postroom.ArrivalWaiting {
		return 0
	}
	return 1
}

// newUIDLs are those of messages that are new, each once.
func (m matching) newUIDLs() []string {
	var uidls []string
	for i, n := range m.names {
		if m.isNew[i] {
			uidls = append(uidls, n.UIDL)
		}
	}
	slices.Sort(uidls)
	return slices.Compact(uidls)
}

// number gives each new name the occurrence behind the last that was ever booked.
func (m matching) number(last map[string]int) {
	next := make(map[string]int)
	for uidl, n := range last {
		next[uidl] = n + 1
	}
	for i := range m.names {
		if m.isNew[i] {
			n := &m.names[i]
			n.Occurrence = next[n.UIDL]
			next[n.UIDL]++
		}
	}
}

// renamed says whether a list seems to show the mail that is known under names that
// are all new: no name is shared, and most sizes are. anyShared says whether the
// list has a name that is known.
func renamed(list []pop3.Message, known []store.ShownName) (renamed, anyShared bool) {
	names, sizes := make(map[string]bool), make(map[int64]int)
	for _, k := range known {
		names[k.Name.UIDL] = true
		sizes[k.ListedBytes]++
	}
	same := 0
	for _, l := range list {
		if names[l.UIDL] {
			return false, true
		}
		if sizes[l.SizeBytes] > 0 {
			sizes[l.SizeBytes]--
			same++
		}
	}
	return same > 0 && 2*same >= min(len(known), len(list)), false
}
