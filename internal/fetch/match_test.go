package fetch

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/pop3"
	"github.com/postroom/postroom/internal/store"
)

func shownName(id int, uidl string, occurrence int, size int64, state postroom.ArrivalState) store.ShownName {
	return store.ShownName{ID: postroom.ArrivalID(id), Name: postroom.Name{UIDL: uidl, Occurrence: occurrence}, ListedBytes: size, State: state}
}

func popMessage(number int, size int64, uidl string) pop3.Message {
	return pop3.Message{Number: number, SizeBytes: size, UIDL: uidl}
}

func TestMatch(t *testing.T) {
	const filed, waiting = postroom.ArrivalFiled, postroom.ArrivalWaiting
	type list = []pop3.Message
	type known = []store.ShownName
	tests := map[string]struct {
		list  list
		known known
		last  map[string]int
		names []postroom.Name
		isNew []bool
		gone  []postroom.ArrivalID
	}{
		"nothing":             {},
		"a first message":     {list: list{popMessage(1, 10, "a")}, names: []postroom.Name{{UIDL: "a"}}, isNew: []bool{true}},
		"a message stays":     {list: list{popMessage(1, 10, "a")}, known: known{shownName(1, "a", 0, 10, filed)}, names: []postroom.Name{{UIDL: "a"}}, isNew: []bool{false}},
		"a message goes":      {known: known{shownName(1, "a", 0, 10, filed)}, gone: []postroom.ArrivalID{1}},
		"numbers move":        {list: list{popMessage(1, 20, "b")}, known: known{shownName(1, "a", 0, 10, filed), shownName(2, "b", 0, 20, filed)}, names: []postroom.Name{{UIDL: "b"}}, isNew: []bool{false}, gone: []postroom.ArrivalID{1}},
		"a name comes back":   {list: list{popMessage(1, 10, "a")}, last: map[string]int{"a": 4}, names: []postroom.Name{{UIDL: "a", Occurrence: 5}}, isNew: []bool{true}},
		"another size":        {list: list{popMessage(1, 11, "a")}, known: known{shownName(1, "a", 0, 10, filed)}, last: map[string]int{"a": 0}, names: []postroom.Name{{UIDL: "a", Occurrence: 1}}, isNew: []bool{true}, gone: []postroom.ArrivalID{1}},
		"no size is any size": {list: list{popMessage(1, 0, "a")}, known: known{shownName(1, "a", 0, 10, filed)}, names: []postroom.Name{{UIDL: "a"}}, isNew: []bool{false}},
		"one name three times": {list: list{popMessage(1, 10, "a"), popMessage(2, 10, "a"), popMessage(3, 10, "a")}, known: known{shownName(1, "a", 2, 10, filed)}, last: map[string]int{"a": 2},
			names: []postroom.Name{{UIDL: "a", Occurrence: 2}, {UIDL: "a", Occurrence: 3}, {UIDL: "a", Occurrence: 4}}, isNew: []bool{false, true, true}},
		"of two that were alike, the one that is here has gone": {list: list{popMessage(1, 10, "a")}, known: known{shownName(1, "a", 0, 10, filed), shownName(2, "a", 1, 10, waiting)},
			names: []postroom.Name{{UIDL: "a", Occurrence: 1}}, isNew: []bool{false}, gone: []postroom.ArrivalID{1}},
		"of two that are alike, each stays what it was": {list: list{popMessage(1, 10, "a"), popMessage(2, 10, "a")}, known: known{shownName(1, "a", 0, 10, filed), shownName(2, "a", 1, 10, waiting)},
			names: []postroom.Name{{UIDL: "a"}, {UIDL: "a", Occurrence: 1}}, isNew: []bool{false, false}},
		"of two that were alike, the one that was set aside stays": {list: list{popMessage(1, 10, "a")}, known: known{shownName(1, "a", 0, 10, filed), shownName(2, "a", 1, 10, postroom.ArrivalQuarantined)},
			names: []postroom.Name{{UIDL: "a", Occurrence: 1}}, isNew: []bool{false}, gone: []postroom.ArrivalID{1}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := match(test.list, test.known)
			m.number(test.last)
			if diff := cmp.Diff(test.names, m.names, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("names (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.isNew, m.isNew, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("new (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(test.gone, m.gone, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("gone (-want +got):\n%s", diff)
			}
		})
	}
}

// A ledger of names, to which list after list is matched as a popSession does it.
type nameBook struct {
	shown []store.ShownName
	last  map[string]int
	next  int
}

func (b *nameBook) take(list []pop3.Message) matching {
	m := match(list, b.shown)
	last := make(map[string]int)
	for _, uidl := range m.newUIDLs() {
		if n, ok := b.last[uidl]; ok {
			last[uidl] = n
		}
	}
	m.number(last)
	b.shown = slices.DeleteFunc(b.shown, func(s store.ShownName) bool { return slices.Contains(m.gone, s.ID) })
	for i, n := range m.names {
		if m.isNew[i] {
			b.next++
			b.shown = append(b.shown, shownName(b.next, n.UIDL, n.Occurrence, list[i].SizeBytes, postroom.ArrivalFiled))
			b.last[n.UIDL] = max(b.last[n.UIDL], n.Occurrence)
		}
	}
	return m
}

func drawnLists() *rapid.Generator[[]pop3.Message] {
	return rapid.Custom(func(t *rapid.T) []pop3.Message {
		list := make([]pop3.Message, rapid.IntRange(0, 12).Draw(t, "messages"))
		for i := range list {
			list[i] = pop3.Message{Number: i + 1, SizeBytes: int64(rapid.IntRange(1, 3).Draw(t, "size")), UIDL: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "uidl")}
		}
		return list
	})
}

func TestMatchAlways(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := &nameBook{last: map[string]int{}}
		ever := make(map[postroom.Name]int64) // every name ever booked, and its size
		for range rapid.IntRange(1, 8).Draw(t, "lists") {
			list := drawnLists().Draw(t, "list")
			before := len(b.shown)
			m := b.take(list)
			if len(b.shown) != len(list) {
				t.Fatalf("%d names are shown, want one for each of %d messages", len(b.shown), len(list))
			}
			here := make(map[postroom.Name]bool)
			arrived := 0
			for i, n := range m.names {
				if here[n] {
					t.Fatalf("%v stands for two messages", n)
				}
				here[n] = true
				size, known := ever[n]
				switch {
				case m.isNew[i] && known:
					t.Fatalf("%v is booked twice", n)
				case m.isNew[i]:
					arrived++
					ever[n] = list[i].SizeBytes
				case size != list[i].SizeBytes:
					t.Fatalf("%v had %d bytes and is now one of %d", n, size, list[i].SizeBytes)
				}
			}
			if before+arrived-len(m.gone) != len(list) {
				t.Fatalf("%d were shown, %d came, %d went, and %d are listed", before, arrived, len(m.gone), len(list))
			}
			again := b.take(list)
			if len(again.gone) > 0 || slices.Contains(again.isNew, true) {
				t.Fatalf("the same list again: %+v, want nothing new and nothing gone", again)
			}
		}
	})
}

