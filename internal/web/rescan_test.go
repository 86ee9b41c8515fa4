package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/testbed"
)

func TestARescan(t *testing.T) {
	o := openOffice(t)
	agent := o.user("bob@example.net", "Bob", postroom.RoleAgent)
	support := o.box("Support", "support@example.net")
	o.answerLedgers()
	filed := support.deliver(letter("a@example.org", "Hello", "Hello"), time.Now())
	support.deliver(letter("a@example.org", "And more", "Hello"), time.Now())
	if err := o.desk.Delete(t.Context(), access.ViewerOf(o.admin), filed.Issue); err != nil {
		t.Fatal(err)
	}
	support.hide(3)
	at := "/mailboxes/" + support.ID.String()

	// The dry run is for whoever may see the mail, and does nothing.
	b := o.browser(agent)
	b.get(at).has(t, http.StatusOK, at+"/rescan", "reset the mailbox counter")
	b.get(at+"/rescan").has(t, http.StatusOK, "Asking the server what it has.", at+"/rescan/found")
	found := b.get(at + "/rescan/found")
	found.has(t, http.StatusOK, "2 known, 3 on the server that are not here, 0 here that are gone from the server.", "Bring in 3 messages",
		"1 of those known is still on the server, but people deleted them here.", "/issues?view=deleted&amp;mailbox="+support.ID.String(), "Any administrator of Postroom can do it here")
	if strings.Contains(found.body, "ada@example.net") {
		t.Error("an agent is shown the address of an administrator")
	}

	b.get("/issues?view=deleted&mailbox="+support.ID.String()).has(t, http.StatusOK, "Hello")

	// It is done when an administrator confirms it.
	refused := "This is not the address and the password of an administrator."
	b.post(at+"/rescan", url.Values{"email": {"bob@example.net"}, "password": {ownPassword}}).has(t, http.StatusUnprocessableEntity, refused, "2 known, 3 on the server", `value="bob@example.net"`)
	parts := b.post(at+"/rescan", url.Values{"email": {"ada@example.net"}, "password": {"wrong"}}, "HX-Request", "true")
	parts.has(t, http.StatusUnprocessableEntity, refused, `id="wrong-password" role="alert" hx-swap-oob="true"`)
	b.post(at+"/rescan", url.Values{"email": {"ada@example.net"}, "password": {ownPassword}}).has(t, http.StatusOK, "3 messages are brought in, or on their way.", "2 of 5 read")
	b.get(at+"/rescan/found").has(t, http.StatusOK, "5 known, 0 on the server that are not here", "There is nothing to bring in.")
	o.browser(o.admin).get(at+"/rescan/found").has(t, http.StatusOK, "5 known")

	private := o.box("Private", "private@example.net", func(m *postroom.Mailbox) {
		m.Visibility = postroom.Visibility{Kind: postroom.VisibleToUsers, Users: []postroom.UserID{o.admin.ID}}
	})
	for _, path := range []string{"/rescan", "/rescan/found"} {
		b.get("/mailboxes/"+private.ID.String()+path).has(t, http.StatusNotFound, "or its mail is not for you")
	}
}

func TestARescanFromAnEarlierStart(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net", func(m *postroom.Mailbox) { m.Start = postroom.Start{Kind: postroom.StartNow} })
	o.answerLedgers()
	support.list(postroom.ArrivalBeforeStart, "Older than the start of this mailbox.")
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String()
	b.get(at+"/rescan/found").has(t, http.StatusOK, `value="ada@example.net"`, "1 of those known is older than the start of this mailbox", "All that the server has")
	confirmed := url.Values{"email": {"ada@example.net"}, "password": {ownPassword}, "start": {"date"}}
	b.post(at+"/rescan", confirmed).has(t, http.StatusUnprocessableEntity, "The day is missing")
	confirmed.Set("start_date", "2999-01-01")
	b.post(at+"/rescan", confirmed, "HX-Request", "true").has(t, http.StatusUnprocessableEntity, `id="wrong-start" role="alert" hx-swap-oob="true"`)
	confirmed.Set("start", "all")
	b.post(at+"/rescan", confirmed).has(t, http.StatusOK, "To the mailbox and its ledger")
	if m, err := o.db.Mailbox(t.Context(), support.ID); err != nil || m.Start.Kind != postroom.StartAll {
		t.Errorf("the start is %+v (%v), want all", m.Start, err)
	}
}

func TestARescanOfAPausedMailboxSaysSo(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String()
	b.post(at+"/pause", nil)
	b.get(at+"/rescan/found").has(t, http.StatusOK, "The server could not be asked what it has.", "This mailbox is paused", "Look again")
}

func TestWhatARescanHasDone(t *testing.T) {
	for want, found := range map[string]mailbox.Rescan{
		"There was nothing to bring in":             {Finished: true},
		"1 message is brought in, or on its way.":   {Finished: true, Brought: 1},
		"1,200 messages are brought in":             {Finished: true, Brought: 1200},
		"It goes on by itself, also when this page": {},
	} {
		if got := viewBrought(found).Words; !strings.HasPrefix(got, want) {
			t.Errorf("viewBrought(%+v) = %q, want %q", found, got, want)
		}
	}
}

func TestARescanInTheBrowser(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	support := o.box("Support", "support@example.net", func(m *postroom.Mailbox) { m.Start = postroom.Start{Kind: postroom.StartNow} })
	support.deliver(letter("a@example.org", "Hello", "Hello"), time.Now())
	support.hide(2)
	o.answerLedgers()
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(o.site.URL+"/mailboxes/"+support.ID.String()+"/rescan"))
	wait(t, ctx, "the dry run comes by itself", `document.querySelector("#rescan").innerText.includes("2 on the server that are not here")`)
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#confirm-password"), "wrong\r"))
	wait(t, ctx, "it says beside the field what is wrong", `document.querySelector("#wrong-password").innerText.includes("not the address and the password")`)
	wait(t, ctx, "what was typed is still there", `document.querySelector("#confirm-password").value === "wrong" && document.querySelector("#confirm-email").value === "ada@example.net"`)
	wait(t, ctx, "the field is emptied", `(document.querySelector("#confirm-password").value = "") === ""`)
	do(t, ctx, chromedp.SendKeys(chromedp.CSS("#confirm-password"), ownPassword+"\r"))
	wait(t, ctx, "the result stands there in numbers", `document.querySelector("#rescan").innerText.includes("2 messages are brought in, or on their way.")`)
	complaints.fail(t)
}
