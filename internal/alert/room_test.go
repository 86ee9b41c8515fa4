package alert

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
	"github.com/postroom/postroom/internal/vault"
)

// A place is a database with a desk, mailboxes, and a clock that only the test moves.
type place struct {
	*Desk
	t     testing.TB
	node  postroom.NodeID
	clock time.Time

	validity uint32 // of the last folder

	mu   sync.Mutex
	sent []mime.Letter
	// fate is what becomes of a letter that a mailbox sends; nil: it is sent.
	fate func(m postroom.MailboxID, l mime.Letter) (smtp.Fate, error)
}

func admin() postroom.Viewer { return postroom.Viewer{Scope: postroom.ScopeAdmin, Token: 1} }

func openStore(t testing.TB, o store.Options) *store.DB {
	t.Helper()
	if err := store.Migrate(context.Background(), o); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return db
}

func sqlite(t testing.TB) store.Options {
	return store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
}

// newPlace is a place whose contact is ann@example.org, and which has been running for
// long enough to believe what it sees.
func newPlace(t testing.TB, o store.Options) *place {
	t.Helper()
	p := &place{t: t}
	ring, err := vault.Open(vault.Source{Dir: t.TempDir()})
	p.must(err)
	p.Desk = &Desk{
		Store: openStore(t, o), Ring: ring, Base: "https://post.example.net", Log: slog.New(slog.DiscardHandler),
		Now: func() time.Time { return p.clock },
		SendBy: func(_ context.Context, id postroom.MailboxID, l mime.Letter) (smtp.Fate, error) {
			p.mu.Lock()
			defer p.mu.Unlock()
			if p.fate != nil {
				if fate, err := p.fate(id, l); fate.Outcome != smtp.Sent {
					return fate, err
				}
			}
			p.sent = append(p.sent, l)
			return smtp.Fate{Outcome: smtp.Sent}, nil
		},
	}
	p.clock, err = p.Store.Now(t.Context())
	p.must(err)
	p.node, err = p.Store.JoinNode(t.Context(), "one")
	p.must(err)
	p.must(p.SetContact(t.Context(), admin(), []string{"ann@example.org"}))
	p.look()
	p.pass(time.Hour)
	return p
}

func (p *place) must(err error) {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) pass(d time.Duration) { p.clock = p.clock.Add(d) }

// look looks until nothing is new.
func (p *place) look() {
	p.t.Helper()
	for n := 0; ; n++ {
		more, err := p.Desk.look(p.t.Context())
		p.must(err)
		if !more {
			return
		}
		if n == 100 {
			p.t.Fatal("there is always something new")
		}
	}
}

// post looks, sends what is due, and returns it.
func (p *place) post() []mime.Letter {
	p.t.Helper()
	p.look()
	before := len(p.sent)
	for {
		did, _, err := p.sendDue(p.t.Context())
		p.must(err)
		if did == 0 {
			return slices.Clone(p.sent[before:])
		}
	}
}

// wantPost is post with the number of letters that are expected.
func (p *place) wantPost(when string, n int) []mime.Letter {
	p.t.Helper()
	letters := p.post()
	if len(letters) != n {
		var subjects []string
		for _, l := range letters {
			subjects = append(subjects, l.To[0].Address+": "+l.Subject)
		}
		p.t.Fatalf("%s: %d letters leave, want %d\n%s", when, len(letters), n, strings.Join(subjects, "\n"))
	}
	return letters
}

func (p *place) alerts() []postroom.Alert {
	p.t.Helper()
	alerts, err := p.Open(p.t.Context(), admin())
	p.must(err)
	return alerts
}

func (p *place) wantAlert(when string) postroom.Alert {
	p.t.Helper()
	alerts := p.alerts()
	if len(alerts) != 1 {
		p.t.Fatalf("%s: %d alerts, want one: %+v", when, len(alerts), alerts)
	}
	return alerts[0]
}

// settings are those of a mailbox at a host.
func settings(name, host string) postroom.Mailbox {
	server := postroom.ServerSettings{Host: host, Port: 993, TLS: postroom.TLSImplicit, Username: name}
	return postroom.Mailbox{
		Name: name, Address: name + "@example.net",
		Incoming: postroom.IncomingSettings{ServerSettings: server, Protocol: postroom.IMAP, Folders: []string{"INBOX"}},
		Outgoing: &postroom.OutgoingSettings{ServerSettings: server},
		Start:    postroom.Start{Kind: postroom.StartNow}, Visibility: postroom.Visibility{Kind: postroom.VisibleToEveryone},
	}
}

