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

func TestWhatLiesAboutGoesBackWhenItIsCalm(t *testing.T) {
	defer debug.SetGCPercent(debug.SetGCPercent(usualGrowth)) // whatever GOGC says
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- tendMemory(ctx) }()
		alive := make([]byte, 2*muchAlive)
		burst(4 * muchAlive)
		runtime.GC()
		before := readMemory()
		time.Sleep(2 * time.Minute)
		after := readMemory()
		if after.cycles <= before.cycles || after.idle > muchAlive {
			t.Errorf("%d bytes lie about, after %d runs of the collector", after.idle, after.cycles-before.cycles)
		}
		runtime.KeepAlive(alive)
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// burst takes so many bytes and lets them go.
func burst(sizeBytes int) {
	b := make([]byte, sizeBytes)
	for i := 0; i < len(b); i += 4096 {
		b[i] = 1
	}
	runtime.KeepAlive(b)
}
