package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
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

// An office is an installation with its pages, on SQLite, without anybody who
// reads mailboxes: the test delivers the mail.
type office struct {
	*testing.T
	db    *store.DB
	desk  *issue.Desk
	door  *access.Door
	site  *httptest.Server
	pages *Server
	node  postroom.NodeID
	admin postroom.User
	links map[postroom.UserID]string // that sign a user in

	mu    sync.Mutex
	boxes map[postroom.MailboxID]*box
}

const ownPassword = "seven quiet green umbrellas"

// keptPassword opens the mailboxes of the office, as far as nobody typed another.
const keptPassword = "nine loud blue kettles"

// openOffice opens one with an administrator; equip adds to it before it opens.
func openOffice(t *testing.T, equip ...func(*office)) *office {
	t.Helper()
	o := openEmptyOffice(t, equip...)
	o.admin = o.user("ada@example.net", "Ada Admin", postroom.RoleAdmin)
	return o
}

// openEmptyOffice opens one that nobody has been in yet.
func openEmptyOffice(t *testing.T, equip ...func(*office)) *office {
	t.Helper()
	ctx := t.Context()
	options := store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
	if err := store.Migrate(ctx, options); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.WithoutCancel(ctx), options)
	if err != nil {
		t.Fatal(err)
	}
	o := &office{T: t, db: db, desk: &issue.Desk{Store: db}, door: &access.Door{Store: db}, links: make(map[postroom.UserID]string), boxes: make(map[postroom.MailboxID]*box)}
	secrets := make(map[postroom.MailboxID]postroom.Secret)
	kept := func(id postroom.MailboxID) postroom.Secret {
		if secret, ok := secrets[id]; ok {
			return secret
		}
		return postroom.Hide(keptPassword)
	}
	server := &Server{
		Door: o.door, Reader: db.Reader(), Issues: o.desk, ReadImport: readList, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
		Mailboxes: &mailbox.Desk{
			Store: db,
			Seal: func(id postroom.MailboxID, secret postroom.Secret) ([]byte, error) {
				secrets[id] = secret
				return []byte("sealed"), nil
			},
			Open: func(_ context.Context, id postroom.MailboxID) (string, postroom.Secret, bool, error) {
				return mailbox.KindPassword, kept(id), true, nil
			},
			OpenOutgoing: func(_ context.Context, id postroom.MailboxID) (string, postroom.Secret, error) {
				return mailbox.KindPassword, kept(id), nil
			},
			Tester: mailbox.Tester{
				Explainer: mailbox.Explainer{Catalogue: &diagnose.Catalogue{}},
				LookUp: func(context.Context, string) ([]netip.Addr, error) {
					return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
				},
			},
		},
	}
	o.pages = server
	for _, f := range equip {
		f(o)
	}
	serving, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.site = httptest.NewUnstartedServer(server.Handler())
	o.site.Config.BaseContext = func(net.Listener) context.Context { return serving }
	o.site.Start()
	t.Cleanup(func() {
		stop()
		o.site.Close()
		if err := db.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	if o.node, err = db.JoinNode(ctx, "office"); err != nil {
		t.Fatal(err)
	}
	return o
}

// answerLedgers plays the one who reads the mailboxes: it compares when somebody
// asks, with a server that has exactly what was listed.
func (o *office) answerLedgers() {
	ctx, stop := context.WithCancel(context.WithoutCancel(o.Context()))
	var done sync.WaitGroup
	done.Go(func() {
		look := time.NewTicker(20 * time.Millisecond)
		defer look.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
			asked, err := o.db.RequestedComparisons(ctx, o.node)
			for _, id := range asked {
				err = errors.Join(err, o.compare(ctx, id))
			}
			if err != nil && ctx.Err() == nil {
				o.Errorf("compare: %v", err)
			}
		}
	})
	o.Cleanup(func() { stop(); done.Wait() })
}

