package fetch

import (
	"testing"
	"time"
)

func TestPatienceAfterAnOutage(t *testing.T) {
	start := time.Unix(1_000_000, 0)
	const s = time.Second
	p := pulse{dead: 15 * s, last: start}
	for _, turn := range []struct {
		at, want time.Duration
		works    bool
	}{
		{1 * s, 15 * s, true},
		{2 * s, 15 * s, false}, // the database is gone
		{9 * s, 15*s + 8*s, false},
		{41 * s, 15*s + 40*s, true}, // and back
		{42 * s, 15*s + 40*s, true},
		{48 * s, 15*s + 40*s, true},
		{55 * s, 15*s + 40*s, true},
		{57 * s, 15 * s, true},
	} {
		now := start.Add(turn.at)
		if got := p.patience(now); got != turn.want {
			t.Errorf("after %v: patience = %v, want %v", turn.at, got, turn.want)
		}
		if turn.works {
			p.last = now
		}
	}
}
