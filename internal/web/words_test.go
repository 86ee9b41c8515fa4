package web

import (
	"strings"
	"testing"
	"time"
)

func TestTell(t *testing.T) {
	now := time.Date(2026, 11, 20, 14, 30, 0, 0, time.UTC)
	for ago, want := range map[time.Duration]string{
		2 * time.Second:            "just now",
		12 * time.Second:           "12 seconds ago",
		time.Minute:                "1 minute ago",
		59 * time.Minute:           "59 minutes ago",
		90 * time.Minute:           "13:00",
		20*time.Hour + time.Second: "yesterday 18:29",
		10 * 24 * time.Hour:        "10 Nov 14:30",
		400 * 24 * time.Hour:       "16 Oct 2025",
		-2 * time.Minute:           "14:32",
	} {
		if got := tell(now.Add(-ago), now).Text; got != want {
			t.Errorf("tell(%v ago) = %q, want %q", ago, got, want)
		}
	}
}

func TestNumbers(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 4812: "4,812", 1234567: "1,234,567", -1000: "-1,000"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{1: "1 byte", 22_400: "22 KB", 3_500_000: "3.5 MB"} {
		if got := size(n); got != want {
			t.Errorf("size(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPassages(t *testing.T) {
	tests := map[string]struct {
		text string
		want []string // earlier ones begin with ~
	}{
		"no quotation":                   {"Hello\n\nyou", []string{"Hello\n\nyou"}},
		"a quotation and who wrote it":   {"Yes.\n\nOn Monday Tom wrote:\n> a\n> b", []string{"Yes.", "~On Monday Tom wrote:\n> a\n> b"}},
		"words below":                    {"> a\n> b\nYes.", []string{"~> a\n> b", "Yes."}},
		"one line alone is no quotation": {"> a\nYes.", []string{"> a\nYes."}},
		"empty lines within":             {"> a\n\n> b", []string{"~> a\n\n> b"}},
		"nothing":                        {" \n", nil},
		"line ends of old":               {"a\r\n> b\r\n> c\r\n", []string{"a", "~> b\n> c"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var got []string
			all, _ := passages(test.text)
			for _, p := range all {
				text := ""
				if p.Earlier {
					text = "~"
				}
				for _, piece := range p.Pieces {
					text += piece.Text
				}
				got = append(got, text)
			}
			if strings.Join(got, "|") != strings.Join(test.want, "|") {
				t.Errorf("passages = %q, want %q", got, test.want)
			}
		})
	}
	if all, cut := passages(strings.Repeat("é", shownText)); !cut || len(all) != 1 {
		t.Errorf("a long text: cut %v, %d passages", cut, len(all))
	}
}

func TestLinksInText(t *testing.T) {
	for text, want := range map[string]string{
		"see https://example.net/a?b=c.":       "https://example.net/a?b=c",
		"(http://example.net/x)":               "http://example.net/x",
		"https://example.net/a_(b) is":         "https://example.net/a_(b)",
		"<https://example.net/>":               "https://example.net/",
		`javascript:alert(1) and ftp://a.test`: "",
	} {
		got := ""
		for _, p := range pieces(text) {
			got += p.Href
		}
		if got != want {
			t.Errorf("pieces(%q) links to %q, want %q", text, got, want)
		}
	}
}

func TestGuessHeightIsBounded(t *testing.T) {
	for _, html := range []string{"", "<", "<p", strings.Repeat("<br>", 100_000), strings.Repeat("<img src=cid:x>", 1000), strings.Repeat("a", 1<<20)} {
		if got := guessHeight(html); got < minFrame || got > maxFrame {
			t.Errorf("guessHeight of %d bytes = %d", len(html), got)
		}
	}
}
