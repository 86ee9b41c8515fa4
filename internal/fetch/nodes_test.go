package fetch_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/intake"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

// newNode is one of several that share a database.
func newNode(t *testing.T, o store.Options, name string) *bench {
	t.Helper()
	b := newBench(t, o)
	ctx := context.Background()
	if err := b.db.LeaveNode(ctx, b.node); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.node, err = b.db.JoinNode(ctx, name); err != nil {
		t.Fatal(err)
	}
	b.fleet.Node, b.fleet.Alone, b.fleet.DeadAfter = b.node, false, 3*time.Second
	return b
}

// start runs a node until stop is called, which leaves without a word.
func (b *bench) start() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return b.fleet.Run(ctx) })
	pipeline := &intake.Pipeline{Ledger: b.db, Node: b.node, Nudge: b.arrived, Log: b.fleet.Log}
	parts.Go(func() error { return pipeline.Run(ctx) })
	return func() {
		cancel()
		if err := parts.Wait(); err != nil {
			b.t.Errorf("run: %v", err)
		}
	}
}

func (b *bench) holds() int {
	b.t.Helper()
	owned, err := b.db.OwnedMailboxes(context.Background(), b.node)
	if err != nil {
		b.t.Fatal(err)
	}
	return len(owned)
}

func TestTwoNodesShareMailboxes(t *testing.T) {
	server, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	o := store.Options{URL: testbed.Postgres(t)}
	one, two := newNode(t, o, "one"), newNode(t, o, "two")
	const mailboxes = 6
	deliver := func(n int) {
		for i := range mailboxes {
			user := fmt.Sprintf("m%d@example.net", i)
			server.AddAccount(user, "secret")
			if _, err := server.Append(user, "INBOX", letter(10*i+n, ""), time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	deliver(0)
	ids := make([]postroom.MailboxID, mailboxes)
	for i := range ids {
		user := fmt.Sprintf("m%d@example.net", i)
		m := (&scene{server: server}).mailbox()
		m.Name, m.Address, m.Incoming.Username = user, user, user
		ids[i] = one.add(m)
	}
	filed := func(want int64) func() bool {
		return func() bool {
			for _, id := range ids {
				if c := one.counts(id); c[postroom.ArrivalFiled] != want || len(c) > 1 {
					return false
				}
			}
			return true
		}
	}
	stopOne, stopTwo := one.start(), two.start()
	one.until("both hold their share", func() bool { return one.holds() == mailboxes/2 && two.holds() == mailboxes/2 })
	one.until("all is filed once", filed(1))

	stopTwo()
	deliver(1)
	one.until("the other has taken over", func() bool { return one.holds() == mailboxes })
	one.until("nothing is lost or doubled", filed(2))

	stopTwo = two.start() // it was only asleep
	one.until("it has its share again", func() bool { return one.holds() == mailboxes/2 && two.holds() == mailboxes/2 })
	deliver(2)
	one.until("nothing is lost or doubled", filed(3))
	stopOne()
	stopTwo()
}
