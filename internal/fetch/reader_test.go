package fetch

import (
	"testing"
	"testing/synctest"
	"time"
)

// A mailbox may wait long for its turn, and a server may be slow to refuse. That is
// no connection that has worked: the pauses between tries keep growing.
func TestOnlyAConnectionSurvives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &reader{}
		time.Sleep(2 * survival)
		if r.hasSurvived() {
			t.Error("a try that opened nothing has survived")
		}
		r.openedAt = time.Now()
		time.Sleep(survival)
		if r.hasSurvived() {
			t.Error("a connection has survived after no more than the least")
		}
		time.Sleep(time.Second)
		if !r.hasSurvived() {
			t.Error("a connection of over a minute has not survived")
		}
	})
}

// Whatever it is that has gone wrong meanwhile, a login delay (RFC 2449 section 6.5)
// is waited for.
func TestPauseKeepsTheLoginDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		r := &reader{wake: make(chan struct{}, 1), nextTry: now.Add(time.Second)}
		r.mayLogIn = now.Add(5 * time.Minute)
		if !r.pause(t.Context()) {
			t.Fatal("the pause has no end")
		}
		if paused := time.Since(now); paused < 5*time.Minute {
			t.Errorf("the next try came after %v, before the server wants it", paused)
		}
	})
}
