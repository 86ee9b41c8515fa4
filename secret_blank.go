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
	secret := s.Reveal()
	if secret == "" || text == "" {
		return text
	}
	if utf8.RuneCountInString(secret) <= 3 {
		if slices.Contains(strings.FieldsFunc(text, isBetweenWords), secret) {
			return mark
		}
		return text
	}
	said := letters(text)
	for _, form := range append(escapes(secret), secret) {
		said.markWhole(text, form)
		said.markParts(form, true)
	}
	for _, wrapped := range append([]string{secret}, wrappings...) {
		for _, coded := range codes(wrapped) {
			said.markParts(coded, false)
		}
	}
	return said.blanked(text, mark)
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

// pair is a small number that two letters have, with few others.
func pair(runes []rune) int { return int(runes[0]<<6^runes[1]) & (1<<12 - 1) }

// markParts hides the letters of a form of a secret, and so much of it as tells too
// much. Short ones are hidden only where they stand in one piece, for they are found by
// chance.
func (s *spelling) markParts(text string, isPlain bool) {
	form := letters(text).runes
	n := len(form)
	telling := 0 // letters that tell something though everybody says them
	if isPlain {
		if telling = n; n < utf8.RuneCountInString(text) { // it is more than a word
			telling = n + 1
		}
	}
	size := n
	switch {
	case n < 4:
		return
	case isPlain && n >= 2*shortestPart:
		size = max(shortestPart, n*2/5)
	case !isPlain && n > partOfCode:
		size = partOfCode
	}
	parts := make(map[string]bool, n-size+1)
	var begins [1 << 12]bool // by their first two letters, which is looked up quickly: servers send long lines
	for at := 0; at+size <= n; at++ {
		parts[string(form[at:at+size])] = true
		begins[pair(form[at:])] = true
	}
	end := -1 // of the run that is under way
	begin := 0
	for at := 0; at+size <= len(s.runes); at++ {
		if !begins[pair(s.runes[at:])] || !parts[string(s.runes[at:at+size])] || n < shortestWord && !s.isOnePiece(at, at+size) {
			continue
		}
		if at > end {
			s.hideRun(begin, end, telling)
			begin = at
		}
		end = at + size
	}
	s.hideRun(begin, end, telling)
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
