package store

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func TestTokenOpensUntilRevoked(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		want := Token{Name: "shop", Scope: postroom.ScopeWrite, Mailboxes: []postroom.MailboxID{m.ID}, CreatedAt: noon}
		id, missing, err := db.CreateToken(ctx, Token{Name: "shop", Scope: postroom.ScopeWrite, Mailboxes: []postroom.MailboxID{m.ID, m.ID}, CreatedAt: noon}, [32]byte{1})
		if err != nil || missing != 0 {
			t.Fatal(missing, err)
		}
		want.ID = id
		got, ok, err := db.Token(ctx, [32]byte{1})
		if diff := cmp.Diff(want, got); err != nil || !ok || diff != "" {
			t.Fatal(ok, err, diff)
		}
		if err := db.TouchToken(ctx, id, noon.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if err := db.TouchToken(ctx, id, noon); err != nil { // came late
			t.Fatal(err)
		}
		want.LastUsedAt = noon.Add(time.Hour)
		if list, err := db.Tokens(ctx); err != nil || cmp.Diff([]Token{want}, list) != "" {
			t.Error(err, cmp.Diff([]Token{want}, list))
		}
		if ok, err := db.RevokeToken(ctx, id, noon); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if ok, err := db.RevokeToken(ctx, id, noon); ok || err != nil {
			t.Errorf("revoked twice: %v, %v, want false", ok, err)
		}
		if _, ok, err := db.Token(ctx, [32]byte{1}); ok || err != nil {
			t.Errorf("a revoked token: %v, %v, want false", ok, err)
		}
		if list, err := db.Tokens(ctx); err != nil || len(list) != 0 {
			t.Errorf("Tokens = %v, %v, want none", list, err)
		}
	})
}

func TestTokenForAMissingMailboxIsNotMade(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		m := addMailbox(t, db, supportMailbox())
		_, missing, err := db.CreateToken(ctx, Token{Name: "shop", Scope: postroom.ScopeRead, Mailboxes: []postroom.MailboxID{m.ID, 12345}}, [32]byte{1})
		if missing != 12345 || err != nil {
			t.Errorf("missing = %d, %v, want 12345", missing, err)
		}
		if list, err := db.Tokens(ctx); err != nil || len(list) != 0 {
			t.Errorf("Tokens = %v, %v, want none", list, err)
		}
	})
}
