package web

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// What somebody has typed stays until they say otherwise; what was found stands
// beside it.
func TestWhatWasFoundStandsBesideWhatWasTyped(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	company := o.company()
	complaints := listenForComplaints(t, ctx)
	o.at(ctx, "/mailboxes/new")
	click(t, ctx, "#servers > summary")
	do(t, ctx, chromedp.SendKeys("#incoming-host", "imap.typed.example"), chromedp.SendKeys("#incoming-username", "me"),
		chromedp.SendKeys("#credential-password", "seven words"), chromedp.SendKeys("#address", "support@company.example\t"))
	text(t, ctx, "#discovered", "published by company.example")
	text(t, ctx, "#discovered", "Server for reading")
	wait(t, ctx, "what was typed stays", `document.querySelector("#incoming-host").value === "imap.typed.example" && document.querySelector("#incoming-username").value === "me"`)
	fits(t, ctx, "difference")
	click(t, ctx, `#discovered input[value="incoming.username"]`)
	click(t, ctx, `#discovered button[value=found]`)
	wait(t, ctx, "what is ticked is taken over, and the rest stays", `document.querySelector("#incoming-host").value === "`+companyHost+`" && document.querySelector("#incoming-username").value === "me"`)
	wait(t, ctx, "with its port", fmt.Sprintf(`document.querySelector("#incoming-port").value === "%d" && document.querySelector("#outgoing-port").value === "%d"`, company.Port, company.smtp.Port))
	wait(t, ctx, "the password stays", `document.querySelector("#credential-password").value === "seven words"`)
	text(t, ctx, "#discovered", "Taken over. Nothing is kept yet.")

	do(t, ctx, chromedp.SendKeys("#address", "x"))
	wait(t, ctx, "another address", `(document.querySelector("#address").value = "support@nowhere.example", document.querySelector("#address").dispatchEvent(new Event("change", {bubbles: true})))`)
	text(t, ctx, "#discovered", "No servers were found for nowhere.example.")
	wait(t, ctx, "a search that finds nothing takes nothing away", `document.querySelector("#incoming-host").value === "`+companyHost+`"`)
	fits(t, ctx, "nothing-found-for-it")
	complaints.fail(t)
}

func TestASlipInTheAddressIsMended(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	o.company()
	complaints := listenForComplaints(t, ctx)
	o.at(ctx, "/mailboxes/new")
	do(t, ctx, chromedp.SendKeys("#address", "tom@gmial.com\t"))
	text(t, ctx, "#discovered", "Did you mean tom@gmail.com?")
	wait(t, ctx, "the line does not say that they were found", `document.querySelector("#servers-line").innerText.trim() === "Servers"`)
	click(t, ctx, `[data-set="#address"]`)
	text(t, ctx, "#servers-line", "Gmail: imap.gmail.com by IMAP, sending by smtp.gmail.com")
	text(t, ctx, "#servers-line", "known provider")
	text(t, ctx, "#credential-password-words", "wants an app password here")
	fits(t, ctx, "gmail")
	complaints.fail(t)
}

func TestAPastedPasswordIsLookedAtInTheBrowser(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	o.company()
	complaints := listenForComplaints(t, ctx)
	o.at(ctx, "/mailboxes/new")
	wait(t, ctx, "watch what is sent", `(document.body.addEventListener("htmx:configRequest", (e) => { window.sent = [...e.detail.formData.keys()].join(); }), true)`)
	do(t, ctx, chromedp.SendKeys("#credential-password", "abcd efgh ijkl mnop"), chromedp.SendKeys("#address", "tom@gmail.com\t"))
	wait(t, ctx, "no password is sent to find the servers", `window.sent && window.sent.includes("address") && !window.sent.includes("password")`)
	text(t, ctx, "#credential-password-words", "This looks like an app password of Gmail.")
	wait(t, ctx, "empty it", `(document.querySelector("#credential-password").value = "") === ""`)
	do(t, ctx, chromedp.SendKeys("#credential-password", "Rosebud1941!\t"))
	text(t, ctx, "#credential-password-words", "This looks like your normal password, which Gmail no longer accepts from programs.")
	wait(t, ctx, "it leads to the guide", `document.querySelector('#credential-password-words a[href^="/guides/gmail?address=tom%40gmail.com"]') !== null`)
	fits(t, ctx, "normal-password")
	wait(t, ctx, "non-breaking blanks and dashes of a word processor", `(() => { const f = document.querySelector("#credential-password"); f.value = " abcd\u00a0efgh\u2013ijkl\u200bmnop "; f.dispatchEvent(new InputEvent("input", {bubbles: true})); return true; })()`)
	text(t, ctx, "#credential-password-words", "This looks like an app password of Gmail.")
	complaints.fail(t)
}

