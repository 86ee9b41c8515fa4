package store

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestALinkThatWasTakenBackIsNotSent(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		g := newGrantsTest(t, db)
		link, err := db.AddSignInLink(t.Context(), postroom.SignInLink{
			Mailbox: g.mailbox("a@example.net"), App: g.app, CreatedAt: signInNoon, ExpiresAt: signInNoon.Add(time.Hour),
		}, secretHash("a link"), func(postroom.SignInLinkID) ([]byte, error) { return []byte("sealed"), nil })
		g.must(err)
		_, err = db.AddNotice(t.Context(), NewNotice{Kind: postroom.NoticeLink, Recipient: "ann@example.net", At: signInNoon}, link.ID, time.Time{}, nil)
		g.must(err)
		if _, due, err := db.NextNotice(t.Context()); !due || err != nil {
			t.Fatalf("it is not to be sent, %v", err)
		}
		if ok, err := db.RevokeSignInLink(t.Context(), link.ID, &postroom.Fault{Kind: postroom.NeedsSignIn}, signInNoon); !ok || err != nil {
			t.Fatalf("it was not taken back, %v", err)
		}
		if _, due, err := db.NextNotice(t.Context()); due || err != nil {
			t.Errorf("it is sent all the same, %v", err)
		}
	})
}
