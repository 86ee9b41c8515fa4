package store

import (
	"context"
	"testing"

	"github.com/postroom/postroom"
)

// sealedAs keeps a text as if it were sealed.
func sealedAs(kind, text string) NewCredential {
	return NewCredential{Kind: kind, Seal: func(postroom.MailboxID) ([]byte, error) { return []byte(text), nil }}
}

func TestOutgoingCredentialOfItsOwn(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := context.Background()
		incoming := sealedAs("password", "incoming")
		settings := postroom.Mailbox{Address: "a@example.net", Outgoing: &postroom.OutgoingSettings{}}
		m, err := db.AddMailbox(ctx, settings, incoming.Kind, incoming.Seal, sealedAs("app_password", "outgoing"))
		if err != nil {
			t.Fatal(err)
		}
		want := func(what, kind, sealed string) {
			t.Helper()
			k, ok, err := db.OutgoingCredential(ctx, m.ID)
			if err != nil || ok != (kind != "") || k.Kind != kind || string(k.Sealed) != sealed {
				t.Errorf("%s: credential %q %q, %v, %v, want %q %q", what, k.Kind, k.Sealed, ok, err, kind, sealed)
			}
			if k, err := db.Credential(ctx, m.ID); err != nil || string(k.Sealed) != "incoming" {
				t.Errorf("%s: the mailbox's own became %q, %v", what, k.Sealed, err)
			}
		}
		change := func(c MailboxChange) {
			t.Helper()
			c.Seen = m.UpdatedAt
			if m, err = db.ChangeMailbox(ctx, m, c); err != nil {
				t.Fatal(err)
			}
		}
		want("added", "app_password", "outgoing")
		change(MailboxChange{})
		want("another change", "app_password", "outgoing")
		another := sealedAs("password", "another")
		change(MailboxChange{Outgoing: &another})
		want("replaced", "password", "another")
		change(MailboxChange{SameOutgoing: true})
		want("given up", "", "")
		change(MailboxChange{Outgoing: &another})
		want("kept anew", "password", "another")
		m.Outgoing = nil
		change(MailboxChange{})
		want("nothing is sent any more", "", "")

		m.Outgoing = &postroom.OutgoingSettings{}
		change(MailboxChange{Outgoing: &another})
		if err := db.DeleteMailbox(ctx, m.ID, false); err != nil {
			t.Fatal(err)
		}
		var left int
		if err := db.queryRow(ctx, `select count(*) from outgoing_credential`).Scan(&left); err != nil || left != 0 {
			t.Errorf("%d credentials are left of a removed mailbox, %v", left, err)
		}
		if m, err = db.ContinueMailbox(ctx, m.ID, settings, incoming.Kind, incoming.Seal, sealedAs("password", "back")); err != nil {
			t.Fatal(err)
		}
		want("continued", "password", "back")
	})
}
