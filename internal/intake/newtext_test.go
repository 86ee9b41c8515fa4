package intake

import (
	"strings"
	"testing"
	"time"
)

func TestNewText(t *testing.T) {
	tests := map[string]struct{ text, want string }{
		"nothing quoted":              {"Hello\nthere\n", "Hello\nthere"},
		"an attribution":              {"Yes.\n\nOn Monday, Ann wrote:\n> Is it?\n", "Yes."},
		"an attribution of two lines": {"Yes.\n\nOn Mon, 1 Jan 2026 at 10:00, Ann Doe\n<ann@example.net> wrote:\n\n> Is it?\n", "Yes."},
		"in German":                   {"Ja.\n\nAm 01.01.2026 um 10:00 schrieb Ann:\n> Ist es?\n", "Ja."},
		"Outlook":                     {"Yes.\n\n-----Original Message-----\nFrom: Ann\nSent: Monday\nTo: Bob\nSubject: x\n\nIs it?\n", "Yes."},
		"Outlook without a line":      {"Yes.\n\nFrom: Ann\nSent: Monday\nTo: Bob\nSubject: x\n\nIs it?\n", "Yes."},
		"a signature":                 {"Yes.\n-- \nBob\n", "Yes."},
		"answers between":             {"On Monday, Ann wrote:\n> One?\nYes.\n> Two?\nNo.\n", "Yes.\nNo."},
		"nothing but a quotation":     {"> Is it?\n", "> Is it?"},
		"a colon is no attribution":   {"My list:\n- one\n", "My list:\n- one"},
	}
	for name, test := range tests {
		if got := NewText(test.text); got != test.want {
			t.Errorf("%s: NewText = %q, want %q", name, got, test.want)
		}
	}
}

func TestTextOfHTML(t *testing.T) {
	tests := map[string]struct{ html, want string }{
		"paragraphs":        {"<p>One</p><p>Two</p>", "One\n\nTwo"},
		"line breaks":       {"One<br>Two<br/>Three", "One\nTwo\nThree"},
		"white space":       {"<div>One\n  two</div><div>three</div>", "One two\nthree"},
		"entities":          {"a &amp; b&nbsp;c &lt;d&gt;", "a & b c <d>"},
		"scripts and style": {"<style>p{}</style><script>alert(1)</script><p>Hi</p>", "Hi"},
		"escaped tags":      {"&amp;lt;b&amp;gt;", "&lt;b&gt;"},
		"preformatted":      {"<pre>a\n  b</pre>", "a\n  b"},
		"no tags":           {"plain", "plain"},
	}
	for name, test := range tests {
		if got := TextOfHTML(test.html); got != test.want {
			t.Errorf("%s: TextOfHTML = %q, want %q", name, got, test.want)
		}
	}
	if got := NewTextOfHTML(`<div>Yes.</div><div class="gmail_quote">On Monday, Ann wrote:<blockquote>Is it?</blockquote></div>`); got != "Yes." {
		t.Errorf("NewTextOfHTML = %q, want %q", got, "Yes.")
	}
}

func TestNewTextOfHostileTexts(t *testing.T) {
	for name, text := range map[string]string{
		"attributions":   strings.Repeat("On a wrote:\n", 300_000) + "> q\ntext\n",
		"fields":         strings.Repeat("From: a\n", 300_000),
		"one line":       strings.Repeat("x", 4<<20),
		"quotes":         strings.Repeat(">", 4<<20),
		"dates":          strings.Repeat("2016-01-01 ", 300_000),
		"unclosed tags":  strings.Repeat("<div", 500_000),
		"nested quotes":  strings.Repeat("<blockquote>", 300_000),
		"line breaks":    strings.Repeat("<br>a", 500_000),
		"broken comment": strings.Repeat("<!--", 500_000),
	} {
		begun := time.Now()
		NewText(text)
		NewTextOfHTML(text)
		if took := time.Since(begun); took > 5*time.Second {
			t.Errorf("%s: it took %v, want under 5 s", name, took)
		}
	}
}
