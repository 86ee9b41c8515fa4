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
// known, those whose bytes are not here stay: in doubt they are asked for. Those
// that stay are in the order in which they came.
//
// A size that nobody told is any size.
func match(list []pop3.Message, known []store.ShownName) matching {
	staying, _ := holdAgainst(list, known, func(a, b store.ShownName) int {
		return cmp.Or(notHereFirst(a.State)-notHereFirst(b.State), a.Name.Occurrence-b.Name.Occurrence)
	})
	stay := slices.DeleteFunc(slices.Clone(known), func(k store.ShownName) bool { return !staying[k.ID] })
	staying, m := holdAgainst(list, stay, func(a, b store.ShownName) int { return a.Name.Occurrence - b.Name.Occurrence })
	for _, k := range known {
		if !staying[k.ID] {
			m.gone = append(m.gone, k.ID)
		}
	}
	slices.Sort(m.gone)
	return m
}

// holdAgainst holds a list against what is known, of names that are alike in the given
// order, and returns what is known of it.
func holdAgainst(list []pop3.Message, known []store.ShownName, order func(a, b store.ShownName) int) (staying map[postroom.ArrivalID]bool, m matching) {
	left := make(map[string][]store.ShownName)
	for _, k := range known {
		left[k.Name.UIDL] = append(left[k.Name.UIDL], k)
	}
	for _, same := range left {
		slices.SortStableFunc(same, order)
	}
	staying = make(map[postroom.ArrivalID]bool, len(known))
	m = matching{names: make([]postroom.Name, len(list)), isNew: make([]bool, len(list))}
	for i, l := range list {
		same := left[l.UIDL]
		at := slices.IndexFunc(same, func(k store.ShownName) bool { return isSameSize(k.ListedBytes, l.SizeBytes) })
		if at < 0 {
			m.names[i], m.isNew[i] = postroom.Name{UIDL: l.UIDL}, true
			continue
		}
		m.names[i], staying[same[at].ID] = same[at].Name, true
		left[l.UIDL] = slices.Delete(same, at, at+1)
	}
	return staying, m
}

// sharedNames are the UIDLs that more than one message has, or had in the last list.
func sharedNames(list []pop3.Message, known []store.ShownName) map[string]bool {
	listed, shown := make(map[string]bool, len(list)), make(map[string]bool, len(known))
	shared := make(map[string]bool)
	for _, l := range list {
		if listed[l.UIDL] {
			shared[l.UIDL] = true
		}
		listed[l.UIDL] = true
	}
	for _, k := range known {
		if shown[k.Name.UIDL] {
			shared[k.Name.UIDL] = true
		}
		shown[k.Name.UIDL] = true
	}
	return shared
}

func isSameSize(a, b int64) bool { return a == b || a == 0 || b == 0 }

func notHereFirst(s postroom.ArrivalState) int {
	switch s {
	case postroom.ArrivalWaiting:
		return 0
	case postroom.ArrivalFiled, postroom.ArrivalDuplicate, postroom.ArrivalIgnored, postroom.ArrivalDeleted:
		return 2
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
