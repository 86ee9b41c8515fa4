package vault

import (
	"strings"
	"testing"
)

func TestMarkIsOfItsTextPurposeAndRing(t *testing.T) {
	before, now, other := ringOf(t, 1), ringOf(t, 1, 2), ringOf(t, 3)
	mark, err := before.Mark("notice", "17 abc@example.net")
	if err != nil || strings.ContainsAny(mark, "+/= ") {
		t.Fatalf("Mark = %q, %v", mark, err)
	}
	newer, err := now.Mark("notice", "17 abc@example.net")
	if err != nil || newer == mark {
		t.Fatalf("the newest key marks %q, %v, want another mark than the one before", newer, err)
	}
	for name, test := range map[string]struct {
		ring                *Ring
		purpose, text, mark string
		want                bool
	}{
		"its own":               {before, "notice", "17 abc@example.net", mark, true},
		"by an older key":       {now, "notice", "17 abc@example.net", mark, true},
		"by a key unknown here": {before, "notice", "17 abc@example.net", newer, false},
		"of another ring":       {other, "notice", "17 abc@example.net", mark, false},
		"for another purpose":   {now, "link", "17 abc@example.net", mark, false},
		"of another text":       {now, "notice", "18 abc@example.net", mark, false},
		"cut":                   {now, "notice", "17 abc@example.net", mark[:len(mark)-4], false},
		"none":                  {now, "notice", "17 abc@example.net", "", false},
		"no mark at all":        {now, "notice", "17 abc@example.net", "!!", false},
	} {
		if got := test.ring.IsMark(test.purpose, test.text, test.mark); got != test.want {
			t.Errorf("%s: IsMark = %t", name, got)
		}
	}
}
