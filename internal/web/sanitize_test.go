package web

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

func noPictures(string) (int, bool) { return 0, false }

func TestCleanMail(t *testing.T) {
	first := func(id string) (int, bool) { return 3, id == "logo@example.net" }
	tests := map[string]struct {
		html string
		want string
		kept int
	}{
		"words and tables stay": {
			html: `<table width="100%"><tr><td>Hello <b>you</b></td></tr></table>`,
			want: `<table width="100%"><tr><td>Hello <b>you</b></td></tr></table>`,
		},
		"a script goes with all that is in it": {html: `a<script>alert(1)</script>b`, want: `ab`},
		"handlers go":                          {html: `<p onclick="x()" onmouseover=x()>a</p>`, want: `<p>a</p>`},
		"style, class and id go":               {html: `<p style="position:fixed" class="a" id="b">a</p>`, want: `<p>a</p>`},
		"forms go, their words stay":           {html: `<form action="https://x.test"><input name="password">a<button>go</button></form>`, want: `ago`},
		"links open elsewhere and tell nothing": {
			html: `<a href="https://example.net/a?b=c" target="_top" ping="https://x.test">a</a>`,
			want: `<a href="https://example.net/a?b=c" rel="noreferrer noopener" target="_blank">a</a>`,
		},
		"javascript: is no link":              {html: `<a href="javascript:alert(1)">a</a>`, want: `a`},
		"a link to our own pages is no link":  {html: `<a href="/sign-out">a</a>`, want: `a`},
		"data: is no link":                    {html: `<a href="data:text/html,<script>alert(1)</script>">a</a>`, want: `a`},
		"a picture from elsewhere is counted": {html: `<img src="https://x.test/p.gif" alt="p">`, want: `<img alt="p">`, kept: 1},
		"so is one without a scheme":          {html: `<img src="//x.test/p.gif">`, want: ``, kept: 1},
		"and one behind a table":              {html: `<table background="http://x.test/p.gif"></table>`, want: `<table></table>`, kept: 1},
		"srcset does not get around it":       {html: `<img srcset="https://x.test/p.gif 2x">`, want: ``, kept: 1},
		"a picture of the mail gets its number": {
			html: `<img src="cid:logo@example.net" width="20">`, want: `<img width="20" src="cid:3">`,
		},
		"an unknown picture has no address":    {html: `<img src="cid:x" alt="the logo">`, want: `<img alt="the logo">`},
		"a small picture may be in the HTML":   {html: `<img src="data:image/png;base64,aGFsbG8=">`, want: `<img src="data:image/png;base64,aGFsbG8=">`},
		"an SVG picture may not":               {html: `<img src="data:image/svg+xml;base64,aGFsbG8=">`, want: ``},
		"a frame goes":                         {html: `<iframe srcdoc="<script>1</script>"></iframe>a`, want: `a`},
		"meta, base and link go":               {html: `<base href="//x.test"><meta http-equiv="refresh" content="0;url=//x.test"><link rel=stylesheet href=//x.test>a`, want: `a`},
		"words that look like tags stay words": {html: `&lt;script&gt;alert(1)&lt;/script&gt;`, want: `&lt;script&gt;alert(1)&lt;/script&gt;`},
	}
	s := newSanitizer()
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got := s.clean(test.html, first)
			if got.HTML != test.want || got.KeptOut != test.kept {
				t.Errorf("clean(%q) = %q with %d kept out, want %q with %d", test.html, got.HTML, got.KeptOut, test.want, test.kept)
			}
		})
	}
}

func TestCleanMailIsBounded(t *testing.T) {
	got := newSanitizer().clean(strings.Repeat("<b>a</b>", maxHTML/4), noPictures)
	if !got.Cut || len(got.HTML) > maxHTML+100 {
		t.Errorf("clean of %d bytes: cut %v, %d bytes", maxHTML*2, got.Cut, len(got.HTML))
	}
}

