package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// An UnknownReply is an answer of a server that nobody could explain, cleaned of what
// is personal, with how often it came.
type UnknownReply struct {
	Host     string
	Protocol postroom.Protocol
	Phase    string
	Reply    string
	Count    int64
	First    time.Time // when it came first
	Last     time.Time // and when it came last
}

const (
	// unknownRepliesKept bounds the table: what came last longest ago goes first.
	unknownRepliesKept = 1000
	unknownReplyLimit  = 1 << 10 // bytes of a reply
	unknownNameLimit   = 255     // bytes of a host or a phase
)

const recordUnknownReply = `
	insert into unknown_reply (host, protocol, phase, digest, reply, count, first_at, last_at)
	values ($1, $2, $3, $4, $5, $6, $7, $8)
	on conflict (host, protocol, phase, digest) do update set
		count = unknown_reply.count + excluded.count,
		last_at = case when excluded.last_at > unknown_reply.last_at then excluded.last_at else unknown_reply.last_at end`

const dropOldUnknownReplies = `
	delete from unknown_reply where last_at < (select last_at from unknown_reply order by last_at desc limit 1 offset $1)`

// RecordUnknownReplies counts answers that nobody could explain, in one commit.
func (db *DB) RecordUnknownReplies(ctx context.Context, replies []UnknownReply) error {
	if len(replies) == 0 {
		return nil
	}
	replies = slices.Clone(replies)
	slices.SortFunc(replies, func(a, b UnknownReply) int { // two nodes lock rows in the same order
		return cmp.Or(cmp.Compare(a.Host, b.Host), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Phase, b.Phase), cmp.Compare(a.Reply, b.Reply))
	})
	err := db.commit(ctx, func(t *tx) error {
		for _, r := range replies {
			text := clip(r.Reply, unknownReplyLimit)
			digest := sha256.Sum256([]byte(text))
			err := t.exec(recordUnknownReply, clip(r.Host, unknownNameLimit), clip(string(r.Protocol), unknownNameLimit), clip(r.Phase, unknownNameLimit),
				digest[:], text, r.Count, micros(r.First), micros(r.Last))
			if err != nil {
				return err
			}
		}
		return t.exec(dropOldUnknownReplies, unknownRepliesKept-1)
	})
	if err != nil {
		return fmt.Errorf("record %d unknown replies: %w", len(replies), err)
	}
	return nil
}

const unknownReplies = `
	select host, protocol, phase, reply, count, first_at, last_at from unknown_reply
	order by count desc, last_at desc, host, protocol, phase, reply limit $1`

// UnknownReplies returns at most limit answers that nobody could explain, those that
// came most often first.
func (r *Reader) UnknownReplies(ctx context.Context, limit int) ([]UnknownReply, error) {
	rows, err := r.db.query(ctx, unknownReplies, pageSize(limit))
	all, err := collect(rows, err, func(rows *sql.Rows) (u UnknownReply, err error) {
		var first, last int64
		err = rows.Scan(&u.Host, &u.Protocol, &u.Phase, &u.Reply, &u.Count, &first, &last)
		u.First, u.Last = at(first), at(last)
		return u, err
	})
	if err != nil {
		return nil, fmt.Errorf("list unknown replies: %w", err)
	}
	return all, nil
}
