package work

import (
	"math"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestDelayGrowsToItsCeiling(t *testing.T) {
	d := Delay{First: time.Second, Max: 10 * time.Second, Factor: 2, Jitter: -1}
	for failures, want := range map[int]time.Duration{
		-1:            0,
		0:             0,
		1:             time.Second,
		2:             2 * time.Second,
		4:             8 * time.Second,
		5:             10 * time.Second,
		5000:          10 * time.Second,
		math.MaxInt32: 10 * time.Second,
	} {
		if got := d.After(failures); got != want {
			t.Errorf("After(%d) = %v, want %v", failures, got, want)
		}
	}
}

func TestZeroDelayIsUsable(t *testing.T) {
	var d Delay
	if got := d.After(1); got < 750*time.Millisecond || got > time.Second {
		t.Errorf("After(1) = %v, want between 750ms and 1s", got)
	}
	if got := d.After(100); got < 225*time.Second || got > 5*time.Minute {
		t.Errorf("After(100) = %v, want between 3m45s and 5m", got)
	}
}

func TestDelayKeepsItsBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chance := rapid.Float64Range(0, 0.999999).Draw(t, "chance")
		d := Delay{
			First:  time.Duration(rapid.Int64Range(1, int64(time.Hour)).Draw(t, "first")),
			Max:    time.Duration(rapid.Int64Range(1, int64(24*time.Hour)).Draw(t, "max")),
			Factor: rapid.Float64Range(1, 10).Draw(t, "factor"),
			Jitter: rapid.Float64Range(0.01, 3).Draw(t, "jitter"),
			Random: func() float64 { return chance },
		}
		failures := rapid.IntRange(1, 100).Draw(t, "failures")
		now, later := d.After(failures), d.After(failures+1)
		if now < 0 || now > d.Max {
			t.Fatalf("After(%d) = %v, want between 0 and %v", failures, now, d.Max)
		}
		if later < now {
			t.Fatalf("After(%d) = %v is shorter than After(%d) = %v by the same chance", failures+1, later, failures, now)
		}
		asked := time.Duration(rapid.Int64Range(0, int64(48*time.Hour)).Draw(t, "asked"))
		if got := d.AfterAsked(failures, asked); got < asked || got < now {
			t.Fatalf("AfterAsked(%d, %v) = %v, want at least that and %v", failures, asked, got, now)
		}
	})
}

func TestAskedPauseIsAFloorAboveTheCeiling(t *testing.T) {
	d := Delay{First: time.Second, Max: time.Minute, Jitter: -1}
	if got := d.AfterAsked(1, time.Hour); got != time.Hour {
		t.Errorf("AfterAsked(1, 1h) = %v, want 1h", got)
	}
	if got := d.AfterAsked(9, time.Second); got != time.Minute {
		t.Errorf("AfterAsked(9, 1s) = %v, want 1m", got)
	}
}
