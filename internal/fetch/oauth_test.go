package fetch_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/work"
)

func filed(n int64) map[postroom.ArrivalState]int64 {
	return map[postroom.ArrivalState]int64{postroom.ArrivalFiled: n}
}

func TestASessionIsMadeAnewBeforeItsTokenEnds(t *testing.T) {
	t.Parallel()
	eachProvider(t, 2*time.Second, func(s *tokenScene) {
		id := s.add(s.mailbox())
		s.run()
		s.becomes(id, postroom.MailboxActive)
		delivered := 0
		for s.opened.Load() < 4 {
			s.deliver(delivered, delivered+1)
			delivered++
			if cut := s.server.CutEnded(); cut > 0 {
				s.t.Errorf("%d sessions had outlived their token", cut)
			}
			time.Sleep(50 * time.Millisecond)
		}
		s.has(id, filed(int64(delivered)))
		s.wasQuiet()
		if s.renewed.Load() > 0 {
			s.t.Errorf("%d tokens were refused", s.renewed.Load())
		}
		s.balances(id)
	})
}

// A provider that cannot be asked for a while costs no connection.
func TestASessionOutlivesAnOutageOfItsProvider(t *testing.T) {
	t.Parallel()
	eachProvider(t, 2*time.Second, func(s *tokenScene) {
		id := s.add(s.mailbox())
		s.run()
		s.becomes(id, postroom.MailboxActive)
		s.provider.SetFaults(simulator.OAuthFaults{Status: 503, Body: `{"error":"temporarily_unavailable"}`})
		asked := s.provider.Requests()["refresh_token"]
		s.until("the provider is asked in vain", func() bool { return s.provider.Requests()["refresh_token"] > asked })
		s.mu.Lock()
		ends := s.grant.Expires
		s.mu.Unlock()
		time.Sleep(time.Until(ends) + 300*time.Millisecond)
		s.deliver(0, 1)
		s.has(id, filed(1))
		s.wasQuiet()
		if s.opened.Load() != 1 {
			s.t.Errorf("%d connections were made", s.opened.Load())
		}
		s.provider.SetFaults()
		s.endToken()
		s.deliver(1, 2)
		s.has(id, filed(2))
	})
}

// endToken ends the session of the mailbox, as the server does with its token.
func (s *tokenScene) endToken() {
	s.t.Helper()
	s.provider.EndAccess(simUser)
	if s.server.CutEnded() == 0 {
		s.t.Error("there is no session that ends")
	}
}

// Where nobody says when tokens end, the server does.
func TestTheEndOfATokenIsAMereInterruption(t *testing.T) {
	t.Parallel()
	eachProvider(t, time.Hour, func(s *tokenScene) {
		s.forgets = true
		id := s.add(s.mailbox())
		s.run()
		s.becomes(id, postroom.MailboxActive)
		s.until("the mailbox waits for news", func() bool { return s.server.Counts(simUser).Commands["IDLE"] > 0 })
		s.endToken()
		s.until("it is read again", func() bool { return s.opened.Load() == 2 })
		if s.renewed.Load() != 1 {
			s.t.Errorf("another token was asked for %d times", s.renewed.Load())
		}
		s.deliver(0, 1)
		s.has(id, filed(1))
		s.wasQuiet()
		s.balances(id)
	})
}

