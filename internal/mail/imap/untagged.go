package imap

import (
	"errors"
	"strconv"
	"strings"
)

// A keyword is the word that says what an untagged response is about.
type keyword string

const (
	wordCapability keyword = "CAPABILITY"
	wordEnabled    keyword = "ENABLED"
	wordExists     keyword = "EXISTS"
	wordRecent     keyword = "RECENT"
	wordExpunge    keyword = "EXPUNGE"
	wordVanished   keyword = "VANISHED"
	wordFetch      keyword = "FETCH"
	wordUIDFetch   keyword = "UIDFETCH" // RFC 9586
	wordList       keyword = "LIST"
	wordNamespace  keyword = "NAMESPACE"
	wordStatusOf   keyword = "STATUS"
	wordSearch     keyword = "SEARCH"
	wordESearch    keyword = "ESEARCH"
	wordStatus     keyword = "OK" // and NO, BAD, BYE, PREAUTH
	wordUnknown    keyword = ""
)

func keywordOf(word []byte) keyword {
	for _, k := range []keyword{wordFetch, wordUIDFetch, wordExists, wordExpunge, wordRecent, wordVanished,
		wordSearch, wordESearch, wordList, wordNamespace, wordStatusOf, wordCapability, wordEnabled} {
		if is(word, string(k)) {
			return k
		}
	}
	if isStatus(word) {
		return wordStatus
	}
	return wordUnknown
}

var errFarewell = errors.New("the server has said BYE")

// hearUntagged reads an untagged response up to what on or the client itself
// wants of it. The rest is for finish.
func (c *Client) hearUntagged(on handler) error {
	l := &c.lex
	l.next()
	if l.pos >= len(l.line) || l.line[l.pos] != '*' {
		return nil
	}
	l.pos++
	start := l.pos
	word := l.word()
	number, isNumber := parseNumber(word)
	if isNumber {
		word = l.word()
	}
	kind := keywordOf(word)
	if kind == wordStatus {
		r := parseReply(l.line[start:])
		c.hearCode(r)
		if r.status == "BYE" && c.bye.status != "" {
			return errFarewell // some servers say it again and again
		}
		if r.status == "BYE" {
			// The connection is as good as gone. What else the server has to say, a
			// tagged NO perhaps, must come soon.
			c.bye = r
			c.lex.patience = lastWordsTimeout
		}
		return nil
	}
	if on != nil {
		if handled, err := on(kind, number); handled || err != nil {
			c.renewBudget(0) // it goes forward
			return err
		}
	}
	return c.hearNews(kind, number)
}

// hearNews keeps count of the messages in the folder, and notices when something
// has changed. Saying the same count again is no news: some servers do it after
// every command.
func (c *Client) hearNews(kind keyword, number uint64) error {
	switch kind {
	case wordCapability:
		c.setCapabilities(string(c.lex.line[c.lex.pos:]))
	case wordExists:
		n := uint32(min(number, 1<<32-1))
		if n != c.exists {
			c.exists, c.news = n, true
		}
	case wordRecent:
		n := uint32(min(number, 1<<32-1))
		if n > c.recent {
			c.news = true
		}
		c.recent = n
	case wordExpunge:
		c.exists -= min(c.exists, 1)
		c.news = true
	case wordVanished: // RFC 7162 section 3.2.10
		gone := uidList{counts: true}
		c.lex.next()
		if err := gone.feed(c.lex.line[c.lex.pos:]); err == nil && gone.close() == nil {
			c.exists -= uint32(min(uint64(c.exists), gone.count))
		}
		c.news = true
	case wordFetch, wordUIDFetch:
		c.news = c.news || c.listening
	}
	return nil
}

// hearCode keeps what response codes say, wherever they come from.
func (c *Client) hearCode(r reply) {
	number := func() uint32 {
		n, _ := strconv.ParseUint(strings.TrimSpace(r.arg), 10, 64)
		return uint32(n) // of a number that is too long the low half: still the same as long as it stays
	}
	switch r.code {
	case "CAPABILITY":
		c.setCapabilities(r.arg)
	case "UIDVALIDITY":
		c.status.UIDValidity = number()
	case "UIDNEXT":
		c.status.UIDNext = 0
		if n, err := strconv.ParseUint(strings.TrimSpace(r.arg), 10, 32); err == nil {
			c.status.UIDNext = uint32(n)
		}
	case "MESSAGELIMIT": // RFC 9738 section 4: the limit, and the lowest UID that was processed
		words := strings.Fields(r.arg)
		if len(words) == 2 {
			n, _ := strconv.ParseUint(words[1], 10, 32)
			c.lowest = uint32(n)
		}
	}
}

// setCapabilities keeps a list of capabilities as one string, because tens of
// thousands of connections keep one each.
func (c *Client) setCapabilities(list string) {
	c.heardCapabilities = true
	c.capabilities = " " + strings.ToUpper(strings.Join(strings.Fields(list), " ")) + " "
}

// Has says whether the server offers a capability, in its last word on the
// subject: after the login, once there was one. IMAP4rev2 stands for several
// others (RFC 9051 appendix E).
func (c *Client) Has(capability string) bool {
	has := func(word string) bool { return strings.Contains(c.capabilities, " "+word+" ") }
	word := strings.ToUpper(capability)
	switch word {
	case "ENABLE", "ESEARCH", "IDLE", "LIST-EXTENDED", "LITERAL-", "MOVE", "NAMESPACE", "SASL-IR", "SPECIAL-USE", "UIDPLUS":
		return has(word) || has("IMAP4REV2")
	}
	return has(word)
}

// values are those of capabilities like AUTH=PLAIN, for the name before the sign.
func (c *Client) values(name string) []string {
	var values []string
	for _, word := range strings.Fields(c.capabilities) {
		if value, is := strings.CutPrefix(word, name+"="); is {
			values = append(values, value)
		}
	}
	return values
}
