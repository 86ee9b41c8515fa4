package smtp

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ErrNotASCII is the cause when an address holds letters that the server cannot
// take (RFC 6531 section 3.4).
var ErrNotASCII = errors.New("SMTPUTF8 is required for this address, and the server does not offer it")

// envelopeAddress is an address as it stands between angle brackets: its domain as
// DNS spells it. isUTF8 says that it needs SMTPUTF8. An empty address is nobody,
// and can only be a sender.
func envelopeAddress(address string) (text string, isUTF8 bool, err error) {
	if address == "" {
		return "", false, nil
	}
	at := strings.LastIndexByte(address, '@')
	if at < 1 || at == len(address)-1 || len(address) > 1000 {
		return "", false, fmt.Errorf("%q is not a whole mail address", address)
	}
	local, domain := address[:at], address[at+1:]
	if !isLocalPart(local) || hasAny(domain, " <>\"\\") {
		return "", false, fmt.Errorf("%q cannot be a mail address", address)
	}
	if !isASCII(domain) {
		if domain, err = idna.Lookup.ToASCII(domain); err != nil {
			return "", false, fmt.Errorf("domain of %q: %w", address, err)
		}
	}
	return local + "@" + domain, !isASCII(local), nil
}

// isLocalPart says whether text can stand before the @ without ending the command
// it stands in; a quoted text may hold blanks and brackets (RFC 5321 section 4.1.2).
func isLocalPart(text string) bool {
	if len(text) > 2 && text[0] == '"' && text[len(text)-1] == '"' {
		return !hasAny(strings.NewReplacer(`\\`, "", `\"`, "").Replace(text[1:len(text)-1]), `"\`)
	}
	return !hasAny(text, ` <>"\`)
}

// hasAny finds a character of the given ones, or one that cannot be printed.
func hasAny(text, these string) bool {
	return strings.ContainsFunc(text, func(r rune) bool {
		return r < ' ' || r == 0x7f || r == utf8.RuneError || strings.ContainsRune(these, r)
	})
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
