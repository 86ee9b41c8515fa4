package mime

import (
	"bytes"
	"encoding/base64"
	"mime/quotedprintable"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/postroom/postroom"
)

// A Letter is a mail to be written. What is not fit for a header, such as a line
// end in a subject, becomes a blank.
type Letter struct {
	From      postroom.Address
	To        []postroom.Address
	Subject   string
	MessageID string // without angle brackets
	At        time.Time
	// Automatic says that a program wrote it, so that programs do not answer (RFC
	// 3834 section 5).
	Automatic bool
	// Mark is the field Postroom-Notice, by which whoever wrote the letter knows it again;
	// empty: it has none.
	Mark string
	Text string
}

const (
	wishedLine  = 78 // characters of a line without its end (RFC 5322 section 2.1.1)
	encodedLine = 39 // bytes in one encoded word: behind “Subject: ” its line has 73 characters of 76 (RFC 2047 section 2)
)

// Compose writes a letter as it goes over the wire: ASCII alone, but for what
// stands before the @ of an address with other letters, and lines of at most 998
// characters that end in CRLF.
func Compose(l Letter) []byte {
	var b bytes.Buffer
	field := func(name, value string) { b.WriteString(fold(name + ": " + value)) }
	to := make([]string, 0, len(l.To))
	for _, a := range l.To {
		to = append(to, mailboxField(a))
	}
	field("Date", l.At.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	field("From", mailboxField(l.From))
	field("To", strings.Join(to, ", "))
	field("Subject", unstructured(l.Subject))
	field("Message-ID", inBrackets(l.MessageID))
	if l.Automatic {
		field("Auto-Submitted", "auto-generated")
	}
	if l.Mark != "" {
		field("Postroom-Notice", unstructured(l.Mark))
	}
	field("MIME-Version", "1.0")
	field("Content-Type", "text/plain; charset=utf-8")
	text := wholeLines(strings.ToValidUTF8(l.Text, "�"))
	if isPlainBody(text) {
		field("Content-Transfer-Encoding", "7bit")
		b.WriteString("\r\n" + text)
		return b.Bytes()
	}
	field("Content-Transfer-Encoding", "quoted-printable")
	b.WriteString("\r\n")
	w := quotedprintable.NewWriter(&b)
	_, _ = w.Write([]byte(text)) // into memory
	_ = w.Close()
	return b.Bytes()
}

// wholeLines ends every line in CRLF.
func wholeLines(text string) string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	return strings.ReplaceAll(text, "\n", "\r\n")
}

// isPlainBody says whether a text goes as it is: ASCII in short lines, none of
// which a mailbox file or a careless server changes.
func isPlainBody(text string) bool {
	for line := range strings.SplitSeq(text, "\r\n") {
		if len(line) > wishedLine || strings.HasPrefix(line, "From ") || strings.HasSuffix(line, " ") {
			return false
		}
		for _, c := range []byte(line) {
			if c >= 0x7f || c < ' ' && c != '\t' {
				return false
			}
		}
	}
	return true
}

// headerText is text without what ends or breaks a header.
func headerText(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

// unstructured is a value such as that of Subject: as it is, or in encoded words.
func unstructured(text string) string {
	text = strings.TrimSpace(headerText(text))
	if isPlainHeader(text) {
		return text
	}
	return encodedWords(text)
}

// isPlainHeader says whether a text survives as it is: ASCII that is not taken for
// encoded words, and that can be folded without losing a blank.
func isPlainHeader(text string) bool {
	if strings.Contains(text, "=?") || strings.Contains(text, "  ") {
		return false
	}
	for word := range strings.SplitSeq(text, " ") {
		if len(word) > wishedLine-len("Subject: ") {
			return false
		}
	}
	return isASCII(text)
}

// encodedWords writes a text in encoded words (RFC 2047), none of which cuts a
// character in two.
func encodedWords(text string) string {
	var words []string
	for text != "" {
		n := min(len(text), encodedLine)
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		words = append(words, "=?UTF-8?B?"+base64.StdEncoding.EncodeToString([]byte(text[:n]))+"?=")
		text = text[n:]
	}
	return strings.Join(words, " ")
}

// mailboxField is an address with its name (RFC 5322 section 3.4).
func mailboxField(a postroom.Address) string {
	address := inBrackets(a.Address)
	name := strings.TrimSpace(headerText(a.Name))
	switch {
	case name == "":
		return address
	case !isPlainHeader(name):
		return encodedWords(name) + " " + address
	case strings.ContainsAny(name, "()<>[]:;@\\,.\""):
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" ` + address
	}
	return name + " " + address
}

// longestAddress is how many bytes an address may have (RFC 5321 section 4.5.3.1.3).
// Turning the domain of one that is much longer into ASCII takes seconds.
const longestAddress = 254

// inBrackets is an address or an id, its domain as DNS spells it.
func inBrackets(address string) string {
	address = strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f || r == '<' || r == '>' {
			return -1
		}
		return r
	}, strings.ToValidUTF8(address, "�"))
	if at := strings.LastIndexByte(address, '@'); at >= 0 && len(address) <= 4*longestAddress && !isASCII(address[at:]) {
		if domain, err := idna.Lookup.ToASCII(address[at+1:]); err == nil {
			address = address[:at+1] + domain
		}
	}
	return "<" + address + ">"
}

// fold breaks a header before blanks, so that its lines have the wished length
// where they can (RFC 5322 section 2.2.3).
func fold(header string) string {
	var b strings.Builder
	length := 0
	for n, word := range strings.Split(header, " ") {
		switch {
		case n == 0:
		case n > 1 && length+1+len(word) > wishedLine: // the name of the field is not alone
			b.WriteString("\r\n ")
			length = 1
		default:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(word)
		length += len(word)
	}
	b.WriteString("\r\n")
	return b.String()
}
