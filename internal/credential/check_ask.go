package credential

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
)

// findings is all that was asked and seen for a check.
type findings struct {
	Registration
	now     time.Time
	record  store.AppRecord
	explain func(err error, s Situation) *postroom.Fault
	person  string // the address of a mailbox that the app should open; empty: none is known

	metadata oauth.Metadata // of the issuer
	issuer   answerOf       // asking for it
	made     answerOf       // exchanging what was made up, which cannot succeed
	own      answerOf       // a token in the app's own name
	token    oauth.Grant    // that came of it
	look     oauth.Look
	looked   answerOf
	device   answerOf
}

// An answerOf is what became of a question.
type answerOf struct {
	asked bool
	err   error
}

// refusal is what was said; ok is false where nothing was asked, or there was no answer
// of a provider.
func (a answerOf) refusal() (r *oauth.Refusal, ok bool) {
	r, ok = oauth.RefusalOf(a.err)
	return r, ok && r.Status != 0
}

// findings asks everything at the same time.
func (a *Apps) findings(ctx context.Context, r Registration) (*findings, error) {
	f := &findings{Registration: r, now: a.now(), explain: a.Explain}
	var err error
	if f.record, err = a.Store.AppRecord(ctx, r.ID); err != nil {
		return nil, err
	}
	if f.person, err = a.someMailbox(ctx, r); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, checkLasts-time.Second)
	defer cancel()
	c := *a.client()
	if c.Timeout <= 0 || c.Timeout > askLasts {
		c.Timeout = askLasts
	}
	asks := []func(context.Context, *oauth.Client){f.askMadeUp, f.askInOwnName, f.askLook, f.askDevice}
	switch {
	case r.OAuth.Issuer == "":
	case needsIssuer(r): // it says where the rest is asked
		f.askIssuer(ctx, &c)
		if f.issuer.err == nil {
			f.OAuth = f.metadata.Fill(r.OAuth)
		}
	default:
		asks = append(asks, f.askIssuer)
	}
	var all sync.WaitGroup
	for _, ask := range asks {
		all.Go(func() { ask(ctx, &c) })
	}
	all.Wait()
	return f, nil
}

// someMailbox is the address of a mailbox that a service account would open.
func (a *Apps) someMailbox(ctx context.Context, r Registration) (string, error) {
	if r.Kind != postroom.AppServiceAccount {
		return "", nil
	}
	all, err := a.Store.Reader().Openings(ctx)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(all, func(o store.Opening) bool {
		preset, _ := a.Presets.For(o.Address, o.Incoming.Host)
		return fit(r.OAuthApp, r.Preset, preset, domainOf(o.Address)) > 0
	})
	if i < 0 {
		return "", nil
	}
	return all[i].Address, nil
}

func (f *findings) askIssuer(ctx context.Context, c *oauth.Client) {
	f.issuer.asked = true
	f.metadata, f.issuer.err = c.Discover(ctx, f.Registration.OAuth)
}

// madeUp is no code and no token of anybody's.
const madeUp = "postroom-checks-this-registration"

// askMadeUp has the provider say whether it knows the client: it looks at who asks before
// it looks at what is asked (RFC 6749 section 5.2: invalid_client or invalid_grant).
// Microsoft looks at a refresh token first and at a code last.
func (f *findings) askMadeUp(ctx context.Context, c *oauth.Client) {
	if f.Kind != postroom.AppSignIn || f.OAuth.TokenURL == "" {
		return
	}
	f.made.asked = true
	if isMicrosoft(f.Provider) {
		app := f.OAuth
		app.ReturnsIssuer = false // nobody has returned
		_, f.made.err = c.Exchange(ctx, app, oauth.Return{Code: postroom.Hide(madeUp)}, postroom.Hide(madeUp+madeUp), nil)
		return
	}
	_, f.made.err = c.Refresh(ctx, f.OAuth, postroom.Hide(madeUp), nil)
}

// askInOwnName asks for a token as the app or the service account will; it is thrown away.
func (f *findings) askInOwnName(ctx context.Context, c *oauth.Client) {
	switch {
	case f.Service != nil:
		f.own.asked = true
		f.token, f.own.err = c.ServiceToken(ctx, *f.Service, f.person, f.OAuth.ScopesFor(postroom.IMAP, postroom.SMTP))
	case f.Kind == postroom.AppClient && f.OAuth.TokenURL != "":
		f.own.asked = true
		f.token, f.own.err = c.ClientToken(ctx, f.OAuth, f.OAuth.ScopesFor(postroom.IMAP))
	}
}

func (f *findings) askLook(ctx context.Context, c *oauth.Client) {
	if f.Kind != postroom.AppSignIn || f.OAuth.AuthorizeURL == "" || f.OAuth.RedirectURL == "" {
		return
	}
	f.looked.asked = true
	f.look, f.looked.err = c.Look(ctx, f.OAuth, oauth.Ask{Scopes: f.OAuth.ScopesFor(postroom.IMAP, postroom.SMTP)})
}

func (f *findings) askDevice(ctx context.Context, c *oauth.Client) {
	if f.Kind != postroom.AppSignIn || f.OAuth.DeviceURL == "" {
		return
	}
	f.device.asked = true
	_, f.device.err = c.Device(ctx, f.OAuth, f.OAuth.ScopesFor(postroom.IMAP, postroom.SMTP))
}
