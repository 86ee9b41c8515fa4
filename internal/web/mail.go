package web

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/postroom/postroom"
	mailmime "github.com/postroom/postroom/internal/mail/mime"
)

// framePolicy is the Content-Security-Policy of a mail's own HTML: no script, no
// address but its pictures, which are in the page, and one stylesheet of ours.
const framePolicy = "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; img-src data:; style-src 'self'; " +
	"form-action 'none'; base-uri 'none'; frame-ancestors 'self'"

// downloadPolicy is for what came with a mail.
const downloadPolicy = "sandbox; default-src 'none'"

// The pictures of a mail that are shown in its frame.
const (
	maxPictures     = 30
	maxPictureBytes = 16 << 20 // together
)

func isPicture(kind string) bool {
	return slices.Contains([]string{"image/png", "image/jpeg", "image/gif", "image/webp"}, kind)
}

// showHTML handles GET /mails/{id}/html, the document inside the frame. Pictures
// that came with the mail are written into it: a sandboxed frame has no cookies
// to fetch them with.
func (s *Server) showHTML(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailID](r.PathValue("id"))
	if err != nil {
		return err
	}
	m, err := s.Reader.Mail(r.Context(), by.Viewer, id)
	if err != nil {
		return err
	}
	pictures := picturesOf(m.Attachments)
	if !m.LetGoAt.IsZero() {
		pictures = nil // they went with the original
	}
	left, size := maxPictures, int64(0)
	clean := s.safe.clean(m.HTML, func(contentID string) (int, bool) {
		a, ok := pictures[bareContentID(contentID)]
		if !ok || left == 0 || size+a.SizeBytes > maxPictureBytes {
			return 0, false
		}
		left, size = left-1, size+a.SizeBytes
		return a.N, true
	})
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", framePolicy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Cache-Control", "private, max-age=300")
	h.Add("Vary", "Cookie") // nothing of it for the next one who signs in at this browser
	fmt.Fprintf(w, "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>Mail</title><link rel=\"stylesheet\" href=\"%s\"></head><body>",
		s.assets.address["mail.css"])
	if clean.KeptOut > 0 {
		fmt.Fprintf(w, "<p class=\"kept\">%s kept out: nothing is loaded from elsewhere.</p>", pluralIs(clean.KeptOut, "picture"))
	}
	if clean.Cut {
		_, _ = io.WriteString(w, "<p class=\"kept\">This mail is very long. Its beginning is shown; the raw message has all of it.</p>")
	}
	s.writePictures(w, r, by, m.ID, m.Attachments, clean.HTML)
	_, _ = io.WriteString(w, "</body></html>")
	return nil
}

// picturesOf are the pictures among the attachments, by their content ids; of two
// with the same id the first.
func picturesOf(all []postroom.Attachment) map[string]postroom.Attachment {
	pictures := make(map[string]postroom.Attachment)
	for _, a := range all {
		if _, known := pictures[a.ContentID]; !known && a.ContentID != "" && isPicture(a.Type) {
			pictures[a.ContentID] = a
		}
	}
	return pictures
}

// bareContentID is the content id that a cid: address names (RFC 2392 section 2).
func bareContentID(address string) string {
	if plain, err := url.PathUnescape(address); err == nil {
		return plain
	}
	return address
}

func pluralIs(n int, thing string) string {
	if n == 1 {
		return "1 " + thing + " is"
	}
	return fmt.Sprintf("%d %ss are", n, thing)
}

// ownPicture is how the sanitizer writes the address of a picture that came with
// the mail. Text cannot look like it: its quotation marks are escaped.
var ownPicture = regexp.MustCompile(` src="cid:([0-9]+)"`)

// writePictures writes the HTML with the bytes of its own pictures in their places.
// What cannot be read leaves its description.
func (s *Server) writePictures(w io.Writer, r *http.Request, by visitor, id postroom.MailID, all []postroom.Attachment, body string) {
	places := ownPicture.FindAllStringSubmatchIndex(body, -1)
	pictures := make(map[int]*bytes.Buffer)
	for _, at := range places {
		if n, err := strconv.Atoi(body[at[2]:at[3]]); err == nil && n < len(all) && isPicture(all[n].Type) {
			pictures[n] = new(bytes.Buffer)
		}
	}
	if err := s.readPictures(r, by, id, pictures); err != nil {
		s.log().WarnContext(r.Context(), "inline pictures not read", "mail", id, "err", err)
	}
	last := 0
	for _, at := range places {
		_, _ = io.WriteString(w, body[last:at[0]])
		last = at[1]
		n, err := strconv.Atoi(body[at[2]:at[3]])
		if picture := pictures[n]; err == nil && picture != nil && picture.Len() > 0 {
			_, _ = io.WriteString(w, ` src="data:`+all[n].Type+`;base64,`)
			encoder := base64.NewEncoder(base64.StdEncoding, w)
			_, _ = encoder.Write(picture.Bytes())
			_ = encoder.Close()
			_, _ = io.WriteString(w, `"`)
		}
	}
	_, _ = io.WriteString(w, body[last:])
}

