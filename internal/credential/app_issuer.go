package credential

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/oauth"
	"github.com/postroom/postroom/internal/work"
)

// believedFor is how long what an issuer published is taken for true.
const believedFor = time.Hour

// needsIssuer says whether a registration does not say itself where everything is.
func needsIssuer(r Registration) bool {
	return r.OAuth.TokenURL == "" && r.Service == nil || r.OAuth.AuthorizeURL == "" && r.Kind == postroom.AppSignIn
}

// discovered is a registration with what its issuer publishes.
func (a *Apps) discovered(ctx context.Context, r Registration) (Registration, error) {
	if r.Issuer == "" || !needsIssuer(r) {
		return r, nil
	}
	said, err := a.issuers.ask(ctx, a.client(), r.OAuth, a.now())
	if err != nil {
		return Registration{}, a.unpublished(r, err)
	}
	r.OAuth = said.Fill(r.OAuth)
	switch {
	case r.OAuth.TokenURL == "":
		return Registration{}, unsaid(r, "token_url")
	case r.OAuth.AuthorizeURL == "" && r.Kind == postroom.AppSignIn:
		return Registration{}, unsaid(r, "authorize_url")
	}
	return r, nil
}

// unsaid is the Fault for an issuer that does not publish what is needed.
func unsaid(r Registration, field string) error {
	return &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Field: field,
		Explanation: fmt.Sprintf("%s does not publish the %s.", r.OAuth.Issuer, fieldName(field)),
		Remedy:      "Open the registration and enter it, from the provider's documentation.",
	}
}

// unpublished is the Fault for an issuer that cannot be read. Unless it is plainly
// somebody else, that may pass.
func (a *Apps) unpublished(r Registration, cause error) error {
	if errors.Is(cause, oauth.ErrIssuer) {
		return &postroom.Fault{
			Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Field: "issuer",
			Explanation: "What answers at " + r.OAuth.Issuer + " calls itself by another name, so it is not believed.",
			Remedy:      "Open the registration and enter the issuer letter by letter as the provider writes it.",
			Err:         cause,
		}
	}
	f := &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.ServerBusy, FixBy: postroom.FixByWaiting,
		Explanation: "The provider " + r.OAuth.Issuer + " does not say where to sign in at the moment.",
		Remedy:      "Nothing needs to be done if it passes: Postroom asks again by itself. If it stays, an administrator compares the issuer with the provider's documentation.",
		Err:         cause,
	}
	if refusal, ok := oauth.RefusalOf(cause); ok {
		f.Reply, f.RetryAfter = refusal.Reply, refusal.RetryAfter
		if refusal.Status == 0 {
			f.Class = postroom.Timeout
		}
	}
	return f
}

// ask returns what an issuer has published: within the hour what it said before, and
// after that too while it does not answer. One that never did is asked again after
// growing pauses.
func (i *issuers) ask(ctx context.Context, c *oauth.Client, a oauth.App, now time.Time) (oauth.Metadata, error) {
	i.mu.Lock()
	p := i.of[a.Issuer]
	if p == nil {
		if i.of == nil {
			i.of = map[string]*published{}
		}
		p = &published{}
		i.of[a.Issuer] = p
	}
	i.mu.Unlock()
	p.asking.Lock() // whoever comes meanwhile has the answer too
	defer p.asking.Unlock()
	if now.Before(p.until) {
		return p.said, p.err
	}
	said, err := c.Discover(ctx, a)
	if err != nil && ctx.Err() != nil { // that tells nothing of the issuer
		return p.said, err
	}
	if err == nil {
		p.said, p.err, p.failures, p.until = said, nil, 0, now.Add(believedFor)
		return said, nil
	}
	p.failures++
	p.until = now.Add(work.Delay{First: 5 * time.Second, Max: 10 * time.Minute}.After(p.failures))
	if p.said.TokenURL == "" {
		p.err = err
	}
	return p.said, p.err
}

// forget has an issuer asked anew.
func (i *issuers) forget(issuer string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	delete(i.of, issuer)
}
