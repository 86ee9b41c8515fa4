package mime

import (
	"bytes"
	"crypto/sha256"

	"github.com/postroom/postroom"
)

// A uuScanner finds uuencoded files within plain text and makes attachments of
// them: a begin line with at least one good line behind it.
type uuScanner struct {
	line  []byte // the line being read
	long  bool   // it is longer than any line of uuencode and passed on already
	begin []byte // a begin line whose next line is awaited
	name  string
	file  *openAttachment
}

func (s *uuScanner) write(w *walker, t *textBody, p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end >= 0 && len(s.line) == 0 && !s.long && s.file == nil && s.begin == nil && p[0] != 'b' {
			t.keep(w, p[:end+1]) // the ordinary line
			p = p[end+1:]
			continue
		}
		piece := p
		if end >= 0 {
			piece = p[:end+1]
		}
		p = p[len(piece):]
		if s.long {
			t.keep(w, piece)
			s.long = end < 0
			continue
		}
		s.line = append(s.line, piece...)
		if end < 0 && len(s.line) <= maxLabelBytes {
			return
		}
		s.whole(w, t)
		s.long = end < 0
		s.line = s.line[:0]
	}
}

// whole handles a whole line, or the beginning of one that is too long.
func (s *uuScanner) whole(w *walker, t *textBody) {
	bare := trimEnd(bytes.TrimSuffix(s.line, lf))
	if s.file != nil {
		if string(bare) == "end" {
			s.finish(w)
			return
		}
		if decoded, ok := uuLine(bytes.TrimSuffix(bytes.TrimSuffix(s.line, lf), []byte("\r"))); ok && len(bare) > 0 {
			s.file.write(w, decoded)
			return
		}
		if len(bare) == 0 {
			return
		}
		s.finish(w) // cut off: what follows is text again
	}
	if s.begin != nil {
		if decoded, ok := uuLine(bytes.TrimSuffix(bytes.TrimSuffix(s.line, lf), []byte("\r"))); ok && len(decoded) > 0 {
			s.open(w)
			s.file.write(w, decoded)
			s.begin = nil
			return
		}
		t.keep(w, s.begin)
		s.begin = nil
	}
	if name, ok := uuBegin(bare); ok {
		s.name = name
		s.begin = append([]byte(nil), s.line...)
		return
	}
	t.keep(w, s.line)
}

func (s *uuScanner) open(w *walker) {
	n := len(w.m.Attachments)
	w.m.Attachments = append(w.m.Attachments, postroom.Attachment{
		N: n, Name: limit(fileName(decodeText(s.name, ""))), Type: "application/octet-stream",
	})
	s.file = &openAttachment{n: n, sum: sha256.New()}
}

func (s *uuScanner) finish(w *walker) {
	s.file.end(w)
	s.file = nil
}

func (s *uuScanner) end(w *walker, t *textBody) {
	if len(s.line) > 0 {
		s.whole(w, t)
		s.line = nil
	}
	if s.begin != nil {
		t.keep(w, s.begin)
	}
	if s.file != nil {
		s.finish(w)
	}
}
