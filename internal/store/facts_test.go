package store

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestPreview(t *testing.T) {
	tests := map[string]struct{ text, html, want string }{
		"quoted lines are passed over":    {text: "> you wrote\nHello\n  there ", want: "Hello there"},
		"scripts and styles are not text": {html: "<STYLE>b{}</Style><p>Hello</p><script>x<y</SCRIPT>there", want: "Hello there"},
		"letters that grow in lower case": {html: "<style>" + strings.Repeat("Ⱥ", 500) + "</style>Hello", want: "Hello"},
		"a style that never ends":         {html: "Hello<style>" + strings.Repeat("Ⱥ<", 500), want: "Hello"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if got := preview(postroom.Mail{Text: test.text, HTML: test.html}); got != test.want {
				t.Errorf("preview = %q, want %q", got, test.want)
			}
		})
	}
}

func TestPreviewOfHostileHTMLIsQuick(t *testing.T) {
	html := strings.Repeat("<script></script>", 4<<20/17)
	began := time.Now()
	if got := preview(postroom.Mail{HTML: html}); got != "" {
		t.Errorf("preview = %q, want none", got)
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("it took %v", took)
	}
}
