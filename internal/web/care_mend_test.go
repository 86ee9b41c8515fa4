package web

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/alert"
	"github.com/postroom/postroom/internal/credential"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

// openMendOffice opens an office at whose provider Anna has signed in, and where
// somebody tells of what needs a person.
func openMendOffice(t *testing.T) (*signInOffice, *careOffice) {
	t.Helper()
	s, c := &signInOffice{}, &careOffice{}
	s.openProvider(t, simulator.OAuthOptions{})
	presets := s.presets(t)
	s.office = openOffice(t, func(o *office) {
		s.equip(o, presets)
		o.pages.Forecast = &credential.Forecast{Store: o.db, Presets: presets}
		c.alerts = &alert.Desk{Store: o.db, Ring: s.apps.Ring, Log: o.pages.Log, Ahead: o.pages.Forecast.Ahead}
		c.alerts.Now = func() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }
		o.pages.Alerts = c.alerts
	})
	c.office, c.mail, c.google = s.office, s.mail, s.google
	s.google.Register(simulator.OAuthApp{ClientID: s.clientID(), Name: "Postroom", Secret: registeredSecret, RedirectURLs: []string{s.site.URL + "/oauth/callback"}})
	s.apps.Base, s.desk.Base = s.site.URL, s.site.URL
	s.register()
	c.relay()
	c.watch()
	c.alerted(0)
	b := s.browser(s.admin)
	a := b.post("/mailboxes", s.typedAnna("sign_in", s.app.ID.String()))
	back := newStranger(t).allow(s.sendOff(b, a.Get("Location")), annasAddress)
	b.through(b.get(s.path(back)).Get("Location"), "Connected.")
	c.record(s.kept().ID, func(f store.Fence, version int64) error {
		_, err := s.db.RecordProof(t.Context(), f, version, nil)
		return err
	})
	return s, c
}

// loses has a mailbox meet trouble.
func (c *careOffice) loses(id postroom.MailboxID, f *postroom.Fault) {
	c.Helper()
	c.record(id, func(fence store.Fence, version int64) error {
		trouble := store.Trouble{State: postroom.MailboxActive.StateFor(f.Kind), Fault: f, NextTry: time.Now().Add(time.Hour), Failures: 1}
		return c.db.RecordTrouble(c.Context(), fence, version, trouble)
	})
}

// record writes down what whoever reads a mailbox has found.
func (c *careOffice) record(id postroom.MailboxID, write func(f store.Fence, version int64) error) {
	c.Helper()
	_, err := c.db.TakeLeases(c.Context(), c.node)
	if err != nil {
		c.Fatal(err)
	}
	owned, err := c.db.OwnedMailboxes(c.Context(), c.node)
	for _, one := range owned {
		if one.Fence.Mailbox == id && err == nil {
			err = write(one.Fence, one.Version)
		}
	}
	if err != nil {
		c.Fatal(err)
	}
}

func TestASecretThatEndedIsOneCauseThatLeadsToItsApp(t *testing.T) {
	s, c := openMendOffice(t)
	m := s.kept()
	c.loses(m.ID, &postroom.Fault{
		Kind: postroom.NeedsRepair, Class: postroom.ClientMisconfigured, FixBy: postroom.FixByAppAdmin,
		Explanation: "The client secret of “Google for the office” has ended.", Remedy: "Make a new one at Google, and enter it at the app.",
	})
	c.later(3 * time.Minute)
	if a := c.alerted(1)[0]; a.App != s.app.ID {
		t.Fatalf("the alert is about app %v, want %v", a.App, s.app.ID)
	}
	at := `href="/settings/apps/` + s.app.ID.String() + `"`
	b := s.browser(s.admin)
	b.get("/health").has(t, http.StatusOK, "The client secret of “Google for the office” has ended.", at, "Open the app")
	b.get("/issues").has(t, http.StatusOK, "Open the app", at)
	if page := s.browser(s.user("bob@example.net", "Bob", postroom.RoleAgent)).get("/health"); strings.Contains(page.body, at) {
		t.Error("an agent is sent to a page for administrators")
	}
	b.get(appsAddress+"/"+s.app.ID.String()).has(t, http.StatusOK, "1 mailbox signs in by this app.")
}

func TestWhatEndsIsToldAhead(t *testing.T) {
	s, c := openMendOffice(t)
	m := s.kept()
	ends := time.Now().Add(12 * 24 * time.Hour)
	_, err := s.apps.Change(t.Context(), s.viewer(), s.app.ID, func(a *postroom.OAuthApp) error {
		a.SecretExpiresAt = ends
		return nil
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := s.browser(s.admin)
	title := "The client secret of “Google for the office” ends"
	b.get("/health").has(t, http.StatusOK, title, dayOf(ends)+", in 12 days", "Make a new client secret", "Google ends sign-ins that nobody uses", "Seen to")
	b.get("/mailboxes/"+m.ID.String()).has(t, http.StatusOK, title, "What ends soon")
	b.get(appsAddress+"/"+s.app.ID.String()).has(t, http.StatusOK, title, "What ends soon")
	agent := s.browser(s.user("bob@example.net", "Bob", postroom.RoleAgent)).get("/health")
	agent.has(t, http.StatusOK, title)
	if strings.Contains(agent.body, appsAddress) {
		t.Error("an agent is sent to a page for administrators")
	}
	c.later(2 * time.Minute)
	a := c.alerted(1)[0]
	if a.Kind != postroom.AlertAhead {
		t.Fatalf("the alert is %+v", a)
	}
	page := b.get("/issues")
	page.has(t, http.StatusOK, "bell-count wait", `data-alert="`+a.ID.String()+`"`)
	if strings.Contains(page.body, `id="popup"`) {
		t.Error("what ends in twelve days comes up in front of the page")
	}
	b.get("/alerts/"+a.ID.String()).has(t, http.StatusOK, "in 12 days", "Ends soon")
}

func TestStoryOfASignInThatIsLost(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	s, c := openMendOffice(t)
	complaints := listenForComplaints(t, ctx)
	m := s.kept()
	s.google.Revoke(annasAddress, "")
	c.loses(m.ID, revoked())
	c.alerted(1)
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(s.links[s.admin.ID]), chromedp.Navigate(s.site.URL+"/issues"))
	wait(t, ctx, "it comes up on the next page", `!!window.htmx && document.querySelector("#popup").open`)
	do(t, ctx, chromedp.KeyEvent("\t"))
	click(t, ctx, "#popup form:not([data-seen]) button")
	s.provider(ctx, annasAddress)
	allow(t, ctx)
	wait(t, ctx, "it comes back signed in again, with nothing in front of the page", `location.pathname.includes("/sign-in/") && document.querySelector("#progress").innerText.includes("igned in again") && !document.querySelector("#popup")`)
	c.arrives(1)
	wait(t, ctx, "the bell is calm by itself", `!document.querySelector("#bell .bell-count")`)
	c.later(11 * time.Minute)
	c.arrives(2)
	if n := len(c.mail.Messages(contactAddress, "INBOX")); n != 2 {
		t.Errorf("the contact has %d mails, want one that it stopped and one that it goes on", n)
	}
	complaints.fail(t)
}
