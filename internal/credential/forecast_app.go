package credential

import (
	"fmt"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
)

// secretOf is the end of the secret of a registration that mailboxes sign in by.
func (s *sky) secretOf(app postroom.OAuthApp, grants []store.GrantAhead) []postroom.Expiry {
	if app.SecretExpiresAt.IsZero() || len(grants) == 0 {
		return nil
	}
	what, how := "client secret", "Make a new client secret at the provider now, and enter it at the registration. The old one works until then, and nobody has to sign in again."
	switch app.SecretKind {
	case postroom.AppSecretNone:
		return nil
	case postroom.AppSecretCertificate:
		what, how = "certificate", "Make a new key with a certificate, upload the certificate at the provider, and paste both at the registration. The old one works until then, and nobody has to sign in again."
	}
	return []postroom.Expiry{{
		Key:       "secret:" + app.ID.String(),
		Title:     fmt.Sprintf("The %s of “%s” ends", what, app.Name),
		Words:     fmt.Sprintf("After %s the provider gives nothing more for it, and %s.", day(app.SecretExpiresAt), stops(len(grants))),
		Remedy:    how,
		Link:      (&findings{Registration: Registration{OAuthApp: app, Preset: s.preset(app)}}).secretPage(),
		Page:      appPath(app.ID),
		At:        app.SecretExpiresAt,
		Mailboxes: mailboxesOf(grants),
		App:       app.ID,
	}}
}

func day(t time.Time) string { return t.Format("2 January 2006") }

func appPath(id postroom.OAuthAppID) string { return "/settings/apps/" + id.String() }

// stops is what happens to so many mailboxes, a clause.
func stops(mailboxes int) string {
	if mailboxes == 1 {
		return "1 mailbox stops"
	}
	return fmt.Sprintf("%d mailboxes stop", mailboxes)
}

// grantsOf are the ends of what was given to a registration: those of an app in testing
// together by their day, those that a provider has stated one by one.
func (s *sky) grantsOf(app postroom.OAuthApp, grants []store.GrantAhead) []postroom.Expiry {
	var all []postroom.Expiry
	days := map[string]int{} // of what ends together
	for _, g := range grants {
		if !g.HasRefresh || isOver(g) {
			continue
		}
		e, ok := s.endOfTesting(app, g)
		if !ok {
			e, ok = s.statedEnd(app, g)
		}
		if !ok {
			continue
		}
		if at, known := days[e.Key]; known {
			all[at].Mailboxes = append(all[at].Mailboxes, g.Mailbox)
			if e.At.Before(all[at].At) {
				all[at].At = e.At
			}
			continue
		}
		days[e.Key] = len(all)
		all = append(all, e)
	}
	return all
}

// isOver says whether a grant has been refused for good: that is no forecast any more.
func isOver(g store.GrantAhead) bool {
	return g.Fault != nil && g.Fault.Kind == postroom.NeedsSignIn
}

// endOfTesting is the end of a grant of an app in testing at Google.
func (s *sky) endOfTesting(app postroom.OAuthApp, g store.GrantAhead) (postroom.Expiry, bool) {
	if !app.IsTesting || !isGoogle(app.Provider) || app.Kind != postroom.AppSignIn {
		return postroom.Expiry{}, false
	}
	ends := g.SignedInAt.Add(testingLasts)
	if !g.Ends.IsZero() && g.Ends.Before(ends) {
		ends = g.Ends
	}
	if g.Refreshed.After(ends.Add(time.Hour)) {
		return postroom.Expiry{}, false // it has outlived that: somebody has published the app
	}
	return postroom.Expiry{
		Key:       "testing:" + app.ID.String() + ":" + ends.UTC().Format(time.DateOnly),
		Title:     fmt.Sprintf("Google ends sign-ins by “%s”, which is in testing", app.Name),
		Words:     fmt.Sprintf("Google ends what people allow an app in testing after seven days: here on %s. Then the mailboxes stop.", day(ends)),
		Remedy:    "Publish the app in the Google Cloud console under Audience, or in a Google Workspace organisation make it Internal. Then say at the registration that it is not in testing, and sign in once more.",
		Link:      postroom.Link{Words: "Audience in the Google Cloud console", URL: "https://console.cloud.google.com/auth/audience"},
		Page:      appPath(app.ID),
		At:        ends,
		Mailboxes: []postroom.MailboxID{g.Mailbox},
		App:       app.ID,
	}, true
}

// renewWithin is how long Postroom takes to renew a sign-in that lies unused, at most.
const renewWithin = 7 * 24 * time.Hour

