package access

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A clock is a now that only the test moves.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// cheaply is a hash that costs a test next to nothing.
func cheaply() phc {
	return phc{memory: 8, passes: 1, threads: 1, salt: make([]byte, saltBytes), key: make([]byte, keyBytes)}
}

func openStore(t *testing.T) *store.DB {
	t.Helper()
	o := store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
	if err := store.Migrate(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

// newDoor is a door with an empty database and cheap passwords.
func newDoor(t *testing.T) (*Door, *clock) {
	t.Helper()
	c := &clock{at: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)}
	return &Door{Store: openStore(t), Now: c.now, passwords: hasher{blank: cheaply}}, c
}

const rightPassword = "correct horse battery"

var somewhere = Client{Address: "192.0.2.7", Agent: "Browser"}

func mustCreate(t *testing.T, d *Door, email string, role postroom.Role) postroom.User {
	t.Helper()
	u, err := d.CreateUser(t.Context(), email, "", role, postroom.Hide(rightPassword))
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func mustSignIn(t *testing.T, d *Door, email string) (cookie string) {
	t.Helper()
	c, _, err := d.SignIn(t.Context(), email, postroom.Hide(rightPassword), somewhere)
	if err != nil {
		t.Fatal(err)
	}
	return c.Reveal()
}

func wantKind(t *testing.T, what string, err error, want postroom.Kind) {
	t.Helper()
	f, ok := postroom.FaultOf(err)
	if !ok || f.Kind != want {
		t.Errorf("%s is %v, want a fault of kind %q", what, err, want)
		return
	}
	if f.Explanation == "" || f.Remedy == "" || f.Class == "" || f.FixBy == "" {
		t.Errorf("%s: the fault %+v lacks words", what, f)
	}
}

func TestRights(t *testing.T) {
	tests := map[string]struct {
		by                 postroom.Viewer
		administers, works bool
	}{
		"an administrator":         {postroom.Viewer{User: 1, Role: postroom.RoleAdmin}, true, true},
		"an agent":                 {postroom.Viewer{User: 1, Role: postroom.RoleAgent}, false, true},
		"a mailbox owner":          {postroom.Viewer{User: 1, Role: postroom.RoleOwner}, false, false},
		"a token with admin scope": {postroom.Viewer{Token: 1, Scope: postroom.ScopeAdmin}, true, true},
		"a token with write scope": {postroom.Viewer{Token: 1, Scope: postroom.ScopeWrite}, false, true},
		"a token with read scope":  {postroom.Viewer{Token: 1, Scope: postroom.ScopeRead}, false, false},
		"nobody":                   {postroom.Viewer{}, false, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			for what, check := range map[string]struct {
				err  error
				want bool
			}{"Administer": {Administer(tt.by), tt.administers}, "Work": {Work(tt.by), tt.works}} {
				if (check.err == nil) != check.want {
					t.Errorf("%s = %v, want allowed: %v", what, check.err, check.want)
				}
				if check.err != nil {
					wantKind(t, what, check.err, postroom.Forbidden)
				}
			}
		})
	}
}
