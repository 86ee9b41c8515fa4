package store

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// held is how many mailboxes a node reads.
func (p *postman) held() int {
	p.t.Helper()
	owned, err := p.db.OwnedMailboxes(context.Background(), p.node)
	p.must(err)
	return len(owned)
}

// look is a turn of a node: a heartbeat, and a fair share.
func (p *postman) look(dead time.Duration) {
	p.t.Helper()
	ctx := context.Background()
	p.must(p.db.Heartbeat(ctx, p.node, dead))
	surplus, err := p.db.TakeLeases(ctx, p.node)
	p.must(err)
	owned, err := p.db.OwnedMailboxes(ctx, p.node)
	p.must(err)
	var fences []Fence
	for _, o := range owned[len(owned)-max(surplus, 0):] {
		fences = append(fences, o.Fence)
	}
	p.must(p.db.GiveUpLeases(ctx, fences))
}

func (p *postman) silent(d time.Duration) {
	p.t.Helper()
	p.must(p.db.commit(context.Background(), func(t *tx) error {
		return t.exec(`update node set heartbeat_at = heartbeat_at - $2 where id = $1`, p.node, d.Microseconds())
	}))
}

func TestNodesShareFairly(t *testing.T) {
	ctx := context.Background()
	eachDatabase(t, func(t *testing.T, db *DB) {
		if db.dialect != dialectPostgres {
			return // there is one node
		}
		const dead = time.Minute
		wantHeld := func(when string, nodes []*postman, want ...int) {
			t.Helper()
			for i, n := range nodes {
				if got := n.held(); got != want[i] {
					t.Errorf("%s: node %d holds %d, want %d", when, i, got, want[i])
				}
			}
		}
		one := newPostman(t, db, "one")
		for range 7 {
			one.mailbox("m" + string(rune('a'+one.held())))
		}
		nodes := []*postman{one, newPostman(t, db, "two"), newPostman(t, db, "three")}
		round := func() {
			for range 2 {
				for _, n := range nodes {
					n.look(dead)
				}
			}
		}
		round()
		wantHeld("three nodes", nodes, 3, 3, 1)

		fences := make(map[postroom.MailboxID]Fence)
		owned, err := db.OwnedMailboxes(ctx, nodes[1].node)
		one.must(err)
		for _, o := range owned {
			fences[o.Fence.Mailbox] = o.Fence
		}
		nodes[1].silent(2 * dead)
		for _, n := range []*postman{nodes[0], nodes[2], nodes[0], nodes[2]} {
			n.look(dead)
		}
		wantHeld("one is silent", nodes, 4, 0, 3)
		for id, f := range fences {
			if err := db.RecordHealth(ctx, f, 1); !errors.Is(err, ErrFenced) {
				t.Errorf("the silent node writes to mailbox %s: %v", id, err)
			}
		}

		round() // it lives after all
		wantHeld("it is back", nodes, 3, 1, 3)
		one.must(db.LeaveNode(ctx, nodes[2].node))
		nodes = nodes[:2]
		round()
		wantHeld("one has left", nodes, 4, 3)

		again := newPostman(t, db, "two") // started again before anybody missed it
		again.look(dead)
		wantHeld("it started again", []*postman{nodes[0], again}, 4, 3)
		if err := db.Heartbeat(ctx, nodes[1].node, dead); !errors.Is(err, ErrFenced) {
			t.Errorf("the process before it: %v, want ErrFenced", err)
		}
	})
}

// A silent node that nobody has taken anything from goes on as before.
func TestSilentNodeKeepsWhatNobodyTook(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		before := p.fence(box)
		p.silent(time.Hour)
		p.look(time.Minute)
		p.look(time.Minute)
		if now := p.fence(box); now != before {
			t.Errorf("fence = %+v, want %+v as before", now, before)
		}
		p.mailbox("sales")
		if now := p.fence(box); now != before {
			t.Errorf("fence = %+v, want %+v as before", now, before)
		}
	})
}

// A database that was moved without the name of its node is read all the same.
func TestMovedDatabaseIsRead(t *testing.T) {
	db := openForTest(t, Options{Path: filepath.Join(t.TempDir(), "postroom.db")})
	newPostman(t, db, "here").mailbox("support") // and then the machine breaks
	there := newPostman(t, db, "there")
	if _, err := db.TakeLeases(context.Background(), there.node); err != nil {
		t.Fatal(err)
	}
	if n := there.held(); n != 1 {
		t.Errorf("the new node holds %d mailboxes, want 1", n)
	}
}