func TestRenamed(t *testing.T) {
	const filed = postroom.ArrivalFiled
	known := []store.ShownName{shownName(1, "a", 0, 10, filed), shownName(2, "b", 0, 20, filed), shownName(3, "c", 0, 30, filed)}
	tests := map[string]struct {
		list            []pop3.Message
		renamed, shared bool
	}{
		"the same sizes under new names":   {[]pop3.Message{popMessage(1, 10, "x"), popMessage(2, 20, "y"), popMessage(3, 30, "z")}, true, false},
		"most of them, and a new message":  {[]pop3.Message{popMessage(1, 20, "x"), popMessage(2, 30, "y"), popMessage(3, 99, "z")}, true, false},
		"one name is known":                {[]pop3.Message{popMessage(1, 10, "x"), popMessage(2, 20, "y"), popMessage(3, 30, "c")}, false, true},
		"all are new":                      {[]pop3.Message{popMessage(1, 11, "x"), popMessage(2, 21, "y")}, false, false},
		"nothing is listed":                {nil, false, false},
		"one happens to have a known size": {[]pop3.Message{popMessage(1, 10, "x"), popMessage(2, 21, "y"), popMessage(3, 31, "z"), popMessage(4, 41, "w")}, false, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if r, s := renamed(test.list, known); r != test.renamed || s != test.shared {
				t.Errorf("renamed = %t, %t, want %t, %t", r, s, test.renamed, test.shared)
			}
		})
	}
	if r, _ := renamed([]pop3.Message{popMessage(1, 10, "x")}, nil); r {
		t.Error("a first list is called renamed")
	}
}

func TestContentName(t *testing.T) {
	base := "Received: from a by b; Fri, 20 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@x>\r\nDate: today\r\nFrom: a@x\r\nTo: b@x\r\nSubject: one\r\n two\r\n\r\n"
	same := map[string]string{
		"a status is added": "Status: RO\r\nX-UIDL: abc\r\n" + base,
		"line ends differ":  "Received: from a by b; Fri, 20 Nov 2026 09:00:00 +0000\nMessage-ID: <1@x>\nDate: today\nFrom: a@x\nTo: b@x\nSubject: one\n two\n\n",
		"folds differ":      "Received: from a by b;\r\n\tFri, 20 Nov 2026 09:00:00 +0000\r\nMessage-ID: <1@x>\r\nDate: today\r\nFrom: a@x\r\nTo: b@x\r\nSubject: one two\r\n\r\n",
		"a body follows":    base + "Message-ID: <2@x>\r\n",
	}
	for name, head := range same {
		if contentName([]byte(head), 5) != contentName([]byte(base), 5) {
			t.Errorf("%s: another name", name)
		}
	}
	other := map[string]string{
		"another subject": "Message-ID: <1@x>\r\nSubject: three\r\n\r\n",
		"nothing":         "",
	}
	for name, head := range other {
		if contentName([]byte(head), 5) == contentName([]byte(base), 5) {
			t.Errorf("%s: the same name", name)
		}
	}
	if contentName([]byte(base), 6) == contentName([]byte(base), 5) {
		t.Error("another size: the same name")
	}
}
