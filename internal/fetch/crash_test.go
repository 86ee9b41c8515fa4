package fetch_test

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
	"github.com/postroom/postroom/internal/work"
)

// The crash tests run fleet and pipeline in a process of their own, this test
// binary started again, and end it with SIGKILL: at a numbered point between two
// steps of a message's way, at every commit, or at a random moment. Then it is
// started again, and what is there in the end is held against a run without crash.

// crashOrder tells the other process what to do.
type crashOrder struct {
	Path, URL string // of the database
	Wanted    int64  // settled arrivals after which it ends
	Point     string // where to die; empty: nowhere
	Occasion  int64  // the how many-th time at that point
	Silent    bool   // answer "done" to nobody: wait to be killed

	Acted postroom.MailboxID // not 0: it also waits until nothing is due there any more
}

const crashVariable = "POSTROOM_CRASH_ORDER"

func TestMain(m *testing.M) {
	if order := os.Getenv(crashVariable); order != "" {
		os.Exit(crashRun(order))
	}
	os.Exit(m.Run())
}

// crashRun is the other process.
func crashRun(order string) int {
	var o crashOrder
	if err := json.Unmarshal([]byte(order), &o); err != nil {
		fmt.Println(err)
		return 2
	}
	var occasions atomic.Int64
	step := func(point string) {
		if point == o.Point && occasions.Add(1) == o.Occasion {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	t := &crashT{}
	defer t.cleanUp()
	b := newBench(t, store.Options{Path: o.Path, URL: o.URL, Step: step})
	b.run()
	for deadline := time.Now().Add(60 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		var settled, all int64
		figures, err := b.db.Reader().Figures(context.Background())
		if err != nil {
			continue // the database may be down
		}
		for state, n := range figures.Arrivals {
			all += n
			if state != postroom.ArrivalWaiting {
				settled += n
			}
		}
		if settled == all && settled >= o.Wanted && (o.Acted == 0 || b.dueLeft(o.Acted) == 0) {
			fmt.Println("the most memory it had:", mostMemory())
			return 0
		}
	}
	fmt.Println("not done after a minute")
	return 1
}

// crashT is a testing.TB for a process that is not a test.
type crashT struct {
	testing.TB
	last []func()
}

func (t *crashT) Helper()                           {}
func (t *crashT) Cleanup(f func())                  { t.last = append(t.last, f) }
func (t *crashT) Log(args ...any)                   { fmt.Println(args...) }
func (t *crashT) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (t *crashT) Fatal(args ...any)                 { fmt.Println(args...); os.Exit(1) }
func (t *crashT) cleanUp() {
	for _, f := range slices.Backward(t.last) {
		f()
	}
}

// A crashSite is a database over a mailbox of a Dovecot.
type crashSite struct {
	t      *testing.T
	o      store.Options
	id     postroom.MailboxID
	server *testbed.DovecotServer
	user   string
}

func newCrashSite(t *testing.T, o store.Options, d *testbed.DovecotServer, user string) *crashSite {
	t.Helper()
	c := newCrashSiteOf(t, o, mailboxOn(d, user))
	c.server, c.user = d, user
	return c
}

func newCrashSiteOf(t *testing.T, o store.Options, m postroom.Mailbox) *crashSite {
	t.Helper()
	ctx := context.Background()
	if err := store.Migrate(ctx, o); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	m, err = db.AddMailbox(ctx, m, "password", func(postroom.MailboxID) ([]byte, error) { return []byte("x"), nil })
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	return &crashSite{t: t, o: o, id: m.ID}
}

// process starts the other process.
func (c *crashSite) process(o crashOrder) (*exec.Cmd, *bytes.Buffer) {
	c.t.Helper()
	o.Path, o.URL = c.o.Path, c.o.URL
	order, err := json.Marshal(o)
	if err != nil {
		c.t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), crashVariable+"="+string(order))
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
	return cmd, &out
}

// complete runs the other process to its end; killed says that it died on the way.
func (c *crashSite) complete(o crashOrder) (killed bool) {
	c.t.Helper()
	cmd, out := c.process(o)
	err := cmd.Wait()
	if err == nil {
		return false
	}
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return true
	}
	c.t.Fatalf("the process ended with %v:\n%s", err, out)
	return false
}

// outcome is what a run has made of a mailbox, without what differs from run to
// run: ids, instants, and the order in which mails were filed.
type outcome struct {
	Arrivals []string   // "uid state"
	Issues   [][]string // the Message-IDs of each issue
	Entries  int
	Events   int // of entries
	Raws     int
}

