package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// typedWith returns the form of a mailbox with some fields filled in otherwise.
func typedWith(pairs ...string) url.Values {
	v := typedMailbox()
	v.Del("incoming.poll_interval")
	for i := 0; i+1 < len(pairs); i += 2 {
		v.Set(pairs[i], pairs[i+1])
	}
	return v
}

func TestConnectByPOP3(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	typed := typedWith("incoming.protocol", "pop3", "incoming.port", "", "incoming.host", "pop.example.net", "after_import", "move", "move_to", "Done")
	b.post("/mailboxes", typed, "HX-Request", "true").has(t, http.StatusUnprocessableEntity, "POP3 can neither mark a mail as read nor move it", `id="wrong-after-import"`)
	typed.Set("after_import", "delete")
	typed.Set("raw_retention_days", "90")
	a := b.post("/mailboxes", typed)
	if a.status != http.StatusSeeOther {
		t.Fatalf("POST /mailboxes = %d\n%s", a.status, a.body)
	}
	m, err := o.db.MailboxByAddress(t.Context(), "support@example.net")
	if err != nil || m.Incoming.Protocol != postroom.POP3 || m.Incoming.Port != 995 || m.AfterImport != postroom.AfterImportDelete ||
		m.RawRetentionDays != 90 || len(m.Incoming.Folders) != 1 {
		t.Errorf("kept is %+v (%v)", m, err)
	}
	b.get(a.Get("Location")+"/settings").has(t, http.StatusOK, `id="protocol-pop3" checked`, `id="after-delete" checked`, `value="90"`, "A mail that is deleted there is then only in Postroom.")
}

func TestAFolderToMoveTo(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	typed := typedWith("incoming.protocol", "imap", "after_import", "move", "move_to", "orders")
	b.post("/mailboxes", typed).has(t, http.StatusUnprocessableEntity, "because Postroom reads that folder", `id="wrong-move-to"`, `value="orders"`)
	typed.Set("move_to", "Done")
	at := b.post("/mailboxes", typed).Get("Location")
	b.get(at+"/settings").has(t, http.StatusOK, `id="after-move" checked`, `value="Done"`)
	typed.Set("raw_retention_days", "many")
	b.post(at+"/settings", typed).has(t, http.StatusUnprocessableEntity, "This is not a number.", `id="wrong-raw-retention-days"`)
}

func TestAnAddressThatWasHereBefore(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	support.deliver(letter("tom@example.org", "Hello", "x"), time.Now())
	support.deliver(letter("tom@example.org", "Hello again", "x"), time.Now())
	b := o.browser(o.admin)
	if a := b.post("/mailboxes/"+support.ID.String()+"/remove", url.Values{"issues": {"keep"}, "password": {ownPassword}}); a.status != http.StatusSeeOther {
		t.Fatalf("remove = %d\n%s", a.status, a.body)
	}
	ask := b.post("/mailboxes", typedWith())
	ask.has(t, http.StatusOK, "support@example.net was connected here before", "2 messages", "2 issues", "Continue where it stopped (recommended)", "Begin afresh", `value="imap.example.net"`)
	if strings.Contains(ask.body, "pass word 17") {
		t.Error("the page shows the password again")
	}
	b.post("/mailboxes", typedWith(), "HX-Request", "true").has(t, http.StatusOK, `name="former" value="continue"`)
	a := b.post("/mailboxes", typedWith("former", "continue"))
	if want := "/mailboxes/" + support.ID.String(); a.status != http.StatusSeeOther || a.Get("Location") != want {
		t.Errorf("to continue leads to %d %q, want %q\n%s", a.status, a.Get("Location"), want, a.body)
	}
	b.post("/mailboxes", typedWith()).has(t, http.StatusConflict, "is connected already")
}

func TestBeginAfresh(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	b := o.browser(o.admin)
	b.post("/mailboxes/"+support.ID.String()+"/remove", url.Values{"issues": {"keep"}, "password": {ownPassword}})
	a := b.post("/mailboxes", typedWith("former", "new"))
	if a.status != http.StatusSeeOther || a.Get("Location") == "/mailboxes/"+support.ID.String() {
		t.Errorf("to begin afresh leads to %d %q\n%s", a.status, a.Get("Location"), a.body)
	}
}

func TestAKeptPasswordGoesToItsOwnServerOnly(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	with := []string{"outgoing.host", "smtp.example.net", "outgoing.port", "465", "outgoing.tls", "implicit"}
	at := b.post("/mailboxes", typedWith(with...)).Get("Location")
	refused := "The password that is kept was given for another server"
	b.post(at+"/test", typedWith(append(with, "credential.password", "", "outgoing.host", "smtp.evil.example")...)).
		has(t, http.StatusUnprocessableEntity, refused, `id="wrong-outgoing-credential-password"`)
	b.post(at+"/test", typedWith(append(with, "credential.password", "", "incoming.host", "imap.evil.example")...)).has(t, http.StatusUnprocessableEntity, refused)
	typed := typedWith(append(with, "credential.password", "", "outgoing.host", "127.0.0.1", "outgoing.port", "9", "outgoing.credential.password", "another one")...)
	if a := b.post(at+"/test", typed); a.status != http.StatusOK || strings.Contains(a.body, "another one") {
		t.Errorf("a test with a typed password to send with = %d\n%s", a.status, a.body)
	}
}

func TestTheFormInTheBrowser(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	old := o.box("Old", "the-old-address-of-the-whole-office@example.net")
	if err := o.db.DeleteMailbox(t.Context(), old.ID, false); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(360, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(o.site.URL+"/mailboxes/new"))
	wait(t, ctx, "the script is there", `!!window.htmx`)
	seen := func(selector string) string {
		return `!!document.querySelector("` + selector + `").getClientRects().length`
	}
	wait(t, ctx, "everything is unfolded", `(document.querySelectorAll("details").forEach((d) => { d.open = true; }), true)`)
	wait(t, ctx, "by IMAP mail can be moved", seen("#after-move")+" && "+seen("#incoming-folders")+" && !("+seen("#move-to")+") && !("+seen("#delete-warning")+")")
	click(t, ctx, "#after-move")
	click(t, ctx, "#protocol-pop3")
	wait(t, ctx, "a choice that is none any more says so", seen(".choose-again"))
	click(t, ctx, "#after-delete")
	wait(t, ctx, "and is settled", "!("+seen(".choose-again")+")")
	wait(t, ctx, "by POP3 it cannot", "!("+seen("#after-move")+") && !("+seen("#incoming-folders")+") && "+seen("#delete-warning"))
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#address"), old.Address), chromedp.SendKeys(chromedp.CSS("#credential-password"), "secret words"),
		chromedp.SendKeys(chromedp.CSS("#incoming-host"), "pop.example.net"))
	click(t, ctx, "button[data-save]")
	wait(t, ctx, "it asks whether the mailbox continues", `document.querySelector("#answer").innerText.includes("was connected here before, until just now")`)
	wait(t, ctx, "the page fits the screen", `document.documentElement.scrollWidth <= document.documentElement.clientWidth`)
	click(t, ctx, `button[value="continue"]`)
	wait(t, ctx, "it continues under its old address", `location.pathname === "/mailboxes/`+old.ID.String()+`" && document.body.innerText.includes("it is deleted there")`)
	complaints.fail(t)
}
