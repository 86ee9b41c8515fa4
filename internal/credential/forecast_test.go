package credential

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
)

const aDay = 24 * time.Hour

// A forecastWorld is what really goes on: what ends when, and what is renewed.
type forecastWorld struct {
	sky
	paused map[postroom.GrantID]bool
	slides map[postroom.GrantID]time.Duration // put off by each refresh, by so much
	ends   map[string]time.Time               // what ends by itself, by the key of its expiry
	lapse  map[postroom.GrantID]time.Duration // ends when it was not renewed for so long
	cutOff func(now time.Time) bool           // nothing can be renewed
}

// pass lets a day go by: grants that are used are renewed, others within the week.
func (w *forecastWorld) pass() {
	w.now = w.now.Add(aDay)
	if w.cutOff(w.now) {
		return
	}
	for i := range w.grants {
		g := &w.grants[i]
		if last := g.Refreshed; w.paused[g.Grant] && w.now.Sub(last) < 6*aDay {
			continue
		}
		g.Refreshed = w.now
		if lasts, ok := w.slides[g.Grant]; ok {
			g.Ends, g.Moves = w.now.Add(lasts), true
		} else if !g.Ends.IsZero() {
			g.Firm = true
		}
	}
}

// isReal says whether an end that is announced is one.
func (w *forecastWorld) isReal(e postroom.Expiry) bool {
	if at, ok := w.ends[e.Key]; ok {
		return e.At.Equal(at)
	}
	for _, g := range w.grants {
		for _, lasts := range []time.Duration{w.lapse[g.Grant], w.slides[g.Grant]} {
			if lasts > 0 && slices.Contains(e.Mailboxes, g.Mailbox) && e.At.Equal(g.Refreshed.Add(lasts)) && w.cutOff(w.now) {
				return true
			}
		}
	}
	return false
}

// newForecastWorld draws one.
func newForecastWorld(t *rapid.T, presets *provider.Presets) *forecastWorld {
	start := time.Date(2026, 11, 21, 9, 0, 0, 0, time.UTC)
	w := &forecastWorld{
		sky: sky{now: start, presets: presets}, paused: map[postroom.GrantID]bool{}, slides: map[postroom.GrantID]time.Duration{},
		ends: map[string]time.Time{}, lapse: map[postroom.GrantID]time.Duration{},
	}
	outage := start.Add(time.Duration(rapid.IntRange(0, 300).Draw(t, "outage on day")) * aDay)
	over := outage.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 1, 5, 25, 80}).Draw(t, "days of outage")) * aDay)
	w.cutOff = func(now time.Time) bool { return !now.Before(outage) && now.Before(over) }
	days := func(what string, from, to int) time.Duration {
		return time.Duration(rapid.IntRange(from, to).Draw(t, what)) * aDay
	}
	for i := range rapid.IntRange(1, 6).Draw(t, "apps") {
		app := postroom.OAuthApp{ID: postroom.OAuthAppID(i + 1), Name: fmt.Sprint("app ", i), Kind: postroom.AppSignIn, CreatedAt: start, UpdatedAt: start}
		app.Provider = rapid.SampledFrom([]string{"gmail", "google_workspace", "microsoft365", "outlook_com", "generic", "yandex"}).Draw(t, "provider")
		app.IsTesting = isGoogle(app.Provider) && rapid.Bool().Draw(t, "in testing")
		if rapid.Bool().Draw(t, "secret ends") {
			app.SecretKind = rapid.SampledFrom([]postroom.AppSecretKind{postroom.AppSecretText, postroom.AppSecretCertificate}).Draw(t, "secret")
			app.SecretExpiresAt = start.Add(days("secret ends after", 40, 390))
			w.ends["secret:"+app.ID.String()] = app.SecretExpiresAt
		}
		w.apps = append(w.apps, app)
		for j := range rapid.IntRange(1, 3).Draw(t, "mailboxes") {
			id := 100*i + j + 1
			g := store.GrantAhead{Grant: postroom.GrantID(id), Mailbox: postroom.MailboxID(id), App: app.ID, Way: postroom.GrantByCode, SignedInAt: start, Refreshed: start, HasRefresh: true}
			w.paused[g.Grant] = rapid.Bool().Draw(t, "paused")
			preset, _ := presets.ByID(app.Provider)
			if lasts, ok := endsIdle(preset); ok {
				w.lapse[g.Grant] = lasts
			}
			switch rapid.IntRange(0, 2).Draw(t, "the provider states an end") {
			case 1:
				w.slides[g.Grant] = days("which moves, after", 15, 120)
				g.Ends = start.Add(w.slides[g.Grant])
			case 2:
				g.Ends = start.Add(days("which is firm, after", 40, 390))
				w.ends["grant:"+g.Grant.String()] = g.Ends
			}
			if app.IsTesting {
				ends := start.Add(testingLasts)
				w.ends["testing:"+app.ID.String()+":"+ends.Format(time.DateOnly)] = ends
				delete(w.ends, "grant:"+g.Grant.String())
			}
			w.grants = append(w.grants, g)
		}
	}
	return w
}

