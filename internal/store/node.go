package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A Fence proves that a node still reads a mailbox: a write that carries one is
// refused when another node has taken the mailbox since.
type Fence struct {
	Mailbox postroom.MailboxID
	Node    postroom.NodeID
	Epoch   int64
}

// ErrFenced says that the mailbox belongs to another node now, or to none.
var ErrFenced = errors.New("the mailbox is read by another node now")

const holdLease = `
	select 1 from lease where mailbox = $1 and node = $2 and epoch = $3 /*pg for share */`

// hold locks the lease of a mailbox against being taken until the commit. What a
// joined commit has held once, it holds for all its members.
func (t *tx) hold(f Fence) error {
	if t.s.held[f] {
		return nil
	}
	var one int
	err := t.row(holdLease, f.Mailbox, f.Node, f.Epoch).Scan(&one)
	if noRows(err) {
		return ErrFenced
	}
	if err == nil {
		t.s.held[f] = true
	}
	return err
}

const insertNode = `
	insert into node (name, started_at, heartbeat_at) values ($1, db_now(), db_now()) returning id`

// JoinNode enters this process among the nodes. Whoever had the same name is
// gone: a name belongs to a data directory, which only one process can hold. On
// SQLite there is no other node, whatever its name was before the file was moved.
func (db *DB) JoinNode(ctx context.Context, name string) (id postroom.NodeID, err error) {
	gone, args := `delete from node where name = $1`, []any{name}
	if db.dialect == dialectSQLite {
		gone, args = `delete from node`, nil
	}
	err = db.commit(ctx, func(t *tx) error {
		if err := t.exec(gone, args...); err != nil {
			return err
		}
		return t.row(insertNode, name).Scan(&id)
	})
	if err != nil {
		return 0, fmt.Errorf("join node %s: %w", name, err)
	}
	return id, nil
}

// A node that is given up for dead keeps its row, with the heartbeat 0: should it
// live after all, its next heartbeat brings it back, to whatever nobody has taken.
const buryNodes = `
	update node set heartbeat_at = 0 where heartbeat_at < db_now() - $1 and heartbeat_at > 0`

// Heartbeat says that the node lives, and gives up nodes that have not said so for
// longer than dead. ErrFenced: another process has taken this node's name.
func (db *DB) Heartbeat(ctx context.Context, id postroom.NodeID, dead time.Duration) error {
	return db.commit(ctx, func(t *tx) error {
		n, err := t.changed(`update node set heartbeat_at = db_now() where id = $1`, id)
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrFenced
		}
		return t.exec(buryNodes, dead.Microseconds())
	})
}

// A lease is free when nobody holds it, or a node that is dead. Its own are not
// free to a node that is thought dead.
const freeLeases = `
	update lease set node = $1, epoch = epoch + 1
	where mailbox in (
		select l.mailbox from lease l
		where l.node is null or l.node <> $1 and not exists (select 1 from node n where n.id = l.node and n.heartbeat_at > 0)
		order by l.mailbox limit $2 /*pg for update skip locked */
	)`

const shareOfLeases = `
	select count(*), coalesce(sum(case when l.node = $1 then 1 else 0 end), 0),
		coalesce(sum(case when l.node is null or l.node <> $1 and n.id is null then 1 else 0 end), 0),
		(select count(*) from node where heartbeat_at > 0)
	from lease l left join node n on n.id = l.node and n.heartbeat_at > 0`

// TakeLeases takes free mailboxes, and those of dead nodes, up to this node's
// fair share. It returns how many the node holds above its share and should give
// up; less than zero says how many it took just now. Where there is nothing to
// take it writes nothing.
func (db *DB) TakeLeases(ctx context.Context, id postroom.NodeID) (surplus int, err error) {
	var leases, nodes, held, free int
	if err := db.queryRow(ctx, shareOfLeases, id).Scan(&leases, &held, &free, &nodes); err != nil {
		return 0, fmt.Errorf("count mailboxes: %w", err)
	}
	share := (leases + max(nodes, 1) - 1) / max(nodes, 1)
	if held >= share || free == 0 {
		return max(held-share, 0), nil
	}
	var taken int64
	err = db.commit(ctx, func(t *tx) (err error) {
		taken, err = t.changed(freeLeases, id, share-held)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("take mailboxes: %w", err)
	}
	return -int(taken), nil
}

// GiveUpLeases lets other nodes have these mailboxes. What is no longer held is
// passed over.
func (db *DB) GiveUpLeases(ctx context.Context, fences []Fence) error {
	return db.commit(ctx, func(t *tx) error {
		for _, f := range fences {
			if err := t.exec(`update lease set node = null where mailbox = $1 and node = $2 and epoch = $3`, f.Mailbox, f.Node, f.Epoch); err != nil {
				return err
			}
		}
		return nil
	})
}

// LeaveNode ends a node cleanly: all its mailboxes are free at once.
func (db *DB) LeaveNode(ctx context.Context, id postroom.NodeID) error {
	return db.commit(ctx, func(t *tx) error {
		if err := t.exec(`update lease set node = null where node = $1`, id); err != nil {
			return err
		}
		return t.exec(`delete from node where id = $1`, id)
	})
}

// An Owned mailbox is one that a node is to read.
type Owned struct {
	Fence     Fence
	Version   int64 // changes with whatever a session must learn of
	Failures  int   // tries that failed since one worked
	NextTryAt time.Time
	State     postroom.MailboxState
}

const ownedMailboxes = `
	select l.mailbox, l.epoch, b.version, b.failures, coalesce(b.next_try_at, 0), b.state
	from lease l join mailbox b on b.id = l.mailbox
	where l.node = $1 and b.deleted_at is null
	order by b.last_arrival_at desc nulls last`

// OwnedMailboxes returns what a node holds, those with the newest mail first.
func (db *DB) OwnedMailboxes(ctx context.Context, id postroom.NodeID) ([]Owned, error) {
	rows, err := db.query(ctx, ownedMailboxes, id)
	if err != nil {
		return nil, fmt.Errorf("list owned mailboxes: %w", err)
	}
	defer rows.Close()
	var owned []Owned
	for rows.Next() {
		o := Owned{Fence: Fence{Node: id}}
		var next int64
		if err := rows.Scan(&o.Fence.Mailbox, &o.Fence.Epoch, &o.Version, &o.Failures, &next, &o.State); err != nil {
			return nil, err
		}
		if next > 0 {
			o.NextTryAt = at(next)
		}
		owned = append(owned, o)
	}
	return owned, rows.Err()
}

const mailboxesChanged = `
	select distinct mailbox from event
	where position > $1 and position <= $2 and type in ('mailbox.changed', 'mailbox.deleted') and mailbox is not null`

// MailboxesChangedAfter returns the mailboxes that were added, changed or removed
// after a position among events, and how far the events go.
// Before the first of all positions nothing has changed: whoever begins there
// looks at every mailbox anyway.
func (db *DB) MailboxesChangedAfter(ctx context.Context, position int64) (changed []postroom.MailboxID, last int64, err error) {
	if err := db.queryRow(ctx, `select coalesce(max(position), 0) from event`).Scan(&last); err != nil {
		return nil, position, fmt.Errorf("look for changed mailboxes: %w", err)
	}
	if last <= position || position < 0 {
		return nil, last, nil
	}
	rows, err := db.query(ctx, mailboxesChanged, position, last)
	if err != nil {
		return nil, position, fmt.Errorf("look for changed mailboxes: %w", err)
	}
	changed, err = scanIDs[postroom.MailboxID](rows)
	return changed, last, err
}