func (c *crashSite) outcome() outcome {
	c.t.Helper()
	db := c.query()
	defer db.Close()
	var o outcome
	for _, r := range c.rows(db, "select uid, state, '' from arrival order by uid") {
		o.Arrivals = append(o.Arrivals, r[0]+" "+r[1])
	}
	issues := make(map[string][]string)
	for _, r := range c.rows(db, "select e.issue, m.message_id, '' from entry e join mail m on m.id = e.mail") {
		issues[r[0]] = append(issues[r[0]], r[1])
		o.Entries++
	}
	for _, ids := range issues {
		slices.Sort(ids)
		o.Issues = append(o.Issues, ids)
	}
	slices.SortFunc(o.Issues, slices.Compare)
	for _, r := range c.rows(db, "select count(*), count(distinct id), '' from event where type in ('issue.created', 'issue.continued')") {
		if r[0] != r[1] {
			c.t.Errorf("%s events, but only %s different ones", r[0], r[1])
		}
		o.Events, _ = strconv.Atoi(r[0])
	}
	o.Raws = len(c.rows(db, "select id, '', '' from raw where sha256 is not null"))
	for _, r := range c.rows(db, "select value, (select coalesce(max(position), 0) from event), (select count(*) from event) from counter where name = 'event'") {
		if r[0] != r[1] || r[1] != r[2] {
			c.t.Errorf("event counter, last position and number = %v, want three equal numbers", r)
		}
	}
	return o
}

func (c *crashSite) query() *sql.DB {
	c.t.Helper()
	driver, source := "pgx", c.o.URL
	if source == "" {
		driver, source = "sqlite", "file:"+c.o.Path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, source)
	if err != nil {
		c.t.Fatal(err)
	}
	return db
}

func (c *crashSite) rows(db *sql.DB, query string) (all [][3]string) {
	c.t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		c.t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var r [3]string
		if err := rows.Scan(&r[0], &r[1], &r[2]); err != nil {
			c.t.Fatal(err)
		}
		all = append(all, r)
	}
	if err := rows.Err(); err != nil {
		c.t.Fatal(err)
	}
	return all
}

// prove holds the database against the server: every byte, and the balance.
func (c *crashSite) prove() {
	c.t.Helper()
	b := newBench(c.t, c.o)
	b.sameBytes(c.id, c.server.Messages(c.user, "INBOX"))
	b.run()
	if _, err := b.db.RequestComparison(context.Background(), c.id); err != nil {
		c.t.Fatal(err)
	}
	work.Ring(b.wake)
	b.until("the mailbox is compared", func() bool {
		found, ok, err := b.db.LastComparison(context.Background(), c.id)
		if ok && err == nil && !found.Balanced() {
			c.t.Fatalf("comparison = %+v, want balanced", found)
		}
		return ok && err == nil
	})
}

// crashLetters are few and of every kind: a thread whose parts may be filed side by
// side, the same bytes twice, a mail without a Message-ID, one that writes ahead.
func crashLetters() [][]byte {
	big := strings.Repeat("This line makes the message long, and no two lines are equal: %d\r\n", 1)
	var body strings.Builder
	for i := 0; body.Len() < 2500<<10; i++ {
		fmt.Fprintf(&body, big, rand.New(rand.NewPCG(1, uint64(i))).Uint64())
	}
	return [][]byte{
		letter(0, ""),
		letter(1, "In-Reply-To: <letter-0@example.org>\r\n"),
		letter(2, "References: <letter-0@example.org> <letter-1@example.org>\r\n"),
		letter(3, ""),
		letter(3, ""),
		[]byte("From: door@example.org\r\nSubject: Bell\r\n\r\nSomebody rang.\r\n"),
		append(letter(4, ""), body.String()...),
		letter(5, "In-Reply-To: <letter-9@example.org>\r\n"),
		letter(6, ""),
	}
}

