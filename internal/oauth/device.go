package oauth

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/postroom/postroom"
)

// A Device is a sign-in that somebody confirms on another device, by typing a code (RFC
// 8628 section 3.2). It may be kept and continued.
type Device struct {
	DeviceCode postroom.Secret
	UserCode   string // to be shown
	VerifyURL  string // where it is typed
	// VerifyURLComplete holds the code already; empty: none.
	VerifyURLComplete string
	Expires           time.Time
	Interval          time.Duration // between two polls
	Next              time.Time     // the earliest time for the next one
	Scopes            []string      // that were asked for
}

// ErrPending says that nobody has confirmed yet: poll again at Device.Next.
var ErrPending = errors.New("nobody has confirmed the sign-in yet")

const (
	usualInterval = 5 * time.Second // RFC 8628 section 3.2
	maxInterval   = 5 * time.Minute
	usualDevice   = 15 * time.Minute // where a server does not say how long
)

// Device begins a sign-in on another device (RFC 8628 section 3.1).
func (c *Client) Device(ctx context.Context, a App, scopes []string) (Device, error) {
	if a.DeviceURL == "" {
		return Device{}, notOffered("sign-in on another device")
	}
	at := c.now()
	form := url.Values{}
	setScopes(form, scopes)
	said, secrets, err := c.post(ctx, a, PhaseDevice, "device_url", a.DeviceURL, form)
	if err != nil {
		return Device{}, err
	}
	if said.isError() {
		return Device{}, said.refusal(PhaseDevice, secrets)
	}
	d := Device{
		DeviceCode:        postroom.Hide(said.said("device_code")),
		UserCode:          shorten(visible(said.said("user_code")), 100),
		VerifyURL:         page(said.said("verification_uri")),
		VerifyURLComplete: page(said.said("verification_uri_complete")),
		Expires:           at.Add(usualDevice),
		Interval:          usualInterval,
		Scopes:            scopes,
	}
	if d.VerifyURL == "" {
		d.VerifyURL = page(said.said("verification_url")) // Google's and Yandex' name for it
	}
	if code := d.DeviceCode.Reveal(); code == "" || len(code) > maxToken || !isVisible(code) || d.UserCode == "" || d.VerifyURL == "" {
		said.err = fmt.Errorf("%w: a code or the address is missing", ErrAnswer)
		return Device{}, said.refusal(PhaseDevice, secrets)
	}
	if lasts, ok := said.span("expires_in"); ok {
		d.Expires = at.Add(min(lasts, 24*time.Hour))
	}
	if pause, ok := said.span("interval"); ok {
		d.Interval = min(pause, maxInterval)
	}
	d.Next = at.Add(d.Interval)
	return d, nil
}

// page is an address that a person may be sent to; empty: it is none.
func page(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.User != nil || !isSafe(u) || len(text) > 2000 {
		return ""
	}
	return u.String()
}

// Poll asks once whether somebody has confirmed (RFC 8628 section 3.4). While nobody has,
// the error is ErrPending, with the Refusal of a server that could not be asked behind it,
// and d says when to ask next. Asked too early it answers the same and asks nobody; asked
// too late it refuses as the provider would, with expired_token.
func (c *Client) Poll(ctx context.Context, a App, d *Device) (Grant, error) {
	now := c.now()
	switch {
	case !now.Before(d.Expires):
		return Grant{}, &Refusal{Phase: PhaseToken, Code: "expired_token", Reply: `{"error":"expired_token"}`}
	case now.Before(d.Next):
		return Grant{}, ErrPending
	}
	g, err := c.grant(ctx, a, url.Values{
		"grant_type":  {"urn:ietf:params:oauth:grant-type:device_code"},
		"device_code": {d.DeviceCode.Reveal()},
	}, d.Scopes)
	r, refused := RefusalOf(err)
	if !refused {
		return g, err
	}
	switch {
	case ctx.Err() != nil:
		return Grant{}, err
	case r.Code == "authorization_pending":
		err = ErrPending
	case r.Code == "slow_down": // for good (RFC 8628 section 3.5)
		d.Interval = min(d.Interval+5*time.Second, maxInterval)
		err = ErrPending
	case r.Code == "" && r.Status == 0, r.Status == 429, r.Status >= 500:
		d.Interval = min(2*d.Interval, maxInterval) // the same section on time-outs
		err = fmt.Errorf("%w: %w", ErrPending, err)
	default:
		return Grant{}, err
	}
	d.Next = c.now().Add(max(d.Interval, r.RetryAfter))
	return Grant{}, err
}
