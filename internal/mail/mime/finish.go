package mime

import (
	"slices"
	"strconv"
	"strings"
)

// finish fills the mail from what was read.
func (w *walker) finish() *Message {
	m := w.m
	h := m.Header
	m.MessageID = messageID(h.first("Message-ID"))
	for _, value := range h.rawValues("In-Reply-To") {
		m.InReplyTo = appendNew(m.InReplyTo, messageIDs(value))
	}
	for _, value := range h.rawValues("References") {
		m.References = appendNew(m.References, messageIDs(value))
	}
	m.From, m.Sender, m.ReplyTo = h.Addresses("From"), h.Addresses("Sender"), h.Addresses("Reply-To")
	m.To, m.Cc, m.Bcc = h.Addresses("To"), h.Addresses("Cc"), h.Addresses("Bcc")
	m.Subject = h.Text("Subject")
	m.Date = h.Date("Date")
	m.Received = h.received()
	m.Text, m.HTML = w.body.text.String(), w.body.html.String()
	w.digest.Sum(m.Digest[:0])
	if len(w.m.Parts) > 0 && h.Len() == 0 {
		w.note("The message has no header.")
		m.Notes = w.m.Notes
	}
	return m
}

func appendNew(ids, more []string) []string {
	if len(ids) == 0 {
		return more
	}
	for _, id := range more {
		if len(ids) >= maxIDs {
			break
		}
		if len(ids) > 100 || !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func (h Header) rawValues(name string) []string {
	var values []string
	for _, f := range h.fields {
		if len(f.name) == len(name) && strings.EqualFold(f.name, name) {
			values = append(values, f.value)
		}
	}
	return values
}

// sizeInWords is a size for people: 4 MB, 512 KB.
func sizeInWords(n int) string {
	switch {
	case n >= 1<<20:
		return strconv.Itoa(n>>20) + " MB"
	case n >= 1<<10:
		return strconv.Itoa(n>>10) + " KB"
	}
	return strconv.Itoa(n) + " bytes"
}
