package main

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
)

// aMailServer is a pretend provider with one account and one message in it.
func aMailServer(t *testing.T) (address, ca string) {
	t.Helper()
	server, err := simulator.Start(simulator.Options{TLS: postroom.TLSImplicit})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close the mail server: %v", err)
		}
	})
	server.AddAccount("support@example.net", "right-password")
	if _, err := server.Append("support@example.net", "INBOX", []byte("Subject: hello\r\n\r\nhello\r\n"), time.Now()); err != nil {
		t.Fatal(err)
	}
	ca = filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(server.CAPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	return server.Address(), ca
}

// wantWords checks how a command ended and what it said, on either channel.
func wantWords(t *testing.T, s spoken, code int, words ...string) {
	t.Helper()
	if s.code != code {
		t.Fatalf("exit %d, want %d: %s%s", s.code, code, s.out, s.err)
	}
	for _, w := range words {
		if !strings.Contains(s.out+s.err, w) {
			t.Errorf("%q is not said in:\n%s%s", w, s.out, s.err)
		}
	}
}

func TestAddedMailboxIsTriedAtOnce(t *testing.T) {
	imap, ca := aMailServer(t)
	data := t.TempDir()
	s := say(t, "right-password\n", "mailbox", "add", "support@example.net", "--data", data, "--imap", imap, "--ca-certificate", ca, "--password-stdin")
	wantWords(t, s, exitGood, "✓ Sign in", "INBOX: 1 message", "works and is kept", "postroom serve --data "+data)

	wantWords(t, say(t, "", "mailbox", "list", "--data", data), exitGood, "support@example.net", "◌ Draft")
	wantWords(t, say(t, "", "mailbox", "show", "SUPPORT@example.net", "--data", data), exitGood, "127.0.0.1", "its own CA certificate")
	wantWords(t, say(t, "", "mailbox", "test", "support@example.net", "--data", data), exitGood, "✓ Wait for new mail")
	wantWords(t, say(t, "", "mailbox", "show", "sales@example.net", "--data", data), exitFailed, "no mailbox “sales@example.net”")
	s = say(t, "x\n", "mailbox", "add", "support@example.net", "--data", data, "--imap", imap, "--password-stdin")
	wantWords(t, s, exitFailed, "connected already")

	wantWords(t, say(t, "", "mailbox", "pause", "support@example.net", "--data", data), exitGood, "is paused")
	wantWords(t, say(t, "", "mailbox", "list", "--data", data, "--state", "paused"), exitGood, "‖ Paused")
	wantWords(t, say(t, "", "mailbox", "resume", "support@example.net", "--data", data), exitGood, "is read again")
	wantWords(t, say(t, "", "mailbox", "ledger", "support@example.net", "--data", data), exitFailed, "not running")
	wantWords(t, say(t, "", "mailbox", "remove", "support@example.net", "--data", data), exitWrongUse, "--issues")
	wantWords(t, say(t, "", "mailbox", "remove", "support@example.net", "--data", data, "--issues", "keep"), exitGood, "is removed")
	wantWords(t, say(t, "", "mailbox", "list", "--data", data), exitGood, "no mailbox here yet")
}

func TestWrongPasswordKeepsADraftAndSaysWhatToDo(t *testing.T) {
	imap, ca := aMailServer(t)
	data := t.TempDir()
	s := say(t, "wrong-password\n", "mailbox", "add", "support@example.net", "--data", data, "--imap", imap, "--ca-certificate", ca, "--password-stdin", "--name", "Support")
	wantWords(t, s, exitFailed, "✕ Sign in", "refused this password", "kept as a draft", "postroom mailbox change support@example.net")
	if strings.Contains(s.out+s.err, "wrong-password") {
		t.Errorf("the password is printed: %s%s", s.out, s.err)
	}
	s = say(t, "right-password\n", "mailbox", "change", "support", "--data", data, "--password-stdin")
	wantWords(t, s, exitGood, "works and is kept")

	var shown api.Mailbox
	printed := mustSay(t, "", "mailbox", "change", "support", "--data", data, "--poll-interval", "2m", "--folder", "INBOX", "--start", "all", "--json")
	if err := json.Unmarshal([]byte(printed), &shown); err != nil {
		t.Fatal(err)
	}
	wantWords(t, say(t, "", "mailbox", "change", "support", "--data", data, "--after-import", "move", "--move-to", "Done", "--raw-retention-days", "90"), exitGood, "works and is kept")
	wantWords(t, say(t, "", "mailbox", "show", "support", "--data", data), exitGood, "moved to the folder “Done”", "kept for 90 days")
	if shown.Incoming.PollInterval != "2m" || shown.Start != "all" || shown.Name != "Support" || shown.State != "draft" {
		t.Errorf("changed to %+v", shown)
	}
}

