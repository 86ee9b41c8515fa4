package simulator

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestAReplyAtEveryStepOfIMAP(t *testing.T) {
	lines := []string{
		"a CAPABILITY", "b LOGIN " + anna + " secret", "c EXAMINE INBOX", "d UID FETCH 1:* (UID)",
		"f NOOP", "g APPEND INBOX {3+}\r\nabc", "h LIST \"\" *", "e IDLE",
	}
	for step, want := range map[string]string{
		"capability": "a NO [X] Odd\r\n", "auth": "b NO [X] Odd\r\n", "select": "c NO [X] Odd\r\n", "fetch": "d NO [X] Odd\r\n",
		"idle": "e NO [X] Odd\r\n", "noop": "f NO [X] Odd\r\n", "append": "g NO [X] Odd\r\n", "list": "h NO [X] Odd\r\n",
	} {
		f, ok := ReplyAt(postroom.IMAP, step, "* NO before it\nNO [X] Odd")
		if !ok {
			t.Fatalf("IMAP has no step %s", step)
		}
		s := begin(t, Options{})
		s.SetFaults("", f)
		r := rawClient(t, s)
		got := ""
		for _, line := range lines {
			if got = r.sayFor(line); strings.HasPrefix(got, "* NO before it\r\n") {
				break
			}
		}
		if got != "* NO before it\r\n"+want {
			t.Errorf("at %s the server says %q", step, got)
		}
	}
	for _, step := range []string{"greeting", "auth", "select", "idle"} {
		f, _ := ReplyAt(postroom.IMAP, step, "* BYE [X] Odd")
		s := begin(t, Options{})
		s.SetFaults("", f)
		r := rawClient(t, s)
		got := r.greeting
		if step != "greeting" {
			r.say("b LOGIN " + anna + " secret\r\nc EXAMINE INBOX\r\ne IDLE")
			got = r.rest()
		}
		if !strings.HasSuffix(got, "* BYE [X] Odd\r\n") || r.rest() != "" {
			t.Errorf("at %s the server says %q, want the BYE and then the end", step, got)
		}
	}
}

func TestAnotherGreetingOfIMAP(t *testing.T) {
	s := begin(t, Options{})
	s.SetFaults("", Faults{Replies: map[string]string{"GREETING": "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] odd"}})
	r := rawClient(t, s)
	if got := r.greeting + r.sayFor("a NOOP"); got != "* OK [CAPABILITY IMAP4rev1 LOGINDISABLED] odd\r\na OK NOOP completed\r\n" {
		t.Errorf("the server says %q", got)
	}
	s.SetFaults("", Faults{Replies: map[string]string{"GREETING": "220 mail.example.com ESMTP"}})
	if r := rawClient(t, s); r.greeting+r.rest() != "220 mail.example.com ESMTP\r\n" {
		t.Errorf("the server greets with %q", r.greeting)
	}
}

