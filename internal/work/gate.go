package work

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// A Gate limits how many things are begun at once, in all and for each key: the
// starts of connections, with the server as the key. One server that answers
// slowly holds up its own queue and at most PerKey of the places of all.
//
// The zero Gate is ready. Its fields are not changed after the first Enter.
type Gate struct {
	Total  int // openings at once in all; 0: 64
	PerKey int // openings at once for one key; 0: 4
	// Spread is the longest of the pauses, chosen by chance, that keep those who
	// had to queue for a key from following one another at once. 0: none.
	Spread time.Duration
	// Random returns a number in [0, 1); nil: the one of math/rand/v2.
	Random func() float64

	mu    sync.Mutex
	all   *places
	lanes map[string]*lane // of the keys that somebody uses now, or that were eased
}

// A lane is what those who use one key share.
type lane struct {
	places
	users   int       // inside or waiting
	well    int       // openings that ended without Ease since the limit last moved
	easedAt time.Time // zero: the limit is the usual one
}

// easedFor is how long a lane that nobody uses remembers that it was eased.
const easedFor = 10 * time.Minute

// Enter waits for a place for key. The caller begins what it wants to begin, then
// calls leave, which may be repeated. Whoever finds a free place enters at once;
// the others do so in the order of their urgency, the highest first, and among
// equals in the order in which they came. When ctx ends first, its error is
// returned and no place is taken.
func (g *Gate) Enter(ctx context.Context, key string, urgency int64) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	l := g.join(key)
	queued, err := g.take(ctx, &l.places, urgency)
	if err != nil {
		g.part(key, l)
		return nil, err
	}
	if queued && g.Spread > 0 {
		sleep(ctx, time.Duration(float64(g.Spread)*g.random()))
	}
	if _, err := g.take(ctx, g.all, urgency); err != nil {
		g.give(&l.places)
		g.part(key, l)
		return nil, err
	}
	return sync.OnceFunc(func() {
		g.give(g.all)
		g.leave(l)
		g.part(key, l)
	}), nil
}

// Ease lets half as many in at once for a key as before, one at the least: the
// other side has said that it is too much. Openings that go well raise the limit
// again, by one when as many as it lets in have done so.
func (g *Gate) Ease(key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l := g.lanes[key]; l != nil {
		l.limit, l.well, l.easedAt = max(1, l.limit/2), 0, time.Now()
	}
}

// join counts the caller among the users of key's lane, which it makes at need.
func (g *Gate) join(key string) *lane {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lanes == nil {
		g.lanes = map[string]*lane{}
		g.all = &places{limit: orDefault(g.Total, 64)}
	}
	l := g.lanes[key]
	if l == nil || l.users == 0 && time.Since(l.easedAt) > easedFor {
		l = &lane{places: places{limit: orDefault(g.PerKey, 4)}}
		g.lanes[key] = l
	}
	l.users++
	return l
}

// leave gives a place of a lane back, after an opening.
func (g *Gate) leave(l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.well++; !l.easedAt.IsZero() && l.well > l.limit {
		l.limit, l.well = l.limit+1, 0
		if l.limit >= orDefault(g.PerKey, 4) {
			l.easedAt = time.Time{}
		}
	}
	l.give()
}

// part undoes join. The last one out takes the lane away, unless it was eased.
func (g *Gate) part(key string, l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.users--; l.users == 0 && l.easedAt.IsZero() {
		delete(g.lanes, key)
	}
}

func (g *Gate) random() float64 {
	if g.Random == nil {
		return rand.Float64()
	}
	return g.Random()
}

// take takes a place; queued says whether the caller had to wait for it.
func (g *Gate) take(ctx context.Context, p *places, urgency int64) (queued bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	g.mu.Lock()
	w := p.ask(urgency)
	g.mu.Unlock()
	if w == nil {
		return false, nil
	}
	select {
	case <-w.ready:
		return true, nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	p.withdraw(w)
	return true, ctx.Err()
}

func (g *Gate) give(p *places) {
	g.mu.Lock()
	defer g.mu.Unlock()
	p.give()
}

func orDefault(n, standard int) int {
	if n <= 0 {
		return standard
	}
	return n
}
