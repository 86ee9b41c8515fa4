package mailbox

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// formKeeper is a desk that notes which forms are to be kept.
func formKeeper(t *testing.T) (*Desk, map[string]string) {
	t.Helper()
	d, _ := newDesk(t)
	kept := make(map[string]string)
	note := func(what string) func(context.Context, postroom.MailboxID, postroom.Secret, postroom.Secret) error {
		return func(_ context.Context, _ postroom.MailboxID, was, is postroom.Secret) error {
			kept[what] = was.Reveal() + " → " + is.Reveal()
			return nil
		}
	}
	d.Prefer, d.PreferOutgoing = note("mailbox"), note("outgoing")
	return d, kept
}

func TestTheFormThatATestHasFoundIsTheOneThatIsSaved(t *testing.T) {
	read, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	const shown, bare = "abcd efgh ijkl mnop", "abcdefghijklmnop"
	read.AddAccount("support@example.net", shown)
	d, _ := newDesk(t)
	sealed := func(id postroom.MailboxID) string {
		t.Helper()
		c, err := d.Store.Credential(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return string(c.Sealed)
	}
	if r, err := d.Test(t.Context(), admin(), m, Credential{Password: postroom.Hide(bare)}, TestOptions{}); err != nil || !r.OK {
		t.Fatalf("%s, %v", kinds(r), err)
	}
	added, err := d.Add(t.Context(), admin(), m, Credential{Password: postroom.Hide(bare)})
	if err != nil {
		t.Fatal(err)
	}
	if got := sealed(added.ID); got != "sealed "+shown {
		t.Errorf("kept: %q", got)
	}
	// A change finds it as well; what nobody has tried is kept as it was typed.
	c := Credential{Password: postroom.Hide("abcd\u00a0efgh ijkl mnop\n")}
	if _, err := d.Change(t.Context(), admin(), added.ID, unchanged, &c); err != nil {
		t.Fatal(err)
	}
	if got := sealed(added.ID); got != "sealed "+shown {
		t.Errorf("kept after a change: %q", got)
	}
	c.Password = postroom.Hide("qrst\u00a0uvwx yzab cdef\n")
	if _, err := d.Change(t.Context(), admin(), added.ID, unchanged, &c); err != nil {
		t.Fatal(err)
	}
	if got := sealed(added.ID); got != "sealed qrst\u00a0uvwx yzab cdef" {
		t.Errorf("kept untried: %q", got)
	}
}

func TestATestOfASavedMailboxKeepsTheFormThatWorked(t *testing.T) {
	read, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	read.AddAccount("support@example.net", "abcd efgh ijkl mnop")
	read.AddAccount("relay", "qrst uvwx yzab cdef")
	m.Outgoing.Username = "relay"
	d, kept := formKeeper(t)
	c := Credential{Password: postroom.Hide("abcdefghijklmnop"), Outgoing: &Credential{Password: postroom.Hide("qrstuvwxyzabcdef")}}
	added, err := d.Add(t.Context(), admin(), m, c)
	if err != nil {
		t.Fatal(err)
	}
	if kind, forms, worked, err := d.Forms(t.Context(), added); err != nil || kind != KindPassword || worked || len(forms) != 2 || forms[0].Reveal() != "abcdefghijklmnop" {
		t.Errorf("Forms = %s, %d, %v, %v", kind, len(forms), worked, err)
	}
	if r, err := d.TestSaved(t.Context(), admin(), added.ID, TestOptions{}); err != nil || !r.OK {
		t.Errorf("%s, %v, %v", kinds(r), r.Fault(), err)
	}
	want := map[string]string{"mailbox": "abcdefghijklmnop → abcd efgh ijkl mnop", "outgoing": "qrstuvwxyzabcdef → qrst uvwx yzab cdef"}
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("kept: %s", diff)
	}
	clear(kept)
	if r, err := d.SendTest(t.Context(), admin(), added.ID, ""); err != nil || r.Fault != nil {
		t.Errorf("%+v, %v", r, err)
	}
	delete(want, "mailbox")
	if diff := cmp.Diff(want, kept); diff != "" {
		t.Errorf("kept by sending: %s", diff)
	}
}

// A list that is imported again changes nothing: what was found out since is no other
// password.
func TestAPasswordInAnotherFormIsNotANewOne(t *testing.T) {
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	for kept, typed := range map[string]string{
		"abcdefghijklmnop":    "abcd efgh ijkl mnop",
		"abcd efgh ijkl mnop": "abcdefghijklmnop",
	} {
		c := Credential{Kind: KindAppPassword, Password: postroom.Hide(kept)}
		if _, err := d.Change(t.Context(), admin(), m.ID, unchanged, &c); err != nil {
			t.Fatal(err)
		}
		for text, want := range map[string]int{typed: 0, kept: 0, "qrst uvwx yzab cdef": 1} {
			c.Password = postroom.Hide(text)
			if fields, err := d.areNew(t.Context(), m.ID, NewCredentials{Mailbox: &c}); err != nil || len(fields) != want {
				t.Errorf("%q is kept, %q typed: %v, %v", kept, text, fields, err)
			}
		}
	}
}

func TestWhoIsNotInTheWayDoesNotStepAside(t *testing.T) {
	_, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	d, _ := newDesk(t)
	byIMAP := mustAdd(t, d, m)
	m.Address, m.Incoming.Protocol, m.Incoming.Folders = "pop@example.net", postroom.POP3, nil
	added := mustAdd(t, d, m)
	d.Aside = func(context.Context, postroom.MailboxID) (func(), error) {
		t.Error("whoever reads it has to step aside")
		return func() {}, nil
	}
	if r, err := d.TestSaved(t.Context(), admin(), added.ID, TestOptions{Side: OutgoingSide}); err != nil || !r.OK {
		t.Errorf("%s, %v", kinds(r), err)
	}
	if r, err := d.TestSaved(t.Context(), admin(), byIMAP.ID, TestOptions{}); err != nil || !r.OK {
		t.Errorf("by IMAP: %s, %v", kinds(r), err)
	}
	m.Outgoing = nil
	_, err := d.Test(t.Context(), admin(), m, password("right"), TestOptions{Side: OutgoingSide})
	wantFault(t, err, postroom.Invalid, "outgoing")
}

func unchanged(*postroom.Mailbox) error { return nil }