func TestCrashAnywhere(t *testing.T) {
	t.Parallel()
	testbed.Need(t, testbed.NeedDovecot)
	letters := crashLetters()
	user := "crash@example.net"
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{user: "secret"}})
	d.Deliver(user, "INBOX", letters...)
	eachDatabase(t, func(t *testing.T, o store.Options) {
		fresh := func() store.Options {
			if o.URL != "" {
				return store.Options{URL: testbed.Postgres(t)}
			}
			return store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
		}
		wanted := crashOrder{Wanted: int64(len(letters))}
		calm := newCrashSite(t, fresh(), d, user)
		calm.complete(wanted)
		want := calm.outcome()
		if want.Entries != len(letters)-1 {
			t.Fatalf("without a crash there are %d entries, want %d: one mail came twice", want.Entries, len(letters)-1)
		}
		died := 0
		at := func(point string, occasion int64) (reached bool) {
			c := newCrashSite(t, fresh(), d, user)
			order := wanted
			order.Point, order.Occasion = point, occasion
			if !c.complete(order) {
				return false
			}
			died++
			if c.complete(wanted) {
				t.Fatalf("it died again without being told to")
			}
			if diff := cmp.Diff(want, c.outcome()); diff != "" {
				t.Errorf("after a crash at %q, time %d (-want +got):\n%s", point, occasion, diff)
			}
			if occasion == 1 {
				c.prove()
			}
			return true
		}
		for _, point := range []string{"mailbox proven", "names booked", "message read", "written ahead", "bytes recorded", "mail understood", "filed"} {
			if !at(point, 1) {
				t.Errorf("the point %q is never reached", point)
			}
		}
		for occasion := int64(1); occasion <= 12; occasion++ {
			before, after := at("before a commit", occasion), at("after a commit", occasion)
			if !before && !after {
				break
			}
		}
		t.Logf("killed %d times", died)
	})
}

func TestRandomKills(t *testing.T) {
	t.Parallel()
	testbed.Need(t, testbed.NeedDovecot)
	const kills, mails = 50, 300
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{
		"random-sqlite@example.net": "secret", "random-postgres@example.net": "secret",
	}})
	eachDatabase(t, func(t *testing.T, o store.Options) {
		user := "random-" + filepath.Base(t.Name()) + "@example.net"
		c := newCrashSite(t, o, d, user)
		random := rand.New(rand.NewPCG(20261120, uint64(len(user))))
		sent := 0
		for n := range kills {
			var some [][]byte
			for ; sent < (n+1)*mails/kills; sent++ {
				more := ""
				if sent%3 == 1 {
					more = fmt.Sprintf("In-Reply-To: <letter-%d@example.org>\r\n", sent-1)
				}
				some = append(some, letter(sent, more))
			}
			d.Deliver(user, "INBOX", some...)
			cmd, _ := c.process(crashOrder{Wanted: 1 << 40})
			time.Sleep(time.Duration(20+random.IntN(150)) * time.Millisecond)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		}
		c.complete(crashOrder{Wanted: mails})
		got := c.outcome()
		if got.Entries != mails || got.Events != mails || got.Raws != mails || len(got.Issues) != mails-mails/3 {
			t.Errorf("entries, events, raws, issues = %d, %d, %d, %d, want %d, %[5]d, %[5]d, %d",
				got.Entries, got.Events, got.Raws, len(got.Issues), mails, mails-mails/3)
		}
		c.prove()
	})
}

func (c *crashSite) untilSomethingIsFiled() {
	c.t.Helper()
	db := c.query()
	defer db.Close()
	for deadline := time.Now().Add(time.Minute); c.rows(db, "select count(*), '', '' from entry")[0][0] == "0"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatal("a minute has passed and nothing is filed")
		}
	}
}

// The database server dies under a running process, which goes on when it is back.
func TestDatabaseDies(t *testing.T) {
	t.Parallel()
	testbed.Need(t, testbed.NeedDovecot)
	testbed.Need(t, testbed.NeedPostgres)
	user := "database@example.net"
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{user: "secret"}})
	server := testbed.PostgresServer(t)
	c := newCrashSite(t, store.Options{URL: server.URL}, d, user)
	cmd, out := c.process(crashOrder{Wanted: 200})
	for n := range 4 {
		for i := range 50 {
			d.Deliver(user, "INBOX", letter(n*50+i, ""))
		}
		if n == 0 {
			c.untilSomethingIsFiled() // a start without its database is another matter
		}
		time.Sleep(150 * time.Millisecond)
		if n == 1 || n == 2 {
			server.Kill()
			time.Sleep(50 * time.Millisecond)
			server.Start()
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("the process ended with %v:\n%s", err, out)
	}
	if got := c.outcome(); got.Entries != 200 || got.Events != 200 {
		t.Errorf("entries, events = %d, %d, want 200 each", got.Entries, got.Events)
	}
	c.prove()
}
