package main

import (
	"context"
	"database/sql"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

// secretsOfPeople are what people and providers make passwords of.
var secretsOfPeople = []string{
	"wxyz kqjv bnmt plgh",                 // an app password as it is shown
	"ordinary walrus juggles nine lamps",  // with blanks
	`pa"ss\wo%41rd&<b>'x7Q`,               // with what every language quotes
	"Grüße-🔑-naïve-Zürich",                // not ASCII
	"ya29.a0AfB_byC4rT7dQkLm2xYzW9vUuT6s", // a token
	strings.Repeat("kT9vQ2xW", 12),        // long
}

// A leak looks for secrets in all that comes out.
type leak struct {
	*testing.T
	forms  []map[string]string // in small letters, of each secret
	proofs func() []string

	mu     sync.Mutex
	found  map[string]int // by where and which
	looked int            // bytes
}

// newLeak looks for secrets, and for the proofs that parrots were sent.
func newLeak(t *testing.T, parrots []*parrot, secrets []string) *leak {
	l := &leak{T: t, found: map[string]int{}, proofs: func() (all []string) {
		for _, p := range parrots {
			p.mu.Lock()
			all = append(all, p.proofs...)
			p.mu.Unlock()
		}
		return all
	}}
	for _, secret := range secrets {
		l.forms = append(l.forms, formsOf(secret))
	}
	return l
}

// look fails the test where a text tells a secret.
func (l *leak) look(where, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.looked += len(text)
	folded := strings.ToLower(text)
	for n, forms := range l.forms {
		for name, form := range forms {
			at := strings.Index(folded, form)
			if at < 0 {
				continue
			}
			key := fmt.Sprintf("%s tells secret %d %s", where, n, name)
			if l.found[key]++; l.found[key] == 1 && len(l.found) < 40 {
				l.Errorf("%s: …%.300s…", key, text[max(0, min(at, len(text))-120):])
			}
		}
	}
	for _, proof := range l.proofs() {
		for _, form := range []string{proof, base64.StdEncoding.EncodeToString([]byte(proof))} {
			if at := strings.Index(folded, strings.ToLower(form)); at >= 0 {
				key := where + " tells a proof"
				if l.found[key]++; l.found[key] == 1 && len(l.found) < 40 {
					l.Errorf("%s: …%.300s…", key, text[max(0, min(at, len(text))-120):])
				}
			}
		}
	}
}

// formsOf are the forms of a secret that nobody may read anywhere. Half of it is as bad.
func formsOf(secret string) map[string]string {
	b64 := func(text string) string { return base64.RawStdEncoding.EncodeToString([]byte(text)) }
	without := strings.ReplaceAll(secret, " ", "")
	runes := []rune(secret)
	forms := map[string]string{
		"as it is": secret, "without blanks": without, "in base64": b64(secret), "without blanks, in base64": b64(without),
		"in JSON": quotedJSON(secret), "in HTML": html.EscapeString(secret), "in a query": url.QueryEscape(secret), "in a path": url.PathEscape(secret),
		"in Go": strings.Trim(strconv.Quote(secret), `"`), "in ASCII": strings.Trim(strconv.QuoteToASCII(secret), `"`), "in hexadecimal": hex.EncodeToString([]byte(secret)),
		"by its first half": string(runes[:(len(runes)+1)/2]), "by its second half": string(runes[len(runes)/2:]),
		"letter by letter": strings.Join(strings.Split(secret, ""), " "),
	}
	for before := range 3 { // within a longer text
		coded := b64(strings.Repeat("\x00", before) + secret)
		forms[fmt.Sprintf("in base64 after %d bytes", before)] = coded[(before*8+5)/6 : (before+len(secret))*8/6]
	}
	if len(runes) > 100 {
		forms["by a piece from its middle"] = string(runes[len(runes)/2-20 : len(runes)/2+20])
	}
	for name, form := range forms {
		forms[name] = strings.ToLower(form)
	}
	return forms
}

func quotedJSON(text string) string {
	b, err := json.Marshal(text)
	if err != nil {
		return text
	}
	return strings.Trim(string(b), `"`)
}

// TestNoSecretComesOut has the whole product at work with servers that repeat every
// secret in every form, and reads all that comes out of it: answers of the API, pages,
// what commands print, the log, figures, and everything that lies on the disk.
func TestNoSecretComesOut(t *testing.T) {
	t.Parallel()
	var parrots []*parrot
	for protocol, mechanisms := range map[postroom.Protocol][]string{
		postroom.IMAP: {"PLAIN", "LOGIN", "SCRAM-SHA-256"}, postroom.POP3: {"PLAIN", "USER", "APOP", "SCRAM-SHA-256"}, postroom.SMTP: {"PLAIN", "LOGIN", "SCRAM-SHA-256"},
	} {
		for _, mechanism := range mechanisms {
			parrots = append(parrots, newParrot(t, protocol, mechanism))
		}
	}
	l := newLeak(t, parrots, secretsOfPeople)
	i := install(t, "--log-level", "debug")
	l.testDrafts(i, parrots)
	boxes := l.connectAll(i, parrots)
	l.useAll(i, boxes)
	l.crawl(i)
	l.useCommands(i, parrots)
	for _, path := range []string{"/metrics", "/readyz"} {
		l.fetch(http.DefaultClient, i.server.url+path)
	}
	l.look("the log", i.server.printed())
	l.look("the disk", l.disk(i.data))
	t.Logf("%d mailboxes, %d parrots, %d proofs, %d KB read", len(boxes), len(parrots), len(l.proofs()), l.looked>>10)
	if len(l.proofs()) == 0 || len(boxes) == 0 || l.looked < 1<<20 {
		t.Error("that is too little to prove anything")
	}
}

// parrotSettings are those of a mailbox at two parrots.
func parrotSettings(user string, in, out *parrot, secret string) map[string]any {
	server := func(p *parrot) map[string]any {
		return map[string]any{"host": "127.0.0.1", "port": p.port, "tls": "none", "username": user}
	}
	incoming := server(in)
	incoming["protocol"] = string(in.protocol)
	return map[string]any{
		"address": user, "start": "now", "incoming": incoming, "outgoing": server(out),
		"credential": map[string]string{"kind": "password", "password": secret},
	}
}

// pairs are an incoming and an outgoing parrot for each incoming one.
func pairs(parrots []*parrot) (all [][2]*parrot) {
	var outgoing []*parrot
	for _, p := range parrots {
		if p.protocol == postroom.SMTP {
			outgoing = append(outgoing, p)
		}
	}
	for _, p := range parrots {
		if p.protocol != postroom.SMTP {
			all = append(all, [2]*parrot{p, outgoing[len(all)%len(outgoing)]})
		}
	}
	return all
}

// testDrafts tests every secret at every parrot, every secret repeated in every way, and
// every way at every parrot; not all three with one another.
func (l *leak) testDrafts(i *installed, parrots []*parrot) {
	l.Helper()
	var group sync.WaitGroup
	slots := make(chan struct{}, 8)
	for n, secret := range secretsOfPeople {
		for k, pair := range pairs(parrots) {
			for way := range ways {
				if (n+k+way)%len(secretsOfPeople) != 0 || testing.Short() && way%3 != 0 {
					continue
				}
				for _, late := range []string{"", ".late"} {
					slots <- struct{}{}
					group.Go(func() {
						defer func() { <-slots }()
						// Each side has its own user: what one has refused is not sent to the other.
						for _, side := range []string{"incoming", "outgoing"} {
							user := fmt.Sprintf("way%d%s.%s%d-%d@example.net", way, late, side, n, k)
							l.look(fmt.Sprintf("a test (%s by %s, %s by %s, %s)", pair[0].protocol, pair[0].mechanism, pair[1].protocol, pair[1].mechanism, ways[way].name),
								l.api(i, http.MethodPost, "/mailboxes/test?side="+side, parrotSettings(user, pair[0], pair[1], secret)))
						}
					})
				}
			}
		}
	}
	group.Wait()
	for _, p := range parrots {
		p.mu.Lock()
		defer p.mu.Unlock()
		for way := range ways {
			if p.asked[way] == 0 && !testing.Short() {
				l.Errorf("%s by %s was never told anything to repeat: %s", p.protocol, p.mechanism, ways[way].name)
			}
		}
	}
}

// connectAll keeps a mailbox for each secret at each incoming parrot, and waits until
// each has met trouble.
func (l *leak) connectAll(i *installed, parrots []*parrot) (ids []string) {
	l.Helper()
	for n, secret := range secretsOfPeople {
		for k, pair := range pairs(parrots) {
			user := fmt.Sprintf("way%d.kept%d-%d@example.net", (n*3+k*5)%len(ways), n, k)
			if k%3 == 2 {
				user = strings.Replace(user, ".kept", ".late.kept", 1)
			}
			var m api.Mailbox
			answer := l.api(i, http.MethodPost, "/mailboxes", parrotSettings(user, pair[0], pair[1], secret))
			l.look("POST /mailboxes", answer)
			if err := json.Unmarshal([]byte(answer), &m); err != nil || m.ID == "" {
				l.Fatalf("POST /mailboxes: %s", answer)
			}
			l.look("POST transcript", l.api(i, http.MethodPost, "/mailboxes/"+m.ID+"/transcript", map[string]any{"minutes": 5}))
			ids = append(ids, m.ID)
		}
	}
	for _, id := range ids {
		err := eventually(patience, func() error {
			var m api.Mailbox
			if _, err := i.call(context.Background(), http.MethodGet, "/mailboxes/"+id, nil, &m); err != nil || m.Health.Fault == nil {
				return fmt.Errorf("mailbox %s says nothing (%v)", id, err)
			}
			return nil
		})
		if err != nil {
			l.Fatal(err)
		}
	}
	return ids
}

// useAll does with the mailboxes what programs can do.
func (l *leak) useAll(i *installed, ids []string) {
	for n, id := range ids {
		at := "/mailboxes/" + id
		for _, path := range []string{"", "/ledger", "/numberings", "/transcript", "/transcript/text"} {
			l.look("GET mailbox"+path, l.api(i, http.MethodGet, at+path, nil))
		}
		l.look("POST resume", l.api(i, http.MethodPost, at+"/resume", nil))
		if n%4 == 0 {
			for _, path := range []string{"/test", "/send-test", "/rescan", "/roundtrip"} {
				l.look("POST "+path, l.api(i, http.MethodPost, at+path, map[string]any{}))
			}
		}
	}
	for _, path := range []string{"/mailboxes", "/events", "/issues", "/arrivals", "/users", "/discover?address=box@way0.example"} {
		l.look("GET "+path, l.api(i, http.MethodGet, path, nil))
	}
}

// api is what the API answers, whatever that is.
func (l *leak) api(i *installed, method, path string, body any) string {
	text, err := json.Marshal(body)
	if err != nil {
		l.Error(err)
	}
	r, err := http.NewRequestWithContext(context.Background(), method, i.server.url+api.Prefix+path, strings.NewReader(string(text)))
	if err != nil {
		l.Error(err)
		return ""
	}
	r.Header.Set("Authorization", "Bearer "+i.token)
	r.Header.Set("Content-Type", "application/json")
	return l.answer(http.DefaultClient, r)
}

func (l *leak) answer(client *http.Client, r *http.Request) string {
	answer, err := client.Do(r)
	if err != nil {
		l.Errorf("%s %s: %v", r.Method, r.URL.Path, err)
		return ""
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode == http.StatusInternalServerError {
		l.Errorf("%s %s: %s, %v: %.300s", r.Method, r.URL.Path, answer.Status, err, text)
	}
	return string(text)
}

func (l *leak) fetch(client *http.Client, address string) string {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodGet, address, nil)
	if err != nil {
		l.Error(err)
		return ""
	}
	text := l.answer(client, r)
	l.look("GET "+r.URL.Path, text)
	return text
}

var hyperlink = regexp.MustCompile(`(?:href|action|src|data-[a-z]+)="(/[^"#]*)`)

// crawl reads every page to which the first administrator gets, and pastes a secret
// into the forms for mailboxes.
func (l *leak) crawl(i *installed) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		l.Fatal(err)
	}
	client := &http.Client{Jar: jar, Timeout: patience}
	if i.server.link == "" {
		l.Fatal("there is no link for the first administrator")
	}
	l.post(client, i.server.link, url.Values{"email": {"ada@example.net"}, "name": {"Ada"}, "password": {"a long enough password"}})
	seen := map[string]bool{}
	waiting := []string{"/mailboxes", "/health", "/settings", "/issues", "/guides", "/help"}
	for len(waiting) > 0 && len(seen) < 600 {
		path := html.UnescapeString(waiting[0])
		if waiting = waiting[1:]; seen[path] || strings.HasPrefix(path, "/static/") || strings.HasPrefix(path, "/live") || strings.Contains(path, "sign-out") {
			continue
		}
		seen[path] = true
		if strings.HasSuffix(path, "/test") && strings.HasPrefix(path, "/mailboxes/") && len(seen)%5 != 0 {
			continue // a few of them are enough
		}
		for _, found := range hyperlink.FindAllStringSubmatch(l.fetch(client, i.server.url+path), -1) {
			waiting = append(waiting, found[1])
		}
	}
	if len(seen) < 40 {
		l.Errorf("only %d pages were found", len(seen))
	}
	for n, secret := range secretsOfPeople {
		for _, path := range []string{"/mailboxes/test", "/mailboxes"} {
			l.post(client, i.server.url+path, url.Values{
				"address": {fmt.Sprintf("form%d@example.net", n)}, "credential.kind": {"password"}, "credential.password": {secret},
				"incoming.protocol": {"imap"}, "incoming.host": {"127.0.0.1"}, "incoming.port": {"1"}, "incoming.tls": {"none"}, "incoming.username": {"way0@example.net"},
			})
		}
	}
}

