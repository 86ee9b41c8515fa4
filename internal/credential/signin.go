package credential

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/store"
)

const (
	// SignInLasts is how long somebody may take until they open the start of a sign-in, and
	// then at the provider; maxSignInLasts how long in all, however often they open it.
	SignInLasts    = 10 * time.Minute
	maxSignInLasts = 30 * time.Minute

	// exchangeLasts is how long the answer of a browser that came back may take, and
	// exchangeLost after what time nobody is at it any more.
	exchangeLasts = time.Minute
	exchangeLost  = 2 * time.Minute

	startPath  = "/oauth/start/"
	resultPath = "/oauth/result/"
)

// A Begun is a sign-in that waits for a browser.
type Begun struct {
	SignIn postroom.SignIn
	// Path is where the browser begins: /oauth/start/… It opens nothing but this sign-in,
	// for ten minutes; keep it out of logs all the same.
	Path string
	// Result is the page of the sign-in for whoever holds Path: /oauth/result/…
	Result string
	// Pastes: the browser comes back to the machine that it runs on, where nobody listens
	// unless that is this one. Its owner then copies the address to the result page.
	Pastes bool
}

// A Sent is a browser on its way to the provider.
type Sent struct {
	Address string // the provider's; empty: the sign-in has come further, see Result
	Result  string // its page here: /oauth/result/…
	// Cookie and Browser are the name and the value of a cookie for /oauth, by which the
	// browser is known again. It may be forgotten when Lasts is over.
	Cookie  string
	Browser postroom.Secret
	Lasts   time.Duration
}

// CookiePrefix is what the names of cookies begin with that Return wants to see.
const CookiePrefix = "postroom_sign_in_"

// Begin begins a sign-in for a mailbox. With no app the one that fits best is taken.
func (d *Desk) Begin(ctx context.Context, by postroom.Viewer, m postroom.MailboxID, app postroom.OAuthAppID) (Begun, error) {
	mailbox, err := d.mailboxFor(ctx, by, m)
	if err != nil {
		return Begun{}, err
	}
	reg, err := d.registrationFor(ctx, mailbox, app)
	if err != nil {
		return Begun{}, err
	}
	return d.begin(ctx, reg, postroom.SignIn{Mailbox: m, By: by.User}, spoken{})
}

// mailboxFor is a mailbox for which somebody may sign in: administrators, and the owner.
func (d *Desk) mailboxFor(ctx context.Context, by postroom.Viewer, id postroom.MailboxID) (postroom.Mailbox, error) {
	m, err := d.Store.Mailbox(ctx, id)
	if err != nil {
		return postroom.Mailbox{}, err
	}
	if by.IsAdmin() || by.User != 0 && by.User == m.Owner {
		return m, nil
	}
	return postroom.Mailbox{}, &postroom.Fault{
		Kind: postroom.Forbidden, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "Only its owner and administrators sign in for a mailbox.",
		Remedy:      "Ask an administrator of Postroom.",
	}
}

// registrationFor is the registration by which somebody signs in for a mailbox; with no
// app the best of those that fit.
func (d *Desk) registrationFor(ctx context.Context, m postroom.Mailbox, app postroom.OAuthAppID) (Registration, error) {
	if app == 0 {
		apps, err := d.Apps.For(ctx, m)
		if err != nil {
			return Registration{}, err
		}
		for _, a := range apps {
			if a.Kind == postroom.AppSignIn {
				app = a.ID
				break
			}
		}
		if app == 0 {
			return Registration{}, &postroom.Fault{
				Kind: postroom.Invalid, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Field: "oauth_app",
				Explanation: "No registration at the provider of this mailbox is known here, so nobody can sign in there.",
				Remedy:      "An administrator adds one under Settings, Apps at providers. It takes about ten minutes, once for all mailboxes of the provider.",
			}
		}
	}
	reg, err := d.Apps.Registration(ctx, app)
	if err == nil && reg.Kind != postroom.AppSignIn {
		err = &postroom.Fault{
			Kind: postroom.Invalid, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Field: "oauth_app",
			Explanation: fmt.Sprintf("By “%s” nobody signs in: it opens mailboxes in its own name.", reg.Name),
			Remedy:      "Use it for the mailbox without a sign-in, or choose another registration.",
		}
	}
	return reg, err
}

