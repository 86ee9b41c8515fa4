package mailbox

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// UnknownReplies counts the answers that nobody could explain, by server, for whoever
// looks after the catalogue. Those who hear them never wait for the database.
type UnknownReplies struct {
	Store interface {
		RecordUnknownReplies(ctx context.Context, replies []store.UnknownReply) error
	}
	// Counted hears of each one; nil: nobody does.
	Counted func(protocol postroom.Protocol, phase string)
	Log     *slog.Logger // nil: the default one

	mu      sync.Mutex
	waiting map[unknownReply]store.UnknownReply // noted, and not stored yet
}

// unknownReply tells one from another.
type unknownReply struct {
	host     string
	protocol postroom.Protocol
	phase    string
	reply    string
}

const (
	maxUnknownWaiting = 200 // different ones; what comes on top is counted, but not kept
	unknownInterval   = 10 * time.Second
)

// Note counts one answer. It waits for nothing.
func (u *UnknownReplies) Note(host string, protocol postroom.Protocol, phase, reply string) {
	if u.Counted != nil {
		u.Counted(protocol, phase)
	}
	now := time.Now()
	u.keep(store.UnknownReply{Host: host, Protocol: protocol, Phase: phase, Reply: reply, Count: 1, First: now, Last: now})
}

func (u *UnknownReplies) keep(r store.UnknownReply) {
	u.mu.Lock()
	defer u.mu.Unlock()
	key := unknownReply{r.Host, r.Protocol, r.Phase, r.Reply}
	if before, ok := u.waiting[key]; ok {
		r.Count += before.Count
		if before.First.Before(r.First) {
			r.First = before.First
		}
		if before.Last.After(r.Last) {
			r.Last = before.Last
		}
	} else if len(u.waiting) >= maxUnknownWaiting {
		return
	}
	if u.waiting == nil {
		u.waiting = map[unknownReply]store.UnknownReply{}
	}
	u.waiting[key] = r
}

// Run stores what was noted, every few seconds and once more when ctx ends.
func (u *UnknownReplies) Run(ctx context.Context) error {
	loop := work.Loop{Name: "unknown replies", Turn: u.turn, Interval: unknownInterval, Log: u.Log}
	err := loop.Run(ctx)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	if _, _, lost := u.turn(ctx); lost != nil && u.Log != nil {
		u.Log.WarnContext(ctx, "unknown replies are not counted", "err", lost)
	}
	return err
}

// turn stores what was noted; what cannot be stored waits on.
func (u *UnknownReplies) turn(ctx context.Context) (did int, next time.Time, err error) {
	u.mu.Lock()
	replies := slices.Collect(maps.Values(u.waiting))
	u.waiting = nil
	u.mu.Unlock()
	if len(replies) == 0 {
		return 0, time.Time{}, nil
	}
	if err := u.Store.RecordUnknownReplies(ctx, replies); err != nil {
		for _, r := range replies {
			u.keep(r)
		}
		return 0, time.Time{}, err
	}
	return 0, time.Time{}, nil // what comes next can wait
}
