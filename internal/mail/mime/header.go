package mime

import (
	"iter"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A Header is the fields of a message, of a part or of a report, in their order.
// Values are kept as they came and decoded when asked for.
type Header struct {
	fields []field
	// charset is what the message says of its text; it explains 8-bit values
	// that are not UTF-8.
	charset string
}

type field struct {
	name  string // as written
	value string // raw, possibly folded, white space trimmed
}

// parseHeader reads a block of fields. Lines that are no field and continue none
// are skipped and counted as junk; except that a parameter which some programs
// put on a line of its own, without white space before it, goes to the
// Content-Type or Content-Disposition above.
func parseHeader(block []byte) (h Header, junk int) {
	text := string(block)
	for len(text) > 0 {
		line, rest := cutFolded(text)
		text = rest
		name, value, ok := cutField(line)
		if !ok {
			if h.repairParameter(line) {
				continue
			}
			if strings.TrimSpace(line) != "" {
				junk++
			}
			continue
		}
		h.fields = append(h.fields, field{name, value})
	}
	return h, junk
}

// repairParameter appends a line such as boundary="x" to the field above it, if
// that awaits a parameter.
func (h *Header) repairParameter(line string) bool {
	if len(h.fields) == 0 {
		return false
	}
	last := &h.fields[len(h.fields)-1]
	name, _, ok := strings.Cut(line, "=")
	if !ok || len(last.value) > 4<<10 || !strings.HasSuffix(last.value, ";") || !isFieldName(strings.TrimSpace(name)) ||
		!strings.EqualFold(last.name, "Content-Type") && !strings.EqualFold(last.name, "Content-Disposition") {
		return false
	}
	last.value += " " + strings.Trim(line, " \t\r\n")
	return true
}

// cutFolded cuts the first line with its continuation lines off text (RFC 5322
// section 2.2.3). Lines end in LF or CRLF.
func cutFolded(text string) (line, rest string) {
	at := 0
	for {
		end := strings.IndexByte(text[at:], '\n')
		if end < 0 {
			return text, ""
		}
		at += end + 1
		if at >= len(text) || text[at] != ' ' && text[at] != '\t' {
			return text[:at], text[at:]
		}
	}
}

// cutField splits a line at its colon. White space before the colon is an
// obsolete form (RFC 5322 section 4.5); within the name there may be none.
func cutField(line string) (name, value string, ok bool) {
	colon := strings.IndexByte(line, ':')
	if colon <= 0 {
		return "", "", false
	}
	name = strings.TrimRight(line[:colon], " \t")
	if !isFieldName(name) {
		return "", "", false
	}
	return name, strings.Trim(line[colon+1:], " \t\r\n"), true
}

func isFieldName(name string) bool {
	if name == "" {
		return false
	}
	for i := 0; i < len(name); i++ {
		if name[i] <= ' ' || name[i] == 0x7f {
			return false
		}
	}
	return true
}

// Len is the number of fields.
func (h Header) Len() int { return len(h.fields) }

// All yields the fields in order, names as written, values unfolded and not decoded.
func (h Header) All() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for _, f := range h.fields {
			if !yield(clean(f.name), clean(unfold(f.value))) {
				return
			}
		}
	}
}

// Has says whether there is a field of that name.
func (h Header) Has(name string) bool {
	_, ok := h.raw(name)
	return ok
}

// Get returns the first field of that name that is not empty, unfolded but not
// decoded.
func (h Header) Get(name string) string {
	value, _ := h.raw(name)
	return clean(unfold(value))
}

// Values returns all fields of that name, unfolded but not decoded.
func (h Header) Values(name string) []string {
	var values []string
	for _, f := range h.fields {
		if strings.EqualFold(f.name, name) {
			values = append(values, clean(unfold(f.value)))
		}
	}
	return values
}

// Text returns the first field of that name decoded for people (RFC 2047).
func (h Header) Text(name string) string {
	value, _ := h.raw(name)
	return strings.TrimSpace(decodeText(unfold(value), h.charset))
}

// Addresses returns the people of all fields of that name.
func (h Header) Addresses(name string) []postroom.Address {
	var all []postroom.Address
	for _, f := range h.fields {
		if strings.EqualFold(f.name, name) {
			all = append(all, parseAddresses(unfold(f.value), h.charset)...)
		}
	}
	return all
}

// Date returns the instant of the first field of that name; zero when it is
// missing or makes no sense.
func (h Header) Date(name string) time.Time {
	value, _ := h.raw(name)
	return ParseDate(unfold(value))
}

// raw returns the first value of that name, preferring one that is not empty.
func (h Header) raw(name string) (value string, ok bool) {
	for _, f := range h.fields {
		if len(f.name) == len(name) && strings.EqualFold(f.name, name) {
			if f.value != "" {
				return f.value, true
			}
			ok = true
		}
	}
	return "", ok
}

// unfold removes the line ends of a folded value and leaves the white space that
// follows them (RFC 5322 section 2.2.3).
func unfold(value string) string {
	if strings.IndexByte(value, '\n') < 0 && strings.IndexByte(value, '\r') < 0 {
		return value
	}
	return lineEnds.Replace(value)
}

var lineEnds = strings.NewReplacer("\r", "", "\n", "")

// MessageID returns the Message-ID of a header, without angle brackets.
func (h Header) MessageID() string { return messageID(h.first("Message-ID")) }
