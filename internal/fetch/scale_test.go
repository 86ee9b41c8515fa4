package fetch_test

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/work"
)

// explaining has faults explained as the product explains them. worked says that
// the passwords have opened their mailboxes before.
func (s *scene) explaining(worked bool) {
	explainer := mailbox.Explainer{Catalogue: &diagnose.Catalogue{}}
	s.fleet.Explain = func(err error, m postroom.Mailbox, l fetch.Login) *postroom.Fault {
		return explainer.Explain(err, m, mailbox.Credential{Kind: l.Kind, Password: l.Secret}, l.HasWorked)
	}
	s.fleet.Login = func(context.Context, postroom.Mailbox) (fetch.Login, error) {
		return fetch.Login{Kind: "password", Secret: postroom.Hide("secret"), HasWorked: worked}, nil
	}
}

// another adds a mailbox of its own user, with letters in it.
func (s *scene) another(n, letters int, change func(*postroom.Mailbox)) postroom.MailboxID {
	s.t.Helper()
	user := fmt.Sprintf("m%d@example.net", n)
	s.server.AddAccount(user, "secret")
	for i := range letters {
		if _, err := s.server.Append(user, "INBOX", letter(1000*n+i, ""), time.Now()); err != nil {
			s.t.Fatal(err)
		}
	}
	m := s.mailbox()
	m.Name, m.Address, m.Incoming.Username = user, user, user
	m.Incoming.ConnectTimeout, m.Incoming.AuthTimeout = 2*time.Second, 2*time.Second
	if change != nil {
		change(&m)
	}
	return s.add(m)
}

func (s *scene) kept(id postroom.MailboxID) postroom.Mailbox {
	s.t.Helper()
	m, err := s.db.Mailbox(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return m
}

// listener serves every connection until the test ends.
func listener(t *testing.T, serve func(net.Conn)) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	group.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			group.Go(func() { defer conn.Close(); serve(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		group.Wait()
	})
	return l.Addr().(*net.TCPAddr).Port
}

// Of 50 mailboxes ten hang, ten are refused, and ten get garbage: the others do not
// notice.
func TestTroubleStaysWhereItIs(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.explaining(false)
	hanging := listener(t, func(c net.Conn) { _, _ = c.Read(make([]byte, 1)) })
	garbage := listener(t, func(c net.Conn) {
		for {
			if _, err := c.Write([]byte("\x00\xff* OK ((((\"{9999999999}\r\n\r\n* \r\n")); err != nil {
				return
			}
		}
	})
	refusing, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = refusing.Close() })
	refusing.SetFaults("", simulator.Faults{RefuseLogin: "NO [AUTHENTICATIONFAILED] Authentication failed."})
	at := func(port int) func(*postroom.Mailbox) {
		return func(m *postroom.Mailbox) { m.Incoming.Port = port }
	}
	var bad, good, refused []postroom.MailboxID
	for n := range 10 {
		switch {
		case n < 5:
			bad = append(bad, s.another(n, 0, at(hanging)))
		default: // at the server of those that are well
			s.server.SetFaults(fmt.Sprintf("m%d@example.net", n), simulator.Faults{Silent: true})
			bad = append(bad, s.another(n, 5, nil))
		}
		refused = append(refused, s.another(10+n, 0, func(m *postroom.Mailbox) {
			at(refusing.Port)(m)
			m.Incoming.ConnectTimeout, m.Incoming.AuthTimeout = time.Minute, time.Minute // on a busy machine it may be slow, too
		}))
		bad = append(bad, s.another(20+n, 0, at(garbage)))
	}
	for n := range 20 {
		good = append(good, s.another(30+n, 5, nil))
	}
	began := time.Now()
	s.run()
	s.until("the other twenty have their mail", func() bool {
		return !slices.ContainsFunc(good, func(id postroom.MailboxID) bool { return s.counts(id)[postroom.ArrivalFiled] != 5 })
	})
	took := time.Since(began)
	t.Logf("the twenty were read within %v", took)
	if took > 15*time.Second {
		t.Errorf("it took %v", took)
	}
	s.until("all others say what is wrong", func() bool {
		return !slices.ContainsFunc(append(bad, refused...), func(id postroom.MailboxID) bool { return s.kept(id).Fault == nil })
	})
	for _, id := range bad {
		if m := s.kept(id); m.State != postroom.MailboxDraft || m.Fault.Kind != postroom.Delayed && m.Fault.Kind != postroom.NeedsRepair || m.NextTryAt.IsZero() {
			t.Errorf("%s is %s: %+v", m.Address, m.State, m.Fault)
		}
	}
	for _, id := range refused { // passwords that have never worked: no second try
		if m := s.kept(id); m.Fault.Kind != postroom.NeedsSignIn || !m.NextTryAt.IsZero() {
			t.Errorf("%s: %+v, next try %v", m.Address, m.Fault, m.NextTryAt)
		}
	}
	if n := refusing.Counts("").Connections; n != 10 {
		t.Errorf("the server that refuses saw %d connections of ten mailboxes, want ten", n)
	}
}

