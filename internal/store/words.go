package store

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// maxWords is how many bytes of words of one text are searchable. PostgreSQL
	// allows less than 1 MB in a tsvector.
	maxWords = 256 << 10
	// maxWord is how many bytes of one word count. PostgreSQL allows 2 KB.
	maxWord = 64
)

// words are what can be searched of a text, for the index and for queries alike,
// on both databases: runs of letters and digits without case and diacritics, with
// one space between them. Scripts that put no spaces between words (Chinese
// characters, kana, Thai and their like) are searched by character.
func words(text string) string {
	w := wordWriter{out: make([]byte, 0, min(len(text)+1, maxWords)+maxWord)}
	var scratch []byte
	for i := 0; i < len(text) && len(w.out) < maxWords; {
		if c := text[i]; c < utf8.RuneSelf {
			w.ascii(c)
			i++
			continue
		}
		end := i + 1
		for end < len(text) && text[end] >= utf8.RuneSelf && end-i < 4096 || end < len(text) && !utf8.RuneStart(text[end]) {
			end++
		}
		scratch = norm.NFKD.AppendString(scratch[:0], text[i:end])
		for rest := scratch; len(rest) > 0; {
			r, size := utf8.DecodeRune(rest)
			w.rune(r)
			rest = rest[size:]
		}
		i = end
	}
	return w.done()
}

// A wordWriter collects words.
type wordWriter struct {
	out   []byte
	begun int  // where the word under way begins
	in    bool // a word is under way
	full  bool // it has reached maxWord
}

func (w *wordWriter) ascii(c byte) {
	switch {
	case 'a' <= c && c <= 'z' || '0' <= c && c <= '9':
	case 'A' <= c && c <= 'Z':
		c += 'a' - 'A'
	default:
		w.in = false
		return
	}
	if w.room(1) {
		w.out = append(w.out, c)
	}
}

func (w *wordWriter) rune(r rune) {
	switch {
	case r < utf8.RuneSelf:
		w.ascii(byte(r))
		return
	case unicode.Is(unicode.Mn, r):
		return
	case standsAlone(r):
		w.in = false
		w.put(unicode.ToLower(r))
		w.in = false
		return
	case !unicode.IsLetter(r) && !unicode.IsNumber(r) && !unicode.Is(unicode.Mc, r):
		w.in = false
		return
	}
	if plain := withoutStroke(r); plain != "" {
		for _, c := range []byte(plain) {
			w.ascii(c)
		}
		return
	}
	w.put(unicode.ToLower(r))
}

func (w *wordWriter) put(r rune) {
	if w.room(utf8.RuneLen(r)) {
		w.out = utf8.AppendRune(w.out, r)
	}
}

// room makes place for n bytes of the word under way, or begins one. It is false
// when the word is long enough.
func (w *wordWriter) room(n int) bool {
	if !w.in {
		if len(w.out) > 0 {
			w.out = append(w.out, ' ')
		}
		w.begun, w.in, w.full = len(w.out), true, false
	}
	w.full = w.full || len(w.out)-w.begun+n > maxWord
	return !w.full
}

func (w *wordWriter) done() string {
	if len(w.out) > maxWords {
		w.out = w.out[:max(0, strings.LastIndexByte(string(w.out[:maxWords+1]), ' '))]
	}
	return string(w.out)
}

// standsAlone says whether a character is searched as a word of its own.
func standsAlone(r rune) bool {
	return r >= 0x0E00 && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) &&
		(unicode.IsLetter(r) || unicode.IsNumber(r))
}

// withoutStroke spells the letters that people type without their stroke or
// ligature and that Unicode does not take apart; empty for all others.
func withoutStroke(r rune) string {
	switch r {
	case 'ß', 'ẞ':
		return "ss"
	case 'æ', 'Æ':
		return "ae"
	case 'œ', 'Œ':
		return "oe"
	case 'ø', 'Ø':
		return "o"
	case 'ł', 'Ł':
		return "l"
	case 'đ', 'Đ', 'ð', 'Ð':
		return "d"
	case 'ı':
		return "i"
	}
	return ""
}

