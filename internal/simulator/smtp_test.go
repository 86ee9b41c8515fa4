package simulator

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"net"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

const bert = "bert@example.net"

// smtpOf starts a provider with two accounts and an SMTP server.
func smtpOf(t *testing.T, o SMTPOptions) *SMTPServer {
	t.Helper()
	s := begin(t, Options{})
	s.AddAccount(bert, "secret")
	p, err := s.StartSMTP(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func smtpClient(t *testing.T, p *SMTPServer) *raw {
	t.Helper()
	connection, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	return newRaw(t, connection)
}

// reply says a line and returns all lines that answer it (RFC 5321 section 4.2).
func (r *raw) reply(line string) string {
	r.t.Helper()
	r.say(line)
	var all string
	for {
		got := r.until("")
		all += got
		if len(got) < 4 || got[3] != '-' {
			return all
		}
	}
}

func wantReplies(t *testing.T, r *raw, exchanges [][2]string) {
	t.Helper()
	for _, e := range exchanges {
		if got := r.reply(e[0]); got != e[1]+"\r\n" {
			t.Errorf("%q is answered %q, want %q", e[0], got, e[1])
		}
	}
}

func plain(user, password string) string {
	return "AUTH PLAIN " + base64.StdEncoding.EncodeToString([]byte("\x00"+user+"\x00"+password))
}

// signedIn is a client that may send.
func signedIn(t *testing.T, p *SMTPServer) *raw {
	t.Helper()
	r := smtpClient(t, p)
	r.reply("EHLO client.example.net")
	if got := r.reply(plain(anna, "secret")); !strings.HasPrefix(got, "235") {
		t.Fatalf("AUTH is answered %q", got)
	}
	return r
}

func TestAMessageIsTakenAndDelivered(t *testing.T) {
	p := smtpOf(t, SMTPOptions{})
	r := smtpClient(t, p)
	if !strings.HasPrefix(r.greeting, "220 ") {
		t.Errorf("the greeting is %q", r.greeting)
	}
	wantReplies(t, r, [][2]string{
		{"AUTH PLAIN", "503 5.5.1 Bad sequence of commands"},
		{"EHLO x", "250-pretend.example.net at your service\r\n250-PIPELINING\r\n250-SIZE 26214400\r\n250-8BITMIME\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH PLAIN LOGIN"},
		{"MAIL FROM:<" + anna + ">", "530 5.7.0 Authentication required"},
		{"STARTTLS", "502 5.5.1 Command not implemented"},
		{plain(anna, "wrong"), "535 5.7.8 Authentication credentials invalid"},
		{plain(anna, "secret"), "235 2.7.0 Authentication successful"},
		{"RCPT TO:<x@example.com>", "503 5.5.1 Bad sequence of commands"},
		{"MAIL anna", "501 5.5.4 Syntax error in parameters"},
		{"mail from:<" + anna + "> BODY=8BITMIME SIZE=30", "250 2.1.0 OK"},
		{"DATA", "503 5.5.1 Bad sequence of commands"},
		{"RCPT TO:<>", "501 5.1.3 Bad recipient address syntax"},
		{"RCPT TO:<x@example.com>", "250 2.1.5 OK"},
		{"RCPT TO:<Bert@Example.Net>", "250 2.1.5 OK"},
		{".", "502 5.5.1 Command not implemented"},
		{"DATA", "354 End data with <CR><LF>.<CR><LF>"},
		{"Subject: a\r\n\r\n..dot\r\nbare\n.\r\nQUIT\r\n.", "250 2.0.0 OK: taken"},
		{"NOOP", "250 2.0.0 OK"},
		{"MAIL FROM:<" + anna + ">", "250 2.1.0 OK"},
		{"RSET", "250 2.0.0 OK"},
		{"DATA", "503 5.5.1 Bad sequence of commands"},
		{"QUIT", "221 2.0.0 Bye"},
	})
	if got := r.rest(); got != "" {
		t.Errorf("after QUIT comes %q", got)
	}
	raw := "Subject: a\r\n\r\n.dot\r\nbare\n.\r\nQUIT\r\n"
	want := []Accepted{{User: anna, From: anna, To: []string{"x@example.com", "Bert@Example.Net"}, Raw: []byte(raw)}}
	if got := p.Accepted(); !reflect.DeepEqual(got, want) {
		t.Errorf("Accepted returns %+v, want %+v", got, want)
	}
	in := p.provider.Messages(bert, "INBOX")
	if len(in) != 1 || !strings.HasPrefix(string(in[0].Raw), "Return-Path: <"+anna+">\r\nReceived: ") || !strings.HasSuffix(string(in[0].Raw), raw) {
		t.Errorf("the recipient has %v, want the message with a trace", in)
	}
	if c := p.Counts(""); c.Commands["DATA"] != 3 || c.Commands["."] != 2 || c.Logins != 1 || c.RefusedLogins != 1 {
		t.Errorf("Counts returns %+v", c)
	}
}

func TestSMTPOverTLS(t *testing.T) {
	p := smtpOf(t, SMTPOptions{TLS: postroom.TLSStart})
	r := smtpClient(t, p)
	if got := r.reply("EHLO x"); !strings.Contains(got, "250 STARTTLS\r\n") || strings.Contains(got, "AUTH") {
		t.Errorf("EHLO is answered %q, want STARTTLS and no AUTH", got)
	}
	wantReplies(t, r, [][2]string{
		{plain(anna, "secret"), "530 5.7.0 Must issue a STARTTLS command first"},
		{"STARTTLS\r\nNOOP", "220 2.0.0 Ready to start TLS"}, // what is sent ahead must not be answered
	})
	r.Conn = tls.Client(r.Conn, p.TLSConfig())
	r.in.Reset(r.Conn)
	wantReplies(t, r, [][2]string{{plain(anna, "secret"), "503 5.5.1 Bad sequence of commands"}})
	if got := r.reply("EHLO x"); strings.Contains(got, "STARTTLS") || !strings.Contains(got, "250 AUTH PLAIN LOGIN") {
		t.Errorf("EHLO is answered %q, want AUTH", got)
	}
	wantReplies(t, r, [][2]string{{plain(anna, "secret"), "235 2.7.0 Authentication successful"}})

	p = smtpOf(t, SMTPOptions{TLS: postroom.TLSStart})
	p.SetFaults("", Faults{HideCapabilities: []string{"STARTTLS"}})
	r = smtpClient(t, p)
	if got := r.reply("EHLO x") + r.reply("STARTTLS"); strings.Contains(got, "250 STARTTLS") || !strings.HasSuffix(got, "502 5.5.1 Command not implemented\r\n") {
		t.Errorf("without STARTTLS the server says %q", got)
	}

	p = smtpOf(t, SMTPOptions{TLS: postroom.TLSImplicit})
	connection, err := tls.Dial("tcp", p.Address(), p.TLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	r = &raw{Conn: connection, t: t, in: bufio.NewReader(connection)}
	if got := r.until("220 ") + r.reply("HELO x") + r.reply(plain(anna, "secret")); !strings.HasSuffix(got, "235 2.7.0 Authentication successful\r\n") {
		t.Errorf("the login is answered %q", got)
	}
}

func TestEveryMechanismOfSMTP(t *testing.T) {
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	p := smtpOf(t, SMTPOptions{Mechanisms: []string{"LOGIN", "PLAIN", "XOAUTH2", "OAUTHBEARER"}})
	for name, lines := range map[string][]string{
		"LOGIN":               {"AUTH LOGIN", b64(anna), b64("secret")},
		"LOGIN with the name": {"AUTH LOGIN " + b64(anna), b64("secret")},
		"PLAIN later":         {"AUTH PLAIN", b64("\x00" + anna + "\x00secret")},
		"XOAUTH2":             {"AUTH XOAUTH2 " + b64("user="+anna+"\x01auth=Bearer secret\x01\x01")},
		"OAUTHBEARER":         {"AUTH OAUTHBEARER", b64("n,a=" + anna + ",\x01auth=Bearer secret\x01\x01")},
	} {
		r := smtpClient(t, p)
		r.reply("EHLO x")
		var got string
		for _, line := range lines {
			got = r.reply(line)
		}
		if !strings.HasPrefix(got, "235") {
			t.Errorf("%s ends with %q", name, got)
		}
	}
	r := smtpClient(t, p)
	r.reply("EHLO x")
	wantReplies(t, r, [][2]string{
		{"AUTH XOAUTH2 " + b64("user="+anna+"\x01auth=Bearer old\x01\x01"), "334 " + b64(`{"status":"400","schemes":"Bearer","scope":"https://mail.google.com/"}`)},
		{"", "535 5.7.8 Authentication credentials invalid"},
		{"AUTH PLAIN " + b64("x"), "535 5.7.8 Authentication credentials invalid"},
		{"AUTH CRAM-MD5", "501 5.5.2 Authentication cancelled, or unknown"},
		{"AUTH LOGIN", "334 " + b64("Username:")},
		{"*", "501 5.5.2 Authentication cancelled, or unknown"},
	})
}

func TestWhatGoesWrongWhenSending(t *testing.T) {
	const taken = "250 2.0.0 OK: taken\r\n"
	for name, c := range map[string]struct {
		faults Faults
		want   string // the last answer; empty: the connection ends
		taken  int
	}{
		"nothing":           {Faults{}, taken, 1},
		"login":             {Faults{RefuseLogin: "535 5.7.8 Username and Password not accepted."}, "535 5.7.8 Username and Password not accepted.\r\n", 0},
		"login, two lines":  {Faults{RefuseLogin: "535-5.7.8 No.\n535 5.7.8 Really."}, "535-5.7.8 No.\r\n535 5.7.8 Really.\r\n", 0},
		"MAIL later":        {Faults{Replies: map[string]string{"MAIL": "451 4.3.0 Try later"}}, "451 4.3.0 Try later\r\n", 0},
		"MAIL never":        {Faults{Replies: map[string]string{"MAIL": "553 5.7.1 Not yours"}}, "553 5.7.1 Not yours\r\n", 0},
		"one recipient":     {Faults{Replies: map[string]string{"RCPT TO:<" + bert + ">": "550 5.1.1 No such user"}}, "550 5.1.1 No such user\r\n", 0},
		"another":           {Faults{Replies: map[string]string{"RCPT TO:<x@example.com>": "550 5.1.1 No such user"}}, taken, 1},
		"DATA":              {Faults{Replies: map[string]string{"DATA": "554 5.5.1 No"}}, "554 5.5.1 No\r\n", 0},
		"MAIL, and the end": {Faults{Replies: map[string]string{"MAIL": "421 4.7.0 Try again later"}}, "421 4.7.0 Try again later\r\n", 0},
		"the end":           {Faults{Replies: map[string]string{".": "550 5.7.1 Spam"}}, "550 5.7.1 Spam\r\n", 0},
		"cut at DATA":       {Faults{CutBefore: []string{"DATA"}}, "", 0},
		"cut in the data":   {Faults{SMTP: SMTPFaults{CutInData: 15}}, "", 0},
		"cut, not taken":    {Faults{CutBefore: []string{"."}}, "", 0},
		"cut, but taken":    {Faults{CutAfter: []string{"."}}, "", 1},
		"slowly":            {Faults{Pause: map[string]time.Duration{".": time.Millisecond}, BytesPerSecond: 4000}, taken, 1},
		"byte by byte":      {Faults{OneBytePerPacket: true}, taken, 1},
	} {
		t.Run(name, func(t *testing.T) {
			p := smtpOf(t, SMTPOptions{})
			p.SetFaults("", c.faults)
			r := smtpClient(t, p)
			got := ""
			for _, line := range []string{"EHLO x", plain(anna, "secret"), "MAIL FROM:<" + anna + ">", "RCPT TO:<" + bert + ">", "DATA", "Subject: a\r\n\r\nb\r\nc\r\n."} {
				if got = r.reply(line); got == "" || got[0] > '3' {
					break
				}
			}
			if strings.HasPrefix(got, "421") {
				got += r.rest()
			}
			if got != c.want || len(p.Accepted()) != c.taken || len(p.provider.Messages(bert, "INBOX")) != c.taken {
				t.Errorf("it ends with %q and %d taken, want %q and %d", got, len(p.Accepted()), c.want, c.taken)
			}
		})
	}
}

func TestAnSMTPServerTurnsAway(t *testing.T) {
	p := smtpOf(t, SMTPOptions{})
	p.SetFaults("", Faults{MaxConnections: 1, TooMany: "Too many connections"})
	signedIn(t, p)
	if r := smtpClient(t, p); r.greeting+r.rest() != "421 4.7.0 Too many connections\r\n" {
		t.Errorf("the second is greeted with %q", r.greeting)
	}
	p = smtpOf(t, SMTPOptions{})
	p.SetFaults(anna, Faults{MaxPerAccount: 1})
	signedIn(t, p)
	r := smtpClient(t, p)
	r.reply("EHLO x")
	if got := r.reply(plain(anna, "secret")) + r.rest(); got != "421 4.7.0 [ALERT] Too many simultaneous connections. (Failure)\r\n" {
		t.Errorf("the second login is answered %q", got)
	}
	p.SetFaults("", Faults{ByeAtGreeting: "554 5.7.1 Your address is listed"})
	if r := smtpClient(t, p); r.greeting+r.rest() != "554 5.7.1 Your address is listed\r\n" {
		t.Errorf("the greeting is %q", r.greeting)
	}
	p.SetFaults("", Faults{Ignore: []string{"EHLO"}})
	r = smtpClient(t, p)
	r.say("EHLO x")
	if !r.hearsNothing() {
		t.Error("EHLO is answered")
	}
}

func TestAMessageThatIsTooLarge(t *testing.T) {
	p := smtpOf(t, SMTPOptions{MaxSize: 100})
	r := signedIn(t, p)
	const tooLarge = "552 5.3.4 Message size exceeds fixed maximum message size"
	wantReplies(t, r, [][2]string{
		{"MAIL FROM:<" + anna + "> SIZE=101", tooLarge},
		{"MAIL FROM:<" + anna + "> SIZE=100", "250 2.1.0 OK"},
		{"RCPT TO:<" + bert + ">", "250 2.1.5 OK"},
		{"DATA", "354 End data with <CR><LF>.<CR><LF>"},
		{strings.Repeat("0123456789\r\n", 9) + ".", tooLarge},
		{"NOOP", "250 2.0.0 OK"},
	})
	if n := len(p.Accepted()); n != 0 {
		t.Errorf("%d messages are taken, want none", n)
	}
}

func TestGmailKeepsWhatWasSent(t *testing.T) {
	s := begin(t, Options{Gmail: true})
	p, err := s.StartSMTP(SMTPOptions{})
	if err != nil {
		t.Fatal(err)
	}
	r := signedIn(t, p)
	for _, line := range []string{"MAIL FROM:<" + anna + ">", "RCPT TO:<x@example.com>", "DATA", "Subject: a\r\n\r\nb\r\n."} {
		r.reply(line)
	}
	if sent := s.Messages(anna, "[Gmail]/Sent Mail"); len(sent) != 1 || string(sent[0].Raw) != "Subject: a\r\n\r\nb\r\n" {
		t.Errorf("Sent Mail holds %v, want the message", sent)
	}
}
