package work

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
)

// turns runs l in a bubble until the clock has moved by during, and returns the
// moments of its turns, counted from the start.
func turns(t *testing.T, l *Loop, during time.Duration, turn func(n int) (int, time.Time, error)) []time.Duration {
	t.Helper()
	var at []time.Duration
	start := time.Now()
	l.Turn = func(context.Context) (int, time.Time, error) {
		at = append(at, time.Since(start))
		return turn(len(at))
	}
	ctx, cancel := context.WithTimeout(t.Context(), during)
	defer cancel()
	if err := l.Run(ctx); err != nil {
		t.Errorf("Run() = %v, want nil", err)
	}
	return at
}

func seconds(n ...float64) []time.Duration {
	var d []time.Duration
	for _, s := range n {
		d = append(d, time.Duration(s*float64(time.Second)))
	}
	return d
}

func TestLoopWakes(t *testing.T) {
	quiet := slog.New(slog.DiscardHandler)
	broken := errors.New("no disk")
	none := time.Time{}
	tests := map[string]struct {
		turn func(start time.Time, n int) (int, time.Time, error)
		want []time.Duration
	}{
		"after its interval": {
			func(time.Time, int) (int, time.Time, error) { return 0, none, nil }, seconds(0, 10, 20),
		},
		"at once while there is something to do": {
			func(_ time.Time, n int) (int, time.Time, error) { return max(0, 3-n), none, nil }, seconds(0, 0, 0, 10, 20),
		},
		"when the next thing comes due": {
			func(start time.Time, n int) (int, time.Time, error) {
				if n == 1 {
					return 0, start.Add(4 * time.Second), nil
				}
				return 0, start.Add(time.Hour), nil
			}, seconds(0, 4, 14, 24),
		},
		"a little later where what is due is not taken": {
			func(start time.Time, n int) (int, time.Time, error) {
				if n < 3 {
					return 0, start, nil
				}
				return 0, none, nil
			}, seconds(0, 0.05, 0.1, 10.1, 20.1),
		},
		"after growing pauses when turns go wrong": {
			func(_ time.Time, n int) (int, time.Time, error) {
				if n <= 3 {
					return 0, none, broken
				}
				return 0, none, nil
			}, seconds(0, 1, 3, 7, 17),
		},
		"with a first pause again after a good turn": {
			func(_ time.Time, n int) (int, time.Time, error) {
				if n == 3 {
					return 1, none, nil
				}
				if n <= 4 {
					return 0, none, broken
				}
				return 0, none, nil
			}, seconds(0, 1, 3, 3, 4, 14, 24),
		},
		"not before the pause that a server asked for": {
			func(_ time.Time, n int) (int, time.Time, error) {
				if n == 1 {
					return 0, none, &postroom.Fault{Kind: postroom.Delayed, RetryAfter: 15 * time.Second}
				}
				return 0, none, nil
			}, seconds(0, 15),
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				l := &Loop{Interval: 10 * time.Second, Delay: Delay{Jitter: -1}, Log: quiet}
				got := turns(t, l, 24500*time.Millisecond, func(n int) (int, time.Time, error) { return test.turn(start, n) })
				if !slices.Equal(got, test.want) {
					t.Errorf("turns at %v, want %v", got, test.want)
				}
			})
		})
	}
}

func TestNudges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nudge := make(chan struct{}, 1)
		done := make(chan struct{})
		go func() {
			defer close(done)
			time.Sleep(3 * time.Second)
			Ring(nudge)
			Ring(nudge) // the first is still unheard, or heard: either way nobody waits
			time.Sleep(3 * time.Second)
			close(nudge)
		}()
		l := &Loop{Interval: 10 * time.Second, Nudge: nudge}
		got := turns(t, l, 12*time.Second, func(int) (int, time.Time, error) { return 0, time.Time{}, nil })
		<-done
		if want := seconds(0, 3, 6); !slices.Equal(slices.Compact(got), want) {
			t.Errorf("turns at %v, want %v: a closed channel is no endless nudge", got, want)
		}
	})
}

func TestNoNudgeCutsAPauseShort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		nudge := make(chan struct{}, 1)
		Ring(nudge)
		l := &Loop{Nudge: nudge, Delay: Delay{First: 5 * time.Second, Jitter: -1}, Log: slog.New(slog.DiscardHandler)}
		got := turns(t, l, 9*time.Second, func(int) (int, time.Time, error) { return 0, time.Time{}, errors.New("no disk") })
		if want := seconds(0, 5); !slices.Equal(got, want) {
			t.Errorf("turns at %v, want %v", got, want)
		}
	})
}

func TestLoopLogsAStreakOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log bytes.Buffer
		l := &Loop{Name: "intake", Delay: Delay{Jitter: -1}, Log: slog.New(slog.NewTextHandler(&log, nil))}
		turns(t, l, time.Minute, func(n int) (int, time.Time, error) {
			if n <= 4 {
				return 0, time.Time{}, errors.New("no disk")
			}
			return 0, time.Time{}, nil
		})
		if got := strings.Count(log.String(), "\n"); got != 2 {
			t.Errorf("%d log lines, want 2:\n%s", got, log.String())
		}
		for _, want := range []string{"work stands still", "no disk", "work goes on", "failures=4", "work=intake"} {
			if !strings.Contains(log.String(), want) {
				t.Errorf("no %q in the log:\n%s", want, log.String())
			}
		}
	})
}

func TestStopIsNoFailure(t *testing.T) {
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(t.Context())
	l := &Loop{Log: slog.New(slog.NewTextHandler(&log, nil))}
	l.Turn = func(ctx context.Context) (int, time.Time, error) {
		cancel()
		return 0, time.Time{}, ctx.Err()
	}
	if err := l.Run(ctx); err != nil || log.Len() > 0 {
		t.Errorf("Run() = %v with the log %q, want nil and no log", err, log.String())
	}
}
