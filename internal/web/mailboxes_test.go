package web

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/store"
)

func typedMailbox() url.Values {
	return url.Values{
		"address": {"support@example.net"}, "credential.password": {"pass word 17"}, "incoming.host": {"imap.example.net"}, "incoming.port": {"993"},
		"incoming.tls": {"implicit"}, "incoming.folders": {"INBOX\r\nOrders\r\n"}, "incoming.connect_timeout": {"7"}, "incoming.poll_interval": {"0.5"},
		"start": {"all"}, "visible_to": {"everyone"},
	}
}

func TestConnectAMailbox(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	b.get("/mailboxes").has(t, http.StatusOK, "No mailbox is connected yet.", "Connect a mailbox")
	b.get("/mailboxes/new").has(t, http.StatusOK, `placeholder="usual"`, "INBOX")

	typed := typedMailbox()
	wrong := b.post("/mailboxes", typed)
	wrong.has(t, http.StatusUnprocessableEntity, `value="imap.example.net"`, "Orders", `value="7"`, "wrong-incoming-poll-interval")
	if strings.Contains(wrong.body, "pass word 17") {
		t.Error("the page shows the password again")
	}
	parts := b.post("/mailboxes", typed, "HX-Request", "true")
	parts.has(t, http.StatusUnprocessableEntity, `id="wrong-incoming-poll-interval" role="alert" hx-swap-oob="true"`)
	if strings.Contains(parts.body, "<input") {
		t.Error("htmx replaces what was typed")
	}

	typed.Set("incoming.poll_interval", "30")
	a := b.post("/mailboxes", typed)
	if a.status != http.StatusSeeOther {
		t.Fatalf("POST /mailboxes = %d\n%s", a.status, a.body)
	}
	b.get(a.Get("Location")).has(t, http.StatusOK, "Draft.", "support@example.net", "INBOX, Orders", "all mail that the server has")
	m, err := o.db.MailboxByAddress(t.Context(), "support@example.net")
	if err != nil || m.Incoming.ConnectTimeout != 7*time.Second || m.Incoming.PollInterval != 30*time.Second || m.Incoming.Username != "support@example.net" {
		t.Errorf("kept is %+v (%v)", m.Incoming, err)
	}
	b.post("/mailboxes", typed).has(t, http.StatusConflict, "is connected already")
}

func TestChangeAMailbox(t *testing.T) {
	o := openOffice(t)
	b := o.browser(o.admin)
	at := b.post("/mailboxes", func() url.Values { v := typedMailbox(); v.Del("incoming.poll_interval"); return v }()).Get("Location")
	page := b.get(at + "/settings")
	page.has(t, http.StatusOK, "Leave it empty to keep the one there is.", `value="imap.example.net"`)
	if strings.Contains(page.body, "pass word") {
		t.Error("the settings show the password")
	}
	typed := typedMailbox()
	typed.Set("credential.password", "")
	typed.Set("incoming.poll_interval", "60")
	typed.Set("name", "Help")
	typed.Set("visible_to", "users")
	b.post(at+"/settings", typed).has(t, http.StatusUnprocessableEntity, "Nobody is named who may see the mail.", `value="Help"`)
	typed.Set("reader", o.admin.ID.String())
	if a := b.post(at+"/settings", typed); a.status != http.StatusSeeOther {
		t.Fatalf("POST settings = %d\n%s", a.status, a.body)
	}
	b.get(at).has(t, http.StatusOK, "Help", "Ada Admin")
	b.get(at+"/settings").has(t, http.StatusOK, `value="Help"`)

	typed.Set("incoming.host", "imap.evil.example")
	b.post(at+"/test", typed).has(t, http.StatusUnprocessableEntity, "The password that is kept was given for another server")
}

func TestATestShowsItsSteps(t *testing.T) {
	o := openOffice(t)
	typed := typedMailbox()
	typed.Set("incoming.poll_interval", "")
	typed.Set("incoming.port", "9") // nobody listens there
	a := o.browser(o.admin).post("/mailboxes/test", typed)
	a.has(t, http.StatusOK, "It does not work yet.", "Find the server", "Reach the server", "Nothing was changed on the server.")
	if _, err := o.db.MailboxByAddress(t.Context(), "support@example.net"); postroom.KindOf(err) != postroom.NotFound {
		t.Errorf("a test keeps a mailbox: %v", err)
	}
}

func TestPauseResumeRemove(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String()
	b.get(at).has(t, http.StatusOK, "Reading.", "Pause")
	b.post(at+"/pause", nil)
	b.get(at).has(t, http.StatusOK, "Paused.", "Resume reading")
	b.post(at+"/resume", nil)
	b.get(at).has(t, http.StatusOK, "Reading.")
	b.post(at+"/remove", url.Values{"issues": {"keep"}, "password": {"wrong"}}).has(t, http.StatusUnprocessableEntity, "This is not your password.")
	a := b.post(at+"/remove", url.Values{"issues": {"keep"}, "password": {ownPassword}})
	b.get(a.Get("Location")).has(t, http.StatusOK, "The mailbox is removed, and its password is destroyed.")
	if a := b.get(at); a.status != http.StatusNotFound {
		t.Errorf("a mailbox that was removed is %d, want 404", a.status)
	}
}

