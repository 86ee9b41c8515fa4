package fetch_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

const simUser = "support@example.net"

// A scene is a bench before a pretend provider.
type scene struct {
	*bench
	server *simulator.Server
	o      store.Options
}

// newScene has the fleet run with short pauses. Messages that are in the mailbox
// before the mailbox is added belong to before; m may change the mailbox.
func newScene(t *testing.T, provider simulator.Options) *scene {
	t.Helper()
	server, err := simulator.Start(provider)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Errorf("close the provider: %v", err)
		}
	})
	server.AddAccount(simUser, "secret")
	o := store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
	s := &scene{bench: newBench(t, o), server: server, o: o}
	s.fleet.FirstRetry = 20 * time.Millisecond
	s.fleet.Retry = work.Delay{First: 10 * time.Millisecond, Max: 100 * time.Millisecond}
	s.fleet.CommandTimeout = 500 * time.Millisecond
	return s
}

func (s *scene) mailbox() postroom.Mailbox {
	return postroom.Mailbox{
		Name: simUser, Address: simUser,
		Incoming: postroom.IncomingSettings{
			ServerSettings: postroom.ServerSettings{Host: s.server.Host, Port: s.server.Port, TLS: postroom.TLSNone, Username: simUser},
			Protocol:       postroom.IMAP, Folders: []string{"INBOX"}, PollInterval: 200 * time.Millisecond,
		},
		Start: postroom.Start{Kind: postroom.StartAll}, AfterImport: postroom.AfterImportKeep,
		Visibility: postroom.Visibility{Kind: postroom.VisibleToEveryone},
	}
}

func (s *scene) deliver(from, to int) {
	s.t.Helper()
	for n := from; n < to; n++ {
		s.deliverRaw(letter(n, ""), time.Now())
	}
}

func (s *scene) deliverRaw(raw []byte, at time.Time) uint32 {
	s.t.Helper()
	uid, err := s.server.Append(simUser, "INBOX", raw, at)
	if err != nil {
		s.t.Fatal(err)
	}
	return uid
}

// has waits until the mailbox has exactly these arrivals.
func (s *scene) has(id postroom.MailboxID, want map[postroom.ArrivalState]int64) {
	s.t.Helper()
	s.until(fmt.Sprintf("arrivals = %v", want), func() bool {
		got := s.counts(id)
		for _, state := range postroom.ArrivalStates() {
			if got[state] != want[state] {
				return false
			}
		}
		return true
	})
}

// compared asks for a comparison and waits for it.
func (s *scene) compared(id postroom.MailboxID) store.Comparison {
	s.t.Helper()
	asked, err := s.db.RequestComparison(context.Background(), id)
	if err != nil {
		s.t.Fatal(err)
	}
	work.Ring(s.wake)
	var c store.Comparison
	s.until("the mailbox is compared", func() bool {
		var ok bool
		c, ok, err = s.db.LastComparison(context.Background(), id)
		return ok && err == nil && !c.ComparedAt.Before(asked)
	})
	return c
}

func (s *scene) balances(id postroom.MailboxID) {
	s.t.Helper()
	if c := s.compared(id); !c.Balanced() {
		s.t.Errorf("comparison = %+v, want balanced", c)
	}
}

func TestOnlyNewMailWithStartNow(t *testing.T) {
	s := newScene(t, simulator.Options{})
	s.deliver(0, 5)
	m := s.mailbox()
	m.Start = postroom.Start{Kind: postroom.StartNow}
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 5})
	s.deliverRaw(letter(10, ""), time.Now().AddDate(-5, 0, 0)) // moved here today, though years old
	s.deliver(11, 13)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 5, postroom.ArrivalFiled: 3})
	s.balances(id)
}

func TestOlderDateDecidesWithStartDate(t *testing.T) {
	s := newScene(t, simulator.Options{})
	start := time.Now().AddDate(0, 0, -10)
	received := func(at time.Time) string {
		return "Received: from a by b; " + at.Format(time.RFC1123Z) + "\r\n"
	}
	old, young := start.AddDate(0, 0, -1), start.AddDate(0, 0, 1)
	raw := func(n int, at time.Time) []byte { return append([]byte(received(at)), letter(n, "")...) }
	s.deliverRaw(raw(1, young), young)
	s.deliverRaw(raw(2, old), young) // copied into the folder later than it was received
	s.deliverRaw(raw(3, young), old)
	s.deliverRaw(letter(4, ""), young)
	s.deliverRaw(letter(5, ""), old)
	m := s.mailbox()
	m.Start = postroom.Start{Kind: postroom.StartDate, At: start}
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 3, postroom.ArrivalFiled: 2})
	s.balances(id)
}