func (l *leak) post(client *http.Client, address string, form url.Values) {
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, address, strings.NewReader(form.Encode()))
	if err != nil {
		l.Error(err)
		return
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	l.look("POST "+r.URL.Path, l.answer(client, r))
}

// useCommands runs what people type.
func (l *leak) useCommands(i *installed, parrots []*parrot) {
	kept := filepath.Join(l.TempDir(), "kept")
	for n, secret := range secretsOfPeople {
		for k, pair := range pairs(parrots) {
			if (n+k)%3 != 0 {
				continue
			}
			at := fmt.Sprintf("way%d.typed%d-%d@example.net", (n+k)%len(ways), n, k)
			servers := []string{"--" + string(pair[0].protocol), fmt.Sprintf("127.0.0.1:%d", pair[0].port), "--tls", "none", "--smtp", fmt.Sprintf("127.0.0.1:%d", pair[1].port), "--smtp-tls", "none", "--password-stdin"}
			for _, command := range [][]string{
				append([]string{"doctor", at, "--verbose"}, servers...), append([]string{"doctor", at, "--json"}, servers...),
				append([]string{"mailbox", "add", at, "--data", kept}, servers...),
			} {
				s := say(l.T, secret+"\n", command...)
				l.look("postroom "+command[0], s.out+s.err)
			}
		}
	}
	for _, command := range [][]string{{"mailbox", "list"}, {"mailbox", "list", "--json"}} {
		s := say(l.T, "", append(command, "--data", i.data)...)
		l.look("postroom "+strings.Join(command, " "), s.out+s.err)
	}
	l.look("the disk after commands", l.disk(kept))
}

