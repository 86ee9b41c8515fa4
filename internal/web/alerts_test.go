package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestAlertsStandOnEveryPage(t *testing.T) {
	c := openCareOffice(t)
	c.relay()
	c.watch()
	orders := c.box("Orders", "orders@gmail.com", at("imap.gmail.com"))
	b := c.browser(c.admin)
	page := b.get("/issues")
	page.has(t, http.StatusOK, `id="bell"`, `id="care"`)
	if strings.Contains(page.body, `id="popup"`) || strings.Contains(page.body, "bell-count") {
		t.Error("a calm office is told of something")
	}
	b.get("/alerts").has(t, http.StatusOK, "Nothing needs anybody.")

	c.ails(orders, revoked())
	a := c.alerted(1)[0]
	signIn := `action="/mailboxes/` + orders.ID.String() + `/sign-in"`
	page = b.get("/issues")
	page.has(t, http.StatusOK, "bell-count bad", `data-alert="`+a.ID.String()+`"`, `id="popup"`, signIn, "Sign in again", "The bell keeps it.")
	if n := strings.Count(page.body, signIn); n != 2 {
		t.Errorf("the way to sign in again stands %d times on the page, want in the banner and in the pop-up", n)
	}
	b.get("/alerts").has(t, http.StatusOK, "Sign-in needed", "Orders", "Google no longer lets Postroom read this mailbox.", "since ")
	for _, busy := range []string{"/alerts", "/alerts/" + a.ID.String(), appsAddress, "/mailboxes/" + orders.ID.String() + "/password"} {
		if page := b.get(busy); strings.Contains(page.body, `id="popup"`) {
			t.Errorf("a pop-up stands in front of %s, where somebody mends", busy)
		}
	}

	// Closed once, it stays closed; the bell and the banner stay.
	if got := b.post("/alerts/"+a.ID.String()+"/seen", url.Values{}); got.status != http.StatusSeeOther {
		t.Errorf("closing the pop-up answers %d", got.status)
	}
	page = b.get("/issues")
	page.has(t, http.StatusOK, "bell-count bad", signIn)
	if strings.Contains(page.body, `id="popup"`) {
		t.Error("the pop-up comes again")
	}
	key := url.Values{"key": {bannerKey(a)}}
	if got := b.post("/alerts/banner", key, "HX-Request", "true"); got.status != http.StatusOK || got.body != "" {
		t.Errorf("closing the banner answers %d %q", got.status, got.body)
	}
	page = b.get("/issues")
	page.has(t, http.StatusOK, "bell-count bad")
	if strings.Contains(page.body, `data-alert=`) {
		t.Error("the banner comes again")
	}
	other := c.browser(c.user("grace@example.net", "Grace", postroom.RoleAdmin))
	other.get("/issues").has(t, http.StatusOK, `id="popup"`, `data-alert=`)
}

