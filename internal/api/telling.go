package api

import (
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

const eventStream = "text/event-stream"

// Accepts says what kind of answer somebody wants.
type Accepts struct {
	Accept string `header:"Accept" doc:"With text/event-stream each step is told as it comes."`
}

// wantsEvents says whether server-sent events are asked for by name.
func (a Accepts) wantsEvents() bool {
	for _, one := range strings.Split(a.Accept, ",") {
		if kind, _, err := mime.ParseMediaType(one); err == nil && kind == eventStream {
			return true
		}
	}
	return false
}

// tells says that an operation answers a T, or tells its steps as they come.
func tells[T any](e *edge, o operation) operation {
	registry := e.api.OpenAPI().Components.Schemas
	o.Description += " With “Accept: text/event-stream” it answers server-sent events: a “step” with each step as JSON when it begins, whenever there is something new to say of it, " +
		"and when it is through; then one “result” with what it would have answered otherwise, or one “problem”."
	o.Responses = map[string]*huma.Response{"200": {
		Description: "OK",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: registry.Schema(reflect.TypeFor[T](), true, "")},
			eventStream:        {Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}}
	return o
}

// telling answers with what do returns, as one document; or tells its steps as they
// come, and that last. It ends when the process is about to.
func (s *Server) telling(a Accepts, do func(ctx context.Context, tell func(step any)) (any, error)) *flow {
	return &flow{func(hc huma.Context) {
		r, w := humago.Unwrap(hc)
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		defer s.whenStopping(ctx, cancel)()
		t := &teller{w: w, events: a.wantsEvents()}
		result, err := do(ctx, t.step)
		switch {
		case err != nil && t.begun:
			t.event("problem", s.problem(ctx, err))
		case err != nil:
			s.refuse(w, r, err)
		case t.events:
			t.event("result", result)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(patient{w}).Encode(result) // whoever asked may have gone
		}
	}}
}

// whenStopping cancels when the process is about to end; wait ends that.
func (s *Server) whenStopping(ctx context.Context, cancel context.CancelFunc) (wait func()) {
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		select {
		case <-s.Stopping:
			cancel()
		case <-ctx.Done():
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// A teller writes events. What nobody reads any more is lost.
type teller struct {
	w      http.ResponseWriter
	events bool
	begun  bool
}

func (t *teller) step(step any) {
	if t.events {
		t.event("step", step)
	}
}

func (t *teller) event(name string, what any) {
	if !t.begun {
		t.begun = true
		t.w.Header().Set("Content-Type", eventStream)
		t.w.Header().Set("X-Accel-Buffering", "no") // a proxy in front passes it on at once
	}
	text, err := json.Marshal(what)
	if err != nil {
		return // what the API shows always marshals
	}
	_ = send(t.w, fmt.Appendf(nil, "event: %s\ndata: %s\n\n", name, text))
}
