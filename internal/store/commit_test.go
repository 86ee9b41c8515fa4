package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"testing"

	"github.com/postroom/postroom"
)

// together has commits wait until all of them are there, so that they are joined,
// and returns what each was answered.
func together(db *DB, locks [][]int64, do ...func(*tx) error) []error {
	ctx := context.Background()
	begun, all := make(chan struct{}), make(chan struct{})
	var wait sync.WaitGroup
	first := true
	wait.Go(func() {
		_ = db.commit(ctx, func(*tx) error {
			if first { // it may run twice
				first = false
				close(begun)
				<-all
			}
			return nil
		})
	})
	<-begun
	errs := make([]error, len(do))
	for i := range do {
		var keys []int64
		if locks != nil {
			keys = locks[i]
		}
		before := len(db.queue)
		wait.Go(func() { errs[i] = db.commitLocked(ctx, keys, do[i]) })
		for len(db.queue) == before {
			runtime.Gosched()
		}
	}
	close(all)
	wait.Wait()
	return errs
}

func set(name string) func(*tx) error {
	return func(t *tx) error {
		t.event(postroom.Event{ID: "set:" + name, Type: postroom.EventMailboxChanged})
		return t.exec(`insert into setting (name, value) values ($1, '')`, name)
	}
}

func (h *house) settings() (names string) {
	h.t.Helper()
	rows, err := h.db.query(context.Background(), `select name from setting order by name`)
	h.must(err)
	defer rows.Close()
	for rows.Next() {
		var name string
		h.must(rows.Scan(&name))
		names += name
	}
	return names
}

func TestJoinedCommitsFailAlone(t *testing.T) {
	own := errors.New("mine")
	refused := func(t *tx) error { return errors.Join(set("x")(t), own) }
	broken := func(t *tx) error { return errors.Join(set("x")(t), t.exec(`insert into setting (name) values (null)`)) }
	panics := func(t *tx) error { _ = set("x")(t); panic("a mistake") }
	poison := func(t *tx) error { // fails when all members have been run
		if err := t.exec(`insert into event (position, id, type, at, historic)
			select value + 1, 'taken', '', 0, false from counter where name = 'event'`); err != nil {
			return err
		}
		return set("x")(t)
	}
	tests := map[string][]func(*tx) error{
		"by its own judgement":     {set("a"), refused, set("b")},
		"by the database's":        {set("a"), broken, set("b")},
		"by a panic":               {set("a"), panics, set("b")},
		"after all have run":       {set("a"), poison, set("b")},
		"alone, by a panic":        {panics},
		"alone, after it has run":  {poison},
		"alone, by the database's": {broken},
	}
	eachDatabase(t, func(t *testing.T, db *DB) {
		h := &house{t: t, db: db}
		for name, members := range tests {
			t.Run(name, func(t *testing.T) {
				before := h.count(`select value from counter where name = 'event'`)
				h.do(func(t *tx) error { return t.exec(`delete from setting`) })
				errs := together(db, nil, members...)
				want, bad := "", 0
				if len(members) == 3 {
					want, bad = "ab", 1
				}
				for i, err := range errs {
					if (err != nil) != (i == bad) {
						t.Errorf("member %d: %v", i, err)
					}
				}
				if got := h.settings(); got != want {
					t.Errorf("settings = %q, want %q", got, want)
				}
				if got := h.count(`select value from counter where name = 'event'`) - before; got != len(want) {
					t.Errorf("%d events, want %d", got, len(want))
				}
			})
		}
		if n := h.count(`select count(*) from event where id = 'set:x'`); n > 0 {
			t.Errorf("%d events of commits that failed", n)
		}
	})
}

func TestBrokenConnectionIsMadeAnew(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		if db.dialect != dialectPostgres {
			return // there is no connection to break
		}
		h := &house{t: t, db: db}
		var pid int
		h.do(func(t *tx) error { return t.row(`select pg_backend_pid()`).Scan(&pid) })
		if n := h.count(`select count(*) from (select pg_terminate_backend($1)) x`, pid); n != 1 {
			t.Fatal("the connection was not broken")
		}
		h.must(db.commit(context.Background(), set("a")))
		if got := h.settings(); got != "a" {
			t.Errorf("settings = %q, want a", got)
		}
	})
}

// Mails that name many others ask for more locks than PostgreSQL has room for.
func TestManyLocks(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		const members, each = 250, 53
		locks, do := make([][]int64, members), make([]func(*tx) error, members)
		for i := range members {
			for n := range each {
				locks[i] = append(locks[i], int64(i*each+n))
			}
			do[i] = set(fmt.Sprint(i))
		}
		for i, err := range together(db, locks, do...) {
			if err != nil {
				t.Fatalf("member %d: %v", i, err)
			}
		}
	})
}
