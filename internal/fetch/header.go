package fetch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"time"

	"github.com/postroom/postroom/internal/mail/mime"
)

// field returns the value of the topmost field of a name in a header, its lines
// joined and blanks around it removed.
func field(head []byte, name string) (value []byte, ok bool) {
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		if line = bytes.TrimRight(line, "\r"); len(line) == 0 {
			return nil, false
		}
		for len(rest) > 0 && (rest[0] == ' ' || rest[0] == '\t') { // folded (RFC 5322 section 2.2.3)
			var more []byte
			more, rest, _ = bytes.Cut(rest, []byte("\n"))
			line = append(line[:len(line):len(line)], bytes.TrimRight(more, "\r")...)
		}
		key, value, found := bytes.Cut(line, []byte(":"))
		if found && bytes.EqualFold(bytes.TrimRight(key, " \t"), []byte(name)) {
			return bytes.TrimSpace(value), true
		}
		head = rest
	}
	return nil, false
}

// hasMessageID says whether a header names its message (RFC 5322 section 3.6.4).
func hasMessageID(head []byte) bool {
	value, _ := field(head, "Message-ID")
	return len(value) > 0
}

// dated is when a message was received by the last server, or else written. Zero:
// its header does not tell.
func (f *Fleet) dated(head []byte) time.Time {
	if at := f.TopReceived(head); !at.IsZero() {
		return at
	}
	value, _ := field(head, "Date")
	return mime.ParseDate(string(value))
}

// lasting are the fields that a message keeps while it lies on a server; servers
// write others, such as Status and X-UIDL, as it is read.
var lasting = []string{"Message-ID", "Date", "From", "To", "Subject", "Received"}

// contentName is what a message is called where the server has no lasting names: a
// digest of its header and its size. It begins with a blank, as no UIDL does (RFC
// 1939 section 7).
func contentName(head []byte, sizeBytes int64) string {
	sum := sha256.New()
	for _, name := range lasting {
		value, _ := field(head, name)
		for _, word := range bytes.Fields(value) {
			sum.Write(word)
			sum.Write([]byte{' '})
		}
		sum.Write([]byte{0})
	}
	return " " + hex.EncodeToString(sum.Sum(nil)[:20]) + ":" + strconv.FormatInt(sizeBytes, 10)
}