func TestMailboxSettingsOfTheCommandLine(t *testing.T) {
	data := t.TempDir()
	mustSay(t, aPassword, "user", "create", "--email", "ada@example.net", "--data", data, "--password-stdin")
	add := func(args ...string) spoken {
		return say(t, "x\n", append([]string{"mailbox", "add", "a@example.net", "--data", data, "--password-stdin", "--connect-timeout", "1s"}, args...)...)
	}
	wantWords(t, add(), exitFailed, "imap")
	wantWords(t, add("--imap", "mail.example.net", "--tls", "none"), exitFailed, "for everybody to read")
	wantWords(t, add("--imap", "mail.example.net", "--owner", "bob@example.net"), exitFailed, "Nobody here signs in with “bob@example.net”")
	wantWords(t, add("--imap", "mail.example.net", "--start", "yesterday"), exitWrongUse, "--start takes")
	wantWords(t, add("--imap", "mail.example.net", "--tls", "ssl"), exitWrongUse, "--tls")
	wantWords(t, say(t, "", "mailbox", "add", "a@example.net", "--data", data, "--imap", "mail.example.net"), exitWrongUse, "--password-stdin")

	wantWords(t, add("--imap", "mail.example.net", "--pop3", "mail.example.net"), exitWrongUse, "--imap", "--pop3")
	wantWords(t, add("--pop3", "mail.example.net", "--after-import", "move", "--move-to", "Done"), exitFailed, "POP3 can neither")
	wantWords(t, add("--pop3", "mail.example.net", "--folder", "Done"), exitFailed, "POP3 knows no folders")
	wantWords(t, add("--imap", "mail.example.net", "--after-import", "move"), exitFailed, "folder is missing")
	wantWords(t, add("--imap", "mail.example.net", "--raw-retention-days", "40000"), exitFailed, "40000 days")

	s := add("--imap", "127.0.0.1:1", "--owner", "ADA@example.net", "--visible-to", "ada@example.net", "--start", "2026-01-02", "--json")
	wantWords(t, s, exitFailed, "Nothing answers")
	var m struct {
		Owner     string   `json:"owner"`
		VisibleTo []string `json:"visible_to"`
		Start     string   `json:"start"`
		State     string   `json:"state"`
	}
	if err := json.Unmarshal([]byte(s.out), &m); err != nil {
		t.Fatal(err)
	}
	if m.Owner == "" || len(m.VisibleTo) != 1 || m.VisibleTo[0] != m.Owner || !strings.HasPrefix(m.Start, "2026-01-0") || m.State != "draft" {
		t.Errorf("added %+v", m)
	}
}

func TestMailboxCommandsOnAServerElsewhere(t *testing.T) {
	ctx := context.Background()
	in, err := dataFlags{Data: t.TempDir()}.open(ctx, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	var proves atomic.Bool // whether the reader of the mailboxes can open them
	keeper := &credential.Keeper{Store: in.DB, Ring: in.Ring}
	server := httptest.NewServer((&api.Server{
		Authenticate: func(_ context.Context, token string) (postroom.Viewer, error) {
			if token != "good-token" {
				return postroom.Viewer{}, &postroom.Fault{Kind: postroom.Unauthenticated, Explanation: "This token opens nothing."}
			}
			return postroom.Viewer{Scope: postroom.ScopeAdmin}, nil
		},
		Read: in.DB.Reader(), Users: in.DB.Users,
		Mailboxes: &mailbox.Desk{Store: in.DB, Seal: keeper.Seal, Open: keeper.Open, SealOutgoing: keeper.SealOutgoing, OpenOutgoing: keeper.OpenOutgoing, Wake: func() { readMailboxes(t, in.DB, proves.Load()) }},
	}).Handler())
	t.Cleanup(server.Close)

	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("good-token\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	with := func(args ...string) []string { return append(args, "--server", server.URL, "--token-file", token) }
	s := say(t, "x\n", with("mailbox", "add", "a@example.net", "--imap", "mail.example.net", "--password-stdin")...)
	wantWords(t, s, exitFailed, "The server is asleep.", "kept as a draft")

	proves.Store(true)
	s = say(t, "y\n", with("mailbox", "change", "a@example.net", "--password-stdin")...)
	wantWords(t, s, exitGood, "is being read", "What arrives from now on")
	wantWords(t, say(t, "", with("mailbox", "ledger", "a@example.net")...), exitGood, "none is missing")

	t.Setenv(tokenVariable, "bad-token")
	wantWords(t, say(t, "", "mailbox", "list", "--server", server.URL), exitFailed, "This token opens nothing.")
	t.Setenv(tokenVariable, "")
	wantWords(t, say(t, "", "mailbox", "list", "--server", server.URL), exitWrongUse, tokenVariable)
	wantWords(t, say(t, "", with("mailbox", "list")...), exitGood, "✓ Reading")
	server.Close()
	wantWords(t, say(t, "", with("mailbox", "list")...), exitFailed, "does not answer")
}

// readMailboxes does what the reader of mailboxes would: it proves those that are
// new, or says what is wrong, and compares.
func readMailboxes(t *testing.T, db *store.DB, proves bool) {
	ctx := context.Background()
	node, err := db.JoinNode(ctx, "one")
	if err == nil {
		_, err = db.TakeLeases(ctx, node)
	}
	if err != nil {
		t.Error(err)
		return
	}
	owned, err := db.OwnedMailboxes(ctx, node)
	for _, o := range owned {
		switch {
		case err != nil:
		case !proves:
			fault := &postroom.Fault{Kind: postroom.Delayed, Class: postroom.Timeout, Explanation: "The server is asleep.", Remedy: "Wait."}
			err = db.RecordTrouble(ctx, o.Fence, o.Version, store.Trouble{State: postroom.MailboxDraft, Fault: fault, Failures: 1})
		default:
			if _, err = db.RecordProof(ctx, o.Fence, o.Version, nil); err == nil {
				err = db.RecordComparison(ctx, o.Fence, store.Comparison{})
			}
		}
	}
	if err != nil {
		t.Errorf("read %d mailboxes: %v", len(owned), err)
	}
}
