package store

import (
	"context"
	"path/filepath"
	"testing"
)

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	o := Options{Path: filepath.Join(t.TempDir(), "a b.db")}
	if err := Migrate(ctx, o); err != nil {
		t.Fatal(err)
	}
	db, err := Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var n int64
	if err := db.queryRow(ctx, "select db_now() where $1 = 3", 3).Scan(&n); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	var v string
	db.queryRow(ctx, "pragma auto_vacuum").Scan(&v)
	t.Log(v)
	db.queryRow(ctx, "select sqlite_version()").Scan(&v)
	t.Log(v)
}
