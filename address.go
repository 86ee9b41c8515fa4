package postroom

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxAddress is the longest address that can be sent to, in bytes (RFC 5321 section
// 4.5.3.1.3, without the angle brackets). Turning the domain of a much longer one into
// ASCII takes seconds: look at the length first.
const MaxAddress = 254

// maxLocalPart is the longest local part, in bytes (RFC 5321 section 4.5.3.1.1).
const maxLocalPart = 64

// IsLocalPart says whether text can stand before the @ of an address: a dot-atom (RFC
// 5322 section 3.2.3), any letters of the world included (RFC 6531), or a quoted text.
func IsLocalPart(text string) bool {
	if len(text) > maxLocalPart || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
		return false
	}
	if len(text) > 2 && text[0] == '"' && text[len(text)-1] == '"' {
		inner := strings.NewReplacer(`\\`, "", `\"`, "").Replace(text[1 : len(text)-1])
		return !strings.ContainsAny(inner, `"\`)
	}
	for atom := range strings.SplitSeq(text, ".") {
		if atom == "" || strings.ContainsAny(atom, " \t\u00a0()<>[]:;@\\,\"") {
			return false
		}
	}
	return true
}
