package fetch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom/internal/store"
)

// beat tells the other nodes, once a second, that this one lives; nothing that the
// fleet waits for keeps it from that.
func (f *Fleet) beat(ctx context.Context) error {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	p := pulse{dead: f.DeadAfter, last: time.Now()}
	for {
		err := f.Ledger.Heartbeat(ctx, f.Node, p.patience(time.Now()))
		switch {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, store.ErrFenced):
			return fmt.Errorf("another process has taken the name of this node: %w", err)
		case err != nil:
			f.Log.ErrorContext(ctx, "cannot tell the other nodes that this one lives", "err", err)
		default:
			p.last = time.Now()
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// A pulse decides how long another node may be silent. When this node could not
// reach the database for a while, the others could not either, as likely as not:
// they have as much longer, until they have had the time to come back.
type pulse struct {
	dead  time.Duration // the silence after which a node is dead
	last  time.Time     // of our own heartbeats
	gap   time.Duration // between two of them
	until time.Time     // the gap counts
}

func (p *pulse) patience(now time.Time) time.Duration {
	if gap := now.Sub(p.last); gap > p.dead/2 {
		p.gap, p.until = gap, now.Add(p.dead)
	}
	if now.Before(p.until) {
		return p.dead + p.gap
	}
	return p.dead
}
