package mailbox

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/pop3"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

const someMail = "Subject: secret words\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n"

// readByPOP3 is a mailbox of a provider with count messages, and its POP3 server.
func readByPOP3(t *testing.T, count int) (*simulator.Server, *simulator.POP3Server, postroom.Mailbox) {
	t.Helper()
	provider, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = provider.Close() })
	provider.AddAccount("support", "right")
	for range count {
		if _, err := provider.Append("support", "INBOX", []byte(someMail), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	server, err := provider.StartPOP3(simulator.POP3Options{})
	if err != nil {
		t.Fatal(err)
	}
	return provider, server, mailboxOn(t, func(m *postroom.Mailbox) {
		m.Incoming.Protocol, m.Incoming.Host, m.Incoming.Port, m.Incoming.TLS = postroom.POP3, server.Host, server.Port, postroom.TLSNone
	})
}

func details(r Report) string {
	var words []string
	for _, s := range r.Steps {
		words = append(words, s.Detail)
	}
	return strings.Join(words, " | ")
}

func TestPOP3AsServersDiffer(t *testing.T) {
	tests := map[string]struct {
		faults simulator.Faults
		change func(*postroom.Mailbox)
		count  int
		steps  string
		class  postroom.Class
		words  string // of the fault, or of the details
	}{
		"everything works":      {count: 3, steps: "connection greeting sign_in folder message news", words: "speaks POP3; one signs in by PLAIN, USER. | support (PLAIN) | INBOX: 3 messages | The newest one, of 20 November 2026, 71 bytes. | Postroom looks every minute."},
		"an empty mailbox":      {steps: "connection greeting sign_in folder news", words: "INBOX: 0 messages"},
		"no TOP":                {count: 1, faults: simulator.Faults{HideCapabilities: []string{"TOP"}}, steps: "connection greeting sign_in folder message news", words: "INBOX: 1 message | None was looked at"},
		"no UIDL":               {count: 2, faults: simulator.Faults{HideCapabilities: []string{"UIDL"}}, steps: "connection greeting sign_in folder message news", words: "2 messages. The server has no lasting names"},
		"no CAPA":               {count: 1, faults: simulator.Faults{HideCapabilities: []string{"CAPA"}}, steps: "connection greeting sign_in folder message news", words: "None was looked at"},
		"TOP refused":           {count: 1, faults: simulator.Faults{Replies: map[string]string{"TOP": "-ERR not today"}}, steps: "connection greeting sign_in folder message news", words: "does not show a header"},
		"kept where it expires": {count: 1, faults: simulator.Faults{POP3: simulator.POP3Faults{Expire: "0"}}, steps: "connection greeting sign_in folder message ✕after_import", class: postroom.Unknown, words: "deletes every message that was fetched"},
		"deleted where it expires": {count: 1, faults: simulator.Faults{POP3: simulator.POP3Faults{Expire: "0"}}, steps: "connection greeting sign_in folder message after_import news",
			change: func(m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportDelete }, words: "Once a mail is here, it is deleted there."},
		"kept for a month":       {count: 1, faults: simulator.Faults{POP3: simulator.POP3Faults{Expire: "30"}}, steps: "connection greeting sign_in folder message after_import news", words: "deletes it after 30 days"},
		"nobody signs in twice":  {faults: simulator.Faults{POP3: simulator.POP3Faults{LoginDelay: 15 * time.Minute}}, steps: "connection greeting sign_in folder news", words: "looks every 15 minutes: the server lets nobody"},
		"a wrong password":       {change: func(m *postroom.Mailbox) { m.Incoming.Username = "nobody" }, steps: "connection greeting ✕sign_in", class: postroom.BadCredentials, words: "refused this password"},
		"a server that hangs up": {count: 1, faults: simulator.Faults{CutBefore: []string{"STAT", "LIST"}}, steps: "connection greeting sign_in ✕folder", class: "", words: ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			provider, server, m := readByPOP3(t, test.count)
			server.SetFaults("", test.faults)
			if test.change != nil {
				test.change(&m)
			}
			r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{})
			if got := kinds(r); got != test.steps {
				t.Fatalf("steps %s, want %s: %s", got, test.steps, details(r))
			}
			said := details(r)
			if f := r.Fault(); f != nil {
				said = f.Explanation + " " + f.Remedy
				if test.class != "" && f.Class != test.class {
					t.Errorf("fault %+v, want class %s", f, test.class)
				}
			}
			if !strings.Contains(said, test.words) || strings.Contains(said, "secret words") {
				t.Errorf("said %q, want %q", said, test.words)
			}
			nothingTouched(t, provider, server, test.count)
		})
	}
}

