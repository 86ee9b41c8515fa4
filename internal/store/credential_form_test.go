package store

import (
	"testing"

	"github.com/postroom/postroom"
)

func TestAnotherFormOfASecretIsKeptUnlessItWasReplaced(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		incoming := sealedAs("app_password", "incoming")
		settings := postroom.Mailbox{Address: "a@example.net", Outgoing: &postroom.OutgoingSettings{}}
		m, err := db.AddMailbox(ctx, settings, incoming.Kind, incoming.Seal, sealedAs("app_password", "outgoing"))
		if err != nil {
			t.Fatal(err)
		}
		want := func(incoming, outgoing string) {
			t.Helper()
			in, err := db.Credential(ctx, m.ID)
			if err != nil {
				t.Fatal(err)
			}
			out, _, err := db.OutgoingCredential(ctx, m.ID)
			if err != nil || string(in.Sealed) != incoming || string(out.Sealed) != outgoing || in.Kind != "app_password" || out.Kind != "app_password" {
				t.Errorf("kept %q and %q, %v, want %q and %q", in.Sealed, out.Sealed, err, incoming, outgoing)
			}
		}
		prefer := func(do error) {
			t.Helper()
			if do != nil {
				t.Fatal(do)
			}
		}
		prefer(db.PreferForm(ctx, m.ID, []byte("incoming"), []byte("in")))
		want("in", "outgoing")
		prefer(db.PreferOutgoingForm(ctx, m.ID, []byte("outgoing"), []byte("out")))
		want("in", "out")
		prefer(db.PreferForm(ctx, m.ID, []byte("incoming"), []byte("late")))
		prefer(db.PreferOutgoingForm(ctx, m.ID, []byte("outgoing"), []byte("late")))
		want("in", "out")
	})
}
