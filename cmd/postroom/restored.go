package main

import (
	"context"
	"sync"
	"time"

	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/web"
)

// An aftermath knows whether a restore is still to be looked at.
type aftermath struct {
	DB *store.DB

	mu     sync.Mutex
	looked time.Time
	ok     bool
}

// lookAtRestore is how often it is asked: another node may have been told.
const lookAtRestore = 30 * time.Second

// isOpen says whether somebody has to look. It remembers what it knew where the
// database does not answer.
func (a *aftermath) isOpen() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if time.Since(a.looked) > lookAtRestore {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if _, ok, err := a.DB.LastRestore(ctx); err == nil {
			a.ok, a.looked = ok, time.Now()
		}
	}
	return a.ok
}

func (a *aftermath) restored(ctx context.Context) (r web.Restored, ok bool, err error) {
	last, ok, err := a.DB.LastRestore(ctx)
	if err != nil || !ok {
		return r, false, err
	}
	r.BackupAt = last.BackupAt
	for _, c := range checksAfterRestore() {
		r.Checks = append(r.Checks, web.Check{What: c.What, How: c.How})
	}
	return r, true, nil
}

func (a *aftermath) forget(ctx context.Context) error {
	if err := a.DB.ForgetRestore(ctx); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ok = false
	return nil
}

// notice is what stands above every page: the worst first, one at a time.
func (p *process) notice(admin bool) *web.Notice {
	if held := p.floor.hold(); held != nil {
		return &web.Notice{Sentence: held.Explanation, Remedy: held.Remedy}
	}
	if admin && p.aftermath.isOpen() {
		return &web.Notice{
			Sentence: "This is a backup that was put back.", Remedy: "Its mailboxes are paused until you resume them.",
			Address: "/restored", Button: "What to look at",
		}
	}
	return nil
}
