package store

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func sealAs(text string) func(postroom.OAuthAppID) ([]byte, error) {
	return func(postroom.OAuthAppID) ([]byte, error) { return []byte(text), nil }
}

// adoptFor has a mailbox opened by a grant of a registration.
func adoptFor(t *testing.T, db *DB, app postroom.OAuthAppID, m postroom.MailboxID, at time.Time) postroom.GrantID {
	t.Helper()
	g, err := db.AddGrant(t.Context(), NewGrant{
		Grant: postroom.Grant{Mailbox: m, App: app, Way: postroom.GrantByCode, SignedInAt: at}, AccountKey: "a",
		Seal: func(postroom.GrantID) (SealedTokens, error) { return SealedTokens{Refresh: []byte("r")}, nil },
	})
	if err == nil {
		err = db.AdoptGrant(t.Context(), Adoption{Grant: g.ID})
	}
	if err != nil {
		t.Fatal(err)
	}
	return g.ID
}

func TestOAuthApp(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		ends := time.Date(2027, 5, 1, 0, 0, 0, 0, time.UTC)
		full := postroom.OAuthApp{
			Name: "Contoso\x00", Provider: "generic", Kind: postroom.AppSignIn, ClientID: "id", Tenant: "t", Issuer: "https://i.example",
			AuthorizeURL: "https://i.example/a", TokenURL: "https://i.example/t", DeviceURL: "https://i.example/d", RevokeURL: "https://i.example/r",
			UserInfoURL: "https://i.example/u", Scopes: []string{"a", "b"}, ExtraParams: map[string]string{"x": "y"},
			RedirectURL: "https://p.example/cb", SecretKind: postroom.AppSecretText, SecretExpiresAt: ends, IsTesting: true,
		}
		app, err := db.AddOAuthApp(ctx, full, sealAs("sealed"))
		if err != nil {
			t.Fatal(err)
		}
		kept, err := db.OAuthApp(ctx, app.ID)
		if err != nil || string(kept.Sealed) != "sealed" {
			t.Fatalf("OAuthApp = %q, %v", kept.Sealed, err)
		}
		app.Name = "Contoso" // what no database takes is gone
		if diff := cmp.Diff(app, kept.OAuthApp); diff != "" {
			t.Errorf("OAuthApp (-want +got):\n%s", diff)
		}

		checks := []postroom.AppCheck{{Point: "secret", Verdict: postroom.Refuted, Words: "No.", Remedy: "Do.", Link: postroom.Link{Words: "There", URL: "https://x.example"}}}
		if err := db.RecordAppCheck(ctx, kept.OAuthApp, ends, checks); err != nil {
			t.Fatal(err)
		}
		kept, err = db.OAuthApp(ctx, app.ID)
		if err != nil || !kept.CheckedAt.Equal(ends) || cmp.Diff(checks, kept.Checks) != "" {
			t.Errorf("checks = %v at %v, %v", kept.Checks, kept.CheckedAt, err)
		}

		was := kept.OAuthApp
		is := was
		is.Name, is.IsTesting, is.Scopes = "Acme", false, nil
		if ok, err := db.ChangeOAuthApp(ctx, is, was.UpdatedAt.Add(-time.Second), nil); ok || err != nil {
			t.Errorf("changed though somebody else has: %v, %v", ok, err)
		}
		if ok, err := db.ChangeOAuthApp(ctx, is, was.UpdatedAt, &AppSecret{Sealed: []byte("anew")}); !ok || err != nil {
			t.Fatalf("ChangeOAuthApp = %v, %v", ok, err)
		}
		kept, err = db.OAuthApp(ctx, app.ID)
		if err != nil || kept.Name != "Acme" || kept.IsTesting || string(kept.Sealed) != "anew" || len(kept.Checks) != 0 || !kept.CheckedAt.IsZero() {
			t.Errorf("changed: %+v, %v", kept, err)
		}
		// What was checked is what it was before.
		if err := db.RecordAppCheck(ctx, was, ends, checks); err != nil {
			t.Fatal(err)
		}
		if err := db.MarkAppTesting(ctx, app.ID); err != nil {
			t.Fatal(err)
		}
		if kept, err = db.OAuthApp(ctx, app.ID); err != nil || !kept.IsTesting || len(kept.Checks) != 0 || string(kept.Sealed) != "anew" {
			t.Errorf("checked meanwhile, and seen in testing: %+v, %v", kept, err)
		}

		if users, n, err := db.RemoveOAuthApp(ctx, app.ID, 3); n != 0 || len(users) != 0 || err != nil {
			t.Fatalf("RemoveOAuthApp = %v, %d, %v", users, n, err)
		}
		if _, err := db.OAuthApp(ctx, app.ID); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("removed: %v", err)
		}
		if _, _, err := db.RemoveOAuthApp(ctx, app.ID, 3); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("removed again: %v", err)
		}
		if list, err := db.OAuthApps(ctx); err != nil || len(list) != 0 {
			t.Errorf("OAuthApps = %v, %v", list, err)
		}
	})
}

