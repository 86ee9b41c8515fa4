package web

import (
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/access"
	"github.com/postroom/postroom/internal/store"
)

// onePixel is a PNG.
const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

const newsletter = `
From: "The Garden Centre" <news@garden.example>
To: support@example.net
Subject: Your order 4711 is on its way
Message-ID: <order-4711@garden.example>
Date: Fri, 20 Nov 2026 09:10:00 +0000
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=outer

--outer
Content-Type: multipart/related; boundary=inner

--inner
Content-Type: multipart/alternative; boundary=words

--words
Content-Type: text/plain; charset=utf-8

Your order 4711 is on its way. It comes on Monday.

--words
Content-Type: text/html; charset=utf-8

<html><head><style>body{background:red}</style><script>document.title="taken over"</script></head>
<body><table width="100%"><tr><td><img src="cid:logo@garden.example" width="96" height="40" alt="The Garden Centre"></td></tr>
<tr><td><h2>Your order 4711 is on its way</h2><p>It comes on <b>Monday</b>. <a href="https://garden.example/track/4711">Follow it</a>.</p>
<ul><li>3 spades</li><li>1 watering can, green</li></ul>
<img src="https://tracker.example/open.gif" width="1" height="1"><img src="http://127.0.0.1:9/pixel.png" onerror="alert(1)"></td></tr></table></body></html>

--words--
--inner
Content-Type: image/png
Content-ID: <logo@garden.example>
Content-Disposition: inline; filename=logo.png
Content-Transfer-Encoding: base64

` + onePixel + `

--inner--
--outer
Content-Type: application/pdf; name="Invoice 4711.pdf"
Content-Disposition: attachment; filename="Invoice 4711.pdf"
Content-Transfer-Encoding: base64

JVBERi0xLjQKJSBub3QgcmVhbGx5IGEgUERGCg==

--outer--
`

// fill makes an office that looks like one on an ordinary day.
func (o *office) fill(now time.Time) (support *box) {
	o.Helper()
	colleague := o.user("grace@example.net", "Grace Hopper-Vandenberghe of the Very Long Department Name", postroom.RoleAgent)
	support = o.box("Support", "support@example.net")
	sales := o.box("Sales and everything that has to do with it in all of northern Europe", "sales-and-partnerships-northern-europe@a-rather-long-company-name.example")
	ago := func(d time.Duration) time.Time { return now.Add(-d) }
	subjects := []string{"The door of the shed does not close", "Where is my parcel?", "Question about invoice 2026-118", "Opening hours on Sunday",
		"Thank you!", "Kaputte Lampe, bitte um Ersatz", "Re: delivery on Thursday", "Can you call me back?", "Change of address", "Application as a gardener"}
	people := []string{"Tom Baker <tom@example.org>", `"Ana María Fernández de la Vega" <ana@example.com>`, "j.smith@example.com", "Li Wei <li@example.cn>", "Zoë Kravitz <zoe@example.net>"}
	for i := range 60 {
		subject := subjects[i%len(subjects)]
		if i >= len(subjects) {
			subject = fmt.Sprintf("%s (%d)", subject, i)
		}
		b := support
		if i%4 == 3 {
			b = sales
		}
		b.deliver(letter(people[i%len(people)], subject, "Good morning,\n\nthis is about what we spoke of last week. Could you look at it?\n\nKind regards"), ago(time.Duration(70-i)*3*time.Hour))
	}
	first := support.deliver(letter("Tom Baker <tom@example.org>", "The greenhouse leaks", "Hello,\n\nsince the storm on Tuesday rain comes into the greenhouse on the north side. "+
		"I have put a bucket there, but it fills in an hour. Pictures are at https://photos.example.org/greenhouse?album=12.\n\nCan somebody come by this week?\n\nTom"), ago(26*time.Hour))
	support.deliver(strings.Replace(letter("Tom Baker <tom@example.org>", "Re: The greenhouse leaks",
		"It is two buckets now.\n\nOn Thursday Tom Baker wrote:\n> Hello,\n>\n> since the storm on Tuesday rain comes into the greenhouse on the north side.\n> I have put a bucket there, but it fills in an hour."),
		"MIME-Version", "In-Reply-To: <The+greenhouse+leaks@example.org>\nMIME-Version", 1), ago(40*time.Minute))
	support.deliver(newsletter, ago(12*time.Minute))
	sales.deliver(letter(`"Prof. Dr. Dr. h. c. Maximiliane Freifrau von und zu Hohenstein-Oberwesterwald-Schaumburg" <maximiliane.freifrau.von.und.zu.hohenstein@a-rather-long-company-name.example>`,
		"A subject that goes on and on because whoever wrote it put the whole mail into it: we need 4,000 tulip bulbs, 300 sacks of soil, and somebody who can plant them all before the first frost of the year", "See above."), ago(8*time.Minute))
	support.deliver(letter("a.very.long.address.without.any.spaces.that.could.break.a.narrow.page@an-equally-long-domain-name-for-a-small-company.example", "Unbreakable"+strings.Repeat("word", 40), strings.Repeat("unbreakable", 60)), ago(3*time.Minute))
	support.deliver(letter("Zoë Kravitz <zoe@example.net>", "Are you open today?", "Hi,\n\nare you open today until 6?\n\nZoë"), ago(20*time.Second))
	ada := access.ViewerOf(o.admin)
	if _, err := o.desk.Note(o.Context(), ada, first.Issue, "I called him. Grace drives by on Friday with the tall ladder."); err != nil {
		o.Fatal(err)
	}
	if err := o.desk.Assign(o.Context(), ada, first.Issue, colleague.ID); err != nil {
		o.Fatal(err)
	}
	support.list(postroom.ArrivalBeforeStart, "Older than the start of this mailbox.")
	support.list(postroom.ArrivalBeforeStart, "Older than the start of this mailbox.")
	aside := support.list(postroom.ArrivalWaiting, "")
	if err := o.db.Settle(o.Context(), support.fence, []postroom.ArrivalID{aside}, postroom.ArrivalQuarantined, "The server did not give this message three times: BAD internal error."); err != nil {
		o.Fatal(err)
	}
	o.trouble("Orders", "orders@example.net", &postroom.Fault{
		Kind: postroom.NeedsSignIn, Class: postroom.AccountPasswordPasted, FixBy: postroom.FixByUser,
		Explanation: "Google refused this password. It looks like the normal account password; Google accepts only app passwords here.",
		Remedy:      "Make an app password in the Google account, and enter it here.", Reply: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)",
	}, time.Time{})
	o.trouble("Archive", "archive@example.net", &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting,
		Explanation: "imap.example.net did not answer within 10 seconds.",
		Remedy:      "We try again by ourselves. If this lasts, ask whoever runs the server.",
	}, now.Add(4*time.Minute))
	return support
}

