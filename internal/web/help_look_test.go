package web

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

// at has a mailbox read from a host.
func at(host string) func(*postroom.Mailbox) {
	return func(m *postroom.Mailbox) { m.Incoming.Host = host }
}

func silent(host string) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting, Explanation: host + " did not answer within 10 seconds.",
		Remedy: "Nothing has to be done: the next try comes by itself. If this lasts, ask whoever runs the server.",
	}
}

func pastedPassword() *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.AccountPasswordPasted, FixBy: postroom.FixByUser,
		Explanation: "Google refused this password. It looks like the normal account password; Google accepts only app passwords here.",
		Remedy:      "Create an app password in the account’s security settings and enter it here.", Reply: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
		Link:   postroom.Link{Words: "App passwords of this account", URL: "https://myaccount.google.com/apppasswords"},
		Others: []string{"the name or the password is not right", "the Google password was changed since"},
	}
}

// ail has many mailboxes in the same trouble.
func (o *office) ail(n int, name string, f *postroom.Fault) {
	o.Helper()
	ctx := o.Context()
	first := postroom.MailboxID(0)
	for i := range n {
		m := postroom.Mailbox{Name: fmt.Sprintf("%s %d", name, i+1), Address: fmt.Sprintf("%s%d@example.net", strings.ToLower(name), i+1)}
		m.Incoming.Host, m.Incoming.Protocol, m.Incoming.TLS, m.Incoming.Port = "imap.example.net", postroom.IMAP, postroom.TLSImplicit, 993
		m.Incoming.Folders, m.Incoming.Username = []string{"INBOX"}, m.Address
		m.Start.Kind, m.Visibility.Kind = postroom.StartAll, postroom.VisibleToEveryone
		m, err := o.db.AddMailbox(ctx, m, mailbox.KindPassword, func(postroom.MailboxID) ([]byte, error) { return []byte("sealed"), nil })
		if err != nil {
			o.Fatal(err)
		}
		if first == 0 {
			first = m.ID
		}
	}
	for { // a node takes a few at a time
		if taken, err := o.db.TakeLeases(ctx, o.node); err != nil {
			o.Fatal(err)
		} else if taken == 0 {
			break
		}
	}
	owned, err := o.db.OwnedMailboxes(ctx, o.node)
	if err != nil {
		o.Fatal(err)
	}
	for _, one := range owned {
		if one.Fence.Mailbox < first {
			continue
		}
		_, err := o.db.RecordProof(ctx, one.Fence, one.Version, nil)
		if err == nil {
			err = o.db.RecordTrouble(ctx, one.Fence, one.Version, store.Trouble{State: postroom.MailboxActive.StateFor(f.Kind), Fault: f, NextTry: time.Now().Add(time.Minute), Failures: 1})
		}
		if err != nil {
			o.Fatal(err)
		}
	}
}