func TestMessageThatIsNotGivenIsQuarantined(t *testing.T) {
	for name, faults := range map[string]simulator.Faults{
		"left out":              {OmitUIDs: []uint32{3}},
		"refused":               {RefuseUIDs: []uint32{3}},
		"and cuts the line too": {OmitUIDs: []uint32{3}, CutAtFetch: 2},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, simulator.Options{})
			s.deliver(0, 6)
			s.server.SetFaults(simUser, faults)
			id := s.add(s.mailbox())
			s.run()
			s.until("the message is quarantined", func() bool { return s.counts(id)[postroom.ArrivalQuarantined] >= 1 })
			s.server.SetFaults(simUser, simulator.Faults{OmitUIDs: []uint32{3}})
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalQuarantined: 1, postroom.ArrivalFiled: 5})
			lines, _, err := s.db.Reader().Arrivals(context.Background(), postroom.Viewer{Token: 1, Scope: postroom.ScopeAdmin},
				store.ArrivalFilter{Mailbox: id, State: postroom.ArrivalQuarantined})
			if err != nil || len(lines) != 1 || lines[0].Reason == "" || lines[0].Name.UID != 3 {
				t.Errorf("quarantined = %+v, %v, want UID 3 with a reason", lines, err)
			}
			s.balances(id)

			s.server.SetFaults(simUser, simulator.Faults{})
			if err := s.db.RetryArrival(context.Background(), lines[0].ID); err != nil {
				t.Fatal(err)
			}
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 6})
		})
	}
}

func TestTooLargeMessageIsQuarantined(t *testing.T) {
	s := newScene(t, simulator.Options{})
	s.fleet.MaxMessageBytes = 3 << 20
	s.deliver(0, 2)
	s.deliverRaw(append(letter(2, ""), strings.Repeat("long line of no use\r\n", 200_000)...), time.Now())
	s.deliver(3, 5)
	id := s.add(s.mailbox())
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalQuarantined: 1, postroom.ArrivalFiled: 4})
	s.balances(id)
}

func TestGoneBeforeRead(t *testing.T) {
	s := newScene(t, simulator.Options{})
	s.deliver(0, 6)
	s.server.SetFaults(simUser, simulator.Faults{OmitUIDs: []uint32{2}})
	s.fleet.FirstRetry = 300 * time.Millisecond
	id := s.add(s.mailbox())
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalWaiting: 1, postroom.ArrivalFiled: 5})
	if err := s.server.Expunge(simUser, "INBOX", 2); err != nil {
		t.Fatal(err)
	}
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalVanished: 1, postroom.ArrivalFiled: 5})
	s.balances(id)
}

func TestNewUIDValidity(t *testing.T) {
	s := newScene(t, simulator.Options{})
	m := s.mailbox()
	id := s.add(m)
	s.deliver(0, 20)
	nameless := []byte("From: door@example.org\r\nSubject: Bell\r\n\r\nSomebody rang.\r\n")
	s.deliverRaw(nameless, time.Now())
	s.deliverRaw(nameless, time.Now())
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 22})
	if err := s.server.Renumber(simUser, "INBOX"); err != nil {
		t.Fatal(err)
	}
	s.deliver(20, 23)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 25, postroom.ArrivalDuplicate: 22})
	s.balances(id)
	lines, _, err := s.db.Reader().Issues(context.Background(), postroom.Viewer{Token: 1, Scope: postroom.ScopeAdmin}, store.IssueFilter{})
	if err != nil || len(lines) != 25 {
		t.Errorf("there are %d issues, %v, want 25: 23 letters and two rings", len(lines), err)
	}
}

// Two folders that are both read count side by side, not one after the other.
func TestSameNamelessMailInTwoFolders(t *testing.T) {
	s := newScene(t, simulator.Options{})
	nameless := []byte("From: door@example.org\r\nSubject: Bell\r\n\r\nSomebody rang.\r\n")
	deliver := func(folder string, raw []byte) {
		t.Helper()
		if _, err := s.server.Append(simUser, folder, raw, time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	deliver("Archive", letter(0, ""))
	m := s.mailbox()
	m.Incoming.Folders = []string{"INBOX", "Archive"} // the order in which their numberings begin
	id := s.add(m)
	s.run()
	deliver("INBOX", nameless)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 2})
	deliver("Archive", nameless)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 3})
	s.balances(id)
}

