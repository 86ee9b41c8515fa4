package credential

import (
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

func TestTheFormThatWorkedIsKept(t *testing.T) {
	ctx := t.Context()
	k := &Keeper{Store: openStore(t), Ring: newRing(t)}
	id := add(t, k, "a@example.net", "abcd efgh")
	before, err := k.Store.Mailbox(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Prefer(ctx, id, postroom.Hide("abcd efgh"), postroom.Hide("abcdefgh")); err != nil {
		t.Fatal(err)
	}
	want := func(want string) {
		t.Helper()
		kind, secret, worked, err := k.Open(ctx, id)
		if err != nil || kind != "password" || secret.Reveal() != want || worked {
			t.Errorf("Open = %q, %q, %v, %v, want %q, which has not worked yet", kind, secret.Reveal(), worked, err, want)
		}
	}
	want("abcdefgh")
	if after, err := k.Store.Mailbox(ctx, id); err != nil || !after.UpdatedAt.Equal(before.UpdatedAt) {
		t.Errorf("the mailbox has changed: %v, before %v, %v", after.UpdatedAt, before.UpdatedAt, err)
	}
	// Somebody has entered another one meanwhile.
	if err := k.Prefer(ctx, id, postroom.Hide("abcd efgh"), postroom.Hide("efghabcd")); err != nil {
		t.Fatal(err)
	}
	want("abcdefgh")
}

func TestTheOutgoingFormThatWorkedIsKept(t *testing.T) {
	ctx := t.Context()
	k := &Keeper{Store: openStore(t), Ring: newRing(t)}
	id := add(t, k, "a@example.net", "abcd efgh")
	want := func(want string) {
		t.Helper()
		if _, secret, err := k.OpenOutgoing(ctx, id); err != nil || secret.Reveal() != want {
			t.Errorf("OpenOutgoing = %q, %v, want %q", secret.Reveal(), err, want)
		}
	}
	// One that is the mailbox's own is not decided by the outgoing server.
	if err := k.PreferOutgoing(ctx, id, postroom.Hide("abcd efgh"), postroom.Hide("abcdefgh")); err != nil {
		t.Fatal(err)
	}
	want("abcd efgh")
	m, err := k.Store.Mailbox(ctx, id)
	if err != nil {
		t.Fatal(err)
	}
	m.Outgoing = &postroom.OutgoingSettings{}
	if _, err := k.Store.ChangeMailbox(ctx, m, store.MailboxChange{
		Seen: m.UpdatedAt,
		Outgoing: &store.NewCredential{Kind: "app_password", Seal: func(id postroom.MailboxID) ([]byte, error) {
			return k.SealOutgoing(id, postroom.Hide("ijkl mnop"))
		}},
	}); err != nil {
		t.Fatal(err)
	}
	if err := k.PreferOutgoing(ctx, id, postroom.Hide("ijkl mnop"), postroom.Hide("ijklmnop")); err != nil {
		t.Fatal(err)
	}
	want("ijklmnop")
	if err := k.PreferOutgoing(ctx, id, postroom.Hide("ijkl mnop"), postroom.Hide("other")); err != nil {
		t.Fatal(err)
	}
	want("ijklmnop")
}
