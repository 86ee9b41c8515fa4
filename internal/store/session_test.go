package store

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func beginSession(t *testing.T, db *DB, u postroom.User, hash byte, at time.Time) {
	t.Helper()
	s := Session{User: u.ID, CreatedAt: at, SeenAt: at, ExpiresAt: at.Add(time.Hour), Address: "192.0.2.1", Agent: "Browser"}
	ok, err := db.BeginSession(context.Background(), [32]byte{hash}, s, "hash of "+u.Email)
	if err != nil || !ok {
		t.Fatalf("BeginSession = %v, %v", ok, err)
	}
}

// mustSession returns a session, and whether it is there.
func mustSession(t *testing.T, db *DB, hash byte, now time.Time) (Session, bool) {
	t.Helper()
	s, _, ok, err := db.Session(context.Background(), [32]byte{hash}, now)
	if err != nil {
		t.Fatal(err)
	}
	return s, ok
}

func TestSessionLastsUntilItExpires(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		ada := createUser(t, db, "ada@example.net", postroom.RoleAgent)
		beginSession(t, db, ada, 1, noon)

		s, u, ok, err := db.Session(ctx, [32]byte{1}, noon.Add(time.Hour-time.Second))
		if err != nil || !ok || u != ada {
			t.Fatalf("Session = %v, %v, %v", u, ok, err)
		}
		want := Session{ID: s.ID, User: ada.ID, CreatedAt: noon, SeenAt: noon, ExpiresAt: noon.Add(time.Hour), Address: "192.0.2.1", Agent: "Browser"}
		if diff := cmp.Diff(want, s); diff != "" {
			t.Error(diff)
		}
		if _, ok := mustSession(t, db, 1, noon.Add(time.Hour)); ok {
			t.Error("an expired session is there")
		}
		if _, ok := mustSession(t, db, 2, noon); ok {
			t.Error("an unknown session is there")
		}
		if err := db.TouchSession(ctx, s.ID, noon.Add(time.Minute), noon.Add(2*time.Hour)); err != nil {
			t.Fatal(err)
		}
		if s, ok := mustSession(t, db, 1, noon.Add(time.Hour)); !ok || !s.SeenAt.Equal(noon.Add(time.Minute)) {
			t.Errorf("after a touch the session is %v, %v", s, ok)
		}
		if err := db.TouchSession(ctx, s.ID, noon.Add(time.Second), noon); err != nil {
			t.Fatal(err)
		}
		if _, ok := mustSession(t, db, 1, noon.Add(time.Hour)); !ok {
			t.Error("an older touch that came late shortened the session")
		}
	})
}

func TestSessionsEnd(t *testing.T) {
	ctx := context.Background()
	tests := map[string]func(t *testing.T, db *DB, ada, zoe postroom.User) error{
		"by signing out": func(_ *testing.T, db *DB, _, _ postroom.User) error { return db.EndSession(ctx, [32]byte{1}) },
		"with a new password": func(_ *testing.T, db *DB, ada, _ postroom.User) error {
			_, err := db.SetPassword(ctx, ada.ID, "x")
			return err
		},
		"when disabled": func(_ *testing.T, db *DB, ada, _ postroom.User) error {
			_, err := db.DisableUser(ctx, ada.ID, noon)
			return err
		},
		"by choice in a list": func(t *testing.T, db *DB, ada, zoe postroom.User) error {
			list, err := db.Sessions(ctx, ada.ID, noon)
			if err != nil || len(list) != 1 {
				t.Fatalf("Sessions = %v, %v, want one", list, err)
			}
			if ok, err := db.RevokeSession(ctx, zoe.ID, list[0].ID); ok || err != nil {
				t.Errorf("another user's session: RevokeSession = %v, %v, want false", ok, err)
			}
			if ok, err := db.RevokeSession(ctx, ada.ID, list[0].ID); !ok || err != nil {
				t.Errorf("RevokeSession = %v, %v, want true", ok, err)
			}
			return nil
		},
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			eachDatabase(t, func(t *testing.T, db *DB) {
				createUser(t, db, "root@example.net", postroom.RoleAdmin)
				ada := createUser(t, db, "ada@example.net", postroom.RoleAgent)
				zoe := createUser(t, db, "zoe@example.net", postroom.RoleAgent)
				beginSession(t, db, ada, 1, noon)
				beginSession(t, db, zoe, 2, noon)
				if err := end(t, db, ada, zoe); err != nil {
					t.Fatal(err)
				}
				if _, ok := mustSession(t, db, 1, noon); ok {
					t.Error("the session is still there")
				}
				if _, ok := mustSession(t, db, 2, noon); !ok {
					t.Error("another user's session has ended too")
				}
			})
		})
	}
}

