package postroom

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"html"
	"net/url"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Blank returns text with mark in place of whatever in it tells the secret: as it is,
// in other capitals, with other blanks, dashes or quotes between its characters, in
// halves, and as protocols and pages write it (quoted, escaped, in hexadecimal, in
// base64, also within a longer text). wrappings are longer texts that hold the secret,
// or proof of it, and went out coded in base64.
//
// A secret of up to three characters is found everywhere: where it stands as a word, the
// whole text is blanked. Half a secret that is only a word of every mail server, as in
// “password2026”, stays.
func (s Secret) Blank(text, mark string, wrappings ...string) string {
	return s.Blanker(mark, wrappings...)(text)
}

// Blanker returns what [Secret.Blank] does, for whoever does it often. It is safe for
// concurrent use.
func (s Secret) Blanker(mark string, wrappings ...string) func(text string) string {
	secret := s.Reveal()
	switch n := utf8.RuneCountInString(secret); {
	case n == 0:
		return func(text string) string { return text }
	case n <= 3:
		return func(text string) string {
			if slices.Contains(strings.FieldsFunc(text, isBetweenWords), secret) {
				return mark
			}
			return text
		}
	}
	var whole []string
	var sieves []*sieve
	for _, form := range append(escapes(secret), secret) {
		if slices.Contains(whole, form) { // most secrets need no escape
			continue
		}
		whole = append(whole, form)
	}
	var long strands
	if isLong(secret) { // within a wrapping it is coded as within any text
		long = strandsOf(append(codes(secret), whole...))
	} else {
		for _, form := range whole {
			if v := partsOf(form); v != nil {
				sieves = append(sieves, v)
			}
		}
		var coded []string
		for _, wrapped := range append([]string{secret}, wrappings...) {
			coded = append(coded, codes(wrapped)...)
		}
		sieves = append(sieves, partsOfCodes(coded)...)
	}
	return func(text string) string {
		said := letters(text)
		for _, form := range whole {
			said.markWhole(text, form)
		}
		for _, v := range sieves {
			said.sift(v)
		}
		said.unravel(long)
		return said.blanked(text, mark)
	}
}

func isBetweenWords(r rune) bool { return strings.ContainsRune(" \t\r\n\"'(),;:=", r) }

// escapes are the ways in which a text stands within another.
func escapes(text string) []string {
	inJSON, err := json.Marshal(text) // cannot fail for a string
	if err != nil {
		inJSON = nil
	}
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) // RFC 9051 section 9
	return []string{quoted, url.QueryEscape(text), url.PathEscape(text), html.EscapeString(text), strings.Trim(string(inJSON), `"`), hex.EncodeToString([]byte(text))}
}

// codes are the forms of a text in base64: alone, and within a longer text at any of
// the three places where a group of it can begin. What neighbours decide is left out.
func codes(text string) []string {
	raw := []byte(text)
	all := []string{base64.RawStdEncoding.EncodeToString(raw)}
	for before := range 3 {
		coded := base64.RawStdEncoding.EncodeToString(append(make([]byte, before), raw...))
		from := (before*8 + 5) / 6
		to := (before + len(raw)) * 8 / 6
		if to-from >= shortestCode {
			all = append(all, coded[from:to])
		}
	}
	return all
}

const (
	shortestForm = 4  // letters of what is looked for at all
	shortestCode = 8  // characters of base64 that are not found by chance
	shortestWord = 8  // letters of a secret that are found with other signs between them
	shortestPart = 6  // letters of a secret of which there are twice as many
	partOfCode   = 12 // characters: so much of a coded secret tells a part of it
)

// A spelling is a text without what may stand between letters and digits, in small
// letters, and where each of them stood.
type spelling struct {
	runes  []rune
	from   []int // bytes of the text
	to     []int
	hidden []bool // by byte of the text
}

func letters(text string) *spelling {
	s := &spelling{hidden: make([]bool, len(text))}
	for at, r := range text {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			s.runes = append(s.runes, unicode.ToLower(r))
			s.from, s.to = append(s.from, at), append(s.to, at+utf8.RuneLen(r))
		}
	}
	return s
}

// markWhole hides a form of a secret that stands there as it is, whatever it is made of.
func (s *spelling) markWhole(text, form string) {
	for at := 0; form != ""; {
		found := strings.Index(text[at:], form)
		if found < 0 {
			return
		}
		s.hide(at+found, at+found+len(form))
		at += found + len(form)
	}
}

