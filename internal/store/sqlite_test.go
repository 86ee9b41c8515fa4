package store

import (
	"context"
	"path/filepath"
	"testing"
)

func TestSQLiteIsSetUp(t *testing.T) {
	ctx := context.Background()
	o := Options{Path: filepath.Join(t.TempDir(), "with a blank & more.db")}
	if err := Migrate(ctx, o); err != nil {
		t.Fatal(err)
	}
	db, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for pragma, want := range map[string]string{"auto_vacuum": "2", "journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "mmap_size": "0"} {
		var got string
		if err := db.read.QueryRowContext(ctx, "pragma "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("pragma %s = %q, %v, want %q", pragma, got, err, want)
		}
	}
	if _, err := db.read.ExecContext(ctx, "delete from setting"); err == nil {
		t.Error("a reading connection can write")
	}
}
