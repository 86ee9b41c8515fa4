package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

const (
	// heartbeat is how often a stream says that it lives, so that nothing between
	// here and the browser gives it up.
	heartbeat = 25 * time.Second
	// liveLook is how often the database is asked without a nudge: another node may
	// have written.
	liveLook = 2 * time.Second
	// liveGather is how long changes are gathered before they are read together.
	liveGather = 100 * time.Millisecond
	// liveLasts is how long one stream lasts; the browser opens the next one.
	liveLasts = 5 * time.Minute
	// liveWrite is how long a browser may take to accept what is written.
	liveWrite = 10 * time.Second
)

// A told is one event as the page hears of it: enough to ask for what has changed.
type told struct {
	Position int64  `json:"position"`
	Type     string `json:"type"`
	Issue    string `json:"issue,omitempty"`
	Mailbox  string `json:"mailbox,omitempty"`
}

// live handles GET /live: server-sent events for a page that is open, from a
// position on. However much happens, it asks the database once for each change,
// and each time whether the session is still good and whose it is.
func (s *Server) live(w http.ResponseWriter, r *http.Request, _ visitor) error {
	after := s.livePosition(r)
	out := http.NewResponseController(w)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no")
	send := func(text string) bool {
		_ = out.SetWriteDeadline(time.Now().Add(liveWrite)) // not every connection has one
		_, err := w.Write([]byte(text))
		return err == nil && out.Flush() == nil
	}
	if !send("retry: 2000\n\n") {
		return nil
	}
	beat, look := time.NewTicker(heartbeat), time.NewTicker(liveLook)
	defer beat.Stop()
	defer look.Stop()
	end := time.NewTimer(liveLasts)
	defer end.Stop()
	for {
		by, err := s.visitor(r)
		if err != nil {
			return nil // the browser comes again, and hears then that it is signed out
		}
		changed := s.Reader.Changed()
		text, seen, more, err := s.tellEvents(r, by.Viewer, after)
		if err != nil {
			s.log().WarnContext(r.Context(), "live page not told", "err", err)
			return nil // the browser comes again, from where it was
		}
		after = seen
		if text != "" && !send(text) {
			return nil
		}
		if more {
			continue
		}
		select {
		case <-changed:
			wait := time.NewTimer(liveGather)
			select {
			case <-wait.C:
			case <-s.Stopping:
				wait.Stop()
			case <-r.Context().Done():
				wait.Stop()
			}
		case <-look.C:
		case <-beat.C:
			if !send(": here\n\n") {
				return nil
			}
		case <-end.C:
			return nil
		case <-s.Stopping:
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
}

// livePosition is where a stream begins: behind what the browser heard last (the
// standard's Last-Event-ID), or behind what the page knows.
func (s *Server) livePosition(r *http.Request) int64 {
	for _, text := range []string{r.Header.Get("Last-Event-ID"), r.FormValue("after")} {
		if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
			return n
		}
	}
	if n, err := s.Reader.LastEvent(r.Context()); err == nil {
		return n
	}
	return 0
}

// tellEvents writes the events after a position. Several events of one issue or
// one mailbox are told once.
func (s *Server) tellEvents(r *http.Request, v postroom.Viewer, after int64) (text string, seen int64, more bool, err error) {
	events, seen, err := s.Reader.EventsThrough(r.Context(), v, after, store.MaxPage)
	if err != nil {
		return "", after, false, err
	}
	last := make(map[topic]int64)
	for _, e := range events {
		last[topicOf(e)] = e.Position
	}
	var b []byte
	for _, e := range events {
		if last[topicOf(e)] != e.Position {
			continue
		}
		t := told{Position: e.Position, Type: string(e.Type)}
		if e.Issue != 0 {
			t.Issue = e.Issue.String()
		}
		if e.Mailbox != 0 {
			t.Mailbox = e.Mailbox.String()
		}
		data, err := json.Marshal(t)
		if err != nil {
			return "", after, false, err
		}
		b = fmt.Appendf(b, "id: %d\nevent: change\ndata: %s\n\n", e.Position, data)
	}
	return string(b), seen, seen > after && len(events) == store.MaxPage, nil
}

// A topic is what an event is about.
type topic struct {
	issue   postroom.IssueID
	mailbox postroom.MailboxID
	isAlert bool
}

func topicOf(e postroom.Event) topic {
	return topic{e.Issue, e.Mailbox, strings.HasPrefix(string(e.Type), "alert.")}
}
