package mime

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// decodeText returns an unfolded value as text for people: encoded words are
// decoded (RFC 2047), 8-bit bytes are read as UTF-8 if they are, else in
// fallback, the charset that the message declares, else as windows-1252.
//
// More is taken for an encoded word than the RFC allows, because mail programs
// write it: words inside other words, in quotes, with spaces, without a gap.
func decodeText(value, fallback string) string {
	if !strings.Contains(value, "=?") {
		return decode8bit(value, fallback)
	}
	var out strings.Builder
	var pending []byte // decoded bytes of adjacent words of one charset
	var label string
	flush := func() {
		if len(pending) > 0 {
			text, _ := decodeCharset(pending, label)
			out.WriteString(stripBreaks(text))
			pending = pending[:0]
		}
	}
	for value != "" {
		start := strings.Index(value, "=?")
		if start < 0 {
			break
		}
		word, ok := cutEncodedWord(value[start:])
		if !ok {
			if word.unclosed { // nor can any later one be closed
				break
			}
			flush()
			out.WriteString(decode8bit(value[:start+2], fallback))
			value = value[start+2:]
			continue
		}
		if gap := value[:start]; len(pending) == 0 || strings.Trim(gap, " \t") != "" {
			flush()
			out.WriteString(decode8bit(gap, fallback))
		} else if !strings.EqualFold(label, word.charset) {
			flush()
		}
		label = word.charset
		pending = append(pending, word.bytes...)
		value = value[start+word.size:]
		if len(pending) == 0 && strings.HasPrefix(strings.TrimLeft(value, " \t"), "=?") {
			value = strings.TrimLeft(value, " \t") // the gap behind an empty word
		}
	}
	flush()
	out.WriteString(decode8bit(value, fallback))
	return out.String()
}

// decode8bit reads bytes whose charset nobody declared in their place.
func decode8bit(raw, fallback string) string {
	if utf8.ValidString(raw) {
		if strings.Contains(raw, "\x1b$") { // ISO-2022-JP is 7-bit
			text, _ := decodeCharset([]byte(raw), "iso-2022-jp")
			return text
		}
		return clean(raw)
	}
	text, _ := decodeCharset([]byte(raw), fallback)
	return text
}

// stripBreaks turns line ends that were hidden in an encoded word into spaces.
func stripBreaks(text string) string {
	if strings.ContainsAny(text, "\r\n") {
		return breaksToSpace.Replace(text)
	}
	return text
}

var breaksToSpace = strings.NewReplacer("\r\n", " ", "\r", " ", "\n", " ")

const maxWordBytes = 16 << 10

type encodedWord struct {
	charset  string
	bytes    []byte
	size     int  // of the word as written
	unclosed bool // there is no "?=" in the 16 KB behind it
}

// cutEncodedWord reads the encoded word that text begins with (RFC 2047 section
// 2; a language behind the charset, RFC 2231 section 5).
func cutEncodedWord(text string) (w encodedWord, ok bool) {
	rest := text[2:]
	mark := strings.IndexByte(rest[:min(len(rest), 80)], '?')
	if mark < 1 || len(rest) < mark+3 || rest[mark+2] != '?' || strings.ContainsAny(rest[:mark], " \t=<>") {
		return w, false
	}
	w.charset, _, _ = strings.Cut(rest[:mark], "*")
	coding := rest[mark+1] | 0x20
	if coding != 'q' && coding != 'b' {
		return w, false
	}
	body := rest[mark+3:]
	end := strings.Index(body[:min(len(body), maxWordBytes)], "?=")
	if end < 0 {
		w.unclosed = true
		return w, false
	}
	w.size = 2 + mark + 3 + end + 2
	body = body[:end]
	if coding == 'q' {
		w.bytes = decodeQ(body)
	} else {
		w.bytes = decodeBase64(body)
	}
	return w, true
}

// decodeQ decodes the Q encoding (RFC 2047 section 4.2); what is no code stays.
func decodeQ(body string) []byte {
	out := make([]byte, 0, len(body))
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '_':
			out = append(out, ' ')
		case c == '=' && i+2 < len(body) && isHex(body[i+1]) && isHex(body[i+2]):
			out = append(out, unhex(body[i+1])<<4|unhex(body[i+2]))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return out
}

// decodeBase64 decodes what is base64 in body and skips everything else.
func decodeBase64(body string) []byte {
	out := make([]byte, 0, base64.StdEncoding.DecodedLen(len(body))+2)
	d := base64Decoder{out: func(p []byte) { out = append(out, p...) }}
	d.write([]byte(body))
	d.close()
	return out
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	}
	return c - 'a' + 10
}
