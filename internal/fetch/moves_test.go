package fetch_test

import (
	"bytes"
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/work"
)

// change changes the settings of a mailbox as a person would.
func (s *scene) change(id postroom.MailboxID, edit func(*postroom.Mailbox)) {
	s.t.Helper()
	for {
		k, err := s.db.KeptMailbox(context.Background(), id)
		if err != nil {
			s.t.Fatal(err)
		}
		edit(&k.Mailbox)
		_, err = s.db.ChangeMailbox(context.Background(), k.Mailbox, store.MailboxChange{Seen: k.Mailbox.UpdatedAt, Reopen: true})
		if err == nil {
			break
		}
		if postroom.KindOf(err) != postroom.Conflict {
			s.t.Fatal(err)
		}
	}
	work.Ring(s.wake)
}

func (s *scene) issues() int64 {
	s.t.Helper()
	db := (&crashSite{t: s.t.(*testing.T), o: s.o}).query()
	defer db.Close()
	var n int64
	if err := db.QueryRow("select count(*) from entry").Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

// isSettled waits until a mailbox has so many mails filed and so many arrivals of
// the server's names now, and until nothing waits.
func (s *scene) isSettled(id postroom.MailboxID, filed, duplicate int64) {
	s.t.Helper()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: filed, postroom.ArrivalDuplicate: duplicate})
	s.balances(id)
	if n := s.issues(); n != filed {
		s.t.Errorf("%d entries, want %d", n, filed)
	}
}

func TestTwentyRenumberings(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	id := s.add(s.mailbox())
	s.deliver(0, 20)
	s.run()
	s.isSettled(id, 20, 0)
	filed, duplicate := int64(20), int64(0)
	for n := range 20 {
		if err := s.server.Renumber(simUser, "INBOX"); err != nil {
			t.Fatal(err)
		}
		s.deliver(20+3*n, 23+3*n)
		duplicate += filed
		filed += 3
		s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: filed, postroom.ArrivalDuplicate: duplicate})
	}
	s.isSettled(id, filed, duplicate)
}

