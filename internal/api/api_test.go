package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/intake"
	"github.com/postroom/postroom/internal/issue"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/store"
)

// A rig is the API over a database with two mailboxes, one of them for Ben only.
type rig struct {
	t    *testing.T
	db   *store.DB
	api  *Server
	http *httptest.Server
	desk *mailbox.Desk

	ana, ben                       postroom.User // an administrator, an agent
	admin, writer, reader, trusted string        // tokens; trusted sees the private mailbox
	support, private               postroom.Mailbox
	fences                         map[postroom.MailboxID]store.Fence
	numberings                     map[postroom.MailboxID]postroom.Numbering
	uid                            uint32
}

const secret = "abcd efgh ijkl mnop"

func newRig(t *testing.T) *rig {
	ctx := context.Background()
	o := store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
	if err := store.Migrate(ctx, o); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	r := &rig{t: t, db: db, fences: make(map[postroom.MailboxID]store.Fence), numberings: make(map[postroom.MailboxID]postroom.Numbering)}
	r.desk = &mailbox.Desk{
		Store: db,
		Seal:  func(_ postroom.MailboxID, s postroom.Secret) ([]byte, error) { return []byte(s.Reveal()), nil },
		Open: func(ctx context.Context, id postroom.MailboxID) (string, postroom.Secret, bool, error) {
			c, err := db.Credential(ctx, id)
			return c.Kind, postroom.Hide(string(c.Sealed)), false, err
		},
		SealOutgoing: func(_ postroom.MailboxID, s postroom.Secret) ([]byte, error) { return []byte("out " + s.Reveal()), nil },
		OpenOutgoing: func(ctx context.Context, id postroom.MailboxID) (string, postroom.Secret, error) {
			if c, ok, err := db.OutgoingCredential(ctx, id); ok || err != nil {
				return c.Kind, postroom.Hide(strings.TrimPrefix(string(c.Sealed), "out ")), err
			}
			c, err := db.Credential(ctx, id)
			return c.Kind, postroom.Hide(string(c.Sealed)), err
		},
		Tester: mailbox.Tester{Explainer: mailbox.Explainer{Catalogue: &diagnose.Catalogue{}}, Dial: func(context.Context, string, string) (net.Conn, error) {
			return nil, fmt.Errorf("dial: %w", io.ErrUnexpectedEOF)
		}},
	}
	door := &access.Door{Store: db}
	r.ana = r.user("Ana", postroom.RoleAdmin)
	r.ben = r.user("Ben", postroom.RoleAgent)
	r.support = r.mailbox("Support", postroom.Visibility{Kind: postroom.VisibleToEveryone})
	r.private = r.mailbox("Private", postroom.Visibility{Kind: postroom.VisibleToUsers, Users: []postroom.UserID{r.ben.ID}})
	r.own()
	token := func(scope postroom.Scope, mailboxes ...postroom.MailboxID) string {
		text, _, err := door.CreateToken(ctx, "the "+string(scope), scope, mailboxes)
		r.must(err)
		return text.Reveal()
	}
	r.admin, r.writer, r.reader = token(postroom.ScopeAdmin), token(postroom.ScopeWrite), token(postroom.ScopeRead)
	r.trusted = token(postroom.ScopeWrite, r.private.ID)
	stopping := make(chan struct{})
	r.api = &Server{
		Authenticate: door.Token, Read: db.Reader(), Mailboxes: r.desk, Issues: &issue.Desk{Store: db},
		Users: db.Users, Stopping: stopping, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	r.http = httptest.NewServer(r.api.Handler())
	t.Cleanup(func() {
		close(stopping)
		r.http.Close()
	})
	return r
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

func (r *rig) user(name string, role postroom.Role) postroom.User {
	r.t.Helper()
	u := postroom.User{Email: strings.ToLower(name) + "@example.net", Name: name, Role: role, CreatedAt: time.Now()}
	id, err := r.db.CreateUser(context.Background(), u, "")
	r.must(err)
	u.ID = id
	return u
}

func (r *rig) viewer(u postroom.User) postroom.Viewer {
	return postroom.Viewer{User: u.ID, Role: u.Role, Name: u.Name}
}

func (r *rig) mailbox(name string, v postroom.Visibility) postroom.Mailbox {
	r.t.Helper()
	m, err := r.desk.Add(context.Background(), r.viewer(r.ana), postroom.Mailbox{
		Name: name, Address: strings.ToLower(name) + "@example.net", Visibility: v,
		Incoming: postroom.IncomingSettings{ServerSettings: postroom.ServerSettings{Host: "imap.example.net"}},
	}, mailbox.Credential{Password: postroom.Hide(secret)})
	r.must(err)
	return m
}

// own makes a node hold all mailboxes and proves them.
func (r *rig) own() {
	r.t.Helper()
	ctx := context.Background()
	node, err := r.db.JoinNode(ctx, "test")
	r.must(err)
	_, err = r.db.TakeLeases(ctx, node)
	r.must(err)
	owned, err := r.db.OwnedMailboxes(ctx, node)
	r.must(err)
	for _, o := range owned {
		id := o.Fence.Mailbox
		r.fences[id] = o.Fence
		_, err := r.db.RecordProof(ctx, o.Fence, o.Version, []postroom.Numbering{{
			Mailbox: id, Protocol: postroom.IMAP, Host: "imap.example.net", Username: "u", Folder: "INBOX", UIDValidity: 7,
		}})
		r.must(err)
		n, err := r.db.Numberings(ctx, id)
		r.must(err)
		r.numberings[id] = n["INBOX"]
	}
}

// A brought mail is one that went the way of commits 0 to 2.
type brought struct {
	issue   postroom.IssueID
	mail    string
	arrival string
	raw     string
}

// bring files a message.
func (r *rig) bring(m postroom.Mailbox, message string) (b brought) {
	r.t.Helper()
	ctx := context.Background()
	r.uid++
	f, n := r.fences[m.ID], r.numberings[m.ID]
	r.must(r.db.BookNames(ctx, f, n, []store.Listed{{Name: postroom.Name{UID: r.uid}, State: postroom.ArrivalWaiting}}, r.uid))
	wanted, err := r.db.WantedArrivals(ctx, n.ID, 0, 1)
	r.must(err)
	raw, err := r.db.ReadRaw(ctx, strings.NewReader(message), 1<<30, nil)
	r.must(err)
	r.must(r.db.RecordBytes(ctx, f, []store.Brought{{Arrival: wanted[0].ID, Raw: raw, HasMessageID: true}}))
	ready, err := r.db.ReadyArrivals(ctx, f.Node, 0, 1)
	r.must(err)
	if len(ready) == 0 { // the same bytes were here
		return brought{}
	}
	u, err := intake.Understand(strings.NewReader(message))
	r.must(err)
	filed, err := r.db.File(ctx, store.Filing{
		Fence: f, Arrival: wanted[0].ID, Raw: ready[0].Raw, SizeBytes: int64(len(message)), Mail: u.Mail,
		Ancestors: intake.Ancestors(u.Mail), Words: u.Mail.Subject + " " + u.Mail.Text, At: time.Date(2026, 11, 1, 0, 0, int(r.uid), 0, time.UTC),
	})
	r.must(err)
	b = brought{issue: filed.Issue, arrival: wanted[0].ID.String(), raw: message}
	line, err := r.db.Reader().Arrival(ctx, r.viewer(r.ana), wanted[0].ID)
	r.must(err)
	b.mail = line.Mail.String()
	return b
}

func letter(id, subject, text string) string {
	return "Message-ID: <" + id + "@example.org>\r\nFrom: Cleo <cleo@example.org>\r\nTo: support@example.net\r\nSubject: " + subject +
		"\r\nDate: Sun, 1 Nov 2026 10:00:00 +0000\r\n\r\n" + text + "\r\n"
}

const withFile = "Message-ID: <file@example.org>\r\nFrom: Cleo <cleo@example.org>\r\nSubject: A file\r\nDate: Sun, 1 Nov 2026 10:00:00 +0000\r\n" +
	"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nhere\r\n" +
	"--b\r\nContent-Type: text/html; charset=utf-8\r\nContent-Disposition: attachment; filename*=utf-8''..%2Fh%C3%A9%22llo%0A.html\r\n\r\n<script>alert(1)</script>\r\n--b--\r\n"

// A reply is an answer of the API.
type reply struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   []byte
	JSON   map[string]any
}

func (r *rig) do(token, method, path, body string) reply {
	r.t.Helper()
	return r.as(token, method, path, body, "application/json")
}

func (r *rig) as(token, method, path, body, contentType string) reply {
	r.t.Helper()
	req, err := http.NewRequest(method, r.http.URL+Prefix+path, strings.NewReader(body))
	r.must(err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if body != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := http.DefaultClient.Do(req)
	r.must(err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	r.must(err)
	a := reply{t: r.t, Status: resp.StatusCode, Header: resp.Header, Body: text}
	_ = json.Unmarshal(text, &a.JSON) // what is no object has no fields
	if bytes.Contains(text, []byte(secret)) || bytes.Contains(text, []byte("abcdefghijkl")) {
		r.t.Errorf("%s %s answers with a secret: %s", method, path, text)
	}
	return a
}

// want checks the status and returns the answer.
func (a reply) want(status int) reply {
	a.t.Helper()
	if a.Status != status {
		a.t.Fatalf("status %d, want %d: %s", a.Status, status, a.Body)
	}
	return a
}

// at returns what stands in the answer at a path like "health.fault".
func (a reply) at(path string) any {
	var v any = a.JSON
	for _, name := range strings.Split(path, ".") {
		switch in := v.(type) {
		case map[string]any:
			v = in[name]
		case []any:
			var i int
			fmt.Sscan(name, &i)
			if i >= len(in) {
				return nil
			}
			v = in[i]
		default:
			return nil
		}
	}
	return v
}

// has checks what stands at paths; want is as fmt prints it.
func (a reply) has(want map[string]any) reply {
	a.t.Helper()
	for path, value := range want {
		if got := a.at(path); fmt.Sprint(got) != fmt.Sprint(value) {
			a.t.Errorf("%s = %v, want %v in %s", path, got, value, a.Body)
		}
	}
	return a
}

func (a reply) items() []any {
	list, ok := a.at("items").([]any)
	if !ok {
		a.t.Fatalf("no items in %s", a.Body)
	}
	return list
}

// refused checks a problem.
func (a reply) refused(status int, field string) reply {
	a.t.Helper()
	a.want(status)
	if got := a.Header.Get("Content-Type"); got != "application/problem+json" {
		a.t.Errorf("content type %q of %s", got, a.Body)
	}
	for _, name := range []string{"type", "title", "detail", "class", "explanation", "remedy", "fix_by"} {
		if text, _ := a.at(name).(string); text == "" {
			a.t.Errorf("no %s in %s", name, a.Body)
		}
	}
	a.has(map[string]any{"status": status})
	if got, _ := a.at("field").(string); got != field {
		a.t.Errorf("field = %q, want %q in %s", got, field, a.Body)
	}
	return a
}
