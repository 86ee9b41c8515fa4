package credential

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestWhatEndsSoonerIsRenewedSooner(t *testing.T) {
	given := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	const day = 24 * time.Hour
	tests := map[string]struct {
		lasts time.Duration // as stated; 0: not said
		after time.Duration // it is renewed
	}{
		"nothing is said":       {0, renewEvery},
		"a month":               {30 * day, renewEvery},
		"a week":                {7 * day, 7 * day / 2},
		"a session of a day":    {day, 12 * time.Hour},
		"half an hour":          {30 * time.Minute, 15 * time.Minute},
		"less than we manage":   {5 * time.Minute, keepEvery},
		"it works all the same": {-time.Hour, renewEvery},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, renewed := range []time.Duration{0, 3 * day} {
				g := postroom.Grant{ID: 64, SignedInAt: given}
				if renewed > 0 {
					g.RefreshedAt = given.Add(renewed)
				}
				if test.lasts != 0 {
					g.RefreshExpiresAt = given.Add(renewed + test.lasts)
				}
				if at := given.Add(renewed + test.after); isIdle(g, at.Add(-time.Minute)) || !isIdle(g, at) {
					t.Errorf("idle a minute before: %t, then: %t", isIdle(g, at.Add(-time.Minute)), isIdle(g, at))
				}
			}
		})
	}
}
