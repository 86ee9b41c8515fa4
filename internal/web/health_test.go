package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

func TestHealthGroupsByCause(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	b.get("/health").has(t, http.StatusOK, "No mailbox is connected yet.", "Connect a mailbox")
	o.box("Support", "support@example.net")
	b.get("/health").has(t, http.StatusOK, "The mailbox is being read.", "Nothing needs you.")
	o.ail(12, "Shop", silent("imap.example.net"))
	expired := &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
		Explanation: "The client secret of app “Office” expired.", Remedy: "Make a new one at Microsoft, and enter it under Settings.",
	}
	o.ail(3, "Team", expired)
	orders := o.box("Orders", "orders@gmail.com", at("imap.gmail.com"))
	o.ails(orders, pastedPassword())
	page := b.get("/health")
	page.has(t, http.StatusOK, "1 of 17 mailboxes is being read.", "12 are delayed, and tried again without anybody’s help.", "12 mailboxes:", "imap.example.net did not answer within 10 seconds.",
		"3 mailboxes:", "The client secret of app “Office” expired.", "an administrator of Postroom", "/mailboxes?state=needs_repair",
		"Make an app password", `href="/guides/gmail?address=orders%40gmail.com&amp;mailbox=`+orders.ID.String()+`"`,
		`href="https://myaccount.google.com/apppasswords" target="_blank" rel="noopener noreferrer"`)
	if n := strings.Count(page.body, "imap.example.net did not answer"); n != 1 {
		t.Errorf("one cause is told %d times", n)
	}
	for _, before := range [][2]string{{"Google refused this password", "The client secret"}, {"The client secret", "did not answer"}} {
		if strings.Index(page.body, before[0]) > strings.Index(page.body, before[1]) {
			t.Errorf("%q comes after %q", before[0], before[1])
		}
	}
	found := b.get("/health?q=office+expired")
	found.has(t, http.StatusOK, "The client secret", "1 of 17 mailboxes is being read.")
	if strings.Contains(found.body, "did not answer") {
		t.Error("a search shows what does not fit")
	}
	b.get("/health?q=zebra").has(t, http.StatusOK, "Nothing that is wrong has to do with “zebra”.")
	if part := b.get("/health", "HX-Request", "true", "HX-Target", "health"); strings.Contains(part.body, "<html") {
		t.Error("a refresh brings a whole page")
	}
}

func TestHealthIsOfOnesOwnMailboxes(t *testing.T) {
	o := openOffice(t)
	bob := o.user("bob@example.net", "Bob", postroom.RoleAgent)
	secret := o.box("Payroll", "payroll@example.net", func(m *postroom.Mailbox) {
		m.Owner, m.Visibility = o.admin.ID, postroom.Visibility{Kind: postroom.VisibleToOwner}
	})
	o.ails(secret, pastedPassword())
	orders := o.box("Orders", "orders@gmail.com", at("imap.gmail.com"))
	o.ails(orders, pastedPassword())
	page := o.browser(bob).get("/health")
	page.has(t, http.StatusOK, "Orders", "The mailbox is not being read.", "whoever has this mailbox, together with an administrator of Postroom")
	if strings.Contains(page.body, "Payroll") {
		t.Error("the page names a mailbox that is not for this reader")
	}
	o.browser(o.admin).get("/health").has(t, http.StatusOK, "Payroll", "Orders")
}

