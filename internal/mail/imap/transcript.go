package imap

import (
	"fmt"
	"regexp"
	"strings"
)

// tagLetter begins the tag of every command.
const tagLetter = 'P'

// A transcript tells somebody what is said, without secrets and without messages.
type transcript struct {
	hear  func(dir byte, line string)
	scrub func(string) string
	// greeted is set with the first line: what answers instead of an IMAP server is
	// shown as it is. Later on, a line that is no response is part of something else,
	// perhaps of a message that is longer than its server said.
	greeted bool
	literal bool // the last line ended with the marker of one: the next goes on with it
}

// quotedMessage is (a part of) a message that comes as a quoted string instead of a
// literal (RFC 9051 section 9, nstring).
var quotedMessage = regexp.MustCompile(`(?i)((?:BODY|BINARY)\[[^\]]*\](?:<\d+>)?|RFC822(?:\.HEADER|\.TEXT)?)[ \t]+"(?:[^"\\]|\\.)*"`)

func (t *transcript) client(line string) { t.hear('C', t.scrub(strings.ToValidUTF8(line, "�"))) }

func (t *transcript) server(line []byte) {
	shown := strings.ToValidUTF8(string(line), "�")
	goesOn := t.literal
	t.literal = strings.HasSuffix(shown, "}") && strings.ContainsRune(shown, '{')
	switch {
	case !t.greeted:
		t.greeted = true
	case !goesOn && !isResponse(shown):
		shown = fmt.Sprintf("(a line of %d bytes that is no answer)", len(line))
	default:
		shown = quotedMessage.ReplaceAllString(shown, `$1 "(left out)"`)
	}
	t.hear('S', t.scrub(shown))
}

// isResponse says whether a line begins as a response does (RFC 9051 section 2.2.2).
func isResponse(line string) bool {
	line = strings.TrimLeft(line, " \t")
	return line == "" || line[0] == '*' || line[0] == '+' || line[0] == tagLetter
}
