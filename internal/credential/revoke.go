package credential

import (
	"context"
	"errors"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// revokeWithin is for how long it is tried to give a grant back.
const (
	revokeWithin = 24 * time.Hour
	revokeClaim  = 2 * time.Minute // nobody else tries meanwhile
)

var errNothingToRevoke = errors.New("there is no token that could be given back")

// revoke gives back the grants that have ended, one after the other.
func (k *Keeper) revoke(ctx context.Context) (did int, next time.Time, err error) {
	due, err := k.Store.RevocationsDue(ctx, k.clock(), 20)
	if err != nil {
		return 0, time.Time{}, err
	}
	for _, id := range due {
		tried, err := k.giveBack(ctx, id)
		if err != nil {
			return did, time.Time{}, err
		}
		if tried {
			did++
		}
	}
	return did, time.Time{}, nil
}

// giveBack tries once to revoke what a grant was, and destroys its tokens once that has
// come to an end. Where another mailbox lives by the same account and app nobody is
// asked: some providers end all of it at once.
func (k *Keeper) giveBack(ctx context.Context, id postroom.GrantID) (tried bool, err error) {
	now, err := k.instant(ctx)
	if err != nil {
		return false, err
	}
	g, tries, ok, err := k.Store.ClaimRevocation(ctx, id, k.clock(), revokeClaim)
	if err != nil || !ok {
		return false, err
	}
	outcome := postroom.RevocationDone
	switch err := k.revokeOne(ctx, g); {
	case err == nil:
	case errors.Is(err, oauth.ErrNotOffered):
		outcome = postroom.RevocationAbsent
	case errors.Is(err, errNothingToRevoke), postroom.KindOf(err) == postroom.NotFound: // or the registration is gone
		outcome = postroom.RevocationFailed
	case now.Sub(g.EndedAt) >= revokeWithin:
		k.log().WarnContext(ctx, "a sign-in could not be given back to its provider", "mailbox", g.Mailbox, "grant", id, "err", err)
		outcome = postroom.RevocationFailed
	default:
		k.log().InfoContext(ctx, "a sign-in is given back later", "mailbox", g.Mailbox, "grant", id, "tries", tries, "err", err)
		return true, k.Store.PutOffRevocation(ctx, id, now.Add(work.Delay{First: time.Minute, Max: 2 * time.Hour}.After(tries)))
	}
	return true, k.Store.RecordRevocation(ctx, id, outcome)
}

func (k *Keeper) revokeOne(ctx context.Context, g store.KeptGrant) error {
	token, kind, err := k.revocable(g)
	if err != nil {
		return err
	}
	app, err := k.Registration(ctx, g.App)
	if err != nil {
		return err
	}
	return k.client().Revoke(ctx, app.OAuth, token, kind)
}

// revocable is the token of g by which a provider knows all of it.
func (k *Keeper) revocable(g store.KeptGrant) (token postroom.Secret, kind oauth.Kind, err error) {
	switch {
	case g.Refresh != nil:
		token, err = k.Ring.Open(g.Refresh, refreshPlace(g.ID))
		return token, oauth.RefreshToken, err
	case g.Access != nil:
		token, err = k.Ring.Open(g.Access, accessPlace(g.ID))
		return token, oauth.AccessToken, err
	}
	return postroom.Secret{}, "", errNothingToRevoke
}
