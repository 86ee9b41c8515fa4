package store

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
)

func TestUnknownRepliesAreCounted(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		reply := func(host, text string, n int64, minute int) UnknownReply {
			when := noon.Add(time.Duration(minute) * time.Minute)
			return UnknownReply{Host: host, Protocol: postroom.IMAP, Phase: "auth", Reply: text, Count: n, First: when, Last: when}
		}
		for _, batch := range [][]UnknownReply{
			nil,
			{reply("b.example.net", "NO what", 1, 0), reply("a.example.net", "NO what", 1, 0), reply("a.example.net", "NO how\x00\xff", 1, 0)},
			{reply("a.example.net", "NO what", 4, 5)},
			{reply("a.example.net", "NO what", 1, 3)}, // of another node, a little late
		} {
			if err := db.RecordUnknownReplies(ctx, batch); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Reader().UnknownReplies(ctx, 0)
		if err != nil {
			t.Fatal(err)
		}
		often := reply("a.example.net", "NO what", 6, 0)
		often.Last = noon.Add(5 * time.Minute)
		want := []UnknownReply{often, reply("a.example.net", "NO how\uFFFD", 1, 0), reply("b.example.net", "NO what", 1, 0)}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("unknown replies (-want +got):\n%s", diff)
		}
		if few, err := db.Reader().UnknownReplies(ctx, 1); err != nil || len(few) != 1 {
			t.Errorf("asked for one: %d, %v", len(few), err)
		}
	})
}

func TestUnknownRepliesAreBounded(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		noon := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
		var many []UnknownReply
		for n := range unknownRepliesKept + 50 {
			when := noon.Add(time.Duration(n) * time.Second)
			many = append(many, UnknownReply{
				Host: "imap.example.net", Protocol: postroom.IMAP, Phase: "auth", Reply: fmt.Sprintf("NO %d %s", n, strings.Repeat("é", 2000)), Count: 1, First: when, Last: when,
			})
		}
		if err := db.RecordUnknownReplies(ctx, many); err != nil {
			t.Fatal(err)
		}
		got, err := db.Reader().UnknownReplies(ctx, MaxPage)
		if err != nil || len(got) != MaxPage {
			t.Fatalf("%d replies, %v", len(got), err)
		}
		if newest := got[0]; !strings.HasPrefix(newest.Reply, "NO 1049 é") || len(newest.Reply) > unknownReplyLimit {
			t.Errorf("newest %q, %d bytes", newest.Reply[:20], len(newest.Reply))
		}
		var kept, oldest int64
		if err := db.queryRow(ctx, `select count(*), min(first_at) from unknown_reply`).Scan(&kept, &oldest); err != nil {
			t.Fatal(err)
		}
		if kept != unknownRepliesKept || !at(oldest).Equal(noon.Add(50*time.Second)) {
			t.Errorf("%d are kept, the oldest of %v", kept, at(oldest))
		}
	})
}
