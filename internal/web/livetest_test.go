package web

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
)

var streamOfTest = regexp.MustCompile(`/tests/[A-Z0-9]+\?at=[%A-Za-z0-9]+`)

// live posts a form as htmx does, listens to the test that it starts, and returns the
// page and all that the test told.
func (b *browser) live(path string, form url.Values) answer {
	b.Helper()
	a := b.post(path, form, "HX-Request", "true")
	at := streamOfTest.FindString(a.body)
	if at == "" {
		b.Fatalf("POST %s starts no test: %d\n%s", path, a.status, a.body)
	}
	told := b.get(at)
	told.body = a.body + strings.ReplaceAll(told.body, "\ndata: ", "\n")
	return told
}

func TestATestIsToldStepByStep(t *testing.T) {
	o := openOffice(t)
	company := o.company()
	typed := url.Values{
		"address": {"support@company.example"}, "credential.password": {companyPassword}, "incoming.host": {companyHost}, "incoming.port": {port(company.Port)},
		"incoming.ca_certificate": {company.CAPEM}, "outgoing.host": {companyHost}, "outgoing.port": {port(company.smtp.Port)}, "outgoing.ca_certificate": {company.CAPEM},
	}
	b := o.browser(o.admin)
	told := b.live("/mailboxes/test", typed)
	told.has(t, http.StatusOK, "event: part", "Everything works.", "Nothing was changed on the server.", "event: end", "3 messages", ": under way", "data-folders")
	if kind := told.Get("Content-Type"); kind != "text/event-stream" {
		t.Errorf("the steps come as %q", kind)
	}
	if strings.Contains(told.body, companyPassword) {
		t.Error("the password is in the answer")
	}
	typed.Set("side", "outgoing")
	if one := b.live("/mailboxes/test", typed); !strings.Contains(one.body, "Sending works.") || strings.Contains(one.body, "steps-incoming") {
		t.Errorf("a test of sending alone:\n%s", one.body)
	}
}

func TestATestRunsOnceAndForItsOwnSession(t *testing.T) {
	o := openOffice(t)
	typed := typedWith("incoming.port", "9")
	b, other := o.browser(o.admin), o.browser(o.user("eve@example.net", "Eve", postroom.RoleAdmin))
	first := streamOfTest.FindString(b.post("/mailboxes/test", typed, "HX-Request", "true").body)
	second := streamOfTest.FindString(b.post("/mailboxes/test", typed, "HX-Request", "true").body)
	for name, got := range map[string]answer{"one that was replaced": b.get(first), "somebody else's": other.get(second), "none": b.get("/tests/NOTHERE")} {
		if !strings.Contains(got.body, "This test was ended before it was through.") || strings.Contains(got.body, "Find the server") {
			t.Errorf("%s tells:\n%s", name, got.body)
		}
	}
	b.get("/tests/NOTHERE?at=%2Fmailboxes%2Ftest").has(t, http.StatusOK, `hx-post="/mailboxes/test"`, "Show all steps at once")
	if got := b.get("/tests/NOTHERE?at=https%3A%2F%2Fevil.example"); strings.Contains(got.body, "evil.example") {
		t.Errorf("a test leads to another site:\n%s", got.body)
	}
	typed.Set("at_once", "yes")
	b.post("/mailboxes/test", typed, "HX-Request", "true").has(t, http.StatusOK, "It does not work yet.", "Find the server")
	b.get(second).has(t, http.StatusOK, "It does not work yet.")
	b.get(second).has(t, http.StatusOK, "It does not work yet.", "event: end") // as it was: it does not run again
	agent := o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	if a := agent.get(second); a.status != http.StatusForbidden {
		t.Errorf("somebody who is no administrator gets %d", a.status)
	}
}

