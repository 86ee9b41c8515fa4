package intake

import (
	"strings"

	"github.com/postroom/postroom"
)

// Threads says which of a set of mails belong together: replies with what they
// answer, and with one another where that is not among them. Filing is stricter: two
// people who answer a mail that never came here do not meet in one issue
// (docs/decisions/0005). The zero value is empty.
type Threads struct {
	parent map[string]string // union-find over keys and Message-IDs
	known  map[string]bool   // Message-IDs of the mails at hand
	mails  []threaded
	joined int // how many of mails have been joined
}

type threaded struct {
	key       string
	ancestors []string
}

// Add takes a mail under a key that names it, before the first call of Of.
func (t *Threads) Add(key string, m postroom.Mail) {
	if t.parent == nil {
		t.parent, t.known = map[string]string{}, map[string]bool{}
	}
	key = "key:" + key
	if m.MessageID != "" {
		t.known[m.MessageID] = true
		t.union(key, "id:"+m.MessageID)
	}
	t.mails = append(t.mails, threaded{key, Ancestors(m)})
}

// Of names the thread of a mail that was added: the same text for all mails that
// belong together.
func (t *Threads) Of(key string) string {
	for ; t.joined < len(t.mails); t.joined++ {
		t.join(t.mails[t.joined])
	}
	return strings.TrimPrefix(t.root("key:"+key), "id:")
}

// join puts a mail with its nearest ancestor that is here. Where none is, all
// mails that name the same absent one belong together.
func (t *Threads) join(m threaded) {
	for _, id := range m.ancestors {
		if t.known[id] {
			t.union(m.key, "id:"+id)
			return
		}
	}
	for _, id := range m.ancestors {
		t.union(m.key, "id:"+id)
	}
}

func (t *Threads) root(key string) string {
	for {
		next, ok := t.parent[key]
		if !ok {
			return key
		}
		if further, ok := t.parent[next]; ok {
			t.parent[key] = further
		}
		key = next
	}
}

func (t *Threads) union(a, b string) {
	if a, b = t.root(a), t.root(b); a != b {
		t.parent[max(a, b)] = min(a, b)
	}
}
