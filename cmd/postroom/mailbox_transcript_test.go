package main

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

func TestTranscriptOnTheCommandLine(t *testing.T) {
	data := t.TempDir()
	say(t, "x\n", "mailbox", "add", "a@example.net", "--imap", "mail.example.net", "--password-stdin", "--data", data)
	transcript := func(args ...string) spoken {
		t.Helper()
		return say(t, "", append([]string{"mailbox", "transcript", "a@example.net", "--data", data}, args...)...)
	}
	s := transcript("--last")
	wantWords(t, s, exitGood)
	if !strings.Contains(s.err, "Nothing was written down") {
		t.Errorf("it says %q", s.err)
	}
	wantWords(t, transcript("--minutes", "90"), exitWrongUse, "1 to 60")

	db, err := store.Open(t.Context(), store.Options{Path: data + "/postroom.db"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	m, err := db.MailboxByAddress(t.Context(), "a@example.net")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.BeginTranscript(t.Context(), m.ID, 0, time.Hour); err != nil {
		t.Fatal(err)
	}
	lines := make([]store.TranscriptLine, 700) // more than a page of the API
	for n := range lines {
		lines[n] = store.TranscriptLine{At: time.Now(), Session: "1-1", Direction: 'S', Line: "* OK hello"}
	}
	lines[699] = store.TranscriptLine{At: time.Now(), Session: "1-1", Direction: 'C', Line: "P9 LOGOUT"}
	if err := db.RecordTranscript(t.Context(), m.ID, lines); err != nil {
		t.Fatal(err)
	}
	s = transcript("--last")
	wantWords(t, s, exitGood, "S: * OK hello", "C: P9 LOGOUT")
	if n := strings.Count(s.out, "\n"); n != 700 {
		t.Errorf("%d lines, want 700", n)
	}
	wantWords(t, transcript("--last", "--json"), exitGood, `"direction":"C","line":"P9 LOGOUT"`)
}

func TestTranscriptEndsWithWhoeverWatchesIt(t *testing.T) {
	data := t.TempDir()
	say(t, "x\n", "mailbox", "add", "a@example.net", "--imap", "mail.example.net", "--password-stdin", "--data", data)
	ctx, cancel := context.WithCancel(t.Context())
	out, complaints := new(heardText), new(heardText)
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"mailbox", "transcript", "a@example.net", "--data", data}, terminal{strings.NewReader(""), out, complaints})
	}()
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(complaints.String(), "Ctrl-C ends this") && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if code := <-done; code != exitGood {
		t.Errorf("exit %d: %s", code, complaints)
	}
	db, err := store.Open(t.Context(), store.Options{Path: data + "/postroom.db"})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	got, ok, err := db.Reader().TranscriptOf(t.Context(), postroom.MailboxID(1))
	if err != nil || !ok || time.Now().Before(got.Until) {
		t.Errorf("the transcript goes on until %v (%v, %v)", got.Until, ok, err)
	}
}

// heardText is what a command prints while it runs.
type heardText struct {
	mu   sync.Mutex
	text strings.Builder
}

func (h *heardText) Write(p []byte) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.Write(p)
}

func (h *heardText) String() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.text.String()
}
