package credential

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

const (
	// proveLasts is what proving one sign-in may take, and claimLasts after what time
	// another process takes it that nobody is at it any more.
	proveLasts = 90 * time.Second
	claimLasts = 2 * time.Minute
	// atOnce is how many sign-ins are looked after at the same time.
	atOnce = 16
	// askFor is how long a person has to say what about another account.
	askFor = 24 * time.Hour
	// keepFor is how long sign-ins that have ended are kept.
	keepFor    = 30 * 24 * time.Hour
	sweepEvery = time.Minute
	lookEvery  = 5 * time.Second
)

// Run proves what was proposed, asks about devices, and ends what has become old,
// until ctx ends.
func (d *Desk) Run(ctx context.Context) error {
	s := &shift{desk: d, places: make(chan struct{}, atOnce)}
	defer s.busy.Wait()
	l := work.Loop{Name: "sign-ins", Nudge: d.nudge(), Interval: lookEvery, Turn: s.turn, Log: d.log()}
	return l.Run(ctx)
}

// A shift is one run of a desk.
type shift struct {
	desk   *Desk
	places chan struct{} // one for each sign-in that is looked after at the same time
	busy   sync.WaitGroup
	swept  time.Time // last
}

// turn begins to look after the sign-ins that are due, as many as there are places.
func (s *shift) turn(ctx context.Context) (did int, next time.Time, err error) {
	now := s.desk.now()
	if now.Sub(s.swept) >= sweepEvery {
		if err := s.desk.sweep(ctx); err != nil {
			return 0, time.Time{}, err
		}
		s.swept = now
	}
	free := cap(s.places) - len(s.places)
	if free == 0 {
		return 0, time.Time{}, nil // it is rung as soon as there is one
	}
	if next, err = s.desk.Store.NextSignIn(ctx); err != nil || next.IsZero() || next.After(now) {
		return 0, next, err
	}
	claimed, err := s.desk.claim(ctx, free)
	for _, k := range claimed {
		s.places <- struct{}{}
		s.busy.Go(func() {
			defer s.desk.ring()
			defer func() { <-s.places }()
			s.desk.lookAfter(ctx, k)
		})
	}
	return len(claimed), time.Time{}, err
}

func (d *Desk) claim(ctx context.Context, places int) ([]store.KeptSignIn, error) {
	now := d.now()
	return d.Store.ClaimSignIns(ctx, now, now.Add(claimLasts), places)
}

// lookAfter carries one sign-in on. What goes wrong is tried again once the claim is over.
func (d *Desk) lookAfter(ctx context.Context, k store.KeptSignIn) {
	limited, cancel := context.WithTimeout(ctx, proveLasts)
	defer cancel()
	var err error
	if k.Step == postroom.SignInProposed {
		err = d.prove(limited, k)
	} else {
		err = d.poll(limited, k)
	}
	if limited.Err() != nil {
		err = errors.Join(err, d.letGo(ctx, k))
	}
	if err != nil && ctx.Err() == nil {
		d.log().WarnContext(ctx, "a sign-in was not carried on", "mailbox", k.Mailbox, "sign_in", k.ID, "err", err)
	}
}

// letGo gives a claim up: because of a stop, and whoever begins next goes on at once; or
// because it took too long, and it is tried later.
func (d *Desk) letGo(ctx context.Context, k store.KeptSignIn) error {
	stopped := ctx.Err() != nil
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	if !stopped && k.Step == postroom.SignInProposed {
		return ifMoved(d.Store.PutOffSignIn(ctx, k.ID, tookTooLong(), nil, d.now().Add(provePause.After(k.Tries+1))))
	}
	return ifMoved(d.Store.UnclaimSignIn(ctx, k.ID, k.NextTryAt, d.now()))
}

// sweep ends what has become old.
func (d *Desk) sweep(ctx context.Context) error {
	now := d.now()
	_, err := d.Store.SweepSignIns(ctx, store.SignInLimits{
		Now: now, Late: tooLate(), Interrupted: interrupted(),
		Unanswered: unanswered(), UnansweredSince: now.Add(-askFor), Forget: now.Add(-keepFor),
	})
	return err
}
