package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/testbed"
)

func TestManyMailboxesAtOnce(t *testing.T) {
	o := openOffice(t)
	support, sales := o.box("Support", "support@example.net"), o.box("Sales", "sales@example.net")
	pop := o.box("Old", "old@example.net", func(m *postroom.Mailbox) { m.Incoming.Protocol, m.Incoming.Port = postroom.POP3, 995 })
	b := o.browser(o.admin)
	b.get("/mailboxes").has(t, http.StatusOK, "Choose all", `aria-label="Choose Support"`, `action="/mailboxes/many"`)
	state := func(want postroom.MailboxState, boxes ...*box) {
		t.Helper()
		for _, x := range boxes {
			if m, err := o.db.Mailbox(t.Context(), x.ID); err != nil || m.State != want {
				t.Errorf("%s is %s, want %s (%v)", x.Name, m.State, want, err)
			}
		}
	}
	both := []string{support.ID.String(), sales.ID.String()}
	b.post("/mailboxes/many", url.Values{"do": {"pause"}, "mailbox": both}).has(t, http.StatusOK, "2 mailboxes paused.", "Support", "sales@example.net")
	state(postroom.MailboxPaused, support, sales)
	state(postroom.MailboxActive, pop)
	b.post("/mailboxes/many", url.Values{"do": {"resume"}, "all": {"yes"}, "state": {"paused"}, "q": {"sales"}}).has(t, http.StatusOK, "1 mailbox resumed.", "/mailboxes?q=sales")
	state(postroom.MailboxPaused, support)

	move := url.Values{"change": {"after_import"}, "after_import": {"move"}, "move_to": {"Done"}, "all": {"yes"}}
	b.post("/mailboxes/many", move).has(t, http.StatusOK, "2 of 3 mailboxes changed, 1 not.", "POP3 can neither mark a mail as read nor move it", "Not done")
	b.post("/mailboxes/many", url.Values{"change": {"raw_retention_days"}, "raw_retention_days": {"30"}, "mailbox": both}).has(t, http.StatusOK, "2 mailboxes changed.")
	b.post("/mailboxes/many", url.Values{"change": {"poll_interval"}, "incoming.poll_interval": {"120"}, "mailbox": both}).has(t, http.StatusOK, "2 mailboxes changed.")
	b.post("/mailboxes/many", url.Values{"change": {"visible_to"}, "visible_to": {"owner"}, "mailbox": both}).has(t, http.StatusOK, "0 of 2 mailboxes changed, 2 not.")
	if m, err := o.db.Mailbox(t.Context(), sales.ID); err != nil || m.MoveTo != "Done" || m.RawRetentionDays != 30 || m.Incoming.PollInterval != 2*time.Minute {
		t.Errorf("kept is %+v (%v)", m, err)
	}
	b.post("/mailboxes/many", url.Values{"do": {"test"}, "mailbox": both}).has(t, http.StatusOK, "Does not work")

	for name, form := range map[string]url.Values{
		"nothing chosen":   {"do": {"pause"}},
		"nothing to do":    {"mailbox": both},
		"no number":        {"change": {"raw_retention_days"}, "raw_retention_days": {"many"}, "mailbox": both},
		"no such setting":  {"change": {"owner"}, "mailbox": both},
		"no such mailbox":  {"do": {"pause"}, "mailbox": {"x"}},
		"nothing it knows": {"do": {"erase"}, "mailbox": both},
	} {
		if a := b.post("/mailboxes/many", form); a.status != http.StatusUnprocessableEntity && a.status != http.StatusNotFound {
			t.Errorf("%s: %d\n%s", name, a.status, a.body)
		}
	}
	agent := o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	if a := agent.post("/mailboxes/many", url.Values{"do": {"pause"}, "mailbox": both}); a.status != http.StatusForbidden {
		t.Errorf("an agent pauses many: %d", a.status)
	}
	if page := agent.get("/mailboxes"); strings.Contains(page.body, `form="many"`) {
		t.Error("an agent is offered to choose mailboxes")
	}
}

func TestManySentence(t *testing.T) {
	for want, c := range map[string]struct {
		action      mailbox.Action
		all, failed int
	}{
		"12 mailboxes tested. Everything works.":    {mailbox.ActionTest, 12, 0},
		"12 mailboxes tested: 11 work, 1 does not.": {mailbox.ActionTest, 12, 1},
		"1 mailbox paused.":                         {mailbox.ActionPause, 1, 0},
		"8 of 10 mailboxes changed, 2 not.":         {mailbox.ActionChange, 10, 2},
	} {
		if got, _ := manySentence(c.action, c.all, c.failed); got != want {
			t.Errorf("manySentence = %q, want %q", got, want)
		}
	}
}

func TestChoosingManyInTheBrowser(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	for i := range 8 {
		o.box(fmt.Sprintf("Box %d", i), fmt.Sprintf("box%d@example.net", i))
	}
	do(t, ctx, chromedp.EmulateViewport(1280, 800), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(o.site.URL+"/mailboxes"))
	wait(t, ctx, "the script is there", `!!window.htmx`)
	press := func(n int, shift bool) {
		wait(t, ctx, "a box is ticked", fmt.Sprintf(`(() => { const b = document.querySelectorAll("input[name=mailbox]")[%d];
			b.dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: %v })); return true; })()`, n, shift))
	}
	press(1, false)
	press(5, true)
	wait(t, ctx, "shift chooses a range", `document.querySelector("#many-count").innerText === "5 chosen" && getComputedStyle(document.querySelector("#many")).display === "flex"`)
	wait(t, ctx, "the list is made anew", `(() => { document.querySelector("#mailboxes").dataset.old = "1"; htmx.trigger(document.querySelector("#mailboxes"), "refresh"); return true; })()`)
	wait(t, ctx, "what is chosen stays chosen", `!document.querySelector("#mailboxes").dataset.old && document.querySelectorAll("input[name=mailbox]:checked").length === 5`)
	do(t, ctx, chromedp.KeyEvent("j"), chromedp.KeyEvent("x"))
	wait(t, ctx, "x chooses the one that j went to", `document.querySelector("#many-count").innerText === "6 chosen"`)
	do(t, ctx, chromedp.KeyEvent("x"))
	wait(t, ctx, "and leaves it out again", `document.querySelector("#many-count").innerText === "5 chosen"`)
	click(t, ctx, `#many button[value="pause"]`)
	wait(t, ctx, "each has its result", `document.body.innerText.includes("5 mailboxes paused.") && document.querySelectorAll("tbody tr").length === 5`)
	complaints.fail(t)
}
