package fetch_test

import (
	"context"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/diagnose"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/mailbox"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// An oddity is a server, or a day, that is not as it should be, and what becomes of
// a mailbox there. Either all mail is read as if nothing were odd; or a mailbox that
// was well says what is wrong until it has passed, or somebody has seen to it. In the
// end all mail is here, once, the mailbox is active, and the ledger balances.
type oddity struct {
	provider simulator.Options
	pop3     *simulator.POP3Options             // read by POP3
	faults   simulator.Faults                   // while it lasts
	twist    twist                              // while it lasts
	cuts     bool                               // it costs the connection
	well     func(*oddScene, *postroom.Mailbox) // the settings with which it was well before; nil: the usual ones
	mailbox  func(*oddScene, *postroom.Mailbox) // the settings; nil: the usual ones, or those that were well
	fleet    func(*fetch.Fleet)
	newcomer bool // the password has never worked

	letters func(*oddScene)                    // what is in the mailbox, before trouble begins; nil: the five letters, of which trouble delays four
	at      func(*oddScene)                    // what happens as trouble begins
	during  func(*oddScene)                    // what happens once it is being read, or in trouble
	repair  func(*oddScene, *postroom.Mailbox) // what a person must change; nil: nothing, or back to what was well

	// What the mailbox says; empty: that all is well.
	state postroom.MailboxState
	class postroom.Class
	words string // in its explanation

	// What becomes of the mail; nil: all five letters are filed.
	want map[postroom.ArrivalState]int64
	// held is asked in the end, for what only this oddity has.
	holds func(*oddScene)
}

// An oddScene is a scene with a crooked line before the provider.
type oddScene struct {
	*scene
	pop  *simulator.POP3Server
	line *crooked
	id   postroom.MailboxID
	good postroom.IncomingSettings // with which it was well
}

// newOddScene has the real explanations, as the program has them.
func newOddScene(t *testing.T, o oddity) *oddScene {
	t.Helper()
	s := &oddScene{scene: newScene(t, o.provider)}
	explainer := mailbox.Explainer{Catalogue: &diagnose.Catalogue{}}
	s.fleet.Explain = func(err error, m postroom.Mailbox, l fetch.Login) *postroom.Fault {
		return explainer.Explain(err, m, mailbox.Credential{Kind: l.Kind, Password: l.Secret}, l.HasWorked)
	}
	s.fleet.Login = func(context.Context, postroom.Mailbox) (fetch.Login, error) {
		return fetch.Login{Kind: "password", Secret: postroom.Hide("secret"), HasWorked: !o.newcomer}, nil
	}
	if o.pop3 != nil {
		var err error
		if s.pop, err = s.server.StartPOP3(*o.pop3); err != nil {
			t.Fatal(err)
		}
		s.line = newCrooked(t, postroom.POP3, s.pop.Address())
	} else {
		s.line = newCrooked(t, postroom.IMAP, s.server.Address())
	}
	if o.fleet != nil {
		o.fleet(s.fleet)
	}
	return s
}

// setFaults has the provider go wrong; the zero Faults end it.
func (s *oddScene) setFaults(f simulator.Faults) {
	if s.pop != nil {
		s.pop.SetFaults("", f)
		return
	}
	s.server.SetFaults("", f)
}

func (s *oddScene) oddMailbox(change func(*oddScene, *postroom.Mailbox)) postroom.Mailbox {
	m := s.mailbox()
	m.Incoming.Port = s.line.port
	m.Incoming.PollInterval = 100 * time.Millisecond
	if s.pop != nil {
		m.Incoming.Protocol = postroom.POP3
	}
	if change != nil {
		change(s, &m)
	}
	return m
}

// kept is the mailbox as people see it.
func (s *oddScene) kept() postroom.Mailbox {
	s.t.Helper()
	k, err := s.db.KeptMailbox(context.Background(), s.id)
	if err != nil {
		s.t.Fatal(err)
	}
	return k.Mailbox
}

// change does what a person does on the page of the settings.
func (s *oddScene) change(repair func(*oddScene, *postroom.Mailbox)) {
	s.t.Helper()
	m := s.kept()
	repair(s, &m)
	if _, err := s.db.ChangeMailbox(context.Background(), m, store.MailboxChange{Seen: m.UpdatedAt, Reopen: true}); err != nil {
		s.t.Fatal(err)
	}
	work.Ring(s.wake)
}

var allFive = map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 5}

