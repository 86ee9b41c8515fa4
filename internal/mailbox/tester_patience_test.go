package mailbox

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// A virtual is a provider in memory, in whose time nobody has to wait, with an account
// that holds some mail. Its mailbox is read by IMAP or POP3.
type virtual struct {
	t    *testing.T
	imap *simulator.Server
	pop  *simulator.POP3Server
	smtp *simulator.SMTPServer
	m    postroom.Mailbox

	tester Tester
	slow   sync.WaitGroup
}

func newVirtual(t *testing.T, protocol postroom.Protocol, password string) *virtual {
	t.Helper()
	s := &virtual{t: t}
	var err error
	if s.imap, err = simulator.Start(simulator.Options{InMemory: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.imap.Close()
		s.slow.Wait()
	})
	if s.pop, err = s.imap.StartPOP3(simulator.POP3Options{}); err != nil {
		t.Fatal(err)
	}
	if s.smtp, err = s.imap.StartSMTP(simulator.SMTPOptions{}); err != nil {
		t.Fatal(err)
	}
	s.imap.AddAccount("support@example.net", password)
	for n := range 3 {
		raw := fmt.Sprintf("Subject: secret words %d\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n", n)
		if _, err := s.imap.Append("support@example.net", "INBOX", []byte(raw), noon()); err != nil {
			t.Fatal(err)
		}
	}
	s.m = mailboxOn(t, func(m *postroom.Mailbox) {
		m.Incoming.Protocol = protocol
		m.Incoming.ServerSettings = postroom.ServerSettings{Host: "127.0.0.1", Port: 143, TLS: postroom.TLSNone, Username: "support@example.net"}
		if protocol == postroom.POP3 {
			m.Incoming.Port = 110
		}
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: postroom.ServerSettings{Host: "127.0.0.1", Port: 587, TLS: postroom.TLSNone, Username: "support@example.net"}}
	})
	s.tester = Tester{Explainer: explainer(), Dial: s.dial}
	return s
}

func (s *virtual) dial(ctx context.Context, network, address string) (net.Conn, error) {
	switch _, port, _ := net.SplitHostPort(address); port {
	case "143":
		return s.imap.Dial(ctx, network, address)
	case "110":
		return s.pop.Dial(ctx, network, address)
	}
	return s.smtp.Dial(ctx, network, address)
}

// nobodyThere swallows everything, also the connection.
func nobodyThere(ctx context.Context, _, _ string) (net.Conn, error) {
	<-ctx.Done()
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: context.Cause(ctx)}
}

