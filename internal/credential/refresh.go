package credential

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

const (
	// askTimeout is what asking a provider may take altogether, and commitTimeout what
	// recording its answer may. A lease outlives both.
	askTimeout    = oauth.DefaultTimeout + 5*time.Second
	commitTimeout = 15 * time.Second
	leaseLasts    = askTimeout + commitTimeout + 10*time.Second
	// stopAfter is how long a request goes on once nobody waits for it any more. An answer
	// that is not heard may cost a sign-in.
	stopAfter = 5 * time.Second
)

// An asking is one grant about which a provider is asked, by whoever has its lease.
type asking struct {
	holding
	holder  string
	mailbox postroom.Mailbox
	app     Registration
}

// renew asks the provider for new tokens, if it gets the lease, and records what came
// of it. asked is false where somebody else has the lease, or had an answer meanwhile.
// What the provider refused is in the grant then, and no error.
func (k *Keeper) renew(ctx context.Context, h holding) (asked bool, err error) {
	if k.Registration == nil {
		return false, errors.New("renew a sign-in: nobody knows the registrations")
	}
	a := asking{holding: h, holder: k.holder()}
	if a.mailbox, err = k.Store.Mailbox(ctx, h.Mailbox); err != nil {
		return false, err
	}
	if a.app, err = k.Registration(ctx, h.App); err != nil {
		return false, err
	}
	if err := k.canAsk(a); err != nil {
		return false, err
	}
	began := time.Now()
	leased, ok, err := k.Store.LeaseGrant(ctx, store.Lease{
		Grant: h.ID, Holder: a.holder, Answers: h.Answers, For: leaseLasts, Now: k.clock(),
	})
	if err != nil || !ok {
		return false, err
	}
	if leased.Interrupted > h.Interrupted {
		k.log().WarnContext(ctx, "an answer of the provider was lost before it was recorded", "mailbox", h.Mailbox, "grant", h.ID)
		if k.Interrupted != nil {
			k.Interrupted()
		}
	}
	a.KeptGrant, a.now = leased, k.now(leased)
	k.step("lease taken")
	if k.sinceLease(a, began) > leaseLasts-askTimeout-commitTimeout {
		err := k.recordTrouble(ctx, a, stillRenewing())
		return err == nil, err
	}
	given, former, err := k.ask(ctx, a)
	k.step("answered")
	if err != nil {
		err = k.recordTrouble(ctx, a, err)
	} else {
		err = k.recordTokens(ctx, a, given, former)
	}
	k.step("recorded")
	return err == nil, err
}

// sinceLease is how long ago a lease began, at most. A database that hangs gives one that
// may be over before there is an answer; somebody else would ask with the same token.
func (k *Keeper) sinceLease(a asking, began time.Time) time.Duration {
	if k.Now != nil {
		return k.Now().Sub(a.now)
	}
	return time.Since(began)
}

// canAsk says what stands in the way on this side. It is not kept: once it is put right,
// nobody waits for a pause to end.
func (k *Keeper) canAsk(a asking) error {
	switch {
	case a.app.Kind == postroom.AppClient:
		return nil
	case a.app.Kind == postroom.AppServiceAccount && a.app.Service == nil:
		return errors.New("renew a sign-in: the registration has no service account")
	case a.app.Kind == postroom.AppServiceAccount:
		return nil
	case a.Refresh == nil:
		return nothingToRenew()
	}
	_, err := k.Ring.Open(a.Refresh, refreshPlace(a.ID))
	if err != nil {
		return unopenedSignIn(err)
	}
	return nil
}

// ask asks the provider. A refresh token that has never worked yet may not be the one
// that counts there: where it is refused, the one before is tried once. former is the
// one to keep beside the new one.
func (k *Keeper) ask(ctx context.Context, a asking) (given oauth.Grant, former postroom.Secret, err error) {
	ctx, done := outlast(ctx)
	defer done()
	switch a.app.Kind {
	case postroom.AppClient:
		given, err = k.client().ClientToken(ctx, a.app.OAuth, a.scopes())
		return given, former, err
	case postroom.AppServiceAccount:
		given, err = k.client().ServiceToken(ctx, *a.app.Service, a.mailbox.Address, a.scopes())
		return given, former, err
	}
	refresh, err := k.Ring.Open(a.Refresh, refreshPlace(a.ID))
	if err != nil {
		return given, former, unopenedSignIn(err)
	}
	given, err = k.client().Refresh(ctx, a.app.OAuth, refresh, nil)
	if err == nil || a.Former == nil || !isEnded(err) {
		return given, refresh, err
	}
	before, unopened := k.Ring.Open(a.Former, formerPlace(a.ID))
	if unopened != nil {
		return given, refresh, err
	}
	k.log().InfoContext(ctx, "a new refresh token is refused: the one before is tried", "mailbox", a.Mailbox, "grant", a.ID)
	again, second := k.client().Refresh(ctx, a.app.OAuth, before, nil)
	if second == nil || !isEnded(second) { // where it could not be asked about, nothing is decided yet
		return again, before, second
	}
	return given, refresh, err
}