// nothingTouched makes sure that no message was asked for or marked.
func nothingTouched(t *testing.T, provider *simulator.Server, server *simulator.POP3Server, count int) {
	t.Helper()
	for _, said := range server.Said("support") {
		if slices.Contains([]string{"RETR", "DELE", "RSET"}, said.Name) {
			t.Errorf("the test said %s %s", said.Name, said.Argument)
		}
	}
	if left := provider.Messages("support", "INBOX"); len(left) != count {
		t.Errorf("%d messages are left of %d", len(left), count)
	}
}

func TestPOP3MailboxThatSomebodyHasOpen(t *testing.T) {
	provider, server, m := readByPOP3(t, 1)
	open := func() *pop3.Client {
		t.Helper()
		c, err := pop3.Open(t.Context(), pop3.Options{
			Endpoint: mail.Endpoint{Host: server.Host, Port: server.Port, TLS: postroom.TLSNone},
			Login:    mail.Login{Username: "support", Secret: postroom.Hide("right")},
		})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	reader := open()
	left := time.AfterFunc(300*time.Millisecond, func() { _ = reader.Close() })
	defer left.Stop()
	r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{})
	wantSteps(t, r, "connection greeting sign_in folder message news", "", "")

	reader = open()
	defer reader.Close()
	r = Tester{Explainer: explainer(), Patience: 700 * time.Millisecond}.Run(t.Context(), m, password("right"), TestOptions{})
	wantSteps(t, r, "connection greeting ✕sign_in", postroom.MailboxInUse, "is being read at this moment")
	nothingTouched(t, provider, server, 1)
}

func TestWhoReadsAMailboxStepsAsideForATest(t *testing.T) {
	_, _, m := readByPOP3(t, 2)
	d, _ := newDesk(t)
	added, err := d.Add(t.Context(), admin(), m, password("right"))
	if err != nil {
		t.Fatal(err)
	}
	aside, back := 0, 0
	d.Aside = func(_ context.Context, id postroom.MailboxID) (func(), error) {
		if aside++; id != added.ID {
			t.Errorf("mailbox %s steps aside, want %s", id, added.ID)
		}
		return func() { back++ }, nil
	}
	r, err := d.TestSaved(t.Context(), admin(), added.ID, TestOptions{})
	if err != nil || !r.OK || aside != 1 || back != 1 {
		t.Errorf("report %s, %v, aside %d times, back %d times", kinds(r), err, aside, back)
	}
	m.Name = "Not kept yet"
	r, err = d.Test(t.Context(), admin(), m, password("right"), TestOptions{})
	if err != nil || !r.OK || aside != 2 || back != 2 {
		t.Errorf("other settings: report %s, %v, aside %d times, back %d times", kinds(r), err, aside, back)
	}
	d.Aside = func(context.Context, postroom.MailboxID) (func(), error) { return nil, errors.New("the node ends") }
	if _, err = d.TestSaved(t.Context(), admin(), added.ID, TestOptions{}); err == nil {
		t.Error("a turn that was refused looks taken")
	}
}

// aPOP3Server answers commands by their first word, and notes them.
func aPOP3Server(t *testing.T, greeting string, answers map[string]string) (port int, said func() []string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var heard []string
	var talks sync.WaitGroup
	talks.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			talks.Go(func() {
				defer conn.Close()
				fmt.Fprintf(conn, "%s\r\n", greeting)
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					word, _, _ := strings.Cut(lines.Text(), " ")
					mu.Lock()
					heard = append(heard, lines.Text())
					mu.Unlock()
					answer, ok := answers[word]
					if !ok {
						answer = "+OK"
					}
					fmt.Fprintf(conn, "%s\r\n", answer)
					if word == "QUIT" {
						return
					}
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		talks.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port, func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(heard)
	}
}

func TestGmailShowsNoMessageToATest(t *testing.T) {
	port, said := aPOP3Server(t, "+OK Gpop ready for requests from 192.0.2.1", map[string]string{
		"CAPA": "+OK\r\nUSER\r\nTOP\r\nUIDL\r\nEXPIRE 0\r\n.", "LIST": "+OK\r\n1 700\r\n.", "UIDL": "+OK\r\n1 GmailId1\r\n.",
	})
	m := mailboxOn(t, func(m *postroom.Mailbox) {
		m.Incoming.Protocol, m.Incoming.Host, m.Incoming.Port, m.Incoming.TLS = postroom.POP3, "127.0.0.1", port, postroom.TLSNone
	})
	r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("abcdefghijklmnop"), TestOptions{})
	wantSteps(t, r, "connection greeting sign_in folder message news", "", "")
	commands := strings.Join(said(), "\n")
	if !strings.Contains(commands, "USER recent:support") || strings.Contains(commands, "TOP") || strings.Contains(commands, "RETR") {
		t.Errorf("said to Gmail:\n%s", commands)
	}
	if text := details(r); strings.Contains(text, "recent:") || !strings.Contains(text, "None was looked at") {
		t.Errorf("details %s", text)
	}
}

