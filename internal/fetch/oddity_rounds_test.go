package fetch_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/work"
)

// troubles go wrong with every connection, one after the other.
func troubles(kinds ...twist) twist {
	return func(x *exchange) { kinds[x.connection%len(kinds)](x) }
}

func silence(x *exchange) { x.answer = "" }

// atSignIn answers everything after the greeting but questions for capabilities.
func atSignIn(answer string) twist {
	return func(x *exchange) {
		if x.answers == 1 || x.says("CAPA") {
			return
		}
		if x.answer = answer + "\r\n"; x.tag != "" && !strings.HasPrefix(answer, "*") {
			x.answer = x.tag + " " + x.answer
		}
	}
}

var imapTroubles = troubles(
	silence,
	greets("* BYE Too many open connections (host 192.0.2.10)", true),
	greets("421 4.7.0 Try again later, closing connection", true),
	greets("", true),
	atSignIn("NO [UNAVAILABLE] Temporary authentication failure. [mail1:2026-11-20 08:00:00]"),
	atSignIn("NO [LIMIT] LOGIN Rate limit hit."),
	atSignIn("NO [ALERT] Too many simultaneous connections. (Failure)"),
	atSignIn("* BYE Temporary System Error"),
	replies("EXAMINE", "BAD Request is throttled. Suggested Backoff Time: 3 milliseconds"),
	replies("EXAMINE", "NO Server Unavailable. 15"),
	func(x *exchange) { x.hangUp = x.answers > 1 },
)

var popTroubles = troubles(
	silence,
	greets("-ERR Too many open connections (host 192.0.2.10)", true),
	greets("421 4.7.0 Try again later, closing connection", true),
	greets("", true),
	atSignIn("-ERR [SYS/TEMP] Unable to open maildrop: System I/O error"),
	atSignIn("-ERR [IN-USE] Do you have another POP session running?"),
	atSignIn("-ERR [LOGIN-DELAY] Logins must be at least 5 minutes apart"),
	func(x *exchange) { x.hangUp = x.answers > 1 },
)

// Nobody is asked to sign in again because a server is slow, busy, throttled or not
// to be found, however often.
func TestTwoHundredRoundsOfTroubleAskNobodyForASignIn(t *testing.T) {
	const rounds = 200
	s := newOddScene(t, oddity{})
	s.fleet.Retry = work.Delay{First: time.Millisecond, Max: 5 * time.Millisecond}
	s.fleet.CommandTimeout = 100 * time.Millisecond
	explain := s.fleet.Explain
	var mu sync.Mutex
	heard, asked := map[postroom.MailboxID]int{}, map[string]bool{}
	s.fleet.Explain = func(err error, m postroom.Mailbox, l fetch.Login) *postroom.Fault {
		fault := explain(err, m, l)
		mu.Lock()
		defer mu.Unlock()
		heard[m.ID]++
		if fault != nil && fault.Kind != postroom.Delayed || m.State == postroom.MailboxNeedsSignIn {
			asked[string(m.State)+": "+fault.Error()+": "+fault.Explanation] = true
		}
		if fault != nil && fault.RetryAfter > 0 { // minutes, by their words
			soon := *fault
			soon.RetryAfter = time.Millisecond
			fault = &soon
		}
		return fault
	}
	pop, err := s.server.StartPOP3(simulator.POP3Options{})
	if err != nil {
		t.Fatal(err)
	}
	lines := []*crooked{s.line, newCrooked(t, postroom.POP3, pop.Address())}
	s.deliver(0, 1)
	var ids []postroom.MailboxID
	for i, address := range []string{"imap@example.net", "pop@example.net", "nowhere@example.net"} {
		m := s.oddMailbox(nil)
		m.Address, m.Incoming.ConnectTimeout, m.Incoming.AuthTimeout = address, 100*time.Millisecond, 100*time.Millisecond
		if i == 1 {
			m.Incoming.Port, m.Incoming.Protocol = lines[1].port, postroom.POP3
		}
		ids = append(ids, s.add(m))
	}
	s.run()
	for _, id := range ids {
		s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 1})
	}

	s.id = ids[2]
	s.change(func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.Host = "mail.nowhere.invalid" })
	lines[0].bend(imapTroubles)
	lines[1].bend(popTroubles)
	lines[0].cut()
	s.until("two hundred rounds of trouble have passed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return heard[ids[0]] >= rounds && heard[ids[1]] >= rounds && heard[ids[2]] >= rounds
	})
	for _, id := range ids {
		if k, err := s.db.KeptMailbox(context.Background(), id); err != nil || k.State != postroom.MailboxDelayed || k.Fault == nil {
			t.Errorf("mailbox %s is %s with %v, %v, want delayed", id, k.State, k.Fault, err)
		}
	}
	mu.Lock()
	for words := range asked {
		t.Errorf("somebody is asked for something: %s", words)
	}
	mu.Unlock()

	for _, line := range lines {
		line.bend(nil)
	}
	s.change(func(_ *oddScene, m *postroom.Mailbox) { m.Incoming.Host = s.server.Host })
	s.deliver(1, 2)
	for _, id := range ids {
		s.until("the mailbox is read again", func() bool { return s.counts(id)[postroom.ArrivalFiled] == 2 })
		s.id = id
		s.isActive()
		s.accounts()
	}
}
