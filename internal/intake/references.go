package intake

import "github.com/postroom/postroom"

const maxAncestors = 50

// Ancestors returns the Message-IDs that a mail says it follows, nearest first:
// In-Reply-To, then References from the last to the first (RFC 5322 section
// 3.6.4), each once. There are at most 51: the 50 nearest, and the root.
func Ancestors(m postroom.Mail) []string {
	seen := map[string]bool{"": true, m.MessageID: true}
	var ids []string
	add := func(id string) {
		if !seen[id] && len(ids) < maxAncestors {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	for _, id := range m.InReplyTo {
		add(id)
	}
	for i := len(m.References) - 1; i >= 0; i-- {
		add(m.References[i])
	}
	if len(m.References) > 0 && !seen[m.References[0]] {
		ids = append(ids, m.References[0])
	}
	return ids
}