// A server may keep the connection open, and refuse what is asked of it.
func TestAConnectionWhoseTokenHasEndedIsLeft(t *testing.T) {
	t.Parallel()
	s := newTokenScene(t, simulator.MicrosoftOAuth, time.Hour)
	if err := s.server.AddFolder(simUser, "Archive"); err != nil {
		t.Fatal(err)
	}
	m := s.mailbox()
	m.Incoming.Folders = []string{"INBOX", "Archive"}
	id := s.add(m)
	s.run()
	s.becomes(id, postroom.MailboxActive)
	s.server.SetFaults(simUser, simulator.Faults{Replies: map[string]string{"EXAMINE": "NO Session invalidated - AccessTokenExpired", "SELECT": "NO Session invalidated - AccessTokenExpired"}})
	s.deliver(0, 1) // which it does not let anybody see
	if _, err := s.server.Append(simUser, "Archive", letter(1, ""), time.Now()); err != nil {
		t.Fatal(err)
	}
	s.until("another connection is made", func() bool { return s.opened.Load() > 1 })
	s.server.SetFaults(simUser, simulator.Faults{})
	s.has(id, filed(2))
	s.becomes(id, postroom.MailboxActive)
}

func TestATokenMayEndInTheMiddleOfAMessage(t *testing.T) {
	t.Parallel()
	eachProvider(t, time.Hour, func(s *tokenScene) {
		s.server.SetFaults(simUser, simulator.Faults{BytesPerSecond: 20_000})
		for n := range 20 {
			s.deliverRaw(append(letter(n, ""), strings.Repeat("a long line of no use\r\n", 100)...), time.Now())
		}
		id := s.add(s.mailbox())
		s.run()
		s.until("some are brought", func() bool { return s.counts(id)[postroom.ArrivalFiled] > 3 })
		s.endToken()
		s.server.SetFaults(simUser, simulator.Faults{})
		s.has(id, filed(20))
		s.wasQuiet()
		s.balances(id)
	})
}

func TestATokenThatIsRefusedIsReplacedOnce(t *testing.T) {
	t.Parallel()
	eachProvider(t, time.Hour, func(s *tokenScene) {
		if _, err := s.login(t.Context(), postroom.Mailbox{}); err != nil {
			s.t.Fatal(err)
		}
		s.provider.EndAccess(simUser) // and nobody here knows
		s.deliver(0, 3)
		id := s.add(s.mailbox())
		s.run()
		s.has(id, filed(3))
		s.wasQuiet()
		if s.renewed.Load() != 1 || s.opened.Load() != 1 {
			s.t.Errorf("another token was asked for %d times for %d connections", s.renewed.Load(), s.opened.Load())
		}

		// A mail server that takes no token at all is asked with two for one try.
		s.server.SetFaults("", simulator.Faults{RefuseLogin: "NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"})
		s.server.Disconnect(simUser)
		m := s.becomes(id, postroom.MailboxNeedsSignIn)
		if m.Fault == nil || s.renewed.Load() != 2 {
			s.t.Errorf("another token was asked for %d times, for %v", s.renewed.Load(), m.Fault)
		}
	})
}

// The sign-in is lost while a session goes on, which nobody cuts: people are told when
// the next token is refused, and mail comes in until the session ends.
func TestALostSignInIsToldWhileMailIsRead(t *testing.T) {
	t.Parallel()
	eachProvider(t, 2*time.Second, func(s *tokenScene) {
		id := s.add(s.mailbox())
		s.run()
		s.becomes(id, postroom.MailboxActive)
		s.provider.Revoke(simUser, "")
		m := s.becomes(id, postroom.MailboxNeedsSignIn)
		if m.Fault == nil || m.Fault.Kind != postroom.NeedsSignIn || m.Fault.Class != postroom.TokenRevoked || m.Fault.Remedy == "" {
			s.t.Errorf("the fault is %+v", m.Fault)
		}
		s.deliver(0, 1)
		s.has(id, filed(1))
		s.server.CutEnded()
		s.deliver(1, 4)
		s.until("the end of the session is noticed", func() bool { return s.kept(id).NextTryAt.After(time.Now().Add(30 * time.Second)) })
		if state := s.kept(id).State; state != postroom.MailboxNeedsSignIn {
			s.t.Errorf("then the mailbox is %s", state)
		}

		s.signInAgain()
		s.change(id, func(*postroom.Mailbox) {})
		s.becomes(id, postroom.MailboxActive)
		s.has(id, filed(4))
		s.balances(id)
	})
}

