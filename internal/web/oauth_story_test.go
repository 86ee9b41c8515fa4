package web

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// atProvider says at which step of the provider's pages a browser is, and as whom.
const atProvider = `(document.querySelector("form")?.id || "") + " " + (document.querySelector("#who")?.innerText || "")`

// provider signs in on the pages of the provider, up to the question what is allowed.
// It may know the browser, and the account, from before.
func (s *signInOffice) provider(ctx context.Context, account string) {
	s.Helper()
	wait(s.T, ctx, "the provider asks who it is", fmt.Sprintf(`location.origin === %q && !!document.querySelector("form")`, s.google.URL))
	for step := ""; ; {
		before := step
		wait(s.T, ctx, "the provider asks further", fmt.Sprintf(`document.readyState === "complete" && %s !== %q`, atProvider, before))
		var err error
		if step, err = chromedp.Run(ctx, chromedp.Evaluate[string](atProvider)); err != nil {
			s.Fatal(err)
		}
		switch name, who, _ := strings.Cut(step, " "); {
		case name == "consent" && who == account:
			return
		case name == "choose":
			click(s.T, ctx, fmt.Sprintf(`button[value=%q], #use-another`, account))
		case name == "password" && who == account:
			do(s.T, ctx, chromedp.SendKeys(chromedp.CSS("input[name=password]"), ownersWord), chromedp.Click(chromedp.CSS("#next")))
		case name == "password":
			click(s.T, ctx, "#use-another")
		case name == "account":
			wait(s.T, ctx, "empty the field", `(document.querySelector("#identifier").value = "") === ""`)
			do(s.T, ctx, chromedp.SendKeys("#identifier", account), chromedp.Click(chromedp.CSS("#next")))
		default:
			s.Fatalf("the provider is at %q", step)
		}
	}
}

// anotherTab opens another tab of a browser.
func anotherTab(t *testing.T, ctx context.Context) context.Context {
	t.Helper()
	beside, done := chromedp.NewContext(ctx)
	t.Cleanup(done)
	if err := chromedp.Do(beside); err != nil { // the tab lives as long as this context
		t.Fatal(err)
	}
	return beside
}

func allow(t *testing.T, ctx context.Context) {
	t.Helper()
	do(t, ctx, chromedp.Click(chromedp.CSS("#allow")))
}

func TestSomebodyConnectsByAnAddressAndASignIn(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	complaints := listenForComplaints(t, ctx)
	s.at(ctx, "/mailboxes/new")
	do(t, ctx, chromedp.SendKeys("#address", annasAddress), chromedp.KeyEvent("\t"))
	text(t, ctx, "#sign-in-offer", "Sign in with Google")
	text(t, ctx, "#sign-in-offer", "Choose an app password if")
	text(t, ctx, "#servers-line", "localhost by IMAP")
	fits(t, ctx, "sign-in-offer")
	click(t, ctx, "#sign-in-offer .button.next")
	s.provider(ctx, annasAddress)
	allow(t, ctx)
	wait(t, ctx, "it comes back to the page of the sign-in", `location.pathname === "/mailboxes/1/sign-in/1" && location.search === ""`)
	text(t, ctx, "#progress", "Connected. Mail to "+annasAddress+" arrives here from now on.")
	wait(t, ctx, "both sides were tried", `document.querySelectorAll("#progress .sides > section").length === 2 && document.querySelectorAll("#progress .step.good").length > 8 && !document.querySelector("#progress .step.bad")`)
	fits(t, ctx, "sign-in-connected")
	click(t, ctx, "#progress a[data-closes]")
	wait(t, ctx, "OK leads to the mailbox", `location.pathname === "/mailboxes/1"`)
	text(t, ctx, "main", "Signs in with Google as "+annasAddress)
	fits(t, ctx, "sign-in-mailbox")
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/1/credential"), chromedp.WaitReady("#content"))
	text(t, ctx, "main", "Read, send and delete mail")
	fits(t, ctx, "credential")
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/1/sign-in"), chromedp.WaitReady("#content"))
	fits(t, ctx, "sign-in-ways")
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/1/settings"), chromedp.WaitReady("#content"))
	text(t, ctx, "main", "Sign in again")
	fits(t, ctx, "sign-in-settings")
	complaints.fail(t)
}

