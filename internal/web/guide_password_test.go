package web

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/store"
)

// A password is entered for a server. Where somebody changes that while it is tested, it
// must not go to the other one.
func TestAPasswordIsKeptForTheServerThatItWasTestedAt(t *testing.T) {
	o := openOffice(t)
	orders := o.box("Orders", "orders@example.net", receives(t, "orders@example.net", "the new one"))
	b := o.browser(o.admin)
	at := "/mailboxes/" + orders.ID.String() + "/password"
	begun := b.post(at, url.Values{"credential.password": {"the new one"}}, "HX-Request", "true")
	stream := streamOfTest.FindString(begun.body)
	if stream == "" {
		t.Fatalf("no test begins:\n%s", begun.body)
	}
	admin := postroom.Viewer{User: o.admin.ID, Name: "Ann", Role: postroom.RoleAdmin}
	elsewhere := func(m *postroom.Mailbox) error {
		m.Incoming.Host = "127.0.0.2"
		return nil
	}
	if _, err := o.pages.Mailboxes.Change(t.Context(), admin, orders.ID, elsewhere, nil); err != nil {
		t.Fatal(err)
	}
	end := b.get(stream)
	end.has(t, http.StatusOK, "Somebody has changed the servers of this mailbox meanwhile", "once more")
	if strings.Contains(end.body, "It could not be tried.") {
		t.Error("it was tried, and worked")
	}
	if _, kept, _, _ := o.pages.Mailboxes.Open(t.Context(), orders.ID); kept.Reveal() != keptPassword {
		t.Error("the password is kept all the same")
	}
}

// One password opened both servers, though each has its own: the new one does so too.
func TestANewPasswordOpensWhatTheOldOneOpened(t *testing.T) {
	o := openOffice(t)
	orders := o.box("Orders", "orders@example.net", func(m *postroom.Mailbox) {
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.example.net", Port: 465, TLS: postroom.TLSImplicit, Username: "orders@example.net"}}
	})
	m, err := o.db.Mailbox(t.Context(), orders.ID)
	if err != nil {
		t.Fatal(err)
	}
	own := store.NewCredential{Kind: mailbox.KindPassword, Seal: func(postroom.MailboxID) ([]byte, error) { return []byte("sealed"), nil }}
	if _, err := o.db.ChangeMailbox(t.Context(), m, store.MailboxChange{Outgoing: &own, Seen: m.UpdatedAt}); err != nil {
		t.Fatal(err)
	}
	a := o.browser(o.admin).post("/mailboxes/"+orders.ID.String()+"/password", url.Values{"credential.password": {"the new one"}, "keep": {"yes"}})
	if a.status != http.StatusSeeOther {
		t.Fatalf("POST = %d\n%s", a.status, a.body)
	}
	if _, has, err := o.db.OutgoingCredential(t.Context(), orders.ID); err != nil || has {
		t.Errorf("the old password is still what sends: %v, %v", has, err)
	}
}

// Where the key is lost, people are asked to enter the password again: they must be able
// to do so.
func TestAPasswordThatCannotBeReadAnyMoreIsReplaced(t *testing.T) {
	o := openOffice(t)
	orders := o.box("Orders", "orders@example.net", func(m *postroom.Mailbox) {
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.example.net", Port: 465, TLS: postroom.TLSImplicit, Username: "orders@example.net"}}
	})
	lost := &postroom.Fault{Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin, Explanation: "The key is lost.", Remedy: "Enter the password again."}
	o.pages.Mailboxes.Open = func(context.Context, postroom.MailboxID) (string, postroom.Secret, bool, error) {
		return "", postroom.Secret{}, false, lost
	}
	o.pages.Mailboxes.OpenOutgoing = func(context.Context, postroom.MailboxID) (string, postroom.Secret, error) {
		return "", postroom.Secret{}, lost
	}
	b, at := o.browser(o.admin), "/mailboxes/"+orders.ID.String()+"/password"
	if begun := b.post(at, url.Values{"credential.password": {"the new one"}}, "HX-Request", "true"); !streamOfTest.MatchString(begun.body) {
		t.Errorf("no test begins: %d\n%s", begun.status, begun.body)
	}
	if a := b.post(at, url.Values{"credential.password": {"the new one"}, "keep": {"yes"}}); a.status != http.StatusSeeOther {
		t.Errorf("POST = %d\n%s", a.status, a.body)
	}
}
