package main

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
	"testing/synctest"
	"time"
)

func TestMuchThatIsAliveGrowsLess(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(usualGrowth)) // whatever GOGC says
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- tendMemory(ctx) }()
		alive := make([]byte, 2*muchAlive)
		runtime.GC()
		time.Sleep(11 * time.Second)
		if got := gcPercent(); got != smallGrowth {
			t.Errorf("with much alive memory grows by %d percent, want %d", got, smallGrowth)
		}
		runtime.KeepAlive(alive) // and no longer
		runtime.GC()
		time.Sleep(10 * time.Second)
		if got := gcPercent(); got != usualGrowth {
			t.Errorf("with little alive memory grows by %d percent, want %d", got, usualGrowth)
		}
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
