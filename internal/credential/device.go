package credential

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
)

// A Shown is what somebody needs who signs in on another device (RFC 8628 section 3.3).
type Shown struct {
	UserCode          string    `json:"user_code"`
	VerifyURL         string    `json:"verify_url"`
	VerifyURLComplete string    `json:"verify_url_complete,omitempty"` // holds the code already; empty: none
	Expires           time.Time `json:"expires"`
}

// keptDevice is what is kept of a device in clear: its code for polling is not in it.
type keptDevice struct {
	Shown
	Interval time.Duration `json:"interval"` // ns, between two polls
}

func (k keptDevice) pack() (string, error) {
	text, err := json.Marshal(k)
	if err != nil {
		return "", fmt.Errorf("pack a device: %w", err)
	}
	return string(text), nil
}

func readDevice(text string) (k keptDevice, err error) {
	if err := json.Unmarshal([]byte(text), &k); err != nil {
		return keptDevice{}, fmt.Errorf("unpack a device: %w", err)
	}
	return k, nil
}

// BeginDevice begins a sign-in on another device. Run asks whether it was confirmed.
func (d *Desk) BeginDevice(ctx context.Context, by postroom.Viewer, m postroom.MailboxID, app postroom.OAuthAppID) (postroom.SignIn, Shown, error) {
	mailbox, err := d.mailboxFor(ctx, by, m)
	if err != nil {
		return postroom.SignIn{}, Shown{}, err
	}
	reg, err := d.registrationFor(ctx, mailbox, app)
	if err != nil {
		return postroom.SignIn{}, Shown{}, err
	}
	uses, err := d.usesOf(ctx, mailbox)
	if err != nil {
		return postroom.SignIn{}, Shown{}, err
	}
	device, err := d.Client.Device(ctx, reg.OAuth, reg.OAuth.ScopesFor(uses...))
	if err != nil {
		return postroom.SignIn{}, Shown{}, d.explain(err, situation(reg, mailbox))
	}
	kept := keptDevice{Interval: device.Interval, Shown: Shown{
		UserCode: device.UserCode, VerifyURL: device.VerifyURL, VerifyURLComplete: device.VerifyURLComplete, Expires: device.Expires,
	}}
	packed, err := kept.pack()
	if err != nil {
		return postroom.SignIn{}, Shown{}, err
	}
	_, hash := newSecret()
	s, err := d.Store.AddSignIn(ctx, store.NewSignIn{
		SignIn: postroom.SignIn{
			Mailbox: m, App: reg.ID, Way: postroom.GrantByDevice, By: by.User, Step: postroom.SignInSent,
			CreatedAt: d.now(), ExpiresAt: device.Expires,
		},
		Start: hash, Scopes: device.Scopes, Device: packed, NextTryAt: device.Next,
		Seal: func(id postroom.SignInID) ([]byte, error) {
			return d.seal(id, spoken{Device: device.DeviceCode.Reveal()})
		},
	})
	if err != nil {
		return postroom.SignIn{}, Shown{}, err
	}
	d.step("begun")
	d.ring()
	return s, kept.Shown, nil
}

// poll asks once whether a sign-in on another device was confirmed.
func (d *Desk) poll(ctx context.Context, k store.KeptSignIn) error {
	kept, err := readDevice(k.Device)
	if err != nil {
		return err
	}
	said, err := d.open(k)
	if err != nil {
		return err
	}
	m, reg, err := d.partiesOf(ctx, k)
	if err != nil {
		return d.refuseOrLeave(ctx, k, err)
	}
	device := &oauth.Device{
		DeviceCode: postroom.Hide(said.Device), UserCode: kept.UserCode, VerifyURL: kept.VerifyURL,
		Expires: kept.Expires, Interval: kept.Interval, Next: d.now(), Scopes: k.Scopes,
	}
	g, err := d.Client.Poll(ctx, reg.OAuth, device)
	switch {
	case errors.Is(err, oauth.ErrPending):
		kept.Interval = device.Interval
		packed, err := kept.pack()
		if err != nil {
			return err
		}
		return ifMoved(d.Store.PollSignIn(ctx, k.ID, packed, device.Next))
	case err != nil && ctx.Err() != nil:
		return err
	case isExpired(err):
		return d.refuse(ctx, k, tooLate(), nil)
	case err != nil:
		return d.refuseFor(ctx, k, err, situation(reg, m))
	}
	d.step("exchanged")
	return d.propose(ctx, k, reg, m, brought{Grant: g})
}

func isExpired(err error) bool {
	r, ok := oauth.RefusalOf(err)
	return ok && r.Code == "expired_token"
}

// ifMoved takes it as done that a sign-in has gone on meanwhile.
func ifMoved(err error) error {
	if errors.Is(err, store.ErrSignInMoved) {
		return nil
	}
	return err
}

// partiesOf are the mailbox and the registration of a sign-in.
func (d *Desk) partiesOf(ctx context.Context, k store.KeptSignIn) (m postroom.Mailbox, reg Registration, err error) {
	if m, err = d.Store.Mailbox(ctx, k.Mailbox); err != nil {
		if postroom.KindOf(err) == postroom.NotFound {
			err = removed()
		}
		return m, reg, err
	}
	reg, err = d.Apps.Registration(ctx, k.App)
	return m, reg, err
}

// refuseOrLeave ends a sign-in for a Fault that does not pass; else it is tried again.
func (d *Desk) refuseOrLeave(ctx context.Context, k store.KeptSignIn, err error) error {
	f, ok := postroom.FaultOf(err)
	if !ok || passes(f) {
		return err
	}
	return d.refuse(ctx, k, f, nil)
}
