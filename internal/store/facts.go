package store

import (
	"encoding/hex"
	"fmt"
	htmlpkg "html"
	"strings"
	"unicode"

	"github.com/klauspost/compress/s2"

	"github.com/postroom/postroom"
)

// mailBody is what mail.body holds.
type mailBody struct{ Text, HTML string }

// packBody makes the bytes of mail.body: the two texts, neither of which contains
// U+0000, with one between them, compressed by S2. These are packed for every
// mail, read for every page, and present in the raw as well: speed counts for more
// than size.
func packBody(b mailBody) []byte {
	return s2.Encode(nil, []byte(clip(b.Text, maxBodyBytes)+"\x00"+clip(b.HTML, maxBodyBytes)))
}

func unpackBody(packed []byte) (mailBody, error) {
	plain, err := s2.Decode(nil, packed)
	if err != nil {
		return mailBody{}, fmt.Errorf("unpack a mail's texts: %w", err)
	}
	text, html, _ := strings.Cut(string(plain), "\x00")
	return mailBody{text, html}, nil
}

// mailFacts is the JSON of mail.facts.
type mailFacts struct {
	InReplyTo   []string         `json:"in_reply_to,omitempty"`
	References  []string         `json:"references,omitempty"`
	From        []personFacts    `json:"from,omitempty"`
	Sender      []personFacts    `json:"sender,omitempty"`
	ReplyTo     []personFacts    `json:"reply_to,omitempty"`
	To          []personFacts    `json:"to,omitempty"`
	Cc          []personFacts    `json:"cc,omitempty"`
	Bcc         []personFacts    `json:"bcc,omitempty"`
	Attachments []attachmentFact `json:"attachments,omitempty"`
	Notes       []string         `json:"notes,omitempty"`
}

type personFacts struct {
	Name    string `json:"name,omitempty"`
	Address string `json:"address,omitempty"`
}

type attachmentFact struct {
	N         int    `json:"n"`
	Name      string `json:"name,omitempty"`
	Type      string `json:"type,omitempty"`
	Size      int64  `json:"size"`
	SHA256    string `json:"sha256"`
	ContentID string `json:"content_id,omitempty"`
	Inline    bool   `json:"inline,omitempty"`
}

// maxPeople is how many people of one header are kept beside the raw.
const maxPeople = 1000

func factsOf(m postroom.Mail) mailFacts {
	f := mailFacts{
		InReplyTo: m.InReplyTo, References: m.References, Notes: m.Notes,
		From: peopleOf(m.From), Sender: peopleOf(m.Sender), ReplyTo: peopleOf(m.ReplyTo),
		To: peopleOf(m.To), Cc: peopleOf(m.Cc), Bcc: peopleOf(m.Bcc),
	}
	for _, a := range m.Attachments {
		f.Attachments = append(f.Attachments, attachmentFact{a.N, a.Name, a.Type, a.SizeBytes, hex.EncodeToString(a.SHA256[:]), a.ContentID, a.Inline})
	}
	return f
}

func peopleOf(people []postroom.Address) []personFacts {
	if len(people) > maxPeople {
		people = people[:maxPeople]
	}
	facts := make([]personFacts, len(people))
	for i, p := range people {
		facts[i] = personFacts(p)
	}
	return facts
}

func (f mailFacts) into(m *postroom.Mail) {
	m.InReplyTo, m.References, m.Notes = f.InReplyTo, f.References, f.Notes
	m.From, m.Sender, m.ReplyTo = addressesOf(f.From), addressesOf(f.Sender), addressesOf(f.ReplyTo)
	m.To, m.Cc, m.Bcc = addressesOf(f.To), addressesOf(f.Cc), addressesOf(f.Bcc)
	for _, a := range f.Attachments {
		at := postroom.Attachment{N: a.N, Name: a.Name, Type: a.Type, SizeBytes: a.Size, ContentID: a.ContentID, Inline: a.Inline}
		_, _ = hex.Decode(at.SHA256[:], []byte(a.SHA256))
		m.Attachments = append(m.Attachments, at)
	}
}

func addressesOf(facts []personFacts) []postroom.Address {
	people := make([]postroom.Address, len(facts))
	for i, p := range facts {
		people[i] = postroom.Address(p)
	}
	return people
}

// previewBytes is how much of a mail a list shows.
const previewBytes = 240

// preview is the beginning of a mail's text on one line. Quoted lines say nothing
// new and are passed over.
func preview(m postroom.Mail) string {
	text := m.Text
	if text == "" {
		text = textOfHTML(m.HTML)
	}
	var b strings.Builder
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, ">") {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(strings.Join(strings.FieldsFunc(clip(line, 2*previewBytes), unicode.IsSpace), " "))
		if b.Len() > previewBytes {
			break
		}
	}
	return clip(b.String(), previewBytes)
}

// textOfHTML is a rough reading of HTML for a preview: what stands outside tags,
// scripts and styles.
func textOfHTML(html string) string {
	var b strings.Builder
	for rest := html; rest != "" && b.Len() < 8*previewBytes; {
		text, tag, found := strings.Cut(rest, "<")
		b.WriteString(text)
		if !found {
			break
		}
		name := strings.ToLower(tag[:min(len(tag), 6)])
		switch {
		case strings.HasPrefix(name, "script"), strings.HasPrefix(name, "style"), strings.HasPrefix(name, "head"):
			closing := "</" + strings.TrimRight(strings.FieldsFunc(name, func(r rune) bool { return r == ' ' || r == '>' })[0], ">")
			at := indexFold(tag, closing)
			if at < 0 {
				return htmlpkg.UnescapeString(b.String())
			}
			tag = tag[at:]
		}
		_, rest, _ = strings.Cut(tag, ">")
		b.WriteByte(' ')
	}
	return htmlpkg.UnescapeString(b.String())
}

// indexFold returns where the tag begins in html, whatever its case; -1: nowhere.
// It does not lower the whole text first: there are letters whose lower case is
// longer, and what is found there is somewhere else here.
func indexFold(html, tag string) int {
	for at := 0; ; at++ {
		next := strings.IndexByte(html[at:], tag[0])
		if next < 0 {
			return -1
		}
		at += next
		if len(html)-at >= len(tag) && strings.EqualFold(html[at:at+len(tag)], tag) {
			return at
		}
	}
}
