package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// PostgreSQL is stopped, and killed, while eight write: what was answered as done is
// there, what was not was told as trouble of the database, and it goes on by itself.
func TestPostgresGoesAwayDuringWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a database server")
	}
	ctx := context.Background()
	server := testbed.PostgresServer(t)
	db := openForTest(t, Options{URL: server.URL})
	const writers = 8
	var wait sync.WaitGroup
	stop := make(chan struct{})
	done, failed := make([]int, writers), make([]int, writers)
	for w := range writers {
		wait.Go(func() {
			for n := 0; ; {
				select {
				case <-stop:
					done[w] = n
					return
				default:
				}
				err := db.commit(ctx, func(t *tx) error {
					t.event(postroom.Event{ID: fmt.Sprintf("%d:%d", w, n), Type: postroom.EventMailboxChanged, At: time.Now()})
					return t.exec(`insert into setting (name, value) values ($1, '') on conflict do nothing`, fmt.Sprintf("%d:%d", w, n))
				})
				if err == nil {
					n++
					continue
				}
				failed[w]++
				if fault, ok := postroom.FaultOf(err); !ok || !IsTrouble(err) || fault.Kind != postroom.Delayed || fault.Remedy == "" {
					t.Errorf("a write is answered with %v, want the trouble of the database", err)
				}
			}
		})
	}
	reach := func(commits int64) {
		t.Helper()
		deadline := time.Now().Add(30 * time.Second)
		before, _ := db.Commits()
		for now := before; now < before+commits; now, _ = db.Commits() {
			if time.Now().After(deadline) {
				t.Error("writing does not go on")
				return
			}
			time.Sleep(time.Millisecond)
		}
	}
	for _, down := range []func(){server.Stop, server.Kill, server.Stop, server.Kill} {
		reach(50)
		down()
		if err := db.Ping(ctx); !IsTrouble(err) {
			t.Errorf("without a server the database says %v", err)
		}
		server.Start()
	}
	reach(50)
	close(stop)
	wait.Wait()
	total, refused := 0, 0
	for w := range writers {
		total += done[w]
		refused += failed[w]
	}
	h := &house{t: t, db: db}
	for w, n := range done {
		got := h.count(`select count(*) from setting where name like $1`, fmt.Sprintf("%d:%%", w))
		if got < n || got > n+1 {
			t.Errorf("writer %d: %d facts, want the %d that were answered, and at most one more", w, got, n)
		}
	}
	if h.count(`select count(*) from event`) != h.count(`select value from counter where name = 'event'`) {
		t.Error("events are missing between the positions")
	}
	if refused == 0 || total == 0 {
		t.Errorf("%d written, %d refused, want some of both", total, refused)
	}
	t.Logf("%d written, %d refused", total, refused)
}

// The connection is cut in the middle of a commit, with the server alive: the commit
// is made anew, and nobody has to know.
func TestCommitOutlivesACutConnection(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		if db.dialect != dialectPostgres {
			return // there is no connection to cut
		}
		h := &house{t: t, db: db}
		cuts := 0
		err := db.commit(context.Background(), func(tx *tx) error {
			if err := set("a")(tx); err != nil {
				return err
			}
			if cuts++; cuts > 2 {
				return nil
			}
			var pid int
			if err := tx.row(`select pg_backend_pid()`).Scan(&pid); err != nil {
				return err
			}
			if n := h.count(`select count(*) from (select pg_terminate_backend($1)) x`, pid); n != 1 {
				return errors.New("the connection was not cut")
			}
			return set("b")(tx)
		})
		if err != nil || h.settings() != "a" || cuts != 3 {
			t.Errorf("%v after %d cuts, settings %q, want a", err, cuts-1, h.settings())
		}
	})
}
