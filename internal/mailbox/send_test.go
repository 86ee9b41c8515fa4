package mailbox

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/mime"
	"github.com/postroom/postroom/internal/mail/smtp"
	"github.com/postroom/postroom/internal/simulator"
)

// sender is a mailbox here on a server to read from and one to send by.
func sender(t *testing.T) (d *Desk, read *simulator.Server, send *simulator.SMTPServer, m postroom.Mailbox) {
	t.Helper()
	d, _ = newDesk(t)
	read, send, m = twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	m.Name = "Köln Support"
	return d, read, send, mustAdd(t, d, m)
}

func TestTestMailIsSentToTheMailboxItself(t *testing.T) {
	d, _, server, m := sender(t)
	r, err := d.SendTest(t.Context(), admin(), m.ID, "")
	if err != nil || r.Outcome != smtp.Sent || r.Fault != nil || !strings.HasPrefix(r.Reply, "250") || !strings.Contains(r.Words, "127.0.0.1 has taken the mail for support@example.net") {
		t.Fatalf("SendTest = %+v, %v", r, err)
	}
	taken := server.Accepted()
	if len(taken) != 1 || taken[0].From != "support@example.net" || len(taken[0].To) != 1 || taken[0].To[0] != "support@example.net" {
		t.Fatalf("the server has %+v", taken)
	}
	read, err := mime.Read(bytes.NewReader(taken[0].Raw), mime.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if got := read.From; len(got) != 1 || got[0].Name != "Köln Support" || got[0].Address != "support@example.net" {
		t.Errorf("from %v", got)
	}
	if read.MessageID != r.MessageID || !strings.HasSuffix(r.MessageID, "@example.net") || read.Header.Get("Auto-Submitted") != "auto-generated" ||
		time.Since(read.Date).Abs() > time.Minute || !strings.Contains(read.Text, "sending works") {
		t.Errorf("message %q of %v: %q", read.MessageID, read.Date, read.Text)
	}
}

func TestTestMailToSomebodyElse(t *testing.T) {
	d, _, server, m := sender(t)
	r, err := d.SendTest(t.Context(), admin(), m.ID, " mailto:Anna@elsewhere.example ")
	if err != nil || r.Outcome != smtp.Sent || r.To != "Anna@elsewhere.example" || server.Accepted()[0].To[0] != "Anna@elsewhere.example" {
		t.Errorf("SendTest = %+v, %v, taken %+v", r, err, server.Accepted())
	}
	for _, to := range []string{"anna", "anna@", "a b@example.net", "a@example.net\r\nRCPT TO:<b@example.net>", "a@example.net, b@example.net"} {
		_, err := d.SendTest(t.Context(), admin(), m.ID, to)
		wantFault(t, err, postroom.Invalid, "to")
	}
}

func TestTestMailThatDoesNotGetThrough(t *testing.T) {
	tests := map[string]struct {
		faults  simulator.Faults
		outcome smtp.Outcome
		class   postroom.Class
		words   string
		taken   int
	}{
		"a password refused":         {simulator.Faults{RefuseLogin: "535 5.7.8 Error: authentication failed"}, smtp.NotSent, postroom.BadCredentials, "refused this password", 0},
		"a recipient refused":        {simulator.Faults{Replies: map[string]string{"RCPT": "550 5.1.1 <support@example.net>: Recipient address rejected: User unknown"}}, smtp.NotSent, postroom.RecipientRejected, "this recipient", 0},
		"too large":                  {simulator.Faults{Replies: map[string]string{"MAIL": "552 5.3.4 Message size exceeds fixed limit"}}, smtp.NotSent, postroom.MessageTooBig, "larger", 0},
		"put off":                    {simulator.Faults{Replies: map[string]string{"DATA": "451 4.3.0 Try again later"}}, smtp.NotSent, postroom.ServerBusy, "not ready", 0},
		"cut while it is read":       {simulator.Faults{SMTP: simulator.SMTPFaults{CutInData: 20}}, smtp.Uncertain, postroom.Timeout, "", 0}, // the dot is on its way already
		"cut before it is taken":     {simulator.Faults{CutBefore: []string{"."}}, smtp.Uncertain, postroom.Timeout, "ended before it said whether it takes it", 0},
		"cut before the answer":      {simulator.Faults{CutAfter: []string{"."}}, smtp.Uncertain, postroom.Timeout, "ended before it said whether it takes it", 1},
		"refused at the end":         {simulator.Faults{Replies: map[string]string{".": "554 5.7.1 Message contains spam or virus"}}, smtp.NotSent, postroom.ContentRejected, "because of what is in it", 0},
		"a server that shuts down":   {simulator.Faults{Replies: map[string]string{".": "421 4.3.2 Shutting down"}}, smtp.NotSent, postroom.ServerBusy, "not ready", 0},
		"an answer in single bytes":  {simulator.Faults{OneBytePerPacket: true}, smtp.Sent, "", "has taken the mail", 1},
		"a server that wants nobody": {simulator.Faults{ByeAtGreeting: "554 5.7.1 not you"}, smtp.NotSent, postroom.Unknown, "", 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			d, _, server, m := sender(t)
			server.SetFaults("", test.faults)
			r, err := d.SendTest(t.Context(), admin(), m.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			if r.Outcome != test.outcome || !strings.Contains(r.Words, test.words) || r.Words == "" {
				t.Errorf("%s: %s (%s), want %s: %s", r.Outcome, r.Words, r.Reply, test.outcome, test.words)
			}
			if (r.Fault == nil) != (test.outcome == smtp.Sent) || r.Fault != nil && (test.class != postroom.Unknown && r.Fault.Class != test.class || r.Fault.Remedy == "") {
				t.Errorf("fault %+v, want one of class %s", r.Fault, test.class)
			}
			if got := len(server.Accepted()); got != test.taken {
				t.Errorf("the server has %d mails, want %d", got, test.taken)
			}
		})
	}
}

func TestMailboxThatOnlyReadsSendsNoTestMail(t *testing.T) {
	ctx := context.Background()
	d, _ := newDesk(t)
	m := mustAdd(t, d, plain())
	_, err := d.SendTest(ctx, admin(), m.ID, "")
	wantFault(t, err, postroom.Invalid, "outgoing")
	_, err = d.SendTest(ctx, postroom.Viewer{User: 2, Role: postroom.RoleAgent}, m.ID, "")
	wantFault(t, err, postroom.Forbidden, "")
	_, err = d.SendTest(ctx, admin(), m.ID+7, "")
	wantFault(t, err, postroom.NotFound, "")
}

// One app password, pasted as Google shows it, reads by POP3 and sends by SMTP.
func TestOneCredentialForPOP3AndSMTP(t *testing.T) {
	d, _ := newDesk(t)
	read, send, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	pop, err := read.StartPOP3(simulator.POP3Options{TLS: postroom.TLSImplicit})
	if err != nil {
		t.Fatal(err)
	}
	read.AddAccount("support@gmail.example", "abcdefghijklmnop")
	m.Incoming = postroom.IncomingSettings{Protocol: postroom.POP3, ServerSettings: serverAt(t, pop.Address(), postroom.TLSImplicit, read.CAPEM)}
	m.Incoming.Username, m.Outgoing.Username = "support@gmail.example", "support@gmail.example"
	m, err = d.Add(t.Context(), admin(), m, Credential{Password: postroom.Hide("abcd efgh ijkl mnop")})
	if err != nil {
		t.Fatal(err)
	}
	if r, err := d.TestSaved(t.Context(), admin(), m.ID, TestOptions{}); err != nil || !r.OK {
		t.Errorf("test: %s, %+v, %v", kinds(r), r.Fault(), err)
	}
	if r, err := d.SendTest(t.Context(), admin(), m.ID, ""); err != nil || r.Outcome != smtp.Sent || len(send.Accepted()) != 1 {
		t.Errorf("SendTest = %+v, %v", r, err)
	}
}
