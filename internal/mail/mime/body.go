package mime

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// bodies collects the text and the HTML of a message.
type bodies struct {
	text, html strings.Builder
	preamble   []byte // of a multipart that has no part yet
}

// A textBody is one text part whose decoded bytes are arriving.
type textBody struct {
	isHTML   bool
	charset  string
	raw      []byte
	overflow bool
	uu       *uuScanner // nil: not looked for
}

func (w *walker) newText(part *Part, kind mediaType) *textBody {
	t := &textBody{isHTML: part.Type == "text/html", charset: kind.params["charset"]}
	if !t.isHTML {
		t.uu = &uuScanner{}
	}
	return t
}

func (t *textBody) write(w *walker, p []byte) {
	if len(p) == len(crlf) && p[0] == '\r' && p[1] == '\n' {
		p = lf // spares most texts a copy
	}
	if t.uu != nil {
		t.uu.write(w, t, p)
		return
	}
	t.keep(w, p)
}

// keep adds bytes to the text, up to the cap.
func (t *textBody) keep(w *walker, p []byte) {
	room := w.maxText - w.body.size(t.isHTML) - len(t.raw)
	if len(p) > room {
		p = p[:max(room, 0)]
		t.overflow = true
	}
	t.raw = append(t.raw, p...)
}

func (b *bodies) size(isHTML bool) int {
	if isHTML {
		return b.html.Len()
	}
	return b.text.Len()
}

func (t *textBody) end(w *walker) {
	if t.uu != nil {
		t.uu.end(w, t)
	}
	if t.overflow {
		w.note("The text is longer than " + sizeInWords(w.maxText) + "; the rest is only in the raw message.")
	}
	label := t.charset
	if t.isHTML && (canonicalLabel(label) == "" || canonicalLabel(label) == "us-ascii") && !utf8.Valid(t.raw) {
		if meta := metaCharset(t.raw); meta != "" {
			label = meta
		}
	}
	text, ok := decodeCharset(t.raw, label)
	t.raw = nil
	if !ok {
		w.note("The text does not fit the charset that it claims (" + shorten(clean(label), 40) + "); another was tried.")
	}
	w.body.add(normalLines(text), t.isHTML)
}

// add appends a text to those that came before it.
func (b *bodies) add(text string, isHTML bool) {
	to := &b.text
	if isHTML {
		to = &b.html
	}
	if to.Len() > 0 && strings.TrimSpace(text) != "" {
		to.WriteByte('\n')
	}
	if to.Len() == 0 || strings.TrimSpace(text) != "" {
		to.WriteString(text)
	}
}

const maxPreamble = 64 << 10

func (b *bodies) keepPreamble(line []byte, hasBreak bool) {
	if len(b.preamble)+len(line) >= maxPreamble {
		return
	}
	b.preamble = append(b.preamble, line...)
	if hasBreak {
		b.preamble = append(b.preamble, '\n')
	}
}

// usePreamble makes a text of a multipart without parts.
func (b *bodies) usePreamble(w *walker) {
	text, _ := decodeCharset(b.preamble, "")
	b.add(text, false)
	sum := newNormalHash()
	sum.write(b.preamble)
	total := sum.sum()
	w.digest.Write(total[:])
}

// metaCharset returns the charset that an HTML text declares in its first 1 KB
// (HTML section 4.2.5.4).
func metaCharset(raw []byte) string {
	head := bytes.ToLower(raw[:min(len(raw), 1024)])
	at := bytes.Index(head, []byte("charset="))
	if at < 0 || !bytes.Contains(head[:at], []byte("<meta")) {
		return ""
	}
	value := bytes.TrimLeft(head[at+len("charset="):], "\"' ")
	end := bytes.IndexAny(value, "\"' ;/>")
	if end < 0 {
		return ""
	}
	return string(value[:end])
}

// normalLines makes all line ends LF.
func normalLines(text string) string {
	if strings.IndexByte(text, '\r') < 0 {
		return text
	}
	return toLF.Replace(text)
}

var toLF = strings.NewReplacer("\r\n", "\n", "\r", "\n")

func shorten(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}