// trouble connects a mailbox with which something is wrong.
func (o *office) trouble(name, address string, f *postroom.Fault, next time.Time) {
	o.Helper()
	b := o.box(name, address)
	trouble := store.Trouble{State: postroom.MailboxActive.StateFor(f.Kind), Fault: f, NextTry: next, Failures: 1}
	kept, err := o.db.KeptMailbox(o.Context(), b.ID)
	if err == nil {
		err = o.db.RecordTrouble(o.Context(), b.fence, kept.Version, trouble)
	}
	if err != nil {
		o.Fatal(err)
	}
}

// move has a mailbox read at another server, which shows some of its mail again, and
// cannot do all that is to be done there.
func (o *office) move(b *box) {
	o.Helper()
	b.renumber(postroom.Numbering{
		Mailbox: b.ID, Protocol: postroom.POP3, Host: "pop.a-server-with-a-rather-long-name.example.net", Username: b.Address, Folder: "INBOX", ByContent: true,
	})
	b.renumber(postroom.Numbering{Mailbox: b.ID, Protocol: postroom.IMAP, Host: "imap.example.net", Username: b.Address, Folder: "INBOX", UIDValidity: 7})
	b.after, b.folder = postroom.AfterImportMove, "Done"
	for i := range 4 {
		b.deliver(letter("Tom Baker <tom@example.org>", fmt.Sprintf("It came while we moved (%d)", i), "Hello"), time.Now().Add(-time.Hour))
	}
	due, err := o.db.DueActions(o.Context(), b.count.ID, 10)
	if err != nil || len(due) < 2 {
		o.Fatalf("DueActions = %v, %v", due, err)
	}
	if err := o.db.RecordUndone(o.Context(), b.fence, []postroom.ArrivalID{due[0].Arrival}, "The server does not let us make the folder Done: NO permission denied.", time.Now().Add(time.Hour)); err != nil {
		o.Fatal(err)
	}
	b.hide(3)
}
