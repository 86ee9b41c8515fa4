package mime

import "strings"

// beginPart reads the header that has been collected and prepares for the body
// behind it.
func (w *walker) beginPart() {
	header, junk := parseHeader(w.header)
	if cap(w.header) > 64<<10 {
		w.header = nil
	}
	if junk > 0 {
		w.note("The header has lines that are no fields; they were skipped.")
	}
	part := Part{Parent: -1, Attachment: -1}
	top := w.top()
	if top != nil {
		part.Parent = top.part
	}
	kind := w.readType(header, &part, top)
	header.charset = kind.params["charset"]
	if len(w.m.Parts) == 0 {
		w.m.Header = header
		w.digestHead(header)
	}
	disposition := parseMediaType(header.first("Content-Disposition"), header.charset)
	part.Disposition = limit(disposition.value)
	part.Name = limit(fileName(disposition.params["filename"], kind.params["name"], disposition.params["name"], kind.params["filename"]))
	w.m.Parts = append(w.m.Parts, part)
	if isMultipart(part.Type) && w.push(len(w.m.Parts)-1, kind) {
		return
	}
	w.beginLeaf(header, kind)
}

// readType finds the media type of a part. Without one it is text, or within a
// digest a message (RFC 2046 section 5.1.5); one that cannot be read is text too,
// and kept raw.
func (w *walker) readType(header Header, part *Part, top *container) mediaType {
	value, ok := header.raw("Content-Type")
	kind := parseMediaType(value, "")
	switch {
	case !ok || value == "":
		kind.value = "text/plain"
		if top != nil && top.subtype == "digest" {
			kind.value = "message/rfc822"
		}
	case kind.failed:
		part.RawType = limit(clean(unfold(value)))
		kind.value = repairedType(kind.value)
		if kind.value == "text/plain" && kind.params["name"] != "" {
			kind.value = "application/octet-stream" // a file of an unreadable type
		}
	}
	part.Type = limit(kind.value)
	part.ReportType = limit(strings.ToLower(kind.params["report-type"]))
	return kind
}

// repairedType is the type that a broken one stands for (RFC 2045 section 5.2
// asks for text).
func repairedType(value string) string {
	switch {
	case value == "html" || value == "text/html," || value == "text\\html":
		return "text/html"
	case value == "multipart":
		return "multipart/mixed"
	}
	return "text/plain"
}

// push opens a multipart; false when it cannot be opened and is read as a leaf.
func (w *walker) push(index int, kind mediaType) bool {
	boundary := kind.params["boundary"]
	if raw, ok := kind.params["boundary"]; !ok || raw == "" {
		w.note("A part that should hold others does not say how they are separated; it was read as text.")
		return false
	}
	if len(boundary) > maxLabelBytes {
		w.note("A separator of parts is longer than 1 KB; its part was read as text.")
		return false
	}
	if len(w.stack) >= maxLevels {
		w.note("The message has more than 100 levels of parts; deeper ones were not read.")
		return false
	}
	subtype := strings.TrimPrefix(kind.value, "multipart/")
	w.stack = append(w.stack, container{boundary: boundary, subtype: subtype, part: index})
	w.state = inBetween
	w.body.preamble = nil
	return true
}

func fileName(candidates ...string) string {
	for _, name := range candidates {
		if name = strings.TrimSpace(dropControls(name)); name != "" {
			return name
		}
	}
	return ""
}

func dropControls(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, text)
}

// limit keeps labels of parts small: there may be 10,000 of them.
func limit(text string) string {
	if len(text) <= maxLabelBytes {
		return strings.Clone(text) // and not a piece of a header that could not be let go
	}
	return strings.ToValidUTF8(strings.Clone(text[:maxLabelBytes]), "")
}

func (h Header) first(name string) string {
	value, _ := h.raw(name)
	return value
}
