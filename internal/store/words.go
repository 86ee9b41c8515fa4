package store

import (
	"strings"
	"sync"
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
	known := alphabets()
	for i := 0; i < len(text) && len(w.out) < maxWords; {
		if text[i] < utf8.RuneSelf {
			i = w.asciiRun(text, i)
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		if int(r) < len(known) {
			w.folded(known[r])
			i += size
			continue
		}
		i += w.decomposed(text[i:])
	}
	return w.done()
}

// inWord is what a byte of ASCII is within a word: its lower case; 0: it parts words.
var inWord = [utf8.RuneSelf]byte{
	'0': '0', '1': '1', '2': '2', '3': '3', '4': '4', '5': '5', '6': '6', '7': '7', '8': '8', '9': '9',
	'a': 'a', 'b': 'b', 'c': 'c', 'd': 'd', 'e': 'e', 'f': 'f', 'g': 'g', 'h': 'h', 'i': 'i', 'j': 'j', 'k': 'k', 'l': 'l', 'm': 'm',
	'n': 'n', 'o': 'o', 'p': 'p', 'q': 'q', 'r': 'r', 's': 's', 't': 't', 'u': 'u', 'v': 'v', 'w': 'w', 'x': 'x', 'y': 'y', 'z': 'z',
	'A': 'a', 'B': 'b', 'C': 'c', 'D': 'd', 'E': 'e', 'F': 'f', 'G': 'g', 'H': 'h', 'I': 'i', 'J': 'j', 'K': 'k', 'L': 'l', 'M': 'm',
	'N': 'n', 'O': 'o', 'P': 'p', 'Q': 'q', 'R': 'r', 'S': 's', 'T': 't', 'U': 'u', 'V': 'v', 'W': 'w', 'X': 'x', 'Y': 'y', 'Z': 'z',
}

// alphabets are the Latin, Greek and Cyrillic characters as they are folded, each
// as decomposed would do it: " " parts words, "" is passed over.
var alphabets = sync.OnceValue(func() *[0x530]string {
	var known [0x530]string
	for r := range known {
		w := wordWriter{in: true}
		w.decomposed(string(rune(r)))
		known[r] = string(w.out)
		if !w.in {
			known[r] = strings.TrimSpace(known[r]) + " "
		}
	}
	return &known
})

// A wordWriter collects words.
type wordWriter struct {
	out   []byte
	begun int  // where the word under way begins
	in    bool // a word is under way
	full  bool // it has reached maxWord

	scratch []byte
}

// asciiRun takes bytes of ASCII from i on and returns where they end, or where the
// word that they begin with does.
func (w *wordWriter) asciiRun(text string, i int) (end int) {
	for ; i < len(text) && text[i] < utf8.RuneSelf && inWord[text[i]] == 0; i++ {
		w.in = false
	}
	begin := i
	for i < len(text) && text[i] < utf8.RuneSelf && inWord[text[i]] != 0 {
		i++
	}
	if begin == i || !w.room(1) {
		return i
	}
	for _, c := range []byte(text[begin : begin+min(i-begin, w.begun+maxWord-len(w.out))]) {
		w.out = append(w.out, inWord[c])
	}
	return i
}

func (w *wordWriter) ascii(c byte) {
	if c = inWord[c]; c == 0 {
		w.in = false
	} else if w.room(1) {
		w.out = append(w.out, c)
	}
}

// folded takes a character of the known alphabets.
func (w *wordWriter) folded(text string) {
	letters := strings.TrimSuffix(text, " ")
	if letters != "" && w.room(len(letters)) {
		w.out = append(w.out, letters...)
	}
	if letters != text {
		w.in = false
	}
}

// decomposed takes the characters beyond ASCII that a text begins with, in their
// compatibility decomposition (NFKD), and returns how many bytes they are.
func (w *wordWriter) decomposed(text string) (size int) {
	for size = 1; size < len(text) && (text[size] >= utf8.RuneSelf && size < 4096 || !utf8.RuneStart(text[size])); size++ {
	}
	w.scratch = norm.NFKD.AppendString(w.scratch[:0], text[:size])
	for rest := w.scratch; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		w.rune(r)
		rest = rest[n:]
	}
	return size
}

func (w *wordWriter) rune(r rune) {
	switch {
	case r < utf8.RuneSelf:
		w.ascii(byte(r))
		return
	case unicode.Is(unicode.Mn, r), r == softHyphen:
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

const softHyphen = '\u00ad' // it only says where a line may break

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