func TestRestoredFromABackup(t *testing.T) {
	s := newScene(t, simulator.Options{})
	id := s.add(s.mailbox())
	s.deliver(0, 10)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 10})
	validity, _, err := s.server.Numbers(simUser, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.server.Expunge(simUser, "INBOX", 6, 7, 8, 9, 10); err != nil {
		t.Fatal(err)
	}
	if err := s.server.RenumberAs(simUser, "INBOX", validity, 1); err != nil {
		t.Fatal(err)
	}
	s.until("the folder is counted anew", func() bool { return s.counts(id)[postroom.ArrivalDuplicate] == 5 })
	s.deliver(10, 12) // takes UIDs 6 and 7 once more
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 12, postroom.ArrivalDuplicate: 5})
	s.balances(id)
}

func TestConnectionsThatGoWrong(t *testing.T) {
	for name, faults := range map[string]simulator.Faults{
		"cut in a literal":        {CutInLiteral: 4},
		"cut in place of a text":  {CutAtFetch: 7},
		"cut after some bytes":    {CutAfterBytes: 3000},
		"noise":                   {Noise: []string{"* OK Still here", "* XYZZY (a b)", "* 3 FETCH (FLAGS (\\Seen))"}},
		"one byte a packet":       {OneBytePerPacket: true},
		"no IDLE, no ESEARCH":     {HideCapabilities: []string{"IDLE", "ESEARCH"}},
		"BYE in IDLE":             {ByeInIdle: "Server shutting down"},
		"BYE at the greeting":     {ByeAtGreeting: "Too many connections"},
		"silent from the start":   {Silent: true},
		"silent when asked to":    {Ignore: []string{"UID FETCH"}},
		"login refused for a day": {RefuseLogin: "NO [UNAVAILABLE] Temporary authentication failure"},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, simulator.Options{})
			s.deliver(0, 12)
			account := simUser
			if faults.ByeAtGreeting != "" || faults.Silent {
				account = ""
			}
			s.server.SetFaults(account, faults)
			m := s.mailbox()
			m.Incoming.AuthTimeout, m.Incoming.ConnectTimeout = 300*time.Millisecond, 300*time.Millisecond
			id := s.add(m)
			s.run()
			time.Sleep(300 * time.Millisecond) // let it go wrong for a while
			s.server.SetFaults(account, simulator.Faults{})
			s.deliver(12, 14)
			s.until("all letters are accounted for", func() bool {
				c := s.counts(id)
				return c[postroom.ArrivalFiled]+c[postroom.ArrivalQuarantined] == 14
			})
			if n := s.counts(id)[postroom.ArrivalQuarantined]; n > 0 {
				t.Errorf("%d letters are quarantined, want none", n)
			}
			s.balances(id)
		})
	}
}

// A folder that is not there is the answer to a comparison, and no reason to hang
// up on the folders that are.
func TestComparisonWithAFolderGone(t *testing.T) {
	s := newScene(t, simulator.Options{})
	s.deliver(0, 3)
	m := s.mailbox()
	m.Incoming.Folders = []string{"INBOX"}
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 3})
	k, err := s.db.KeptMailbox(context.Background(), id)
	if err != nil {
		t.Fatal(err)
	}
	k.Incoming.Folders = []string{"INBOX", "gone"}
	if _, err := s.db.ChangeMailbox(context.Background(), k.Mailbox, store.MailboxChange{Seen: k.UpdatedAt}); err != nil {
		t.Fatal(err)
	}
	work.Ring(s.wake)
	s.until("the mailbox is in trouble", func() bool {
		k, err := s.db.KeptMailbox(context.Background(), id)
		return err == nil && k.Fault != nil
	})
	before := s.server.Counts(simUser).Logins
	if c := s.compared(id); c.Fault == nil {
		t.Errorf("comparison = %+v, want the reason why there is none", c)
	}
	s.deliver(3, 4)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4})
	if n := s.server.Counts(simUser).Logins - before; n != 0 {
		t.Errorf("%d logins more, want none", n)
	}
}

// A connection that is open on this side only is found by the sweep.
func TestHalfOpenInIdle(t *testing.T) {
	s := newScene(t, simulator.Options{})
	id := s.add(s.mailbox())
	s.deliver(0, 1)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 1})
	time.Sleep(50 * time.Millisecond)
	s.server.SetFaults(simUser, simulator.Faults{Silent: true})
	time.Sleep(20 * time.Millisecond)
	s.deliver(1, 2)
	s.server.SetFaults(simUser, simulator.Faults{}) // the old connection stays silent
	start := time.Now()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 2})
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("the next mail was seen after %v, want within the sweep and one time-out", took)
	}
}

