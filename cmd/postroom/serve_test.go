package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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
	"github.com/postroom/postroom/internal/vault"
)

const (
	patience = 60 * time.Second // a loaded machine is slow, not broken
	// stopLimit is what is promised: a clean stop takes no longer, whatever goes on.
	stopLimit = 10 * time.Second
)

// A running is a command of postroom in a process of its own: this test binary,
// called by that name.
type running struct {
	command  *exec.Cmd
	out, log string // files with what it has printed
	ended    chan struct{}
	err      error // how it ended, once it has
}

// launch starts “postroom args…” in dir. env is added to the environment.
func launch(dir string, env []string, args ...string) (*running, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	r := &running{command: exec.Command(program, args...), ended: make(chan struct{})}
	r.command.Args[0] = "postroom" // testscript.Main goes by it
	r.command.Dir = dir
	r.command.Env = append(os.Environ(), env...)
	for name, into := range map[*string]func(*os.File){
		&r.out: func(f *os.File) { r.command.Stdout = f },
		&r.log: func(f *os.File) { r.command.Stderr = f },
	} {
		f, err := os.CreateTemp(dir, "printed-*.log")
		if err != nil {
			return nil, err
		}
		defer f.Close()
		into(f)
		*name = f.Name()
	}
	if err := r.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		r.err = r.command.Wait()
		close(r.ended)
	}()
	return r, nil
}

// printed is what the command has printed so far, then what it has complained of.
func (r *running) printed() string {
	out, err := os.ReadFile(r.out)
	log, logErr := os.ReadFile(r.log)
	if err := errors.Join(err, logErr); err != nil {
		return err.Error()
	}
	return string(out) + string(log)
}

// says waits until the standard output matches, and returns what the groups matched.
func (r *running) says(pattern string, limit time.Duration) ([]string, error) {
	var found []string
	err := eventually(limit, func() error {
		text, err := os.ReadFile(r.out)
		if err != nil {
			return err
		}
		if found = regexp.MustCompile(pattern).FindStringSubmatch(string(text)); found != nil {
			return nil
		}
		select {
		case <-r.ended:
			return fmt.Errorf("it has ended (%v) and said\n%s", r.err, r.printed())
		default:
			return fmt.Errorf("it does not say %q but\n%s", pattern, r.printed())
		}
	})
	return found, err
}

// stop asks the command to end and waits until it has, cleanly and in time.
func (r *running) stop(how os.Signal) error {
	begun := time.Now()
	if err := r.command.Process.Signal(how); err != nil {
		return fmt.Errorf("%v: %w", how, err)
	}
	select {
	case <-r.ended:
	case <-time.After(2 * stopLimit):
		return errors.Join(fmt.Errorf("it did not end within %v", 2*stopLimit), r.kill())
	}
	if r.err != nil {
		return fmt.Errorf("%v: it ended with %w", how, r.err)
	}
	if took := time.Since(begun); took > stopLimit {
		return fmt.Errorf("it took %v to end", took)
	}
	return nil
}

// kill ends the command at once. Killing twice is allowed.
func (r *running) kill() error {
	err := r.command.Process.Kill()
	<-r.ended
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// eventually tries until what is tried succeeds, and returns its last error when
// the time is over.
func eventually(limit time.Duration, try func() error) error {
	over := time.After(limit)
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for {
		err := try()
		if err == nil {
			return nil
		}
		select {
		case <-over:
			return fmt.Errorf("not within %v: %w", limit, err)
		case <-again.C:
		}
	}
}

// A server is “postroom serve”.
type server struct {
	*running
	url  string
	link string // for the first administrator; empty when there is one
}

// launchServer starts “postroom serve args…” on a free port and waits until it is
// ready.
func launchServer(dir string, env []string, args ...string) (*server, error) {
	r, err := launch(dir, env, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		return nil, err
	}
	s := &server{running: r}
	said, err := r.says(`(?m)^Postroom answers on (\S+)$`, patience)
	if err != nil {
		return nil, errors.Join(err, r.kill())
	}
	s.url = said[1]
	if err := eventually(patience, s.ready); err != nil {
		return nil, errors.Join(err, r.kill())
	}
	// What it greets with is printed before it answers.
	if said, err := r.says(`(?m)^(http\S+/welcome/\S+)$`, 0); err == nil {
		s.link = said[1]
	}
	return s, nil
}

func (s *server) ready() error {
	answer, err := http.Get(s.url + "/readyz")
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("/readyz says %s", answer.Status)
	}
	return nil
}

