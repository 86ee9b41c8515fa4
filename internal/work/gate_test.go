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
				leave, err := g.Enter(t.Context(), key, 0)
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
		if len(g.lanes) != 0 || g.all.taken != 0 {
			t.Errorf("%d lanes and %d places still taken, want none", len(g.lanes), g.all.taken)
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
				leave, err := g.Enter(t.Context(), "imap.example.net", 0)
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
				if leave, err := g.Enter(ctx, "slow", 0); err == nil {
					<-ctx.Done()
					leave()
				}
			})
		}
		synctest.Wait()
		leave, err := g.Enter(ctx, "quick", 0)
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
		leave, err := g.Enter(t.Context(), "a", 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"a", "b"} { // one waits for the key, one for the whole
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			if _, err := g.Enter(ctx, key, 0); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Enter(%s) = %v, want the deadline", key, err)
			}
			cancel()
		}
		leave()
		leave() // harmless
		for _, key := range []string{"a", "b"} {
			leave, err := g.Enter(t.Context(), key, 0)
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
	if _, err := g.Enter(ctx, "a", 0); !errors.Is(err, context.Canceled) {
		t.Errorf("Enter() = %v, want context.Canceled", err)
	}
}

func TestTheMostUrgentEntersFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gate{PerKey: 1}
		leave, err := g.Enter(t.Context(), "server", 0)
		if err != nil {
			t.Fatal(err)
		}
		var order []int64
		var wg sync.WaitGroup
		for _, urgency := range []int64{1, 3, 2, 3} {
			wg.Go(func() {
				leave, err := g.Enter(t.Context(), "server", urgency)
				if err != nil {
					t.Error(err)
					return
				}
				order = append(order, urgency)
				leave()
			})
		}
		synctest.Wait()
		leave()
		wg.Wait()
		if want := []int64{3, 3, 2, 1}; !slices.Equal(order, want) {
			t.Errorf("entered in the order %v, want %v", order, want)
		}
	})
}

func TestAnEasedKeyTakesFewerUntilItGoesWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &Gate{PerKey: 8}
		inside := func() int { // how many get in at once
			ctx, cancel := context.WithCancel(t.Context())
			var wg sync.WaitGroup
			var mu sync.Mutex
			n := 0
			for range 20 {
				wg.Go(func() {
					if leave, err := g.Enter(ctx, "server", 0); err == nil {
						mu.Lock()
						n++
						mu.Unlock()
						<-ctx.Done()
						leave()
					}
				})
			}
			synctest.Wait()
			cancel()
			wg.Wait()
			return n
		}
		leave, err := g.Enter(t.Context(), "server", 0)
		if err != nil {
			t.Fatal(err)
		}
		g.Ease("server")
		g.Ease("server")
		leave()
		if got := inside(); got != 2 {
			t.Errorf("%d get in after it was eased twice, want 2", got)
		}
		for range 50 {
			leave, err := g.Enter(t.Context(), "server", 0)
			if err != nil {
				t.Fatal(err)
			}
			leave()
		}
		if got := inside(); got != 8 {
			t.Errorf("%d get in after 50 openings that went well, want 8", got)
		}
		if len(g.lanes) != 0 {
			t.Errorf("%d lanes are kept, want none", len(g.lanes))
		}
	})
}

func TestWithdrawalAndGrantAtOnceLoseNoPlace(t *testing.T) {
	var g Gate
	g.PerKey = 2
	var wg sync.WaitGroup
	for i := range 200 {
		wg.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i%5)*100*time.Microsecond)
			defer cancel()
			if leave, err := g.Enter(ctx, "server", int64(i%3)); err == nil {
				time.Sleep(50 * time.Microsecond)
				leave()
			}
		})
	}
	wg.Wait()
	if g.all.taken != 0 || len(g.lanes) != 0 {
		t.Errorf("%d places taken, %d lanes, want none", g.all.taken, len(g.lanes))
	}
}