// scopes are what a registration asks for in its own name.
func (a asking) scopes() []string { return a.app.OAuth.ScopesFor(usesOf(a.mailbox)...) }

// usesOf are what a mailbox is opened for.
func usesOf(m postroom.Mailbox) []postroom.Protocol {
	if m.Outgoing == nil {
		return []postroom.Protocol{m.Incoming.Protocol}
	}
	return []postroom.Protocol{m.Incoming.Protocol, postroom.SMTP}
}

// outlast is a context for a request whose answer must be heard although nobody may
// wait for it any more.
func outlast(ctx context.Context) (context.Context, context.CancelFunc) {
	longer, cancel := context.WithTimeout(context.WithoutCancel(ctx), askTimeout)
	stop := context.AfterFunc(ctx, func() {
		t := time.NewTimer(stopAfter)
		defer t.Stop()
		select {
		case <-t.C:
			cancel()
		case <-longer.Done():
		}
	})
	return longer, func() { stop(); cancel() }
}

// recordTokens keeps new tokens. The refresh token that has just worked stays beside
// its successor.
func (k *Keeper) recordTokens(ctx context.Context, a asking, given oauth.Grant, used postroom.Secret) error {
	former := used
	if !given.Rotated {
		former = postroom.Secret{}
	}
	sealed, err := k.sealTokens(a.ID, given.RefreshToken, former, given.AccessToken)
	if err != nil {
		return fmt.Errorf("seal the tokens of grant %s: %w", a.ID, err)
	}
	r := store.Refreshed{
		SealedTokens: sealed, Scopes: a.Scopes, At: a.now, Rotated: given.Rotated,
		AccessExpires: a.now.Add(endOf(given).Sub(given.At)),
	}
	if given.ScopesSaid {
		r.Scopes = given.Scopes
	}
	if !given.RefreshExpires.IsZero() {
		r.RefreshExpires = a.now.Add(given.RefreshExpires.Sub(given.At))
	}
	var unreadable bool
	if r.Fault, unreadable = shrunk(a, given); r.Fault != nil {
		r.Scopes = a.Scopes // what somebody has allowed: it is missed until it is back
	}
	if unreadable {
		r.Access, r.NextTry = nil, a.now.Add(time.Hour)
	}
	return k.settle(ctx, func(ctx context.Context) error {
		ok, err := k.Store.RecordRefresh(ctx, a.ID, a.holder, r)
		if err == nil && !ok {
			k.log().WarnContext(ctx, "an answer of the provider came too late", "mailbox", a.Mailbox, "grant", a.ID)
		}
		return err
	})
}

// recordTrouble keeps why there are no new tokens.
func (k *Keeper) recordTrouble(ctx context.Context, a asking, cause error) error {
	f := k.explain(cause, a)
	level := slog.LevelWarn
	if f.Kind == postroom.Delayed {
		level = slog.LevelInfo
	}
	k.log().Log(ctx, level, "a sign-in could not be renewed", "mailbox", a.Mailbox, "grant", a.ID, "kind", f.Kind, "class", f.Class, "err", cause)
	trouble := store.RefreshTrouble{
		Fault: f, At: a.now, NextTry: a.now.Add(pauseAfter(f, a.Failures+1)),
		Lost: isLost(cause), Refused: isEnded(cause), Spent: a.spent,
	}
	return k.settle(ctx, func(ctx context.Context) error {
		return k.Store.RecordRefreshTrouble(ctx, a.ID, a.holder, trouble)
	})
}

// pauseAfter is how long nobody asks again after so many failures in a row. What only
// a person can mend is not asked for often; a registration that is changed ends the
// pause.
func pauseAfter(f *postroom.Fault, failures int) time.Duration {
	switch f.Kind {
	case postroom.Delayed:
		return work.Delay{First: 5 * time.Second, Max: 10 * time.Minute}.AfterAsked(failures, f.RetryAfter)
	case postroom.NeedsSignIn:
		return work.Delay{First: time.Minute, Max: time.Hour}.After(failures)
	}
	return time.Hour
}

// settle runs a commit that outlives the request to stop, again while the database
// cannot do its work.
func (k *Keeper) settle(ctx context.Context, commit func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	for try := 1; ; try++ {
		err := commit(ctx)
		if !store.IsTrouble(err) {
			return err
		}
		if pause(ctx, work.Delay{First: 100 * time.Millisecond, Max: 2 * time.Second}.After(try)) != nil {
			return err
		}
	}
}