func TestAReplyAtEveryStepOfPOP3(t *testing.T) {
	lines := []string{"CAPA", "USER " + anna, "PASS secret", "STAT", "LIST", "UIDL", "TOP 1 0", "NOOP", "QUIT"}
	for step, from := range map[string]string{
		"capability": "CAPA", "user": "USER", "auth": "PASS", "list": "STAT", "fetch": "TOP", "noop": "NOOP", "quit": "QUIT",
	} {
		p := threeByPOP3(t)
		f, ok := ReplyAt(postroom.POP3, step, "-ERR [X] Odd")
		if !ok {
			t.Fatalf("POP3 has no step %s", step)
		}
		p.SetFaults("", f)
		r := popClient(t, p)
		for _, line := range lines {
			name, _, _ := strings.Cut(line, " ")
			got := r.ask(line)
			if odd := got == "-ERR [X] Odd\r\n"; odd {
				if name != from {
					t.Errorf("at %s the server refuses %s", step, line)
				}
				break
			}
			if (name == "CAPA" || name == "LIST" || name == "UIDL" || name == "TOP") && strings.HasPrefix(got, "+OK") {
				r.until(".\r\n")
			}
			if name == from {
				t.Errorf("at %s %s is answered %q", step, line, got)
			}
		}
	}
	p := threeByPOP3(t)
	f, _ := ReplyAt(postroom.POP3, "greeting", "* OK [CAPABILITY IMAP4rev1] Dovecot ready.")
	p.SetFaults("", f)
	if r := popClient(t, p); r.greeting != "* OK [CAPABILITY IMAP4rev1] Dovecot ready.\r\n" {
		t.Errorf("the greeting is %q", r.greeting)
	}
	p.SetFaults("", Faults{RefuseLogin: "-ERR [SYS/TEMP] Odd", EndAfter: []string{"PASS"}})
	r := popClient(t, p)
	if got := r.login(anna, "secret") + r.rest(); got != "-ERR [SYS/TEMP] Odd\r\n" {
		t.Errorf("the login ends with %q, want the answer and the end", got)
	}
}

func TestAReplyAtEveryStepOfSMTP(t *testing.T) {
	lines := []string{"EHLO x", "STARTTLS", plain(anna, "secret"), "NOOP", "MAIL FROM:<" + anna + ">", "RCPT TO:<" + bert + ">", "DATA", "Subject: a\r\n\r\nb\r\n.", "QUIT"}
	const odd = "550-5.7.1 First line\r\n550 5.7.1 and the last\r\n"
	for step, at := range map[string]int{
		"capability": 0, "starttls": 1, "auth": 2, "noop": 3, "mail_from": 4, "rcpt_to": 5, "data": 6, "end": 7, "quit": 8,
	} {
		p := smtpOf(t, SMTPOptions{})
		f, ok := ReplyAt(postroom.SMTP, step, "550-5.7.1 First line\n550 5.7.1 and the last")
		if !ok {
			t.Fatalf("SMTP has no step %s", step)
		}
		p.SetFaults("", f)
		r := smtpClient(t, p)
		for n, line := range lines {
			got := r.reply(line)
			if (got == odd) != (n == at) {
				t.Errorf("at %s %s is answered %q", step, line, got)
			}
			if n == at {
				break
			}
		}
	}
	p := smtpOf(t, SMTPOptions{})
	for _, step := range []string{"greeting", "auth"} {
		f, _ := ReplyAt(postroom.SMTP, step, "421-4.7.0 First line\n421 4.7.0 and the last")
		p.SetFaults("", f)
		r := smtpClient(t, p)
		got := r.greeting
		if step == "auth" {
			r.reply("EHLO x")
			r.say(plain(anna, "secret"))
			got = ""
		}
		if got += r.rest(); got != "421-4.7.0 First line\r\n421 4.7.0 and the last\r\n" {
			t.Errorf("at %s the server says %q, want both lines and the end", step, got)
		}
	}
	if _, ok := ReplyAt(postroom.SMTP, "idle", "550 no"); ok {
		t.Error("SMTP has IDLE")
	}
}

func TestTheReasonOfARefusedToken(t *testing.T) {
	const reason = `{"status":"401","schemes":"bearer"}`
	p := smtpOf(t, SMTPOptions{Mechanisms: []string{"XOAUTH2"}})
	p.SetFaults("", Faults{Challenge: reason, RefuseLogin: "535 5.7.3 Authentication unsuccessful"})
	r := smtpClient(t, p)
	r.reply("EHLO x")
	wantReplies(t, r, [][2]string{
		{"AUTH XOAUTH2 " + base64.StdEncoding.EncodeToString([]byte("user="+anna+"\x01auth=Bearer old\x01\x01")), "334 " + base64.StdEncoding.EncodeToString([]byte(reason))},
		{"", "535 5.7.3 Authentication unsuccessful"},
	})
}
