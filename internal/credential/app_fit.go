package credential

import (
	"context"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
)

// For returns the registrations by which a mailbox can be opened, the best first: one
// made for its organisation, then one of its very provider; of those alike, the one by
// which somebody of its domain signed in last. A generic one fits where the provider of
// the mailbox is not known, and where nothing else does.
func (a *Apps) For(ctx context.Context, m postroom.Mailbox) ([]postroom.OAuthApp, error) {
	kept, err := a.Store.OAuthApps(ctx)
	if err != nil {
		return nil, err
	}
	_, domain, _ := strings.Cut(strings.ToLower(m.Address), "@")
	uses, err := a.Store.AppUses(ctx, domain)
	if err != nil {
		return nil, err
	}
	used := map[postroom.OAuthAppID]store.AppUse{}
	for _, u := range uses {
		used[u.App] = u
	}
	preset, _ := a.Presets.For(m.Address, m.Incoming.Host)
	var fitting, others []postroom.OAuthApp
	ranks := map[postroom.OAuthAppID]int{}
	for _, k := range kept {
		rank := fit(k.OAuthApp, a.preset(k.Provider), preset, domain)
		ranks[k.ID] = rank
		switch {
		case rank > 0:
			fitting = append(fitting, k.OAuthApp)
		case k.Provider == postroom.GenericProvider:
			others = append(others, k.OAuthApp)
		}
	}
	if len(fitting) == 0 {
		fitting = others
	}
	slices.SortStableFunc(fitting, func(x, y postroom.OAuthApp) int {
		ux, uy := used[x.ID], used[y.ID]
		for _, less := range []int{ranks[y.ID] - ranks[x.ID], uy.InDomain.Compare(ux.InDomain), uy.At.Compare(ux.At), y.CreatedAt.Compare(x.CreatedAt)} {
			if less != 0 {
				return less
			}
		}
		return 0
	})
	return fitting, nil
}

// How well a registration fits a mailbox; 0: not at all.
const (
	fitsGeneric = iota + 1
	fitsFamily
	fitsProvider
	fitsDomain
)

// fit says how well a registration, of is, fits a mailbox of a domain at its provider, at;
// both may be nil.
func fit(app postroom.OAuthApp, is, at *provider.Preset, domain string) int {
	switch {
	case app.Provider == postroom.GenericProvider:
		if at == nil || at.OAuth == nil {
			return fitsGeneric
		}
		return 0
	case is == nil || at == nil:
		return 0
	case is.ID != at.ID && (family(is) == "" || family(is) != family(at)):
		return 0
	case isGoogle(at.ID) && app.Kind == postroom.AppServiceAccount && at.ID != "google_workspace":
		return 0 // nobody delegates gmail.com
	}
	if isMicrosoft(at.ID) {
		return fitMicrosoft(app, is, at, domain)
	}
	if is.ID == at.ID {
		return fitsProvider
	}
	return fitsFamily
}

// fitMicrosoft looks at who may sign in by an app: the people of one organisation, of all
// organisations, with an account of their own, or everybody.
func fitMicrosoft(app postroom.OAuthApp, is, at *provider.Preset, domain string) int {
	personal := at.ID == "outlook_com"
	audience := strings.ToLower(app.Tenant)
	if audience == "" {
		audience = "organizations"
		if is.ID == "outlook_com" {
			audience = "consumers"
		}
	}
	switch {
	case personal && app.Kind == postroom.AppClient:
		return 0
	case personal && (audience == "consumers" || audience == "common"):
		return fitsProvider
	case personal || audience == "consumers":
		return 0
	case audience == domain:
		return fitsDomain
	case !isAudience(audience), is.ID == at.ID:
		return fitsProvider
	}
	return fitsFamily
}