// A server whose directory is away refuses every password: it is delayed, whatever
// it says, and heals without a person.
func TestAServerThatRefusesEverybodyIsDelayed(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.explaining(true)
	var all []postroom.MailboxID
	for n := range 8 {
		all = append(all, s.another(n, 1, nil))
	}
	s.run()
	s.until("all are read", func() bool {
		return !slices.ContainsFunc(all, func(id postroom.MailboxID) bool { return s.counts(id)[postroom.ArrivalFiled] != 1 })
	})
	s.server.SetFaults("", simulator.Faults{
		RefuseLogin: "NO [AUTHENTICATIONFAILED] Authentication failed.", ByeInIdle: "Server shutting down.",
	})
	s.until("all are delayed for the server's sake", func() bool {
		return !slices.ContainsFunc(all, func(id postroom.MailboxID) bool {
			m := s.kept(id)
			return m.State != postroom.MailboxDelayed || m.Fault == nil || !strings.Contains(m.Fault.Explanation, "has refused the passwords of")
		})
	})
	for _, id := range all {
		if m := s.kept(id); time.Until(m.NextTryAt) < 20*time.Second || time.Until(m.NextTryAt) > 2*time.Minute {
			t.Errorf("%s is tried again in %v, want about a minute: too many tries lock accounts", m.Address, time.Until(m.NextTryAt))
		}
	}
}

// A server that takes five connections has twelve mailboxes: they take turns, and
// nobody needs to know.
func TestMailboxesTakeTurnsAtAFullServer(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.explaining(true)
	s.fleet.SeatHold = 200 * time.Millisecond
	s.fleet.Retry = work.Delay{First: 50 * time.Millisecond, Max: 200 * time.Millisecond}
	s.server.SetFaults("", simulator.Faults{MaxConnections: 5})
	var all []postroom.MailboxID
	for n := range 12 {
		all = append(all, s.another(n, 2, nil))
	}
	s.run()
	read := func(want int64) func() bool {
		return func() bool {
			return !slices.ContainsFunc(all, func(id postroom.MailboxID) bool { return s.counts(id)[postroom.ArrivalFiled] != want })
		}
	}
	s.until("all are read", read(2))
	for n := range 12 {
		if _, err := s.server.Append(fmt.Sprintf("m%d@example.net", n), "INBOX", letter(1000*n+5, ""), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	s.until("what comes later is read too", read(3))
	s.until("nothing is wrong with any", func() bool {
		return !slices.ContainsFunc(all, func(id postroom.MailboxID) bool { return s.kept(id).State != postroom.MailboxActive })
	})
	before := s.server.Counts("").Connections
	time.Sleep(2 * time.Second)
	if more := s.server.Counts("").Connections - before; more > 80 {
		t.Errorf("%d connections in two seconds: mailboxes do not keep their turn", more)
	}
}
