package provider

import (
	"net/mail"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
	"golang.org/x/net/publicsuffix"

	"github.com/postroom/postroom"
)

// A mailAddress is an address taken apart.
type mailAddress struct {
	typed    string // as it was typed, without what mail programs add
	account  string // what signs in: typed without the tag behind a plus sign
	local    string // before the @ of account, without quotes
	shown    string // the domain as it was typed, in lower case
	domain   string // in ASCII (RFC 5891)
	isTagged bool
}

// readAddress takes an address apart; what is none is a Fault.
func readAddress(text string) (a mailAddress, err error) {
	text = strings.TrimSpace(text)
	text = strings.TrimSuffix(strings.TrimPrefix(text, "mailto:"), ".")
	if strings.ContainsRune(text, '<') {
		if parsed, err := mail.ParseAddress(text); err == nil {
			text = parsed.Address
		}
	}
	i := strings.LastIndexByte(text, '@')
	switch {
	case i <= 0, i == len(text)-1:
		return a, noAddress(text, "is not a whole mail address")
	case len(text) > postroom.MaxAddress:
		return a, noAddress(text, "cannot be a mail address")
	}
	local, domain := text[:i], strings.ToLower(text[i+1:])
	if strings.HasPrefix(domain, "[") {
		return a, noAddress(text, "names a computer by its number, and only a domain says anything about servers")
	}
	ascii, err := idna.Lookup.ToASCII(domain)
	if err != nil || !isHostName(ascii) || !postroom.IsLocalPart(local) {
		return a, noAddress(text, "cannot be a mail address")
	}
	a = mailAddress{typed: local + "@" + domain, shown: domain, domain: ascii}
	if tag := strings.IndexByte(local, '+'); tag > 0 && local[0] != '"' {
		local, a.isTagged = local[:tag], true
	}
	a.account, a.local = local+"@"+domain, local
	if local[0] == '"' {
		a.local = strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(strings.Trim(local, `"`))
	}
	return a, nil
}

func noAddress(text, what string) error {
	if text == "" {
		return &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "address",
			Explanation: "The address is missing.", Remedy: "Enter it, such as support@example.net.",
		}
	}
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "address",
		Explanation: "“" + printable(text, 60) + "” " + what + ".",
		Remedy:      "Enter the whole address, such as support@example.net.",
	}
}

// inASCII is the account with its domain as DNS spells it, as web servers are asked.
func (a mailAddress) inASCII() string { return strings.TrimSuffix(a.account, a.shown) + a.domain }

// isHostName says whether text is a name of labels as DNS has them, in ASCII and lower
// case (RFC 1123 section 2.1). Underscores occur in the networks of companies.
func isHostName(text string) bool {
	if text == "" || len(text) > 253 {
		return false
	}
	for _, label := range strings.Split(strings.ToLower(text), ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if !(c == '-' || c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z') {
				return false
			}
		}
	}
	return true
}

// organisation is the domain that was registered: the public suffix and one label
// (publicsuffix.org). A name that has none is its own.
func organisation(host string) string {
	if domain, err := publicsuffix.EffectiveTLDPlusOne(host); err == nil {
		return domain
	}
	return host
}

// isBelow says whether a host is a domain, or a name within it.
func isBelow(host, domain string) bool {
	host, domain = strings.ToLower(host), strings.ToLower(domain)
	return host == domain || strings.HasSuffix(host, "."+domain)
}

// printable is a text from outside that can stand in a sentence: without signs that steer a
// terminal, and not longer than a number of characters.
func printable(text string, enough int) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > enough {
		text = string(r[:enough]) + "…"
	}
	return text
}
