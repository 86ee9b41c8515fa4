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
	all   chan struct{}    // holds one token for each opening; made with the first
	lanes map[string]*lane // of the keys that somebody uses now
}

// A lane is what those who use one key share.
type lane struct {
	places chan struct{} // holds one token for each opening
	users  int           // inside or waiting, guarded by Gate.mu
}

// Enter waits for a place for key. The caller begins what it wants to begin, then
// calls leave, which may be repeated. Whoever finds a free place enters at once;
// the others do so in turn. When ctx ends first, its error is returned and no
// place is taken.
func (g *Gate) Enter(ctx context.Context, key string) (leave func(), err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	all, l := g.join(key)
	queued, err := take(ctx, l.places)
	if err != nil {
		g.part(key, l)
		return nil, err
	}
	if queued && g.Spread > 0 {
		sleep(ctx, time.Duration(float64(g.Spread)*g.random()))
	}
	if _, err := take(ctx, all); err != nil {
		<-l.places
		g.part(key, l)
		return nil, err
	}
	return sync.OnceFunc(func() {
		<-all
		<-l.places
		g.part(key, l)
	}), nil
}

// join counts the caller among the users of key's lane, which it makes at need.
func (g *Gate) join(key string) (all chan struct{}, l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.lanes == nil {
		g.lanes = map[string]*lane{}
		g.all = make(chan struct{}, orDefault(g.Total, 64))
	}
	l = g.lanes[key]
	if l == nil {
		l = &lane{places: make(chan struct{}, orDefault(g.PerKey, 4))}
		g.lanes[key] = l
	}
	l.users++
	return g.all, l
}

// part undoes join. The last one out takes the lane away.
func (g *Gate) part(key string, l *lane) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if l.users--; l.users == 0 {
		delete(g.lanes, key)
	}
}

func (g *Gate) random() float64 {
	if g.Random == nil {
		return rand.Float64()
	}
	return g.Random()
}

// take puts a token into places; queued says whether it had to wait for that.
func take(ctx context.Context, places chan struct{}) (queued bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	select {
	case places <- struct{}{}:
		return false, nil
	default:
	}
	select {
	case places <- struct{}{}:
		return true, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
}

func orDefault(n, standard int) int {
	if n <= 0 {
		return standard
	}
	return n
}
