package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/intake"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
	"github.com/postroom/postroom/internal/work"
)

// A bench is a database with a fleet and a pipeline over it.
type bench struct {
	t       testing.TB
	db      *store.DB
	node    postroom.NodeID
	wake    chan struct{}
	arrived chan struct{}
	fleet   *fetch.Fleet
}

func eachDatabase(t *testing.T, run func(t *testing.T, o store.Options)) {
	t.Run("sqlite", func(t *testing.T) { run(t, store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}) })
	t.Run("postgres", func(t *testing.T) { run(t, store.Options{URL: testbed.Postgres(t)}) })
}

func newBench(t testing.TB, o store.Options) *bench {
	t.Helper()
	ctx := context.Background()
	if err := store.Migrate(ctx, o); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the database: %v", err)
		}
	})
	node, err := db.JoinNode(ctx, "test")
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{t: t, db: db, node: node, wake: make(chan struct{}, 1), arrived: make(chan struct{}, 1)}
	b.fleet = &fetch.Fleet{
		Ledger: db, Node: node, Alone: true, Wake: b.wake, TopReceived: mime.TopReceived, Step: o.Step,
		Login: func(context.Context, postroom.Mailbox) (fetch.Login, error) {
			return fetch.Login{Kind: "password", Secret: postroom.Hide("secret")}, nil
		},
		Explain: func(err error, _ postroom.Mailbox, _ fetch.Login) *postroom.Fault {
			if errors.Is(err, context.Canceled) {
				return nil
			}
			if fault, ok := postroom.FaultOf(err); ok {
				return fault
			}
			return &postroom.Fault{Kind: postroom.Delayed, Class: postroom.Unknown, Explanation: err.Error(), Err: err}
		},
		Arrived: func() { work.Ring(b.arrived) },
		Log:     slog.New(slog.NewTextHandler(testOutput{t}, &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	return b
}

type testOutput struct{ t testing.TB }

func (o testOutput) Write(p []byte) (int, error) {
	o.t.Log(string(bytes.TrimSpace(p)))
	return len(p), nil
}

// run runs fleet and pipeline until the test ends.
func (b *bench) run() {
	b.t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	parts, ctx := errgroup.WithContext(ctx)
	parts.Go(func() error { return b.fleet.Run(ctx) })
	pipeline := &intake.Pipeline{Ledger: b.db, Node: b.node, Nudge: b.arrived, Filed: func(f store.Filed) {
		if f.Due {
			b.fleet.Nudge(f.Mailbox)
		}
	}, Log: b.fleet.Log}
	parts.Go(func() error { return pipeline.Run(ctx) })
	b.t.Cleanup(func() {
		stop()
		if err := parts.Wait(); err != nil {
			b.t.Errorf("run: %v", err)
		}
	})
}

func (b *bench) add(m postroom.Mailbox) postroom.MailboxID {
	b.t.Helper()
	m, err := b.db.AddMailbox(context.Background(), m, "password", func(postroom.MailboxID) ([]byte, error) { return []byte("x"), nil })
	if err != nil {
		b.t.Fatal(err)
	}
	work.Ring(b.wake)
	return m.ID
}

func mailboxOn(d *testbed.DovecotServer, user string) postroom.Mailbox {
	return postroom.Mailbox{
		Name: user, Address: user,
		Incoming: postroom.IncomingSettings{
			ServerSettings: postroom.ServerSettings{Host: "127.0.0.1", Port: d.IMAPPort, TLS: postroom.TLSNone, Username: user},
			Protocol:       postroom.IMAP, Folders: []string{"INBOX"}, PollInterval: time.Second,
		},
		Start: postroom.Start{Kind: postroom.StartAll}, AfterImport: postroom.AfterImportKeep,
		Visibility: postroom.Visibility{Kind: postroom.VisibleToEveryone},
	}
}

// until waits for a condition, at most a minute.
func (b *bench) until(what string, ok func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !ok() {
		if time.Now().After(deadline) {
			b.t.Fatalf("a minute has passed and still not: %s", what)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func (b *bench) counts(id postroom.MailboxID) map[postroom.ArrivalState]int64 {
	b.t.Helper()
	counts, err := b.db.ArrivalCounts(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	return counts
}

func letter(n int, more string) []byte {
	return fmt.Appendf(nil, "From: Ana <ana@example.org>\r\nTo: support@example.net\r\nSubject: Letter %d\r\n"+
		"Message-ID: <letter-%d@example.org>\r\nDate: Fri, 20 Nov 2026 09:%02d:00 +0000\r\n%s\r\nHello, this is letter %d.\r\n", n, n, n%60, more, n)
}

func TestEveryMailBecomesAnIssue(t *testing.T) {
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{
		"support-sqlite@example.net": "secret", "support-postgres@example.net": "secret",
	}})
	eachDatabase(t, func(t *testing.T, o store.Options) {
		user := "support-" + filepath.Base(t.Name()) + "@example.net"
		var letters [][]byte
		for n := range 300 {
			letters = append(letters, letter(n, ""))
		}
		d.Deliver(user, "INBOX", letters...)
		b := newBench(t, o)
		id := b.add(mailboxOn(d, user))
		start := time.Now()
		b.run()
		b.until("300 letters are filed", func() bool { return b.counts(id)[postroom.ArrivalFiled] == 300 })
		t.Logf("300 in %v", time.Since(start))

		d.Deliver(user, "INBOX", letter(1000, "In-Reply-To: <letter-5@example.org>\r\n"))
		b.until("the reply is filed", func() bool { return b.counts(id)[postroom.ArrivalFiled] == 301 })
		if _, err := b.db.RequestComparison(context.Background(), id); err != nil {
			t.Fatal(err)
		}
		work.Ring(b.wake)
		var c store.Comparison
		b.until("the mailbox is compared", func() bool {
			var ok bool
			var err error
			c, ok, err = b.db.LastComparison(context.Background(), id)
			return ok && err == nil
		})
		if !c.Balanced() || c.OnServer != 301 {
			t.Errorf("comparison = %+v, want 301 on the server and balanced", c)
		}
		lines, _, err := b.db.Reader().Issues(context.Background(), postroom.Viewer{Token: 1, Scope: postroom.ScopeAdmin}, store.IssueFilter{Query: "letter 1000"})
		if err != nil || len(lines) != 1 || lines[0].Subject != "Letter 5" || lines[0].State != postroom.IssueOpen {
			t.Errorf("search for the reply = %+v, %v, want the open issue of letter 5", lines, err)
		}
		b.sameBytes(id, d.Messages(user, "INBOX"))
	})
}

// sameBytes holds the bytes of the mailbox's arrivals against the server's.
func (b *bench) sameBytes(id postroom.MailboxID, want [][]byte) {
	b.t.Helper()
	ctx := context.Background()
	have := make(map[string]int)
	cursor := ""
	for {
		lines, next, err := b.db.Reader().Arrivals(ctx, postroom.Viewer{Token: 1, Scope: postroom.ScopeAdmin},
			store.ArrivalFilter{Mailbox: id, Limit: 500, Cursor: cursor})
		if err != nil {
			b.t.Fatal(err)
		}
		for _, l := range lines {
			r, err := b.db.OpenRaw(ctx, l.Raw)
			if err != nil {
				b.t.Fatal(err)
			}
			raw, err := io.ReadAll(r)
			if err != nil {
				b.t.Fatal(err)
			}
			have[string(raw)]++
		}
		if cursor = next; cursor == "" {
			break
		}
	}
	for _, w := range want {
		have[string(w)]--
	}
	for raw, n := range have {
		if n != 0 {
			b.t.Errorf("a message is here %+d times more often than on the server: %.200q", n, raw)
		}
	}
}
