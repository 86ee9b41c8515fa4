package web

import (
	"fmt"
	"html"
	"strings"
	"unicode"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// An entryView is one thing in the history of an issue, as a page shows it.
type entryView struct {
	ID     string
	Kind   postroom.EntryKind
	Author string
	At     moment
	Text   string // of a note or a change
	Mail   *mailView
}

// A mailView is a received mail as a page shows it.
type mailView struct {
	ID         string
	Name       string
	Address    string
	To         string
	Cc         string
	Subject    string
	Text       []passage
	TextCut    bool
	HasHTML    bool
	ShowHTML   bool // rather than the text, at first
	Height     int  // of the frame, in CSS pixels: a guess, because no script measures it
	Files      []fileView
	Notes      []string
	Kind       string // what wrote it, when that was nobody
	KindReason string
	Size       string
	CameTo     string  // the mailboxes, where there are several
	LetGo      *moment // when the original was let go; nil: it is here
}

// A fileView is an attachment as a chip.
type fileView struct {
	Name    string
	Size    string
	Address string
}

func (s *Server) entry(l store.EntryLine) entryView {
	e := entryView{ID: l.ID.String(), Kind: l.Kind, Author: l.AuthorName, At: tell(l.At, s.now()), Text: l.Text}
	if e.Author == "" {
		e.Author = "Postroom"
	}
	if l.Mail == nil {
		return e
	}
	m := l.Mail
	from := postroom.Address{}
	if len(m.From) > 0 {
		from = m.From[0]
	}
	v := &mailView{
		ID: m.ID.String(), Name: from.Display(), To: people(m.To), Cc: people(m.Cc), Subject: m.Subject,
		HasHTML: m.HTML != "", Notes: m.Notes, Size: size(m.SizeBytes), Height: guessHeight(m.HTML),
	}
	if v.Name == "" {
		v.Name = "Unknown sender"
	}
	if from.Address != v.Name {
		v.Address = from.Address
	}
	v.Text, v.TextCut = passages(m.Text)
	inline := false
	shown := namedPictures(m.HTML)
	for _, a := range m.Attachments {
		if a.Inline && isPicture(a.Type) && shown[a.ContentID] {
			inline = true
			continue // it is seen in its place
		}
		v.Files = append(v.Files, fileView{nameOf(a), size(a.SizeBytes), fmt.Sprintf("/mails/%s/attachments/%d", m.ID, a.N)})
	}
	v.CameTo = cameTo(l.Mailboxes)
	if !m.LetGoAt.IsZero() {
		at := tell(m.LetGoAt, s.now())
		v.LetGo = &at
	}
	v.ShowHTML = v.HasHTML && (len(v.Text) == 0 || inline)
	if m.Kind != postroom.KindPerson && m.Kind != postroom.KindList {
		v.Kind, v.KindReason = kindWords(m.Kind), m.KindReason
	}
	e.Mail = v
	return e
}

// cameTo names the mailboxes that a mail came to, where there are several.
func cameTo(boxes []store.MailboxName) string {
	if len(boxes) < 2 {
		return ""
	}
	words := ""
	for i, m := range boxes {
		switch {
		case i == len(boxes)-1:
			words += " and "
		case i > 0:
			words += ", "
		}
		words += m.Name
	}
	return words
}

// namedPictures are the content ids that the cid: addresses of an HTML text name;
// of thousands the first.
func namedPictures(text string) map[string]bool {
	const most, longest = 1000, 1024
	named := make(map[string]bool)
	for {
		_, after, found := strings.Cut(text, "cid:")
		if !found || len(named) == most {
			return named
		}
		id := after[:min(len(after), longest)]
		if end := strings.IndexAny(id, "\"'<> \t\r\n)"); end >= 0 {
			id = id[:end]
		}
		named[bareContentID(html.UnescapeString(id))] = true
		text = after[len(id):]
	}
}

// nameOf is what an attachment is called, without what would show it as another:
// characters that cannot be seen, or that turn the direction of writing.
func nameOf(a postroom.Attachment) string {
	name := strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, a.Name)
	if name != "" {
		return name
	}
	return fmt.Sprintf("attachment %d", a.N+1)
}

// people lists who a mail is to; long lists are cut, the raw message has all.
func people(list []postroom.Address) string {
	const shown = 8
	var b strings.Builder
	for i, a := range list {
		if i == shown {
			fmt.Fprintf(&b, " and %s more", number(int64(len(list)-shown)))
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(full(a))
	}
	return b.String()
}

func kindWords(k postroom.MailKind) string {
	switch k {
	case postroom.KindAutoReply:
		return "Automatic reply"
	case postroom.KindAutomatic:
		return "Sent by a machine"
	case postroom.KindBounce:
		return "Could not be delivered"
	case postroom.KindDelay:
		return "Delivery is late"
	case postroom.KindDelivered:
		return "Was delivered"
	case postroom.KindReceipt:
		return "Receipt"
	case postroom.KindReport:
		return "Report"
	case postroom.KindLoop:
		return "Our own mail, come back"
	}
	return ""
}

// The height of a frame, in CSS pixels.
const (
	minFrame  = 120
	maxFrame  = 640
	frameLine = 22
)

// guessHeight reads from the HTML how high it will be: nothing inside the frame
// may tell. Too high wastes a little room, too low scrolls.
func guessHeight(html string) int {
	const looked = 64 << 10
	html = html[:min(len(html), looked)]
	lines, run, inTag := 0, 0, false
	for i := 0; i < len(html); i++ {
		switch c := html[i]; {
		case c == '<':
			inTag = true
			tag := strings.ToLower(html[i+1 : min(len(html), i+5)])
			for _, block := range []string{"p", "div", "br", "tr", "li", "h1", "h2", "h3"} {
				if strings.HasPrefix(tag, block) && len(tag) > len(block) && strings.ContainsRune(" >/\n", rune(tag[len(block)])) {
					if run > 0 || block == "br" || block == "p" {
						lines += 1 + run/90
					}
					if block[0] == 'h' {
						lines++ // larger, with room around it
					}
					run = 0
				}
			}
			if strings.HasPrefix(tag, "img") && strings.Contains(html[i:min(len(html), i+300)], "cid:") {
				lines += 6
			}
		case c == '>':
			inTag = false
		case !inTag && c > ' ':
			run++
		}
	}
	lines += 1 + run/90
	return min(max(lines*frameLine*5/4+48, minFrame), maxFrame)
}
