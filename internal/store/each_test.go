package store

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/postroom/postroom/internal/testbed"
)

// eachDatabase runs a test on an empty SQLite database and on an empty PostgreSQL one.
func eachDatabase(t *testing.T, test func(t *testing.T, db *DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		test(t, openForTest(t, Options{Path: filepath.Join(t.TempDir(), "postroom.db")}))
	})
	t.Run("postgres", func(t *testing.T) {
		test(t, openForTest(t, Options{URL: testbed.Postgres(t)}))
	})
}

func openForTest(t *testing.T, o Options) *DB {
	t.Helper()
	ctx := context.Background()
	if err := Migrate(ctx, o); err != nil {
		t.Fatal(err)
	}
	db, err := Open(ctx, o)
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
