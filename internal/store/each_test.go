package store

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/postroom/postroom/internal/testbed"
)

// eachDatabase runs a test on a fresh SQLite and on a fresh PostgreSQL database.
func eachDatabase(t *testing.T, test func(t *testing.T, db *DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		test(t, openForTest(t, Options{Path: filepath.Join(t.TempDir(), "postroom.db")}))
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, openForTest(t, Options{URL: testbed.Postgres(t)}))
	})
}

// openForTest opens a database with today's schema; it is closed when the test ends.
func openForTest(t testing.TB, o Options) *DB {
	t.Helper()
	ctx := context.Background()
	if err := Migrate(ctx, o); err != nil {
		t.Fatalf("Migrate: %v", err)
	}
	db, err := Open(ctx, o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return db
}
