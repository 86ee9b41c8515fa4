package diagnose

import (
	"encoding/base64"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"
)

const (
	maxReply = 500     // characters of a reply that people are shown
	maxRead  = 2 << 10 // bytes of a reply that are looked at
)

// normalise makes one line of a reply, as the patterns want it: lines joined and
// words parted with one blank, an IMAP tag and the repeated codes of SMTP dropped,
// the coded challenge of IMAP and POP3 decoded.
func normalise(reply string) string {
	text := plain(withoutRepeatedCodes(reply[:min(len(reply), maxRead)]))
	first, rest, _ := strings.Cut(text, " ")
	if first == "+" {
		if challenge, err := base64.StdEncoding.DecodeString(rest); err == nil && json.Valid(challenge) {
			return normaliseJSON(challenge)
		}
		return text
	}
	if isSmallStatus(first) {
		first = strings.ToUpper(first)
		text = strings.TrimSuffix(first+" "+rest, " ")
	}
	if status, more, _ := strings.Cut(rest, " "); !isStatus(first) {
		switch {
		case isStatus(status) && status != "BYE" && !strings.ContainsAny(first, ":.@/"):
			return rest
		case isSmallStatus(status) && status != "bye" && looksLikeTag(first):
			return strings.TrimSuffix(strings.ToUpper(status)+" "+more, " ")
		}
	}
	return text
}

// plain is a text in one line, with one blank between words and plain quotes.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		switch {
		case r == '’' || r == '‘' || r == 'ʼ':
			return '\''
		case r == '“' || r == '”':
			return '"'
		case r == utf8.RuneError || unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r): // joiners and marks that nobody sees
			return -1
		}
		return r
	}, text)
	text = strings.Join(strings.Fields(text), " ")
	return strings.NewReplacer(" [ ", " [", " ] ", "] ").Replace(text)
}

// withoutRepeatedCodes drops the codes with which every line of an SMTP reply begins
// (RFC 5321 section 4.2.1), but for the first. The lines may have been joined already.
func withoutRepeatedCodes(reply string) string {
	reply = strings.TrimLeft(reply, " \t\r\n")
	if len(reply) < 5 || !isReplyCode(reply[:3]) || reply[3] != ' ' && reply[3] != '-' {
		return reply
	}
	code, enhanced := reply[:3], ""
	if found := scrubs().enhanced.FindString(reply[4:]); found != "" {
		enhanced = found + " "
	}
	head := code + " "
	rest := reply[4:]
	for _, lineEnd := range []string{"\r\n", "\n"} {
		for _, mark := range []string{"-", " "} {
			rest = strings.ReplaceAll(rest, lineEnd+code+mark+enhanced, " ")
			rest = strings.ReplaceAll(rest, lineEnd+code+mark, " ")
		}
	}
	if reply[3] == '-' || enhanced != "" {
		for _, mark := range []string{"-", " "} {
			rest = strings.ReplaceAll(rest, " "+code+mark+enhanced, " ")
		}
	}
	return head + rest
}

func isReplyCode(text string) bool {
	return text[0] >= '2' && text[0] <= '5' && text[1] >= '0' && text[1] <= '9' && text[2] >= '0' && text[2] <= '9'
}

// normaliseJSON drops the line ends of a challenge.
func normaliseJSON(challenge []byte) string {
	return strings.Join(strings.Fields(string(challenge)), " ")
}

// isStatus knows the words that an IMAP or POP3 answer begins with, in capitals as
// servers write them: "No" may begin a sentence.
func isStatus(word string) bool {
	switch word {
	case "OK", "NO", "BAD", "BYE", "PREAUTH", "*", "+OK", "-ERR":
		return true
	}
	return false
}

// isSmallStatus knows them in small letters, which a few servers write.
func isSmallStatus(word string) bool {
	return word != "" && word[0] != '*' && word == strings.ToLower(word) && isStatus(strings.ToUpper(word)) && !isStatus(word)
}

// looksLikeTag says whether a word may be what a client begins its commands with.
func looksLikeTag(word string) bool {
	return word != "" && strings.ContainsAny(word, "0123456789") && !strings.ContainsAny(word, ".:@/[")
}

// isRefusal says whether a normalised reply refuses one thing, rather than ending
// the connection or saying something else.
func isRefusal(reply string) bool {
	first, _, _ := strings.Cut(reply, " ")
	switch strings.ToUpper(first) {
	case "NO", "BAD", "-ERR":
		return true
	}
	return len(first) == 3 && first[0] == '5' // SMTP (RFC 5321 section 4.2.1)
}

