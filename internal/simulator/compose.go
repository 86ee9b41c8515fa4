package simulator

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
)

// An entity is a MIME entity: its own header lines, an empty line and its encoded
// body (RFC 2045 section 2.4). Put behind the header of a message it is its content.
type entity []byte

// text makes a text entity in a charset. An unknown charset, or a text that it
// cannot express, gives UTF-8.
func textEntity(subtype, charset, text string) entity {
	charset, body := inCharset(charset, text)
	transfer := "7bit"
	switch {
	case charset == "ISO-2022-JP":
		// seven bits by design (RFC 1468)
	case bytes.ContainsFunc(body, func(r rune) bool { return r >= utf8.RuneSelf }) || longestLine(body) > 900:
		transfer = "quoted-printable"
		var quoted bytes.Buffer
		w := quotedprintable.NewWriter(&quoted)
		_, _ = w.Write(body) // into memory
		_ = w.Close()
		body = quoted.Bytes()
	default:
		charset = "US-ASCII"
	}
	return leaf(fmt.Sprintf("text/%s; charset=%s", subtype, charset), transfer, body)
}

// file makes a base64 entity. A disposition of "inline" gives it a Content-ID, by
// which HTML shows it (RFC 2392).
func fileEntity(mediaType, disposition, name, contentID string, body []byte) entity {
	fields := []string{
		"Content-Disposition: " + mime.FormatMediaType(disposition, map[string]string{"filename": name}),
	}
	if contentID != "" {
		fields = append(fields, "Content-ID: <"+contentID+">")
	}
	kind := mime.FormatMediaType(mediaType, map[string]string{"name": name})
	return leaf(kind, "base64", wrapped(base64.StdEncoding.EncodeToString(body)), fields...)
}

func leaf(kind, transfer string, body []byte, fields ...string) entity {
	head := append([]string{"Content-Type: " + kind, "Content-Transfer-Encoding: " + transfer}, fields...)
	return append([]byte(strings.Join(head, "\r\n")+"\r\n\r\n"), body...)
}

// multipart joins entities (RFC 2046 section 5.1). parameters follow the subtype:
// "report; report-type=delivery-status".
func multipartEntity(subtype, boundary string, parts ...entity) entity {
	var b bytes.Buffer
	fmt.Fprintf(&b, "Content-Type: multipart/%s; boundary=%q\r\n\r\nThis is a message in several parts.\r\n", subtype, boundary)
	for _, part := range parts {
		fmt.Fprintf(&b, "\r\n--%s\r\n%s", boundary, part)
	}
	fmt.Fprintf(&b, "\r\n--%s--\r\n", boundary)
	return b.Bytes()
}

// field is a header field of a message, already encoded.
type field struct{ name, value string }

// message puts header fields before an entity.
func message(fields []field, content entity) []byte {
	var b bytes.Buffer
	for _, f := range fields {
		if f.value != "" {
			b.WriteString(folded(f.name + ": " + f.value))
		}
	}
	b.WriteString("MIME-Version: 1.0\r\n")
	b.Write(content)
	return b.Bytes()
}

// folded breaks a field at blanks after at most 76 bytes, where it has blanks
// (RFC 5322 section 2.2.3).
func folded(line string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Split(line, " ") {
		switch {
		case i == 0:
		case width+1+len(word) > 76 && i > 1:
			b.WriteString("\r\n ")
			width = 1
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String() + "\r\n"
}

// headerText encodes a text for a header field in a charset (RFC 2047).
func headerText(charset, text string) string {
	if isASCII(text) {
		return text
	}
	if charset == "" {
		return mime.QEncoding.Encode("utf-8", text)
	}
	const runes = 12 // in one word, of which ISO-2022-JP makes up to 44 bytes of base64
	var words []string
	for all := []rune(text); len(all) > 0; {
		n := min(runes, len(all))
		name, chunk := inCharset(charset, string(all[:n]))
		words = append(words, "=?"+name+"?B?"+base64.StdEncoding.EncodeToString(chunk)+"?=")
		all = all[n:]
	}
	return strings.Join(words, " ")
}

func headerAddress(charset string, a mail.Address) string {
	switch {
	case a.Name == "":
		return a.Address
	case isASCII(a.Name):
		return a.String()
	}
	return headerText(charset, a.Name) + " <" + a.Address + ">"
}

// inCharset encodes text and returns the name of the charset that it is in now.
func inCharset(charset, text string) (name string, body []byte) {
	text = strings.ReplaceAll(text, "\n", "\r\n")
	var to encoding.Encoding
	switch strings.ToLower(charset) {
	case "iso-2022-jp":
		to = japanese.ISO2022JP
	case "windows-1252":
		to = charmap.Windows1252
	case "iso-8859-15":
		to = charmap.ISO8859_15
	case "koi8-r":
		to = charmap.KOI8R
	default:
		return "utf-8", []byte(text)
	}
	encoded, err := to.NewEncoder().Bytes([]byte(text))
	if err != nil {
		return "utf-8", []byte(text)
	}
	return strings.ToUpper(charset), encoded
}

func isASCII(text string) bool {
	return strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf }) < 0
}

func longestLine(body []byte) int {
	longest := 0
	for line := range bytes.Lines(body) {
		longest = max(longest, len(line))
	}
	return longest
}

// wrapped breaks base64 into lines of 76 (RFC 2045 section 6.8).
func wrapped(text string) []byte {
	var b bytes.Buffer
	for len(text) > 76 {
		b.WriteString(text[:76] + "\r\n")
		text = text[76:]
	}
	b.WriteString(text + "\r\n")
	return b.Bytes()
}
