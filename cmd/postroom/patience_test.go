package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Whoever asks and then reads nothing keeps nobody waiting for ever.
func TestAnswersThatNobodyTakesEnd(t *testing.T) {
	ended := make(chan error, 1)
	site := httptest.NewServer(patient(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		piece := make([]byte, 1<<20)
		for {
			if _, err := w.Write(piece); err != nil {
				ended <- err
				return
			}
		}
	}), 200*time.Millisecond))
	defer site.Close()
	conn, err := net.Dial("tcp", site.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := fmt.Fprint(conn, "GET / HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	select {
	case <-ended:
	case <-time.After(20 * time.Second):
		t.Fatal("an answer waits for ever for somebody to take it")
	}
}

// An answer may come slowly, and a stream is sent on at once.
func TestAnswersMayComeSlowly(t *testing.T) {
	const limit = 200 * time.Millisecond
	site := httptest.NewServer(patient(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for range 3 {
			_, _ = io.WriteString(w, "line\n")
			if err := http.NewResponseController(w).Flush(); err != nil {
				t.Errorf("Flush: %v", err)
			}
			select {
			case <-time.After(2 * limit):
			case <-r.Context().Done():
			}
		}
	}), limit))
	defer site.Close()
	answer, err := http.Get(site.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	lines := bufio.NewScanner(answer.Body)
	n := 0
	for lines.Scan() {
		n++
	}
	if n != 3 || lines.Err() != nil {
		t.Errorf("%d lines came, %v, want 3", n, lines.Err())
	}
}

// Every part of a request has a limit in time.
func TestRequestsHaveLimits(t *testing.T) {
	server := newServer(t.Context(), http.NotFoundHandler(), nil)
	if server.ReadHeaderTimeout <= 0 || server.ReadTimeout <= 0 || server.IdleTimeout <= 0 {
		t.Errorf("the server waits for ever: header %v, request %v, idle %v", server.ReadHeaderTimeout, server.ReadTimeout, server.IdleTimeout)
	}
}

// A stop lets through what is under way: nobody takes a request for done that was
// cut off.
func TestAStopLetsRequestsThrough(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	p := &process{Listener: listener, Log: slog.New(slog.DiscardHandler)}
	begun := make(chan struct{})
	served := make(chan error, 1)
	go func() {
		served <- p.serve(ctx, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			close(begun)
			<-ctx.Done()
			select {
			case <-r.Context().Done():
				t.Error("the request was given up at once")
			case <-time.After(50 * time.Millisecond):
				_, _ = io.WriteString(w, "done")
			}
		}))
	}()
	go func() { <-begun; stop() }()
	answer, err := http.Get("http://" + listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); string(body) != "done" || err != nil {
		t.Errorf("the answer is %q, %v", body, err)
	}
	if err := <-served; err != nil {
		t.Errorf("serve: %v", err)
	}
}