// A scrubber holds the patterns of what is taken out of a text.
type scrubber struct {
	link, named, bearer, long, guid, address *regexp.Regexp
	enhanced                                 *regexp.Regexp // RFC 3463, at the beginning
}

// scrubs compiles them when the first server has said something.
var scrubs = sync.OnceValue(func() scrubber {
	return scrubber{
		link:     regexp.MustCompile(`(?i)\bhttps?://[^\s\]>"')]+`),
		named:    regexp.MustCompile(`(?i)\b(pass(?:word|wd|phrase)?|secret|token|access_token|refresh_token|code|key)(["']?\s*[=:]\s*["']?)([^\s"',;&\]]+)`),
		bearer:   regexp.MustCompile(`(?i)\b(bearer|basic|plain|xoauth2|oauthbearer)(\s+)([A-Za-z0-9+/_.~=-]{8,})`),
		long:     regexp.MustCompile(`[A-Za-z0-9+/_=-]{20,}`),
		enhanced: regexp.MustCompile(`^[245]\.\d{1,3}\.\d{1,3}\b`),

		guid:    regexp.MustCompile(`(?i)^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$`),
		address: regexp.MustCompile(`[\p{L}\p{N}._%+'=-]+@[\p{L}\p{N}-]+(?:\.[\p{L}\p{N}-]+)*`),
	}
})

const removed = "[removed]"

// scrub takes out of a text what is nobody's business: secrets and what looks
// like one, the personal part of links, and most of each address.
func (f *Failure) scrub(text string) string {
	for _, s := range f.Secrets {
		text = s.Blank(text, removed, "\x00"+f.Username+"\x00"+s.Reveal())
	}
	p := scrubs()
	text = p.link.ReplaceAllStringFunc(text, shortenLink)
	text = replaceThird(p.named, text, func(value string) bool {
		return !strings.HasPrefix(value, "http") // "app password required: https://…" names a page
	})
	text = replaceThird(p.bearer, text, looksRandom)
	text = p.long.ReplaceAllStringFunc(text, func(found string) string {
		if p.guid.MatchString(found) || !looksRandom(found) {
			return found
		}
		return removed
	})
	text = p.address.ReplaceAllStringFunc(text, shortenAddress)
	for _, name := range []string{f.Username, f.Address} {
		if local, _, ok := strings.Cut(name, "@"); ok && len(local) > 3 {
			text = strings.ReplaceAll(text, local, shortenName(local))
		} else if !ok && len(name) > 3 {
			text = strings.ReplaceAll(text, name, shortenName(name))
		}
	}
	return text
}

// show is the server's text as people see it.
func (f *Failure) show(reply string) string {
	text := f.scrub(reply)
	if runes := []rune(text); len(runes) > maxReply {
		text = string(runes[:maxReply]) + "…"
	}
	return text
}

// shortenLink keeps the page of a link and drops what may be personal: query,
// fragment, and parts of the path that look like a key.
func shortenLink(link string) string {
	page, _, _ := strings.Cut(link, "?")
	page, _, _ = strings.Cut(page, "#")
	scheme, rest, _ := strings.Cut(page, "://")
	parts := strings.Split(rest, "/")
	if at := strings.LastIndexByte(parts[0], '@'); at >= 0 {
		parts[0] = parts[0][at+1:]
	}
	for i, part := range parts[1:] {
		if len(part) >= 16 && looksRandom(part) {
			parts[i+1] = removed
		}
	}
	return scheme + "://" + strings.Join(parts, "/")
}

// replaceThird takes out the third group of each match where it is secret.
func replaceThird(p *regexp.Regexp, text string, isSecret func(string) bool) string {
	return p.ReplaceAllStringFunc(text, func(found string) string {
		groups := p.FindStringSubmatch(found)
		if !isSecret(groups[3]) {
			return found
		}
		return groups[1] + groups[2] + removed
	})
}

// looksRandom says whether a word changes between small letters, capitals and
// digits as often as words and host names do not.
func looksRandom(word string) bool {
	const small, capital, digit = 1, 2, 3
	var changes, last int
	for _, r := range word {
		var kind int
		switch {
		case unicode.IsDigit(r):
			kind = digit
		case unicode.IsUpper(r):
			kind = capital
		case unicode.IsLower(r):
			kind = small
		default:
			continue
		}
		if last != 0 && kind != last && (last != capital || kind != small) {
			changes++
		}
		last = kind
	}
	return changes >= 4
}

func shortenAddress(address string) string {
	local, domain, _ := strings.Cut(address, "@")
	return shortenName(local) + "@" + domain
}

// shortenName keeps two characters, so that its owner recognises it.
func shortenName(name string) string {
	runes := []rune(name)
	return string(runes[:min(2, len(runes))]) + "…"
}
