package credential

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/url"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
)

// A Back is a browser that came back from the provider.
type Back struct {
	SignIn postroom.SignIn
	Result string // its page here: /oauth/result/…
	// Address is the provider's, where it has to be asked once more; else empty.
	Address string
	// Allowed: an administrator has allowed the app for everybody in Tenant, and there is
	// no sign-in.
	Allowed bool
	Tenant  string
}

// Return takes what a provider sent a browser back with. browsers are the values of
// the cookies whose names begin with CookiePrefix. What the provider refused is in the
// sign-in; the error is for what belongs to none.
func (d *Desk) Return(ctx context.Context, query url.Values, browsers ...postroom.Secret) (Back, error) {
	r, err := oauth.ReadReturn(query)
	if err != nil {
		return Back{}, noAnswer(err)
	}
	return d.take(ctx, r, nil, browsers)
}

// Paste is Return for an address that somebody copied.
func (d *Desk) Paste(ctx context.Context, start, address string, browsers ...postroom.Secret) (Back, error) {
	r, err := oauth.ReadPasted(address)
	if err != nil {
		return Back{}, noAnswer(err)
	}
	k, err := d.Store.SignInByStart(ctx, hashOf(start))
	if err != nil {
		return Back{}, err
	}
	return d.take(ctx, r, &k.ID, browsers)
}

// take finds the sign-in that an answer belongs to, and carries it on, once. only is
// the one that it has to be; nil: any.
func (d *Desk) take(ctx context.Context, r oauth.Return, only *postroom.SignInID, browsers []postroom.Secret) (Back, error) {
	state := hashOf(r.State.Reveal())
	k, err := d.Store.SignInByState(ctx, state)
	switch {
	case postroom.KindOf(err) == postroom.NotFound && r.Allowed:
		return Back{Allowed: true, Tenant: r.Tenant}, nil
	case postroom.KindOf(err) == postroom.NotFound:
		return Back{}, unknownState()
	case err != nil:
		return Back{}, err
	case only != nil && *only != k.ID:
		return Back{}, otherSignIn()
	}
	start, browser, ok := knownBrowser(k, browsers)
	if !ok {
		return Back{}, otherBrowser()
	}
	back := Back{SignIn: k.SignIn, Result: resultPath + start}
	if k.Step != postroom.SignInSent { // a reload, or a second one of the same
		return back, nil
	}
	// From here on it does not matter whether the browser waits.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), exchangeLasts)
	defer cancel()
	if !d.now().Before(k.ExpiresAt) {
		err = d.refuse(ctx, k, tooLate(), nil)
	} else {
		back.Address, err = d.finish(ctx, k, r, state, browser)
	}
	if err != nil {
		return Back{}, err
	}
	k, err = d.Store.SignIn(ctx, k.ID)
	back.SignIn = k.SignIn
	return back, err
}

// knownBrowser says whether one of the cookies is that of the browser that was sent off,
// and what it began with.
func knownBrowser(k store.KeptSignIn, browsers []postroom.Secret) (start string, hash [32]byte, ok bool) {
	for _, b := range browsers {
		h := hashOf(b.Reveal())
		if subtle.ConstantTimeCompare(h[:], k.BrowserHash) == 1 {
			start, _, _ = strings.Cut(b.Reveal(), ".")
			return start, h, true
		}
	}
	return "", [32]byte{}, false
}

// finish spends the state, exchanges the code and goes on with what it brought. address
// is the provider's where it has to be asked once more.
func (d *Desk) finish(ctx context.Context, k store.KeptSignIn, r oauth.Return, state, browser [32]byte) (address string, err error) {
	said, err := d.open(k)
	if err != nil {
		return "", err
	}
	switch err := d.Store.ReturnSignIn(ctx, k.ID, state, d.now().Add(exchangeLost)); {
	case errors.Is(err, store.ErrSignInMoved):
		return "", nil // somebody else was first
	case err != nil:
		return "", err
	}
	k.Step = postroom.SignInReturned
	d.step("returned")
	reg, err := d.Apps.Registration(ctx, k.App)
	if err != nil {
		return "", d.refuseFor(ctx, k, err, Situation{})
	}
	m, err := d.Store.Mailbox(ctx, k.Mailbox)
	if err != nil {
		return "", d.refuseFor(ctx, k, err, situation(reg, m))
	}
	reg.OAuth.RedirectURL = k.RedirectURL
	if err := reg.OAuth.Check(r); err != nil {
		return "", d.refuseFor(ctx, k, err, situation(reg, m))
	}
	g, err := d.exchange(ctx, reg, r, postroom.Hide(said.Verifier), k.Scopes)
	if err != nil {
		return "", d.refuseFor(ctx, k, err, situation(reg, m))
	}
	d.step("exchanged")
	if g.RefreshToken.IsEmpty() && !strings.Contains(promptOf(reg, k.Scopes, said.Prompt), "consent") {
		// It comes with the first consent only, at some.
		if address, err := d.sendOff(ctx, k, reg, k.RedirectURL, "consent", browser); err == nil {
			return address, nil
		}
	}
	return "", d.propose(ctx, k, reg, m, brought{Grant: g, Nonce: postroom.Hide(said.Nonce)})
}

// exchange turns the code into a grant. Where the provider could not be asked, once more.
func (d *Desk) exchange(ctx context.Context, reg Registration, r oauth.Return, verifier postroom.Secret, scopes []string) (oauth.Grant, error) {
	g, err := d.Client.Exchange(ctx, reg.OAuth, r, verifier, scopes)
	if refusal, ok := oauth.RefusalOf(err); ok && (refusal.Status == 0 && refusal.Code == "" || refusal.Status >= 500) {
		return d.Client.Exchange(ctx, reg.OAuth, r, verifier, scopes)
	}
	return g, err
}

// refuse ends a sign-in. Where it has gone on meanwhile, that counts.
func (d *Desk) refuse(ctx context.Context, k store.KeptSignIn, f *postroom.Fault, report []byte) error {
	err := d.Store.RefuseSignIn(ctx, k.ID, f, report, d.now())
	if errors.Is(err, store.ErrSignInMoved) {
		return nil
	}
	if err == nil {
		d.log().InfoContext(ctx, "sign-in refused", "mailbox", k.Mailbox, "sign_in", k.ID, "class", f.Class, "err", f.Err)
	}
	return err
}

// refuseFor is refuse for what a provider did not do. Trouble of our own is returned: the
// sign-in then ends as one that was interrupted.
func (d *Desk) refuseFor(ctx context.Context, k store.KeptSignIn, err error, s Situation) error {
	if !isSaid(err) {
		return err
	}
	return d.refuse(ctx, k, d.explain(err, s), nil)
}

// isSaid says whether an error is about what somebody else said or did, or about what
// was entered.
func isSaid(err error) bool {
	if _, ok := postroom.FaultOf(err); ok {
		return true
	}
	if _, ok := oauth.RefusalOf(err); ok {
		return true
	}
	var bad *oauth.AppError
	return errors.As(err, &bad) || errors.Is(err, oauth.ErrIssuer) || errors.Is(err, oauth.ErrIDToken) || errors.Is(err, oauth.ErrNotOffered)
}
