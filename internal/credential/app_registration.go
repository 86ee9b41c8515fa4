package credential

import (
	"context"

	"github.com/postroom/postroom"
)

// Registration returns a registration ready for use.
func (a *Apps) Registration(ctx context.Context, id postroom.OAuthAppID) (Registration, error) {
	return Registration{}, errSoon
}

// RedirectURL is where the browser comes back to, as it is to be entered at the provider.
func (a *Apps) RedirectURL(app postroom.OAuthApp) string { return app.RedirectURL }

// For returns the registrations by which a mailbox can be opened, the best first.
func (a *Apps) For(ctx context.Context, m postroom.Mailbox) ([]postroom.OAuthApp, error) {
	return nil, errSoon
}
