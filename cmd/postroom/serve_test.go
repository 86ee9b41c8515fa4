package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// plain is how a simulator without TLS is reached.
func plain(s *simulator.Server, username string) map[string]any {
	return map[string]any{"host": s.Host, "port": s.Port, "tls": "none", "username": username}
}

// pretendServer starts a simulator with so many accounts, box0@example.net and so on.
func pretendServer(t *testing.T, accounts int) *simulator.Server {
	t.Helper()
	s, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close the provider: %v", err)
		}
	})
	for n := range accounts {
		s.AddAccount(box(n), "right-password")
	}
	return s
}

func box(n int) string { return fmt.Sprintf("box%d@example.net", n) }

// deliver puts generated messages from..to-1 into the accounts in turn.
func deliver(t *testing.T, s *simulator.Server, accounts, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if _, err := s.Append(box(n%accounts), "INBOX", simulator.Generated(17, n), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

// In the middle of the work, with programs and pages waiting for news, it stops
// within ten seconds; the next start does the rest.
func TestServeStopsUnderLoad(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	t.Parallel()
	const accounts, count = 10, 2000
	i, s := install(t), pretendServer(t, accounts)
	deliver(t, s, accounts, 0, count)
	stream := i.listen("/events/stream")
	boxes := make([]api.Mailbox, accounts)
	for n := range boxes {
		boxes[n] = i.connect(box(n), "right-password", plain(s, box(n)))
	}
	begun := false
	for line, err := range lines(stream) {
		if begun = strings.Contains(line, string(postroom.EventIssueCreated)); begun || err != nil {
			break
		}
	}
	if !begun {
		t.Fatal("the stream of events has ended")
	}
	if err := i.server.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, stream); err != nil {
		t.Errorf("the stream of events does not end, it breaks: %v", err)
	}
	i.start()
	counts, err := i.figures("postroom_arrivals")
	if err != nil || counts["filed"] == count {
		t.Logf("it had done everything before it was stopped: %v (%v)", counts, err)
	}
	i.settled(count, patience)
	for _, m := range boxes {
		i.balanced(m, count/accounts)
	}
	i.entriesOnce(count)
}

func TestServeOnPostgres(t *testing.T) {
	t.Parallel()
	i := install(t, "--database", testbed.Postgres(t))
	s := pretendServer(t, 1)
	deliver(t, s, 1, 0, 40)
	m := i.connect(box(0), "right-password", plain(s, box(0)))
	i.settled(40, patience)

	// What arrives while it is down is brought in by the next start.
	if err := i.server.stop(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, 1, 40, 60)
	i.start()
	i.settled(60, patience)
	i.balanced(m, 60)
	i.entriesOnce(60)
}

// Two nodes share the mailboxes of one database. When one is killed, the other
// takes over, and nothing is lost or doubled.
func TestANodeTakesOverWhenAnotherIsKilled(t *testing.T) {
	t.Parallel()
	const accounts = 12
	database := testbed.Postgres(t)
	one := install(t, "--database", database)
	two := one.join()
	s := pretendServer(t, accounts)
	deliver(t, s, accounts, 0, 10*accounts)
	boxes := make([]api.Mailbox, accounts)
	for n := range boxes {
		boxes[n] = one.connect(box(n), "right-password", plain(s, box(n)))
	}
	one.settled(10*accounts, patience)
	if err := eventually(patience, func() error {
		return shared(database, accounts)
	}); err != nil {
		t.Fatal(err)
	}

	// In the middle of the work, one is killed.
	deliver(t, s, accounts, 10*accounts, 20*accounts)
	if err := one.server.kill(); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	deliver(t, s, accounts, 20*accounts, 30*accounts)
	two.settled(30*accounts, patience)
	took := time.Since(killed)
	t.Logf("after a kill, everything was filed within %v", took.Round(10*time.Millisecond))
	if took > 20*time.Second {
		t.Errorf("it took %v to take over, want every mailbox read again within 10 s, and what came meanwhile filed soon after", took)
	}
	for _, m := range boxes {
		two.balanced(m, 30)
	}
	two.entriesOnce(30 * accounts)

	// It comes back, and gets its share again.
	one.start()
	if err := eventually(patience, func() error { return shared(database, accounts) }); err != nil {
		t.Fatal(err)
	}
	deliver(t, s, accounts, 30*accounts, 31*accounts)
	one.settled(31*accounts, patience)
	one.entriesOnce(31 * accounts)
}

// shared is an error unless two nodes read half of the mailboxes each.
func shared(database string, mailboxes int) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	connection, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	rows, err := connection.Query(ctx, `select n.id, count(*) from lease l join node n on n.id = l.node group by n.id`)
	if err != nil {
		return errors.Join(err, connection.Close(ctx))
	}
	leases := make(map[int64]int)
	var node int64
	var count int
	_, err = pgx.ForEachRow(rows, []any{&node, &count}, func() error {
		leases[node] = count
		return nil
	})
	if err := errors.Join(err, connection.Close(ctx)); err != nil {
		return err
	}
	counts := slices.Sorted(maps.Values(leases))
	if !slices.Equal(counts, []int{mailboxes / 2, mailboxes / 2}) {
		return fmt.Errorf("the nodes read %v mailboxes, want %d each", counts, mailboxes/2)
	}
	return nil
}