// begin keeps a sign-in that waits for a browser.
func (d *Desk) begin(ctx context.Context, reg Registration, s postroom.SignIn, said spoken) (Begun, error) {
	start, hash := newSecret()
	now := d.now()
	s.App, s.Way, s.Step, s.CreatedAt, s.ExpiresAt = reg.ID, postroom.GrantByCode, postroom.SignInBegun, now, now.Add(SignInLasts)
	s, err := d.Store.AddSignIn(ctx, store.NewSignIn{
		SignIn: s, Start: hash,
		Seal: func(id postroom.SignInID) ([]byte, error) { return d.seal(id, said) },
	})
	if err != nil {
		return Begun{}, err
	}
	d.step("begun")
	return Begun{SignIn: s, Path: startPath + start, Result: resultPath + start, Pastes: d.pastes(reg)}, nil
}

// pastes says whether the browser comes back to where perhaps nobody listens.
func (d *Desk) pastes(reg Registration) bool {
	app := reg.OAuth
	app.RedirectURL = d.redirectURL(reg, "")
	return app.LoopbackRedirect()
}

// redirectURL is where the browser comes back to, letter by letter as it is registered.
func (d *Desk) redirectURL(reg Registration, base string) string {
	return d.Apps.RedirectAt(reg.OAuthApp, base)
}

// Send sends a browser off to the provider. base is where this Postroom is reached by
// it. Another one that comes before the first is back takes its place.
func (d *Desk) Send(ctx context.Context, start, base string) (Sent, error) {
	k, err := d.Store.SignInByStart(ctx, hashOf(start))
	if err != nil {
		return Sent{}, err
	}
	if k.Way != postroom.GrantByCode || k.Step != postroom.SignInBegun && k.Step != postroom.SignInSent {
		return Sent{Result: resultPath + start}, nil
	}
	if !d.now().Before(k.ExpiresAt) {
		return Sent{Result: resultPath + start}, d.refuse(ctx, k, tooLate(), nil)
	}
	reg, err := d.Apps.Registration(ctx, k.App)
	if err != nil {
		return Sent{}, err
	}
	said, err := d.open(k)
	if err != nil {
		return Sent{}, err
	}
	if k.ExpiresAt = d.now().Add(SignInLasts); k.ExpiresAt.After(k.CreatedAt.Add(maxSignInLasts)) {
		k.ExpiresAt = k.CreatedAt.Add(maxSignInLasts)
	}
	random, _ := newSecret()
	browser := start + "." + random
	address, err := d.sendOff(ctx, k, reg, d.redirectURL(reg, base), said.Prompt, hashOf(browser))
	if errors.Is(err, store.ErrSignInMoved) {
		return Sent{Result: resultPath + start}, nil
	}
	if err != nil {
		return Sent{}, err
	}
	return Sent{
		Address: address, Result: resultPath + start,
		Cookie: CookiePrefix + k.ID.String(), Browser: postroom.Hide(browser), Lasts: k.ExpiresAt.Sub(d.now()) + time.Minute,
	}, nil
}

// sendOff makes the address at the provider, and keeps what proves that the answer
// belongs to it.
func (d *Desk) sendOff(ctx context.Context, k store.KeptSignIn, reg Registration, redirect, prompt string, browser [32]byte) (address string, err error) {
	m, err := d.Store.Mailbox(ctx, k.Mailbox)
	if err != nil {
		return "", err
	}
	uses, err := d.usesOf(ctx, m)
	if err != nil {
		return "", err
	}
	was, err := d.lastAccount(ctx, m.ID)
	if err != nil {
		return "", err
	}
	scopes := reg.OAuth.ScopesFor(uses...)
	reg.OAuth.RedirectURL = redirect
	b, err := reg.OAuth.Begin(oauth.Ask{Scopes: scopes, LoginHint: expected(m, was), Prompt: promptOf(reg, scopes, prompt)})
	if err != nil {
		return "", d.explain(err, situation(reg, m))
	}
	sealed, err := d.seal(k.ID, spoken{Prompt: prompt, Verifier: b.Verifier.Reveal(), Nonce: b.Nonce.Reveal()})
	if err != nil {
		return "", err
	}
	err = d.Store.SendSignIn(ctx, k.ID, k.Step, store.Sending{
		State: hashOf(b.State.Reveal()), Browser: browser, RedirectURL: redirect, Scopes: scopes, Sealed: sealed, Expires: k.ExpiresAt,
	})
	if err != nil {
		return "", err
	}
	d.step("sent")
	return b.Address, nil
}
