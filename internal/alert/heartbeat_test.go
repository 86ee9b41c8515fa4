package alert

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestHeartbeatStopsWhenTheProcessIsNotWell(t *testing.T) {
	var beats, answer atomic.Int64
	answer.Store(http.StatusOK)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/ping/s3cret" || r.Method != http.MethodGet {
			t.Errorf("asked for %s %s", r.Method, r.URL)
		}
		beats.Add(1)
		w.WriteHeader(int(answer.Load()))
	}))
	defer server.Close()
	var log bytes.Buffer
	var wrong error
	h := &Heartbeat{URL: postroom.Hide(server.URL + "/ping/s3cret"), Alive: func(context.Context) error { return wrong }, Log: slog.New(slog.NewTextHandler(&log, nil))}
	turns := func(what string, n int, want int64) {
		t.Helper()
		beats.Store(0)
		for range n {
			h.turn(t.Context())
		}
		if got := beats.Load(); got != want {
			t.Errorf("%s: %d beats in %d turns, want %d", what, got, n, want)
		}
	}
	turns("all is well", 3, 3)
	wrong = errors.New("the database does not answer")
	turns("it is not well", 3, 0)
	wrong = nil
	turns("it is well again", 1, 1)
	answer.Store(http.StatusNotFound)
	turns("the watcher does not know us", 2, 2)
	server.Close()
	turns("the watcher is gone", 2, 0)
	h.URL = postroom.Hide("http://[s3cret")
	turns("the address is none", 1, 0)
	if n := strings.Count(log.String(), "no heartbeat"); n != 2 {
		t.Errorf("the log tells %d times that it does not beat, want twice:\n%s", n, log.String())
	}
	if strings.Count(log.String(), "is back") != 1 || strings.Contains(log.String(), "s3cret") {
		t.Errorf("the log says\n%s", log.String())
	}
}

func TestHeartbeatGoesOnUntilItsEnd(t *testing.T) {
	var beats atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { beats.Add(1) }))
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	h := &Heartbeat{URL: postroom.Hide(server.URL), Every: time.Millisecond, Alive: func(context.Context) error {
		if beats.Load() >= 3 {
			cancel()
		}
		return nil
	}, Log: slog.New(slog.DiscardHandler)}
	if err := h.Run(ctx); err != nil || beats.Load() < 3 {
		t.Errorf("Run = %v after %d beats", err, beats.Load())
	}
}
