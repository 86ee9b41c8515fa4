package fetch_test

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

// A foreigner is a server that is not Dovecot.
type foreigner struct {
	host      string
	imap, pop int // ports with TLS from the first byte
	ca        string
	deliver   func(user, folder string, letters ...[]byte)
}

// on makes a mailbox of one user, who has the same name in all servers.
func (f foreigner) on(user string, protocol postroom.Protocol) postroom.Mailbox {
	m := mailboxOn(&testbed.DovecotServer{}, user)
	m.Incoming.Host, m.Incoming.Port, m.Incoming.TLS, m.Incoming.CACertificate = f.host, f.imap, postroom.TLSImplicit, f.ca
	m.Incoming.AuthTimeout = 20 * time.Second // the machine may be busy
	if protocol == postroom.POP3 {
		m.Incoming.Protocol, m.Incoming.Port = postroom.POP3, f.pop
	}
	return m
}

const (
	byIMAP   = "imap@example.net"
	byPOP3   = "pop3@example.net"
	emptied  = "emptied@example.net"
	moving   = "moving@example.net"
	emptying = "emptying@example.net"
)

var foreignUsers = map[string]string{byIMAP: "secret", byPOP3: "secret", emptied: "secret", emptying: "secret", moving: "secret"}

func TestCourierBecomesIssues(t *testing.T) {
	t.Parallel()
	d := testbed.Courier(t, foreignUsers)
	becomeIssues(t, foreigner{host: d.Host, imap: d.IMAPSPort, pop: d.POP3SPort, ca: d.CAPEM, deliver: d.Deliver})
}

func TestCyrusBecomesIssues(t *testing.T) {
	t.Parallel()
	d := testbed.Cyrus(t, foreignUsers)
	becomeIssues(t, foreigner{host: d.Host, imap: d.IMAPSPort, pop: d.POP3SPort, ca: d.CAPEM, deliver: d.Deliver})
}

// becomeIssues brings 200 letters in by either protocol, deletes them from the
// server where that is wanted, and moves a mailbox from one protocol to the other
// and back: every letter is filed once, and the ledger balances.
func becomeIssues(t *testing.T, f foreigner) {
	const letters = 200
	o := store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
	s := &scene{bench: newBench(t, o), o: o}
	mailboxes := make(map[string]postroom.MailboxID)
	for i, user := range []string{byIMAP, byPOP3, emptied, emptying, moving} {
		var all [][]byte
		for n := range letters {
			all = append(all, letter(i*1000+n, ""))
		}
		f.deliver(user, "INBOX", all...)
		protocol := postroom.POP3
		if user == byIMAP || user == emptying {
			protocol = postroom.IMAP
		}
		m := f.on(user, protocol)
		if user == emptied || user == emptying {
			m.AfterImport = postroom.AfterImportDelete
		}
		mailboxes[user] = s.add(m)
	}
	s.run()
	for user, id := range mailboxes {
		s.until(user+" is filed", func() bool { return s.counts(id)[postroom.ArrivalFiled] == letters })
	}
	for i, user := range []string{byIMAP, byPOP3} {
		id := mailboxes[user]
		f.deliver(user, "INBOX", letter(10_000+i, ""))
		s.until(user+" has one more", func() bool { return s.counts(id)[postroom.ArrivalFiled] == letters+1 })
		s.comparesAs(id, letters+1)
		if n, err := s.db.NumberingCounts(t.Context(), id); err != nil || len(n) != 1 {
			t.Errorf("%s has had %d numberings, want one: %v", user, len(n), err)
		}
	}
	for _, user := range []string{emptied, emptying} {
		s.until(user+" is empty", func() bool { return s.compared(mailboxes[user]).OnServer == 0 })
		s.comparesAs(mailboxes[user], 0)
	}
	id := mailboxes[moving]
	for i, protocol := range []postroom.Protocol{postroom.IMAP, postroom.POP3} {
		f.deliver(moving, "INBOX", letter(20_000+i, ""))
		s.change(id, func(m *postroom.Mailbox) { m.Incoming = f.on(moving, protocol).Incoming })
		s.until("the moved mailbox is filed by "+string(protocol), func() bool { return s.counts(id)[postroom.ArrivalFiled] == int64(letters+1+i) })
		s.comparesAs(id, letters+1+i)
	}
	if n, want := s.issues(), int64(len(mailboxes)*letters+2+2); n != want {
		t.Errorf("%d entries, want %d", n, want)
	}
}

func (s *scene) comparesAs(id postroom.MailboxID, onServer int) {
	s.t.Helper()
	if c := s.compared(id); !c.Balanced() || c.OnServer != int64(onServer) {
		s.t.Errorf("mailbox %d: comparison = %+v, want %d on the server and balanced", id, c, onServer)
	}
}
