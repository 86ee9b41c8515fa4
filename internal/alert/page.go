package alert

import (
	"cmp"
	"context"
	"slices"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

func viewOf(by postroom.Viewer) store.AlertView {
	return store.AlertView{All: by.IsAdmin(), User: by.User, Grace: settled}
}

// Open lists the alerts that need somebody now, the gravest first: all of them for an
// administrator, for others those of mailboxes that they own.
func (d *Desk) Open(ctx context.Context, by postroom.Viewer) ([]postroom.Alert, error) {
	alerts, err := d.Store.Reader().StandingAlerts(ctx, viewOf(by))
	slices.SortStableFunc(alerts, func(a, b postroom.Alert) int { return cmp.Compare(gravity(a.Kind), gravity(b.Kind)) })
	return alerts, err
}

// gravity is the place of a kind among the others, the lowest first: what stops
// everything, what loses or stops mail until somebody acts, what delays it, what will.
func gravity(k postroom.AlertKind) int {
	order := []postroom.AlertKind{
		postroom.AlertSpace, postroom.AlertSignIn, postroom.AlertRepair, postroom.AlertUnbalanced,
		postroom.AlertQuarantined, postroom.AlertDelay, postroom.AlertAhead,
	}
	if i := slices.Index(order, k); i >= 0 {
		return i
	}
	return len(order)
}

// History lists alerts that have ended, the newest first; which mailboxes they concerned
// is told by each alone.
func (d *Desk) History(ctx context.Context, by postroom.Viewer, limit int) ([]postroom.Alert, error) {
	return d.Store.Reader().EndedAlerts(ctx, viewOf(by), limit)
}

// Alert returns one alert, also after its end.
func (d *Desk) Alert(ctx context.Context, by postroom.Viewer, id postroom.AlertID) (postroom.Alert, error) {
	return d.Store.Reader().Alert(ctx, viewOf(by), id)
}

// Notices lists the mails about an alert, the oldest first. For administrators.
func (d *Desk) Notices(ctx context.Context, by postroom.Viewer, id postroom.AlertID) ([]postroom.Notice, error) {
	if err := needAdmin(by); err != nil {
		return nil, err
	}
	return d.Store.Reader().NoticesOf(ctx, id)
}

// Seen keeps that somebody has closed the pop-up of an alert. Of a program it is not
// kept: nothing pops up there.
func (d *Desk) Seen(ctx context.Context, by postroom.Viewer, id postroom.AlertID) error {
	if _, err := d.Alert(ctx, by, id); err != nil || by.User == 0 {
		return err
	}
	now, err := d.now(ctx)
	if err != nil {
		return err
	}
	return d.Store.SeeAlert(ctx, id, by.User, now)
}
