package web

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

func TestEveryPageKnowsTheWayToHelp(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	for _, path := range []string{"/issues", "/mailboxes", "/mailboxes/new", "/settings", "/health", "/guides", "/help", "/help/words", "/nothing"} {
		if page := b.get(path); !strings.Contains(page.body, `href="/help/arrive"`) || !strings.Contains(page.body, "My mail no longer arrives") {
			t.Errorf("%s does not lead to help", path)
		}
	}
}

// Whatever somebody noticed, and whoever it is: the page ends with something to do.
func TestASymptomEndsAtANextStep(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	support.deliver(letter("tom@example.org", "The greenhouse leaks", "x"), time.Now())
	orders := o.box("Orders", "orders@gmail.com", at("imap.gmail.com"))
	o.ails(orders, pastedPassword())
	paused := o.box("Archive", "archive@example.net")
	if err := o.db.PauseMailbox(t.Context(), paused.ID); err != nil {
		t.Fatal(err)
	}
	admin, agent := o.browser(o.admin), o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	tests := []struct {
		path         string
		admin, agent string
	}{
		{"/help/arrive", `href="/help/arrive/` + orders.ID.String() + `"`, "What did you notice?"},
		{"/help/arrive?q=orders", "Google refused this password.", "Google refused this password."},
		{"/help/arrive?q=zebra", "Connect a mailbox", "ask Ada Admin to connect it"},
		{"/help/arrive?what=password", "Make an app password", "Make an app password"},
		{"/help/arrive?what=missing", "Look for it", "Look for it"},
		{"/help/arrive?what=missing&q=greenhouse", "The greenhouse leaks", "The greenhouse leaks"},
		{"/help/arrive?what=missing&q=zebra", "No mail with “zebra” is here.", "Look at the mailbox it was sent to"},
		{"/help/arrive?what=bounced", "support@example.net", "support@example.net"},
		{"/help/arrive?what=spam", "/settings#incoming-folders", "ask Ada Admin"},
		{"/help/arrive/" + support.ID.String(), "Reading. New mail becomes an issue as it arrives.", "Look for the mail"},
		{"/help/arrive/" + orders.ID.String(), "/mailboxes/" + orders.ID.String() + "/password", "show this page to Ada Admin"},
		{"/help/arrive/" + paused.ID.String(), "Resume reading", "show this page to Ada Admin"},
	}
	for _, test := range tests {
		for who, b := range map[string]*browser{test.admin: admin, test.agent: agent} {
			page := b.get(test.path)
			page.has(t, http.StatusOK, who)
			inside := page.body[strings.Index(page.body, "<main"):strings.Index(page.body, `<p class="foot">`)]
			if !strings.Contains(inside, `class="button`) && !strings.Contains(inside, "<a ") {
				t.Errorf("%s ends nowhere", test.path)
			}
		}
	}
	if page := agent.get("/help/arrive/" + orders.ID.String()); strings.Contains(page.body, "/resume") || strings.Contains(page.body, `/password"`) {
		t.Error("an agent is offered what only an administrator can do")
	}
}

func TestHelpHidesOtherPeoplesMailboxes(t *testing.T) {
	o := openOffice(t)
	secret := o.box("Payroll", "payroll@example.net", func(m *postroom.Mailbox) {
		m.Owner, m.Visibility = o.admin.ID, postroom.Visibility{Kind: postroom.VisibleToOwner}
	})
	secret.deliver(letter("tom@example.org", "Salaries", "x"), time.Now())
	o.ails(secret, pastedPassword())
	agent := o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	for _, path := range []string{"/help/arrive", "/help/arrive?q=payroll", "/help/arrive?what=password", "/help/arrive?what=missing&q=tom", "/help/arrive?what=bounced", "/help/arrive?what=spam"} {
		if page := agent.get(path); page.status != http.StatusOK || strings.Contains(page.body, "Payroll") || strings.Contains(page.body, "payroll@") || strings.Contains(page.body, "Salaries") {
			t.Errorf("%s answers %d, or tells of a mailbox that is not for this reader", path, page.status)
		}
	}
	for _, path := range []string{"/help/arrive/" + secret.ID.String(), "/guides/gmail?mailbox=" + secret.ID.String()} {
		agent.get(path).has(t, http.StatusNotFound, "or its mail is not for you")
	}
	agent.get("/help/arrive?what=missing&q=tom").has(t, http.StatusOK, "Some mailboxes are not for you to see.")
}

func TestWordsAreFoundByTheirOtherNames(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	page := b.get("/help/words")
	page.has(t, http.StatusOK, `id="app-password"`, "Also called: ")
	ids := make(map[string]bool)
	for _, id := range regexp.MustCompile(`<div id="([^"]+)"><dt>`).FindAllStringSubmatch(page.body, -1) {
		if ids[id[1]] {
			t.Errorf("two words have the anchor %s", id[1])
		}
		ids[id[1]] = true
	}
	if len(ids) < 10 {
		t.Errorf("%d words have anchors", len(ids))
	}
	for _, query := range []string{"temporary+password", "2FA+code", "application-specific+password"} {
		b.get("/help?q="+query).has(t, http.StatusOK, `<dt>App password</dt>`)
		b.get("/help/words?q="+query).has(t, http.StatusOK, `<dt>App password</dt>`)
	}
	b.get("/help?q=gmail").has(t, http.StatusOK, `href="/guides/gmail"`)
	b.get("/help?q=spam").has(t, http.StatusOK, "It is in the spam folder")
	b.get("/help?q=zebra").has(t, http.StatusOK, "There is no help about “zebra”.", "My mail no longer arrives")
}

// The way from a symptom to a new password works without scripts, and by keyboard.
func TestHelpWithoutOurScripts(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	received := receives(t, "orders@gmail.com", "abcdefghijklmnop")
	orders := o.box("Orders", "orders@gmail.com", received)
	o.ails(orders, pastedPassword())
	if _, err := chromedp.Call(ctx, network.SetBlockedURLs, network.SetBlockedURLsParams{URLPatterns: []*network.BlockPattern{{URLPattern: "*://*:*/*.js", Block: true}}}); err != nil {
		t.Fatal(err)
	}
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]),
		chromedp.Click(chromedp.CSS(`.rail a[href="/help/arrive"]`)), chromedp.WaitVisible("#symptoms-title"),
		chromedp.Click(chromedp.CSS("a.boxrow")), chromedp.WaitVisible("#ledger-title"),
		chromedp.Click(chromedp.CSS(`a[href$="/password"]`)), chromedp.WaitVisible("#new-password"),
		chromedp.SendKeys("#new-password", "abcd efgh ijkl mnop"), chromedp.KeyEvent("\r"), chromedp.WaitVisible("#gap"))
	wait(t, ctx, "the mailbox is opened", `document.querySelector("#gap").innerText.includes("The new password works.")`)
}
