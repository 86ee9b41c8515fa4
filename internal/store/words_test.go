package store

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestWords(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"case goes":                           {"Hello WORLD", "hello world"},
		"punctuation parts":                   {"well-known, 3.14!", "well known 3 14"},
		"an address in its parts":             {"<Ana.B@mail.example.net>", "ana b mail example net"},
		"diacritics go":                       {"Köln Ångström naïve Ðe", "koln angstrom naive de"},
		"put together or apart":               {"e\u0301te\u0301 été", "ete ete"},
		"letters that nobody types":           {"Straße Łódź Ørsted Æon œuvre", "strasse lodz orsted aeon oeuvre"},
		"wide and compatible forms":           {"Ｆｕｌｌ ﬁne ①", "full fine 1"},
		"Chinese by character":                {"東京tower", "東 京 tower"},
		"kana by character":                   {"カタかな", "カ タ か な"},
		"Cyrillic as words":                   {"Привет, Мир", "привет мир"},
		"Greek with its accents gone":         {"Καλημέρα", "καλημερα"},
		"a soft hyphen is none":               {"Schiff\u00adfahrt", "schifffahrt"},
		"signs beyond ASCII part":             {"ja\u00a0nein «doch» 5 €", "ja nein doch 5"},
		"fractions in their parts":            {"1½", "11 2"},
		"nothing":                             {"", ""},
		"nothing but signs":                   {"—…!? \u200b", ""},
		"broken bytes part":                   {"ab\xffcd", "ab cd"},
		"a word is cut at 64 bytes":           {strings.Repeat("x", 100) + " y", strings.Repeat("x", 64) + " y"},
		"and never within a character":        {strings.Repeat("ж", 100), strings.Repeat("ж", 32)},
		"what starts with a mark":             {"\u0301a", "a"},
		"Arabic vowels go":                    {"كِتَاب", "كتاب"},
		"digits of other scripts stay digits": {"٣٤", "٣٤"},
	}
	for name, test := range tests {
		if got := words(test.text); got != test.want {
			t.Errorf("%s: words(%q) = %q, want %q", name, test.text, got, test.want)
		}
	}
	if n := len(words(strings.Repeat("word and another ", 100_000))); n > maxWords || n < maxWords-20 {
		t.Errorf("%d bytes of words, want %d at most", n, maxWords)
	}
}

func TestWordsOfAnyText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes"))
		if rapid.Bool().Draw(t, "runes") {
			text = rapid.String().Draw(t, "text")
		}
		once := words(text)
		if again := words(once); again != once {
			t.Fatalf("words of words: %q, then %q", once, again)
		}
		if !utf8.ValidString(once) || strings.ContainsAny(once, "\x00'\"\\*") || strings.Contains(once, "  ") {
			t.Fatalf("words(%q) = %q", text, once)
		}
		for _, w := range strings.Fields(once) {
			if len(w) > maxWord {
				t.Fatalf("a word of %d bytes", len(w))
			}
		}
	})
}

func BenchmarkWords(b *testing.B) {
	for name, text := range map[string]string{
		"ascii-20KB":  strings.Repeat("The quick brown fox jumps over the lazy dog. ", 455),
		"german-20KB": strings.Repeat("Über die Brücke läuft der Fuchs zur Straße. ", 430),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				words(text)
			}
		})
	}
}
