package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/postroom/postroom"
)

// Event is something that happened.
type Event struct {
	ID       string    `json:"id" doc:"Derived from the fact: the same when it is told again."`
	Position int64     `json:"position" doc:"Whoever has seen a position never misses a later one."`
	Type     string    `json:"type"`
	At       time.Time `json:"at"`
	Mailbox  *string   `json:"mailbox"`
	Issue    *string   `json:"issue"`
	Historic bool      `json:"historic"`
}

func showEvent(e postroom.Event) Event {
	return Event{e.ID, e.Position, string(e.Type), e.At, reference(e.Mailbox), reference(e.Issue), e.Historic}
}

type eventsInput struct {
	Paging
	After int64 `query:"after" minimum:"0" doc:"Only events behind this position."`
}

// listEvents answers the events behind a position. next_cursor is a position too.
func (s *Server) listEvents(ctx context.Context, v postroom.Viewer, in *eventsInput) (*answer[list[Event]], error) {
	if in.Cursor != "" {
		after, err := strconv.ParseInt(in.Cursor, 10, 64)
		if err != nil || after < 0 {
			return nil, unfit("cursor", "This cursor does not belong to this list.", "Follow next_cursor, or give the position of the last event as after.")
		}
		in.After = after
	}
	events, next, err := s.events(ctx, v, in.After, min(in.Limit, maxList))
	return answerOf(listOf(events, next, showEvent), err)
}

// events looks behind a position until it has limit events or there are no more:
// one look may pass over thousands that are not for v.
func (s *Server) events(ctx context.Context, v postroom.Viewer, after int64, limit int) (all []postroom.Event, next string, err error) {
	for {
		some, seen, err := s.Read.EventsThrough(ctx, v, after, limit-len(all))
		if err != nil {
			return nil, "", err
		}
		if all = append(all, some...); len(all) == limit {
			return all, strconv.FormatInt(seen, 10), nil
		}
		if seen <= after {
			return all, "", nil
		}
		after = seen
	}
}

const (
	maxList   = 500
	heartbeat = 15 * time.Second // between two signs of life
	look      = 2 * time.Second  // between two looks without a nudge: another process may have written
)

func stream(path, summary string) operation {
	o := read("GET", path, summary)
	o.Description += " Server-sent events: “id” is the position, “event” the type, “data” the event as JSON. " +
		"A comment comes every 15 seconds. Goes on behind Last-Event-ID, or behind the position after; without either, with what happens from now on."
	o.Responses = map[string]*huma.Response{"200": {
		Description: "Events, as they happen",
		Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}}
	return o
}

type streamInput struct {
	After       string `query:"after" doc:"Only events behind this position."`
	LastEventID string `header:"Last-Event-ID" doc:"As browsers send it when they come back; counts more than after."`
}

func (s *Server) streamEvents(ctx context.Context, _ postroom.Viewer, in *streamInput) (*flow, error) {
	from := in.LastEventID
	if from == "" {
		from = in.After
	}
	var after int64
	var err error
	if from == "" {
		after, err = s.Read.LastEvent(ctx)
		if err != nil {
			return nil, err
		}
	} else if after, err = strconv.ParseInt(from, 10, 64); err != nil || after < 0 {
		return nil, unfit("after", "A position is a whole number.", "Give the position of the last event that you have seen.")
	}
	return &flow{func(ctx huma.Context) {
		r, w := humago.Unwrap(ctx)
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // a proxy in front passes it on at once
		if err := s.follow(r, w, after); err != nil && r.Context().Err() == nil && s.Log != nil {
			s.Log.WarnContext(r.Context(), "event stream ended", "err", err)
		}
	}}, nil
}

// follow writes events until the connection, the token or the process ends. It
// looks at the token anew before every look at the events.
func (s *Server) follow(r *http.Request, w http.ResponseWriter, after int64) error {
	ctx := r.Context()
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	again := time.NewTicker(look)
	defer again.Stop()
	text := []byte(": hello\n\n")
	for {
		if len(text) > 0 {
			if err := send(w, text); err != nil {
				return nil // whoever listened has gone
			}
		}
		v, err := s.whoAsks(r)
		if err != nil {
			return nil // the token was revoked
		}
		changed := s.Read.Changed() // before looking, so that nothing falls between
		events, seen, err := s.Read.EventsThrough(ctx, v, after, maxList)
		if err != nil {
			return err
		}
		if text = eventText(events); seen > after {
			after = seen
			continue
		}
		select {
		case <-ctx.Done():
			return nil
		case <-s.Stopping:
			return nil
		case <-changed:
		case <-again.C:
		case <-alive.C:
			text = []byte(": still here\n\n")
		}
	}
}

func eventText(events []postroom.Event) []byte {
	var b bytes.Buffer
	for _, e := range events {
		data, err := json.Marshal(showEvent(e))
		if err != nil {
			continue // strings and numbers always marshal
		}
		fmt.Fprintf(&b, "id: %d\nevent: %s\ndata: %s\n\n", e.Position, e.Type, data)
	}
	return b.Bytes()
}

func send(w http.ResponseWriter, text []byte) error {
	if _, err := (patient{w}).Write(text); err != nil {
		return err
	}
	return http.NewResponseController(w).Flush()
}