func TestAlertsAreForWhoCanAct(t *testing.T) {
	c := openCareOffice(t)
	c.relay()
	c.watch()
	anna := c.user("anna@example.net", "Anna", postroom.RoleOwner)
	agent := c.user("bob@example.net", "Bob", postroom.RoleAgent)
	own := c.box("Anna’s letters", "anna@gmail.com", func(m *postroom.Mailbox) { m.Owner = anna.ID })
	c.ails(own, revoked())
	a := c.alerted(1)[0]
	c.ails(c.box("Payroll", "payroll@gmail.com", at("imap.gmail.com"), func(m *postroom.Mailbox) {
		m.Owner, m.Visibility = c.admin.ID, postroom.Visibility{Kind: postroom.VisibleToOwner}
	}), pastedPassword())
	all := c.alerted(2)
	owner := c.browser(anna)
	page := owner.get("/issues")
	page.has(t, http.StatusOK, "bell-count bad", "Sign in again", `data-open="`+a.ID.String()+`"`)
	if strings.Contains(page.body, "Payroll") {
		t.Error("the owner of a mailbox is told of another")
	}
	owner.get("/alerts").has(t, http.StatusOK, "Anna’s letters", "you, or an administrator of Postroom")
	if page := owner.get("/alerts/" + a.ID.String()); strings.Contains(page.body, contactAddress) {
		t.Error("the owner of a mailbox is told who else was told")
	}
	b := c.browser(agent)
	if page := b.get("/issues"); strings.Contains(page.body, "bell-count") || strings.Contains(page.body, `id="popup"`) {
		t.Error("an agent is told what an administrator has to do")
	}
	for _, one := range all {
		if got := b.get("/alerts/" + one.ID.String()); got.status != http.StatusNotFound {
			t.Errorf("an agent opens an alert: %d", got.status)
		}
		if one.ID != a.ID {
			if got := owner.get("/alerts/" + one.ID.String()); got.status != http.StatusNotFound {
				t.Errorf("the owner of one mailbox opens the alert of another: %d", got.status)
			}
		}
	}
	for _, path := range []string{alertSettingsAddress, appsAddress, appsAddress + "/new", appsAddress + "/1"} {
		for who, browser := range map[string]*browser{"an agent": b, "an owner": owner} {
			if got := browser.get(path); got.status != http.StatusForbidden {
				t.Errorf("%s opens %s: %d", who, path, got.status)
			}
		}
	}
	for _, path := range []string{"/contact", "/test", "/relay", "/relay/remove", "/delay"} {
		if got := owner.post(alertSettingsAddress+path, url.Values{"contact": {"mallory@example.net"}}); got.status != http.StatusForbidden {
			t.Errorf("an owner changes %s: %d", path, got.status)
		}
	}
	for _, path := range []string{"", "/1", "/1/check", "/1/remove"} {
		if got := b.post(appsAddress+path, url.Values{}); got.status != http.StatusForbidden {
			t.Errorf("an agent posts to %s: %d", appsAddress+path, got.status)
		}
	}
}