// Somebody else finds out that a sign-in is lost, long before its token ends.
func TestALostSignInIsToldWithinAPoll(t *testing.T) {
	t.Parallel()
	s := newTokenScene(t, simulator.GoogleOAuth, time.Hour)
	id := s.add(s.mailbox())
	s.run()
	s.becomes(id, postroom.MailboxActive)
	s.provider.Revoke(simUser, "")
	s.overdue() // as if another token had been asked for elsewhere
	s.becomes(id, postroom.MailboxNeedsSignIn)
	if s.opened.Load() != 1 {
		t.Errorf("%d connections were made for that", s.opened.Load())
	}
	s.signInAgain()
	s.becomes(id, postroom.MailboxActive)
}

// Google wants five minutes between two visits.
func TestEveryVisitTakesAToken(t *testing.T) {
	t.Parallel()
	s := newTokenScene(t, simulator.MicrosoftOAuth, 2*time.Second)
	pop, err := s.server.StartPOP3(simulator.POP3Options{Mechanisms: []string{"XOAUTH2"}, Shared: true})
	if err != nil {
		t.Fatal(err)
	}
	m := s.mailbox()
	m.Incoming.Protocol, m.Incoming.Port, m.Incoming.PollInterval = postroom.POP3, pop.Port, 100*time.Millisecond
	id := s.add(m)
	s.run()
	s.becomes(id, postroom.MailboxActive)
	n := 0
	for began := time.Now(); time.Since(began) < 4*time.Second; n++ { // two tokens and more
		s.deliver(n, n+1)
		time.Sleep(100 * time.Millisecond)
	}
	s.has(id, filed(int64(n)))
	s.wasQuiet()
	asked, visits := s.asked.Load(), s.opened.Load()
	if asked < visits || visits < 10 || s.renewed.Load() > 0 {
		t.Errorf("a token was asked for %d times for %d visits, and %d were refused", asked, visits, s.renewed.Load())
	}

	s.provider.Revoke(simUser, "")
	s.becomes(id, postroom.MailboxNeedsSignIn)
}

