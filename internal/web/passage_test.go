package web

import (
	"strings"
	"testing"
)

func TestPassageIsShownAsItWasWritten(t *testing.T) {
	p := passage{Pieces: []piece{
		{Text: "  Hello <b>\n\n\tthere: "}, {Text: "example.net", Href: "https://example.net/?a=1&b=\"2\""}, {Text: "."}, {Text: "bad", Href: "javascript:alert(1)"},
	}}
	var b strings.Builder
	if err := p.Render(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	want := "<div>  Hello &lt;b&gt;\n\n\tthere: <a href=\"https://example.net/?a=1&amp;b=&#34;2&#34;\" target=\"_blank\" rel=\"noopener noreferrer\">example.net</a>.<a href=\"about:invalid#TemplFailedSanitizationURL\" target=\"_blank\" rel=\"noopener noreferrer\">bad</a></div>"
	if got := b.String(); got != want {
		t.Errorf("Render = %s\nwant     %s", got, want)
	}
}