func TestOAuthAppKnowsWhoSignsInByIt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		app, err := db.AddOAuthApp(ctx, postroom.OAuthApp{Name: "A", Provider: "gmail", Kind: postroom.AppSignIn}, nil)
		if err != nil {
			t.Fatal(err)
		}
		day := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
		for i, address := range []string{"a@one.example", "b@One.example", "c@100%.example", "d@100x.example"} {
			adoptFor(t, db, app.ID, addMailbox(t, db, postroom.Mailbox{Address: address}).ID, day.AddDate(0, 0, i))
		}
		users, n, err := db.RemoveOAuthApp(ctx, app.ID, 3)
		if err != nil || n != 4 || !slices.Equal(users, []string{"a@one.example", "b@one.example", "c@100%.example"}) {
			t.Errorf("RemoveOAuthApp = %v, %d, %v", users, n, err)
		}
		list, err := db.OAuthApps(ctx)
		if err != nil || len(list) != 1 || list[0].Mailboxes != 4 {
			t.Errorf("OAuthApps = %v, %v", list, err)
		}
		for domain, want := range map[string]time.Time{"one.example": day.AddDate(0, 0, 1), "100%.example": day.AddDate(0, 0, 2), "ne.example": {}, "": {}} {
			uses, err := db.AppUses(ctx, domain)
			if err != nil || len(uses) != 1 || !uses[0].At.Equal(day.AddDate(0, 0, 3)) || !uses[0].InDomain.Equal(want) {
				t.Errorf("AppUses(%q) = %+v, %v, want %v in the domain", domain, uses, err, want)
			}
		}
		r, err := db.AppRecord(ctx, app.ID)
		if err != nil || !r.ByCode.Equal(day.AddDate(0, 0, 3)) || !r.ByDevice.IsZero() || !r.Oldest.IsZero() {
			t.Errorf("AppRecord = %+v, %v", r, err)
		}
	})
}

func TestAMendedOAuthAppIsTriedAtOnce(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		app, err := db.AddOAuthApp(ctx, postroom.OAuthApp{Name: "A", Provider: "gmail", Kind: postroom.AppSignIn}, sealAs("old"))
		if err != nil {
			t.Fatal(err)
		}
		later := time.Now().Add(time.Hour)
		trouble := func(address string, class postroom.Class) postroom.MailboxID {
			t.Helper()
			m := addMailbox(t, db, postroom.Mailbox{Address: address}).ID
			g := adoptFor(t, db, app.ID, m, time.Now())
			fault := &postroom.Fault{Kind: postroom.NeedsRepair, Class: class, FixBy: postroom.FixByAppAdmin, Explanation: "x", Remedy: "y"}
			if _, ok, err := db.LeaseGrant(ctx, Lease{Grant: g, Holder: "h", For: time.Minute}); err != nil || !ok {
				t.Fatalf("LeaseGrant = %v, %v", ok, err)
			}
			if err := db.RecordRefreshTrouble(ctx, g, "h", RefreshTrouble{Fault: fault, At: time.Now(), NextTry: later}); err != nil {
				t.Fatal(err)
			}
			return m
		}
		ours, theirs := trouble("a@gmail.com", postroom.ClientMisconfigured), trouble("b@gmail.com", postroom.TokenRevoked)
		if ok, err := db.ChangeOAuthApp(ctx, app, app.UpdatedAt, &AppSecret{Sealed: []byte("new")}); err != nil || !ok {
			t.Fatalf("ChangeOAuthApp = %v, %v", ok, err)
		}
		next := func(m postroom.MailboxID) time.Time {
			t.Helper()
			all, err := db.Grants(ctx, m)
			if err != nil || len(all) != 1 {
				t.Fatalf("Grants = %v, %v", all, err)
			}
			return all[0].NextTryAt
		}
		if at := next(ours); !at.IsZero() {
			t.Errorf("what waited for the secret is tried at %v, want at once", at)
		}
		if at := next(theirs); at.IsZero() {
			t.Error("what was revoked is tried again")
		}
	})
}

func TestWhetherAStatedEndMovesIsSeen(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		app, err := db.AddOAuthApp(ctx, postroom.OAuthApp{Name: "A", Provider: "generic", Kind: postroom.AppSignIn}, nil)
		if err != nil {
			t.Fatal(err)
		}
		now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		m := addMailbox(t, db, postroom.Mailbox{Address: "a@one.example"})
		g := adoptFor(t, db, app.ID, m.ID, now)
		seen := func(ends time.Time) GrantAhead {
			t.Helper()
			k, err := db.Grant(ctx, g)
			if err != nil {
				t.Fatal(err)
			}
			if _, ok, err := db.LeaseGrant(ctx, Lease{Grant: g, Holder: "h", Answers: k.Answers, For: time.Minute}); err != nil || !ok {
				t.Fatalf("LeaseGrant = %v, %v", ok, err)
			}
			if ok, err := db.RecordRefresh(ctx, g, "h", Refreshed{SealedTokens: SealedTokens{Refresh: []byte("r")}, At: now, RefreshExpires: ends}); err != nil || !ok {
				t.Fatalf("RecordRefresh = %v, %v", ok, err)
			}
			all, err := db.GrantsAhead(ctx)
			if err != nil || len(all) != 1 || all[0].Mailbox != m.ID || all[0].App != app.ID || !all[0].HasRefresh || !all[0].Refreshed.Equal(now) || !all[0].SignedInAt.Equal(now) {
				t.Fatalf("GrantsAhead = %+v, %v", all, err)
			}
			return all[0]
		}
		day := now.AddDate(0, 0, 30)
		if a := seen(day); !a.Ends.Equal(day) || a.Moves || a.Firm {
			t.Errorf("said for the first time: %+v", a)
		}
		if a := seen(day.Add(3 * time.Second)); !a.Firm || a.Moves {
			t.Errorf("said again: %+v, want firm", a)
		}
		if a := seen(day.Add(time.Hour)); a.Firm || !a.Moves {
			t.Errorf("put off: %+v, want moving", a)
		}
		if a := seen(time.Time{}); !a.Moves {
			t.Errorf("not said: %+v, want as before", a)
		}
	})
}
