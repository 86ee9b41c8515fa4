package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// A grantsTest is a database with a registration, and mailboxes whose owners sign in.
type grantsTest struct {
	*testing.T
	db  *DB
	app postroom.OAuthAppID
}

func newGrantsTest(t *testing.T, db *DB) *grantsTest {
	t.Helper()
	app, err := db.AddOAuthApp(t.Context(), postroom.OAuthApp{Name: "Mail", Provider: "gmail", Kind: postroom.AppSignIn}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &grantsTest{T: t, db: db, app: app.ID}
}

func (g *grantsTest) must(err error) {
	g.Helper()
	if err != nil {
		g.Fatal(err)
	}
}

func (g *grantsTest) mailbox(address string) postroom.MailboxID {
	g.Helper()
	m, err := g.db.AddMailbox(g.Context(), postroom.Mailbox{
		Address: address, Outgoing: &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Username: address}},
	}, "password", sealedAs("password", "old password").Seal)
	g.must(err)
	return m.ID
}

// propose keeps what an account allowed for a mailbox.
func (g *grantsTest) propose(m postroom.MailboxID, account string) postroom.GrantID {
	g.Helper()
	grant, err := g.db.AddGrant(g.Context(), NewGrant{
		Grant: postroom.Grant{
			Mailbox: m, App: g.app, Way: postroom.GrantByCode, Account: postroom.Account{Issuer: "https://example.net", Subject: account, Others: []string{"an alias"}},
			Scopes: []string{"mail", "email"},
		},
		AccountKey: account,
		Seal: func(id postroom.GrantID) (SealedTokens, error) {
			return SealedTokens{Refresh: fmt.Appendf(nil, "refresh %s", id), Access: []byte("access")}, nil
		},
	})
	g.must(err)
	return grant.ID
}

func (g *grantsTest) adopt(id postroom.GrantID) {
	g.Helper()
	g.must(g.db.AdoptGrant(g.Context(), Adoption{Grant: id}))
}

func (g *grantsTest) grant(id postroom.GrantID) KeptGrant {
	g.Helper()
	k, err := g.db.Grant(g.Context(), id)
	g.must(err)
	return k
}

// wantEnd is what became of a grant that has ended; its tokens are there only while they
// are to be given back.
func (g *grantsTest) wantEnd(id postroom.GrantID, want postroom.Revocation) {
	g.Helper()
	k := g.grant(id)
	if k.EndedAt.IsZero() || k.Revocation != want || (k.Refresh != nil || k.Access != nil || k.Former != nil) != (want == postroom.RevocationDue) {
		g.Errorf("grant %s ended at %v, revocation %q, with tokens %q %q, want %q", id, k.EndedAt, k.Revocation, k.Refresh, k.Access, want)
	}
}

