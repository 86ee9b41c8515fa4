package mime

import (
	"strings"

	"github.com/postroom/postroom"
)

// parseAddresses reads a list of addresses (RFC 5322 section 3.4), unfolded, in
// the forms that mail carries: groups are flattened, a comment behind a bare
// address is its name, brackets may be missing or doubled, names may hold commas
// and other specials without quotes. fallback is the charset of 8-bit names.
func parseAddresses(value, fallback string) []postroom.Address {
	p := addressParser{text: value, fallback: fallback}
	return p.list()
}

type addressParser struct {
	text     string
	fallback string
	found    []postroom.Address

	// Of the address being read:
	phrase   strings.Builder // as written, quotes removed
	wasQuote bool            // the phrase holds a quoted string
	comment  string
	angle    string
	hasAngle bool
	prefix   string // a name cut off by a comma, in case an address follows
	inGroup  bool
}

func (p *addressParser) list() []postroom.Address {
	for p.text != "" {
		switch c := p.text[0]; c {
		case '"':
			p.quoted()
		case '(':
			p.parenthesis()
		case '<':
			p.bracket()
		case ',', ';':
			p.text = p.text[1:]
			p.flush(c)
		case ':':
			p.colon()
		case '=':
			p.word()
		case '\\':
			p.take(min(2, len(p.text)))
		default:
			end := strings.IndexAny(p.text[1:], `"(<,;:=\`)
			if end < 0 {
				end = len(p.text) - 1
			}
			p.take(end + 1)
		}
	}
	p.flush(0)
	return p.found
}

// take moves n bytes to the phrase. A phrase over 8 KB is not a name: its rest is
// dropped.
func (p *addressParser) take(n int) {
	p.write(p.text[:n])
	p.text = p.text[n:]
}

func (p *addressParser) write(text string) {
	if p.phrase.Len() < 8<<10 {
		p.phrase.WriteString(text)
	}
}

func (p *addressParser) quoted() {
	value, size, ok := quotedString(p.text)
	if !ok {
		p.text = p.text[1:]
		return
	}
	p.text = p.text[size:]
	if strings.HasPrefix(p.text, "@") { // "john doe"@example.net
		p.write(`"` + value + `"`)
		return
	}
	p.write(value)
	p.wasQuote = true
}

func (p *addressParser) parenthesis() {
	size := commentSize(p.text)
	if size == 0 {
		p.write("(")
		p.text = p.text[1:]
		return
	}
	if p.comment == "" {
		p.comment = unescapeQuoted(p.text[1 : size-1])
	}
	if strings.TrimSpace(p.phrase.String()) != "" && !p.hasAngle && !strings.Contains(p.phrase.String(), "@") {
		p.write(p.text[:size]) // "Doe (Sales) <…>": part of the name
	} else {
		p.write(" ")
	}
	p.text = p.text[size:]
}

func (p *addressParser) bracket() {
	rest := strings.TrimLeft(p.text, "< ")
	end := strings.IndexAny(rest, "><,;")
	for end >= 0 && rest[end] == ',' && strings.HasPrefix(rest, "@") { // a route
		next := strings.IndexAny(rest[end+1:], "><,;")
		if next < 0 {
			end = -1
			break
		}
		end += 1 + next
	}
	if strings.HasPrefix(rest, `"`) {
		if _, size, ok := quotedString(rest); ok {
			end = strings.IndexAny(rest[size:], "><,;")
			if end >= 0 {
				end += size
			}
		}
	}
	if end < 0 {
		end = len(rest)
	}
	inside := rest[:end]
	p.text = strings.TrimLeft(rest[end:], ">")
	switch {
	case !p.hasAngle:
		p.angle, p.hasAngle = inside, true
	case !strings.Contains(p.angle, "@") && strings.Contains(inside, "@"):
		p.write(" <" + p.angle + ">") // "Name <Dept> <a@b>"
		p.angle = inside
	case strings.Contains(inside, "@"): // two addresses without a comma
		p.flush(',')
		p.angle, p.hasAngle = inside, true
	}
}

func (p *addressParser) colon() {
	p.text = p.text[1:]
	name := strings.TrimSpace(p.phrase.String())
	switch {
	case p.hasAngle:
	case strings.EqualFold(name, "mailto"):
		p.reset()
	case !p.inGroup && !strings.Contains(name, "@") && !strings.Contains(name, "["):
		p.reset() // the name of a group
		p.inGroup = true
	default:
		p.write(":")
	}
}

// word swallows an encoded word whole: it may hold commas.
func (p *addressParser) word() {
	if strings.HasPrefix(p.text, "=?") {
		if word, ok := cutEncodedWord(p.text); ok {
			p.write(p.text[:word.size])
			p.text = p.text[word.size:]
			return
		}
	}
	p.write("=")
	p.text = p.text[1:]
}

func (p *addressParser) reset() {
	p.phrase.Reset()
	p.comment, p.angle, p.prefix = "", "", ""
	p.hasAngle, p.wasQuote = false, false
}

// flush ends the address being read at a comma, a semicolon or the end (0).
func (p *addressParser) flush(end byte) {
	phrase := strings.TrimSpace(p.phrase.String())
	if end == ';' {
		p.inGroup = false
	}
	if !p.hasAngle && !strings.Contains(phrase, "@") {
		if end == ',' && phrase != "" { // "Doe, John <john@…>"
			if p.prefix != "" {
				p.bare(p.prefix)
			}
			p.phrase.Reset()
			p.comment, p.wasQuote = "", false
			p.prefix = phrase
			return
		}
		if p.prefix != "" {
			p.bare(p.prefix)
		}
		if phrase != "" {
			p.bare(phrase)
		}
		p.reset()
		return
	}
	if !p.hasAngle {
		if p.prefix != "" {
			p.bare(p.prefix)
		}
		p.unbracketed(phrase)
		p.reset()
		return
	}
	if p.prefix != "" {
		phrase = p.prefix + ", " + phrase
	}
	p.add(p.name(phrase), p.angle) // a comment beside brackets is no name
	p.reset()
}

// unbracketed adds an address that stands without brackets, perhaps among words.
func (p *addressParser) unbracketed(phrase string) {
	words := strings.Fields(phrase)
	address, others := "", make([]string, 0, len(words))
	for _, w := range words {
		if address == "" && strings.Contains(w, "@") && !strings.HasPrefix(w, "=?") {
			address = w
			continue
		}
		others = append(others, w)
	}
	if address == "" {
		address = phrase
		others = nil
	}
	if strings.HasPrefix(phrase, `"`) && strings.Contains(phrase, `"@`) {
		address, others = phrase, nil
	}
	name := p.name(p.comment)
	if name == address { // "a@b (a@b)"
		name = ""
	}
	if name == "" {
		name = p.name(strings.Join(others, " "))
	}
	p.add(name, address)
}

// bare adds a word that is no address of the internet: a local user name.
func (p *addressParser) bare(word string) {
	if word = p.name(word); word != "" {
		p.found = append(p.found, postroom.Address{Address: word})
	}
}

func (p *addressParser) name(raw string) string {
	text := strings.Join(strings.Fields(decodeText(raw, p.fallback)), " ")
	if len(text) > 1 && text[0] == '"' && text[len(text)-1] == '"' {
		text = strings.TrimSpace(text[1 : len(text)-1])
	}
	return text
}

func (p *addressParser) add(name, address string) {
	address = cleanAddress(address, p.fallback)
	if address == "" && name == "" {
		return
	}
	p.found = append(p.found, postroom.Address{Name: name, Address: address})
}

func cleanAddress(raw, fallback string) string {
	text := strings.TrimSpace(stripComments(raw))
	if strings.HasPrefix(text, "@") { // a source route (RFC 5322 section 4.4)
		if _, last, ok := strings.Cut(text, ":"); ok {
			text = last
		}
	}
	if len(text) > 7 && strings.EqualFold(text[:7], "mailto:") {
		text = text[7:]
	}
	text = strings.Trim(text, "<>' \t")
	if !strings.HasPrefix(text, `"`) {
		text = strings.Trim(text, `"`)
		text = strings.Join(strings.Fields(text), "")
	}
	return decodeText(text, fallback)
}
