package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func openLink(t *testing.T, db *DB, hash byte) {
	t.Helper()
	needed, err := db.ReplaceFirstLink(context.Background(), [32]byte{hash}, noon.Add(24*time.Hour))
	if err != nil || !needed {
		t.Fatalf("ReplaceFirstLink = %v, %v, want needed", needed, err)
	}
}

// comeIn uses the link as somebody who is not here yet.
func comeIn(db *DB, link byte, email string, session byte, now time.Time) (postroom.UserID, error) {
	u := postroom.User{Email: email, Name: email, Role: postroom.RoleAdmin, CreatedAt: now}
	s := Session{CreatedAt: now, SeenAt: now, ExpiresAt: now.Add(time.Hour)}
	return db.UseFirstLink(context.Background(), [32]byte{link}, u, "hash", [32]byte{session}, s)
}

func TestFirstLinkMakesTheFirstAdministrator(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		openLink(t, db, 1)
		openLink(t, db, 2)
		if _, err := comeIn(db, 1, "ada@example.net", 1, noon); !errors.Is(err, ErrLinkSpent) {
			t.Errorf("a replaced link is %v, want ErrLinkSpent", err)
		}
		if _, err := comeIn(db, 2, "ada@example.net", 1, noon.Add(24*time.Hour)); !errors.Is(err, ErrLinkSpent) {
			t.Errorf("an expired link is %v, want ErrLinkSpent", err)
		}
		createUser(t, db, "zoe@example.net", postroom.RoleAgent)
		if _, err := comeIn(db, 2, "zoe@example.net", 1, noon); !errors.Is(err, ErrAddressTaken) {
			t.Errorf("a taken address is %v, want ErrAddressTaken", err)
		}
		if open, err := db.FirstLinkIsOpen(ctx, [32]byte{2}, noon); !open || err != nil {
			t.Errorf("open = %v, %v, want true", open, err)
		}
		id, err := comeIn(db, 2, "ada@example.net", 1, noon)
		if err != nil {
			t.Fatal(err)
		}
		if s, ok := mustSession(t, db, 1, noon); !ok || s.User != id {
			t.Errorf("the session is %v, %v, want one of user %s", s, ok, id)
		}
		if open, err := db.FirstLinkIsOpen(ctx, [32]byte{2}, noon); open || err != nil {
			t.Errorf("a used link: open = %v, %v, want false", open, err)
		}
		if needed, err := db.ReplaceFirstLink(ctx, [32]byte{3}, noon); needed || err != nil {
			t.Errorf("with an administrator: needed = %v, %v, want false", needed, err)
		}
	})
}

func TestFirstLinkEndsWhenThereIsAnAdministrator(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		openLink(t, db, 1)
		createUser(t, db, "ada@example.net", postroom.RoleAdmin)
		if _, err := comeIn(db, 1, "eve@example.net", 1, noon); !errors.Is(err, ErrLinkSpent) {
			t.Errorf("UseFirstLink = %v, want ErrLinkSpent", err)
		}
	})
}

func TestOfManyWhoUseTheFirstLinkOneWins(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		nodes := []*DB{db, db}
		if db.dialect == dialectPostgres {
			nodes[1] = openForTest(t, Options{URL: db.url})
		}
		openLink(t, db, 1)
		const clicks = 8
		var wg sync.WaitGroup
		errs := make([]error, clicks)
		for i := range clicks {
			wg.Go(func() { _, errs[i] = comeIn(nodes[i%2], 1, fmt.Sprintf("user%d@example.net", i), byte(i), noon) })
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			switch {
			case err == nil:
				won++
			case !errors.Is(err, ErrLinkSpent):
				t.Errorf("UseFirstLink = %v, want ErrLinkSpent", err)
			}
		}
		users, err := db.Users(context.Background())
		if won != 1 || len(users) != 1 || err != nil {
			t.Errorf("%d won and there are %d users (%v), want one", won, len(users), err)
		}
	})
}
