package credential

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
)

// A Choice is what somebody says about another account than was expected.
type Choice string

const (
	ChoiceShared Choice = "shared" // the account may open the mailbox, and signs in as itself
	ChoiceAlias  Choice = "alias"  // the mailbox is another name of the account
	ChoiceOther  Choice = "other"  // it was the wrong account
)

// A Progress is what a page tells about a sign-in.
type Progress struct {
	SignIn   postroom.SignIn
	Address  string // of the mailbox
	Name     string
	State    postroom.MailboxState // of the mailbox, now
	Provider string                // as people call it; empty: not known
	Expected string                // the account that should sign in
	Choices  []Choice              // with SignInAsking
	Report   []byte                // JSON: the steps of the test; nil: none yet
	Tries    int                   // of proving it
	NextTry  time.Time             // with SignInProposed; zero: at once
	Missed   int                   // mails that arrived since it began, once proven
	Opened   bool                  // with SignInProven: the mailbox has; else its server was away, and its reader goes on trying
	Shown    *Shown                // with GrantByDevice; nil: no device
	CanRetry bool                  // refused, or asking, and Again begins anew
}

// SignIn tells how far the sign-in has come that somebody holds the start of.
func (d *Desk) SignIn(ctx context.Context, start string) (Progress, error) {
	k, err := d.Store.SignInByStart(ctx, hashOf(start))
	if err != nil {
		return Progress{}, err
	}
	return d.progress(ctx, k, guestSays)
}

// SignInByID tells the same to who may sign in for the mailbox.
func (d *Desk) SignInByID(ctx context.Context, by postroom.Viewer, id postroom.SignInID) (Progress, error) {
	k, err := d.signInFor(ctx, by, id)
	if err != nil {
		return Progress{}, err
	}
	return d.progress(ctx, k, !guestSays)
}

func (d *Desk) signInFor(ctx context.Context, by postroom.Viewer, id postroom.SignInID) (store.KeptSignIn, error) {
	k, err := d.Store.SignIn(ctx, id)
	if err != nil {
		return store.KeptSignIn{}, err
	}
	_, err = d.mailboxFor(ctx, by, k.Mailbox)
	return k, err
}

func (d *Desk) progress(ctx context.Context, k store.KeptSignIn, isGuest bool) (Progress, error) {
	p := Progress{SignIn: k.SignIn, Report: k.Report, Tries: k.Tries, CanRetry: d.canRetry(k)}
	m, err := d.Store.Mailbox(ctx, k.Mailbox)
	if err != nil {
		return Progress{}, err
	}
	was, err := d.lastAccount(ctx, m.ID)
	if err != nil {
		return Progress{}, err
	}
	p.Address, p.Name, p.State, p.Expected = m.Address, m.Name, m.State, expected(m, was)
	if app, err := d.Store.OAuthApp(ctx, k.App); err == nil {
		p.Provider = calledBy(d.presetOf(app.Provider), app.OAuthApp)
		if k.Step == postroom.SignInAsking {
			p.Choices = choicesOf(isGuest, app.Provider, m, k.Account)
		}
	}
	if k.Device != "" {
		shown, err := readDevice(k.Device)
		if err != nil {
			return Progress{}, err
		}
		p.Shown = &shown.Shown
	}
	switch k.Step {
	case postroom.SignInProposed:
		if k.Tries > 0 {
			p.NextTry = k.NextTryAt
		}
	case postroom.SignInProven:
		g, err := d.Store.Grant(ctx, k.Grant)
		if err != nil && postroom.KindOf(err) != postroom.NotFound {
			return Progress{}, err
		}
		p.Opened = !g.UsedAt.IsZero()
		if p.Missed, err = d.Store.ArrivedAfter(ctx, k.Mailbox, k.After); err != nil {
			return Progress{}, err
		}
	}
	return p, nil
}

// presetOf is the provider with an id; nil: a generic one.
func (d *Desk) presetOf(id string) *provider.Preset {
	presets := d.Apps.Presets
	if presets == nil {
		presets = &provider.Presets{}
	}
	preset, _ := presets.ByID(id)
	return preset
}

// Answer says what about the account that signed in, by whoever holds the start: as much
// as a guest may say.
func (d *Desk) Answer(ctx context.Context, start string, c Choice) (Progress, error) {
	k, err := d.Store.SignInByStart(ctx, hashOf(start))
	if err != nil {
		return Progress{}, err
	}
	return d.answer(ctx, k, c, guestSays)
}

// AnswerByID is Answer by who may sign in for the mailbox.
func (d *Desk) AnswerByID(ctx context.Context, by postroom.Viewer, id postroom.SignInID, c Choice) (Progress, error) {
	k, err := d.signInFor(ctx, by, id)
	if err != nil {
		return Progress{}, err
	}
	return d.answer(ctx, k, c, !guestSays)
}

// answer carries on, or ends, a sign-in by another account. Whoever answers second
// finds it answered.
func (d *Desk) answer(ctx context.Context, k store.KeptSignIn, c Choice, isGuest bool) (Progress, error) {
	if k.Step == postroom.SignInAsking {
		if err := d.decide(ctx, k, c, isGuest); err != nil && !errors.Is(err, store.ErrSignInMoved) {
			return Progress{}, err
		}
	}
	k, err := d.Store.SignIn(ctx, k.ID)
	if err != nil {
		return Progress{}, err
	}
	return d.progress(ctx, k, isGuest)
}

func (d *Desk) decide(ctx context.Context, k store.KeptSignIn, c Choice, isGuest bool) error {
	m, err := d.Store.Mailbox(ctx, k.Mailbox)
	if err != nil {
		return err
	}
	app, err := d.Store.OAuthApp(ctx, k.App)
	if err != nil {
		return err
	}
	if c == ChoiceOther {
		return d.refuse(ctx, k, wrongAccount(calledBy(d.presetOf(app.Provider), app.OAuthApp), m, k.Account), nil)
	}
	switch {
	case slices.Contains(choicesOf(isGuest, app.Provider, m, k.Account), c):
		if err := d.Store.AnswerSignIn(ctx, k.ID, string(c), d.now()); err != nil {
			return err
		}
		d.step("answered")
		d.ring()
		return nil
	case slices.Contains(choicesFor(app.Provider, m, k.Account), c):
		return notForGuests(m, k.Account)
	}
	return lost(postroom.Invalid, "This is not one of the answers.", "Say that the mailbox is shared, that it is another name of the account, or that another account is to be used.", nil)
}