func TestAnnouncedChangesAreToldBeforeTheirDay(t *testing.T) {
	o := openOffice(t)
	now := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	o.pages.Now = func() time.Time { return now }
	sends := func(m *postroom.Mailbox) {
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "smtp.office365.com", Port: 587, TLS: postroom.TLSStart}}
	}
	office := o.box("Office", "office@contoso.example", at("outlook.office365.com"), sends)
	o.box("Support", "support@example.net")
	at := "/mailboxes/" + office.ID.String()
	banner := "Exchange Online ends passwords for sending."
	b, agent := o.browser(o.admin), o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	b.get("/issues").has(t, http.StatusOK, "31 December 2026: "+banner, "It concerns 1 mailbox here.", at+"#announced")
	b.get(at).has(t, http.StatusOK, "Announced by the provider", "31 December 2026, in 30 days", "What to do:")
	b.get("/health").has(t, http.StatusOK, "Announced by providers", banner)
	agent.get(at).has(t, http.StatusOK, "Announced by the provider")
	agent.get("/health").has(t, http.StatusOK, banner, "Office")
	hidden, err := o.db.Mailbox(t.Context(), office.ID)
	if err != nil {
		t.Fatal(err)
	}
	hidden.Owner, hidden.Visibility = o.admin.ID, postroom.Visibility{Kind: postroom.VisibleToOwner}
	if _, err := o.db.ChangeMailbox(t.Context(), hidden, store.MailboxChange{Seen: hidden.UpdatedAt}); err != nil {
		t.Fatal(err)
	}
	if page := agent.get("/health"); strings.Contains(page.body, banner) {
		t.Error("a mailbox is named to somebody who may not know of it any more")
	}
	if page := agent.get("/issues"); strings.Contains(page.body, banner) {
		t.Error("an agent is told above every page what an administrator has to do")
	}
	if page := b.get("/mailboxes/2"); strings.Contains(page.body, "Announced by the provider") {
		t.Error("a mailbox is told what does not concern it")
	}
	now = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	b.get(at).has(t, http.StatusOK, "Announced by the provider")
	if page := b.get("/issues"); strings.Contains(page.body, banner) {
		t.Error("half a year ahead every page speaks of it already")
	}
	now = time.Date(2027, 1, 10, 12, 0, 0, 0, time.UTC)
	b.get(at).has(t, http.StatusOK, "31 December 2026, since then")
	if page := b.get("/issues"); strings.Contains(page.body, "31 December 2026: "+banner) {
		t.Error("after its day it is still announced above every page")
	}
	now = time.Date(2027, 6, 1, 12, 0, 0, 0, time.UTC)
	if page := b.get(at); strings.Contains(page.body, "since then") {
		t.Error("half a year later it is still news")
	}
}

func TestHealthSentence(t *testing.T) {
	type counts = map[postroom.MailboxState]int64
	for want, c := range map[string]counts{
		"Both mailboxes are being read.":                                                                 {postroom.MailboxActive: 2},
		"All 3 mailboxes are being read.":                                                                {postroom.MailboxActive: 3},
		"398 of 400 mailboxes are being read.":                                                           {postroom.MailboxActive: 398, postroom.MailboxNeedsSignIn: 2},
		"1 of 2 mailboxes is being read. 1 is paused by a person.":                                       {postroom.MailboxActive: 1, postroom.MailboxPaused: 1},
		"The mailbox is not being read. 1 is paused by a person.":                                        {postroom.MailboxPaused: 1},
		"1,000 of 1,001 mailboxes are being read. 1 is delayed, and tried again without anybody’s help.": {postroom.MailboxActive: 1000, postroom.MailboxDelayed: 1},
	} {
		if got, _ := healthSentence(c); got != want {
			t.Errorf("%v: %q, want %q", c, got, want)
		}
	}
	for tone, c := range map[string]counts{
		"good": {postroom.MailboxActive: 2, postroom.MailboxPaused: 1}, "wait": {postroom.MailboxActive: 2, postroom.MailboxDelayed: 1},
		"bad": {postroom.MailboxActive: 2, postroom.MailboxDelayed: 1, postroom.MailboxNeedsRepair: 1},
	} {
		if _, got := healthSentence(c); got.Tone != tone {
			t.Errorf("%v looks %s, want %s", c, got.Tone, tone)
		}
	}
}

func TestOnlyPagesOfHTTPSAreLinked(t *testing.T) {
	for _, url := range []string{"", "http://example.net/", "javascript:alert(1)", "https:///x", "//example.net/", "data:text/html,x"} {
		if page, _, _ := outside(postroom.Link{Words: "x", URL: url}); page != "" {
			t.Errorf("%q is linked as %q", url, page)
		}
	}
	if _, words, host := outside(postroom.Link{URL: "https://www.example.net/a"}); words != "example.net" || host != "" {
		t.Errorf("a link without words says %q %q", words, host)
	}
	if c := (provider.Change{}); asSentence(c.Short) != "" || asSentence("the clock is wrong") != "The clock is wrong." {
		t.Error("a clause is no sentence")
	}
}

func TestHealthUpdatesByItself(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	orders, support := o.box("Orders", "orders@gmail.com", at("imap.gmail.com")), o.box("Support", "support@example.net")
	o.ails(orders, pastedPassword())
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(o.site.URL+"/health"))
	wait(t, ctx, "the page listens", `!!window.htmx && document.querySelector("#health").innerText.includes("1 of 2 mailboxes is being read.")`)
	wait(t, ctx, "what the server said is folded", `[...document.querySelectorAll("details.fold")].every((d) => !d.open)`)
	click(t, ctx, "details.fold:last-of-type summary")
	o.ails(support, silent("imap.example.net"))
	wait(t, ctx, "a further cause appears", `document.querySelector("#health").innerText.includes("imap.example.net did not answer")`)
	wait(t, ctx, "what was unfolded stays so", `document.querySelector("details.fold:last-of-type").open`)
	complaints.fail(t)
}
