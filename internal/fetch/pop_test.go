package fetch_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// A popScene is a scene whose mailbox is read by POP3.
type popScene struct {
	*scene
	pop *simulator.POP3Server
}

func newPopScene(t *testing.T, provider simulator.Options, o simulator.POP3Options) *popScene {
	t.Helper()
	s := newScene(t, provider)
	pop, err := s.server.StartPOP3(o)
	if err != nil {
		t.Fatal(err)
	}
	return &popScene{s, pop}
}

func (s *popScene) mailbox() postroom.Mailbox {
	m := s.scene.mailbox()
	m.Incoming.Protocol, m.Incoming.Port, m.Incoming.Host = postroom.POP3, s.pop.Port, s.pop.Host
	return m
}

// left is how many messages the server has.
func (s *popScene) left() int { return len(s.server.Messages(simUser, "INBOX")) }

func (s *popScene) numberings(id postroom.MailboxID) []store.NumberingCount {
	s.t.Helper()
	list, err := s.db.NumberingCounts(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return list
}

func (s *popScene) kept(id postroom.MailboxID) store.KeptMailbox {
	s.t.Helper()
	k, err := s.db.KeptMailbox(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	return k
}

func TestPOP3BringsEachMailOnce(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.deliver(0, 30)
	id := s.add(s.mailbox())
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 30})
	s.deliver(30, 35)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 35})
	s.balances(id)
	if n := s.pop.Counts(simUser).Commands["RETR"]; n != 35 {
		t.Errorf("%d messages were retrieved, want each of 35 once", n)
	}
	if n := s.pop.Counts(simUser).Commands["DELE"]; n != 0 || s.left() != 35 {
		t.Errorf("%d DELE, %d messages left, want the mailbox untouched", n, s.left())
	}
	before := s.pop.Counts(simUser).Commands
	s.until("two more visits", func() bool { return s.pop.Counts(simUser).Commands["LIST"] > before["LIST"]+2 })
	if after := s.pop.Counts(simUser).Commands; after["RETR"] != before["RETR"] || after["TOP"] != before["TOP"] {
		t.Errorf("visits to an unchanged mailbox: %v, then %v, want nothing but lists", before, after)
	}
}

func TestPOP3StartsFromTheProof(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.deliver(0, 7)
	m := s.mailbox()
	m.Start = postroom.Start{Kind: postroom.StartNow}
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 7})
	s.deliver(7, 9)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 7, postroom.ArrivalFiled: 2})
	s.balances(id)
	if n := s.pop.Counts(simUser).Commands["RETR"]; n != 2 {
		t.Errorf("%d were retrieved, want only the 2 that came later", n)
	}
}

func TestPOP3DatesDecide(t *testing.T) {
	for name, hidden := range map[string][]string{"by TOP": nil, "when the bytes come": {"TOP"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
			s.pop.SetFaults("", simulator.Faults{HideCapabilities: hidden})
			start := time.Now().AddDate(0, 0, -10)
			dated := func(n int, at time.Time) []byte {
				return fmt.Appendf(nil, "Received: from a by b; %s\r\nMessage-ID: <%d@x>\r\nSubject: s\r\n\r\nhello\r\n", at.Format(time.RFC1123Z), n)
			}
			for n := range 3 {
				s.deliverRaw(dated(n, start.AddDate(0, 0, -1)), time.Now())
			}
			for n := range 2 {
				s.deliverRaw(dated(10+n, start.AddDate(0, 0, 1)), time.Now())
			}
			m := s.mailbox()
			m.Start = postroom.Start{Kind: postroom.StartDate, At: start}
			id := s.add(m)
			s.run()
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 3, postroom.ArrivalFiled: 2})
			s.balances(id)
		})
	}
}

func TestPOP3DeletesWhatIsHere(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.deliver(0, 20)
	m := s.mailbox()
	m.AfterImport = postroom.AfterImportDelete
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 20})
	s.until("the server is empty", func() bool { return s.left() == 0 })
	s.deliver(20, 23)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 23})
	s.until("the server is empty again", func() bool { return s.left() == 0 })
	s.balances(id)
	if n := s.pop.Counts(simUser).Commands["RETR"]; n != 23 {
		t.Errorf("%d were retrieved, want each of 23 once", n)
	}
}

