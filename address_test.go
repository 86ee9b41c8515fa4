package postroom_test

import (
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestLocalPart(t *testing.T) {
	for text, want := range map[string]bool{
		"anna": true, "anna.b": true, "anna+tag": true, "o'neil": true, "grüße": true, `"anna b"`: true, `"a\"b"`: true, `"a\\"`: true,
		strings.Repeat("a", 64): true,
		"":                      false, ".anna": false, "anna.": false, "an..na": false, "anna b": false, "an\u00a0na": false, "an\tna": false,
		"a@b": false, "a,b": false, "a<b": false, `a"b`: false, `"a"b"`: false, `"a\"`: false, `""`: false, "a\x00b": false, "a\xffb": false,
		strings.Repeat("a", 65): false,
	} {
		if got := postroom.IsLocalPart(text); got != want {
			t.Errorf("IsLocalPart(%q) = %v, want %v", text, got, want)
		}
	}
}