// Two hundred rounds of troubles that pass, at the provider and at the mail server: nobody
// is asked to sign in again. One refusal that is meant does that at once.
func TestTroubleThatPassesAsksNobodyToSignIn(t *testing.T) {
	t.Parallel()
	s := newTokenScene(t, simulator.MicrosoftOAuth, time.Hour)
	s.fleet.Retry = work.Delay{First: time.Millisecond, Max: 5 * time.Millisecond}
	refresh := []string{"refresh_token"}
	type round struct {
		name     string
		provider []simulator.OAuthFaults
		server   simulator.Faults
		dns      *net.DNSError
	}
	rounds := []round{
		{name: "500", provider: []simulator.OAuthFaults{{For: refresh, Status: 500, Body: `{"error":"server_error"}`}}},
		{name: "502", provider: []simulator.OAuthFaults{{For: refresh, Status: 502, Body: simulator.BadGateway, ContentType: "text/html"}}},
		{name: "503", provider: []simulator.OAuthFaults{{For: refresh, Status: 503, Body: `{"error":"temporarily_unavailable"}`}}},
		{name: "429", provider: []simulator.OAuthFaults{{For: refresh, Status: 429, Body: `{"error":"too_many_requests"}`}}},
		{name: "AADSTS90033", provider: []simulator.OAuthFaults{{For: refresh, Status: 503, Body: `{"error":"temporarily_unavailable","error_description":"AADSTS90033: A transient error has occurred. Please try again.","error_codes":[90033]}`}}},
		{name: "a page instead of an answer", provider: []simulator.OAuthFaults{{For: refresh, Status: 200, Body: "<html><body>Welcome to our hotspot</body></html>", ContentType: "text/html"}}},
		{name: "half an answer", provider: []simulator.OAuthFaults{{For: refresh, Status: 200, Body: `{"access_to`}}},
		{name: "no answer", provider: []simulator.OAuthFaults{{For: refresh, Hang: true}}},
		{name: "a connection that is reset", provider: []simulator.OAuthFaults{{For: refresh, Reset: true}}},
		{name: "a name that is not found", dns: &net.DNSError{Err: "no such host", Name: "login.microsoftonline.com", IsNotFound: true}},
		{name: "a resolver that is silent", dns: &net.DNSError{Err: "i/o timeout", Name: "login.microsoftonline.com", IsTimeout: true, IsTemporary: true}},
		{name: "a mail server that leaves", server: simulator.Faults{ByeAtGreeting: "Server shutting down."}},
		{name: "a mail server that is down", server: simulator.Faults{RefuseLogin: "NO [UNAVAILABLE] Server error, please try again later"}},
		{name: "a mail server that cannot ask its provider", server: simulator.Faults{RefuseLogin: "NO [UNAVAILABLE] Temporary authentication failure."}},
		{name: "a mail server that hangs up", server: simulator.Faults{CutBefore: []string{"AUTHENTICATE"}}},
	}
	id := s.add(s.mailbox())
	s.run()
	s.becomes(id, postroom.MailboxActive)
	for n := range 200 {
		r := rounds[n%len(rounds)]
		if r.dns != nil {
			s.dialFail.Store(r.dns)
		}
		s.provider.SetFaults(r.provider...)
		s.server.SetFaults("", r.server)
		s.overdue()
		asked := s.asked.Load()
		s.server.Disconnect(simUser)
		s.until(fmt.Sprintf("round %d, %s: it is tried", n, r.name), func() bool { return s.asked.Load() >= asked+2 })
		s.dialFail.Store(nil)
		if states := s.recordedStates(); slices.Contains(states, postroom.MailboxNeedsSignIn) || slices.Contains(states, postroom.MailboxNeedsRepair) {
			s.t.Fatalf("after round %d, %s, the mailbox is %s: %+v", n, r.name, s.kept(id).State, s.kept(id).Fault)
		}
	}
	if !slices.Contains(s.recordedStates(), postroom.MailboxDelayed) {
		t.Error("nothing was ever in trouble")
	}
	s.provider.SetFaults()
	s.server.SetFaults("", simulator.Faults{})
	s.deliver(0, 3)
	s.becomes(id, postroom.MailboxActive)
	s.has(id, filed(3))

	s.provider.Revoke(simUser, "")
	s.overdue()
	s.server.Disconnect(simUser)
	revoked := time.Now()
	s.becomes(id, postroom.MailboxNeedsSignIn)
	if took := time.Since(revoked); took > 2*time.Second {
		t.Errorf("that the sign-in is lost was noticed after %v", took)
	}
}

// A mail server that takes nobody's token is in trouble itself, also where it answers as
// if each mailbox were at fault.
func TestAServerThatRefusesEveryTokenIsDelayed(t *testing.T) {
	t.Parallel()
	eachProvider(t, time.Hour, func(s *tokenScene) {
		boxes := []postroom.MailboxID{s.add(s.mailbox())}
		for n := range 3 {
			m := s.mailbox()
			m.Address = fmt.Sprintf("m%d.%s", n, m.Address)
			boxes = append(boxes, s.add(m))
		}
		s.run()
		for _, id := range boxes {
			s.becomes(id, postroom.MailboxActive)
		}
		s.server.SetFaults("", simulator.Faults{RefuseLogin: "NO AUTHENTICATE failed."})
		s.server.Disconnect(simUser)
		for _, id := range boxes {
			s.until("the server is said to be in trouble", func() bool {
				m := s.kept(id)
				return m.State == postroom.MailboxDelayed && m.Fault != nil && strings.Contains(m.Fault.Explanation, "has refused the sign-ins of")
			})
		}
	})
}
