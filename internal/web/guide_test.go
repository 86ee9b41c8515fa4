package web

import (
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// receives gives a mailbox a server to be read from, which knows one password.
func receives(t *testing.T, address, password string) func(*postroom.Mailbox) {
	t.Helper()
	provider, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close() })
	provider.AddAccount(address, password)
	_, port, err := net.SplitHostPort(provider.Address())
	if err != nil {
		t.Fatal(err)
	}
	return func(m *postroom.Mailbox) {
		m.Incoming.Host, m.Incoming.TLS = "localhost", postroom.TLSNone
		m.Incoming.Port, _ = strconv.Atoi(port)
	}
}

func TestAGuideIsForOneMailbox(t *testing.T) {
	o := openOffice(t)
	orders := o.box("Orders", "orders@gmail.com", at("imap.gmail.com"))
	b := o.browser(o.admin)
	to := "/guides/gmail?address=orders%40gmail.com&mailbox=" + orders.ID.String()
	page := b.get(to)
	page.has(t, http.StatusOK, "Postroom – orders@gmail.com", "orders%40gmail.com&amp;continue=", "Checked on ", "support.google.com", "Skip this step</strong> if it is on already.",
		`action="/mailboxes/`+orders.ID.String()+`/password"`, `rel="noopener noreferrer"`, `target="_blank"`)
	b.get("/guides/gmail").has(t, http.StatusOK, "An app password at Google", "Go back to the form of the mailbox")
	b.get("/guides/zebra").has(t, http.StatusNotFound, "There is no guide of this name.")
	b.get("/guides/gmail?mailbox=99").has(t, http.StatusNotFound, "This mailbox is not here.")
	b.get("/guides/gmail?address=%3Cscript%3E").has(t, http.StatusOK, "&lt;script&gt;")

	agent := o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	told := agent.get(to)
	told.has(t, http.StatusOK, "Ada Admin", "Do not send it by mail or chat.")
	if strings.Contains(told.body, "credential.password") {
		t.Error("whoever may not enter a password gets a field for it")
	}
	agent.get("/mailboxes/"+orders.ID.String()+"/password").has(t, http.StatusForbidden, "administrator")
	agent.post("/mailboxes/"+orders.ID.String()+"/password", url.Values{"credential.password": {"x"}}).has(t, http.StatusForbidden, "administrator")
}

func TestEveryProviderHasAPage(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	list := b.get("/guides")
	for _, preset := range o.pages.Presets.All() {
		list.has(t, http.StatusOK, `href="/guides/`+preset.ID+`"`)
		a := b.get("/guides/" + preset.ID)
		inside := a.body[strings.Index(a.body, "<main"):strings.Index(a.body, `<div id="notice"`)]
		text := regexp.MustCompile(`<[^>]*>`).ReplaceAllString(inside, "")
		if gap := regexp.MustCompile(`.{0,40}(\{|\b(for|of|to) [.,]).{0,40}`).FindString(text); a.status != http.StatusOK || gap != "" {
			t.Errorf("the page of %s answers %d, and says %q", preset.ID, a.status, gap)
		}
	}
	for query, want := range map[string]string{"gmail": "/guides/gmail", "application-specific password": "/guides/gmail", "icloud": "/guides/icloud", "anna@gmx.de": "/guides/gmx"} {
		a := b.get("/guides?q=" + url.QueryEscape(query))
		if !strings.Contains(a.body, want) && !strings.HasPrefix(a.Get("Location"), want) {
			t.Errorf("a search for %q does not find %s: %d to %s", query, want, a.status, a.Get("Location"))
		}
	}
	b.get("/guides?q=zebra").has(t, http.StatusOK, "No provider like “zebra” is known here.")
}

func TestOnlyThePasswordIsReplaced(t *testing.T) {
	o := openOffice(t)
	received := receives(t, "orders@example.net", "abcdefghijklmnop")
	orders := o.box("Orders", "orders@example.net", received)
	o.ails(orders, pastedPassword())
	b := o.browser(o.admin)
	at := "/mailboxes/" + orders.ID.String()
	b.get(at).has(t, http.StatusOK, at+"/password", "Enter a new password")
	b.get(at+"/password").has(t, http.StatusOK, "Only the password is replaced.", "never shown again")

	b.post(at+"/password", url.Values{"credential.password": {" "}}, "HX-Request", "true").has(t, http.StatusUnprocessableEntity, "The password is missing.")
	refused := b.live(at+"/password", url.Values{"credential.password": {"not this one"}})
	refused.has(t, http.StatusOK, "It does not work yet.", "Sign in")
	if strings.Contains(refused.body, "not this one") || strings.Contains(refused.body, "<form") {
		t.Errorf("a refused password is shown again, or its field is replaced:\n%s", refused.body)
	}
	if strings.Contains(refused.body, `name="keep"`) {
		t.Error("a password that the server refused can be kept")
	}
	whole := b.post(at+"/password", url.Values{"credential.password": {"nor this one"}})
	whole.has(t, http.StatusUnprocessableEntity, "It does not work yet.", "Type it once more")
	if strings.Contains(whole.body, "nor this one") {
		t.Error("the page shows the password again")
	}

	before, err := o.db.Mailbox(t.Context(), orders.ID)
	if err != nil {
		t.Fatal(err)
	}
	last := orders.list(postroom.ArrivalFiled, "")
	a := b.post(at+"/password", url.Values{"credential.password": {"abcd efgh\u00a0ijkl mnop\r\n"}})
	if a.status != http.StatusSeeOther || a.Get("Location") != at+"?opened="+last.String() {
		t.Fatalf("POST = %d to %q\n%s", a.status, a.Get("Location"), a.body)
	}
	after, err := o.db.Mailbox(t.Context(), orders.ID)
	if err != nil || after.State == postroom.MailboxNeedsSignIn || after.Address != before.Address || after.Incoming.Host != before.Incoming.Host || !after.ProvenAt.Equal(before.ProvenAt) {
		t.Errorf("it was %+v and is %+v (%v)", before, after, err)
	}
	b.get(a.Get("Location")).has(t, http.StatusOK, "The new password works. Reading goes on in a moment, where it stopped.")
	if err := o.db.RecordHealth(t.Context(), orders.fence, mustKeep(o, orders.ID)); err != nil {
		t.Fatal(err)
	}
	b.get(a.Get("Location")).has(t, http.StatusOK, "Nothing had arrived meanwhile.")
	orders.deliver(letter("tom@example.org", "Hello", "x"), time.Now())
	b.get(a.Get("Location"), "HX-Request", "true", "HX-Target", "gap").has(t, http.StatusOK, "1 mail that arrived meanwhile is here.")
	orders.list(postroom.ArrivalWaiting, "")
	b.get(a.Get("Location")).has(t, http.StatusOK, "Of 2 mails that arrived meanwhile 1 is here, the rest is on its way.")
}