func TestIn400DaysEveryEndIsAnnouncedAWeekAheadAndNothingElse(t *testing.T) {
	presets := &provider.Presets{}
	rapid.Check(t, func(t *rapid.T) {
		w := newForecastWorld(t, presets)
		announced := map[string]time.Time{}
		for range 401 {
			for _, e := range w.ahead() {
				if e.Prevented || e.At.Sub(w.now) > firstWarning {
					continue
				}
				if _, known := announced[e.Key]; !known {
					announced[e.Key] = w.now
				}
				if !w.isReal(e) {
					t.Fatalf("on %s: false alarm: %s on %s (%s)", w.now, e.Title, e.At, e.Key)
				}
				if e.Title == "" || e.Words == "" || e.Remedy == "" || e.Page == "" || len(e.Mailboxes) == 0 {
					t.Fatalf("an expiry without words, or of nobody: %+v", e)
				}
			}
			// An app in testing ends its sign-ins once; people are told at once, and publish it.
			if w.now.Sub(w.grants[0].SignedInAt) == 6*aDay {
				for i := range w.apps {
					w.apps[i].IsTesting = false
				}
				for i := range w.grants {
					if app := w.apps[w.grants[i].App-1]; isGoogle(app.Provider) && announced["testing:"+app.ID.String()+":"+w.grants[i].SignedInAt.Add(testingLasts).Format(time.DateOnly)] != (time.Time{}) {
						w.grants[i].Ends = time.Time{}
						delete(w.slides, w.grants[i].Grant)
					}
				}
			}
			w.pass()
		}
		for key, at := range w.ends {
			if first, told := announced[key]; !told || at.Sub(first) < 7*aDay {
				t.Fatalf("%s ends on %s, first announced %v (told %v)", key, at, first, told)
			}
		}
	})
}

func TestForecast(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	now := time.Now().UTC().Truncate(time.Second)
	f := &Forecast{Store: a.Store, Presets: a.Presets, Now: func() time.Time { return now }}
	secret := newApp("microsoft365", aGUID, "a~b")
	secret.Name, secret.SecretExpiresAt = "Contoso", now.AddDate(0, 0, 20)
	contoso, err := a.Add(ctx, appAdmin, secret)
	if err != nil {
		t.Fatal(err)
	}
	idle := newApp("microsoft365", otherGUID, "a~b")
	idle.SecretExpiresAt = now.AddDate(0, 0, 5)
	if _, err := a.Add(ctx, appAdmin, idle); err != nil {
		t.Fatal(err)
	}
	gmail, err := a.Add(ctx, appAdmin, newApp("gmail", aGoogleID, appsSecret))
	if err != nil {
		t.Fatal(err)
	}
	first, second := signIn(t, a, contoso.ID, "a@contoso.com", now), signIn(t, a, contoso.ID, "b@contoso.com", now)
	signIn(t, a, gmail.ID, "a@gmail.com", now)
	ends, err := f.Ahead(ctx)
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]postroom.Expiry{}
	for _, e := range ends {
		keys[e.Key] = e
	}
	e := keys["secret:"+contoso.ID.String()]
	if !e.At.Equal(secret.SecretExpiresAt) || !slices.Equal(e.Mailboxes, []postroom.MailboxID{first, second}) || e.App != contoso.ID || !strings.Contains(e.Title, "Contoso") ||
		!strings.Contains(e.Words, "2 mailboxes stop") || !strings.Contains(e.Link.URL, "Credentials/appId/"+aGUID) || e.Page != "/settings/apps/"+contoso.ID.String() {
		t.Errorf("the end of the secret: %+v", e)
	}
	if len(ends) != 3 || !keys["kept:accounts.google.com"].Prevented || !keys["kept:login.microsoftonline.com"].Prevented {
		t.Errorf("Ahead = %+v, want the secret and what is kept from lapsing", ends)
	}
	if !slices.IsSortedFunc(ends, func(x, y postroom.Expiry) int { return x.At.Compare(y.At) }) {
		t.Error("not the soonest first")
	}
}