func TestAGrantOpensItsMailboxOnceItIsAdopted(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		m := g.mailbox("a@example.net")
		id := g.propose(m, "ana")
		if c, err := db.Credential(ctx, m); err != nil || c.Kind != "password" || string(c.Sealed) != "old password" || c.Grant != 0 {
			t.Errorf("a proposal has replaced the password: %+v, %v", c, err)
		}
		before, err := db.KeptMailbox(ctx, m)
		g.must(err)
		position := lastPosition(t, db)
		g.must(db.AdoptGrant(ctx, Adoption{Grant: id, Incoming: "a", Outgoing: "person@example.net"}))
		c, err := db.Credential(ctx, m)
		if err != nil || c.Kind != postroom.CredentialOAuth || len(c.Sealed) != 0 || c.Grant != id || c.WorkedAt.IsZero() {
			t.Errorf("the mailbox is opened by %+v, %v", c, err)
		}
		after, err := db.KeptMailbox(ctx, m)
		if err != nil || after.Version <= before.Version || after.Incoming.Username != "a" || after.Outgoing.Username != "person@example.net" {
			t.Errorf("the mailbox is %+v, %v", after, err)
		}
		if types := eventTypes(t, db, position); !slices.Equal(types, []postroom.EventType{postroom.EventMailboxChanged, postroom.EventSignedIn}) {
			t.Errorf("events %v", types)
		}
		k := g.grant(id)
		if k.Account.Subject != "ana" || !k.Account.Is("an alias") || !slices.Equal(k.Scopes, []string{"mail", "email"}) || !k.HasRefresh || k.AdoptedAt.IsZero() {
			t.Errorf("kept %+v", k.Grant)
		}
		if err := db.AdoptGrant(ctx, Adoption{Grant: id}); postroom.KindOf(err) != postroom.Conflict {
			t.Errorf("adopted twice: %v", err)
		}
		untried := g.propose(m, "ben")
		g.must(db.AdoptGrant(ctx, Adoption{Grant: untried, Untried: true}))
		if c, err := db.Credential(ctx, m); err != nil || c.Grant != untried || !c.WorkedAt.IsZero() || !g.grant(untried).UsedAt.IsZero() {
			t.Errorf("what was not tried yet has worked: %+v, %v", c, err)
		}
		id = untried
		// A form that says "oauth" again changes nothing.
		g.must(db.SaveCredential(ctx, m, NewCredential{Kind: postroom.CredentialOAuth}))
		if c, err := db.Credential(ctx, m); err != nil || c.Grant != id {
			t.Errorf("the sign-in is gone: %+v, %v", c, err)
		}
	})
}

func lastPosition(t *testing.T, db *DB) int64 {
	t.Helper()
	var last int64
	if err := db.queryRow(t.Context(), `select value from counter where name = 'event'`).Scan(&last); err != nil {
		t.Fatal(err)
	}
	return last
}

func eventTypes(t *testing.T, db *DB, after int64) (types []postroom.EventType) {
	t.Helper()
	rows, err := db.query(t.Context(), `select type from event where position > $1 order by position`, after)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var one postroom.EventType
		if err := rows.Scan(&one); err != nil {
			t.Fatal(err)
		}
		types = append(types, one)
	}
	return types
}

func TestAReplacedGrantIsGivenBackUnlessItsAccountIsStillNeeded(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		m := g.mailbox("a@example.net")
		first := g.propose(m, "ana")
		g.adopt(first)
		again := g.propose(m, "ana") // the same person once more
		g.adopt(again)
		g.wantEnd(first, postroom.RevocationShared)
		other := g.propose(m, "ben")
		g.adopt(other)
		g.wantEnd(again, postroom.RevocationDue)
		// Back to a password.
		g.must(db.SaveCredential(ctx, m, sealedAs("app_password", "new password")))
		g.wantEnd(other, postroom.RevocationDue)
		if c, err := db.Credential(ctx, m); err != nil || c.Kind != "app_password" || c.Grant != 0 || string(c.Sealed) != "new password" {
			t.Errorf("the mailbox is opened by %+v, %v", c, err)
		}
		// A removed mailbox.
		next, proposed := g.propose(m, "cem"), g.propose(m, "dan")
		g.adopt(next)
		g.must(db.DeleteMailbox(ctx, m, false))
		g.wantEnd(next, postroom.RevocationDue)
		g.wantEnd(proposed, postroom.RevocationDue)
		if err := db.AdoptGrant(ctx, Adoption{Grant: proposed}); postroom.KindOf(err) != postroom.Conflict {
			t.Errorf("a grant of a removed mailbox was adopted: %v", err)
		}
	})
}