// A QUIT that nobody answers may or may not have deleted. The next list tells.
func TestPOP3QuitUnanswered(t *testing.T) {
	for name, faults := range map[string]simulator.Faults{
		"before it was done": {CutBefore: []string{"QUIT"}},
		"after it was done":  {CutAfter: []string{"QUIT"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
			s.deliver(0, 10)
			s.pop.SetFaults(simUser, faults)
			m := s.mailbox()
			m.AfterImport = postroom.AfterImportDelete
			id := s.add(m)
			s.run()
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 10})
			s.until("QUIT was said", func() bool { return s.pop.Counts(simUser).Commands["QUIT"] > 1 })
			s.pop.SetFaults(simUser, simulator.Faults{})
			s.until("the server is empty", func() bool { return s.left() == 0 })
			s.until("nothing is wrong any more", func() bool { k := s.kept(id); return k.State == postroom.MailboxActive && k.Fault == nil })
			s.balances(id)
			if c := s.counts(id); c[postroom.ArrivalFiled] != 10 || len(c) != 1 {
				t.Errorf("arrivals = %v, want 10 filed", c)
			}
		})
	}
}

func TestPOP3NamesThatDoNotLast(t *testing.T) {
	nameless := []byte("From: door@example.org\r\nSubject: Bell\r\nDate: Fri, 20 Nov 2026 09:00:00 +0000\r\n\r\nSomebody rang.\r\n")
	tests := map[string]simulator.Faults{
		"new names at each visit":    {POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsFresh}},
		"no names":                   {HideCapabilities: []string{"UIDL"}},
		"two and two share a name":   {POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsShared}},
		"no names and no TOP":        {HideCapabilities: []string{"UIDL", "TOP"}},
		"new names and status lines": {POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsFresh, Rewrite: simulator.StatusFields}},
	}
	for name, faults := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
			s.pop.SetFaults("", faults)
			s.deliver(0, 8)
			s.deliverRaw(nameless, time.Now())
			s.deliverRaw(nameless, time.Now())
			id := s.add(s.mailbox())
			s.run()
			filed := func(n int64) {
				s.until(fmt.Sprintf("%d are filed and nothing waits", n), func() bool {
					c := s.counts(id)
					return c[postroom.ArrivalFiled] == n && c[postroom.ArrivalWaiting] == 0
				})
			}
			filed(10)
			s.until("mail is known by its content, where names do not tell", func() bool {
				n := s.numberings(id)
				return faults.POP3.UIDLs == simulator.UIDLsShared || len(n) > 0 && n[len(n)-1].ByContent
			})
			s.deliver(8, 10)
			filed(12)
			visits := s.pop.Counts(simUser).Logins
			s.until("three more visits", func() bool { return s.pop.Counts(simUser).Logins > visits+3 })
			filed(12)
			s.balances(id)
			if n := len(s.numberings(id)); n > 3 {
				t.Errorf("%d numberings have begun, want three at most", n)
			}
		})
	}
}

func TestPOP3DeletesByContentOnlyWhatItHasRead(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.pop.SetFaults("", simulator.Faults{HideCapabilities: []string{"UIDL"}})
	s.deliver(0, 5)
	m := s.mailbox()
	m.AfterImport = postroom.AfterImportDelete
	id := s.add(m)
	s.run()
	s.until("the server is empty", func() bool { return s.left() == 0 })
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 5})
	read := make(map[string]bool)
	for _, c := range s.pop.Said(simUser) {
		key := fmt.Sprint(c.Session, " ", c.UID)
		switch c.Name {
		case "RETR":
			read[key] = true
		case "DELE":
			if !read[key] {
				t.Errorf("message %d was deleted in session %d, which has not read it", c.UID, c.Session)
			}
		}
	}
	s.balances(id)
}

