package fetch_test

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// A server that lets us in and gives nothing is in trouble. That costs no message
// its place.
func TestServerThatGivesNothing(t *testing.T) {
	s := newScene(t, simulator.Options{})
	s.deliver(0, 20)
	all := make([]uint32, 20)
	for i := range all {
		all[i] = uint32(i + 1)
	}
	s.server.SetFaults(simUser, simulator.Faults{RefuseUIDs: all})
	id := s.add(s.mailbox())
	s.run()
	s.until("the mailbox is delayed", func() bool {
		k, err := s.db.KeptMailbox(t.Context(), id)
		return err == nil && k.State == postroom.MailboxDelayed && k.Failures >= 6
	})
	if got := s.counts(id); got[postroom.ArrivalWaiting] != 20 {
		t.Errorf("arrivals = %v, want 20 waiting", got)
	}
	s.server.SetFaults(simUser, simulator.Faults{RefuseUIDs: []uint32{1, 7}})
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 18, postroom.ArrivalQuarantined: 2})
	s.until("the mailbox is active", func() bool {
		k, err := s.db.KeptMailbox(t.Context(), id)
		return err == nil && k.State == postroom.MailboxActive && k.Fault == nil
	})
	s.balances(id)
}

// Two messages that are refused, with nothing else to fetch, are set aside in the end.
func TestNothingButMessagesThatAreRefused(t *testing.T) {
	s := newScene(t, simulator.Options{})
	s.deliver(0, 2)
	s.server.SetFaults(simUser, simulator.Faults{RefuseUIDs: []uint32{1, 2}})
	id := s.add(s.mailbox())
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalQuarantined: 2})
	s.deliverRaw(letter(3, ""), time.Now())
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalQuarantined: 2, postroom.ArrivalFiled: 1})
	s.balances(id)
}