// disk is everything that lies in a data directory, as it lies there, and the columns
// of the database one by one.
func (l *leak) disk(dir string) string {
	var all strings.Builder
	err := filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		all.Write(content)
		return err
	})
	if err != nil {
		l.Error(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "postroom.db")+"?mode=ro")
	if err != nil {
		l.Fatal(err)
	}
	defer db.Close()
	tables, err := db.Query(`select name from sqlite_master where type = 'table' and name not like 'sqlite_%'`)
	if err != nil {
		l.Fatal(err)
	}
	var names []string
	for tables.Next() {
		var name string
		if err := tables.Scan(&name); err != nil {
			l.Fatal(err)
		}
		names = append(names, name)
	}
	if err := tables.Err(); err != nil || len(names) < 10 {
		l.Fatalf("the database has the tables %v, %v", names, err)
	}
	for _, name := range names {
		all.WriteString(l.rows(db, name))
	}
	return all.String()
}

func (l *leak) rows(db *sql.DB, table string) string {
	rows, err := db.Query(`select * from "` + table + `"`) // a name of our own
	if err != nil {
		return "" // a table of the full-text search
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		l.Fatal(err)
	}
	var all strings.Builder
	for rows.Next() {
		values, places := make([]any, len(columns)), make([]any, len(columns))
		for n := range values {
			places[n] = &values[n]
		}
		if err := rows.Scan(places...); err != nil {
			l.Fatal(err)
		}
		for _, v := range values {
			fmt.Fprintf(&all, "%s\n", v)
		}
	}
	return all.String()
}
