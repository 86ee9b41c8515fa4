package diagnose

import (
	"strings"
	"unicode"
)

// Gist is a reply as it is counted, once for all who get it: without what differs from
// one mailbox and one moment to the next, such as addresses, numbers and names of
// machines. What is shown to people ([postroom.Fault].Reply) is enough to make it.
func Gist(reply string) string {
	words := strings.Fields(normalise(reply))
	for n, word := range words {
		core := strings.Trim(word, `.,;:!?()<>"'`)
		if core == "" || !isPersonal(core) {
			continue
		}
		words[n] = strings.Replace(word, core, "…", 1)
	}
	return strings.Join(words, " ")
}

// isPersonal says whether a word of a reply belongs to one mailbox or one moment.
func isPersonal(word string) bool {
	if strings.Contains(word, "@") || strings.Contains(word, "…") || strings.Contains(word, removed) {
		return true
	}
	var digits, letters, dots int
	for _, r := range word {
		switch {
		case unicode.IsDigit(r):
			digits++
		case unicode.IsLetter(r):
			letters++
		case r == '.' || r == ':':
			dots++
		}
	}
	switch {
	case strings.HasPrefix(strings.ToUpper(word), "AADSTS"):
		return false // the number is the message
	case digits >= 4:
		return true
	case dots >= 2 && letters > 0: // a host, an IPv6 address
		return true
	case dots == 3 && digits > 0 && letters == 0: // an IPv4 address
		return true
	}
	return digits >= 2 && letters >= 2 && len(word) >= 8
}