// mailboxes adds mailboxes that are being read.
func (p *place) mailboxes(n int, m postroom.Mailbox) (ids []postroom.MailboxID) {
	p.t.Helper()
	ids = make([]postroom.MailboxID, n)
	var adding sync.WaitGroup
	for i := range n {
		adding.Go(func() {
			one := m
			if n > 1 {
				one.Name, one.Address = fmt.Sprintf("%s %d", m.Name, i), fmt.Sprintf("%s-%d@example.net", m.Name, i)
			}
			added, err := p.Store.AddMailbox(p.t.Context(), one, postroom.CredentialPassword, func(postroom.MailboxID) ([]byte, error) { return []byte("x"), nil })
			if err != nil {
				p.t.Error(err)
			}
			ids[i] = added.ID
		})
	}
	adding.Wait()
	_, err := p.Store.TakeLeases(p.t.Context(), p.node)
	p.must(err)
	p.each(ids, func(f store.Fence, version int64) error {
		_, err := p.Store.RecordProof(p.t.Context(), f, version, nil)
		return err
	})
	return ids
}

func (p *place) mailbox(name string) postroom.MailboxID {
	p.t.Helper()
	return p.mailboxes(1, settings(name, "imap."+name+".example.net"))[0]
}

// each does something with mailboxes, side by side.
func (p *place) each(ids []postroom.MailboxID, do func(f store.Fence, version int64) error) {
	p.t.Helper()
	owned, err := p.Store.OwnedMailboxes(p.t.Context(), p.node)
	p.must(err)
	var doing sync.WaitGroup
	for _, o := range owned {
		if slices.Contains(ids, o.Fence.Mailbox) {
			doing.Go(func() {
				if err := do(o.Fence, o.Version); err != nil {
					p.t.Error(err)
				}
			})
		}
	}
	doing.Wait()
}

// lost is a sign-in that is refused for good.
func lost() *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.TokenRevoked, FixBy: postroom.FixByUser,
		Explanation: "Google no longer lets us read this mailbox.",
		Remedy:      "Open the mailbox and choose Sign in again. Reading resumes where it stopped.",
	}
}

func (p *place) trouble(f *postroom.Fault, ids ...postroom.MailboxID) {
	p.t.Helper()
	p.each(ids, func(fence store.Fence, version int64) error {
		state := postroom.MailboxActive.StateFor(f.Kind)
		return p.Store.RecordTrouble(p.t.Context(), fence, version, store.Trouble{State: state, Fault: f, Failures: 1})
	})
}

func (p *place) mend(ids ...postroom.MailboxID) {
	p.t.Helper()
	p.each(ids, func(f store.Fence, version int64) error { return p.Store.RecordHealth(p.t.Context(), f, version) })
}

func (p *place) wantWords(l mime.Letter, words ...string) {
	p.t.Helper()
	text := strings.Join(strings.Fields(l.Subject+"\n"+l.Text), " ")
	for _, w := range words {
		if !strings.Contains(text, w) {
			p.t.Errorf("the letter to %s does not say %q:\n%s\n\n%s", l.To[0].Address, w, l.Subject, l.Text)
		}
	}
}

// eachDatabase runs a test on SQLite and on PostgreSQL.
func eachDatabase(t *testing.T, test func(t *testing.T, o store.Options)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqlite(t)) })
	t.Run("postgres", func(t *testing.T) { test(t, store.Options{URL: testbed.Postgres(t)}) })
}

// arrive has so many mails of a mailbox settled in a state, or left waiting.
func (p *place) arrive(id postroom.MailboxID, n int, state postroom.ArrivalState) (ids []postroom.ArrivalID) {
	p.t.Helper()
	p.each([]postroom.MailboxID{id}, func(f store.Fence, _ int64) error {
		p.validity++
		folder, err := p.Store.BeginNumbering(p.t.Context(), f, postroom.Numbering{Mailbox: id, Protocol: postroom.IMAP, Folder: "INBOX", UIDValidity: p.validity})
		if err != nil {
			return err
		}
		var names []store.Listed
		for uid := range n {
			names = append(names, store.Listed{Name: postroom.Name{UID: uint32(uid + 1)}, State: postroom.ArrivalWaiting})
		}
		if err := p.Store.BookNames(p.t.Context(), f, folder, names, uint32(n)); err != nil {
			return err
		}
		wanted, err := p.Store.WantedArrivals(p.t.Context(), folder.ID, 0, n)
		if err != nil || state == postroom.ArrivalWaiting {
			return err
		}
		for _, w := range wanted {
			ids = append(ids, w.ID)
		}
		return p.Store.Settle(p.t.Context(), f, ids, state, "Because.")
	})
	return ids
}