// TestHelpFits opens the pages of health, guides and help as TestPagesFit does: with
// nothing, with little, with very many mailboxes, with the longest names and the worst
// that a server has said.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	complaints := listenForComplaints(t, ctx)
	empty, calm, busy := openOffice(t), openOffice(t), openOffice(t)
	calm.box("Support", "support@example.net").deliver(letter("tom@example.org", "Hello", "x"), time.Now())
	orders := busy.box("Orders", "orders@gmail.com", at("imap.gmail.com"))
	busy.ails(orders, pastedPassword())
	busy.box("Office", "office@contoso.example", at("outlook.office365.com"), func(m *postroom.Mailbox) {
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.office365.com", Port: 587, TLS: postroom.TLSStart}}
	})
	long := busy.box("Sales and everything that has to do with it in all of northern Europe", "sales-and-partnerships-northern-europe@a-rather-long-company-name.example")
	busy.ails(long, &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.Unknown, FixBy: postroom.FixByMailboxAdmin,
		Explanation: "imap.a-server-with-a-rather-long-name-that-does-not-break.example.net gave an answer that Postroom does not know.",
		Remedy:      "Ask whoever runs the server, with its own words below.", Reply: "NO " + strings.Repeat("unbreakable", 40) + " <b>&amp;</b>",
		Others: []string{"another program has the mailbox open", strings.Repeat("a cause that goes on and on, ", 8), "the server is busy"},
	})
	aside := long.list(postroom.ArrivalWaiting, "")
	if err := busy.db.Settle(t.Context(), long.fence, []postroom.ArrivalID{aside}, postroom.ArrivalQuarantined, "The server did not give this message three times."); err != nil {
		t.Fatal(err)
	}
	if err := busy.db.RecordUnknownReplies(t.Context(), []store.UnknownReply{{Host: "imap.example.net", Protocol: postroom.IMAP, Phase: "auth", Reply: "NO [X-ODD] " + strings.Repeat("what", 60), Count: 12, First: time.Now(), Last: time.Now()}}); err != nil {
		t.Fatal(err)
	}
	many := 120 // more than are named
	if os.Getenv("POSTROOM_SCREENSHOTS") != "" {
		many = 1000
	}
	busy.ail(many, "Shop", silent("imap.example.net"))
	pages := []struct {
		of         *office
		name, path string
	}{
		{empty, "health-none", "/health"}, {calm, "health-one", "/health"}, {busy, "health-many", "/health"}, {busy, "health-search", "/health?q=gmail"},
		{busy, "health-nothing-found", "/health?q=zebra"},
		{empty, "guides", "/guides"}, {empty, "guides-not-found", "/guides?q=zebra"}, {empty, "guide", "/guides/gmail"},
		{busy, "guide-for-mailbox", "/guides/gmail?address=orders%40gmail.com&mailbox=" + orders.ID.String()},
		{busy, "password", "/mailboxes/" + orders.ID.String() + "/password"}, {busy, "password-long", "/mailboxes/" + long.ID.String() + "/password"},
		{busy, "opened-again", "/mailboxes/" + orders.ID.String() + "?opened=0"}, {busy, "worst", "/mailboxes/" + long.ID.String()},
		{empty, "help", "/help"}, {empty, "help-search", "/help?q=2FA+code"}, {empty, "help-nothing", "/help?q=zebra"}, {empty, "words", "/help/words"},
		{empty, "arrive-none", "/help/arrive"}, {busy, "arrive-many", "/help/arrive"}, {busy, "arrive-search", "/help/arrive?q=orders"},
		{busy, "arrive-password", "/help/arrive?what=password"}, {calm, "arrive-missing", "/help/arrive?what=missing&q=tom"},
		{calm, "arrive-not-found", "/help/arrive?what=missing&q=zebra"}, {busy, "arrive-bounced", "/help/arrive?what=bounced"}, {busy, "arrive-spam", "/help/arrive?what=spam"},
		{calm, "arrive-mailbox", "/help/arrive/1"}, {busy, "arrive-refused", "/help/arrive/" + orders.ID.String()},
	}
	for _, o := range []*office{empty, calm, busy} {
		o.answerLedgers()
		if err := chromedp.Do(ctx, chromedp.Navigate(o.links[o.admin.ID])); err != nil {
			t.Fatal(err)
		}
		for _, p := range pages {
			if p.of != o {
				continue
			}
			for _, width := range []int64{360, 768, 1440} {
				for i, theme := range []string{"light", "dark"} {
					if os.Getenv("POSTROOM_SCREENSHOTS") == "" && (width == 768) != (i == 1) {
						continue // one theme for each width does, where nobody looks
					}
					look(t, ctx, o.site.URL+p.path, fmt.Sprintf("%s-%d-%s", p.name, width, theme), width, theme)
				}
			}
		}
	}
	complaints.fail(t)
}

// ails lets something be wrong with a mailbox.
func (o *office) ails(b *box, f *postroom.Fault) {
	o.Helper()
	kept, err := o.db.KeptMailbox(o.Context(), b.ID)
	if err == nil {
		err = o.db.RecordTrouble(o.Context(), b.fence, kept.Version, store.Trouble{State: postroom.MailboxActive.StateFor(f.Kind), Fault: f, NextTry: time.Now().Add(4 * time.Minute), Failures: 1})
	}
	if err != nil {
		o.Fatal(err)
	}
}