func (o *office) compare(ctx context.Context, id postroom.MailboxID) error {
	o.mu.Lock()
	b := o.boxes[id]
	list := store.ServerList{Numbering: b.count}
	for uid := uint32(1); uid <= b.uid; uid++ {
		list.UIDs = append(list.UIDs, uid)
	}
	o.mu.Unlock()
	c, _, err := o.db.Compare(ctx, id, []store.ServerList{list})
	if err != nil {
		return err
	}
	if err := o.db.RecordComparison(ctx, b.fence, c); err != nil {
		return err
	}
	if wanted, err := o.db.RescanWanted(ctx, id); err != nil || !wanted {
		return err
	}
	var missing []store.Listed
	for _, u := range c.Unaccounted {
		missing = append(missing, store.Listed{Name: postroom.Name{UID: u.UID}, State: postroom.ArrivalWaiting})
	}
	if err := o.db.BookMissing(ctx, b.fence, b.count, missing); err != nil {
		return err
	}
	return o.db.RecordRescan(ctx, b.fence, int64(len(missing)))
}

func (o *office) user(email, name string, role postroom.Role) postroom.User {
	o.Helper()
	u, err := o.door.CreateUser(o.Context(), email, name, role, postroom.Hide(ownPassword))
	if err != nil {
		o.Fatal(err)
	}
	secret, err := o.door.SignInLink(o.Context(), u.ID)
	if err != nil {
		o.Fatal(err)
	}
	o.links[u.ID] = o.site.URL + "/demo/" + secret.Reveal()
	return u
}

// A box is a mailbox into which the test delivers.
type box struct {
	*office
	postroom.Mailbox
	fence store.Fence
	count postroom.Numbering
	uid   uint32

	after  postroom.AfterImport // that is in force when mail is delivered
	folder string
}

// box connects a mailbox and proves it.
func (o *office) box(name, address string, change ...func(*postroom.Mailbox)) *box {
	o.Helper()
	m := postroom.Mailbox{Name: name, Address: address}
	m.Incoming.Host = "imap.example.net"
	m.Incoming.Protocol, m.Incoming.TLS, m.Incoming.Port = postroom.IMAP, postroom.TLSImplicit, 993
	m.Incoming.Username, m.Incoming.Folders = address, []string{"INBOX"}
	m.Incoming.ConnectTimeout, m.Incoming.AuthTimeout, m.Incoming.PollInterval = postroom.DefaultConnectTimeout, postroom.DefaultAuthTimeout, postroom.DefaultPollInterval
	m.Start.Kind, m.AfterImport, m.Visibility.Kind = postroom.StartAll, postroom.AfterImportKeep, postroom.VisibleToEveryone
	for _, f := range change {
		f(&m)
	}
	m, err := o.db.AddMailbox(o.Context(), m, mailbox.KindPassword, func(postroom.MailboxID) ([]byte, error) { return []byte("sealed"), nil })
	if err != nil {
		o.Fatal(err)
	}
	if _, err := o.db.TakeLeases(o.Context(), o.node); err != nil {
		o.Fatal(err)
	}
	owned, err := o.db.OwnedMailboxes(o.Context(), o.node)
	if err != nil {
		o.Fatal(err)
	}
	b := &box{office: o, Mailbox: m}
	for _, one := range owned {
		if one.Fence.Mailbox == m.ID {
			b.fence = one.Fence
			_, err = o.db.RecordProof(o.Context(), one.Fence, one.Version, []postroom.Numbering{{
				Mailbox: m.ID, Protocol: postroom.IMAP, Host: m.Incoming.Host, Username: address, Folder: "INBOX", UIDValidity: 1,
			}})
		}
	}
	if err != nil {
		o.Fatal(err)
	}
	all, err := o.db.Numberings(o.Context(), m.ID)
	if err != nil {
		o.Fatal(err)
	}
	b.count = all["INBOX"]
	o.mu.Lock()
	defer o.mu.Unlock()
	o.boxes[m.ID] = b
	return b
}

