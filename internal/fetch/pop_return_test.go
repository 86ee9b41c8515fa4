package fetch_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// showsNothing has the server list nothing for a while, and then do again what it
// did before: as it may while its disks are being looked after.
func (s *popScene) showsNothing(while func()) {
	s.t.Helper()
	b, err := s.server.BackUp(simUser, "INBOX")
	if err != nil {
		s.t.Fatal(err)
	}
	for _, m := range s.server.Messages(simUser, "INBOX") {
		if err := s.server.Expunge(simUser, "INBOX", m.UID); err != nil {
			s.t.Fatal(err)
		}
	}
	s.visits(2)
	while()
	if err := s.server.Restore(b); err != nil {
		s.t.Fatal(err)
	}
	s.visits(3)
}

// visits waits for so many visits to begin.
func (s *popScene) visits(n int) {
	s.t.Helper()
	before := s.pop.Counts(simUser).Commands["LIST"]
	s.until("further visits", func() bool { return s.pop.Counts(simUser).Commands["LIST"] > before+n })
}

func TestPOP3BeforeStartStaysSoWhenItComesBack(t *testing.T) {
	for name, hidden := range map[string][]string{"by TOP": nil, "when the bytes come": {"TOP"}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
			s.pop.SetFaults("", simulator.Faults{HideCapabilities: hidden})
			old := time.Now().AddDate(0, 0, -10)
			for n := range 4 {
				s.deliverRaw(fmt.Appendf(nil, "Received: from a by b; %s\r\nMessage-ID: <%d@x>\r\nSubject: s\r\n\r\nhello\r\n", old.Format(time.RFC1123Z), n), old)
			}
			m := s.mailbox()
			m.Start, m.AfterImport = postroom.Start{Kind: postroom.StartNow}, postroom.AfterImportDelete
			id := s.add(m)
			s.run()
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 4})
			s.showsNothing(func() {})
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 8})
			s.balances(id)
			if n := s.left(); n != 4 {
				t.Errorf("the server has %d messages, want the 4 from before the start", n)
			}
		})
	}
}

func TestPOP3KeepsWhatWasToBeKeptWhenItComesBack(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.deliver(0, 3)
	s.deliverRaw([]byte("From: door@example.org\r\nSubject: Bell\r\nDate: Fri, 20 Nov 2026 09:00:00 +0000\r\n\r\nSomebody rang.\r\n"), time.Now())
	id := s.add(s.mailbox())
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4})
	s.showsNothing(func() {
		s.change(id, func(m *postroom.Mailbox) { m.AfterImport = postroom.AfterImportDelete })
	})
	s.isSettled(id, 4, 4)
	s.visits(2)
	if n := s.left(); n != 4 {
		t.Errorf("the server has %d messages, want the 4 that were brought in to be kept", n)
	}
}

// Two messages that the server calls by one name, and that are equally long, may be
// taken for one another. None is deleted that was not brought in.
func TestPOP3DeletesNoneForAnotherOfTheSameName(t *testing.T) {
	t.Parallel()
	s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
	s.pop.SetFaults(simUser, simulator.Faults{
		POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsShared}, RefuseUIDs: []uint32{2}, CutBefore: []string{"QUIT"},
	})
	s.fleet.FirstRetry = 500 * time.Millisecond
	s.deliver(0, 4)
	m := s.mailbox()
	m.AfterImport = postroom.AfterImportDelete
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 3, postroom.ArrivalWaiting: 1})
	s.until("QUIT was said", func() bool { return s.pop.Counts(simUser).Commands["QUIT"] > 0 })
	s.pop.SetFaults(simUser, simulator.Faults{POP3: simulator.POP3Faults{UIDLs: simulator.UIDLsShared}})
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4})
	s.until("the server is empty", func() bool { return s.left() == 0 })
	s.balances(id)
}
