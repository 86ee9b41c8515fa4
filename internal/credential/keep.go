package credential

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/work"
)

const (
	// renewEvery: a grant that lies unused ends, at Google after six months, at Microsoft
	// after 90 days. It is renewed within the week, also where nobody reads the mailbox.
	renewEvery  = 6 * 24 * time.Hour
	renewSpread = 12 * time.Hour // by which grants of one day are spread
	// strayAfter is how long a grant may be proposed. Who proposes one ends it long before.
	strayAfter = 7 * 24 * time.Hour

	keepEvery   = 10 * time.Minute
	revokeEvery = 10 * time.Second
	keepAtOnce  = 4
	keepPage    = 200
)

// Run keeps what was given from lapsing, and gives back what is not needed any more,
// until ctx ends.
func (k *Keeper) Run(ctx context.Context) error {
	if k.Registration == nil {
		<-ctx.Done()
		return nil
	}
	keep := work.Loop{Name: "renewing sign-ins", Turn: k.keep, Interval: keepEvery, Log: k.Log}
	revoke := work.Loop{Name: "giving back sign-ins", Turn: k.revoke, Interval: revokeEvery, Log: k.Log}
	var parts sync.WaitGroup
	var errs [2]error
	parts.Go(func() { errs[0] = keep.Run(ctx) })
	parts.Go(func() { errs[1] = revoke.Run(ctx) })
	parts.Wait()
	return errors.Join(errs[:]...)
}

// keep renews the grants that have lain idle, a few at once, and ends the proposals
// that were forgotten. What cannot be renewed is tried again as its pause says.
func (k *Keeper) keep(ctx context.Context) (did int, next time.Time, err error) {
	now, err := k.instant(ctx)
	if err != nil {
		return 0, time.Time{}, err
	}
	stray, err := k.Store.StrayGrants(ctx, now.Add(-strayAfter), keepPage)
	for _, id := range stray {
		err = errors.Join(err, k.Store.EndGrant(ctx, id))
	}
	if err != nil {
		return 0, time.Time{}, err
	}
	for after := postroom.GrantID(0); ; {
		page, err := k.Store.IdleGrants(ctx, now.Add(-renewEvery), after, keepPage)
		if err != nil || len(page) == 0 {
			return 0, time.Time{}, err
		}
		after = page[len(page)-1].ID
		if err := k.keepAll(ctx, page, now); err != nil {
			return 0, time.Time{}, err
		}
	}
}

func (k *Keeper) keepAll(ctx context.Context, page []postroom.Grant, now time.Time) error {
	queue := make(chan postroom.Grant)
	var some sync.WaitGroup
	for range keepAtOnce {
		some.Go(func() {
			for g := range queue {
				k.keepOne(ctx, g)
			}
		})
	}
	for _, g := range page {
		if ctx.Err() == nil && isIdle(g, now) {
			queue <- g
		}
	}
	close(queue)
	some.Wait()
	return ctx.Err()
}

func (k *Keeper) keepOne(ctx context.Context, g postroom.Grant) {
	held, err := k.isHeld(ctx, g)
	switch {
	case held:
		return
	case err == nil:
		_, err = k.fresh(ctx, g.ID, need{renewal: renewalOf(g)})
	}
	if err != nil && postroom.KindOf(err) == postroom.Internal && ctx.Err() == nil {
		k.log().ErrorContext(ctx, "an idle sign-in was not renewed", "mailbox", g.Mailbox, "grant", g.ID, "err", err)
	}
}

// isHeld says whether a grant came back with a backup, and nobody has looked at its
// mailbox since. The database that the backup was made of may still be at work: where each
// refresh token works once, the first to renew would put out the other.
func (k *Keeper) isHeld(ctx context.Context, g postroom.Grant) (bool, error) {
	_, restored, err := k.Store.LastRestore(ctx)
	if err != nil || !restored {
		return false, err
	}
	m, err := k.Store.Mailbox(ctx, g.Mailbox)
	return m.State == postroom.MailboxPaused, err
}

// isIdle says whether it is time to renew a grant that nobody has used. One that the
// provider has refused for good waits for a person.
func isIdle(g postroom.Grant, now time.Time) bool {
	if g.Fault != nil && (g.Fault.Kind == postroom.NeedsSignIn || now.Before(g.NextTryAt)) {
		return false
	}
	every := renewalOf(g)
	if every == renewEvery {
		const slots = 64
		every += time.Duration(g.ID%slots) * (renewSpread / slots)
	}
	return now.Sub(lastRenewed(g)) >= every
}

// renewalOf is how long a grant may lie unused: where the provider has stated when it
// ends, no longer than half of what was left of it then, for that may put the end off.
// One that has worked after its end had none.
func renewalOf(g postroom.Grant) time.Duration {
	if !g.RefreshExpiresAt.After(lastRenewed(g)) {
		return renewEvery
	}
	half := g.RefreshExpiresAt.Sub(lastRenewed(g)) / 2
	return min(renewEvery, max(half, keepEvery))
}

func lastRenewed(g postroom.Grant) time.Time {
	if g.RefreshedAt.After(g.SignedInAt) {
		return g.RefreshedAt
	}
	return g.SignedInAt
}

// instant is now, by the clock that counts.
func (k *Keeper) instant(ctx context.Context) (time.Time, error) {
	if k.Now != nil {
		return k.Now(), nil
	}
	return k.Store.Now(ctx)
}
