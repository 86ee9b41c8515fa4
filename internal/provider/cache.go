package provider

import (
	"context"
	"sync"
	"time"
)

// How long answers are kept, and how many.
const (
	keptFound   = 15 * time.Minute
	keptNothing = time.Minute
	maxKept     = 1000
)

// answers remembers what was found for domains, so that the same question is not asked
// again within minutes, nor twice at the same time.
type answers struct {
	lock    sync.Mutex
	kept    map[string]answer
	running map[string]chan struct{} // closed when an inquiry has ended
}

// An answer is what was found for a domain, or for one address in it.
type answer struct {
	found Found
	until time.Time
}

// of returns what is known for a key, or has look find it. Whoever comes while somebody
// looks waits for that; where it was given up, the next one looks.
func (a *answers) of(ctx context.Context, keys []string, look func() (found Found, key string, err error)) (Found, error) {
	for {
		found, ok, wait := a.begin(keys)
		if ok {
			return found, nil
		}
		if wait == nil {
			return a.look(keys[0], look)
		}
		select {
		case <-ctx.Done():
			return Found{}, ctx.Err()
		case <-wait:
		}
	}
}

// begin looks for an answer. Where there is none, it returns what to wait for while
// somebody looks, or makes the caller the one who does.
func (a *answers) begin(keys []string) (found Found, ok bool, wait chan struct{}) {
	a.lock.Lock()
	defer a.lock.Unlock()
	now := time.Now()
	for _, key := range keys {
		if kept, there := a.kept[key]; there && now.Before(kept.until) {
			return kept.found, true, nil
		}
	}
	if wait := a.running[keys[0]]; wait != nil {
		return Found{}, false, wait
	}
	if a.running == nil {
		a.kept, a.running = map[string]answer{}, map[string]chan struct{}{}
	}
	a.running[keys[0]] = make(chan struct{})
	return Found{}, false, nil
}

func (a *answers) look(flight string, look func() (found Found, key string, err error)) (found Found, err error) {
	key := ""
	defer func() {
		a.lock.Lock()
		defer a.lock.Unlock()
		close(a.running[flight])
		delete(a.running, flight)
		if key != "" && err == nil {
			a.keep(key, found)
		}
	}()
	found, key, err = look()
	return found, err
}

// keep remembers an answer. What has run out makes room, and if nothing has, what runs
// out next.
func (a *answers) keep(key string, found Found) {
	now := time.Now()
	if len(a.kept) >= maxKept {
		next := ""
		for k, kept := range a.kept {
			if now.After(kept.until) {
				delete(a.kept, k)
			} else if next == "" || kept.until.Before(a.kept[next].until) {
				next = k
			}
		}
		if len(a.kept) >= maxKept {
			delete(a.kept, next)
		}
	}
	life := keptNothing
	if len(found.Incoming) > 0 {
		life = keptFound
	}
	a.kept[key] = answer{found, now.Add(life)}
}