// client speaks to the API with a token.
func (s *server) client(token string) *client {
	return &client{base: s.url + api.Prefix, token: token, attended: true, http: &http.Client{Timeout: patience}}
}

// An installed is a data directory of one test, and the server on it.
type installed struct {
	*testing.T
	*client // with a token for everything
	server  *server
	data    string
	args    []string // besides --data
	env     []string
	token   string
}

// install makes a data directory with a token and starts a server on it, which
// ends with the test.
func install(t *testing.T, args ...string) *installed {
	t.Helper()
	i := &installed{T: t, data: t.TempDir(), args: args}
	printed := mustSay(t, "", append([]string{"token", "create", "--name", "test", "--data", i.data}, databaseOf(args)...)...)
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	i.token = lines[len(lines)-1]
	i.begin()
	return i
}

// join starts another server on the same database, with a directory of its own
// and the same key.
func (i *installed) join() *installed {
	i.Helper()
	key := "POSTROOM_KEY_FILE=" + filepath.Join(i.data, vault.FileName)
	other := &installed{T: i.T, data: i.TempDir(), args: i.args, env: []string{key}, token: i.token}
	other.begin()
	return other
}

// begin starts the server, which ends with the test.
func (i *installed) begin() {
	i.Helper()
	i.start()
	i.Cleanup(func() {
		if err := i.server.kill(); err != nil {
			i.Errorf("end the server: %v", err)
		}
		if i.Failed() {
			text := i.server.printed()
			i.Logf("the server said at last:\n%s", text[max(0, len(text)-10_000):])
		}
	})
}

// databaseOf returns those of the arguments of serve that say where the data is.
func databaseOf(args []string) []string {
	if at := slices.Index(args, "--database"); at >= 0 {
		return args[at : at+2]
	}
	return nil
}

func (i *installed) start() {
	i.Helper()
	s, err := launchServer(i.TempDir(), i.env, append([]string{"--data", i.data, "--log-level", "warn"}, i.args...)...)
	if err != nil {
		i.Fatal(err)
	}
	i.server, i.client = s, s.client(i.token)
}

// must calls the API.
func (i *installed) must(method, path string, body, into any) {
	i.Helper()
	if _, err := i.call(context.Background(), method, path, body, into); err != nil {
		i.Fatalf("%s %s: %v", method, path, err)
	}
}

// connect adds a mailbox that reads all its mail; server is a part of incoming.
func (i *installed) connect(address, password string, incoming map[string]any) (m api.Mailbox) {
	i.Helper()
	i.must(http.MethodPost, "/mailboxes", map[string]any{
		"address": address, "start": "all", "credential": map[string]string{"kind": "password", "password": password},
		"incoming": incoming,
	}, &m)
	return m
}

// becomes waits until a mailbox is in a state.
func (i *installed) becomes(id, state string) (m api.Mailbox) {
	i.Helper()
	err := eventually(patience, func() error {
		if _, err := i.call(context.Background(), http.MethodGet, "/mailboxes/"+id, nil, &m); err != nil {
			return err
		}
		if m.State != state {
			return fmt.Errorf("mailbox %s is %s (%+v), want %s", m.Address, m.State, m.Health.Fault, state)
		}
		return nil
	})
	if err != nil {
		i.Fatal(err)
	}
	return m
}

// all reads a list of the API to its end.
func all[T any](i *installed, path string, query url.Values) (items []T) {
	i.Helper()
	if query == nil {
		query = url.Values{}
	}
	query.Set("limit", "500")
	for {
		var page struct {
			Items      []T     `json:"items"`
			NextCursor *string `json:"next_cursor"`
		}
		i.must(http.MethodGet, path+"?"+query.Encode(), nil, &page)
		items = append(items, page.Items...)
		if page.NextCursor == nil {
			return items
		}
		query.Set("cursor", *page.NextCursor)
	}
}

// settled waits until so many arrivals in all are filed and none is waiting, by
// the figures of any server on the data.
func (i *installed) settled(want int, limit time.Duration) {
	i.Helper()
	err := eventually(limit, func() error {
		counts, err := i.figures("postroom_arrivals")
		switch {
		case err != nil:
			return err
		case counts["filed"] != want || counts["waiting"] != 0:
			return fmt.Errorf("the arrivals are %v, want %d filed and none waiting", counts, want)
		}
		return nil
	})
	if err != nil {
		i.Fatal(err)
	}
}

