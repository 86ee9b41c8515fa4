package web

import (
	"bytes"
	"context"
	"net/http"
	"time"

	"github.com/a-h/templ"
)

// A stream tells a page of what happens, part by part, as server-sent events.
type stream struct {
	out    http.ResponseWriter
	cancel func() // is called when nobody takes what is written
}

func (s *stream) open() {
	h := s.out.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	s.write([]byte("retry: 2000\n\n"))
}

// send tells one event whose data is a part of the page.
func (s *stream) send(ctx context.Context, event string, part templ.Component) {
	var html bytes.Buffer
	if err := part.Render(ctx, &html); err != nil {
		s.cancel()
		return
	}
	message := []byte("event: " + event + "\n")
	for line := range bytes.SplitSeq(bytes.ReplaceAll(html.Bytes(), []byte("\r"), []byte("\n")), []byte("\n")) {
		message = append(append(append(message, "data: "...), line...), '\n')
	}
	s.write(append(message, '\n'))
}

func (s *stream) write(message []byte) {
	out := http.NewResponseController(s.out)
	_ = out.SetWriteDeadline(time.Now().Add(liveWrite)) // not every connection has one
	if _, err := s.out.Write(message); err != nil || out.Flush() != nil {
		s.cancel()
	}
}

// nothing is a part of a page with nothing in it.
func nothing() templ.Component { return templ.NopComponent }