func TestTroubleExplainsItself(t *testing.T) {
	o := openOffice(t)
	o.trouble("Orders", "orders@example.net", &postroom.Fault{
		Kind: postroom.NeedsSignIn, FixBy: postroom.FixByUser, Explanation: "Google refused this password.", Remedy: "Make an app password.", Reply: "NO <failed>",
	}, time.Time{})
	o.trouble("Archive", "archive@example.net", &postroom.Fault{Kind: postroom.Delayed, FixBy: postroom.FixByWaiting, Explanation: "It did not answer."}, time.Now().Add(time.Hour))
	b := o.browser(o.admin)
	b.get("/mailboxes").has(t, http.StatusOK, "Sign-in needed", "Google refused this password.", "Delayed", "next try")
	b.get("/issues").has(t, http.StatusOK, "Google refused this password.", "Put it right")
	b.get("/mailboxes/1").has(t, http.StatusOK, "Make an app password.", "NO &lt;failed&gt;", "Enter a new password")
	b.get("/mailboxes/2").has(t, http.StatusOK, "Next try", "Try now", "nobody has to do anything")
}

func TestTheLedger(t *testing.T) {
	o := openOffice(t)
	support := o.box("Support", "support@example.net")
	o.answerLedgers()
	support.deliver(letter("a@example.org", "Hello", "Hello"), time.Now())
	support.list(postroom.ArrivalBeforeStart, "Older than the start of this mailbox.")
	aside := support.list(postroom.ArrivalWaiting, "")
	if err := o.db.Settle(t.Context(), support.fence, []postroom.ArrivalID{aside}, postroom.ArrivalQuarantined, "The server did not give it."); err != nil {
		t.Fatal(err)
	}
	b := o.browser(o.admin)
	at := "/mailboxes/" + support.ID.String()
	b.get(at+"/ledger").has(t, http.StatusOK, "All 3 messages are accounted for. 1 is set aside.", "3 on the server now, 0 no longer there.", "<rect", `class="tone-filed"`)
	list := b.get(at + "/arrivals?state=quarantined")
	list.has(t, http.StatusOK, "The server did not give it.", "Try again", "INBOX no. 3")
	a := b.post("/arrivals/"+aside.String()+"/retry", nil)
	b.get(a.Get("Location")).has(t, http.StatusOK, "It is on its way again.", "There are none.")
	b.get(at+"/arrivals?state=nonsense").has(t, http.StatusUnprocessableEntity, "There is no state")
}

func TestLedgerSentence(t *testing.T) {
	yes, no := true, false
	filed := func(n int64) map[postroom.ArrivalState]int64 {
		return map[postroom.ArrivalState]int64{postroom.ArrivalFiled: n}
	}
	tests := map[string]struct {
		ledger mailbox.Ledger
		want   string
		tone   string
	}{
		"all is well":                       {mailbox.Ledger{Counts: filed(4812), Balanced: &yes}, "All 4,812 messages are accounted for.", "good"},
		"one message":                       {mailbox.Ledger{Counts: filed(1), Balanced: &yes}, "The one message is accounted for.", "good"},
		"nothing":                           {mailbox.Ledger{Balanced: &yes}, "The server has no messages, and the ledger none either.", "good"},
		"one missing":                       {mailbox.Ledger{Counts: filed(3), Balanced: &no, Unaccounted: make([]store.UnaccountedName, 1)}, "1 message is not accounted for.", "bad"},
		"some missing":                      {mailbox.Ledger{Counts: filed(3), Balanced: &no, Unaccounted: make([]store.UnaccountedName, 1), Incomplete: make([]store.IncompleteArrival, 1)}, "2 messages are not accounted for.", "bad"},
		"not compared":                      {mailbox.Ledger{Counts: filed(2)}, "2 messages in the ledger. The server could not be asked whether it has others.", "wait"},
		"never a tick without a comparison": {mailbox.Ledger{}, "Nothing is in the ledger yet, and the server could not be asked.", "wait"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var total int64
			for _, n := range test.ledger.Counts {
				total += n
			}
			got, b := ledgerSentence(test.ledger, total)
			if got != test.want || b.Tone != test.tone {
				t.Errorf("ledgerSentence = %q, %s; want %q, %s", got, b.Tone, test.want, test.tone)
			}
		})
	}
}

func TestLedgerBarIsInProportion(t *testing.T) {
	bar := ledgerBar(map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 999_999, postroom.ArrivalQuarantined: 1}, 1_000_000)
	if len(bar) != 2 || bar[1].W == "0.0" {
		t.Errorf("ledgerBar = %v, want the one that is set aside to be seen", bar)
	}
	if got := ledgerBar(nil, 0); got != nil {
		t.Errorf("ledgerBar of nothing = %v", got)
	}
}
