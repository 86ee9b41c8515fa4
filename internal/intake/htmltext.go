package intake

import (
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

const maxHTMLTextBytes = 4 << 20

// TextOfHTML is the text of an HTML mail as people would read it: paragraphs
// and line breaks kept, scripts and styles left out, at most 4 MB.
func TextOfHTML(source string) string { return textOfHTML(source, false) }

// NewTextOfHTML is the text of an HTML mail without what the mail programs mark
// as quoted.
func NewTextOfHTML(source string) string { return NewText(textOfHTML(source, true)) }

func textOfHTML(source string, withoutQuotes bool) string {
	tokens := html.NewTokenizer(strings.NewReader(source))
	out := htmlText{withoutQuotes: withoutQuotes}
	for out.text.Len() < maxHTMLTextBytes {
		switch tokens.Next() {
		case html.ErrorToken:
			return out.finish()
		case html.TextToken:
			out.words(string(tokens.Text()))
		case html.StartTagToken:
			out.start(tokens, false)
		case html.SelfClosingTagToken:
			out.start(tokens, true)
		case html.EndTagToken:
			name, _ := tokens.TagName()
			out.end(atom.Lookup(name))
		}
	}
	return out.finish()
}

// htmlText collects the text of a stream of tags.
type htmlText struct {
	withoutQuotes bool
	text          strings.Builder
	breaks        int  // line breaks to write before the next word
	space         bool // a blank to write before the next word
	hidden        atom.Atom
	hiddenDepth   int
	pre           int
}

func (o *htmlText) start(tokens *html.Tokenizer, closed bool) {
	name, hasAttributes := tokens.TagName()
	tag := atom.Lookup(name)
	if o.hidden != 0 {
		if tag == o.hidden && !closed && !isVoid(tag) {
			o.hiddenDepth++
		}
		return
	}
	class := ""
	for hasAttributes {
		var key, value []byte
		key, value, hasAttributes = tokens.TagAttr()
		if k := string(key); k == "class" || k == "id" {
			class += " " + string(value)
		}
	}
	if !closed && !isVoid(tag) && (isInvisible(tag) || o.withoutQuotes && isQuote(tag, class)) {
		o.hidden, o.hiddenDepth = tag, 1
		return
	}
	switch {
	case tag == atom.Br:
		o.breaks++
	case tag == atom.Pre && !closed:
		o.pre++
		o.breakLine(1)
	case isParagraph(tag):
		o.breakLine(2)
	case isBlock(tag):
		o.breakLine(1)
	case tag == atom.Td || tag == atom.Th:
		o.space = true
	}
	if tag == atom.Li {
		o.words("- ")
	}
}

func (o *htmlText) end(tag atom.Atom) {
	if o.hidden != 0 {
		if tag == o.hidden {
			if o.hiddenDepth--; o.hiddenDepth == 0 {
				o.hidden = 0
			}
		}
		return
	}
	switch {
	case tag == atom.Pre:
		o.pre = max(o.pre-1, 0)
		o.breakLine(1)
	case isParagraph(tag):
		o.breakLine(2)
	case isBlock(tag):
		o.breakLine(1)
	}
}

func (o *htmlText) breakLine(n int) { o.breaks = max(o.breaks, n) }

func (o *htmlText) words(text string) {
	if o.hidden != 0 {
		return
	}
	if o.pre > 0 {
		o.release()
		o.text.WriteString(text)
		return
	}
	text = strings.ReplaceAll(text, "\u00a0", " ")
	fields := strings.Fields(text)
	if len(fields) == 0 {
		o.space = o.space || text != ""
		return
	}
	if isSpace(text[0]) {
		o.space = true
	}
	o.release()
	o.text.WriteString(strings.Join(fields, " "))
	o.space = isSpace(text[len(text)-1])
}

func (o *htmlText) release() {
	if o.text.Len() > 0 {
		switch {
		case o.breaks > 0:
			o.text.WriteString(strings.Repeat("\n", min(o.breaks, 3)))
		case o.space:
			o.text.WriteByte(' ')
		}
	}
	o.breaks, o.space = 0, false
}

func (o *htmlText) finish() string { return strings.TrimSpace(o.text.String()) }

func isSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }

func isVoid(tag atom.Atom) bool {
	switch tag {
	case atom.Br, atom.Img, atom.Hr, atom.Meta, atom.Link, atom.Input, atom.Col, atom.Area, atom.Base, atom.Embed, atom.Source, atom.Track, atom.Wbr, atom.Param:
		return true
	}
	return false
}

func isInvisible(tag atom.Atom) bool {
	switch tag {
	case atom.Script, atom.Style, atom.Head, atom.Title, atom.Template, atom.Noscript, atom.Object, atom.Iframe, atom.Svg:
		return true
	}
	return false
}

// isQuote knows the marks that mail programs put on quoted text.
func isQuote(tag atom.Atom, class string) bool {
	if tag == atom.Blockquote {
		return true
	}
	for _, mark := range []string{"gmail_quote", "gmail_signature", "moz-cite-prefix", "moz-signature", "yahoo_quoted", "divRplyFwdMsg", "OutlookMessageHeader", "protonmail_quote", "zmail_extra", "tutanota_quote"} {
		if strings.Contains(class, mark) {
			return true
		}
	}
	return false
}

func isParagraph(tag atom.Atom) bool {
	switch tag {
	case atom.P, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6, atom.Blockquote, atom.Ul, atom.Ol, atom.Table:
		return true
	}
	return false
}

func isBlock(tag atom.Atom) bool {
	switch tag {
	case atom.Div, atom.Li, atom.Tr, atom.Hr, atom.Dt, atom.Dd, atom.Section, atom.Article, atom.Header, atom.Footer, atom.Address, atom.Center, atom.Form, atom.Body:
		return true
	}
	return false
}
