package credential

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

func openStore(t *testing.T) *store.DB {
	t.Helper()
	ctx := context.Background()
	o := store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
	if err := store.Migrate(ctx, o); err != nil {
		t.Fatal(err)
	}
	db, err := store.Open(ctx, o)
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

func newRing(t *testing.T) *vault.Ring {
	t.Helper()
	ring, err := vault.Open(vault.Source{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	return ring
}

// add keeps a mailbox with a password sealed by k.
func add(t *testing.T, k *Keeper, address, password string) postroom.MailboxID {
	t.Helper()
	m, err := k.Store.AddMailbox(context.Background(), postroom.Mailbox{Address: address}, "password",
		func(id postroom.MailboxID) ([]byte, error) { return k.Seal(id, postroom.Hide(password)) })
	if err != nil {
		t.Fatal(err)
	}
	return m.ID
}

func TestWhatIsSealedOpensAgain(t *testing.T) {
	k := &Keeper{Store: openStore(t), Ring: newRing(t)}
	id := add(t, k, "a@example.net", "correct horse")
	kind, secret, worked, err := k.Open(context.Background(), id)
	if err != nil || kind != "password" || secret.Reveal() != "correct horse" || worked {
		t.Errorf("Open = %q, %q, %v, %v, want the password, which has not worked yet", kind, secret.Reveal(), worked, err)
	}
	kept, err := k.Store.Credential(context.Background(), id)
	if err != nil || strings.Contains(string(kept.Sealed), "horse") {
		t.Errorf("the database holds the password in clear, or not at all: %v", err)
	}
}

func TestSecretThatDoesNotOpenIsExplained(t *testing.T) {
	ctx := context.Background()
	k := &Keeper{Store: openStore(t), Ring: newRing(t)}
	first := add(t, k, "a@example.net", "one")

	lost := &Keeper{Store: k.Store, Ring: newRing(t)}
	_, _, _, err := lost.Open(ctx, first)
	wantWords(t, err, postroom.NeedsRepair, "not in the key file")

	kept, err := k.Store.Credential(ctx, first)
	if err != nil {
		t.Fatal(err)
	}
	moved := add(t, k, "b@example.net", "two")
	err = k.Store.SaveCredential(ctx, moved, store.NewCredential{
		Kind: "password", Seal: func(postroom.MailboxID) ([]byte, error) { return kept.Sealed, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, err = k.Open(ctx, moved)
	wantWords(t, err, postroom.NeedsRepair, "was changed")

	_, _, _, err = k.Open(ctx, moved+1)
	wantWords(t, err, postroom.NotFound, "no password")
}

func wantWords(t *testing.T, err error, kind postroom.Kind, words string) {
	t.Helper()
	f, ok := postroom.FaultOf(err)
	if !ok || f.Kind != kind || !strings.Contains(f.Explanation, words) || f.Remedy == "" {
		t.Errorf("error %v (kind %q), want a fault of kind %q that says %q", err, postroom.KindOf(err), kind, words)
	}
}

func TestOutgoingServerHasTheMailboxsSecretUnlessItHasOneOfItsOwn(t *testing.T) {
	ctx := context.Background()
	k := &Keeper{Store: openStore(t), Ring: newRing(t)}
	id := add(t, k, "a@example.net", "both ways")
	kind, secret, err := k.OpenOutgoing(ctx, id)
	if err != nil || kind != "password" || secret.Reveal() != "both ways" {
		t.Errorf("OpenOutgoing = %q, %q, %v, want the mailbox's own", kind, secret.Reveal(), err)
	}
	change := func(seal func(postroom.MailboxID) ([]byte, error)) {
		t.Helper()
		m, err := k.Store.Mailbox(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		m.Outgoing = &postroom.OutgoingSettings{}
		if _, err := k.Store.ChangeMailbox(ctx, m, store.MailboxChange{Seen: m.UpdatedAt, Outgoing: &store.NewCredential{Kind: "app_password", Seal: seal}}); err != nil {
			t.Fatal(err)
		}
	}
	change(func(id postroom.MailboxID) ([]byte, error) { return k.SealOutgoing(id, postroom.Hide("out")) })
	if kind, secret, err = k.OpenOutgoing(ctx, id); err != nil || kind != "app_password" || secret.Reveal() != "out" {
		t.Errorf("OpenOutgoing = %q, %q, %v, want its own", kind, secret.Reveal(), err)
	}
	if _, secret, _, err := k.Open(ctx, id); err != nil || secret.Reveal() != "both ways" {
		t.Errorf("Open = %q, %v, want the mailbox's own", secret.Reveal(), err)
	}
	change(func(id postroom.MailboxID) ([]byte, error) { return k.Seal(id, postroom.Hide("moved")) })
	_, _, err = k.OpenOutgoing(ctx, id)
	wantWords(t, err, postroom.NeedsRepair, "was changed")
}
