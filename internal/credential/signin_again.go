package credential

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// Again begins a refused sign-in anew, or one at the wrong account.
func (d *Desk) Again(ctx context.Context, start string) (Begun, error) {
	k, err := d.Store.SignInByStart(ctx, hashOf(start))
	if err != nil {
		return Begun{}, err
	}
	return d.again(ctx, k)
}

// AgainByID is Again by who may sign in for the mailbox.
func (d *Desk) AgainByID(ctx context.Context, by postroom.Viewer, id postroom.SignInID) (Begun, error) {
	k, err := d.Store.SignIn(ctx, id)
	if err != nil {
		return Begun{}, err
	}
	if _, err := d.mailboxFor(ctx, by, k.Mailbox); err != nil {
		return Begun{}, err
	}
	return d.again(ctx, k)
}

// againLasts is how long whoever began a sign-in may begin it anew.
const againLasts = time.Hour

func (d *Desk) again(ctx context.Context, k store.KeptSignIn) (Begun, error) {
	if !d.canRetry(k) {
		return Begun{}, lost(postroom.Conflict, "This sign-in cannot be begun anew.", beginAnew, nil)
	}
	if k.Link != 0 {
		l, err := d.Store.SignInLink(ctx, k.Link)
		if err != nil {
			return Begun{}, err
		}
		if state := stateOf(l.SignInLink, d.now()); state != LinkOpen {
			return Begun{}, closedLink(state)
		}
	}
	reg, err := d.Apps.Registration(ctx, k.App)
	if err != nil {
		return Begun{}, err
	}
	if k.Step == postroom.SignInAsking {
		if err := d.refuse(ctx, k, unanswered(), nil); err != nil {
			return Begun{}, err
		}
	}
	said := spoken{}
	if k.Account.Address != "" {
		said.Prompt = "select_account"
	}
	return d.begin(ctx, reg, postroom.SignIn{Mailbox: k.Mailbox, Link: k.Link, By: k.By}, said)
}

func (d *Desk) canRetry(k store.KeptSignIn) bool {
	return k.Way == postroom.GrantByCode && (k.Step == postroom.SignInRefused || k.Step == postroom.SignInAsking) && d.now().Before(k.CreatedAt.Add(againLasts))
}