// A sieve holds parts of forms of a secret, all of one length, and finds them quickly:
// servers send long lines.
type sieve struct {
	size    int // letters
	parts   map[string]bool
	begins  [64]uint64 // bits, by the first two letters of a part
	telling int        // so many letters in a row tell something, though everybody says them
	// inOnePiece: parts are so short that they are found by chance, and count only where
	// nothing stands between their letters.
	inOnePiece bool
}

func newSieve(size int) *sieve { return &sieve{size: size, parts: map[string]bool{}} }

// pair is the place of a bit that two letters have, with few others.
func pair(letters []rune) (word, bit int) {
	n := int(letters[0]<<6 ^ letters[1])
	return n >> 6 & 63, n & 63
}

func (v *sieve) add(form []rune) {
	for at := 0; at+v.size <= len(form); at++ {
		v.parts[string(form[at:at+v.size])] = true
		word, bit := pair(form[at:])
		v.begins[word] |= 1 << bit
	}
}

func (v *sieve) holds(letters []rune) bool {
	word, bit := pair(letters)
	return v.begins[word]>>bit&1 != 0 && v.parts[string(letters[:v.size])]
}

// partsOf holds the letters of a form of a secret, or so many of them as tell too much;
// nil: it has next to none.
func partsOf(text string) *sieve {
	form := letters(text).runes
	n := len(form)
	if n < shortestForm {
		return nil
	}
	v := newSieve(n)
	if n >= 2*shortestPart {
		v.size = max(shortestPart, n*2/5)
	}
	if v.telling = n; n < utf8.RuneCountInString(text) {
		v.telling = n + 1 // the secret is more than a word
	}
	v.inOnePiece = n < shortestWord
	v.add(form)
	return v
}

// partsOfCodes hold the letters of coded forms, and parts of them.
func partsOfCodes(coded []string) (all []*sieve) {
	long := newSieve(partOfCode)
	all = append(all, long)
	for _, text := range coded {
		form := letters(text).runes
		switch n := len(form); {
		case n > partOfCode:
			long.add(form)
		case n >= shortestForm:
			v := newSieve(n)
			v.inOnePiece = n < shortestWord
			v.add(form)
			all = append(all, v)
		}
	}
	return all
}

// sift hides every run of letters of which each part is in a sieve.
func (s *spelling) sift(v *sieve) {
	begin, end := 0, -1 // of the run that is under way
	for at := 0; at+v.size <= len(s.runes); at++ {
		if !v.holds(s.runes[at:]) || v.inOnePiece && !s.isOnePiece(at, at+v.size) {
			continue
		}
		if at > end {
			s.hideRun(begin, end, v.telling)
			begin = at
		}
		end = at + v.size
	}
	s.hideRun(begin, end, v.telling)
}

// isOnePiece says whether nothing stands between letters.
func (s *spelling) isOnePiece(from, to int) bool {
	for at := from + 1; at < to; at++ {
		if s.from[at] != s.to[at-1] {
			return false
		}
	}
	return true
}

// hideRun hides letters from..to-1, unless they are fewer than telling and nothing but a
// word that every server says.
func (s *spelling) hideRun(from, to, telling int) {
	if to < 0 || to-from < telling && strings.Contains(serverWords, string(s.runes[from:to])) {
		return
	}
	s.hide(s.from[from], s.to[to-1])
}

// serverWords are the long words of what mail servers say to everybody.
const serverWords = "password passwords passphrase authentication authenticated authenticate authorization username usernames credentials " +
	"application administrator temporarily temporary unavailable connection connections mailboxes incorrect incorrectly " +
	"disabled required security permission permissions exceeded suspended encryption certificate organization message messages recipient"

func (s *spelling) hide(from, to int) {
	for at := from; at < to; at++ {
		s.hidden[at] = true
	}
}

// blanked writes the text with one mark for every run that is hidden.
func (s *spelling) blanked(text, mark string) string {
	if !slices.Contains(s.hidden, true) {
		return text
	}
	var all strings.Builder
	for at := 0; at < len(text); at++ {
		if !s.hidden[at] {
			all.WriteByte(text[at])
		} else if at == 0 || !s.hidden[at-1] {
			all.WriteString(mark)
		}
	}
	return all.String()
}
