package web

import (
	"net/url"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

func TestStoryOfAnApp(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	c := openCareOffice(t)
	complaints := listenForComplaints(t, ctx)
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(c.links[c.admin.ID]), chromedp.Navigate(c.site.URL+appsAddress+"?"), chromedp.WaitVisible(".empty a.next"),
		chromedp.Navigate(c.site.URL+appsAddress+"/new?return="+url.QueryEscape("/mailboxes/new")), chromedp.WaitVisible(".symptoms"))
	click(t, ctx, `.symptoms a[href*="google_workspace"]`)
	wait(t, ctx, "the form is there", `!!document.querySelector("#client-secret") && !!window.htmx`)
	wait(t, ctx, "the redirect address is there to be copied", `document.querySelector("#redirect").innerText === location.origin + "/oauth/callback"`)
	do(t, ctx, chromedp.SendKeys("#client-secret", "GOCSPX-not-the-one"), chromedp.Click(chromedp.CSS("button[data-save]")))
	wait(t, ctx, "what is missing is said beside its field", `document.querySelector("#wrong-client-id").innerText.length > 10`)
	wait(t, ctx, "what was typed is still there", `document.querySelector("#client-secret").value === "GOCSPX-not-the-one"`)
	do(t, ctx, chromedp.SendKeys("#client-id", careClient), chromedp.Click(chromedp.CSS("button[data-save]")))
	wait(t, ctx, "the check runs by itself, and refutes the secret", `[...document.querySelectorAll(".verdict-item.bad")].some((v) => v.innerText.includes("Refuted") && v.innerText.includes("Secret"))`)
	wait(t, ctx, "the mailbox that waits is not what comes next", `!document.querySelector("#verdicts a.next")`)
	click(t, ctx, "#change > summary")
	do(t, ctx, chromedp.SendKeys("#client-secret", careSecret), chromedp.Click(chromedp.CSS("#change button[data-save]")))
	wait(t, ctx, "the new secret is proven", `[...document.querySelectorAll(".verdict-item.good")].some((v) => v.innerText.includes("takes the client secret")) && !document.querySelector(".verdict-item.bad")`)
	if page, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.documentElement.outerHTML + JSON.stringify(sessionStorage) + JSON.stringify(localStorage)`)); err != nil || strings.Contains(page, careSecret) || strings.Contains(page, "GOCSPX-not") {
		t.Errorf("the page or the browser keeps a secret (%v)", err)
	}
	click(t, ctx, "#verdicts a.next")
	wait(t, ctx, "it goes on with the mailbox", `location.pathname === "/mailboxes/new"`)
	complaints.fail(t)
}

func TestStoryOfAContact(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	c := openCareOffice(t)
	complaints := listenForComplaints(t, ctx)
	smtp, err := c.mail.StartSMTP(simulator.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c.mail.AddAccount(contactAddress, "five open red doors")
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(c.links[c.admin.ID]), chromedp.Navigate(c.site.URL+"/mailboxes"), chromedp.WaitVisible(".banner"))
	click(t, ctx, ".banner a.button")
	wait(t, ctx, "the question leads to its answer", `location.pathname === "/settings/alerts" && !!document.querySelector("#contact")`)
	do(t, ctx, chromedp.SendKeys("#contact", contactAddress), chromedp.Click(chromedp.CSS("form[action$=contact] button.next")))
	wait(t, ctx, "without a way out the test says so", `location.pathname === "/settings/alerts/contact" && document.querySelector("#outcome").innerText.includes("Could not be sent")`)
	do(t, ctx, chromedp.Navigate(c.site.URL+alertSettingsAddress+"?return=/mailboxes"))
	click(t, ctx, "section[aria-labelledby=relay-title] summary")
	do(t, ctx, chromedp.SendKeys("#relay-host", "127.0.0.1"), chromedp.SendKeys("#relay-port", port(smtp.Port)), chromedp.SendKeys("#relay-from", contactAddress),
		chromedp.SendKeys("#relay-username", contactAddress), chromedp.SendKeys("#relay-password", "five open red doors"))
	wait(t, ctx, "a server on this machine needs no encryption", `(() => { document.querySelector("#relay-tls").value = "none"; return true; })()`)
	do(t, ctx, chromedp.Click(chromedp.CSS("form[action$=relay] button.next")))
	wait(t, ctx, "the test was sent", `!!document.querySelector("#outcome .state.good") && document.querySelector("#outcome").innerText.includes("by 127.0.0.1")`)
	c.arrives(1)
	if raw := string(c.mail.Messages(contactAddress, "INBOX")[0].Raw); !strings.Contains(raw, "Subject: ") {
		t.Errorf("what arrived is no mail:\n%s", raw)
	}
	click(t, ctx, ".bar a.next")
	wait(t, ctx, "it leads back, where nothing is asked any more", `location.pathname === "/mailboxes" && !document.querySelector(".banner")`)
	complaints.fail(t)
}

func TestStoryOfAnAlert(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	c := openCareOffice(t)
	c.relay()
	c.watch()
	c.alerted(0)
	complaints := listenForComplaints(t, ctx)
	orders := c.box("Orders", "orders@gmail.com", at("imap.gmail.com"))
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(c.links[c.admin.ID]), chromedp.Navigate(c.site.URL+"/issues"), chromedp.WaitReady("#bell"))
	wait(t, ctx, "the page listens", `!!window.htmx && !document.querySelector("#bell .bell-count")`)

	// It happens while somebody types: the bell counts at once, the pop-up waits.
	do(t, ctx, chromedp.SendKeys("#search", "green"))
	c.ails(orders, revoked())
	c.alerted(1)
	wait(t, ctx, "the bell counts", `document.querySelector("#bell .bell-count.bad")?.innerText.startsWith("1")`)
	wait(t, ctx, "nothing comes up under the hands of somebody who types", `!!document.querySelector("#popup") && !document.querySelector("#popup").open && document.activeElement.id === "search"`)
	wait(t, ctx, "somebody stops typing", `(() => { document.activeElement.blur(); return true; })()`)
	wait(t, ctx, "then it comes up, with the focus on its words", `document.querySelector("#popup").open && document.activeElement.id === "popup-title"`)
	wait(t, ctx, "it leads straight into signing in", `document.querySelector("#popup form[action='/mailboxes/1/sign-in'][method=post] button").innerText === "Sign in again"`)

	// With the keyboard alone: Escape closes it, for good.
	do(t, ctx, chromedp.KeyEvent("\x1b"))
	wait(t, ctx, "Escape closes it", `!document.querySelector("#popup")?.open`)
	wait(t, ctx, "something else on the page changes", `document.dispatchEvent(new Event("htmx:afterSwap"))`)
	wait(t, ctx, "it stays closed", `!document.querySelector("#popup")?.open`)
	for { // the answer of the server is under way
		if a := c.alerted(1)[0]; !a.SeenAt.IsZero() {
			break
		}
	}
	do(t, ctx, chromedp.Navigate(c.site.URL+"/mailboxes"), chromedp.WaitVisible(".banner.bad"))
	wait(t, ctx, "it does not come again, and the bell keeps it", `!document.querySelector("#popup") && document.querySelector("#bell .bell-count").innerText.startsWith("1")`)
	click(t, ctx, ".banner .close button")
	wait(t, ctx, "the banner is closed", `!document.querySelector(".banner")`)
	do(t, ctx, chromedp.Reload(), chromedp.WaitReady("#bell"))
	wait(t, ctx, "it stays closed, and the bell keeps it", `!!window.htmx && !document.querySelector(".banner") && document.querySelector("#bell .bell-count").innerText.startsWith("1")`)

	// What it is about, and that it has passed.
	click(t, ctx, "#bell")
	wait(t, ctx, "the alert tells what happened", `document.querySelector("#alerts")?.innerText.includes("Google no longer lets Postroom read this mailbox.")`)
	c.mend(orders)
	c.calm()
	wait(t, ctx, "the bell is calm by itself", `!document.querySelector("#bell .bell-count")`)
	wait(t, ctx, "and the page says that it has passed", `document.querySelector("#alerts").innerText.includes("Nothing needs anybody.") && document.querySelector(".ended").innerText.includes("Orders")`)
	complaints.fail(t)
}

func TestABannerThatIsMendedSaysSo(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	c := openCareOffice(t)
	c.relay()
	c.watch()
	c.alerted(0)
	orders := c.box("Orders", "orders@gmail.com", at("imap.gmail.com"), func(m *postroom.Mailbox) { m.Name = "Orders" })
	c.ails(orders, revoked())
	c.alerted(1)
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(c.links[c.admin.ID]), chromedp.Navigate(c.site.URL+"/issues"))
	wait(t, ctx, "it comes up on the first page", `!!window.htmx && document.querySelector("#popup").open`)
	click(t, ctx, "#popup form[data-seen] button")
	wait(t, ctx, "closed by its button", `!document.querySelector("#popup").open`)
	height, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`document.querySelector(".banner").offsetHeight`))
	if err != nil {
		t.Fatal(err)
	}
	c.mend(orders)
	c.calm()
	wait(t, ctx, "the banner says that it is mended", `document.querySelector(".banner.good").innerText.trim().startsWith("Mended: ")`)
	after, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`document.querySelector(".banner").offsetHeight`))
	if err != nil || after != height {
		t.Errorf("the banner was %v high and is %v: the page has moved (%v)", height, after, err)
	}
	c.ails(orders, revoked())
	wait(t, ctx, "the banner says that it is not", `document.querySelector(".banner.bad").innerText.trim().startsWith("Orders") && document.querySelector(".banner.bad form, .banner.bad .button").offsetHeight > 0`)
}
