package web

import (
	"context"
	"io"
	"strings"

	"github.com/a-h/templ"
)

// Render writes a passage as it is, to the last blank: within it white space counts,
// and a template would add its own.
func (p passage) Render(_ context.Context, w io.Writer) error {
	var b strings.Builder
	b.WriteString("<div>")
	for _, piece := range p.Pieces {
		if piece.Href == "" {
			b.WriteString(templ.EscapeString(piece.Text))
			continue
		}
		b.WriteString(`<a href="` + templ.EscapeString(string(link(piece.Href))) + `" target="_blank" rel="noopener noreferrer">`)
		b.WriteString(templ.EscapeString(piece.Text) + "</a>")
	}
	b.WriteString("</div>")
	_, err := io.WriteString(w, b.String())
	return err
}
