package credential

import (
	"context"

	"github.com/postroom/postroom"
)

// Check finds out what can be found out about a registration before anybody signs in by
// it, and keeps that.
func (a *Apps) Check(ctx context.Context, by postroom.Viewer, id postroom.OAuthAppID) (postroom.OAuthApp, error) {
	return a.App(ctx, by, id)
}
