package work

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestGateKeepsBothLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gate{Total: 5, PerKey: 2, Spread: 100 * time.Millisecond}
		var (
			mu         sync.Mutex
			all, mostA int
			each       = map[string]int{}
			mostEach   int
			wg         sync.WaitGroup
		)
		for i := range 100 {
			key := fmt.Sprint("server", i%4)
			wg.Go(func() {
				leave, err := g.Enter(t.Context(), key)
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				mu.Lock()
				all++
				each[key]++
				mostA, mostEach = max(mostA, all), max(mostEach, each[key])
				mu.Unlock()
				time.Sleep(time.Second)
				mu.Lock()
				all--
				each[key]--
				mu.Unlock()
			})
		}
		wg.Wait()
		if mostA != 5 || mostEach != 2 {
			t.Errorf("at most %d in all and %d of a key, want 5 and 2", mostA, mostEach)
		}
		if len(g.lanes) != 0 || len(g.all) != 0 {
			t.Errorf("%d lanes and %d places still taken, want none", len(g.lanes), len(g.all))
		}
	})
}

func TestFreeGateIsEnteredAtOnceAndQueueIsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gate{PerKey: 1, Spread: 2 * time.Second, Random: func() float64 { return 0.5 }}
		start := time.Now()
		var at []time.Duration
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				leave, err := g.Enter(t.Context(), "imap.example.net")
				if err != nil {
					t.Error(err)
					return
				}
				defer leave()
				at = append(at, time.Since(start))
				time.Sleep(10 * time.Second)
			})
		}
		wg.Wait()
		if want := seconds(0, 11, 22); !slices.Equal(at, want) {
			t.Errorf("entered at %v, want %v", at, want)
		}
	})
}

func TestSlowServerHoldsUpOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gate{Total: 3, PerKey: 2}
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if leave, err := g.Enter(ctx, "slow"); err == nil {
					<-ctx.Done()
					leave()
				}
			})
		}
		synctest.Wait()
		leave, err := g.Enter(ctx, "quick")
		if err != nil {
			t.Fatal(err)
		}
		leave()
		cancel()
		wg.Wait()
	})
}

func TestGivingUpTakesNoPlace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gate{Total: 1, PerKey: 1}
		leave, err := g.Enter(t.Context(), "a")
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b"} { // one waits for the key, one for the whole
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := g.Enter(ctx, key); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Enter(%s) = %v, want the deadline", key, err)
			}
			cancel()
		}
		leave()
		leave() // harmless
		for _, key := range []string{"a", "b"} {
			leave, err := g.Enter(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			leave()
		}
	})
}

func TestEndedContextNeverEnters(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	var g Gate
	if _, err := g.Enter(ctx, "a"); !errors.Is(err, context.Canceled) {
		t.Errorf("Enter() = %v, want context.Canceled", err)
	}
}
