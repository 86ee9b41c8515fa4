package mailbox

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/pop3"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

func letters(n int) (all [][]byte) {
	for i := range n {
		all = append(all, fmt.Appendf(nil, "Subject: letter %d\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n", i))
	}
	return all
}

// A test leaves every flag, every UID and every file on the server as it was, byte for
// byte, whatever is to happen with mail once it is here.
func TestNothingChangesOnDovecot(t *testing.T) {
	server := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{"support": "right"}})
	server.DeliverAt(time.Now().Add(-time.Hour), "support", "INBOX", letters(4)...)
	server.Deliver("support", "Orders/2026", letters(2)...)
	// Some of it is read, answered and deleted …
	server.Doveadm("flags", "add", "-u", "support", `\Seen`, "mailbox", "INBOX", "uid", "1:2")
	server.Doveadm("flags", "add", "-u", "support", `\Flagged \Answered`, "mailbox", "INBOX", "uid", "2")
	server.Doveadm("flags", "add", "-u", "support", `\Deleted`, "mailbox", "INBOX", "uid", "3")
	// … and of two letters nobody has been told yet. All have their UIDs, which Dovecot
	// gives when they are first listed, to whomever.
	server.Deliver("support", "INBOX", letters(2)...)
	server.Doveadm("fetch", "-u", "support", "uid", "all")

	before := atRest(server)
	if len(before) < 8 {
		t.Fatalf("there are %d files", len(before))
	}
	uids := func() string {
		return server.Doveadm("fetch", "-u", "support", "mailbox uid flags date.received guid", "all")
	}
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3} {
		if protocol == postroom.POP3 {
			// With the sign-in, before it hears any command, Dovecot moves what is new to what
			// it has told of: by POP3 there is no way in without that.
			signInByPOP3(t, server)
			before = atRest(server)
		}
		for _, after := range []postroom.AfterImport{postroom.AfterImportKeep, postroom.AfterImportMarkRead, postroom.AfterImportMove, postroom.AfterImportDelete} {
			if protocol == postroom.POP3 && (after == postroom.AfterImportMarkRead || after == postroom.AfterImportMove) {
				continue // POP3 knows neither
			}
			m := mailboxOn(t, func(m *postroom.Mailbox) {
				m.Incoming.Protocol, m.Incoming.Host, m.Incoming.Port, m.Incoming.TLS = protocol, server.Host, server.IMAPPort, postroom.TLSNone
				if m.AfterImport = after; after == postroom.AfterImportMove {
					m.MoveTo = "Postroom"
				}
				if protocol == postroom.POP3 {
					m.Incoming.Port = server.POP3Port
					return
				}
				m.Incoming.Folders = []string{"INBOX", "Orders/2026"}
			})
			for _, c := range []Credential{password("right"), password("wrong")} {
				r := Tester{Explainer: explainer()}.Run(t.Context(), m, c, TestOptions{})
				if r.OK != (c.Password.Reveal() == "right") {
					t.Errorf("%s, %s: %s, %v", protocol, after, kinds(r), r.Fault())
				}
				if diff := cmp.Diff(before, atRest(server)); diff != "" {
					t.Fatalf("%s, %s: a test has changed the mailbox: %s", protocol, after, diff)
				}
			}
		}
	}
	first := uids()
	if !strings.Contains(first, "Orders/2026") {
		t.Fatalf("the server shows %s", first)
	}
	m := mailboxOn(t, func(m *postroom.Mailbox) {
		m.Incoming.Host, m.Incoming.Port, m.Incoming.TLS = server.Host, server.IMAPPort, postroom.TLSNone
	})
	if r := (Tester{Explainer: explainer()}).Run(t.Context(), m, password("right"), TestOptions{}); !r.OK {
		t.Errorf("%s, %v", kinds(r), r.Fault())
	}
	if diff := cmp.Diff(first, uids()); diff != "" {
		t.Errorf("the server shows something else than before: %s", diff)
	}
}

// signInByPOP3 does nothing else.
func signInByPOP3(t *testing.T, server *testbed.DovecotServer) {
	t.Helper()
	client, err := pop3.Open(t.Context(), pop3.Options{
		Endpoint: mail.Endpoint{Host: server.Host, Port: server.POP3Port, TLS: postroom.TLSNone},
		Login:    mail.Login{Username: "support", Secret: postroom.Hide("right")},
	})
	if err != nil {
		t.Fatal(err)
	}
	client.Close()
}

// atRest is the footprint once nobody is signed in any more.
func atRest(server *testbed.DovecotServer) map[string]string {
	for server.ConnectionCount("support") > 0 {
		time.Sleep(time.Millisecond)
	}
	return server.Footprint("support")
}

// What the servers hear in a test is nothing that could change anything.
func TestOnlyHarmlessCommandsAreSaid(t *testing.T) {
	harmless := map[postroom.Protocol]string{
		postroom.IMAP: " CAPABILITY ID ENABLE AUTHENTICATE LOGIN EXAMINE SEARCH FETCH IDLE NOOP LIST LOGOUT NAMESPACE UID ",
		postroom.POP3: " CAPA AUTH USER PASS STAT LIST UIDL TOP NOOP QUIT ",
		postroom.SMTP: " EHLO AUTH MAIL RCPT RSET QUIT ",
	}
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3} {
		for _, after := range []postroom.AfterImport{postroom.AfterImportKeep, postroom.AfterImportDelete} {
			s := newVirtual(t, protocol, "right")
			s.m.AfterImport = after
			before := s.imap.Messages("support@example.net", "INBOX")
			if r := s.tester.Run(t.Context(), s.m, password("right"), TestOptions{}); !r.OK {
				t.Errorf("%s: %s, %v", protocol, kinds(r), r.Fault())
			}
			if diff := cmp.Diff(before, s.imap.Messages("support@example.net", "INBOX")); diff != "" {
				t.Errorf("%s: %s", protocol, diff)
			}
			if n := len(s.smtp.Accepted()); n != 0 {
				t.Errorf("%d mails were sent", n)
			}
			for of, counts := range map[postroom.Protocol]simulator.Counts{postroom.IMAP: s.imap.Counts(""), postroom.POP3: s.pop.Counts(""), postroom.SMTP: s.smtp.Counts("")} {
				for command := range counts.Commands {
					if word := strings.TrimPrefix(command, "UID "); !strings.Contains(harmless[of], " "+word+" ") {
						t.Errorf("%s: the server was told %s", of, command)
					}
				}
				if of == postroom.SMTP != (counts.Commands["EHLO"] > 0) {
					t.Errorf("%s: %v", of, counts.Commands)
				}
			}
		}
	}
}
