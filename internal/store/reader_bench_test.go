package store

import (
	"context"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// How much mail the reader is measured with: go test -run - -bench Reader -mails 1000000
var (
	mails = flag.Int("mails", 20_000, "mails in the database that the reader is measured with")
	keep  = flag.String("keep", "", "a directory to keep the measured SQLite database in")
)

// A hoard is a database with very many mails: four mailboxes, the last of which is
// small, old and for one user only; texts of 60 words, drawn from 50,000 by Zipf's law.
type hoard struct {
	db     *DB
	user   postroom.Viewer // sees all
	few    postroom.Viewer // a token that sees the first three mailboxes
	small  postroom.MailboxID
	words  []string
	issues []postroom.IssueID
}

func vocabulary() []string {
	r := rand.New(rand.NewPCG(1, 2))
	seen := make(map[string]bool)
	var words []string
	for len(words) < 50_000 {
		var w strings.Builder
		for range 2 + r.IntN(3) {
			w.WriteByte("bcdfghklmnprstvw"[r.IntN(16)])
			w.WriteByte("aeiou"[r.IntN(5)])
		}
		if word := w.String(); !seen[word] {
			seen[word] = true
			words = append(words, word)
		}
	}
	return words
}

func newHoard(b *testing.B, o Options, n int) *hoard {
	h := &hoard{words: vocabulary()}
	_, err := os.Stat(o.Path)
	made := o.Path != "" && err == nil
	h.db = openForTest(b, o)
	if made {
		h.find(b)
		return h
	}
	ctx := context.Background()
	r := rand.New(rand.NewPCG(3, 4))
	zipf := rand.NewZipf(r, 1.1, 4, uint64(len(h.words)-1))
	do := func(f func(*tx) error) {
		if err := h.db.commit(ctx, f); err != nil {
			b.Fatal(err)
		}
	}
	do(func(t *tx) error {
		for i := range 2 {
			if err := t.exec(`insert into app_user (email, name, role, password_hash, created_at) values ($1, $1, 'agent', '', 1)`, fmt.Sprint("u", i)); err != nil {
				return err
			}
		}
		for i := range 4 {
			if err := t.exec(`insert into mailbox (name, address, settings, everyone, visibility_key, state, state_since, created_at, updated_at)
				values ($1, $1, '{}', $2, $1, 'active', 1, 1, 1)`, fmt.Sprint("m", i+1), i < 3); err != nil {
				return err
			}
			if err := t.exec(`insert into numbering (mailbox, serial, protocol, host, username, folder, uid_validity, floor, position, begun_at)
				values ($1, 1, 'imap', 'h', 'u', 'INBOX', 7, 0, 0, 1)`, i+1); err != nil {
				return err
			}
		}
		return t.exec(`insert into mailbox_reader (mailbox, app_user) values (4, 1)`)
	})
	const batch = 2000
	facts := `{"from":[{"name":"Cleo","address":"cleo@example.org"}],"to":[{"address":"support@example.net"}]}`
	for from := 0; from < n; from += batch {
		do(func(t *tx) error {
			for i := from; i < min(from+batch, n); i++ {
				text := make([]string, 60)
				for j := range text {
					text[j] = h.words[zipf.Uint64()]
				}
				if err := h.add(t, i, n, strings.Join(text, " "), facts); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if h.db.dialect == dialectPostgres {
		if _, err := h.db.write.ExecContext(ctx, "vacuum analyze"); err != nil {
			b.Fatal(err)
		}
	}
	h.find(b)
	return h
}

// add writes mail i of n; every third continues an issue.
func (h *hoard) add(t *tx, i, n int, text, facts string) error {
	when := int64(1_700_000_000_000_000) + int64(i)*1_000_000
	mailbox := 1 + i%3
	if i < n/100 {
		mailbox = 4
	}
	sum := []byte(fmt.Sprintf("%032d", i))
	body := packBody(mailBody{Text: text})
	var raw, mail, issue, entry int64
	if err := t.row(`insert into raw (sha256, size_bytes, chunks, packed, created_at) values ($1, 1, 1, 1, 1) returning id`, sum).Scan(&raw); err != nil {
		return err
	}
	if err := t.row(`insert into mail (raw, message_id, message_id_hash, digest, subject, from_name, from_address, sent_at, received_at, kind, kind_reason, preview, facts, body, size_bytes, created_at)
		values ($1, $2, $3, $3, $4, 'Cleo', 'cleo@example.org', $5, $5, 'person', '', $6, $7, $8, 1, $5) returning id`,
		raw, fmt.Sprint(i, "@example.org"), sum, text[:40], when, text[:200], facts, body).Scan(&mail); err != nil {
		return err
	}
	if i%3 == 2 && len(h.issues) > 0 {
		issue = int64(h.issues[len(h.issues)-1-min(i/3%50, len(h.issues)-1)])
	} else {
		state := "open"
		if i%10 != 0 {
			state = "closed"
		}
		if err := t.row(`insert into issue (number, subject, state, requester_name, requester_address, historic, preview, entries, created_at, last_at)
			values ($1, $2, $3, 'Cleo', 'cleo@example.org', false, $4, 0, $5, $5) returning id`, i+1, text[:40], state, text[:200], when).Scan(&issue); err != nil {
			return err
		}
		h.issues = append(h.issues, postroom.IssueID(issue))
	}
	if err := t.exec(`insert into issue_mailbox (issue, mailbox) values ($1, $2) on conflict do nothing`, issue, mailbox); err != nil {
		return err
	}
	if err := t.exec(touchIssue, issue, when, text[:200]); err != nil {
		return err
	}
	if err := t.row(`insert into entry (issue, kind, mail, text, at) values ($1, 'mail', $2, '', $3) returning id`, issue, mail, when).Scan(&entry); err != nil {
		return err
	}
	indexEntry(t, postroom.EntryID(entry), distinct(text))
	return t.exec(`insert into arrival (mailbox, numbering, uid, uidl, occurrence, state, reason, seen_at, raw, mail, entry, settled_at)
		values ($1, $1, $2, '', 0, 'filed', 'issue', $3, $4, $5, $6, $3)`, mailbox, i+1, when, raw, mail, entry)
}

// find looks up what a kept database was made with.
func (h *hoard) find(b *testing.B) {
	h.user = postroom.Viewer{User: 1, Role: postroom.RoleAgent}
	h.few = postroom.Viewer{Token: 99, Scope: postroom.ScopeRead}
	h.small = 4
	if h.issues == nil {
		rows, err := h.db.query(context.Background(), `select id from issue order by id`)
		if err != nil {
			b.Fatal(err)
		}
		if h.issues, err = scanIDs[postroom.IssueID](rows); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	b.Run("sqlite", func(b *testing.B) {
		path := filepath.Join(b.TempDir(), "hoard.db")
		if *keep != "" {
			path = filepath.Join(*keep, fmt.Sprintf("hoard-%d.db", *mails))
		}
		newHoard(b, Options{Path: path}, *mails).measure(b)
	})
	b.Run("postgres", func(b *testing.B) {
		url := os.Getenv("POSTROOM_BENCH_POSTGRES")
		if url == "" {
			url = testbed.Postgres(b)
		}
		newHoard(b, Options{URL: url}, *mails).measure(b)
	})
}

func (h *hoard) measure(b *testing.B) {
	ctx := context.Background()
	r := h.db.Reader()
	list := func(v postroom.Viewer, f IssueFilter) func(*rand.Rand) error {
		return func(*rand.Rand) error {
			lines, _, err := r.Issues(ctx, v, f)
			if err == nil && len(lines) == 0 {
				err = fmt.Errorf("nothing is listed for %+v", f)
			}
			return err
		}
	}
	search := func(query string) func(*rand.Rand) error {
		return func(*rand.Rand) error {
			_, _, err := r.Issues(ctx, h.user, IssueFilter{Query: query})
			return err
		}
	}
	middle := makeCursor("i", 1_700_000_000_000_000+int64(*mails/2)*1_000_000, 1<<60)
	for _, m := range []struct {
		name string
		do   func(*rand.Rand) error
	}{
		{"list", list(h.user, IssueFilter{})},
		{"list-middle", list(h.user, IssueFilter{Cursor: middle})},
		{"list-open", list(h.user, IssueFilter{State: postroom.IssueOpen})},
		{"list-mailbox", list(h.user, IssueFilter{Mailbox: 1})},
		{"list-old-mailbox", list(h.user, IssueFilter{Mailbox: h.small})},
		{"list-old-mailbox-open", list(h.user, IssueFilter{Mailbox: h.small, State: postroom.IssueOpen})},
		{"list-restricted", list(h.few, IssueFilter{})},
		{"issue", func(rnd *rand.Rand) error {
			id := h.issues[rnd.IntN(len(h.issues))]
			if _, err := r.Issue(ctx, h.user, id); err != nil {
				return err
			}
			_, _, err := r.Entries(ctx, h.user, id, 0, "")
			return err
		}},
		{"search-most-common", search(h.words[0])},
		{"search-common", search(h.words[20])},
		{"search-middling", search(h.words[500])},
		{"search-rare", search(h.words[40_000])},
		{"search-two-common", search(h.words[0] + " " + h.words[20])},
		{"search-common-and-rare", search(h.words[0] + " " + h.words[30_000])},
		{"search-two-rare", search(h.words[30_000] + " " + h.words[40_000])},
		{"search-nothing", search("zzzzzz")},
		{"search-beginning-3", search(h.words[500][:3])},
		{"search-beginning-2", search(h.words[500][:2])},
		{"search-beginning-1", search(h.words[500][:1])},
		{"arrivals", func(*rand.Rand) error { _, _, err := r.Arrivals(ctx, h.user, ArrivalFilter{}); return err }},
		{"arrivals-mailbox", func(*rand.Rand) error { _, _, err := r.Arrivals(ctx, h.user, ArrivalFilter{Mailbox: 1}); return err }},
		{"arrivals-quarantined", func(*rand.Rand) error {
			_, _, err := r.Arrivals(ctx, h.user, ArrivalFilter{State: postroom.ArrivalQuarantined})
			return err
		}},
		{"figures", func(*rand.Rand) error { _, err := r.Figures(ctx); return err }},
	} {
		b.Run(m.name, func(b *testing.B) {
			rnd := rand.New(rand.NewPCG(5, 6))
			var took []time.Duration
			for b.Loop() {
				began := time.Now()
				if err := m.do(rnd); err != nil {
					b.Fatal(err)
				}
				took = append(took, time.Since(began))
			}
			slices.Sort(took)
			at := func(p float64) float64 {
				return float64(took[int(math.Ceil(p*float64(len(took))))-1].Microseconds()) / 1000
			}
			b.ReportMetric(at(0.5), "p50-ms")
			b.ReportMetric(at(0.99), "p99-ms")
			b.ReportMetric(0, "ns/op")
		})
	}
}