func TestNoGoroutineIsLeftBehind(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after everything that the scene cleans up
	s := newScene(t, simulator.Options{})
	id := s.add(s.mailbox())
	s.run()
	for n := range 100 {
		s.deliver(n, n+1)
		s.until("the letter is filed", func() bool { return s.counts(id)[postroom.ArrivalFiled] == int64(n+1) })
		s.server.Disconnect(simUser)
	}
}

// The ledger is no mirror of its own counters.
func TestLedgerNamesWhatIsWrong(t *testing.T) {
	s := newScene(t, simulator.Options{})
	id := s.add(s.mailbox())
	s.deliver(0, 8)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 8})
	s.balances(id)
	db := (&crashSite{t: t, o: s.o}).query()
	defer db.Close()
	change := func(statement string) {
		t.Helper()
		if _, err := db.Exec("pragma foreign_keys = off"); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec(statement); err != nil {
			t.Fatal(err)
		}
	}
	change("delete from arrival where uid = 3")
	if c := s.compared(id); c.Balanced() || len(c.Unaccounted) != 1 || c.Unaccounted[0].UID != 3 {
		t.Errorf("an arrival is missing: comparison = %+v, want UID 3 unaccounted for", c)
	}
	change("delete from raw_chunk where id / 1048576 = (select raw from arrival where uid = 4)")
	change("update arrival set entry = null where uid = 5")
	c := s.compared(id)
	if c.Balanced() || len(c.Incomplete) != 2 {
		t.Errorf("bytes and an entry are missing: comparison = %+v, want two incomplete arrivals", c)
	}
	if err := s.server.Expunge(simUser, "INBOX", 1, 2); err != nil {
		t.Fatal(err)
	}
	if c := s.compared(id); c.Gone != 2 || c.OnServer != 6 {
		t.Errorf("two were removed from the server: comparison = %+v, want 2 gone and 6 there", c)
	}
	// Messages behind the position: the server shows them only later.
	ctx := context.Background()
	if err := s.db.PauseMailbox(ctx, id); err != nil {
		t.Fatal(err)
	}
	work.Ring(s.wake)
	s.until("nobody is connected", func() bool { return s.server.Counts(simUser).Open == 0 })
	s.deliver(8, 12)
	change("update numbering set position = 10")
	if err := s.db.ResumeMailbox(ctx, id); err != nil {
		t.Fatal(err)
	}
	work.Ring(s.wake)
	s.until("what is beyond the position is filed", func() bool { return s.counts(id)[postroom.ArrivalFiled] == 9 })
	c = s.compared(id)
	var uids []uint32
	for _, u := range c.Unaccounted {
		uids = append(uids, u.UID)
	}
	if !slices.Equal(uids, []uint32{3, 9, 10}) {
		t.Errorf("unaccounted = %v, want 3, and 9 and 10 behind the position", uids)
	}
}

// Another client works in the mailbox while it is read.
func TestAnotherClient(t *testing.T) {
	s := newScene(t, simulator.Options{})
	random := rand.New(rand.NewPCG(1, 2))
	id := s.add(s.mailbox())
	s.deliver(0, 200)
	s.run()
	next := 200
	for range 150 {
		messages := s.server.Messages(simUser, "INBOX")
		pick := func() uint32 { return messages[random.IntN(len(messages))].UID }
		switch random.IntN(4) {
		case 0:
			_ = s.server.SetFlags(simUser, "INBOX", pick(), `\Seen`)
		case 1:
			_ = s.server.Expunge(simUser, "INBOX", pick())
		case 2: // moves
			uid := pick()
			_ = s.server.Expunge(simUser, "INBOX", uid)
			_, _ = s.server.Append(simUser, "Archive", letter(int(uid), ""), time.Now())
		default:
			s.deliver(next, next+1)
			next++
		}
	}
	s.until("nothing waits", func() bool {
		c := s.counts(id)
		return c[postroom.ArrivalWaiting] == 0 && c[postroom.ArrivalFiled]+c[postroom.ArrivalVanished] > 150
	})
	s.balances(id)
	if n := s.counts(id)[postroom.ArrivalQuarantined]; n > 0 {
		t.Errorf("%d are quarantined, want none", n)
	}
}