// figures reads a metric with the label state from /metrics, without its zeros.
func (i *installed) figures(metric string) (map[string]int, error) {
	answer, err := http.Get(i.server.url + "/metrics")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	counts := make(map[string]int)
	for line, err := range lines(answer.Body) {
		if err != nil {
			return nil, err
		}
		var n float64
		state, value, ok := strings.Cut(strings.TrimPrefix(line, metric+`{state="`), `"} `)
		if _, err := fmt.Sscan(value, &n); ok && strings.HasPrefix(line, metric+"{") && err == nil && n != 0 {
			counts[state] = int(n)
		}
	}
	return counts, nil
}

// lines reads text line by line.
func lines(r io.Reader) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		scanner := bufio.NewScanner(r)
		for scanner.Scan() {
			if !yield(scanner.Text(), nil) {
				return
			}
		}
		if err := scanner.Err(); err != nil {
			yield("", err)
		}
	}
}

// balanced fails the test unless the ledger of a mailbox balances, with so many
// messages on the server, each of them filed.
func (i *installed) balanced(m api.Mailbox, want int) {
	i.Helper()
	var l api.Ledger
	i.must(http.MethodGet, "/mailboxes/"+m.ID+"/ledger", nil, &l)
	if l.Balanced == nil || !*l.Balanced || l.Filed != int64(want) || l.OnServer == nil || *l.OnServer != int64(want) {
		i.Errorf("the ledger of %s is %+v (%+v), want it balanced with %d filed", m.Address, l, l.Fault, want)
	}
}

// entriesOnce fails the test unless there are so many different mails, and each
// is in its issue once.
func (i *installed) entriesOnce(want int) {
	i.Helper()
	mails := make(map[string]map[string]bool) // of each issue, by the ledger
	count := 0
	for _, a := range all[api.Arrival](i, "/arrivals", nil) {
		if a.Mail == nil || a.Issue == nil {
			continue
		}
		if mails[*a.Issue] == nil {
			mails[*a.Issue] = make(map[string]bool)
		}
		if !mails[*a.Issue][*a.Mail] {
			mails[*a.Issue][*a.Mail] = true
			count++
		}
	}
	if count != want {
		i.Errorf("%d different mails are filed, want %d", count, want)
	}
	for _, issue := range all[api.Issue](i, "/issues", nil) {
		entries := issue.Entries
		if entries != len(mails[issue.ID]) {
			entries = 0
			for _, e := range all[api.Entry](i, "/issues/"+issue.ID+"/entries", nil) {
				if e.Kind == string(postroom.EntryMail) {
					entries++
				}
			}
		}
		if entries != len(mails[issue.ID]) {
			i.Errorf("issue %d has %d mails as entries, %d by the ledger", issue.Number, entries, len(mails[issue.ID]))
		}
		delete(mails, issue.ID)
	}
	if len(mails) != 0 {
		i.Errorf("%d issues of the ledger are not in the list", len(mails))
	}
}

// plain is how a simulator without TLS is reached.
func plain(s *simulator.Server, username string) map[string]any {
	return map[string]any{"host": s.Host, "port": s.Port, "tls": "none", "username": username}
}

// provider starts a simulator with so many accounts, box0@example.net and so on.
func provider(t *testing.T, accounts int) *simulator.Server {
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
	i, s := install(t), provider(t, accounts)
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

// listen opens a stream of the API, which ends with the test.
func (i *installed) listen(path string) io.Reader {
	i.Helper()
	r, err := http.NewRequestWithContext(i.Context(), http.MethodGet, i.base+path, nil)
	if err != nil {
		i.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+i.token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		i.Fatal(err)
	}
	i.Cleanup(func() { _ = answer.Body.Close() }) // it was read to its end, or the test has failed
	if answer.StatusCode != http.StatusOK {
		i.Fatalf("GET %s: %s", path, answer.Status)
	}
	return answer.Body
}

func TestServeOnPostgres(t *testing.T) {
	t.Parallel()
	i := install(t, "--database", testbed.Postgres(t))
	s := provider(t, 1)
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
	one := install(t, "--database", database, "--node-timeout", "2s")
	two := one.join()
	s := provider(t, accounts)
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
		t.Errorf("it took %v to take over, want about the 2s of --node-timeout", took)
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