func TestARevocationIsTriedByOneAtATime(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		m, n := g.mailbox("a@example.net"), g.mailbox("b@example.net")
		id := g.propose(m, "ana")
		g.must(db.EndGrant(ctx, id))
		due, err := db.RevocationsDue(ctx, time.Time{}, 10)
		if err != nil || !slices.Equal(due, []postroom.GrantID{id}) {
			t.Fatalf("due %v, %v", due, err)
		}
		k, tries, ok, err := db.ClaimRevocation(ctx, id, time.Time{}, time.Hour)
		if err != nil || !ok || tries != 1 || string(k.Refresh) != "refresh "+id.String() {
			t.Errorf("ClaimRevocation = %q, %d, %v, %v", k.Refresh, tries, ok, err)
		}
		if _, _, ok, err := db.ClaimRevocation(ctx, id, time.Time{}, time.Hour); ok || err != nil {
			t.Errorf("it was claimed twice: %v", err)
		}
		// Meanwhile somebody signs in to another mailbox with the same account.
		g.must(db.PutOffRevocation(ctx, id, time.Now().Add(-time.Hour)))
		living := g.propose(n, "ana")
		if _, _, ok, err := db.ClaimRevocation(ctx, id, time.Time{}, time.Hour); ok || err != nil {
			t.Errorf("what another mailbox lives by is given back: %v", err)
		}
		g.wantEnd(id, postroom.RevocationShared)
		g.must(db.EndGrant(ctx, living))
		g.wantEnd(living, postroom.RevocationDue)
		g.must(db.RecordRevocation(ctx, living, postroom.RevocationDone))
		g.wantEnd(living, postroom.RevocationDone)
		g.must(db.RecordRevocation(ctx, living, postroom.RevocationFailed))
		g.wantEnd(living, postroom.RevocationDone)
	})
}

func TestTheLeaseOfAGrantIsOnesAloneAndOutlivesNobody(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		m := g.mailbox("a@example.net")
		id := g.propose(m, "ana")
		lease := func(holder string, answers int64, lasts time.Duration) (KeptGrant, bool) {
			t.Helper()
			k, ok, err := db.LeaseGrant(ctx, Lease{Grant: id, Holder: holder, Answers: answers, For: lasts})
			g.must(err)
			return k, ok
		}
		record := func(holder, refresh string) bool {
			t.Helper()
			ok, err := db.RecordRefresh(ctx, id, holder, Refreshed{
				SealedTokens: SealedTokens{Refresh: []byte(refresh), Access: []byte("access")}, At: time.Now(), AccessExpires: time.Now().Add(time.Hour),
			})
			g.must(err)
			return ok
		}
		if _, ok := lease("one", 0, time.Hour); !ok {
			t.Fatal("a free lease was refused")
		}
		if _, ok := lease("two", 0, time.Hour); ok {
			t.Fatal("two hold one lease")
		}
		if record("two", "late") {
			t.Error("who does not hold the lease has recorded an answer")
		}
		if !record("one", "second") {
			t.Error("who holds the lease has not")
		}
		if _, ok := lease("two", 0, time.Hour); ok {
			t.Error("somebody asks for what was answered already")
		}
		// One who ends without a word is found out by the next.
		if k, ok := lease("two", 1, -time.Second); !ok || k.Interrupted != 0 || !k.LostAt.IsZero() {
			t.Errorf("lease = %v, interrupted %d", ok, k.Interrupted)
		}
		k, ok := lease("three", 1, time.Hour)
		if !ok || k.Interrupted != 1 || k.LostAt.IsZero() {
			t.Errorf("lease = %v, interrupted %d, lost at %v", ok, k.Interrupted, k.LostAt)
		}
		if record("two", "too late") {
			t.Error("an answer was recorded after the lease went to another")
		}
		g.must(db.RecordRefreshTrouble(ctx, id, "three", RefreshTrouble{
			Fault: &postroom.Fault{Kind: postroom.Delayed, Explanation: "Busy."}, At: time.Now(), NextTry: time.Now().Add(time.Minute),
		}))
		k = g.grant(id)
		if k.Fault == nil || k.Failures != 1 || k.Answers != 2 || k.LostAt.IsZero() || string(k.Refresh) != "second" || k.NextTryAt.IsZero() || k.Access == nil {
			t.Errorf("after trouble: %+v", k)
		}
		if _, ok := lease("four", 2, time.Hour); !ok || !record("four", "third") {
			t.Error("it does not go on after trouble")
		}
		if k = g.grant(id); k.Fault != nil || k.Failures != 0 || !k.LostAt.IsZero() || k.Interrupted != 1 || string(k.Refresh) != "third" {
			t.Errorf("after an answer: %+v", k)
		}
		// An answer for a grant that has ended meanwhile is what is given back.
		if _, ok := lease("five", 3, time.Hour); !ok {
			t.Fatal("no lease")
		}
		g.must(db.EndGrant(ctx, id))
		if _, _, ok, err := db.ClaimRevocation(ctx, id, time.Time{}, time.Hour); ok || err != nil {
			t.Errorf("it is given back while an answer is on its way: %v", err)
		}
		if !record("five", "fourth") || string(g.grant(id).Refresh) != "fourth" {
			t.Error("the newest token is not kept for giving back")
		}
		if _, ok := lease("six", 4, time.Hour); ok {
			t.Error("a grant that has ended is renewed")
		}
		g.must(db.RecordRevocation(ctx, id, postroom.RevocationDone))
		if record("five", "fifth") || g.grant(id).Refresh != nil {
			t.Error("tokens came back that were destroyed")
		}
	})
}

