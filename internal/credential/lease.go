package credential

import (
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/work"
)

// waitsFor is how long somebody waits for an answer that another process has asked
// for: until its lease is over, and whoever comes next has asked.
const waitsFor = leaseLasts + askTimeout

// A need says what the access token that is kept is not good enough for.
type need struct {
	refused postroom.Secret // a server does not take it; empty: none has said so
	renewal time.Duration   // it is older than this; 0: its age does not count
}

// fresh returns an access token of a grant that lasts for a while yet and meets n. It
// asks the provider once at most.
func (k *Keeper) fresh(ctx context.Context, id postroom.GrantID, n need) (Token, error) {
	patience, hasAsked := time.Now().Add(waitsFor), false
	looks := work.Delay{First: 4 * time.Millisecond, Max: 250 * time.Millisecond, Jitter: 0.5}
	for look := 1; ; look++ {
		g, err := k.Store.Grant(ctx, id)
		if err != nil {
			return Token{}, err
		}
		if !g.EndedAt.IsZero() {
			return Token{}, replaced()
		}
		h, err := k.hold(g, n)
		if err != nil {
			return Token{}, err
		}
		if h.lasts && h.isFresh(n) {
			return k.token(h), nil
		}
		if f := k.pausing(ctx, h); f != nil {
			return k.orElse(h, f)
		}
		switch {
		case hasAsked && h.Fault != nil:
			return k.orElse(h, h.Fault)
		case hasAsked, time.Now().After(patience):
			return k.orElse(h, stillRenewing())
		}
		if hasAsked, err = k.renewAlone(ctx, h); err != nil {
			return k.orElse(h, err)
		}
		if hasAsked {
			continue
		}
		if err := pause(ctx, looks.After(look)); err != nil {
			return k.orElse(h, err)
		}
	}
}

// orElse is the token that is there, if it may be used at all and nothing is wrong but
// that the provider cannot be asked now; err if not. That a sign-in is lost is said while
// what it has opened is still open.
func (k *Keeper) orElse(h holding, err error) (Token, error) {
	if f, ok := postroom.FaultOf(err); h.lasts && (!ok || f.Kind == postroom.Delayed) {
		return k.token(h), nil
	}
	return Token{}, err
}

// pausing is why the provider is not asked now; nil: it may be. What was wrong with the
// registration may have been put right.
func (k *Keeper) pausing(ctx context.Context, h holding) *postroom.Fault {
	if h.Fault == nil || !h.now.Before(h.NextTryAt) {
		return nil
	}
	if h.Fault.Kind == postroom.NeedsRepair && k.Registration != nil {
		if app, err := k.Registration(ctx, h.App); err == nil && app.UpdatedAt.After(h.FailedAt) {
			return nil
		}
	}
	f := *h.Fault
	if f.Kind == postroom.Delayed {
		f.RetryAfter = h.NextTryAt.Sub(h.now)
	}
	return &f
}

// flights are the grants that this process asks about. It is safe for concurrent use.
type flights struct {
	mu sync.Mutex
	of map[postroom.GrantID]chan struct{}
}

// board begins a flight, or returns the end of the one that is under way.
func (f *flights) board(id postroom.GrantID) (land func(), under <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if done, ok := f.of[id]; ok {
		return nil, done
	}
	if f.of == nil {
		f.of = make(map[postroom.GrantID]chan struct{})
	}
	done := make(chan struct{})
	f.of[id] = done
	return func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.of, id)
		close(done)
	}, nil
}

// renewAlone is renew by one of this process at a time. Whoever comes second waits for
// the first, and looks again.
func (k *Keeper) renewAlone(ctx context.Context, h holding) (asked bool, err error) {
	land, under := k.flights.board(h.ID)
	if under != nil {
		select {
		case <-under:
			return false, nil
		case <-ctx.Done():
			return false, ctx.Err()
		}
	}
	defer land()
	return k.renew(ctx, h)
}

// pause waits for d, and less if ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// holder names one request, so that an answer that comes too late is known by it.
func (k *Keeper) holder() string { return k.Node + " " + rand.Text() }

func (k *Keeper) client() *oauth.Client {
	if k.Client == nil {
		return &oauth.Client{}
	}
	return k.Client
}

func (k *Keeper) log() *slog.Logger {
	if k.Log == nil {
		return slog.Default()
	}
	return k.Log
}

func (k *Keeper) step(point string) {
	if k.Step != nil {
		k.Step(point)
	}
}