func TestFolderMadeAnew(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	append := func(n int) {
		if _, err := s.server.Append(simUser, "Orders", letter(n, ""), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	append(0)
	append(1)
	m := s.mailbox()
	m.Incoming.Folders = []string{"Orders"}
	id := s.add(m)
	s.run()
	s.isSettled(id, 2, 0)
	if err := s.server.RemoveFolder(simUser, "Orders"); err != nil {
		t.Fatal(err)
	}
	s.until("it is missed", func() bool {
		k, err := s.db.KeptMailbox(t.Context(), id)
		return err == nil && k.Fault != nil
	})
	append(1)
	append(2)
	s.isSettled(id, 3, 1)
}

func TestRestoredFolderBroughtForward(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	id := s.add(s.mailbox())
	s.deliver(0, 5)
	s.run()
	s.isSettled(id, 5, 0)
	backup, err := s.server.BackUp(simUser, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	s.deliver(5, 9)
	s.isSettled(id, 9, 0)
	if err := s.server.Restore(backup); err != nil {
		t.Fatal(err)
	}
	s.until("the folder is counted anew", func() bool { return s.counts(id)[postroom.ArrivalDuplicate] == 5 })
	s.deliver(9, 12)
	s.isSettled(id, 12, 5)
}

// Another host, another user name, and back: each is a numbering of its own.
func TestHostAndUserChangeAndBack(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	const other = "moved@example.net"
	s.server.AddAccount(other, "secret")
	copyAll := func(from, to string) {
		for _, m := range s.server.Messages(from, "INBOX")[len(s.server.Messages(to, "INBOX")):] {
			if _, err := s.server.Append(to, "INBOX", m.Raw, time.Now()); err != nil {
				t.Fatal(err)
			}
		}
	}
	id := s.add(s.mailbox())
	s.deliver(0, 10)
	s.run()
	s.isSettled(id, 10, 0)

	copyAll(simUser, other)
	for n := 10; n < 12; n++ {
		if _, err := s.server.Append(other, "INBOX", letter(n, ""), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
	s.change(id, func(m *postroom.Mailbox) { m.Incoming.Username = other })
	s.isSettled(id, 12, 10)

	copyAll(other, simUser)
	s.deliver(12, 13)
	s.change(id, func(m *postroom.Mailbox) { m.Incoming.Username, m.Incoming.Host = simUser, "localhost" })
	s.isSettled(id, 13, 22)
	s.change(id, func(m *postroom.Mailbox) { m.Incoming.Host = s.server.Host })
	s.isSettled(id, 13, 35)
}

// Mail without a Message-ID is told apart by how often it is there, in each numbering.
func TestPOP3ToIMAPAndBack(t *testing.T) {
	t.Parallel()
	rewrites := map[string]func([]byte, int) []byte{
		"line feeds": simulator.LineFeeds, "carriage returns": simulator.CarriageReturns,
		"no final newline": simulator.WithoutFinalBlanks, "status fields": simulator.StatusFields,
	}
	for name, rewrite := range rewrites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
			s.fleet.CommandTimeout = 10 * time.Second
			s.pop.SetFaults("", simulator.Faults{POP3: simulator.POP3Faults{Rewrite: rewrite}})
			const mails = 500 // four times
			for n := range mails {
				raw := letter(n, "")
				switch n % 5 {
				case 0: // without a Message-ID, each alone of its kind
					raw = bytes.Replace(raw, []byte("Message-ID: <letter-"), []byte("X-Number: <letter-"), 1)
				case 1:
					raw = bytes.TrimRight(raw, "\r\n")
				case 2:
					raw = append(raw, "..\r\n.dots\r\n\r\n"...)
				}
				s.deliverRaw(raw, time.Now())
			}
			byIMAP, byPOP3 := s.scene.mailbox().Incoming, s.mailbox().Incoming
			id := s.add(s.mailbox())
			s.run()
			s.isSettled(id, mails, 0)
			for n, in := range []postroom.IncomingSettings{byIMAP, byPOP3} {
				s.deliver(mails+3*n, mails+3*n+3) // arrives while the mailbox is moved
				s.change(id, func(m *postroom.Mailbox) { m.Incoming = in })
				s.until("the gap is brought in", func() bool { return s.counts(id)[postroom.ArrivalFiled] >= int64(mails+3*n+3) })
				s.until("nothing waits", func() bool { return s.counts(id)[postroom.ArrivalWaiting] == 0 })
			}
			c := s.counts(id)
			if c[postroom.ArrivalFiled] != mails+6 || s.issues() != mails+6 {
				t.Errorf("arrivals = %v, %d entries, want %d of each", c, s.issues(), mails+6)
			}
			s.balances(id)
		})
	}
}

func TestWhatIsOneMailAndWhatIsNot(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	id := s.add(s.mailbox())
	for n := range 100 {
		s.deliverRaw(fmt.Appendf(nil, "From: a@example.org\r\nSubject: Nameless %d\r\n\r\nMail %d.\r\n", n, n), time.Now())
	}
	attached := func(what string) []byte {
		return fmt.Appendf(nil, "From: a@example.org\r\nMessage-ID: <plans@example.org>\r\nSubject: Plans\r\nMIME-Version: 1.0\r\n"+
			"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHere.\r\n--b\r\nContent-Type: application/pdf; name=p.pdf\r\n"+
			"Content-Transfer-Encoding: base64\r\n\r\n%s\r\n--b--\r\n", what)
	}
	s.deliverRaw(attached("AAAA"), time.Now())
	s.deliverRaw(attached("BBBB"), time.Now())
	for n := range 5 {
		s.deliverRaw(fmt.Appendf(nil, "From: a@example.org\r\nMessage-ID: <same@example.org>\r\nSubject: Number %d\r\n\r\nOne of five.\r\n", n), time.Now())
	}
	s.deliver(0, 1)
	s.deliver(0, 1) // the same bytes twice
	s.run()
	s.isSettled(id, 100+2+5+1, 1)
	if err := s.server.Renumber(simUser, "INBOX"); err != nil {
		t.Fatal(err)
	}
	s.isSettled(id, 100+2+5+1, 1+100+2+5+2)
}