func TestAKeptMailboxIsTestedOneSideAtATime(t *testing.T) {
	o := openOffice(t)
	company := o.company()
	company.AddAccount("support@company.example", keptPassword)
	support := o.box("Support", "support@company.example", func(m *postroom.Mailbox) {
		m.Incoming.Host, m.Incoming.Port, m.Incoming.CACertificate = companyHost, company.Port, company.CAPEM
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: m.Incoming.ServerSettings}
		m.Outgoing.Port = company.smtp.Port
	})
	archive := o.box("Archive", "archive@example.net")
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String()
	b.get("/mailboxes").has(t, http.StatusOK, at+"/verify", "Verify sending (SMTP)", at+"/password", "What to do with Support")
	b.get(at+"/test").has(t, http.StatusOK, "Test it", "Verify reading", "Verify sending")
	b.post(at+"/verify", url.Values{"side": {"incoming"}}).has(t, http.StatusOK, "Reading works.", "Test again")
	b.post(at+"/verify", url.Values{"side": {"outgoing"}}).has(t, http.StatusOK, "Sending works.")
	to := b.post(at+"/verify", nil, "HX-Request", "true").Get("HX-Redirect")
	page := b.get(to)
	page.has(t, http.StatusOK, "Testing…", "sse-connect")
	b.get(streamOfTest.FindString(page.body)).has(t, http.StatusOK, "Everything works.")
	b.get(to).has(t, http.StatusOK, "Everything works.") // a page that is loaded again
	b.get(at+"/test?run=GONE").has(t, http.StatusOK, "That test is over.")
	b.post("/mailboxes/"+archive.ID.String()+"/verify", url.Values{"side": {"outgoing"}}).has(t, http.StatusUnprocessableEntity, "This mailbox only reads")
}

func TestTestsAreBounded(t *testing.T) {
	var tests liveTests
	now := time.Now()
	id := tests.add(&liveTest{session: 1, place: "form", run: noRun}, now)
	ctx, cancel := context.WithCancel(t.Context())
	if _, ok := tests.begin(id, 1, now, cancel); !ok {
		t.Fatal("it does not begin")
	}
	tests.add(&liveTest{session: 1, place: "elsewhere", run: noRun}, now)
	if ctx.Err() != nil {
		t.Error("a test at another place ends this one")
	}
	tests.add(&liveTest{session: 1, place: "form", run: noRun}, now)
	if ctx.Err() == nil {
		t.Error("the second test at a place does not end the first")
	}
	waiting := tests.add(&liveTest{session: 2, run: noRun}, now)
	if _, ok := tests.begin(waiting, 2, now.Add(2*testWaits), cancel); ok {
		t.Error("a test that nobody came for still begins")
	}
	for range 3 * testsInAll {
		tests.add(&liveTest{session: postroom.SessionID(len(tests.tests) + 10), run: noRun}, now)
	}
	if n := len(tests.tests); n > testsInAll {
		t.Errorf("%d tests are kept, want %d at most", n, testsInAll)
	}
	for i := range 3 * testsOfOne {
		tests.add(&liveTest{session: 7, place: string(rune('a' + i)), run: noRun}, now)
	}
	if n := tests.count(7); n > testsOfOne {
		t.Errorf("one session keeps %d tests, want %d at most", n, testsOfOne)
	}
}

func TestATestThatNobodyCameForIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tests liveTests
		tests.add(&liveTest{session: 1, place: "form", run: noRun}, time.Now())
		running := tests.add(&liveTest{session: 2, place: "form", run: noRun}, time.Now())
		if _, ok := tests.begin(running, 2, time.Now(), func() {}); !ok {
			t.Fatal("it does not begin")
		}
		time.Sleep(testWaits + time.Second)
		synctest.Wait()
		tests.mu.Lock()
		defer tests.mu.Unlock()
		if len(tests.tests) != 1 || tests.tests[running] == nil {
			t.Errorf("%d tests are kept, want the one that runs", len(tests.tests))
		}
	})
}

func noRun(context.Context, func(mailbox.Step)) (mailbox.Report, error) {
	return mailbox.Report{}, errors.New("not made to run")
}
