package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"regexp"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
	"github.com/postroom/postroom/internal/store"
)

// whoAsks opens data with a token.
func whoAsks(t *testing.T, data, token string) (v postroom.Viewer, err error) {
	t.Helper()
	err = dataFlags{Data: data}.atDoor(t.Context(), func(d *access.Door, _ *store.DB) (err error) {
		v, err = d.Token(t.Context(), token)
		return err
	})
	return v, err
}

func TestTokenIsTheLastLineAlone(t *testing.T) {
	data := t.TempDir()
	lines := strings.Split(strings.TrimSuffix(mustSay(t, "", "token", "create", "--name", "the shop", "--data", data), "\n"), "\n")
	token := lines[len(lines)-1]
	if !regexp.MustCompile(`^[A-Za-z0-9_.-]{20,}$`).MatchString(token) {
		t.Errorf("the last line is %q, want the token alone", token)
	}
	v, err := whoAsks(t, data, token)
	if err != nil || v.Scope != postroom.ScopeAdmin || v.Name != "the shop" {
		t.Errorf("it opens as %+v, %v, want scope admin", v, err)
	}

	list := mustSay(t, "", "token", "list", "--data", data)
	if !strings.Contains(list, "the shop") || strings.Contains(list, token) {
		t.Errorf("the list is\n%s", list)
	}
	mustSay(t, "", "token", "revoke", v.Token.String(), "--data", data)
	if _, err := whoAsks(t, data, token); postroom.KindOf(err) != postroom.Unauthenticated {
		t.Errorf("a revoked token: %v, want unauthenticated", err)
	}
	if s := say(t, "", "token", "revoke", v.Token.String(), "--data", data); s.code != exitFailed || !strings.Contains(s.err, "revoked before") {
		t.Errorf("revoking again: %+v", s)
	}
}

func TestTokenSeesTheMailboxesThatItNames(t *testing.T) {
	data := t.TempDir()
	first, second := addDraft(t, data, "first@example.net"), addDraft(t, data, "second@example.net")
	printed := mustSay(t, "", "token", "create", "--name", "shop", "--scope", "read",
		"--mailbox", "First@example.net", "--mailbox", second.String(), "--json", "--data", data)
	var created struct{ Token string }
	if err := json.Unmarshal([]byte(printed), &created); err != nil {
		t.Fatal(err)
	}
	v, err := whoAsks(t, data, created.Token)
	if err != nil || v.Scope != postroom.ScopeRead || len(v.Mailboxes) != 2 || v.Mailboxes[0] != first || v.Mailboxes[1] != second {
		t.Errorf("it opens as %+v, %v, want mailboxes %s and %s", v, err, first, second)
	}
	for name, mailbox := range map[string]string{"an unknown address": "nobody@example.net", "an unknown id": "12345", "neither": "support"} {
		if s := say(t, "", "token", "create", "--name", "x", "--mailbox", mailbox, "--data", data); s.code != exitFailed || s.out != "" {
			t.Errorf("%s: %+v, want a refusal", name, s)
		}
	}
	if s := say(t, "", "token", "create", "--name", "x", "--scope", "root", "--data", data); s.code != exitWrongUse {
		t.Errorf("an unknown scope: %+v, want exit %d", s, exitWrongUse)
	}
}

func addDraft(t *testing.T, data, address string) postroom.MailboxID {
	t.Helper()
	in, err := dataFlags{Data: data}.open(t.Context(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	m := postroom.Mailbox{
		Address: address, Name: address, Start: postroom.Start{Kind: postroom.StartNow}, AfterImport: postroom.AfterImportKeep,
		Visibility: postroom.Visibility{Kind: postroom.VisibleToEveryone},
		Incoming:   postroom.IncomingSettings{Protocol: postroom.IMAP, Folders: []string{"INBOX"}},
	}
	m, err = in.DB.AddMailbox(context.Background(), m, "password", func(postroom.MailboxID) ([]byte, error) { return []byte("sealed"), nil })
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}