func TestServersOfAnotherProtocol(t *testing.T) {
	tests := map[string]struct {
		protocol postroom.Protocol
		greeting string
		words    string
	}{
		"IMAP where POP3 is chosen": {postroom.POP3, "* OK [CAPABILITY IMAP4rev1] ready\r\n", "IMAP"},
		"POP3 where IMAP is chosen": {postroom.IMAP, "+OK POP3 ready\r\n", "POP3"},
		"SMTP where POP3 is chosen": {postroom.POP3, "220 mail.example.net ESMTP\r\n", "SMTP"},
		"the web instead of POP3":   {postroom.POP3, "HTTP/1.1 400 Bad Request\r\n\r\n", "a web server"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			m := mailboxOn(t, func(m *postroom.Mailbox) {
				m.Incoming.Protocol, m.Incoming.Host, m.Incoming.Port, m.Incoming.TLS = test.protocol, "127.0.0.1", listen(t, true, test.greeting), postroom.TLSNone
			})
			r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("x"), TestOptions{})
			wantSteps(t, r, "connection ✕greeting", postroom.ProtocolMismatch, test.words)
		})
	}
}

func TestPOP3AgainstDovecot(t *testing.T) {
	server := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{"support": "right"}, RequireTLS: true})
	server.Deliver("support", "INBOX", []byte(someMail))
	implicit := func(m *postroom.Mailbox) {
		m.Incoming.Protocol, m.Incoming.Host, m.Incoming.Port, m.Incoming.CACertificate = postroom.POP3, server.Host, server.POP3SPort, server.CAPEM
	}
	stls := func(m *postroom.Mailbox) {
		implicit(m)
		m.Incoming.Port, m.Incoming.TLS = server.POP3Port, postroom.TLSStart
	}
	tests := map[string]struct {
		change   func(*postroom.Mailbox)
		password string
		steps    string
		class    postroom.Class
		words    string
	}{
		"everything works":        {implicit, "right", "connection encryption greeting sign_in folder message news", "", ""},
		"everything by STLS":      {stls, "right", "connection greeting encryption sign_in folder message news", "", ""},
		"a wrong password":        {implicit, "wrong", "connection encryption greeting ✕sign_in", postroom.BadCredentials, "refused this password"},
		"an authority unknown":    {func(m *postroom.Mailbox) { stls(m); m.Incoming.CACertificate = "" }, "right", "connection greeting ✕encryption", postroom.TLSUntrusted, "not trusted"},
		"no TLS where it is must": {func(m *postroom.Mailbox) { stls(m); m.Incoming.TLS = postroom.TLSNone }, "right", "connection greeting ✕sign_in", postroom.ProtocolMismatch, ""},
		"IMAP at the POP3 port":   {func(m *postroom.Mailbox) { implicit(m); m.Incoming.Protocol = postroom.IMAP }, "right", "connection encryption ✕greeting", postroom.ProtocolMismatch, "POP3"},
		"POP3 at the IMAP port":   {func(m *postroom.Mailbox) { implicit(m); m.Incoming.Port = server.IMAPSPort }, "right", "connection encryption ✕greeting", postroom.ProtocolMismatch, "IMAP"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := Tester{Explainer: explainer()}.Run(t.Context(), mailboxOn(t, test.change), password(test.password), TestOptions{})
			wantSteps(t, r, test.steps, test.class, test.words)
		})
	}
}