func TestSessionNeedsWhoMaySignIn(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		createUser(t, db, "root@example.net", postroom.RoleAdmin)
		ada := createUser(t, db, "ada@example.net", postroom.RoleAgent)
		s := Session{User: ada.ID, CreatedAt: noon, SeenAt: noon, ExpiresAt: noon.Add(time.Hour), Agent: strings.Repeat("ü\x00", 1000)}
		if ok, err := db.BeginSession(ctx, [32]byte{1}, s, "an older hash"); ok || err != nil {
			t.Errorf("with an older password: %v, %v, want false", ok, err)
		}
		if ok, err := db.BeginLinkSession(ctx, [32]byte{2}, s); !ok || err != nil {
			t.Errorf("by a link: %v, %v, want true", ok, err)
		}
		if s, _ := mustSession(t, db, 2, noon); len(s.Agent) != maxSessionAgent {
			t.Errorf("the browser's name has %d bytes, want %d", len(s.Agent), maxSessionAgent)
		}
		if _, err := db.DisableUser(ctx, ada.ID, noon); err != nil {
			t.Fatal(err)
		}
		if ok, err := db.BeginSession(ctx, [32]byte{3}, s, "hash of ada@example.net"); ok || err != nil {
			t.Errorf("disabled: %v, %v, want false", ok, err)
		}
		if ok, err := db.BeginLinkSession(ctx, [32]byte{4}, s); ok || err != nil {
			t.Errorf("disabled, by a link: %v, %v, want false", ok, err)
		}
	})
}

// Whoever signs in while the password is being changed is either turned away or
// signed out by the change, whichever node commits first.
func TestNoSessionOutlivesItsPassword(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		other := db
		if db.dialect == dialectPostgres {
			other = openForTest(t, Options{URL: db.url})
		}
		ada := createUser(t, db, "ada@example.net", postroom.RoleAgent)
		s := Session{User: ada.ID, CreatedAt: noon, SeenAt: noon, ExpiresAt: noon.Add(time.Hour)}
		for round := range byte(20) {
			if _, err := db.SetPassword(ctx, ada.ID, "old"); err != nil {
				t.Fatal(err)
			}
			var wg sync.WaitGroup
			var signIn, change error
			wg.Go(func() { _, signIn = other.BeginSession(ctx, [32]byte{round}, s, "old") })
			wg.Go(func() { _, change = db.SetPassword(ctx, ada.ID, "new") })
			wg.Wait()
			if signIn != nil || change != nil {
				t.Fatal(signIn, change)
			}
			if _, ok := mustSession(t, db, round, noon); ok {
				t.Fatalf("round %d: a session of the old password is there", round)
			}
		}
	})
}

func TestExpiredSessionsAreSwept(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ada := createUser(t, db, "ada@example.net", postroom.RoleAgent)
		beginSession(t, db, ada, 1, noon)
		beginSession(t, db, ada, 2, noon.Add(2*time.Hour))
		var n int
		if err := db.queryRow(context.Background(), `select count(*) from session`).Scan(&n); err != nil || n != 1 {
			t.Errorf("%d sessions are kept (%v), want the one that has not expired", n, err)
		}
	})
}
