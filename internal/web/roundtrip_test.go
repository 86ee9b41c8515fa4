package web

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// A traveller is a mailbox that can send itself a mail. What it sends is brought in
// when the test lets it.
type traveller struct {
	*box
	provider *simulator.Server
	sends    *simulator.SMTPServer
	gate     chan struct{} // one for each mail that may be brought in
}

func (o *office) traveller(name, address string) *traveller {
	o.Helper()
	v := &traveller{gate: make(chan struct{}, 10)}
	var err error
	if v.provider, err = simulator.Start(simulator.Options{}); err != nil {
		o.Fatal(err)
	}
	o.Cleanup(func() { v.provider.Close() })
	v.provider.AddAccount(address, keptPassword)
	if v.sends, err = v.provider.StartSMTP(simulator.SMTPOptions{}); err != nil {
		o.Fatal(err)
	}
	at := func(server string) postroom.ServerSettings {
		_, port, err := net.SplitHostPort(server)
		if err != nil {
			o.Fatal(err)
		}
		s := postroom.ServerSettings{Host: "localhost", TLS: postroom.TLSNone, Username: address}
		s.Port, _ = strconv.Atoi(port)
		return s
	}
	v.box = o.box(name, address, func(m *postroom.Mailbox) {
		m.Incoming.ServerSettings = at(v.provider.Address())
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: at(v.sends.Address())}
	})
	ended := make(chan struct{})
	o.Cleanup(func() { <-ended })
	go func() {
		defer close(ended)
		for n := 0; ; n++ {
			select {
			case <-o.Context().Done():
				return
			case <-v.gate:
			}
			for len(v.sends.Accepted()) <= n {
				select {
				case <-o.Context().Done():
					return
				case <-time.After(5 * time.Millisecond):
				}
			}
			v.deliver(strings.ReplaceAll(string(v.sends.Accepted()[n].Raw), "\r\n", "\n"), time.Now())
		}
	}()
	return v
}

func TestARoundTripFromThePage(t *testing.T) {
	o := openOffice(t)
	support, archive := o.traveller("Support", "support@example.net"), o.box("Archive", "archive@example.net")
	o.answerLedgers()
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String()
	offered := b.get(at)
	offered.has(t, http.StatusOK, "Does a mail become an issue?", "Try it")
	if before := strings.Index(offered.body, "Does a mail become an issue?"); before > strings.Index(offered.body, "The ledger") {
		t.Error("it is not offered first, though nobody has tried it")
	}
	support.gate <- struct{}{}
	b.post(at+"/roundtrip", nil).has(t, http.StatusSeeOther)
	b.get(at+"/roundtrip").has(t, http.StatusOK, "A mail to this mailbox becomes an issue.", "See it arrive", "It became issue 1.", "Delete the mail on the server", "Deleted in INBOX.", "Try it again")
	if n := len(support.provider.Messages("support@example.net", "INBOX")); n != 0 {
		t.Errorf("%d mails are left on the server", n)
	}
	// Whoever has heard it already is not told again.
	last, _, err := o.pages.Mailboxes.LastRoundTrip(t.Context(), postroom.Viewer{User: o.admin.ID, Role: postroom.RoleAdmin}, support.ID)
	if err != nil {
		t.Fatal(err)
	}
	for seen, status := range map[string]int{roundTripVersion(last): http.StatusNoContent, "12345678": http.StatusOK} {
		if a := b.get(at+"/roundtrip?seen="+seen, "HX-Request", "true", "HX-Target", "roundtrip"); a.status != status {
			t.Errorf("to whoever has heard %s it answers %d, want %d", seen, a.status, status)
		}
	}
	support.gate <- struct{}{}
	b.post(at+"/roundtrip", url.Values{"keep": {"1"}}, "HX-Request", "true").has(t, http.StatusOK, "A mail to this mailbox becomes an issue.", "Look at issue 2")
	b.get(at).has(t, http.StatusOK, "Look at issue 2", "Try it again")

	support.sends.SetFaults("", simulator.Faults{RefuseLogin: "535 5.7.8 <b>no</b>"})
	b.post(at+"/roundtrip", nil).has(t, http.StatusSeeOther)
	b.get(at+"/roundtrip").has(t, http.StatusOK, "This mail did not become an issue.", "refused this password", "&lt;b&gt;no&lt;/b&gt;")

	other := "/mailboxes/" + archive.ID.String()
	b.get(other+"/roundtrip").has(t, http.StatusOK, "This mailbox only reads, so it cannot send itself a mail.")
	b.post(other+"/roundtrip", nil).has(t, http.StatusUnprocessableEntity, "only reads")
	agent := o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	for _, a := range []int{agent.post(at+"/roundtrip", nil).status, agent.get(at + "/roundtrip").status} {
		if a != http.StatusForbidden {
			t.Errorf("somebody who is no administrator is answered %d", a)
		}
	}
}

// Each step shows while it goes on, also to somebody who comes to the page meanwhile,
// and the round trip goes on when the page is left.
func TestARoundTripInTheBrowser(t *testing.T) {
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	support := o.traveller("Support", "support@example.net")
	o.answerLedgers()
	page := o.site.URL + "/mailboxes/" + support.ID.String()
	says := func(words string) string {
		return `document.querySelector("#roundtrip").innerText.includes(` + strconv.Quote(words) + `)`
	}
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(page), chromedp.WaitReady("#roundtrip-form"))
	wait(t, ctx, "the script is there", `!!window.htmx`)
	click(t, ctx, "#roundtrip-form button")
	wait(t, ctx, "it says that the mail is on its way", says("The mail is on its way."))
	wait(t, ctx, "and what is waited for", says("Waiting for it to arrive at localhost."))
	do(t, ctx, chromedp.Navigate(o.site.URL+"/issues"), chromedp.Navigate(page+"/roundtrip"), chromedp.WaitReady("#roundtrip-form"))
	wait(t, ctx, "it goes on though the page was left", says("Waiting for it to arrive at localhost."))
	support.gate <- struct{}{}
	wait(t, ctx, "it says what is proven", says("A mail to this mailbox becomes an issue."))
	wait(t, ctx, "and that all is cleared away", says("Deleted in INBOX."))
	for _, width := range []int64{360, 768, 1440} {
		do(t, ctx, chromedp.EmulateViewport(width, 900))
		overflow, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
		if err != nil || overflow > 0 {
			t.Errorf("at %d px the page is %v px wider than the screen (%v)", width, overflow, err)
		}
		if dir := os.Getenv("POSTROOM_SCREENSHOTS"); dir != "" {
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err == nil {
				err = os.WriteFile(dir+"/roundtrip-"+strconv.FormatInt(width, 10)+".png", picture, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	complaints.fail(t)
}