func TestAnAlertTellsWhoWasTold(t *testing.T) {
	c := openCareOffice(t)
	c.relay()
	c.watch()
	c.alerted(0)
	c.ail(500, "Team", &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
		Explanation: "The client secret of app “<b>Office</b>” expired.", Remedy: "Make a new one at Microsoft, and enter it under Settings.",
	})
	c.later(3 * time.Minute) // what a start finds has to last a little
	a := c.alerted(1)[0]
	if len(a.Mailboxes) != 500 {
		t.Fatalf("the alert is about %d mailboxes, want one for 500", len(a.Mailboxes))
	}
	c.arrives(1)
	b := c.browser(c.admin)
	var page answer
	for range 100 {
		if page = b.get("/alerts/" + a.ID.String()); strings.Contains(page.body, "Sent") {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	page.has(t, http.StatusOK, "The client secret of app “&lt;b&gt;Office&lt;/b&gt;” expired.", "Team 1", "and 400 more", contactAddress, "First notice", "Sent", "127.0.0.1", "the next reminder leaves")
	list := b.get("/alerts")
	list.has(t, http.StatusOK, "500 mailboxes", "and 495 more", "Told 1 time")
	if strings.Contains(list.body, "<b>Office") {
		t.Error("what a server said is part of the page")
	}
	b.get("/issues").has(t, http.StatusOK, "It concerns 500 mailboxes.")
}

func TestWhoIsToldIsAskedUntilSomebodyIsNamed(t *testing.T) {
	c := openCareOffice(t)
	b := c.browser(c.admin)
	b.get("/mailboxes").has(t, http.StatusOK, "Nobody is named to be told", `href="/settings/alerts?return=%2Fmailboxes"`)
	if page := b.get(alertSettingsAddress); strings.Contains(page.body, `class="banner"`) {
		t.Error("the page that answers the question asks it, too")
	}
	b.get(alertSettingsAddress+"?return=/mailboxes").has(t, http.StatusOK, `href="/mailboxes"`, "Go on")
	if page := b.get(alertSettingsAddress + "?return=https://evil.example/"); strings.Contains(page.body, "evil.example") {
		t.Error("the page leads to another site")
	}
	if page := c.browser(c.user("bob@example.net", "Bob", postroom.RoleAgent)).get("/mailboxes"); strings.Contains(page.body, "Nobody is named") {
		t.Error("an agent is asked what only an administrator can say")
	}
	b.post(alertSettingsAddress+"/contact", url.Values{"contact": {"<script>alert(1)</script>"}}).has(t, http.StatusUnprocessableEntity, "cannot be a mail address", "&lt;script&gt;")
	if got := b.post(alertSettingsAddress+"/contact", url.Values{"contact": {"ops@elsewhere.example, second@elsewhere.example"}}); got.status != http.StatusSeeOther {
		t.Fatalf("naming a contact answers %d\n%s", got.status, got.body)
	}
	page := b.get(alertSettingsAddress)
	page.has(t, http.StatusOK, "ops@elsewhere.example\nsecond@elsewhere.example", "there is no relay")
	c.relay()
	if page := b.get("/mailboxes"); strings.Contains(page.body, `class="banner"`) {
		t.Errorf("a contact is named, and the pages warn all the same:\n%s", page.body)
	}
	b.post(alertSettingsAddress+"/delay", url.Values{"delay": {"soon"}}).has(t, http.StatusUnprocessableEntity, "This is not a number of minutes.", `value="soon"`)
	b.post(alertSettingsAddress+"/delay", url.Values{"delay": {"2"}}).has(t, http.StatusUnprocessableEntity, "Choose from 15 minutes")
	b.post(alertSettingsAddress+"/delay", url.Values{"delay": {"90"}})
	if delay, err := c.alerts.Delay(t.Context()); err != nil || delay != 90*time.Minute {
		t.Errorf("Delay = %v, %v", delay, err)
	}
}

func TestTheRelaysPasswordIsNotShown(t *testing.T) {
	c := openCareOffice(t)
	c.relay()
	b := c.browser(c.admin)
	page := b.get(alertSettingsAddress)
	page.has(t, http.StatusOK, "Change the relay", "Empty: the one of today stays.", `value="127.0.0.1"`)
	typed := url.Values{"relay.host": {"smtp.example.net"}, "relay.port": {"465"}, "relay.tls": {"implicit"}, "relay.from": {"no address"}, "relay.username": {"u"}, "relay.password": {"six tall glass towers"}}
	wrong := b.post(alertSettingsAddress+"/relay", typed)
	wrong.has(t, http.StatusUnprocessableEntity, "The sender of the notices has no mail address.", `value="smtp.example.net"`)
	typed.Set("relay.from", "postroom@example.net")
	if got := b.post(alertSettingsAddress+"/relay", typed); got.status != http.StatusSeeOther {
		t.Fatalf("keeping the relay answers %d\n%s", got.status, got.body)
	}
	for _, body := range []string{page.body, wrong.body, b.get(alertSettingsAddress).body} {
		if strings.Contains(body, "five open red doors") || strings.Contains(body, "six tall glass towers") {
			t.Error("the page shows the password of the relay")
		}
	}
	b.post(alertSettingsAddress+"/relay/remove", url.Values{})
	b.get(alertSettingsAddress).has(t, http.StatusOK, "Use a relay")
}

func TestManyLostSignInsAreMendedOneByOne(t *testing.T) {
	c := openCareOffice(t)
	c.relay()
	c.watch()
	c.alerted(0)
	c.ail(3, "Team", revoked())
	a := c.alerted(1)[0]
	b := c.browser(c.admin)
	page := b.get("/alerts/" + a.ID.String())
	for _, id := range a.Mailboxes {
		page.has(t, http.StatusOK, `action="/mailboxes/`+id.String()+`/sign-in"`)
	}
	page.has(t, http.StatusOK, `href="/mailboxes/links"`, "Team 3")
	b.get("/issues").has(t, http.StatusOK, "See which mailboxes", "It concerns 3 mailboxes.", `href="/alerts/`+a.ID.String()+`"`)
}