// readPictures fills the pictures of a mail in one reading of its raw bytes.
func (s *Server) readPictures(r *http.Request, by visitor, id postroom.MailID, pictures map[int]*bytes.Buffer) error {
	if len(pictures) == 0 {
		return nil
	}
	raw, _, err := s.Reader.OpenRaw(r.Context(), by.Viewer, id)
	if err != nil {
		return err
	}
	defer raw.Close()
	wanted := make(map[int]io.Writer, len(pictures))
	for n, picture := range pictures {
		wanted[n] = picture
	}
	return mailmime.Attachments(raw, wanted)
}

// attachment writes the decoded bytes of an attachment.
func (s *Server) attachment(r *http.Request, by visitor, id postroom.MailID, n int, w io.Writer) error {
	raw, _, err := s.Reader.OpenRaw(r.Context(), by.Viewer, id)
	if err != nil {
		return err
	}
	defer raw.Close()
	_, err = mailmime.Attachment(raw, n, w)
	return err
}

// downloadAttachment handles GET /mails/{id}/attachments/{n}.
func (s *Server) downloadAttachment(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailID](r.PathValue("id"))
	if err != nil {
		return err
	}
	m, err := s.Reader.Mail(r.Context(), by.Viewer, id)
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(r.PathValue("n"))
	i := slices.IndexFunc(m.Attachments, func(a postroom.Attachment) bool { return a.N == n })
	if err != nil || i < 0 {
		return &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "This mail has no such attachment.", Remedy: "Open the mail and choose one of its attachments.",
		}
	}
	if !m.LetGoAt.IsZero() { // says why it is not here
		if raw, _, err := s.Reader.OpenRaw(r.Context(), by.Viewer, id); err != nil {
			return err
		} else if err := raw.Close(); err != nil {
			return err
		}
	}
	h := w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", disposition(nameOf(m.Attachments[i])))
	h.Set("Content-Security-Policy", downloadPolicy)
	if err := s.attachment(r, by, id, n, w); err != nil {
		// Part of the file is on its way already: break off, so that the browser
		// does not take it for the whole.
		s.log().WarnContext(r.Context(), "attachment not read", "mail", id, "n", n, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}

// disposition names a download (RFC 6266 section 4); names lose what a file system
// or a header could trip over.
func disposition(name string) string {
	name = strings.Map(func(c rune) rune {
		if c < ' ' || c == 0x7f || strings.ContainsRune(`/\:*?"<>|`, c) || c >= 0x202a && c <= 0x202e || c >= 0x2066 && c <= 0x2069 {
			return '_'
		}
		return c
	}, name)
	if v := mime.FormatMediaType("attachment", map[string]string{"filename": name}); v != "" {
		return v
	}
	return "attachment"
}

// showRaw handles GET /mails/{id}/raw: the exact bytes, to keep or, with view, to
// look at.
func (s *Server) showRaw(w http.ResponseWriter, r *http.Request, by visitor) error {
	id, err := postroom.ParseID[postroom.MailID](r.PathValue("id"))
	if err != nil {
		return err
	}
	raw, sizeBytes, err := s.Reader.OpenRaw(r.Context(), by.Viewer, id)
	if err != nil {
		return err
	}
	defer raw.Close()
	h := w.Header()
	h.Set("Content-Security-Policy", downloadPolicy)
	h.Set("Content-Length", strconv.FormatInt(sizeBytes, 10))
	if r.FormValue("view") != "" {
		h.Set("Content-Type", "text/plain; charset=utf-8")
	} else {
		h.Set("Content-Type", "message/rfc822")
		h.Set("Content-Disposition", disposition("mail-"+id.String()+".eml"))
	}
	if _, err := io.Copy(w, raw); err != nil {
		s.log().WarnContext(r.Context(), "raw message not sent to its end", "mail", id, "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}