func TestATestTakesFifteenSecondsAtMost(t *testing.T) {
	const slow = 4 * time.Minute
	patient := func(s *virtual) {
		s.m.Incoming.ConnectTimeout, s.m.Incoming.AuthTimeout = slow, slow
	}
	faults := func(f simulator.Faults) func(*virtual) {
		return func(s *virtual) {
			s.imap.SetFaults("", f)
			s.pop.SetFaults("", f)
			s.smtp.SetFaults("", f)
		}
	}
	both := func(do ...func(*virtual)) func(*virtual) {
		return func(s *virtual) {
			for _, d := range do {
				d(s)
			}
		}
	}
	tests := map[string]struct {
		protocol postroom.Protocol
		set      func(*virtual)
		steps    string // of the incoming side
		words    string // of the first fault
		over     bool   // the whole test was ended
	}{
		"a name server that does not answer": {postroom.IMAP, func(s *virtual) {
			s.m.Incoming.Host, s.m.Outgoing.Host = "imap.example.net", "smtp.example.net"
			s.tester.LookUp = func(ctx context.Context, _ string) ([]netip.Addr, error) {
				<-ctx.Done()
				return nil, &net.DNSError{Err: "i/o timeout", IsTimeout: true}
			}
		}, "✕name", "", false},
		"a network that swallows everything":   {postroom.IMAP, func(s *virtual) { s.tester.Dial = nobodyThere }, "✕connection", "", false},
		"the same, with much patience":         {postroom.IMAP, both(patient, func(s *virtual) { s.tester.Dial = nobodyThere }), "✕connection", "15 seconds at most", true},
		"silence instead of a greeting":        {postroom.IMAP, faults(simulator.Faults{Silent: true}), "connection ✕greeting", "", false},
		"the same by POP3":                     {postroom.POP3, faults(simulator.Faults{Silent: true}), "connection ✕greeting", "", false},
		"silence, and much patience":           {postroom.POP3, both(patient, faults(simulator.Faults{Silent: true})), "connection ✕greeting", "15 seconds at most", true},
		"a sign-in without an answer":          {postroom.IMAP, faults(simulator.Faults{Ignore: []string{"AUTHENTICATE", "LOGIN", "AUTH"}}), "connection greeting ✕sign_in", "", false},
		"the same, with patience, by POP3":     {postroom.POP3, both(patient, faults(simulator.Faults{Ignore: []string{"PASS", "AUTH", "USER"}})), "connection greeting ✕sign_in", "15 seconds at most", true},
		"the same, with patience, by IMAP":     {postroom.IMAP, both(patient, faults(simulator.Faults{Ignore: []string{"AUTHENTICATE", "LOGIN", "AUTH"}})), "connection greeting ✕sign_in", "15 seconds at most", true},
		"a folder that does not open":          {postroom.IMAP, faults(simulator.Faults{Ignore: []string{"EXAMINE", "SELECT", "MAIL"}}), "connection greeting sign_in ✕folder", "", false},
		"a list that does not come":            {postroom.POP3, faults(simulator.Faults{Ignore: []string{"LIST", "UIDL", "STAT", "RCPT"}}), "connection greeting sign_in ✕folder", "", false},
		"a message that does not come":         {postroom.IMAP, faults(simulator.Faults{Ignore: []string{"FETCH", "UID FETCH"}}), "connection greeting sign_in folder ✕message", "", false},
		"no word in IDLE":                      {postroom.IMAP, faults(simulator.Faults{Ignore: []string{"IDLE"}}), "connection greeting sign_in folder message ✕news", "", false},
		"folders that are not listed":          {postroom.IMAP, faults(simulator.Faults{Ignore: []string{"LIST"}}), "connection greeting sign_in folder message news", "", false},
		"no goodbye":                           {postroom.IMAP, faults(simulator.Faults{Ignore: []string{"LOGOUT", "QUIT"}}), "connection greeting sign_in folder message news", "", false},
		"no goodbye by POP3":                   {postroom.POP3, faults(simulator.Faults{Ignore: []string{"LOGOUT", "QUIT"}}), "connection greeting sign_in folder message news", "", false},
		"ten bytes a second":                   {postroom.IMAP, faults(simulator.Faults{BytesPerSecond: 10}), "", "", false},
		"ten bytes a second, by POP3":          {postroom.POP3, faults(simulator.Faults{BytesPerSecond: 10}), "", "", true},
		"four seconds for everything":          {postroom.IMAP, faults(simulator.Faults{Pause: pauses(4 * time.Second)}), "", "15 seconds at most", true},
		"four seconds for everything, by POP3": {postroom.POP3, faults(simulator.Faults{Pause: pauses(4 * time.Second)}), "", "15 seconds at most", true},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newVirtual(t, test.protocol, "right")
				test.set(s)
				begun := time.Now()
				r := s.tester.Run(t.Context(), s.m, password("right"), TestOptions{})
				took := time.Since(begun)
				if took > testLasts {
					t.Errorf("it took %v", took)
				}
				if test.over && took < testEnds {
					t.Errorf("it ended after %v already: %s, %v", took, kinds(r), r.Fault())
				}
				incoming, _, _ := strings.Cut(kinds(r), "outgoing_")
				incoming = strings.TrimRight(incoming, " ✕")
				if test.steps != "" && incoming != test.steps {
					t.Errorf("steps %s, want %s", kinds(r), test.steps)
				}
				if !strings.Contains(test.steps, "✕") && test.steps != "" {
					if !r.OK {
						t.Errorf("fault %v", r.Fault())
					}
					return
				}
				f := r.Fault()
				if f == nil || f.Class != postroom.Timeout && f.Class != postroom.DNS || !strings.Contains(f.Explanation, test.words) {
					t.Errorf("fault %+v, want a time-out that says %q", f, test.words)
				}
			})
		})
	}
}

// pauses are those of a server that thinks about every command.
func pauses(d time.Duration) map[string]time.Duration {
	all := make(map[string]time.Duration)
	for _, command := range []string{
		"GREETING", "CAPABILITY", "ID", "AUTHENTICATE", "LOGIN", "EXAMINE", "UID SEARCH", "UID FETCH", "LIST", "IDLE", "LOGOUT",
		"CAPA", "AUTH", "USER", "PASS", "STAT", "UIDL", "TOP", "NOOP", "QUIT", "EHLO", "MAIL", "RCPT", "RSET",
	} {
		all[command] = d
	}
	return all
}

func TestATestThatIsGivenUpEndsAtOnce(t *testing.T) {
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3} {
		for _, command := range []string{"GREETING", "AUTHENTICATE", "AUTH", "PASS", "EXAMINE", "LIST", "IDLE", "EHLO", "MAIL"} {
			t.Run(string(protocol)+" "+command, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { // which fails where something is left running
					s := newVirtual(t, protocol, "right")
					faults := simulator.Faults{Ignore: []string{command}}
					s.imap.SetFaults("", faults)
					s.pop.SetFaults("", faults)
					s.smtp.SetFaults("", faults)
					ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
					defer cancel()
					begun := time.Now()
					r := s.tester.Run(ctx, s.m, password("right"), TestOptions{})
					if took := time.Since(begun); took > 2*time.Second {
						t.Errorf("it went on for %v: %s", took, kinds(r))
					}
				})
			})
		}
	}
}

func TestOneByteAPacketIsNoTrouble(t *testing.T) {
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3} {
		t.Run(string(protocol), func(t *testing.T) {
			s := newVirtual(t, protocol, "right")
			faults := simulator.Faults{OneBytePerPacket: true}
			s.imap.SetFaults("", faults)
			s.pop.SetFaults("", faults)
			s.smtp.SetFaults("", faults)
			r := s.tester.Run(t.Context(), s.m, password("right"), TestOptions{})
			wantSteps(t, r, "connection greeting sign_in folder message news outgoing_connection outgoing_greeting outgoing_sign_in outgoing_sender", "", "")
		})
	}
}
