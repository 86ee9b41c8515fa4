package fetch

import "bytes"

// hasMessageID says whether a header names its message (RFC 5322 section 3.6.4).
func hasMessageID(head []byte) bool {
	for len(head) > 0 {
		line, rest, _ := bytes.Cut(head, []byte("\n"))
		line = bytes.TrimRight(line, "\r")
		if len(line) == 0 {
			return false
		}
		name, value, found := bytes.Cut(line, []byte(":"))
		if found && bytes.EqualFold(bytes.TrimRight(name, " \t"), []byte("Message-ID")) {
			folded, _, _ := bytes.Cut(rest, []byte("\n"))
			return bytes.ContainsRune(value, '<') || len(bytes.TrimSpace(value)) > 0 || bytes.ContainsRune(folded, '<')
		}
		head = rest
	}
	return false
}