func (o oddity) play(t *testing.T) {
	t.Parallel()
	s := newOddScene(t, o)
	switch {
	case o.state == "" || o.state == postroom.MailboxDraft: // it is odd from the beginning
		if o.letters != nil {
			o.letters(s)
		} else {
			s.deliver(0, 5)
		}
		s.setFaults(o.faults)
		s.line.bend(o.twist)
		s.id = s.add(s.oddMailbox(o.mailbox))
		s.run()
	default:
		s.beginsWell(o)
		s.breaks(o)
	}
	if o.state != "" {
		s.saysSo(o)
	}
	if o.during != nil {
		o.during(s)
	}
	if o.state != "" {
		s.heal(o)
	}
	want := o.want
	if want == nil {
		want = allFive
	}
	s.has(s.id, want)
	s.isActive()
	s.accounts()
	if got := s.counts(s.id); !maps.Equal(withoutZeros(got), withoutZeros(want)) {
		t.Errorf("after the comparison there are %v, want %v", got, want)
	}
	if o.holds != nil {
		o.holds(s)
	}
	if logins := s.server.Counts(simUser).Logins; o.state == "" && !o.cuts && s.pop == nil && logins > 1 {
		t.Errorf("there were %d logins, want one", logins)
	}
}

// beginsWell has the first of the letters read while nothing is odd.
func (s *oddScene) beginsWell(o oddity) {
	s.t.Helper()
	if o.letters != nil {
		o.letters(s)
	} else {
		s.deliver(0, 1)
	}
	s.id = s.add(s.oddMailbox(o.well))
	s.run()
	s.has(s.id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 1})
	s.isActive()
	s.good = s.kept().Incoming
}

// breaks has the oddity begin, and the other letters come.
func (s *oddScene) breaks(o oddity) {
	s.t.Helper()
	s.setFaults(o.faults)
	s.line.bend(o.twist)
	if o.mailbox != nil {
		s.change(o.mailbox)
	}
	if o.letters == nil {
		s.deliver(1, 5)
	}
	if o.at != nil {
		o.at(s)
	}
	s.line.cut()
	s.server.Disconnect(simUser)
}

// accounts holds the ledger against the server, as soon as that can be asked.
func (s *oddScene) accounts() {
	s.t.Helper()
	var c store.Comparison
	s.until("the mailbox can be compared", func() bool {
		c = s.compared(s.id)
		return c.Fault == nil
	})
	if !c.Balanced() {
		s.t.Errorf("comparison = %+v, want balanced", c)
	}
}

func (s *oddScene) isActive() {
	s.t.Helper()
	s.until("the mailbox is active", func() bool {
		m := s.kept()
		return m.State == postroom.MailboxActive && m.Fault == nil
	})
}

func withoutZeros(counts map[postroom.ArrivalState]int64) map[postroom.ArrivalState]int64 {
	counts = maps.Clone(counts)
	maps.DeleteFunc(counts, func(_ postroom.ArrivalState, n int64) bool { return n == 0 })
	return counts
}

// saysSo waits until the mailbox says what the oddity is.
func (s *oddScene) saysSo(o oddity) {
	s.t.Helper()
	var m postroom.Mailbox
	deadline := time.Now().Add(10 * time.Second)
	for {
		m = s.kept()
		if m.Fault != nil && m.State == o.state && m.Fault.Class == o.class && strings.Contains(m.Fault.Explanation, o.words) {
			break
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the mailbox is %s and says %+v, want %s, %s and %q", m.State, m.Fault, o.state, o.class, o.words)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if m.Fault.Explanation == "" || m.Fault.Remedy == "" {
		s.t.Errorf("the mailbox leaves its people without words: %+v", m.Fault)
	}
}

// heal ends the oddity, and has the mailbox looked at.
func (s *oddScene) heal(o oddity) {
	s.t.Helper()
	s.line.bend(nil)
	s.setFaults(simulator.Faults{})
	switch {
	case o.repair != nil:
		s.change(o.repair)
		return
	case o.mailbox != nil:
		s.change(func(s *oddScene, m *postroom.Mailbox) { m.Incoming = s.good })
		return
	}
	if _, err := s.db.RequestComparison(context.Background(), s.id); err != nil { // tries at once, whatever the pause
		s.t.Fatal(err)
	}
	work.Ring(s.wake)
}
