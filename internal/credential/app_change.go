package credential

import (
	"context"
	"errors"

	"github.com/postroom/postroom"
)

var errSoon = errors.New("not yet")

// Add keeps a registration.
func (a *Apps) Add(ctx context.Context, by postroom.Viewer, n NewApp) (postroom.OAuthApp, error) {
	return postroom.OAuthApp{}, errSoon
}

// Change keeps a registration as it is once change has changed it. secret is a new one;
// nil: it stays.
func (a *Apps) Change(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID, change func(*postroom.OAuthApp) error, secret *postroom.Secret) (postroom.OAuthApp, error) {
	return postroom.OAuthApp{}, errSoon
}

// Remove destroys a registration that no mailbox signs in by.
func (a *Apps) Remove(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID) error {
	return errSoon
}
