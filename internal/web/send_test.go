package web

import (
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// sends gives a mailbox a server to send by.
func sends(t *testing.T, address string) (*simulator.SMTPServer, func(*postroom.Mailbox)) {
	t.Helper()
	provider, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close() })
	provider.AddAccount(address, keptPassword)
	server, err := provider.StartSMTP(simulator.SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(server.Address())
	if err != nil {
		t.Fatal(err)
	}
	return server, func(m *postroom.Mailbox) {
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "localhost", TLS: postroom.TLSNone, Username: address}}
		m.Outgoing.Port, _ = strconv.Atoi(port)
	}
}

func TestSendATestMail(t *testing.T) {
	o := openOffice(t)
	server, sending := sends(t, "support@example.net")
	support, archive := o.box("Support", "support@example.net", sending), o.box("Archive", "archive@example.net")
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String()
	b.get(at).has(t, http.StatusOK, "Mail goes out through localhost.", "Send a test mail")
	b.post(at+"/send-test", url.Values{"to": {""}}).has(t, http.StatusOK, "localhost has taken the mail for support@example.net.", "250 ", "Send a test mail")
	b.post(at+"/send-test", url.Values{"to": {"anna@elsewhere.example"}}, "HX-Request", "true").has(t, http.StatusOK, "localhost has taken the mail for anna@elsewhere.example.")
	if n := len(server.Accepted()); n != 2 {
		t.Errorf("%d mails were sent, want 2", n)
	}
	b.post(at+"/send-test", url.Values{"to": {"anna <b>"}}).has(t, http.StatusUnprocessableEntity, "cannot be a mail address.", `value="anna &lt;b&gt;"`)

	server.SetFaults("", simulator.Faults{Replies: map[string]string{"MAIL": "550 5.7.60 SMTP; Client does not have permissions to <send> as this sender"}})
	b.post(at+"/send-test", nil).has(t, http.StatusOK, "The mail was not sent.", "&lt;send&gt;")
	server.SetFaults("", simulator.Faults{CutAfter: []string{"."}})
	b.post(at+"/send-test", nil).has(t, http.StatusOK, "It is not known whether the mail was sent.", "before you send another")

	other := "/mailboxes/" + archive.ID.String()
	b.get(other).has(t, http.StatusOK, "This mailbox only reads.")
	b.post(other+"/send-test", nil).has(t, http.StatusUnprocessableEntity, "it has no server to send by")
	agent := o.browser(o.user("bob@example.net", "Bob", postroom.RoleAgent))
	if a := agent.post(at+"/send-test", nil); a.status != http.StatusForbidden {
		t.Errorf("somebody who is no administrator sends a test mail: %d", a.status)
	}
}

// In a browser the answer comes below the field, in the page that is open.
func TestSendATestMailInTheBrowser(t *testing.T) {
	ctx := testbed.Chromium(t)
	o := openOffice(t)
	complaints := listenForComplaints(t, ctx)
	server, sending := sends(t, "support@example.net")
	support := o.box("Support", "support@example.net", sending)
	o.answerLedgers()
	page := o.site.URL + "/mailboxes/" + support.ID.String()
	do(t, ctx, chromedp.EmulateViewport(1280, 900), chromedp.Navigate(o.links[o.admin.ID]), chromedp.Navigate(page), chromedp.WaitReady("#send-to"))
	wait(t, ctx, "the script is there", `!!window.htmx`)
	click(t, ctx, `form[action$="/send-test"] button`)
	wait(t, ctx, "it says that it was sent", `document.querySelector("#sent").innerText.includes("has taken the mail for support@example.net")`)
	server.SetFaults("", simulator.Faults{RefuseLogin: "535 5.7.8 Error: authentication failed"})
	click(t, ctx, `form[action$="/send-test"] button`)
	wait(t, ctx, "it says what is wrong", `document.querySelector("#sent").innerText.includes("refused this password")`)
	if n := len(server.Accepted()); n != 1 {
		t.Errorf("%d mails were sent, want 1", n)
	}
	for _, width := range []int64{360, 768, 1440} {
		overflow, err := chromedp.Run(ctx, chromedp.Evaluate[float64](`document.documentElement.scrollWidth - document.documentElement.clientWidth`))
		if err != nil || overflow > 0 {
			t.Errorf("at %d px the page is %v px wider than the screen (%v)", width, overflow, err)
		}
		do(t, ctx, chromedp.EmulateViewport(width, 900))
		if dir := os.Getenv("POSTROOM_SCREENSHOTS"); dir != "" {
			picture, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
			if err == nil {
				err = os.WriteFile(dir+"/send-"+strconv.FormatInt(width, 10)+".png", picture, 0o600)
			}
			if err != nil {
				t.Error(err)
			}
		}
	}
	complaints.fail(t)
}
