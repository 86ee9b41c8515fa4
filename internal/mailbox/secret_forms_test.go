package mailbox

import (
	"context"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/provider"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// The ways in which one app password is pasted, and in which a server may have it.
var (
	pasted = map[string]string{
		"with blanks":              "abcd efgh ijkl mnop",
		"without":                  "abcdefghijklmnop",
		"with other blanks":        "abcd\u00a0efgh\u00a0ijkl\u00a0mnop\r\n",
		"with a line end in it":    "abcd efgh\r\nijkl mnop\n",
		"with marks without width": "\u200babcd efgh ijkl mnop\u200b",
	}
	setAs = []string{"abcd efgh ijkl mnop", "abcdefghijklmnop"}
)

func asPasted(t *testing.T, text string) Credential {
	t.Helper()
	c, err := Credential{Password: postroom.Hide(text)}.Complete()
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestAnAppPasswordOpensDovecotHoweverItIsWritten(t *testing.T) {
	users := map[string]string{"shown": setAs[0], "bare": setAs[1]}
	server := testbed.Dovecot(t, testbed.DovecotOptions{Users: users})
	var all sync.WaitGroup // Dovecot thinks about a wrong one
	defer all.Wait()
	for user, set := range users {
		for how, text := range pasted {
			for protocol, port := range map[postroom.Protocol]int{postroom.IMAP: server.IMAPPort, postroom.POP3: server.POP3Port} {
				m := mailboxOn(t, func(m *postroom.Mailbox) {
					m.Incoming.Protocol, m.Incoming.Host, m.Incoming.Port, m.Incoming.TLS = protocol, server.Host, port, postroom.TLSNone
					m.Incoming.Username = user
				})
				c := asPasted(t, text)
				all.Go(func() {
					r := Tester{Explainer: explainer()}.Run(t.Context(), m, c, TestOptions{})
					if !r.OK || r.form.Reveal() != set {
						t.Errorf("%s, %s, set as %q: %s, %v", protocol, how, set, kinds(r), r.Fault())
					}
				})
			}
		}
	}
}

// As it is with Dovecot, with a provider, by which it is also sent; and with something
// else for sending.
func TestAnAppPasswordOpensAProviderHoweverItIsWritten(t *testing.T) {
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3} {
		for _, set := range setAs {
			for how, text := range pasted {
				s := newVirtual(t, protocol, set)
				s.imap.AddAccount("relay", set)
				read := func() int { return s.imap.Counts("").RefusedLogins + s.pop.Counts("").RefusedLogins }
				r := s.tester.Run(t.Context(), s.m, asPasted(t, text), TestOptions{})
				if !r.OK || r.form.Reveal() != set || r.outgoingForm.Reveal() != set {
					t.Errorf("%s, %s, set as %q: %s, %v", protocol, how, set, kinds(r), r.Fault())
				}
				if read() > 1 || s.smtp.Counts("").RefusedLogins > 1 {
					t.Errorf("%s, %s, set as %q: refused %d times for reading, %d for sending", protocol, how, set, read(), s.smtp.Counts("").RefusedLogins)
				}
				s.imap.AddAccount("support@example.net", "right")
				s.m.Outgoing.Username = "relay"
				c, own := password("right"), asPasted(t, text)
				c.Outgoing = &own
				if r := s.tester.Run(t.Context(), s.m, c, TestOptions{}); !r.OK || r.outgoingForm.Reveal() != set {
					t.Errorf("%s, of its own for sending, %s, set as %q: %s, %v", protocol, how, set, kinds(r), r.Fault())
				}
			}
		}
	}
}

// Too many wrong passwords lock an account: none is sent more than twice.
func TestARefusedPasswordIsSentTwiceAtMost(t *testing.T) {
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3} {
		for _, text := range []string{"abcd efgh ijkl mnop", "abcdefghijklmnop", "abc-def-ghi", "correct horse", "wrong"} {
			s := newVirtual(t, protocol, "something else")
			r := s.tester.Run(t.Context(), s.m, asPasted(t, text), TestOptions{})
			if r.OK || r.Fault().Class != postroom.BadCredentials {
				t.Errorf("%s, %q: %s, %v", protocol, text, kinds(r), r.Fault())
			}
			read, sent := s.imap.Counts("").RefusedLogins+s.pop.Counts("").RefusedLogins, s.smtp.Counts("").RefusedLogins
			if read == 0 || read > 2 || sent != 1 {
				t.Errorf("%s, %q: refused %d times for reading, %d for sending", protocol, text, read, sent)
			}
		}
	}
}

func TestThereIsAlwaysAFormAndNeverMoreThanTwo(t *testing.T) {
	gmail, _ := new(provider.Presets).ByDomain("gmail.com")
	for _, preset := range []*provider.Preset{nil, gmail} {
		for _, kind := range []string{"", KindPassword, KindAppPassword} {
			for _, text := range []string{
				"", " ", "\u200b", "x", "abcd efgh ijkl mnop", "abcdefghijklmnop", "abcd-efgh-ijkl-mnop", "ab cd-ef gh", "correct horse battery staple", "p\xffss", "ä ö",
			} {
				forms := Credential{Kind: kind, Password: postroom.Hide(text)}.formsAt(preset)
				if n := len(forms); n < 1 || n > 2 || n == 2 && forms[0].Reveal() == forms[1].Reveal() {
					t.Errorf("%q as %q has %d forms", text, kind, n)
				}
			}
		}
	}
}

func TestTheReportSaysWhichFormWorked(t *testing.T) {
	s := newVirtual(t, postroom.IMAP, "abcd efgh ijkl mnop")
	r := s.tester.Run(t.Context(), s.m, asPasted(t, "abcd efgh ijkl mnop"), TestOptions{Side: IncomingSide})
	if step := r.Steps[2]; step.Kind != StepSignIn || step.Detail != "support@example.net (PLAIN), with the password with blanks between its groups" {
		t.Errorf("%+v", step)
	}
	for _, line := range r.Dialogue {
		if strings.Contains(line.Text, "abcd") {
			t.Errorf("the dialogue tells %q", line.Text)
		}
	}
}

// A server that refuses for another reason has no second form tried on it.
func TestAnotherFormIsForRefusedPasswordsOnly(t *testing.T) {
	for _, reply := range []string{
		"NO [UNAVAILABLE] Temporary authentication failure.",
		"NO [ALERT] Too many simultaneous connections. (Failure)",
		"NO [AUTHENTICATIONFAILED] Authentication timed out.",
	} {
		s := newVirtual(t, postroom.IMAP, "abcd efgh ijkl mnop")
		s.imap.SetFaults("", simulator.Faults{RefuseLogin: reply})
		r := s.tester.Run(t.Context(), s.m, asPasted(t, "abcd efgh ijkl mnop"), TestOptions{Side: IncomingSide})
		if n := s.imap.Counts("").RefusedLogins; r.OK || n != 1 {
			t.Errorf("%q: refused %d times, %v", reply, n, r.Fault())
		}
	}
}

// A server that does not answer when the second form comes has not refused it.
func TestAFormThatWasNotHeardIsNoWrongPassword(t *testing.T) {
	s := newVirtual(t, postroom.IMAP, setAs[0])
	dials := 0
	s.tester.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if dials++; dials > 1 {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		}
		return s.dial(ctx, network, address)
	}
	r := s.tester.Run(t.Context(), s.m, asPasted(t, setAs[0]), TestOptions{Side: IncomingSide})
	if f := r.Fault(); dials != 2 || f == nil || f.Kind != postroom.Delayed {
		t.Errorf("%d connections, %s: %+v, want two and a delay", dials, kinds(r), f)
	}
}
