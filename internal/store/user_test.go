package store

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

// noon is an instant that both databases keep exactly.
var noon = time.Date(2026, 11, 20, 12, 0, 0, 123_000, time.UTC)

func createUser(t *testing.T, db *DB, email string, role postroom.Role) postroom.User {
	t.Helper()
	u := postroom.User{Email: email, Name: "Name of " + email, Role: role, CreatedAt: noon}
	var err error
	if u.ID, err = db.CreateUser(context.Background(), u, "hash of "+email); err != nil {
		t.Fatal(err)
	}
	return u
}

func TestUserIsReadAsItWasWritten(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		ada := createUser(t, db, "ada@example.net", postroom.RoleAdmin)
		zoe := createUser(t, db, "zoe@example.net", postroom.RoleAgent)

		got, hash, ok, err := db.UserByEmail(ctx, "ada@example.net")
		if err != nil || !ok || hash != "hash of ada@example.net" {
			t.Fatalf("UserByEmail = %q, %v, %v", hash, ok, err)
		}
		if diff := cmp.Diff(ada, got); diff != "" {
			t.Error(diff)
		}
		if got, ok, err = db.User(ctx, zoe.ID); err != nil || !ok || got != zoe {
			t.Errorf("User = %v, %v, %v, want %v", got, ok, err, zoe)
		}
		all, err := db.Reader().Users(ctx)
		if diff := cmp.Diff([]postroom.User{ada, zoe}, all); err != nil || diff != "" {
			t.Error(err, diff)
		}
		if _, _, ok, err := db.UserByEmail(ctx, "nobody\x00@example.net"); ok || err != nil {
			t.Errorf("UserByEmail of nobody = %v, %v, want false", ok, err)
		}
		if _, ok, err := db.User(ctx, 12345); ok || err != nil {
			t.Errorf("User of nobody = %v, %v, want false", ok, err)
		}
		if _, err := db.CreateUser(ctx, ada, "other"); !errors.Is(err, ErrAddressTaken) {
			t.Errorf("the same address again is %v, want ErrAddressTaken", err)
		}
	})
}

func TestSomebodyIsLeftToAdminister(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		ada := createUser(t, db, "ada@example.net", postroom.RoleAdmin)
		zoe := createUser(t, db, "zoe@example.net", postroom.RoleAgent)

		if _, err := db.DisableUser(ctx, ada.ID, noon); !errors.Is(err, ErrLastAdmin) {
			t.Errorf("disabling the last administrator is %v, want ErrLastAdmin", err)
		}
		if _, err := db.SetRole(ctx, ada.ID, postroom.RoleAgent); !errors.Is(err, ErrLastAdmin) {
			t.Errorf("another role for the last administrator is %v, want ErrLastAdmin", err)
		}
		if u, _, _ := db.User(ctx, ada.ID); u != ada {
			t.Errorf("the last administrator is %v now, want %v", u, ada)
		}
		if ok, err := db.SetRole(ctx, zoe.ID, postroom.RoleAdmin); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if ok, err := db.DisableUser(ctx, ada.ID, noon); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if _, err := db.SetRole(ctx, zoe.ID, postroom.RoleOwner); !errors.Is(err, ErrLastAdmin) {
			t.Errorf("a disabled administrator counts: %v, want ErrLastAdmin", err)
		}
		if u, _, _ := db.User(ctx, ada.ID); !u.DisabledAt.Equal(noon) {
			t.Errorf("disabled at %v, want %v", u.DisabledAt, noon)
		}
		if ok, err := db.EnableUser(ctx, ada.ID); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if u, _, _ := db.User(ctx, ada.ID); !u.DisabledAt.IsZero() {
			t.Error("still disabled")
		}
		if ok, err := db.DisableUser(ctx, 12345, noon); ok || err != nil {
			t.Errorf("DisableUser of nobody = %v, %v, want false", ok, err)
		}
	})
}

// Two nodes: on PostgreSQL the second has its own writer on the same database.
func TestTwoAdministratorsCannotDisableEachOther(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		nodes := []*DB{db, db}
		if db.dialect == dialectPostgres {
			nodes[1] = openForTest(t, Options{URL: db.url})
		}
		both := []postroom.User{
			createUser(t, db, "ada@example.net", postroom.RoleAdmin),
			createUser(t, db, "zoe@example.net", postroom.RoleAdmin),
		}
		for round := range 10 {
			var wg sync.WaitGroup
			errs := make([]error, 2)
			for i := range 2 {
				wg.Go(func() { _, errs[i] = nodes[i].DisableUser(ctx, both[i].ID, noon) })
			}
			wg.Wait()
			if refused := errors.Is(errs[0], ErrLastAdmin) != errors.Is(errs[1], ErrLastAdmin); !refused {
				t.Fatalf("round %d: %v and %v, want exactly one ErrLastAdmin", round, errs[0], errs[1])
			}
			for _, u := range both {
				if _, err := db.EnableUser(ctx, u.ID); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}