func TestSignInsThatComeToNothing(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	m := s.draft()
	complaints := listenForComplaints(t, ctx)
	s.at(ctx, "/mailboxes/"+m.ID.String())
	text(t, ctx, "#mailbox-state", "nobody has signed in yet")
	click(t, ctx, "#mailbox-state .button.next")

	// Declined.
	s.provider(ctx, annasAddress)
	do(t, ctx, chromedp.Click(chromedp.CSS("#decline")))
	text(t, ctx, "#progress", "Nobody is signed in by this.")
	text(t, ctx, "#progress", "the mailbox is kept with all its settings")
	fits(t, ctx, "sign-in-declined")

	// A box was left empty.
	click(t, ctx, `#progress button[value="again"]`)
	s.provider(ctx, annasAddress)
	wait(t, ctx, "leave the box of the mail empty", `(() => { const box = document.querySelector('input[value="https://mail.google.com/"]'); if (box) box.checked = false; return !!box; })()`)
	allow(t, ctx)
	text(t, ctx, "#progress", "Not everything was allowed")
	text(t, ctx, "#progress", "Read, compose, send, and permanently delete all your email from Gmail")
	fits(t, ctx, "sign-in-unticked")

	// Somebody else signed in.
	click(t, ctx, `#progress button[value="again"]`)
	s.provider(ctx, bertsAddress)
	allow(t, ctx)
	text(t, ctx, "#progress", bertsAddress)
	text(t, ctx, "#progress", annasAddress)
	fits(t, ctx, "sign-in-wrong-account")
	click(t, ctx, `#progress button[value="again"]`)
	s.provider(ctx, annasAddress)
	allow(t, ctx)
	text(t, ctx, "#progress", "Connected.")
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/"+m.ID.String()+"/credential"), chromedp.WaitReady("#content"))
	text(t, ctx, "main", "Came to nothing")
	fits(t, ctx, "credential-after-trouble")
	complaints.fail(t)
}

func TestATabThatIsClosedLosesNothing(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	s.at(ctx, "/mailboxes/new")
	do(t, ctx, chromedp.SendKeys("#address", annasAddress), chromedp.KeyEvent("\t"))
	text(t, ctx, "#sign-in-offer", "Sign in with Google")
	wait(t, ctx, "give it a name", `(() => { const f = document.querySelector("[name=name]"); f.value = "Anna’s mail"; f.dispatchEvent(new Event("input", { bubbles: true })); return true; })()`)
	click(t, ctx, "#sign-in-offer .button.next")
	s.provider(ctx, annasAddress)

	// Closed before anything was allowed: the draft is there, with all its fields.
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/1"), chromedp.WaitReady("#content"))
	wait(t, ctx, "the draft has its name", `document.querySelector("h1").innerText === "Anna’s mail"`)
	text(t, ctx, "#mailbox-state", "nobody has signed in yet")

	// In a tab of its own this time, which is closed as soon as everything is allowed.
	beside := anotherTab(t, ctx)
	do(t, beside, chromedp.Navigate(s.site.URL+"/mailboxes/1"), chromedp.WaitReady("#content"))
	wait(t, beside, "the script is there", `!!window.htmx`)
	click(t, beside, "#mailbox-state .button.next")
	s.provider(beside, annasAddress)
	allow(t, beside)
	wait(t, beside, "it is back", `location.origin === `+fmt.Sprintf("%q", s.site.URL))
	if err := chromedp.Cancel(beside); err != nil {
		t.Errorf("close the tab: %v", err)
	}
	text(t, ctx, "#mailbox-state", "Draft. The settings are being tried now.") // by whoever reads mailboxes, whom this office has not
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/1/credential"), chromedp.WaitReady("#content"))
	text(t, ctx, "main", "It is opened by a sign-in with Google.")
}