func TestFoldersArePicked(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	company := o.company()
	for i := range 30 {
		if _, err := company.Append("support@company.example", fmt.Sprintf("Customers with a rather long name that nobody can say in one breath %02d", i), []byte("Subject: x\r\n\r\nx\r\n"), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	company.AddAccount("support@company.example", keptPassword)
	support := o.box("Support", "support@company.example", func(m *postroom.Mailbox) {
		m.Incoming.Host, m.Incoming.Port, m.Incoming.CACertificate = companyHost, company.Port, company.CAPEM
	})
	complaints := listenForComplaints(t, ctx)
	o.at(ctx, "/mailboxes/"+support.ID.String()+"/settings")
	wait(t, ctx, "unfold", `(document.querySelectorAll("details.more").forEach((d) => { d.open = true; }), true)`)
	click(t, ctx, `button[formaction$="/folders"]`)
	text(t, ctx, "#folder-choice", "The server has 31 folders. Which are read?")
	wait(t, ctx, "what is read is ticked", `[...document.querySelectorAll("input[name=pick]:checked")].map((b) => b.value).join() === "INBOX"`)
	do(t, ctx, chromedp.SendKeys("#folder-search", "breath 07"))
	wait(t, ctx, "the list is searched", `[...document.querySelectorAll("#folder-choice li")].filter((l) => !l.hidden).length === 1`)
	click(t, ctx, `#folder-choice li:not([hidden]) input`)
	wait(t, ctx, "the field has both", `document.querySelector("#incoming-folders").value.split("\n").length === 2 && document.querySelector("#incoming-folders").value.includes("breath 07")`)
	do(t, ctx, chromedp.SendKeys("#incoming-folders", "\nTyped by hand"))
	fits(t, ctx, "folders")
	wait(t, ctx, "the folders are offered for moving", `document.querySelectorAll("#folders-known option").length === 31 && document.querySelector("#move-to").getAttribute("list") === "folders-known"`)
	click(t, ctx, ".actions.main button[data-save]")
	wait(t, ctx, "it is saved", `location.pathname === "/mailboxes/`+support.ID.String()+`"`)
	m, err := o.db.Mailbox(t.Context(), support.ID)
	if err != nil || len(m.Incoming.Folders) != 3 || m.Incoming.Folders[2] != "Typed by hand" {
		t.Errorf("the folders are %q (%v)", m.Incoming.Folders, err)
	}
	complaints.fail(t)
}

func TestTheMenuOfARow(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	company := o.company()
	company.AddAccount("support@company.example", keptPassword)
	support := o.box("Support", "support@company.example", func(m *postroom.Mailbox) {
		m.Incoming.Host, m.Incoming.Port, m.Incoming.CACertificate = companyHost, company.Port, company.CAPEM
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: m.Incoming.ServerSettings}
		m.Outgoing.Port = company.smtp.Port
	})
	o.box("A mailbox with a name that is longer than any list has room for, whatever the screen", "somebody-with-a-long-name@a-domain-that-is-long-too.example")
	complaints := listenForComplaints(t, ctx)
	menu := "#box-" + support.ID.String() + " .row-menu"
	o.at(ctx, "/mailboxes")
	do(t, ctx, chromedp.Focus(menu+" > summary"), chromedp.KeyEvent("\r"))
	wait(t, ctx, "it opens by the keyboard", `document.querySelector("`+menu+`").open`)
	fits(t, ctx, "row-menu")
	wait(t, ctx, "watch the list", `(document.body.addEventListener("htmx:beforeSwap", (e) => { if (e.detail.target.id === "mailboxes") window.renewed = true; }), true)`)
	support.deliver(letter("tom@example.org", "Hello", "x"), time.Now())
	wait(t, ctx, "news come", `window.renewed === true`)
	wait(t, ctx, "news do not close it", `document.querySelector("`+menu+`").open`)
	click(t, ctx, menu+` button[value=outgoing]`)
	wait(t, ctx, "sending is tested", `location.pathname === "/mailboxes/`+support.ID.String()+`/test"`)
	text(t, ctx, ".test", "Sending works.")
	fits(t, ctx, "test-of-sending")
	click(t, ctx, `form[aria-label=Test] button:not([name])`)
	text(t, ctx, ".test", "Everything works.")
	wait(t, ctx, "back to the list", `(location.assign("/mailboxes"), true)`)
	wait(t, ctx, "the list", `location.pathname === "/mailboxes" && !!window.htmx`)
	click(t, ctx, menu+` form[action$="/pause"] button`)
	text(t, ctx, "#box-"+support.ID.String(), "Paused")
	complaints.fail(t)
}

// Leaving the page ends the test, and with it the connection to the server.
func TestLeavingThePageEndsTheTest(t *testing.T) {
	o := openOffice(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ended := make(chan error, 1)
	go func() {
		conn, err := silent.Accept()
		if err != nil {
			ended <- err
			return
		}
		defer conn.Close()
		_, err = io.Copy(io.Discard, conn)
		ended <- err
	}()
	b := o.browser(o.admin)
	typed := typedWith("incoming.host", "localhost", "incoming.port", port(silent.Addr().(*net.TCPAddr).Port), "incoming.tls", "none", "incoming.auth_timeout", "200", "incoming.connect_timeout", "200")
	at := streamOfTest.FindString(b.post("/mailboxes/test", typed, "HX-Request", "true").body)
	ctx, leave := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.site.URL+at, nil)
	if err != nil {
		t.Fatal(err)
	}
	w, err := b.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Body.Close()
	var seen strings.Builder
	for piece := make([]byte, 4096); !strings.Contains(seen.String(), "Hear its greeting"); {
		n, err := w.Body.Read(piece)
		if err != nil {
			t.Fatalf("%v after %s", err, seen.String())
		}
		seen.Write(piece[:n])
	}
	leave()
	select {
	case <-ended:
	case <-time.After(5 * time.Second):
		t.Error("five seconds after the page was left its test still holds the server")
	}
}

// Without our scripts everything is there, page after page.
func TestConnectingWithoutOurScripts(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	o.company()
	if _, err := chromedp.Call(ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/*.js", Block: true}}}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(o.site.URL+"/mailboxes/new"),
		chromedp.SendKeys("#address", "support@company.example"), chromedp.SendKeys("#credential-password", companyPassword), chromedp.Click(chromedp.CSS("button[data-test]")),
		chromedp.WaitVisible("section.test"))
	text(t, ctx, "#servers-line", "mail.company.example by IMAP")
	text(t, ctx, "section.test", "It does not work yet.")
	text(t, ctx, "section.test", "is not trusted")
	wait(t, ctx, "unfold", `(document.querySelectorAll("section.test details").forEach((d) => { d.open = true; }), true)`)
	do(t, ctx, chromedp.Click(chromedp.CSS(`button[name=set][value^="incoming.pinned_sha256"]`)), chromedp.WaitReady("#incoming-pinned-sha256"))
	wait(t, ctx, "the fingerprint stands in its field", `document.querySelector("#incoming-pinned-sha256").value.length === 64 && document.querySelector("#address").value === "support@company.example"`)
	do(t, ctx, chromedp.SendKeys("#credential-password", companyPassword), chromedp.Click(chromedp.CSS(".actions.main button[data-save]")), chromedp.WaitReady("#mailbox-state"))
	m, err := o.db.MailboxByAddress(t.Context(), "support@company.example")
	if err != nil || m.Incoming.Host != companyHost || len(m.Incoming.PinnedSHA256) != 64 {
		t.Errorf("kept is %+v (%v)", m.Incoming, err)
	}
	do(t, ctx, chromedp.Navigate(o.site.URL+"/mailboxes/1/settings"), chromedp.WaitReady("#address"))
	wait(t, ctx, "unfold", `(document.querySelectorAll("details.more").forEach((d) => { d.open = true; }), true)`)
	do(t, ctx, chromedp.Click(chromedp.CSS(`button[formaction$="/folders"]`)), chromedp.WaitReady("#folder-choice fieldset"))
	text(t, ctx, "#folder-choice", "INBOX")
}

func TestOnlyWhatATestAdvisesIsBroughtAlong(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String() + "/settings?set="
	pin := strings.Repeat("ab", 32)
	b.get(at+url.QueryEscape("incoming.pinned_sha256="+pin)).has(t, http.StatusOK, `value="`+pin+`"`, "It is kept when you save.")
	b.get(at+url.QueryEscape("incoming.auth_timeout=12s")).has(t, http.StatusOK, `value="12"`, "It is kept when you save.")
	for _, set := range []string{"incoming.host=evil.example", "incoming.pinned_sha256=zz", "incoming.auth_timeout=1;2", "visible_to=users", "credential.password=x"} {
		if page := b.get(at + url.QueryEscape(set)).body; strings.Contains(page, "It is kept when you save.") || strings.Contains(page, "evil.example") {
			t.Errorf("a link sets %s", set)
		}
	}
}
