package intake

import (
	"fmt"
	"slices"
	"testing"

	"github.com/postroom/postroom"
)

func TestAncestors(t *testing.T) {
	tests := map[string]struct {
		mail postroom.Mail
		want []string
	}{
		"a mail that answers nothing":          {postroom.Mail{MessageID: "1@a"}, nil},
		"In-Reply-To is nearest":               {postroom.Mail{InReplyTo: []string{"p@a"}, References: []string{"r@a", "q@a"}}, []string{"p@a", "q@a", "r@a"}},
		"each once":                            {postroom.Mail{InReplyTo: []string{"p@a"}, References: []string{"r@a", "p@a", "r@a"}}, []string{"p@a", "r@a"}},
		"a mail is not its own ancestor":       {postroom.Mail{MessageID: "1@a", InReplyTo: []string{"1@a"}, References: []string{"1@a", "p@a"}}, []string{"p@a"}},
		"References alone, last first":         {postroom.Mail{References: []string{"a", "b", "c"}}, []string{"c", "b", "a"}},
		"several In-Reply-To keep their order": {postroom.Mail{InReplyTo: []string{"a", "b"}}, []string{"a", "b"}},
	}
	for name, test := range tests {
		if got := Ancestors(test.mail); !slices.Equal(got, test.want) {
			t.Errorf("%s: Ancestors = %q, want %q", name, got, test.want)
		}
	}
}

func TestAncestorsAreBoundedAndKeepTheRoot(t *testing.T) {
	var m postroom.Mail
	for i := range 1000 {
		m.References = append(m.References, fmt.Sprint(i))
	}
	got := Ancestors(m)
	if len(got) != 51 || got[0] != "999" || got[49] != "950" || got[50] != "0" {
		t.Errorf("Ancestors of 1,000 references are %d: %q", len(got), got)
	}
}

func TestThreads(t *testing.T) {
	mail := func(id string, ancestors ...string) postroom.Mail {
		return postroom.Mail{MessageID: id, References: ancestors}
	}
	var threads Threads
	for key, m := range map[string]postroom.Mail{
		"reply": mail("2", "1"), "root": mail("1"), "deep": mail("3", "1", "2"), "other": mail("9"),
		"orphan": mail("5", "lost"), "sibling": mail("6", "lost", "more"), "nameless": {}, "nameless too": {},
		"loop a": mail("7", "8"), "loop b": mail("8", "7"),
	} {
		threads.Add(key, m)
	}
	together := [][]string{{"reply", "root", "deep"}, {"other"}, {"orphan", "sibling"}, {"nameless"}, {"nameless too"}, {"loop a", "loop b"}}
	seen := map[string]int{}
	for i, group := range together {
		for _, key := range group {
			if threads.Of(key) != threads.Of(group[0]) {
				t.Errorf("%q and %q are in two threads", key, group[0])
			}
		}
		if j, ok := seen[threads.Of(group[0])]; ok {
			t.Errorf("%q and %q are in one thread", together[j], group)
		}
		seen[threads.Of(group[0])] = i
	}
}
