package fetch_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/fetch"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/work"
)

// asksToHear wants the dialogue of a mailbox.
func (s *scene) asksToHear(id postroom.MailboxID) {
	s.t.Helper()
	if err := s.db.BeginTranscript(context.Background(), id, 0, time.Hour); err != nil {
		s.t.Fatal(err)
	}
	work.Ring(s.wake)
}

// heard is a transcript as text.
func (s *scene) heard(id postroom.MailboxID) string {
	s.t.Helper()
	lines, err := s.db.Reader().TranscriptLines(context.Background(), id, 0, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	var text strings.Builder
	for _, l := range lines {
		text.WriteString(l.Session + " " + string(l.Direction) + " " + l.Line + "\n")
	}
	return text.String()
}

func (s *scene) hears(id postroom.MailboxID, words string) {
	s.t.Helper()
	s.until("the transcript says "+words, func() bool { return strings.Contains(s.heard(id), words) })
}

func TestTranscriptOfAMailboxThatIsRead(t *testing.T) {
	t.Parallel()
	tests := map[string]func(t *testing.T) (*scene, postroom.Mailbox, []string){
		"by IMAP": func(t *testing.T) (*scene, postroom.Mailbox, []string) {
			s := newScene(t, simulator.Options{})
			return s, s.mailbox(), []string{"OK", "EXAMINE", "IDLE"}
		},
		"by POP3": func(t *testing.T) (*scene, postroom.Mailbox, []string) {
			s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
			return s.scene, s.mailbox(), []string{"+OK", "UIDL", "QUIT"}
		},
	}
	for name, begin := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, m, words := begin(t)
			s.deliver(0, 3)
			id := s.add(m)
			s.run()
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 3})
			if said := s.heard(id); said != "" {
				t.Fatalf("nobody has asked, and this was written down:\n%s", said)
			}

			s.asksToHear(id)
			s.hears(id, "Connecting to ") // the sign-in is heard of a mailbox that was connected already
			for _, w := range words {
				s.hears(id, w)
			}
			secretive := strings.Replace(string(letter(3, "")), "\r\n\r\n", "\r\n\r\nThis is for your eyes only.\r\n", 1)
			s.deliverRaw([]byte(secretive), time.Now())
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4})
			said := s.heard(id)
			for _, never := range []string{"secret\n", "\"secret\"", "for your eyes", "Subject:"} {
				if strings.Contains(said, never) {
					t.Errorf("%q is in the transcript:\n%s", never, said)
				}
			}

			if err := s.db.EndTranscript(context.Background(), id); err != nil {
				t.Fatal(err)
			}
			s.compared(id) // twice: by then the fleet has looked who listens
			s.compared(id)
			before := s.heard(id)
			s.deliver(4, 6)
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 6})
			if after := s.heard(id); after != before {
				t.Errorf("written down after the end:\n%s", strings.TrimPrefix(after, before))
			}
			s.balances(id)
		})
	}
}

func TestTranscriptSaysWhyNothingIsSaid(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	wrong := s.mailbox()
	wrong.Incoming.Username = "nobody@example.net"
	s.fleet.Explain = func(err error, _ postroom.Mailbox, _ fetch.Login) *postroom.Fault {
		return &postroom.Fault{Kind: postroom.NeedsSignIn, Class: postroom.BadCredentials, Explanation: "It refuses the password.", Err: err}
	}
	id := s.add(wrong)
	s.run()
	s.until("the password is refused", func() bool { return s.kept(id).Fault != nil })
	tries := s.server.Counts("").RefusedLogins
	s.asksToHear(id)
	s.hears(id, "is not tried again until")
	if now := s.server.Counts("").RefusedLogins; now != tries {
		t.Errorf("%d logins after %d: a refused password was tried for a transcript", now, tries)
	}
}

func TestTranscriptOfAServerInTrouble(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.server.SetFaults("", simulator.Faults{ByeAtGreeting: "Too busy, come back"})
	s.fleet.Retry = work.Delay{First: time.Hour, Max: time.Hour}
	id := s.add(s.mailbox())
	s.run()
	s.until("the mailbox is in trouble", func() bool { return s.kept(id).Fault != nil })
	s.asksToHear(id) // which does not wait for the next try, in an hour
	s.hears(id, "S * BYE Too busy, come back")
	s.hears(id, " N ")
}
