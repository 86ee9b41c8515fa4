package fetch_test

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/work"
)

// A mailbox that was removed and is added again goes on where it was: what came in
// between is brought in, and nothing twice.
func TestContinuedMailbox(t *testing.T) {
	for _, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3} {
		for _, anew := range []bool{false, true} {
			name := string(protocol)
			if anew {
				name += ", counted anew"
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
				m := s.mailbox()
				if protocol == postroom.IMAP {
					m = s.scene.mailbox()
				}
				m.Start = postroom.Start{Kind: postroom.StartNow}
				deliver := func(from, to int) {
					for n := from; n < to; n++ {
						s.deliverRaw(letter(n, "Received: from a by b; "+time.Now().Add(time.Second).Format(time.RFC1123Z)+"\r\n"), time.Now())
					}
				}
				deliver(0, 4)
				id := s.add(m)
				s.run()
				s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 4})
				deliver(4, 6)
				s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 4, postroom.ArrivalFiled: 2})

				if err := s.db.DeleteMailbox(t.Context(), id, false); err != nil {
					t.Fatal(err)
				}
				work.Ring(s.wake)
				s.until("nobody is connected", func() bool {
					return s.server.Counts(simUser).Open+s.pop.Counts(simUser).Open == 0
				})
				deliver(6, 9)
				if anew {
					if err := s.server.Renumber(simUser, "INBOX"); err != nil {
						t.Fatal(err)
					}
				}
				former, err := s.db.FormerMailbox(t.Context(), m.Address)
				if err != nil {
					t.Fatal(err)
				}
				again, err := s.db.ContinueMailbox(t.Context(), former.ID, m, "password", func(postroom.MailboxID) ([]byte, error) { return []byte("x"), nil })
				if err != nil || again.ID != id {
					t.Fatalf("continued as %s, %v, want %s", again.ID, err, id)
				}
				work.Ring(s.wake)
				s.until("the gap is brought in, and nothing waits", func() bool {
					c := s.counts(id)
					return c[postroom.ArrivalFiled] >= 5 && c[postroom.ArrivalWaiting] == 0
				})
				s.balances(id)
				c := s.counts(id)
				if !anew && (c[postroom.ArrivalFiled] != 5 || c[postroom.ArrivalBeforeStart] != 4 || len(c) != 2) {
					t.Errorf("arrivals = %v, want 4 before the start and 5 filed", c)
				}
				if anew && c[postroom.ArrivalDuplicate] != 2 {
					t.Errorf("arrivals = %v, want the two that were here recognised", c)
				}
			})
		}
	}
}
