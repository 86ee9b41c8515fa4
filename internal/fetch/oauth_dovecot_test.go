package fetch_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// Dovecot has every token looked up at the provider when somebody signs in, and asks no
// more after that.
func TestDovecotIsReadByToken(t *testing.T) {
	t.Parallel()
	testbed.Need(t, testbed.NeedDovecot)
	s := newTokenScene(t, simulator.GoogleOAuth, 2*time.Second)
	at, err := url.Parse(s.provider.IntrospectURL)
	if err != nil {
		t.Fatal(err)
	}
	at.User = url.UserPassword("app", "app-secret")
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{simUser: "nobody knows"}, Tokens: at.String()})
	d.Deliver(simUser, "INBOX", letter(0, ""), letter(1, ""))

	imap := mailboxOn(d, simUser)
	pop := imap
	pop.Incoming.Protocol, pop.Incoming.Port, pop.Incoming.PollInterval = postroom.POP3, d.POP3Port, time.Second
	var ids []postroom.MailboxID
	for _, m := range []postroom.Mailbox{imap, pop} {
		m.Address = m.Address + "." + string(m.Incoming.Protocol)
		ids = append(ids, s.add(m))
	}
	s.run()
	n := 2
	for ; s.opened.Load() < 8; n++ {
		d.Deliver(simUser, "INBOX", letter(n, ""))
		time.Sleep(200 * time.Millisecond)
	}
	for _, id := range ids {
		s.until("all is here", func() bool {
			counts := s.counts(id)
			return counts[postroom.ArrivalFiled]+counts[postroom.ArrivalDuplicate] == int64(n)
		})
	}
	if states := s.recordedStates(); len(states) > len(ids) || s.faults.Load() > 0 || s.renewed.Load() > 0 {
		t.Errorf("recorded were %v, with %d faults and %d tokens refused", states, s.faults.Load(), s.renewed.Load())
	}

	s.provider.Revoke(simUser, "")
	for _, id := range ids {
		if m := s.becomes(id, postroom.MailboxNeedsSignIn); m.Fault == nil || m.Fault.Class != postroom.TokenRevoked {
			t.Errorf("the fault is %+v", m.Fault)
		}
	}
}
