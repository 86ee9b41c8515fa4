package credential

import (
	"context"
	"time"

	"github.com/postroom/postroom"
)

// LinkState is what a link is good for.
type LinkState string

const (
	LinkOpen    LinkState = "open"
	LinkUsed    LinkState = "used"
	LinkRevoked LinkState = "revoked"
	LinkExpired LinkState = "expired"
)

// A GuestView is what somebody sees who comes by a link.
type GuestView struct {
	Link          postroom.SignInLink
	State         LinkState
	AskedBy       string // who asks; empty: a program
	Address, Name string // of the mailbox
	Provider      string // as people call it; empty: not known
	Sends         bool   // Postroom is to send from the mailbox too
}

func stateOf(l postroom.SignInLink, now time.Time) LinkState {
	switch {
	case !l.UsedAt.IsZero():
		return LinkUsed
	case !l.RevokedAt.IsZero():
		return LinkRevoked
	case !l.IsOpen(now):
		return LinkExpired
	}
	return LinkOpen
}

func closedLink(state LinkState) *postroom.Fault {
	f := &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.ConsentMissing, FixBy: postroom.FixByAppAdmin,
		Explanation: "This link is too old.", Remedy: "Ask whoever sent it for a new one.",
	}
	switch state {
	case LinkUsed:
		f.Explanation, f.Remedy = "Somebody has signed in by this link already.", "There is nothing more to do. If the mailbox has to be signed in to again, ask for a new link."
	case LinkRevoked:
		f.Explanation = "This link was taken back, or replaced by a newer one."
		f.Remedy = "Look for a newer one, or ask whoever sent it."
	}
	return f
}

// providerOf is what people call the provider of a registration; empty: not known.
func (d *Desk) providerOf(ctx context.Context, app postroom.OAuthAppID) string {
	kept, err := d.Store.OAuthApp(ctx, app)
	if err != nil {
		return ""
	}
	return calledBy(d.presetOf(kept.Provider), kept.OAuthApp)
}

// OpenLink tells somebody who comes by a link what it is about, also when it opens
// nothing any more.
func (d *Desk) OpenLink(ctx context.Context, secret string) (GuestView, error) {
	l, err := d.Store.SignInLinkByHash(ctx, hashOf(secret))
	if err != nil {
		return GuestView{}, err
	}
	m, err := d.Store.Mailbox(ctx, l.Mailbox)
	if err != nil {
		return GuestView{}, err
	}
	v := GuestView{
		Link: l.SignInLink, State: stateOf(l.SignInLink, d.now()), Address: m.Address, Name: m.Name,
		Provider: d.providerOf(ctx, l.App), Sends: m.Outgoing != nil,
	}
	if l.By != 0 {
		if u, ok, err := d.Store.User(ctx, l.By); err == nil && ok {
			v.AskedBy = first(u.Name, u.Email)
		}
	}
	if l.OpenedAt.IsZero() && v.State == LinkOpen {
		if err := d.Store.RecordLinkOpened(ctx, l.ID, d.now()); err != nil {
			d.log().WarnContext(ctx, "it was not noted that a link was opened", "link", l.ID, "err", err)
		}
	}
	return v, nil
}

// BeginByLink begins a sign-in by a link. It may be begun any number of times until one
// is proven.
func (d *Desk) BeginByLink(ctx context.Context, secret string) (Begun, error) {
	l, err := d.Store.SignInLinkByHash(ctx, hashOf(secret))
	if err != nil {
		return Begun{}, err
	}
	if state := stateOf(l.SignInLink, d.now()); state != LinkOpen {
		return Begun{}, closedLink(state)
	}
	reg, err := d.Apps.Registration(ctx, l.App)
	if err != nil {
		return Begun{}, err
	}
	return d.begin(ctx, reg, postroom.SignIn{Mailbox: l.Mailbox, Link: l.ID}, spoken{})
}
