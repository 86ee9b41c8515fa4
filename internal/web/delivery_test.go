package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestOneMailInTwoMailboxes(t *testing.T) {
	o := openOffice(t)
	sales, info := o.box("Sales", "sales@example.net"), o.box("Info", "info@example.net")
	mail := letter("tom@example.org", "Tulips", "I need 4,000 of them.")
	first := sales.deliver(mail, time.Now())
	if second := info.deliver(mail, time.Now()); second.Issue != first.Issue {
		t.Errorf("the mail is in issues %s and %s, want one", first.Issue, second.Issue)
	}
	page := o.browser(o.admin).get("/issues/" + first.Issue.String())
	page.has(t, http.StatusOK, "came to Info and Sales")
	if n := strings.Count(page.body, `class="entry"`); n != 1 {
		t.Errorf("the issue shows the mail %d times, want once", n)
	}
	once := sales.deliver(letter("tom@example.org", "Bulbs", "x"), time.Now())
	if page := o.browser(o.admin).get("/issues/" + once.Issue.String()); strings.Contains(page.body, "came to") {
		t.Error("a mail that came to one mailbox says where it came to")
	}
}

func TestAnOriginalThatWasLetGo(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net", func(m *postroom.Mailbox) { m.RawRetentionDays = 30 })
	filed := support.deliver(newsletter, time.Now())
	b := o.browser(o.admin)
	at := "/issues/" + filed.Issue.String()
	b.get(at).has(t, http.StatusOK, "Raw message", "/mails/1/raw")
	if n, err := o.db.ExpireRaw(t.Context(), time.Now().AddDate(0, 0, 31), 10); err != nil || n != 1 {
		t.Fatalf("ExpireRaw = %d, %v", n, err)
	}
	page := b.get(at)
	page.has(t, http.StatusOK, "were let go, because its mailbox keeps originals only for a time")
	for _, dead := range []string{"/mails/1/raw", "/mails/1/attachments/"} {
		if strings.Contains(page.body, dead) {
			t.Errorf("the page offers %s, which is not here any more", dead)
		}
	}
	b.get("/mails/1/attachments/0").has(t, http.StatusNotFound, "was let go on")
	b.get("/mails/1/raw").has(t, http.StatusNotFound, "was let go on")
	b.get("/mails/1/html").has(t, http.StatusOK, "<title>Mail</title>")
}
