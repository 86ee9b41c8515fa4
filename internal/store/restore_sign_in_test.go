package store

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestNothingOfASignInThatWasOnItsWayComesBackWithABackup(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g := newGrantsTest(t, db)
		lives, gone, tried := g.mailbox("a@example.net"), g.mailbox("b@example.net"), g.mailbox("c@example.net")
		living, ended := g.propose(lives, "ann"), g.propose(gone, "ben")
		g.adopt(living)
		g.adopt(ended)
		g.must(db.DeleteMailbox(t.Context(), gone, false)) // due to be given back
		if _, ok, err := db.LeaseGrant(t.Context(), Lease{Grant: living, Holder: "the other", For: time.Hour}); err != nil || !ok {
			t.Fatalf("no lease: %v", err)
		}
		g.signIn(tried, "a start")
		proposed := g.propose(tried, "cy")
		link, err := db.AddSignInLink(t.Context(), postroom.SignInLink{
			Mailbox: lives, App: g.app, CreatedAt: signInNoon, ExpiresAt: signInNoon.Add(time.Hour),
		}, secretHash("a link"), func(postroom.SignInLinkID) ([]byte, error) { return []byte("sealed"), nil })
		g.must(err)
		_, err = db.AddNotice(t.Context(), NewNotice{Kind: postroom.NoticeLink, Recipient: "ann@example.net", At: signInNoon}, link.ID, time.Time{}, nil)
		g.must(err)

		o := elsewhere(t, db)
		if _, err := backUp(t, optionsOf(db), func() {}).restore(t, o, agree); err != nil {
			t.Fatal(err)
		}
		g.db = openForTest(t, o)
		if k := g.grant(living); !k.EndedAt.IsZero() || string(k.Refresh) != "refresh "+living.String() || !k.LeaseUntil.IsZero() {
			t.Errorf("what opens a mailbox came back as %+v", k)
		}
		for name, id := range map[string]postroom.GrantID{"due": ended, "proposed": proposed} {
			if k := g.grant(id); k.Revocation != postroom.RevocationFailed || k.EndedAt.IsZero() || k.Refresh != nil || k.Access != nil {
				t.Errorf("the grant that was %s came back as %+v", name, k.Grant)
			}
		}
		if _, err := g.db.SignInByStart(t.Context(), secretHash("a start")); postroom.KindOf(err) != postroom.NotFound {
			t.Errorf("the sign-in came back: %v", err)
		}
		if k, err := g.db.SignInLinkByHash(t.Context(), secretHash("a link")); err != nil || k.RevokedAt.IsZero() || k.Sealed != nil {
			t.Errorf("the link came back as %+v, %v", k, err)
		}
		if _, ok, err := g.db.NextNotice(t.Context()); ok || err != nil {
			t.Errorf("a notice leaves again, %v", err)
		}
		if next := g.propose(lives, "ann"); next < idGap {
			t.Errorf("the next grant is %s, and with it an event that was told before", next)
		}
	})
}
