package mime

import (
	"crypto/sha256"
	"hash"
	"strings"

	"github.com/postroom/postroom"
)

// A leaf is a part that holds content. Its decoded bytes go to everyone who
// wants them: the digest, the attachment, the text, the report fields.
type leaf struct {
	w       *walker
	decoder decoder
	part    int // index in Parts
	sum     normalHash
	isExact bool // base64 of something that is not text: transport cannot change it

	size       int64
	attachment *openAttachment // nil: it is none
	text       *textBody       // nil: it is no text
	head       []byte          // what a report or an enclosed message begins with
	headWanted int             // how many bytes of it are wanted
}

// beginLeaf decides what a part is and prepares for its bytes.
func (w *walker) beginLeaf(header Header, kind mediaType) {
	w.state = inBody
	index := len(w.m.Parts) - 1
	part := &w.m.Parts[index]
	l := &leaf{w: w, part: index, sum: newNormalHash()}
	encoding := header.first("Content-Transfer-Encoding")
	isText := strings.HasPrefix(part.Type, "text/") || strings.HasPrefix(part.Type, "message/")
	var known bool
	l.decoder, known = newDecoder(unfold(encoding), l.take)
	if !known {
		w.note("A part has an unknown transfer encoding; it was taken as it is.")
	}
	switch {
	case isBody(part):
		l.text = w.newText(part, kind)
	default:
		l.attachment = w.newAttachment(part, header)
		_, isBase64 := l.decoder.(*base64Decoder)
		l.isExact = isBase64 && !isText
	}
	l.headWanted = wantedHead(part.Type)
	w.leaf = l
}

// isBody says whether a part belongs to the text that people read: plain text
// or HTML that is not said to be a file.
func isBody(p *Part) bool {
	switch p.Type {
	case "text/plain", "text/html":
		return p.Disposition != "attachment"
	}
	return isMultipart(p.Type) // one that could not be taken apart
}

// wantedHead is how much of a part's beginning its classification needs.
func wantedHead(kind string) int {
	switch kind {
	case "message/delivery-status", "message/global-delivery-status", "message/disposition-notification",
		"message/global-disposition-notification", "message/feedback-report":
		return 64 << 10
	case "message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/news", "message/partial":
		return 32 << 10
	}
	return 0
}

// overflowLeaf swallows what lies beyond the last part that is read. It counts
// in the digest and nowhere else.
func (w *walker) overflowLeaf() *leaf {
	l := &leaf{w: w, part: -1, sum: newNormalHash()}
	l.decoder = &plainDecoder{out: l.take}
	return l
}

// take receives decoded bytes.
func (l *leaf) take(p []byte) {
	l.size += int64(len(p))
	if !l.isExact {
		l.sum.write(p)
	}
	if l.attachment != nil {
		l.attachment.write(l.w, p)
	}
	if l.text != nil {
		l.text.write(l.w, p)
	}
	if room := l.headWanted - len(l.head); room > 0 {
		l.head = append(l.head, p[:min(room, len(p))]...)
	}
}

func (l *leaf) end(w *walker) {
	sum := l.sum.sum()
	if l.attachment != nil {
		l.attachment.end(w)
		if l.isExact {
			sum = w.m.Attachments[l.attachment.n].SHA256
		}
	}
	w.digest.Write(sum[:])
	if l.part < 0 {
		return
	}
	part := &w.m.Parts[l.part]
	part.SizeBytes = l.size
	if l.text != nil {
		l.text.end(w)
	}
	if len(l.head) > 0 {
		w.readHead(part, l.head)
	}
}

// readHead keeps what classification needs of a report or an enclosed message.
func (w *walker) readHead(part *Part, head []byte) {
	if w.reportBytes += len(head); w.reportBytes > maxReportBytes {
		w.note("The message holds more than 256 KB of reports; the others were not read.")
		return
	}
	if strings.HasSuffix(part.Type, "rfc822") || strings.HasSuffix(part.Type, "headers") || part.Type == "message/global" {
		block, rest := splitHeader(head)
		header, _ := parseHeader(block)
		part.Fields = []Header{header}
		part.Opening = normalLines(clean(string(rest[:min(len(rest), 4<<10)])))
		return
	}
	for len(head) > 0 {
		block, rest := splitHeader(head)
		if header, _ := parseHeader(block); header.Len() > 0 {
			part.Fields = append(part.Fields, header)
		}
		head = rest
	}
}

// splitHeader cuts at the first empty line.
func splitHeader(text []byte) (block, rest []byte) {
	at := 0
	for at < len(text) {
		end := at
		for end < len(text) && text[end] != '\n' {
			end++
		}
		line := trimEnd(text[at:end])
		next := min(end+1, len(text))
		if len(line) == 0 && at > 0 {
			return text[:at], text[next:]
		}
		at = next
	}
	return text, nil
}

// openAttachment is an attachment whose bytes are arriving.
type openAttachment struct {
	n    int
	sum  hash.Hash
	size int64
}

func (w *walker) newAttachment(part *Part, header Header) *openAttachment {
	part.Attachment = len(w.m.Attachments)
	id := limit(messageID(header.first("Content-ID")))
	w.m.Attachments = append(w.m.Attachments, postroom.Attachment{
		N: part.Attachment, Name: part.Name, Type: part.Type, ContentID: id,
		Inline: part.Disposition == "inline" || part.Disposition == "" && id != "",
	})
	return &openAttachment{n: part.Attachment, sum: sha256.New()}
}

func (a *openAttachment) write(w *walker, p []byte) {
	a.size += int64(len(p))
	a.sum.Write(p)
	if out, ok := w.wanted[a.n]; ok && w.outErr == nil {
		_, w.outErr = out.Write(p)
	}
}

func (a *openAttachment) end(w *walker) {
	w.m.Attachments[a.n].SizeBytes = a.size
	a.sum.Sum(w.m.Attachments[a.n].SHA256[:0])
	if _, ok := w.wanted[a.n]; ok {
		w.written++
	}
}
