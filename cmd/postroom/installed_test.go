package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/vault"
)

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
