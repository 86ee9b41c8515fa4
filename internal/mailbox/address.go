package mailbox

import (
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/postroom/postroom"
)

// completeAddress checks the address, fills in the user name before the address
// loses its case, and the name.
func completeAddress(m *postroom.Mailbox) error {
	const field = "address"
	address := strings.TrimPrefix(strings.TrimSpace(m.Address), "mailto:")
	if address == "" {
		return invalid(field, "The address of the mailbox is missing.", "Enter it, such as support@example.net.")
	}
	if parsed, err := mail.ParseAddress(address); err == nil && strings.ContainsRune(address, '<') {
		if m.Name == "" {
			m.Name = parsed.Name // pasted with the name before it
		}
		address = parsed.Address
	}
	local, domain, ok := cutLast(address, '@')
	if !ok || local == "" || domain == "" {
		return invalid(field, quote(address)+" is not a whole mail address.", "Enter it with the @ and what comes behind it, such as support@example.net.")
	}
	if !postroom.IsLocalPart(local) || !isDomain(domain) || len(address) > postroom.MaxAddress {
		return invalid(field, quote(address)+" cannot be a mail address.", "Look for a blank, a comma or a missing part, and write it such as support@example.net.")
	}
	for _, s := range servers(m) {
		if strings.TrimSpace(s.Username) == "" {
			s.Username = address
		}
	}
	m.Address = strings.ToLower(address)
	m.Name = strings.Join(strings.Fields(strings.ToValidUTF8(m.Name, "�")), " ")
	if m.Name == "" {
		m.Name = m.Address
	}
	if utf8.RuneCountInString(m.Name) > maxName || hasControls(m.Name) {
		return invalid("name", "The name of the mailbox is too long, or has signs in it that cannot be shown.", "Choose a name of a few words.")
	}
	return nil
}

// servers are the settings that need a user name.
func servers(m *postroom.Mailbox) []*postroom.ServerSettings {
	list := []*postroom.ServerSettings{&m.Incoming.ServerSettings}
	if m.Outgoing != nil {
		outgoing := *m.Outgoing
		m.Outgoing = &outgoing // the caller's stays as it is
		list = append(list, &m.Outgoing.ServerSettings)
	}
	return list
}

func cutLast(text string, sep byte) (before, after string, ok bool) {
	if i := strings.LastIndexByte(text, sep); i >= 0 {
		return text[:i], text[i+1:], true
	}
	return text, "", false
}

// isDomain says whether text can be a domain: a name that DNS can hold, in
// whatever script, or an address literal (RFC 5321 section 4.1.3).
func isDomain(text string) bool {
	if strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
		return !strings.ContainsAny(text, " \t") && len(text) > 4
	}
	return isHostName(text)
}

// isHostName says whether text is a name of labels that DNS can hold (RFC 1123
// section 2.1, RFC 5891). Underscores occur in the networks of companies.
func isHostName(text string) bool {
	if len(text) > 4*253 { // in any script; turning a much longer one into ASCII takes seconds
		return false
	}
	plain := strings.ReplaceAll(strings.TrimSuffix(text, "."), "_", "-")
	ascii, err := idna.Lookup.ToASCII(plain)
	if err != nil || ascii == "" || len(ascii) > 253 {
		return false
	}
	for _, label := range strings.Split(ascii, ".") {
		if label == "" || len(label) > 63 || strings.ContainsFunc(label, isNoLetterDigitHyphen) {
			return false
		}
	}
	return true
}

func isNoLetterDigitHyphen(r rune) bool {
	return !(r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z')
}
