package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
)

func download(path, summary string) operation { return downloads(read("GET", path, summary)) }

// downloads makes the answer of an operation a download.
func downloads(o operation) operation {
	o.Description += " The content is a download, and never shown by a browser."
	o.Responses = map[string]*huma.Response{"200": {
		Description: "The bytes",
		Content:     map[string]*huma.MediaType{"application/octet-stream": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}},
	}}
	return o
}

// stalled is how long one write of a download may take: whoever reads nothing for
// so long has gone.
const stalled = time.Minute

// A flow is a response whose body is written as it comes.
type flow struct{ Body func(huma.Context) }

func (s *Server) downloadRaw(ctx context.Context, v postroom.Viewer, in *OfMail) (*flow, error) {
	m, err := s.mail(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	raw, size, err := s.Read.OpenRaw(ctx, v, m.ID)
	if err != nil {
		return nil, err
	}
	return &flow{func(ctx huma.Context) {
		defer raw.Close()
		_, w := humago.Unwrap(ctx)
		attach(w, "mail-"+m.ID.String()+".eml", "message/rfc822")
		w.Header().Set("Content-Length", strconv.FormatInt(size, 10))
		_, err := io.Copy(patient{w}, raw)
		s.cut(ctx.Context(), err)
	}}, nil
}

type attachmentInput struct {
	OfMail
	N int `path:"n" minimum:"0" doc:"Its number within the mail."`
}

func (s *Server) downloadAttachment(ctx context.Context, v postroom.Viewer, in *attachmentInput) (*flow, error) {
	m, err := s.mail(ctx, v, in.ID)
	if err != nil {
		return nil, err
	}
	if in.N >= len(m.Attachments) {
		return nil, &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: fmt.Sprintf("This mail has no attachment %d; it has %d of them, counted from 0.", in.N, len(m.Attachments)),
			Remedy:      "Choose one from the attachments of the mail.",
		}
	}
	raw, _, err := s.Read.OpenRaw(ctx, v, m.ID)
	if err != nil {
		return nil, err
	}
	return &flow{func(ctx huma.Context) {
		defer raw.Close()
		_, w := humago.Unwrap(ctx)
		attach(w, m.Attachments[in.N].Name, m.Attachments[in.N].Type)
		_, err := mime.Attachment(raw, in.N, patient{w})
		s.cut(ctx.Context(), err)
	}}, nil
}

// cut ends a download that broke off so that nobody takes it for complete.
func (s *Server) cut(ctx context.Context, err error) {
	if err == nil {
		return
	}
	if s.Log != nil && ctx.Err() == nil {
		s.Log.WarnContext(ctx, "download broke off", "err", err)
	}
	panic(http.ErrAbortHandler)
}

// attach sets the header of a download: a file to keep, that runs nothing and is
// taken for nothing else, wherever it is opened.
func attach(w http.ResponseWriter, name, mediaType string) {
	h := w.Header()
	if !plainType(mediaType) {
		mediaType = "application/octet-stream"
	}
	h.Set("Content-Type", mediaType)
	h.Set("Content-Disposition", disposition(name))
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Security-Policy", "sandbox; default-src 'none'")
}

// plainType says whether a media type that a mail claims can stand in a header
// (RFC 9110 section 8.3.1).
func plainType(t string) bool {
	kind, sub, found := strings.Cut(t, "/")
	token := func(s string) bool {
		return s != "" && len(s) <= 100 && !strings.ContainsFunc(s, func(r rune) bool {
			return r > unicode.MaxASCII || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("!#$&-^_.+", r)
		})
	}
	return found && token(kind) && token(sub)
}

// maxFileName is how many bytes of a file name are kept: file systems take 255.
const maxFileName = 200

// disposition is the value of Content-Disposition for a file to keep (RFC 6266):
// a plain name for all, and the name as it is for whoever understands RFC 8187.
func disposition(name string) string {
	name = fileName(name)
	plain := strings.Map(func(r rune) rune {
		if r > unicode.MaxASCII || strings.ContainsRune(`"\%`, r) {
			return '_'
		}
		return r
	}, name)
	value := `attachment; filename="` + plain + `"`
	if plain != name {
		value += "; filename*=UTF-8''" + strings.ReplaceAll(url.QueryEscape(name), "+", "%20")
	}
	return value
}

// fileName makes a name from outside one that is harmless in any directory: no
// path, no control, direction or invisible characters, no dot in front.
func fileName(name string) string {
	name = strings.Map(func(r rune) rune {
		switch {
		case strings.ContainsRune(`/\:*?<>|`, r):
			return '_'
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	name = strings.Trim(name, ". ")
	if len(name) > maxFileName {
		ending := ""
		if dot := strings.LastIndexByte(name, '.'); dot > 0 && len(name)-dot <= 10 {
			ending = name[dot:]
		}
		name = strings.ToValidUTF8(name[:maxFileName-len(ending)], "") + ending
	}
	if name == "" {
		return "attachment"
	}
	return name
}

// patient gives every write a deadline of its own, so that a long download is not
// cut while it moves.
type patient struct{ http.ResponseWriter }

func (p patient) Write(b []byte) (int, error) {
	// Not every writer has deadlines; one that has none needs no moving of them.
	_ = http.NewResponseController(p.ResponseWriter).SetWriteDeadline(time.Now().Add(stalled))
	return p.ResponseWriter.Write(b)
}
