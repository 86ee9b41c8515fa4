package web

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom/internal/testbed"
)

// wait waits until a script's answer is true, also on the next page.
func wait(t *testing.T, ctx context.Context, what, script string) {
	t.Helper()
	limit, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for {
		_, err := chromedp.Run(limit, chromedp.Poll[bool](script))
		if err == nil {
			return
		}
		if limit.Err() == nil {
			continue // the page went away under the script
		}
		page, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`location.href + "\n" + document.body.innerText`))
		t.Fatalf("%s: not within 20 seconds (%v)\n%.1000s", what, err, page)
	}
}

func do(t *testing.T, ctx context.Context, steps ...chromedp.Action[chromedp.Void]) {
	t.Helper()
	ctx, cancel := context.WithTimeout(ctx, 60*time.Second)
	defer cancel()
	for i, step := range steps {
		if err := chromedp.Do(ctx, step); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
	}
}

// click clicks on what a list may just be replacing.
func click(t *testing.T, ctx context.Context, selector string) {
	t.Helper()
	wait(t, ctx, "click on "+selector, fmt.Sprintf(`(() => { const e = document.querySelector(%q); if (e) e.click(); return !!e; })()`, selector))
}

func TestTheListUpdatesByItself(t *testing.T) {
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	support := o.box("Support", "support@example.net")
	now := time.Now()
	for i := range 40 {
		support.deliver(letter("a@example.org", fmt.Sprintf("Letter %d", i), "x"), now.Add(-time.Duration(40-i)*time.Minute))
	}
	do(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(o.links[o.admin.ID]), chromedp.WaitReady("#issues"))
	wait(t, ctx, "the script is there", `!!window.htmx`)

	support.deliver(letter("tom@example.org", "It appears", "x"), now)
	wait(t, ctx, "a new issue appears at the top of a list at rest", `document.querySelector("a.row .what").innerText.includes("It appears")`)

	// Out of sight and back again, it hears of what has happened meanwhile.
	if _, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.dispatchEvent(new Event("visibilitychange"))`)); err != nil {
		t.Fatal(err)
	}
	support.deliver(letter("tom@example.org", "It comes later", "x"), now)
	wait(t, ctx, "the list goes on listening", `document.querySelector("#issues").innerText.includes("It comes later")`)

	// Somebody reads further down: nothing moves, and a pill says what waits.
	_, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`(document.querySelector(".listing").scrollTop = 400)`))
	if err != nil {
		t.Fatal(err)
	}
	second := support.deliver(letter("tom@example.org", "It waits", "x"), now.Add(time.Second))
	wait(t, ctx, "the pill counts", `document.querySelector("#news").innerText.trim() === "1 new"`)
	still, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`document.querySelector(".listing").scrollTop === 400 && !document.querySelector("#issues").innerText.includes("It waits")`))
	if err != nil || !still {
		t.Errorf("the list moved under its reader (%v)", err)
	}
	click(t, ctx, "#news a")
	wait(t, ctx, "the pill shows it", `document.querySelector("a.row .what").innerText.includes("It waits")`)

	// Open it with the keyboard, beside the list.
	do(t, ctx, chromedp.KeyEvent("j"), chromedp.KeyEvent("\r"))
	wait(t, ctx, "enter opens it beside the list", fmt.Sprintf(`document.querySelector("#thing[data-chosen='%s']") && location.pathname === "/issues/%s"`, second.Issue, second.Issue))
	do(t, ctx, chromedp.KeyEvent("e"))
	wait(t, ctx, "e closes it, here and in the list", fmt.Sprintf(`document.querySelector("#issue-head").innerText.includes("Closed") && document.querySelector("#row-%s").classList.contains("closed")`, second.Issue))
	do(t, ctx, chromedp.KeyEvent("n"))
	wait(t, ctx, "n goes to the note", `document.activeElement.id === "note"`)
	do(t, ctx, chromedp.SendKeys("#note", "I called."), chromedp.Click(chromedp.CSS("form.compose button")))
	wait(t, ctx, "the note is there once, and its field empty", `document.querySelectorAll(".entry.note").length === 1 && document.querySelector("#note").value === ""`)
	support.deliver(strings.Replace(letter("tom@example.org", "Re: It waits", "One more thing."), "MIME-Version", "In-Reply-To: <It+waits@example.org>\nMIME-Version", 1), now.Add(2*time.Second))
	wait(t, ctx, "an answer joins the issue that is open, and reopens it", `document.querySelector("#entries").innerText.includes("One more thing.") && document.querySelector("#issue-head").innerText.includes("Open")`)
	complaints.fail(t)
}

func TestAMailCanDoNothing(t *testing.T) {
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	var fetched atomic.Int64
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { fetched.Add(1) }))
	defer elsewhere.Close()
	evil := strings.NewReplacer("https://tracker.example/open.gif", elsewhere.URL+"/a.gif", "http://127.0.0.1:9/pixel.png", elsewhere.URL+"/b.png",
		"background:red", "background:url("+elsewhere.URL+"/c.png)").Replace(newsletter)
	o.box("Support", "support@example.net").deliver(evil, time.Now())
	do(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(o.site.URL+"/issues/1"), chromedp.WaitReady("iframe"))
	wait(t, ctx, "the frame is loaded", `document.querySelector("iframe").getBoundingClientRect().height > 50`)

	// The page cannot look into the frame, so look at its document as a page.
	do(t, ctx, chromedp.Navigate(o.site.URL+"/mails/1/html"))
	wait(t, ctx, "its own picture is shown", `document.images[0].complete && document.images[0].naturalWidth === 1`)
	title, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.title`))
	if err != nil || title != "Mail" {
		t.Errorf("the title is %q (%v): a script of the mail ran", title, err)
	}
	if n := fetched.Load(); n != 0 {
		t.Errorf("the mail loaded %d things from elsewhere", n)
	}
}

