package web

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/net/html"
)

// maxHTML is how many bytes of a mail's HTML are shown. The rest is in the raw
// message.
const maxHTML = 2 << 20

// A cleanMail is the HTML of a mail that is safe to put into a sandboxed frame.
// Its pictures that came with the mail have the address cid:N, where N is the
// number of the attachment.
type cleanMail struct {
	HTML    string
	KeptOut int  // pictures that would have been loaded from elsewhere
	Cut     bool // it was longer than maxHTML
}

// sanitizer lets through what a letter is made of: words, tables, lists, links and
// pictures that came with the mail. Style, class, id, forms, scripts and whatever
// loads something from elsewhere stay out. It is the first wall; the frame's
// sandbox and its own Content-Security-Policy are the second and the third.
type sanitizer struct{ policy *bluemonday.Policy }

func newSanitizer() *sanitizer {
	number := regexp.MustCompile(`^[0-9]{1,4}%?$`)
	p := bluemonday.NewPolicy()
	p.AllowElements("p", "br", "hr", "div", "span", "blockquote", "pre", "code", "center",
		"h1", "h2", "h3", "h4", "h5", "h6", "b", "strong", "i", "em", "u", "s", "strike", "del", "ins", "small", "big",
		"sub", "sup", "tt", "kbd", "samp", "var", "cite", "q", "abbr", "address", "mark",
		"ul", "ol", "li", "dl", "dt", "dd",
		"table", "caption", "thead", "tbody", "tfoot", "tr", "td", "th",
		"section", "article", "header", "footer", "main", "aside", "figure", "figcaption")
	p.AllowAttrs("align", "valign").Matching(regexp.MustCompile(`(?i)^(?:left|right|center|justify|top|middle|bottom)$`)).
		OnElements("p", "div", "table", "tr", "td", "th", "h1", "h2", "h3", "h4", "img")
	p.AllowAttrs("width", "height").Matching(number).OnElements("img", "table", "td", "th")
	p.AllowAttrs("colspan", "rowspan").Matching(number).OnElements("td", "th")
	p.AllowAttrs("start").Matching(number).OnElements("ol")
	p.AllowAttrs("dir").Matching(regexp.MustCompile(`(?i)^(?:ltr|rtl|auto)$`)).Globally()
	p.AllowAttrs("alt").OnElements("img")
	p.AllowAttrs("title").OnElements("a", "abbr", "img")
	p.AllowAttrs("src").Matching(regexp.MustCompile(`^(?:cid:[0-9]+|data:image/(?:png|jpeg|gif|webp);base64,[A-Za-z0-9+/]+=*)$`)).OnElements("img")
	p.AllowAttrs("href").Matching(regexp.MustCompile(`(?i)^(?:https?://|mailto:)`)).OnElements("a")
	p.AllowURLSchemes("http", "https", "mailto", "cid")
	p.AllowDataURIImages()
	p.AllowRelativeURLs(false)
	p.RequireParseableURLs(true)
	p.RequireNoFollowOnLinks(false)
	p.RequireNoReferrerOnLinks(true)
	p.AddTargetBlankToFullyQualifiedLinks(true)
	p.SkipElementsContent("script", "style", "title", "noscript", "noembed", "noframes", "template", "iframe", "frameset",
		"object", "applet", "svg", "math", "textarea", "select", "xmp", "plaintext")
	return &sanitizer{p}
}

// inlinePart returns the number of the attachment of this mail that a cid: address
// names (RFC 2392); ok is false when there is none that can be shown.
type inlinePart func(contentID string) (n int, ok bool)

// clean returns what of body may be shown.
func (s *sanitizer) clean(body string, inline inlinePart) cleanMail {
	var m cleanMail
	if len(body) > maxHTML {
		body, m.Cut = strings.ToValidUTF8(body[:maxHTML], ""), true
	}
	m.HTML = s.policy.Sanitize(m.withOwnPictures(body, inline))
	return m
}

// withOwnPictures gives the pictures that came with the mail their numbers, and
// takes the address from all that would be loaded from elsewhere.
func (m *cleanMail) withOwnPictures(body string, inline inlinePart) string {
	var out strings.Builder
	out.Grow(len(body))
	z := html.NewTokenizer(strings.NewReader(body))
	for {
		switch z.Next() {
		case html.ErrorToken:
			return out.String()
		case html.StartTagToken, html.SelfClosingTagToken:
			raw := string(z.Raw())
			token := z.Token()
			if token.Data == "img" {
				raw = m.picture(token, inline)
			} else if attr(token, "background") != "" {
				m.KeptOut++
			}
			out.WriteString(raw)
		default:
			out.Write(z.Raw())
		}
	}
}

// picture returns the tag of a picture with an address that needs no network.
func (m *cleanMail) picture(token html.Token, inline inlinePart) string {
	src := strings.TrimSpace(attr(token, "src"))
	kept := token.Attr[:0:0]
	for _, a := range token.Attr {
		switch a.Key {
		case "alt", "title", "width", "height", "align":
			kept = append(kept, a)
		}
	}
	scheme, name, _ := strings.Cut(src, ":")
	switch strings.ToLower(scheme) {
	case "cid":
		if n, ok := inline(name); ok {
			kept = append(kept, html.Attribute{Key: "src", Val: "cid:" + strconv.Itoa(n)})
		}
	case "data":
		kept = append(kept, html.Attribute{Key: "src", Val: src})
	case "":
		if attr(token, "srcset") != "" {
			m.KeptOut++
		}
	default:
		m.KeptOut++
	}
	token.Attr = kept
	return token.String()
}

func attr(token html.Token, name string) string {
	for _, a := range token.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}
