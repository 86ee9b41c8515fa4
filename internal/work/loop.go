package work

import (
	"context"
	"log/slog"
	"time"

	"github.com/postroom/postroom"
)

// A Loop takes turns at a queue for as long as there is something in it, then
// waits for a nudge, for the next thing to come due, or for Interval to pass.
type Loop struct {
	Name string // for the log

	// Turn does one bounded piece of work. It says how many things it did, and
	// when the next one comes due (zero: nobody knows). It is called again at once
	// while it does something, and after a pause when it returns an error.
	Turn func(ctx context.Context) (did int, next time.Time, err error)

	// Nudge says "look now". It is a hint: what it announces is found by the
	// Interval too. See [Ring].
	Nudge <-chan struct{}

	Interval time.Duration // look at least this often; 0: a minute
	Delay    Delay         // the pauses after turns that went wrong
	Log      *slog.Logger  // nil: the default one
}

// shortestPause keeps a loop from spinning when the next thing is due already,
// yet Turn does not take it: its clock may be a little behind ours.
const shortestPause = 50 * time.Millisecond

// Ring nudges a loop that reads c, which should have room for one. It never
// waits: a nudge that nobody has heard yet is enough.
func Ring(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// Run takes turns until ctx ends, then returns nil. A turn that goes wrong is
// tried again after a pause that grows with the streak and that no nudge cuts
// short. The log has one line for the beginning of a streak and one for its end.
func (l *Loop) Run(ctx context.Context) error {
	var failures int
	nudge := l.Nudge
	for ctx.Err() == nil {
		did, next, err := l.Turn(ctx)
		if ctx.Err() != nil {
			return nil // also what the turn says is then about the stop
		}
		if err != nil {
			failures++
			if failures == 1 {
				l.log().WarnContext(ctx, "work stands still", "work", l.Name, "err", err)
			}
			sleep(ctx, l.Delay.AfterAsked(failures, askedPause(err)))
			continue
		}
		if failures > 0 {
			l.log().InfoContext(ctx, "work goes on", "work", l.Name, "failures", failures)
			failures = 0
		}
		if did > 0 {
			continue
		}
		if !wait(ctx, nudge, l.pause(next)) {
			nudge = nil // closed: nobody will ring again
		}
	}
	return nil
}

// pause returns how long an idle loop waits when the next thing is due at next.
func (l *Loop) pause(next time.Time) time.Duration {
	pause := l.Interval
	if pause <= 0 {
		pause = time.Minute
	}
	if !next.IsZero() {
		pause = min(pause, time.Until(next))
	}
	return max(pause, shortestPause)
}

func (l *Loop) log() *slog.Logger {
	if l.Log == nil {
		return slog.Default()
	}
	return l.Log
}

// askedPause is the pause that the other side asked for, if it did.
func askedPause(err error) time.Duration {
	if f, ok := postroom.FaultOf(err); ok {
		return f.RetryAfter
	}
	return 0
}

// wait returns after d, at a nudge, or when ctx ends; open is false when the
// nudge was the closing of its channel.
func wait(ctx context.Context, nudge <-chan struct{}, d time.Duration) (open bool) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case _, open := <-nudge:
		return open
	}
	return true
}

// sleep returns after d, or when ctx ends.
func sleep(ctx context.Context, d time.Duration) { wait(ctx, nil, d) }
