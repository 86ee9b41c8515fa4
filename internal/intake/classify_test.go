package intake

import (
	"io"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestClassify(t *testing.T) {
	const person = "From: Ann <ann@example.net>\nTo: desk@example.org\n"
	const daemon = "From: Mail Delivery System <MAILER-DAEMON@mx.example>\nTo: desk@example.org\nReturn-Path: <>\n"
	report := func(action string) string {
		return daemon + "Auto-Submitted: auto-replied\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\n\nSee below.\n--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nFinal-Recipient: rfc822; bob@example.com\nAction: " + action + "\nStatus: 5.1.1\n--x\nContent-Type: message/rfc822\n\nMessage-ID: <mine@example.org>\n\nhi\n--x--\n"
	}
	tests := map[string]struct {
		message string
		want    postroom.MailKind
	}{
		"a person":                                  {person + "Subject: Invoice\n\nHello", postroom.KindPerson},
		"a person who answers an absence":           {person + "Subject: Re: Automatic reply: Invoice\n\nHello", postroom.KindPerson},
		"a person who asks for office chairs":       {person + "Subject: Out of office chairs\n\nHello", postroom.KindPerson},
		"a person whose parcel was lost":            {person + "Subject: Delivery failed: parcel 7\n\nWhere is it?", postroom.KindPerson},
		"a person whose Outlook suppresses answers": {person + "Subject: Re: x\nX-Auto-Response-Suppress: All\n\nHello", postroom.KindPerson},
		"a person who sends a bounce along":         {person + "Content-Type: multipart/mixed; boundary=y\n\n--y\n\nWhat is this?\n--y\nContent-Type: message/rfc822\n\n" + report("failed") + "--y--\n", postroom.KindPerson},
		"Auto-Submitted: no":                        {person + "Auto-Submitted: no\n\nHello", postroom.KindPerson},
		"Auto-Submitted: auto-replied":              {person + "Auto-Submitted: auto-replied (vacation)\n\nAway", postroom.KindAutoReply},
		"a comment before the value":                {person + "Auto-Submitted: (robot) auto-replied\n\nAway", postroom.KindAutoReply},
		"Auto-Submitted: auto-generated":            {person + "Auto-Submitted: auto-generated\n\nBackup done", postroom.KindAutomatic},
		"Precedence: auto_reply":                    {person + "Precedence: auto_reply\n\nAway", postroom.KindAutoReply},
		"X-Autoreply: yes":                          {person + "X-Autoreply: yes\n\nAway", postroom.KindAutoReply},
		"X-Autoreply: no":                           {person + "X-Autoreply: no\n\nHello", postroom.KindPerson},
		"an absence by its subject alone":           {person + "Subject: Automatic reply: Invoice\n\nAway", postroom.KindAutoReply},
		"an absence in German":                      {person + "Subject: Automatische Antwort: Rechnung\n\nWeg", postroom.KindAutoReply},
		"an absence in French, blank before colon":  {person + "Subject: =?utf-8?q?R=C3=A9ponse_automatique_:_Facture?=\n\nAbsent", postroom.KindAutoReply},
		"mailing list mail":                         {person + "List-Id: <dev.example>\n\nHello all", postroom.KindList},
		"a failure report":                          {report("failed"), postroom.KindBounce},
		"a delay report":                            {report("delayed"), postroom.KindDelay},
		"a success report":                          {report("delivered"), postroom.KindDelivered},
		"a relay report":                            {report("relayed"), postroom.KindDelivered},
		"a failure in prose":                        {daemon + "Subject: Undelivered Mail Returned to Sender\n\n<bob@example.com>: user unknown\n", postroom.KindBounce},
		"a delay in prose":                          {daemon + "Subject: Warning: could not send message for past 4 hours\n\nTHIS IS A WARNING MESSAGE ONLY\n", postroom.KindDelay},
		"a mail system that says something else":    {daemon + "Subject: Weekly figures\n\nAll is well.\n", postroom.KindAutomatic},
		"a read receipt":                            {person + "Content-Type: multipart/report; report-type=disposition-notification; boundary=x\n\n--x\n\nRead.\n--x\nContent-Type: message/disposition-notification\n\nDisposition: manual-action/MDN-sent-manually; displayed\n--x--\n", postroom.KindReceipt},
		"a complaint":                               {person + "Content-Type: multipart/report; report-type=feedback-report; boundary=x\n\n--x\nContent-Type: message/feedback-report\n\nFeedback-Type: abuse\n--x--\n", postroom.KindReport},
	}
	for name, test := range tests {
		u, err := Understand(strings.NewReader(test.message))
		if err != nil {
			t.Fatal(err)
		}
		if u.Kind != test.want || u.KindReason == "" {
			t.Errorf("%s: the kind is %s because %q, want %s", name, u.Kind, u.KindReason, test.want)
		}
		if u.IsAutomatic == u.Kind.FromPerson() {
			t.Errorf("%s: it is %s and automatic: %v", name, u.Kind, u.IsAutomatic)
		}
	}
}

func TestBounceTellsWhatFailed(t *testing.T) {
	const message = "From: MAILER-DAEMON@mx.example\nContent-Type: multipart/report; report-type=delivery-status; boundary=x\n\n--x\n\nSorry.\n--x\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nOriginal-Recipient: rfc822;Bob@example.com\nFinal-Recipient: rfc822; <bob@mx.example.com>\nAction: failed (too bad)\nStatus: 5.1.1 (no user)\nDiagnostic-Code: smtp; 550 no such user\n\n--x\nContent-Type: text/rfc822-headers\n\nMessage-ID: <mine@example.org>\n--x--\n"
	u, err := Understand(strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	want := BouncedRecipient{Address: "bob@mx.example.com", Original: "Bob@example.com", Action: "failed", Status: "5.1.1", Reason: "550 no such user"}
	if len(u.Bounce.Recipients) != 1 || u.Bounce.Recipients[0] != want || u.Bounce.OriginalMessageID != "mine@example.org" {
		t.Errorf("the bounce is %+v, want %+v of mine@example.org", u.Bounce, want)
	}
}

func TestNoticeInProseTellsWhatFailed(t *testing.T) {
	const message = "From: MAILER-DAEMON@mx.example\nTo: desk@example.org\nSubject: failure notice\n\nHi. I was not able to deliver your message.\nFor help write to postmaster@mx.example\n\n<bob@example.com>:\n550 5.7.1 no\n\n--- Below this line is a copy of the message.\n\nMessage-ID: <mine@example.org>\nTo: carol@example.com\n"
	u, err := Understand(strings.NewReader(message))
	if err != nil {
		t.Fatal(err)
	}
	if len(u.Bounce.Recipients) != 1 || u.Bounce.Recipients[0].Address != "bob@example.com" || u.Bounce.Recipients[0].Status != "5.7.1" || u.Bounce.OriginalMessageID != "mine@example.org" {
		t.Errorf("the bounce is %+v, want bob@example.com with 5.7.1 of mine@example.org", u.Bounce)
	}
}

func TestUnderstandReturnsTheErrorOfTheStream(t *testing.T) {
	u, err := Understand(io.MultiReader(strings.NewReader("Subject: half\n\nte"), broken{}))
	if err != io.ErrUnexpectedEOF || u.Message == nil || u.Subject != "half" {
		t.Errorf("Understand = %+v, %v, want what there was and the error", u.Message, err)
	}
}

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