func TestGrantsComeBackFromABackup(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g := newGrantsTest(t, db)
		m := g.mailbox("a@example.net")
		first, last := g.propose(m, "ana"), g.propose(m, "ben")
		g.adopt(first)
		g.adopt(last)
		g.must(db.RecordRevocation(t.Context(), first, postroom.RevocationDone))
		g.must(db.SetSetting(t.Context(), "sample", "sealed"))
		tables := []string{"oauth_app", "oauth_grant", "credential"}
		before := make(map[string][]string)
		for _, table := range tables {
			before[table] = rowsOf(t, db, table)
		}
		kept, o := backUp(t, optionsOf(db), func() {}), elsewhere(t, db)
		if _, err := kept.restore(t, o, agree); err != nil {
			t.Fatal(err)
		}
		restored := openForTest(t, o)
		for _, table := range tables {
			if got := rowsOf(t, restored, table); !slices.Equal(got, before[table]) {
				t.Errorf("%s came back as\n%v\nwant\n%v", table, got, before[table])
			}
		}
		k, err := restored.Grant(t.Context(), last)
		if err != nil || string(k.Refresh) != "refresh "+last.String() {
			t.Errorf("the tokens are %q, %v", k.Refresh, err)
		}
	})
}

func TestGrantsAreFoundByWhatIsToBeDone(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g, ctx := newGrantsTest(t, db), t.Context()
		var ids []postroom.GrantID
		for i := range 5 {
			m := g.mailbox(fmt.Sprintf("m%d@example.net", i))
			id := g.propose(m, fmt.Sprint("account ", i))
			if i < 4 {
				g.adopt(id)
			}
			if i == 3 {
				g.must(db.DeleteMailbox(ctx, m, false))
			}
			if i == 0 {
				g.must(db.PauseMailbox(ctx, m))
			}
			ids = append(ids, id)
		}
		later := time.Now().Add(time.Hour)
		var got []postroom.GrantID
		for after := postroom.GrantID(0); ; {
			page, err := db.IdleGrants(ctx, later, after, 2)
			g.must(err)
			if len(page) == 0 {
				break
			}
			after = page[len(page)-1].ID
			for _, one := range page {
				got = append(got, one.ID)
			}
		}
		if !slices.Equal(got, ids[:3]) {
			t.Errorf("idle are %v, want %v", got, ids[:3])
		}
		if none, err := db.IdleGrants(ctx, time.Now().Add(-time.Hour), 0, 10); err != nil || len(none) != 0 {
			t.Errorf("idle since an hour are %v, %v", none, err)
		}
		if stray, err := db.StrayGrants(ctx, later, 10); err != nil || !slices.Equal(stray, ids[4:]) {
			t.Errorf("stray are %v, %v, want %v", stray, err, ids[4:])
		}
		m, used := g.grant(ids[1]).Mailbox, later.Truncate(time.Microsecond)
		g.must(db.RecordGrantUse(ctx, m, used))
		all, err := db.Grants(ctx, m)
		if err != nil || len(all) != 1 || !all[0].UsedAt.Equal(used) {
			t.Errorf("the grants of a mailbox are %v, %v", all, err)
		}
	})
}