func mustKeep(o *office, id postroom.MailboxID) int64 {
	o.Helper()
	k, err := o.db.KeptMailbox(o.Context(), id)
	if err != nil {
		o.Fatal(err)
	}
	return k.Version
}

// A server that cannot be asked says nothing about a password, and whoever has just
// made one must not lose it.
func TestAPasswordCanBeKeptWhileTheServerIsAway(t *testing.T) {
	o := openOffice(t)
	orders := o.box("Orders", "orders@example.net", func(m *postroom.Mailbox) {
		m.Incoming.Host, m.Incoming.Port, m.Incoming.TLS, m.Incoming.ConnectTimeout = "127.0.0.1", 9, postroom.TLSNone, time.Second
	})
	b := o.browser(o.admin)
	at := "/mailboxes/" + orders.ID.String()
	b.live(at+"/password", url.Values{"credential.password": {"abcd efgh ijkl mnop"}}).has(t, http.StatusOK, "The old one is still kept.", `name="keep"`)
	if a := b.post(at+"/password", url.Values{"credential.password": {"abcd efgh ijkl mnop"}, "keep": {"yes"}}); a.status != http.StatusSeeOther {
		t.Errorf("POST = %d\n%s", a.status, a.body)
	}
}

func TestAGuideRemembersWhatIsDone(t *testing.T) {
	t.Parallel()
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	orders := o.box("Orders", "orders@gmail.com", at("imap.gmail.com"))
	to := o.site.URL + "/guides/gmail?address=orders%40gmail.com&mailbox=" + orders.ID.String()
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(to))
	wait(t, ctx, "one is at the first step", `document.querySelector("li.here").id === "step-why" && document.querySelectorAll("li.here").length === 1`)
	click(t, ctx, `[data-step="why"]`)
	click(t, ctx, `[data-step="two_step"]`)
	wait(t, ctx, "one is at the third step", `document.querySelector("li.here").id === "step-make"`)
	do(t, ctx, chromedp.Reload())
	wait(t, ctx, "it is remembered", `document.querySelector("li.here").id === "step-make" && document.body.innerText.includes("2 of")`)
	do(t, ctx, chromedp.Navigate(o.site.URL+"/guides/gmail"))
	wait(t, ctx, "of this mailbox only", `document.querySelector("li.here").id === "step-why"`)
	do(t, ctx, chromedp.Navigate(to), chromedp.SendKeys("#new-password", "abcd efgh ijkl mnop"))
	wait(t, ctx, "it looks like one", `document.querySelector("#new-password-words").innerText.includes("This looks like an app password of Gmail.")`)
	do(t, ctx, chromedp.SendKeys("#new-password", "!\t"))
	wait(t, ctx, "it does not", `document.querySelector("#new-password-words").innerText.includes("This looks like your normal password, which Gmail no longer accepts from programs.")`)
	complaints.fail(t)
}

func TestAPasswordThatOnlyReadsCanBeKept(t *testing.T) {
	refused := &postroom.Fault{Kind: postroom.NeedsSignIn}
	away := &postroom.Fault{Kind: postroom.Delayed}
	for name, test := range map[string]struct {
		steps []mailbox.Step
		want  string
	}{
		"reading refuses it":           {[]mailbox.Step{{Kind: mailbox.StepSignIn, Fault: refused}, {Kind: mailbox.StepOutgoingSignIn, Fault: refused}}, ""},
		"only sending refuses it":      {[]mailbox.Step{{Kind: mailbox.StepSignIn, OK: true}, {Kind: mailbox.StepOutgoingSignIn, Fault: refused}}, "Reading works with it, sending does not."},
		"the server cannot be reached": {[]mailbox.Step{{Kind: mailbox.StepConnection, Fault: away}}, "The test did not get as far as the password"},
	} {
		if got := keepWords(mailbox.Report{Steps: test.steps}); !strings.HasPrefix(got, test.want) || (got == "") != (test.want == "") {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