func TestPOP3ExpireZeroNeedsARepair(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.pop.SetFaults("", simulator.Faults{POP3: simulator.POP3Faults{Expire: "0"}})
	s.deliver(0, 3)
	id := s.add(s.mailbox())
	s.run()
	s.until("the reason is said", func() bool {
		k := s.kept(id)
		return k.Fault != nil && k.Fault.Kind == postroom.NeedsRepair && strings.Contains(k.Fault.Explanation, "EXPIRE 0")
	})
	if n := s.pop.Counts(simUser).Commands["RETR"]; n != 0 {
		t.Errorf("%d messages were retrieved, want none", n)
	}
	m := s.kept(id).Mailbox
	m.AfterImport = postroom.AfterImportDelete
	if _, err := s.db.ChangeMailbox(context.Background(), m, store.MailboxChange{Seen: m.UpdatedAt, Reopen: true}); err != nil {
		t.Fatal(err)
	}
	work.Ring(s.wake)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 3})
}

func TestPOP3TooLargeIsNotAskedFor(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.fleet.MaxMessageBytes = 1 << 20
	s.deliver(0, 2)
	s.deliverRaw(append(letter(2, ""), strings.Repeat("long line of no use\r\n", 100_000)...), time.Now())
	s.deliver(3, 4)
	m := s.mailbox()
	m.AfterImport = postroom.AfterImportDelete
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalQuarantined: 1, postroom.ArrivalFiled: 3})
	s.until("the others are deleted", func() bool { return s.left() == 1 })
	s.balances(id)
	if n := s.pop.Counts(simUser).Commands["RETR"]; n != 3 {
		t.Errorf("%d were retrieved, want 3", n)
	}
}

func TestPOP3MessageThatIsNotGiven(t *testing.T) {
	for name, faults := range map[string]simulator.Faults{
		"refused":          {RefuseUIDs: []uint32{3}},
		"refused for good": {Replies: map[string]string{"RETR 3": "-ERR [SYS/PERM] Could not read message file"}},
		"empty":            {OmitUIDs: []uint32{3}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
			s.deliver(0, 6)
			s.pop.SetFaults(simUser, faults)
			id := s.add(s.mailbox())
			s.run()
			if name == "empty" { // what a server gives is what there is
				s.until("all are filed", func() bool { return s.counts(id)[postroom.ArrivalFiled]+s.counts(id)[postroom.ArrivalQuarantined] == 6 })
			} else {
				s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalQuarantined: 1, postroom.ArrivalFiled: 5})
			}
			s.balances(id)
		})
	}
}

func TestPOP3ConnectionsThatGoWrong(t *testing.T) {
	for name, faults := range map[string]simulator.Faults{
		"cut in a message":       {CutInLiteral: 4},
		"cut in place of one":    {CutAtFetch: 7},
		"cut after some bytes":   {CutAfterBytes: 3000},
		"one byte a packet":      {OneBytePerPacket: true},
		"no CAPA":                {HideCapabilities: []string{"CAPA"}},
		"hangs at LIST":          {Ignore: []string{"LIST"}},
		"hangs at RETR":          {Ignore: []string{"RETR"}},
		"somebody else is there": {POP3: simulator.POP3Faults{InUse: "Maildrop already locked"}},
		"refused for the moment": {RefuseLogin: "-ERR [SYS/TEMP] Try again"},
		"too many":               {ByeAtGreeting: "too many connections"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
			s.deliver(0, 12)
			account := simUser
			if faults.ByeAtGreeting != "" || faults.HideCapabilities != nil {
				account = ""
			}
			s.pop.SetFaults(account, faults)
			id := s.add(s.mailbox())
			s.run()
			time.Sleep(300 * time.Millisecond) // let it go wrong for a while
			s.pop.SetFaults(account, simulator.Faults{})
			s.deliver(12, 14)
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 14})
			s.balances(id)
		})
	}
}

func TestPOP3LoginDelayIsHonoured(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.pop.SetFaults("", simulator.Faults{POP3: simulator.POP3Faults{LoginDelay: 2 * time.Second}})
	s.deliver(0, 3)
	m := s.mailbox()
	m.AfterImport = postroom.AfterImportDelete
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 3})
	s.until("the server is empty", func() bool { return s.left() == 0 })
	for range 20 {
		s.fleet.Nudge(id)
		time.Sleep(20 * time.Millisecond)
	}
	if c := s.pop.Counts(simUser); c.RefusedLogins > 0 || c.Logins != 1 {
		t.Errorf("%d logins and %d refused, want one", c.Logins, c.RefusedLogins)
	}
	s.deliver(3, 4)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4})
	if c := s.pop.Counts(simUser); c.RefusedLogins > 0 {
		t.Errorf("%d logins were refused, want none", c.RefusedLogins)
	}
}