// statedEnd is the end of a grant as its provider has stated it. One that every refresh
// puts off is kept from ending, unless refreshing has failed for half of its life.
func (s *sky) statedEnd(app postroom.OAuthApp, g store.GrantAhead) (postroom.Expiry, bool) {
	if g.Ends.IsZero() {
		return postroom.Expiry{}, false
	}
	since := g.SignedInAt
	if g.Refreshed.After(since) {
		since = g.Refreshed
	}
	lasts := g.Ends.Sub(since)
	e := postroom.Expiry{
		Key: "grant:" + g.Grant.String(), Title: fmt.Sprintf("A sign-in by “%s” ends", app.Name),
		Words:  fmt.Sprintf("The provider has said that it ends this sign-in on %s. Then the mailbox stops.", day(g.Ends)),
		Remedy: "Open the mailbox shortly before that day and choose Sign in again. Reading goes on where it was.",
		Page:   "/mailboxes/" + g.Mailbox.String() + "/credential", At: g.Ends, Mailboxes: []postroom.MailboxID{g.Mailbox}, App: app.ID,
	}
	switch {
	case g.Firm:
	case s.now.Sub(since) > max(lasts/2, renewWithin) && s.now.Before(g.Ends):
		e.Words = fmt.Sprintf("The provider ends this sign-in on %s unless Postroom can renew it before, and renewing has failed since %s.", day(g.Ends), day(since))
		e.Remedy = "See on the page of the mailbox why it cannot be renewed. If it stays so, sign in again."
	case !g.Moves && lasts <= 8*24*time.Hour && s.now.Sub(g.SignedInAt) > 2*time.Hour:
		// Nobody has seen yet whether it moves, and if not, there is no time to lose.
	default:
		e.Key, e.Prevented = "renewed:"+app.ID.String(), true
		e.Title = fmt.Sprintf("Sign-ins by “%s” end when they are not renewed", app.Name)
		e.Words, e.Remedy = "Postroom renews them by itself, long before.", ""
		e.Page = appPath(app.ID)
	}
	return e, true
}

// endsIdle is how long a grant may lie unused at a provider: six months at Google
// (developers.google.com/identity/protocols/oauth2, Refresh token expiration), 90 days at
// Microsoft (learn.microsoft.com: Refresh tokens in the Microsoft identity platform).
func endsIdle(p *provider.Preset) (time.Duration, bool) {
	const aDay = 24 * time.Hour
	switch {
	case p == nil:
		return 0, false
	case isGoogle(p.ID):
		return 180 * aDay, true
	case isMicrosoft(p.ID):
		return 90 * aDay, true
	}
	return 0, false
}

// neglected is after how long without a refresh Postroom does not see to it any more: it
// refreshes once a week at least.
const neglected = 30 * 24 * time.Hour

// idle are the ends of grants that lie unused. They are kept from it, and shown together;
// one that could not be refreshed for long stands for itself.
func (s *sky) idle(byApp map[postroom.OAuthAppID][]store.GrantAhead) []postroom.Expiry {
	var all []postroom.Expiry
	kept := map[string]int{}
	for _, app := range s.apps {
		preset := s.preset(app)
		lasts, ok := endsIdle(preset)
		if !ok {
			continue
		}
		for _, g := range byApp[app.ID] {
			if !g.HasRefresh || isOver(g) {
				continue
			}
			last := g.SignedInAt
			if g.Refreshed.After(last) {
				last = g.Refreshed
			}
			ends, at := last.Add(lasts), preset.Called()
			if s.now.Sub(last) > neglected {
				all = append(all, postroom.Expiry{
					Key:   "idle:" + g.Grant.String(),
					Title: at + " ends a sign-in that could not be renewed", At: ends,
					Words:  fmt.Sprintf("%s ends a sign-in that nobody has used for %d days: here on %s. Postroom has not been able to renew it since %s.", at, int(lasts.Hours()/24), day(ends), day(last)),
					Remedy: "See on the page of the mailbox why it cannot be renewed. If it stays so, sign in again.",
					Page:   "/mailboxes/" + g.Mailbox.String() + "/credential", Mailboxes: []postroom.MailboxID{g.Mailbox}, App: app.ID,
				})
				continue
			}
			key := "kept:" + family(preset)
			i, known := kept[key]
			if !known {
				i, kept[key] = len(all), len(all)
				all = append(all, postroom.Expiry{
					Key: key, Title: fmt.Sprintf("%s ends sign-ins that nobody uses for %d days", company(preset), int(lasts.Hours()/24)),
					Words: "Postroom renews each of them at least once a week by itself, also of mailboxes that are paused.", At: ends, Prevented: true,
				})
			}
			all[i].Mailboxes = append(all[i].Mailboxes, g.Mailbox)
			if ends.Before(all[i].At) {
				all[i].At = ends
			}
		}
	}
	return all
}

func company(p *provider.Preset) string {
	if isGoogle(p.ID) {
		return "Google"
	}
	return "Microsoft"
}

// announced is what providers have announced, for the mailboxes that it concerns.
func announced(presets *provider.Presets, mailboxes []store.Opening, now time.Time) []postroom.Expiry {
	var all []postroom.Expiry
	places := map[string]int{}
	for _, o := range mailboxes {
		for _, change := range presets.ChangesFor(o.Mailbox, o.Kind, now) {
			key := "change:" + change.On.UTC().Format(time.DateOnly) + ":" + change.Short
			i, known := places[key]
			if !known {
				i, places[key] = len(all), len(all)
				all = append(all, postroom.Expiry{
					Key: key, Title: change.Short, Words: change.Words, Remedy: change.Remedy, At: change.On, Page: "/health",
					Link: postroom.Link{Words: "What the provider says", URL: change.Source},
				})
			}
			all[i].Mailboxes = append(all[i].Mailboxes, o.ID)
		}
	}
	return all
}
