package alert

import (
	"context"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestLostSignInIsToldWithinAMoment(t *testing.T) {
	p := newPlace(t, sqlite(t))
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	p.mailbox("sales")
	id := p.mailbox("support")
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- p.Run(ctx) }()
	time.Sleep(50 * time.Millisecond) // so that it is an event that wakes it
	p.trouble(lost(), id)
	for began := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		p.mu.Lock()
		n := len(p.sent)
		p.mu.Unlock()
		if n == 1 {
			break
		}
		if time.Since(began) > lookEvery-time.Second {
			t.Fatal("nobody is told")
		}
	}
	cancel()
	if err := <-done; err != nil {
		t.Errorf("Run = %v", err)
	}
}

// benchmarkLook looks at 10,000 mailboxes, so many of which are in trouble.
func benchmarkLook(b *testing.B, troubled int) {
	p := newPlace(b, sqlite(b))
	ids := p.mailboxes(10_000, settings("staff", "imap.example.com"))
	p.trouble(lost(), ids[:troubled]...)
	p.look()
	for b.Loop() {
		p.look()
	}
}

func BenchmarkLook(b *testing.B)               { benchmarkLook(b, 20) }
func BenchmarkLookAtAllInTrouble(b *testing.B) { benchmarkLook(b, 10_000) }