// Whatever an attacker writes, what is left is made of the elements and attributes
// that are known to be harmless, and it parses to the same thing again.
func TestNothingExecutableRemains(t *testing.T) {
	for _, payload := range payloads(t) {
		out := newSanitizer().clean(payload, noPictures).HTML
		doc, err := html.Parse(strings.NewReader(out))
		if err != nil {
			t.Fatalf("parse %q: %v", out, err)
		}
		for n := range doc.Descendants() {
			if n.Type != html.ElementNode {
				continue
			}
			if n.Namespace != "" {
				t.Errorf("clean(%q) = %q: has <%s> of %s", payload, out, n.Data, n.Namespace)
			}
			switch n.Data {
			case "script", "style", "iframe", "frame", "object", "embed", "applet", "svg", "math", "form", "input", "button", "textarea",
				"select", "base", "meta", "link", "template", "audio", "video", "source", "track", "noscript", "details", "dialog", "marquee", "isindex", "title":
				if n.Parent != nil && n.Data != "head" {
					t.Errorf("clean(%q) = %q: has <%s>", payload, out, n.Data)
				}
			}
			for _, a := range n.Attr {
				name, value := strings.ToLower(a.Key), strings.ToLower(a.Val)
				switch {
				case strings.HasPrefix(name, "on"), name == "style", name == "id", name == "class", name == "name", name == "srcset", name == "srcdoc", name == "action", name == "formaction", name == "xlink:href":
					t.Errorf("clean(%q) = %q: has %s", payload, out, name)
				case name == "href" && !strings.HasPrefix(value, "http://") && !strings.HasPrefix(value, "https://") && !strings.HasPrefix(value, "mailto:"):
					t.Errorf("clean(%q) = %q: links to %q", payload, out, value)
				case name == "src" && !strings.HasPrefix(value, "data:image/png;") && !strings.HasPrefix(value, "data:image/jpeg;") && !strings.HasPrefix(value, "data:image/gif;") && !strings.HasPrefix(value, "data:image/webp;"):
					t.Errorf("clean(%q) = %q: loads %q", payload, out, value)
				}
			}
		}
	}
}

// payloads are the ones kept beside this test and, where the shared corpus is
// there (POSTROOM_CORPUS, or beside the checkout), those of its list.
func payloads(t *testing.T) []string {
	all := []string{
		`<svg><g/onload=alert(1)//<p>`, `<math><mi//xlink:href="data:x,<script>alert(4)</script>">`,
		`<noscript><p title="</noscript><img src=x onerror=alert(1)>">`, `<a href="java&#x09;script:alert(1)">x</a>`,
		`<svg></p><style><a id="</style><img src=1 onerror=alert(1)>">`, `<table><td background="javascript:alert(1)">`,
		`<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>`,
		`<xmp><p title="</xmp><svg/onload=alert(1)>">`, `<img src="x` + "`" + `><script>alert(1)</script>"` + "`" + `>`,
		`<!--><img src=x onerror=alert(1)>-->`, `<![CDATA[><script>alert(1)</script>]]>`, "<a href=\"\x01javascript:alert(1)\">x</a>",
		`<plaintext><img src=x onerror=alert(1)>`, `<title><img src=x onerror=alert(1)></title>`, `<img src="cid:x" onerror=alert(1) alt='"><script>'>`,
	}
	corpus := os.Getenv("POSTROOM_CORPUS")
	if corpus == "" {
		corpus = filepath.Join("..", "..", "..", "shared", "corpus")
	}
	text, err := os.ReadFile(filepath.Join(corpus, "html", "xss-dompurify.json"))
	if err != nil {
		t.Logf("without the corpus: %v", err)
		return all
	}
	var list []struct{ Payload string }
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d payloads of the corpus", len(list))
	for _, p := range list {
		all = append(all, p.Payload)
	}
	return all
}
