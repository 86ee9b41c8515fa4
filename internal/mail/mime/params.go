package mime

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// A mediaType is a Content-Type or Content-Disposition with its parameters.
type mediaType struct {
	value  string // lower case
	params map[string]string
	failed bool // value is no type/subtype
}

// parseMediaType reads a Content-Type (RFC 2045 section 5) or Content-Disposition
// (RFC 2183) with parameters in every form that has been seen: continued and
// encoded (RFC 2231), encoded words in quotes (RFC 2047), without quotes, without
// semicolons, and with 8-bit bytes. fallback is the charset for the latter.
func parseMediaType(value, fallback string) mediaType {
	value = unfold(value)
	head, rest := value, ""
	if end := strings.IndexAny(value, ";\"="); end >= 0 {
		head, rest = value[:end], value[end:]
		if value[end] == '=' { // "text/plain charset=x": the name belongs to what follows
			if at := strings.LastIndexAny(strings.TrimRight(head, " \t"), " \t,"); at >= 0 {
				head, rest = head[:at], value[at:]
			} else {
				head, rest = "", value
			}
		}
	}
	head = strings.ToLower(strings.TrimSpace(stripComments(head)))
	head = strings.Trim(head, "\"', \t")
	if at := strings.IndexAny(head, " \t,"); at > 0 {
		head = head[:at]
	}
	m := mediaType{value: clean(head)}
	if rest != "" {
		m.params = parseParams(rest, fallback)
	}
	kind, sub, ok := strings.Cut(m.value, "/")
	m.failed = !ok || kind == "" || sub == "" || strings.ContainsAny(m.value, " \t\"<>@,;:\\[]?=") || strings.Contains(sub, "/") || len(m.value) > 127
	return m
}

// A segment is a part of a parameter that is continued over several (RFC 2231
// section 3).
type segment struct {
	number  int
	value   string
	encoded bool
}

func parseParams(rest, fallback string) map[string]string {
	params := map[string]string{}
	plain := map[string]string{}
	segments := map[string][]segment{}
	for {
		var name, value string
		var ok bool
		name, value, rest, ok = cutParam(rest)
		if !ok {
			break
		}
		base, star, extended := strings.Cut(strings.ToLower(name), "*")
		if !extended {
			if _, twice := plain[base]; !twice {
				plain[base] = value
			}
			continue
		}
		number, encoded := star, false
		if n, ok := strings.CutSuffix(star, "*"); ok {
			number, encoded = n, true
		}
		n, err := strconv.Atoi(number)
		if number == "" {
			n, encoded, err = 0, true, nil
		}
		if err == nil && n >= 0 {
			segments[base] = append(segments[base], segment{n, value, encoded})
		}
	}
	for name, value := range plain {
		if name == "boundary" {
			params[name] = value // not text, and blanks at its end count
			continue
		}
		params[name] = strings.TrimSpace(decodeText(value, fallback))
	}
	for name, parts := range segments {
		// Where both are there, the plain one is the fallback for old readers, unless
		// it carries the whole name by itself.
		if p, ok := plain[name]; ok && (strings.Contains(p, "=?") || !isASCII(p)) {
			continue
		}
		if value := joinSegments(parts, fallback); value != "" {
			params[name] = value
		}
	}
	return params
}

// joinSegments puts the segments in order and undoes their encoding.
func joinSegments(parts []segment, fallback string) string {
	slices.SortStableFunc(parts, func(a, b segment) int { return cmp.Compare(a.number, b.number) })
	var raw strings.Builder
	label, anyEncoded := "", false
	for i, p := range parts {
		if i > 0 && p.number == parts[i-1].number {
			continue
		}
		value := p.value
		if i == 0 && p.encoded {
			if charset, rest, ok := strings.Cut(value, "'"); ok {
				if _, text, ok := strings.Cut(rest, "'"); ok {
					label, value = charset, text
				}
			}
		}
		if p.encoded {
			value, anyEncoded = unescapePercent(value), true
		}
		raw.WriteString(value)
	}
	joined := raw.String()
	if strings.Contains(joined, "=?") {
		return strings.TrimSpace(decodeText(joined, fallback))
	}
	if !anyEncoded || label == "" {
		label = fallback
		if anyEncoded {
			label = ""
		}
		return strings.TrimSpace(decode8bit(joined, label))
	}
	text, _ := decodeCharset([]byte(joined), label)
	return strings.TrimSpace(text)
}

func unescapePercent(value string) string {
	if strings.IndexByte(value, '%') < 0 {
		return value
	}
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '%' && i+2 < len(value) && isHex(value[i+1]) && isHex(value[i+2]) {
			out = append(out, unhex(value[i+1])<<4|unhex(value[i+2]))
			i += 2
			continue
		}
		out = append(out, value[i])
	}
	return string(out)
}