func TestWhatProvidersHaveAnnouncedIsAhead(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	m := postroom.Mailbox{Address: "anna@contoso.com"}
	m.Incoming.Host, m.Incoming.Protocol = "outlook.office365.com", postroom.IMAP
	m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.office365.com"}}
	m, err := a.Store.AddMailbox(ctx, m, "password", func(postroom.MailboxID) ([]byte, error) { return []byte("x"), nil })
	if err != nil {
		t.Fatal(err)
	}
	at := time.Date(2026, 12, 1, 9, 0, 0, 0, time.UTC)
	f := &Forecast{Store: a.Store, Presets: a.Presets, Now: func() time.Time { return at }}
	ends, err := f.Ahead(ctx)
	if err != nil || len(ends) != 1 || !strings.HasPrefix(ends[0].Key, "change:2026-12-31:") || !slices.Equal(ends[0].Mailboxes, []postroom.MailboxID{m.ID}) || ends[0].Prevented || ends[0].Remedy == "" || ends[0].Link.URL == "" {
		t.Fatalf("Ahead = %+v, %v, want the end of passwords for sending", ends, err)
	}
	// Who signs in by OAuth is not concerned.
	app, err := a.Add(ctx, appAdmin, newApp("microsoft365", aGUID, "a~b"))
	if err != nil {
		t.Fatal(err)
	}
	adopt(t, a, app.ID, m.ID, at)
	at = at.Add(2 * announcedLasts)
	if ends, err = f.Ahead(ctx); err != nil || slices.ContainsFunc(ends, func(e postroom.Expiry) bool { return strings.HasPrefix(e.Key, "change:") }) {
		t.Errorf("with a sign-in: %+v, %v", ends, err)
	}
}

func TestAnAppInTestingIsRecognised(t *testing.T) {
	given := time.Date(2026, 11, 1, 10, 0, 0, 0, time.UTC)
	revoked := &postroom.Fault{Kind: postroom.NeedsSignIn, Class: postroom.TokenRevoked}
	week := given.Add(testingLasts)
	tests := map[string]struct {
		g    store.GrantAhead
		want bool
	}{
		"given for seven days":          {store.GrantAhead{Ends: week.Add(-2 * time.Second)}, true},
		"given for a month":             {store.GrantAhead{Ends: given.AddDate(0, 1, 0)}, false},
		"given for seven days, renewed": {store.GrantAhead{Ends: week, Moves: true}, false},
		"died after seven":              {store.GrantAhead{Refreshed: week.Add(-30 * time.Minute), Fault: revoked, FailedAt: week.Add(29 * time.Minute)}, true},
		"died after three":              {store.GrantAhead{Refreshed: given.AddDate(0, 0, 3), Fault: revoked, FailedAt: given.AddDate(0, 0, 3)}, false},
		"died after eight":              {store.GrantAhead{Refreshed: week.Add(23 * time.Hour), Fault: revoked, FailedAt: week.Add(24 * time.Hour)}, false},
		"lives":                         {store.GrantAhead{Refreshed: week.Add(time.Hour)}, false},
		"an outage after seven":         {store.GrantAhead{Refreshed: week.Add(-time.Hour), Fault: &postroom.Fault{Kind: postroom.Delayed, Class: postroom.Timeout}, FailedAt: week}, false},
		"given before the app changed":  {store.GrantAhead{SignedInAt: given.Add(-time.Hour), Ends: week.Add(-time.Hour)}, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			test.g.App = 1
			if test.g.SignedInAt.IsZero() {
				test.g.SignedInAt = given
			}
			for provider, want := range map[string]bool{"gmail": test.want, "microsoft365": false} {
				s := sky{apps: []postroom.OAuthApp{{ID: 1, Provider: provider, Kind: postroom.AppSignIn, UpdatedAt: given}}, grants: []store.GrantAhead{test.g}}
				if got := len(s.inTesting()) == 1; got != want {
					t.Errorf("at %s: in testing = %t, want %t", provider, got, want)
				}
			}
		})
	}
}

func TestWhatHasBeenSeenOfAnAppIsWrittenDown(t *testing.T) {
	ctx, a := t.Context(), newApps(t)
	app, err := a.Add(ctx, appAdmin, newApp("gmail", aGoogleID, appsSecret))
	if err != nil {
		t.Fatal(err)
	}
	now := app.UpdatedAt.Add(time.Minute)
	id := signIn(t, a, app.ID, "a@gmail.com", now)
	kept, err := a.Store.Grants(ctx, id)
	if err != nil || len(kept) != 1 {
		t.Fatalf("Grants = %v, %v", kept, err)
	}
	if _, ok, err := a.Store.LeaseGrant(ctx, store.Lease{Grant: kept[0].ID, Holder: "h", For: time.Minute}); err != nil || !ok {
		t.Fatalf("LeaseGrant = %v, %v", ok, err)
	}
	if ok, err := a.Store.RecordRefresh(ctx, kept[0].ID, "h", store.Refreshed{SealedTokens: store.SealedTokens{Refresh: []byte("r")}, At: now, RefreshExpires: now.Add(testingLasts)}); err != nil || !ok {
		t.Fatalf("RecordRefresh = %v, %v", ok, err)
	}
	f := &Forecast{Store: a.Store, Presets: a.Presets, Now: func() time.Time { return now }}
	ends, err := f.Ahead(ctx)
	if err != nil || len(ends) == 0 || !strings.HasPrefix(ends[0].Key, "testing:") || !ends[0].At.Equal(now.Add(testingLasts)) || ends[0].Prevented {
		t.Fatalf("Ahead = %+v, %v, want the end of testing first", ends, err)
	}
	if app, err = a.App(ctx, appAdmin, app.ID); err != nil || !app.IsTesting {
		t.Errorf("not written down: %+v, %v", app, err)
	}
}
