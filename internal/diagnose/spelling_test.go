package diagnose

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNearestIsTheNameThatWasMeant(t *testing.T) {
	known := []string{"gmail.com", "gmx.de", "gmx.net", "hotmail.com", "imap.gmail.com", "imap.gmx.net", "mail.com", "outlook.com", "qq.com", "yahoo.com"}
	for name, want := range map[string]string{
		"gmial.com":      "gmail.com",
		"gmai.com":       "gmail.com",
		"GMAIL.CON.":     "gmail.com",
		"outlok.com":     "outlook.com",
		"imap.gmal.com":  "imap.gmail.com",
		"imap-gmail.com": "imap.gmail.com",
		"hotmial.com":    "hotmail.com",
		"yaho.com":       "yahoo.com",
		"gmail.com":      "", // is one
		"example.net":    "",
		"mx.de":          "gmx.de",
		"a.de":           "",
		"":               "",
	} {
		if got, ok := Nearest(name, known); got != want || ok != (want != "") {
			t.Errorf("Nearest(%q) = %q, %v, want %q", name, got, ok, want)
		}
	}
}

func TestOneSlipIsAlwaysFound(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringMatching(`[a-z]{6,12}\.[a-z]{2,3}`).Draw(t, "name")
		at := rapid.IntRange(0, len(name)-2).Draw(t, "at")
		slips := []string{
			name[:at] + name[at+1:], name[:at] + "x" + name[at:], name[:at] + "0" + name[at+1:],
			name[:at] + name[at+1:at+2] + name[at:at+1] + name[at+2:],
		}
		slip := rapid.SampledFrom(slips).Draw(t, "slip")
		if got, ok := Nearest(slip, []string{strings.Repeat("z", 40), name}); got != name && slip != name {
			t.Fatalf("Nearest(%q) = %q, %v, want %q", slip, got, ok, name)
		}
	})
}
