package fetch_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// A knownReply is what the catalogue knows of one reply.
type knownReply struct {
	ID         string            `yaml:"id"`
	Protocol   postroom.Protocol `yaml:"protocol"`
	Phase      string            `yaml:"phase"`
	Sample     string            `yaml:"sample"`
	Class      postroom.Class    `yaml:"class"`
	Permanence string            `yaml:"permanence"`
}

// repliesToReaders are the known replies that a reader meets, and the steps at which it
// does. What comes while nothing is asked for only costs the connection.
func repliesToReaders(t *testing.T) (all []knownReply, steps []string) {
	t.Helper()
	text, err := os.ReadFile("../diagnose/mail-errors.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Errors []knownReply `yaml:"errors"`
	}
	if err := yaml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, r := range file.Errors {
		isReader := r.Protocol == postroom.IMAP || r.Protocol == postroom.POP3
		isRefusal := !strings.HasPrefix(r.Sample, "OK ") && !strings.HasPrefix(r.Sample, "{") && !strings.HasPrefix(r.Sample, "* CAPABILITY")
		step := r.Phase
		switch {
		case !isReader || !isRefusal:
			continue
		case step == "any" && r.Protocol == postroom.POP3:
			step = "list"
		case step == "any":
			step = "select"
		case step != "greeting" && step != "auth" && step != "select":
			continue
		}
		all, steps = append(all, r), append(steps, step)
	}
	return all, steps
}

// state is what a mailbox is in that was well and meets a reply: what passes is a
// delay, and of the rest another credential cures what is about the credential.
func (r knownReply) state() postroom.MailboxState {
	aboutCredential := []postroom.Class{
		postroom.BadCredentials, postroom.AppPasswordRequired, postroom.AccountPasswordPasted, postroom.TwoStepOff, postroom.BasicAuthBlocked,
		postroom.TokenExpired, postroom.TokenRevoked, postroom.ConsentMissing, postroom.AdminConsentRequired, postroom.MFARequired,
	}
	switch {
	case r.Permanence == "temporary":
		return postroom.MailboxDelayed
	case slices.Contains(aboutCredential, r.Class):
		return postroom.MailboxNeedsSignIn
	}
	return postroom.MailboxNeedsRepair
}

// TestWhatServersSayDecidesTheState has mailboxes that are well meet every known reply,
// each at a server of its own, and wants of 95 % that the mailbox says why and is in the
// state that this asks for.
func TestWhatServersSayDecidesTheState(t *testing.T) {
	replies, steps := repliesToReaders(t)
	if testing.Short() {
		replies, steps = replies[:len(replies)/10], steps[:len(steps)/10]
	}
	authority, err := simulator.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, simulator.Options{Authority: authority})
	s.explaining(true)
	boxes := make([]postroom.MailboxID, len(replies))
	say := make([]func(), len(replies))
	for n, r := range replies {
		boxes[n], say[n] = s.before(n, r, steps[n], authority)
	}
	s.run()
	for _, id := range boxes {
		s.until("a mailbox is well", func() bool {
			m := s.kept(id)
			return m.State == postroom.MailboxActive && m.Fault == nil && s.counts(id)[postroom.ArrivalFiled] == 1
		})
	}
	for _, begin := range say {
		begin()
	}
	right := 0
	deadline := time.Now().Add(20 * time.Second)
	for n, r := range replies {
		var m postroom.Mailbox
		for {
			if m = s.kept(boxes[n]); m.Fault != nil && m.Fault.Class == r.Class && m.State == r.state() || time.Now().After(deadline) {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		switch {
		case m.Fault == nil:
			t.Logf("wrong: %s: the mailbox is %s and says nothing", r.ID, m.State)
		case m.Fault.Class != r.Class || m.State != r.state():
			t.Logf("wrong: %s: %s, %s, want %s, %s: %q", r.ID, m.State, m.Fault.Class, r.state(), r.Class, r.Sample)
		case m.Fault.Explanation == "" || m.Fault.Remedy == "":
			t.Errorf("%s: the mailbox leaves its people without words: %+v", r.ID, m.Fault)
		default:
			right++
		}
	}
	t.Logf("%d of %d mailboxes say the right reason and are in the right state", right, len(replies))
	if right*100 < len(replies)*95 || len(replies) == 0 {
		t.Errorf("that is less than 95 %%")
	}
}

// before makes a mailbox at a server of its own, with one letter. say has the server
// say a reply at a step, from then on.
func (s *scene) before(n int, r knownReply, step string, authority *simulator.Authority) (id postroom.MailboxID, say func()) {
	s.t.Helper()
	f, ok := simulator.ReplyAt(r.Protocol, step, r.Sample)
	if !ok {
		s.t.Fatalf("%s: %s has no step %s", r.ID, r.Protocol, step)
	}
	server, err := simulator.Start(simulator.Options{Authority: authority})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = server.Close() })
	user := fmt.Sprintf("box%d@example.net", n)
	server.AddAccount(user, "secret")
	if _, err := server.Append(user, "INBOX", letter(n, ""), time.Now()); err != nil {
		s.t.Fatal(err)
	}
	m := s.mailbox()
	m.Name, m.Address, m.Incoming.Username = user, user, user
	m.Incoming.Host, m.Incoming.Port = server.Host, server.Port
	say = func() {
		server.SetFaults("", f)
		server.Disconnect("")
	}
	if r.Protocol == postroom.POP3 {
		pop, err := server.StartPOP3(simulator.POP3Options{Shared: true})
		if err != nil {
			s.t.Fatal(err)
		}
		m.Incoming.Protocol, m.Incoming.Port = postroom.POP3, pop.Port
		say = func() { pop.SetFaults("", f) }
	}
	return s.add(m), say
}