func TestAnOwnerSignsInByALink(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	m := s.draft(func(m *postroom.Mailbox) { m.Name = "<b>" + strings.Repeat("Donaudampfschifffahrt", 8) })
	s.at(ctx, "/mailboxes/"+m.ID.String()+"/sign-in")
	click(t, ctx, `button[value="copy"]`)
	wait(t, ctx, "the link is shown", `!!document.querySelector(".once code") && document.querySelector(".once code").innerText.includes("/link/")`)
	fits(t, ctx, "link-made")
	link, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".once code").innerText.trim()`))
	if err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/links"), chromedp.WaitReady("#content"))
	text(t, ctx, "main", "Not opened yet")
	fits(t, ctx, "links")

	owner := testbed.Chromium(t) // which knows nobody here
	complaints := listenForComplaints(t, owner)
	do(t, owner, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(link), chromedp.WaitReady("#content"))
	text(t, owner, "main", "Ada Admin asks you to sign in")
	text(t, owner, "main", "Send from it")
	fits(t, owner, "link-owner")
	do(t, owner, chromedp.Click(chromedp.CSS("button.next")))
	s.provider(owner, annasAddress)
	allow(t, owner)
	wait(t, owner, "the owner sees this sign-in only", `location.pathname.startsWith("/oauth/result/")`)
	text(t, owner, "#progress", "That is all. You can close this page.")
	fits(t, owner, "link-done")
	complaints.fail(t)
	do(t, owner, chromedp.Navigate(link), chromedp.WaitReady("#content"))
	text(t, owner, "main", "This link was used already")
	fits(t, owner, "link-spent")
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/links"), chromedp.WaitReady("#content"))
	text(t, ctx, "main", "Nobody is waited for.")
}

func TestASharedMailboxIsAskedAbout(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	s := openSignInOffice(t, simulator.OAuthOptions{Kind: simulator.MicrosoftOAuth})
	s.register()
	s.google.Share(sharedAddress, annasMicrosoft)
	m := s.draft(func(m *postroom.Mailbox) {
		m.Name, m.Address, m.Incoming.Username, m.Outgoing.Username = "Support", sharedAddress, sharedAddress, sharedAddress
	})
	complaints := listenForComplaints(t, ctx)
	s.at(ctx, "/mailboxes/"+m.ID.String())
	click(t, ctx, "#mailbox-state .button.next")
	s.provider(ctx, annasMicrosoft)
	allow(t, ctx)
	text(t, ctx, "#progress", "You signed in as "+annasMicrosoft+", and this is the mailbox "+sharedAddress+".")
	fits(t, ctx, "sign-in-question")
	click(t, ctx, `#progress button[value="shared"]`)
	text(t, ctx, "#progress", "Connected.")
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/"+m.ID.String()+"/credential"), chromedp.WaitReady("#content"))
	text(t, ctx, "main", annasMicrosoft)

	// On another device.
	do(t, ctx, chromedp.Navigate(s.site.URL+"/mailboxes/"+m.ID.String()+"/sign-in"), chromedp.WaitReady("#content"))
	wait(t, ctx, "unfold the other ways", `(document.querySelectorAll("details.more").forEach((d) => { d.open = true; }), true)`)
	fits(t, ctx, "sign-in-other-ways")
	click(t, ctx, `button[value="device"]`)
	wait(t, ctx, "there is a code", `(document.querySelector(".device-code")?.innerText || "").length > 5`)
	fits(t, ctx, "sign-in-device")
	code, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".device-code").innerText.trim()`))
	if err != nil {
		t.Fatal(err)
	}
	phone, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.querySelector(".progress a.outside").href`))
	if err != nil {
		t.Fatal(err)
	}
	beside := anotherTab(t, ctx)
	do(t, beside, chromedp.Navigate(phone), chromedp.WaitVisible("#user_code"), chromedp.SendKeys("#user_code", code), chromedp.Click(chromedp.CSS("#next")))
	wait(t, beside, "the code is taken", `document.readyState === "complete" && document.querySelector("form").id !== "code"`)
	s.provider(beside, annasMicrosoft)
	allow(t, beside)
	text(t, ctx, "#progress", "Connected.")
	fits(t, ctx, "sign-in-by-device")
	complaints.fail(t)
}

// Without scripts a form leads to the provider all the same, though its policy keeps
// it from being sent there.
func TestSigningInWithoutOurScripts(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	s := openSignInOffice(t, simulator.OAuthOptions{})
	s.register()
	m := s.draft()
	if _, err := chromedp.Call(ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/*.js", Block: true}}}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.site.URL+"/sign-in?"+url.Values{"next": {"/mailboxes/" + m.ID.String()}}.Encode()),
		chromedp.SendKeys("#email", "ada@example.net"), chromedp.SendKeys("#password", ownPassword), chromedp.Click(chromedp.CSS("button.next")),
		chromedp.WaitVisible("#mailbox-state .button.next"), chromedp.Click(chromedp.CSS("#mailbox-state .button.next")))
	s.provider(ctx, annasAddress)
	allow(t, ctx)
	wait(t, ctx, "it is back", `location.pathname.startsWith("/mailboxes/")`)
	for range 50 { // what the page asks the browser to do where there are no scripts at all
		do(t, ctx, chromedp.Reload(), chromedp.WaitReady("#progress"))
		through, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.querySelector("#progress").innerText.includes("Connected.")`))
		if err != nil {
			t.Fatal(err)
		}
		if through {
			return
		}
	}
	text(t, ctx, "#progress", "Connected.")
}
