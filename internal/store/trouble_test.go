package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// fillWith keeps a text of so many bytes in the database.
func fillWith(db *DB, bytes int) error {
	return db.SetSetting(context.Background(), fmt.Sprint("large ", bytes), strings.Repeat("x", bytes))
}

// TestFullDatabaseSaysSo limits the pages of the file, which SQLite reports as it
// does a full disk.
func TestFullDatabaseSaysSo(t *testing.T) {
	db := openForTest(t, Options{Path: filepath.Join(t.TempDir(), "postroom.db")})
	var pages int
	limit := func(more int) {
		t.Helper()
		err := db.commit(t.Context(), func(t *tx) error {
			if err := t.row("pragma page_count").Scan(&pages); err != nil {
				return err
			}
			return t.row(fmt.Sprintf("pragma max_page_count = %d", pages+more)).Scan(&pages)
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	limit(1)
	err := fillWith(db, 1<<20)
	f, _ := postroom.FaultOf(err)
	if !IsTrouble(err) || f.Kind != postroom.Delayed || f.FixBy != postroom.FixByAppAdmin || !strings.Contains(f.Explanation, "is full") {
		t.Fatalf("a full database says %v, want that it is full", err)
	}
	if full := db.Space().FullAt; time.Since(full) > time.Minute {
		t.Errorf("it was full at %v, want just now", full)
	}
	if err := db.SetSetting(t.Context(), "small", "x"); err != nil {
		t.Errorf("what needs no room: %v", err)
	}
	limit(10_000)
	if err := fillWith(db, 1<<20); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

func TestTroubleOfPostgresIsNamed(t *testing.T) {
	db := &DB{dialect: dialectPostgres}
	for code, words := range map[string]string{
		"53100": "is full", "53200": "memory", "53300": "connections", "08006": "does not answer", "57P01": "does not answer",
		"57P03": "does not answer", "58030": "disk", "25006": "standby", "40001": "busy", "55P03": "busy",
	} {
		err := db.trouble(fmt.Errorf("commit: %w", &pgconn.PgError{Code: code}))
		if f, _ := postroom.FaultOf(err); !IsTrouble(err) || !strings.Contains(f.Explanation, words) {
			t.Errorf("%s is %v, want trouble with %q", code, err, words)
		}
	}
	for name, err := range map[string]error{
		"a mistake of ours": &pgconn.PgError{Code: "42601"},
		"what was given":    &pgconn.PgError{Code: "23505"},
		"one damaged page":  &pgconn.PgError{Code: "XX001"},
		"nothing there":     sql.ErrNoRows,
		"a stop":            context.Canceled,
		"a slow answer":     fmt.Errorf("%w: %w", context.DeadlineExceeded, &pgconn.PgError{Code: "57014"}),
	} {
		if got := db.trouble(err); IsTrouble(got) {
			t.Errorf("%s is %v, want no trouble of the database", name, got)
		}
	}
	if db.Space().FullAt.IsZero() || db.Space().Known {
		t.Error("a full disk of the server is not remembered, or its room is thought known")
	}
}

func TestDatabaseThatWasHeldByAnotherProgramIsNamed(t *testing.T) {
	db := &DB{dialect: dialectSQLite, dir: t.TempDir()}
	path := filepath.Join(db.dir, "held.db")
	holder, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := holder.ExecContext(t.Context(), "create table thing (id integer); begin exclusive"); err != nil {
		t.Fatal(err)
	}
	other, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	_, err = other.ExecContext(t.Context(), "insert into thing values (1)")
	if err = db.trouble(err); !IsTrouble(err) || !strings.Contains(err.Error(), "Another program") {
		t.Errorf("it says %v, want that another program holds it", err)
	}
}

func TestPostgresThatGoesAwayIsNamed(t *testing.T) {
	s := testbed.PostgresServer(t)
	db := openForTest(t, Options{URL: s.URL})
	s.Stop()
	_, _, read := db.Setting(t.Context(), "x")
	for name, err := range map[string]error{"writing": fillWith(db, 1), "reading": read, "Ping": db.Ping(t.Context())} {
		if !IsTrouble(err) || !strings.Contains(err.Error(), "does not answer") {
			t.Errorf("%s says %v, want that the database does not answer", name, err)
		}
	}
	s.Start()
	limit := time.Now().Add(20 * time.Second)
	for err := errors.New("not tried"); err != nil; err = fillWith(db, 1) {
		if time.Now().After(limit) {
			t.Fatalf("it answers again, and writing says %v", err)
		}
	}
}