func TestWithoutOurScripts(t *testing.T) {
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	o.box("Support", "support@example.net").deliver(letter("tom@example.org", "Hello", "x"), time.Now())
	if _, err := chromedp.Call(ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/*.js", Block: true}}}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.site.URL+"/issues"),
		chromedp.SendKeys("#email", "ada@example.net"), chromedp.SendKeys("#password", ownPassword), chromedp.Click(chromedp.CSS("button.next")),
		chromedp.WaitVisible("a.row"), chromedp.Click(chromedp.CSS("a.row")),
		chromedp.WaitVisible("#note"), chromedp.SendKeys("#note", "I called."), chromedp.Click(chromedp.CSS("form.compose button")),
		chromedp.WaitVisible(".entry.note"), chromedp.Click(chromedp.CSS("button[data-key=e]")),
		chromedp.WaitVisible("form[action$=reopen] button"),
		chromedp.Click(chromedp.CSS("details.menu:last-of-type summary")), chromedp.Click(chromedp.CSS("button.danger")),
		chromedp.WaitVisible(".banner"), chromedp.Click(chromedp.CSS(".banner button")),
		chromedp.WaitVisible(".entry.note"))
	loaded, err := chromedp.Run(ctx, chromedp.Evaluate[bool](`!!window.htmx`))
	if err != nil || loaded {
		t.Errorf("the scripts were not kept out (%v)", err)
	}
}

func TestAFormKeepsWhatWasTyped(t *testing.T) {
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(o.site.URL+"/mailboxes/new"),
		chromedp.SendKeys("#address", "support@example.net"), chromedp.SendKeys("#credential-password", "secret words"))
	wait(t, ctx, "the script is there", `!!window.htmx`)
	do(t, ctx, chromedp.Click(chromedp.CSS("button[data-save]")))
	wait(t, ctx, "the answer stands beside the field", `document.querySelector("#wrong-incoming-host").innerText.length > 10`)
	wait(t, ctx, "the password is still there", `document.querySelector("#credential-password").value === "secret words"`)
	do(t, ctx, chromedp.Reload())
	wait(t, ctx, "what was typed survives a reload, but for the password",
		`document.querySelector("#address").value === "support@example.net" && document.querySelector("#credential-password").value === ""`)
	do(t, ctx, chromedp.Click(chromedp.CSS("#servers > summary")), chromedp.SendKeys("#incoming-host", "imap.example.net"), chromedp.SendKeys("#credential-password", "secret words"), chromedp.Click(chromedp.CSS("button[data-save]")))
	wait(t, ctx, "the mailbox is there", `location.pathname === "/mailboxes/1" && document.querySelector("#mailbox-state").innerText.includes("Draft")`)
	complaints.fail(t)
}
