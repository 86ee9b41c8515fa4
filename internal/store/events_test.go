package store

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/postroom/postroom"
)

// Whoever has seen a position never misses a later commit, though eight nodes
// append at once: a reader that asks for what is behind the last position it has
// seen gets every event, once, in order.
func TestReaderMissesNoEvent(t *testing.T) {
	const writers, goroutines, each = 8, 4, 50
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		nodes := []*DB{db}
		for len(nodes) < writers && db.dialect == dialectPostgres {
			node, err := Open(ctx, Options{URL: db.url})
			if err != nil {
				t.Fatal(err)
			}
			defer node.Close()
			nodes = append(nodes, node)
		}
		total := len(nodes) * goroutines * each * 3 / 2
		var done atomic.Bool
		var reading, writing sync.WaitGroup
		seen := make([][]postroom.Event, 3)
		for i := range seen {
			reading.Go(func() {
				var position int64
				for {
					last := done.Load()
					events, err := db.Reader().Events(ctx, postroom.Viewer{User: 1, Role: postroom.RoleAdmin}, position, 7)
					if err != nil {
						t.Error(err)
						return
					}
					for _, e := range events {
						position = e.Position
					}
					seen[i] = append(seen[i], events...)
					if last && len(events) == 0 {
						return
					}
				}
			})
		}
		for n, node := range nodes {
			for g := range goroutines {
				writing.Go(func() {
					for i := range each {
						err := node.commit(ctx, func(t *tx) error {
							for part := range 1 + i%2 { // one event or two
								t.event(postroom.Event{ID: fmt.Sprintf("%d.%d.%d.%d", n, g, i, part), Type: postroom.EventMailboxChanged})
							}
							if i%10 == 9 {
								t.event(postroom.Event{ID: "refused", Type: postroom.EventMailboxChanged})
								return fmt.Errorf("refused")
							}
							return nil
						})
						if (err != nil) != (i%10 == 9) {
							t.Errorf("commit %d.%d.%d: %v", n, g, i, err)
						}
					}
				})
			}
		}
		writing.Wait()
		done.Store(true)
		reading.Wait()
		total -= len(nodes) * goroutines * each / 10 * 2 // the refused ones had two each
		for i, events := range seen {
			ids := make(map[string]bool)
			for n, e := range events {
				ids[e.ID] = true
				if e.Position != int64(n)+1 {
					t.Fatalf("reader %d: event %d has position %d", i, n, e.Position)
				}
			}
			if len(events) != total || len(ids) != total || ids["refused"] {
				t.Errorf("reader %d saw %d events, %d of them different, want %d", i, len(events), len(ids), total)
			}
		}
	})
}