// cutParam cuts the next name=value off text.
func cutParam(text string) (name, value, rest string, ok bool) {
	for {
		text = strings.TrimLeft(text, "; \t,")
		if strings.HasPrefix(text, "(") {
			if n := commentSize(text); n > 0 {
				text = text[n:]
				continue
			}
		}
		if text == "" {
			return "", "", "", false
		}
		end := strings.IndexAny(text, "=;")
		if end < 0 {
			return "", "", "", false
		}
		if text[end] == ';' { // a word without a value
			text = text[end:]
			continue
		}
		name = strings.TrimSpace(text[:end])
		if at := strings.LastIndexAny(name, " \t"); at >= 0 {
			name = name[at+1:]
		}
		value, rest = cutValue(strings.TrimLeft(text[end+1:], " \t"))
		return name, value, rest, true
	}
}

// cutValue cuts a value off text: a quoted string, or everything up to a
// semicolon or to white space with another parameter behind it.
func cutValue(text string) (value, rest string) {
	if quoted, size, ok := quotedString(text); ok {
		return quoted, text[size:]
	}
	text = strings.TrimLeft(text, "\"")
	end := strings.IndexByte(text, ';')
	if strings.HasPrefix(text, "=?") { // an encoded word without quotes
		if word, ok := cutEncodedWord(text); ok && end >= 0 && end < word.size {
			end = strings.IndexByte(text[word.size:], ';')
			if end >= 0 {
				end += word.size
			}
		}
	}
	if end < 0 {
		end = len(text)
	}
	value, rest = text[:end], text[end:]
	// "charset=us-ascii name=x": white space, then a name and "=".
	for at := 0; ; {
		gap := strings.IndexAny(value[at:], " \t")
		if gap < 0 {
			break
		}
		at += gap + 1
		if next := strings.TrimLeft(value[at:], " \t"); startsParam(next) {
			return strings.TrimSpace(stripComments(value[:at])), text[at:]
		}
	}
	return strings.TrimSpace(stripComments(strings.TrimRight(value, "\" \t"))), rest
}

// startsParam says whether text begins with one of the names that follow others
// without a semicolon.
func startsParam(text string) bool {
	for _, name := range []string{"charset", "name", "filename", "boundary", "format", "type", "reply-type"} {
		if len(text) > len(name) && strings.EqualFold(text[:len(name)], name) && (text[len(name)] == '=' || text[len(name)] == '*') {
			return true
		}
	}
	return false
}

// quotedString reads the quoted string at the start of text (RFC 5322 section
// 3.2.4); ok is false when there is none or it is not closed within 16 KB.
func quotedString(text string) (value string, size int, ok bool) {
	if !strings.HasPrefix(text, `"`) {
		return "", 0, false
	}
	text = text[:min(len(text), 16<<10)]
	end := 1
	escaped := false
	for ; end < len(text) && text[end] != '"'; end++ {
		if text[end] == '\\' && end+1 < len(text) {
			end++
			escaped = true
		}
	}
	if end >= len(text) {
		return "", 0, false
	}
	value = text[1:end]
	if !escaped {
		return value, end + 1, true
	}
	return unescapeQuoted(value), end + 1, true
}

// unescapeQuoted removes the backslash of quoted pairs. A backslash before
// anything but a quote or a backslash stays: it is a Windows path.
func unescapeQuoted(value string) string {
	out := make([]byte, 0, len(value))
	for i := 0; i < len(value); i++ {
		if value[i] == '\\' && i+1 < len(value) && (value[i+1] == '"' || value[i+1] == '\\') {
			i++
		}
		out = append(out, value[i])
	}
	return string(out)
}

// stripComments replaces comments in parentheses by a space (RFC 5322 section 3.2.2).
func stripComments(text string) string {
	if strings.IndexByte(text, '(') < 0 {
		return text
	}
	var out strings.Builder
	for {
		at := strings.IndexByte(text, '(')
		if at < 0 {
			break
		}
		size := commentSize(text[at:])
		if size == 0 {
			break
		}
		out.WriteString(text[:at])
		out.WriteByte(' ')
		text = text[at+size:]
	}
	out.WriteString(text)
	return out.String()
}

// commentSize is the size of the comment that text begins with; 0 when it is
// not closed within 2 KB and 20 levels.
func commentSize(text string) int {
	depth := 0
	for i := 0; i < min(len(text), 2048); i++ {
		switch text[i] {
		case '\\':
			i++
		case '(':
			depth++
			if depth > 20 {
				return 0
			}
		case ')':
			depth--
			if depth == 0 {
				return i + 1
			}
		}
	}
	return 0
}

func isASCII(text string) bool {
	for i := 0; i < len(text); i++ {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}