// Somebody who needs the one session that the server allows gets it soon, and what
// was not brought in comes after.
func TestAsideFromPOP3(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.deliver(0, 100)
	s.pop.SetFaults(simUser, simulator.Faults{Pause: map[string]time.Duration{"RETR": 20 * time.Millisecond}})
	id := s.add(s.mailbox())
	s.run()
	s.until("it is being read", func() bool { return s.pop.Counts(simUser).Commands["RETR"] > 5 })
	resume, err := s.fleet.Aside(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	s.until("nobody is connected", func() bool { return s.pop.Counts(simUser).Open == 0 })
	read := s.pop.Counts(simUser).Commands["RETR"]
	if read >= 100 {
		t.Errorf("%d were retrieved before the session was free", read)
	}
	time.Sleep(300 * time.Millisecond)
	if n := s.pop.Counts(simUser).Open; n != 0 {
		t.Errorf("%d connections while the session is somebody else's", n)
	}
	resume()
	s.pop.SetFaults(simUser, simulator.Faults{})
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 100})
	s.balances(id)
}

func TestHoldStopsReadingAndGoesOnByItself(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	var full atomic.Bool
	fault := &postroom.Fault{Kind: postroom.Delayed, Class: postroom.Unknown, Explanation: "The disk is full."}
	s.fleet.Hold = func() *postroom.Fault {
		if full.Load() {
			return fault
		}
		return nil
	}
	s.server.AddAccount("imap@example.net", "secret")
	byIMAP := s.scene.mailbox()
	byIMAP.Name, byIMAP.Address, byIMAP.Incoming.Username = "imap", "imap@example.net", "imap@example.net"
	deliver := func(n int) {
		s.deliver(n, n+1)
		if _, err := s.server.Append("imap@example.net", "INBOX", letter(100+n, ""), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	deliver(0)
	ids := []postroom.MailboxID{s.add(s.mailbox()), s.add(byIMAP)}
	s.run()
	for _, id := range ids {
		s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 1})
	}
	full.Store(true)
	deliver(1)
	for _, id := range ids {
		s.until("it says so", func() bool {
			k := s.kept(id)
			return k.State == postroom.MailboxDelayed && k.Fault != nil && k.Fault.Explanation == fault.Explanation
		})
	}
	time.Sleep(300 * time.Millisecond)
	for _, id := range ids {
		if c := s.counts(id); c[postroom.ArrivalFiled] != 1 {
			t.Errorf("arrivals = %v while the disk is full", c)
		}
	}
	full.Store(false)
	for _, id := range ids {
		s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 2})
		s.until("nothing is wrong", func() bool { k := s.kept(id); return k.State == postroom.MailboxActive && k.Fault == nil })
	}
}

func TestPOP3VanishedAndBack(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.deliver(0, 4)
	s.pop.SetFaults(simUser, simulator.Faults{RefuseUIDs: []uint32{2}})
	s.fleet.FirstRetry = time.Hour
	id := s.add(s.mailbox())
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalWaiting: 1, postroom.ArrivalFiled: 3})
	if err := s.server.Expunge(simUser, "INBOX", 2); err != nil {
		t.Fatal(err)
	}
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalVanished: 1, postroom.ArrivalFiled: 3})
	s.balances(id)
}

// UIDLs that were given out before are new messages, whatever the server calls them.
func TestPOP3NamesGivenOutAgain(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.pop.SetFaults("", simulator.Faults{POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsReused}})
	m := s.mailbox()
	m.AfterImport = postroom.AfterImportDelete
	id := s.add(m)
	s.run()
	for n := range 4 {
		s.deliver(3*n, 3*n+3)
		s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: int64(3*n + 3)})
		s.until("the server is empty", func() bool { return s.left() == 0 })
	}
	s.balances(id)
	var uidls []string
	for _, n := range s.numberings(id) {
		uidls = append(uidls, fmt.Sprint(n.ByContent))
	}
	if slices.Contains(uidls, "true") {
		t.Errorf("numberings by content: %v, want none", uidls)
	}
}
