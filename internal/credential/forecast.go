package credential

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
)

// A Forecast says what is known to end.
type Forecast struct {
	Store   *store.DB
	Presets *provider.Presets
	Now     func() time.Time // nil: time.Now

	mu      sync.Mutex // guards what follows
	changes []postroom.Expiry
	read    time.Time // when changes were; zero: not yet
}

// announcedLasts is how long it is taken for granted which mailboxes an announced change
// concerns. It takes reading the settings of all of them.
const announcedLasts = time.Minute

// Ahead lists what is known to end, the soonest first. What it learns from that, it
// writes down: an app whose grants end after seven days is in testing.
func (f *Forecast) Ahead(ctx context.Context) ([]postroom.Expiry, error) {
	now := time.Now()
	if f.Now != nil {
		now = f.Now()
	}
	s := sky{now: now, presets: f.Presets}
	apps, err := f.Store.OAuthApps(ctx)
	if err != nil {
		return nil, err
	}
	for _, k := range apps {
		s.apps = append(s.apps, k.OAuthApp)
	}
	if s.grants, err = f.Store.GrantsAhead(ctx); err != nil {
		return nil, err
	}
	if s.changes, err = f.announced(ctx, now); err != nil {
		return nil, err
	}
	for _, id := range s.inTesting() {
		if err := f.Store.MarkAppTesting(ctx, id); err != nil {
			return nil, err
		}
	}
	return s.ahead(), nil
}

// announced is what providers have announced, for the mailboxes that are here.
func (f *Forecast) announced(ctx context.Context, now time.Time) ([]postroom.Expiry, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if age := now.Sub(f.read); !f.read.IsZero() && age >= 0 && age < announcedLasts {
		return f.changes, nil
	}
	mailboxes, err := f.Store.Reader().Openings(ctx)
	if err != nil {
		return nil, err
	}
	f.changes, f.read = announced(f.Presets, mailboxes, now), now
	return f.changes, nil
}

// A sky is what a forecast is made from.
type sky struct {
	now     time.Time
	presets *provider.Presets
	apps    []postroom.OAuthApp
	grants  []store.GrantAhead
	changes []postroom.Expiry // that providers have announced
}

// inTesting finds the apps that turn out to be in testing, and notes it in the sky too.
func (s *sky) inTesting() (found []postroom.OAuthAppID) {
	for i := range s.apps {
		app := &s.apps[i]
		if app.IsTesting || !isGoogle(app.Provider) || app.Kind != postroom.AppSignIn {
			continue
		}
		if slices.ContainsFunc(s.grants, func(g store.GrantAhead) bool { return g.App == app.ID && showsTesting(g, *app) }) {
			app.IsTesting = true
			found = append(found, app.ID)
		}
	}
	return found
}

// showsTesting says whether a grant of Google's shows that its app is in testing: it was
// given for seven days, or died after seven. What was given before somebody changed the
// registration tells nothing of how the app is now.
func showsTesting(g store.GrantAhead, app postroom.OAuthApp) bool {
	const early, late = 10 * time.Minute, 3 * time.Hour // clocks differ, and a refresh comes once an hour
	isSeven := func(d time.Duration) bool { return d > testingLasts-early && d < testingLasts+late }
	switch {
	case g.SignedInAt.Before(app.UpdatedAt):
		return false
	case !g.Ends.IsZero() && !g.Moves && isSeven(g.Ends.Sub(g.SignedInAt)):
		return true
	}
	return g.Fault != nil && g.Fault.Kind == postroom.NeedsSignIn && g.Fault.Class == postroom.TokenRevoked &&
		isSeven(g.FailedAt.Sub(g.SignedInAt)) && !g.Refreshed.IsZero() && g.Refreshed.Sub(g.SignedInAt) < testingLasts+early
}

// ahead lists what ends after now, the soonest first.
func (s *sky) ahead() []postroom.Expiry {
	byApp := map[postroom.OAuthAppID][]store.GrantAhead{}
	for _, g := range s.grants {
		byApp[g.App] = append(byApp[g.App], g)
	}
	var all []postroom.Expiry
	for _, app := range s.apps {
		all = append(all, s.secretOf(app, byApp[app.ID])...)
		all = append(all, s.grantsOf(app, byApp[app.ID])...)
	}
	all = append(all, s.idle(byApp)...)
	all = append(all, s.changes...)
	all = slices.DeleteFunc(all, func(e postroom.Expiry) bool { return !e.At.After(s.now) })
	slices.SortStableFunc(all, func(x, y postroom.Expiry) int {
		return cmp.Or(x.At.Compare(y.At), cmp.Compare(x.Key, y.Key))
	})
	return all
}

// preset is the provider of a registration; nil: a generic one.
func (s *sky) preset(app postroom.OAuthApp) *provider.Preset {
	preset, ok := s.presets.ByID(app.Provider)
	if !ok {
		return nil
	}
	return preset
}

func mailboxesOf(grants []store.GrantAhead) []postroom.MailboxID {
	ids := make([]postroom.MailboxID, 0, len(grants))
	for _, g := range grants {
		ids = append(ids, g.Mailbox)
	}
	slices.Sort(ids)
	return ids
}