// renumber has the folder counted in another numbering from now on.
func (b *box) renumber(n postroom.Numbering) {
	b.Helper()
	begun, err := b.db.BeginNumbering(b.Context(), b.fence, n)
	if err != nil {
		b.Fatal(err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.count, b.uid = begun, 0
}

// hide lets the server have messages that the ledger has not heard of.
func (b *box) hide(messages uint32) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uid += messages
}

// list shows the next message of the server to the ledger.
func (b *box) list(state postroom.ArrivalState, reason string) postroom.ArrivalID {
	b.Helper()
	b.mu.Lock()
	b.uid++
	b.mu.Unlock()
	err := b.db.BookNames(b.Context(), b.fence, b.count, []store.Listed{{Name: postroom.Name{UID: b.uid}, State: state, Reason: reason}}, b.uid)
	if err != nil {
		b.Fatal(err)
	}
	lines, _, err := b.db.Reader().Arrivals(b.Context(), postroom.Viewer{User: b.admin.ID, Role: postroom.RoleAdmin}, store.ArrivalFilter{Mailbox: b.ID, Limit: 1})
	if err != nil || len(lines) == 0 {
		b.Fatalf("Arrivals = %v, %v", lines, err)
	}
	return lines[0].ID
}

// deliver brings one message all the way to its issue.
func (b *box) deliver(message string, at time.Time) store.Filed {
	b.Helper()
	message = strings.ReplaceAll(strings.TrimLeft(message, "\n"), "\n", "\r\n")
	id := b.list(postroom.ArrivalWaiting, "")
	raw, err := b.db.ReadRaw(b.Context(), strings.NewReader(message), 1<<30, nil)
	if err != nil {
		b.Fatal(err)
	}
	if err := b.db.RecordBytes(b.Context(), b.fence, []store.Brought{{Arrival: id, Raw: raw, InternalDate: at, HasMessageID: true, After: b.after, Folder: b.folder}}); err != nil {
		b.Fatal(err)
	}
	ready, err := b.db.ReadyArrivals(b.Context(), b.node, id-1, 1)
	if err != nil || len(ready) != 1 {
		b.Fatalf("ReadyArrivals = %v, %v", ready, err)
	}
	u, err := intake.Understand(strings.NewReader(message))
	if err != nil {
		b.Fatal(err)
	}
	filed, err := b.db.File(b.Context(), store.Filing{
		Fence: b.fence, Arrival: id, Raw: ready[0].Raw, SizeBytes: int64(len(message)), Mail: u.Mail, Ancestors: intake.Ancestors(u.Mail),
		Words: u.Subject + " " + u.Text, At: at,
	})
	if err != nil {
		b.Fatal(err)
	}
	return filed
}

// letter writes a plain mail.
func letter(from, subject, text string) string {
	return fmt.Sprintf("From: %s\nTo: support@example.net\nSubject: %s\nMessage-ID: <%s@example.org>\nDate: Fri, 20 Nov 2026 09:00:00 +0000\n"+
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n%s\n", from, subject, url.QueryEscape(subject), text)
}

// A browser is a client with cookies that does not follow redirects.
type browser struct {
	*office
	http.Client
}

// browser signs a user in; nobody with a zero user.
func (o *office) browser(u postroom.User) *browser {
	o.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.Fatal(err)
	}
	b := &browser{o, http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	if u.ID != 0 {
		if a := b.get(strings.TrimPrefix(o.links[u.ID], o.site.URL)); a.status != http.StatusSeeOther {
			o.Fatalf("sign in by link: %d\n%s", a.status, a.body)
		}
	}
	return b
}

// An answer is what the server said.
type answer struct {
	status int
	body   string
	http.Header
}

func (b *browser) get(path string, header ...string) answer {
	b.Helper()
	return b.do(http.MethodGet, path, nil, header...)
}

func (b *browser) post(path string, form url.Values, header ...string) answer {
	b.Helper()
	return b.do(http.MethodPost, path, form, header...)
}

func (b *browser) do(method, path string, form url.Values, header ...string) answer {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.site.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return b.send(r)
}

func (b *browser) send(r *http.Request) answer {
	b.Helper()
	w, err := b.Do(r)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Body.Close()
	body, err := io.ReadAll(w.Body)
	if err != nil {
		b.Fatal(err)
	}
	return answer{w.StatusCode, string(body), w.Header}
}

// has fails the test when a page misses one of the texts.
func (a answer) has(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("status %d, want %d\n%s", a.status, status, a.body)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("the page has no %q:\n%s", text, a.body)
		}
	}
}
