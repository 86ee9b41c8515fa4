package fetch_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
	"github.com/postroom/postroom/internal/work"
)

// dueLeft is how many actions are still to be done.
func (b *bench) dueLeft(id postroom.MailboxID) int {
	b.t.Helper()
	list, err := b.db.NumberingCounts(context.Background(), id)
	if err != nil {
		b.t.Fatal(err)
	}
	left := 0
	for _, n := range list {
		due, err := b.db.DueActions(context.Background(), n.ID, 10_000)
		if err != nil {
			b.t.Fatal(err)
		}
		left += len(due)
		if _, later, err := b.db.NextDue(context.Background(), n.ID); err != nil || later && len(due) == 0 {
			left++
		}
	}
	return left
}

func seen(messages []simulator.Message) (n int) {
	for _, m := range messages {
		if slices.Contains(m.Flags, `\Seen`) {
			n++
		}
	}
	return n
}

func TestAfterImport(t *testing.T) {
	nothing := func(*scene, []simulator.Message) bool { return true }
	tests := map[string]struct {
		action   postroom.AfterImport
		provider simulator.Options
		faults   simulator.Faults
		inbox    int // messages left there
		holds    func(s *scene, inbox []simulator.Message) bool
	}{
		"kept untouched": {action: postroom.AfterImportKeep, inbox: 12, holds: func(_ *scene, inbox []simulator.Message) bool { return seen(inbox) == 0 }},
		"marked as read": {action: postroom.AfterImportMarkRead, inbox: 12, holds: func(_ *scene, inbox []simulator.Message) bool { return seen(inbox) == 12 }},
		"moved": {action: postroom.AfterImportMove, holds: func(s *scene, _ []simulator.Message) bool {
			return len(s.server.Messages(simUser, "Done/Here")) == 12
		}},
		"moved by COPY": {action: postroom.AfterImportMove, faults: simulator.Faults{HideCapabilities: []string{"MOVE"}}, holds: func(s *scene, _ []simulator.Message) bool {
			return len(s.server.Messages(simUser, "Done/Here")) == 12
		}},
		"copied where nothing can be removed": {action: postroom.AfterImportMove, faults: simulator.Faults{HideCapabilities: []string{"MOVE", "UIDPLUS"}}, inbox: 12,
			holds: func(s *scene, _ []simulator.Message) bool { return len(s.server.Messages(simUser, "Done/Here")) == 12 }},
		"deleted": {action: postroom.AfterImportDelete, holds: nothing},
		"marked where nothing can be removed": {action: postroom.AfterImportDelete, faults: simulator.Faults{HideCapabilities: []string{"UIDPLUS"}}, inbox: 12,
			holds: func(_ *scene, inbox []simulator.Message) bool {
				return !slices.ContainsFunc(inbox, func(m simulator.Message) bool { return !slices.Contains(m.Flags, `\Deleted`) })
			}},
		"deleted by Gmail": {action: postroom.AfterImportDelete, provider: simulator.Options{Gmail: true},
			holds: func(s *scene, _ []simulator.Message) bool {
				return len(s.server.Messages(simUser, "[Gmail]/Trash")) == 12 && len(s.server.Messages(simUser, "[Gmail]/All Mail")) == 0
			}},
		"moved below a namespace": {action: postroom.AfterImportMove, provider: simulator.Options{Namespace: "INBOX."},
			holds: func(s *scene, _ []simulator.Message) bool {
				return len(s.server.Messages(simUser, "INBOX.Done.Here")) == 12
			}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, test.provider)
			s.server.SetFaults("", test.faults)
			s.deliver(0, 10)
			m := s.mailbox()
			m.AfterImport, m.MoveTo = test.action, "Done/Here"
			id := s.add(m)
			s.run()
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 10})
			s.deliver(10, 12)
			s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 12})
			s.until("it is done", func() bool {
				inbox := s.server.Messages(simUser, "INBOX")
				return s.dueLeft(id) == 0 && len(inbox) == test.inbox && test.holds(s, inbox)
			})
			s.until("nothing is wrong", func() bool {
				k, err := s.db.KeptMailbox(t.Context(), id)
				return err == nil && k.State == postroom.MailboxActive && k.Fault == nil
			})
			s.balances(id)
		})
	}
}

// What looks alike is moved each for itself: two mails without a Message-ID that are
// equally long, and two of one Message-ID.
func TestAfterImportMovesWhatLooksAlike(t *testing.T) {
	t.Parallel()
	for name, field := range map[string]string{"without a Message-ID": "", "of one Message-ID": "Message-ID: <bell@example.org>\r\n"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, simulator.Options{})
			s.server.SetFaults("", simulator.Faults{HideCapabilities: []string{"MOVE"}})
			m := s.mailbox()
			m.AfterImport, m.MoveTo = postroom.AfterImportMove, "Done"
			id := s.add(m)
			s.run()
			for n := range 3 {
				s.deliverRaw(fmt.Appendf(nil, "From: door@example.org\r\nSubject: Bell\r\n%s\r\nThe bell of door %d rang.\r\n", field, n), time.Now())
				s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: int64(n + 1)})
				s.until("it is moved", func() bool { return len(s.server.Messages(simUser, "INBOX")) == 0 && s.dueLeft(id) == 0 })
			}
			if n := len(s.server.Messages(simUser, "Done")); n != 3 {
				t.Errorf("%d messages were moved, want all 3", n)
			}
			s.balances(id)
		})
	}
}

// What was before the start, and what nobody has asked for, stays as it was.
func TestAfterImportLeavesTheRestAlone(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.deliver(0, 5)
	m := s.mailbox()
	m.Start = postroom.Start{Kind: postroom.StartNow}
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 5})
	s.deliver(5, 7)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 5, postroom.ArrivalFiled: 2})
	k, err := s.db.KeptMailbox(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	k.Mailbox.AfterImport = postroom.AfterImportDelete // not for what is here already
	if _, err := s.db.ChangeMailbox(t.Context(), k.Mailbox, store.MailboxChange{Seen: k.Mailbox.UpdatedAt}); err != nil {
		t.Fatal(err)
	}
	work.Ring(s.wake)
	s.deliver(7, 8)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalBeforeStart: 5, postroom.ArrivalFiled: 3})
	s.until("the new one is deleted", func() bool { return len(s.server.Messages(simUser, "INBOX")) == 7 })
	s.balances(id)
	for _, m := range s.server.Messages(simUser, "INBOX") {
		if len(m.Flags) > 0 && !slices.Equal(m.Flags, []string{`\Recent`}) {
			t.Errorf("message %d has the flags %v, want none", m.UID, m.Flags)
		}
	}
}

// A server that refuses does not keep mail from being read, and says so on the
// mailbox until it lets us.
func TestAfterImportThatIsRefused(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.server.SetFaults(simUser, simulator.Faults{Replies: map[string]string{"UID MOVE": "NO [NOPERM] Not allowed", "CREATE": "NO [CANNOT] Not here"}})
	s.deliver(0, 5)
	m := s.mailbox()
	m.AfterImport, m.MoveTo = postroom.AfterImportMove, "Done"
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 5})
	s.until("it is said", func() bool {
		k, err := s.db.KeptMailbox(t.Context(), id)
		return err == nil && k.Fault != nil && strings.Contains(k.Fault.Explanation, "cannot be moved to “Done”")
	})
	s.deliver(5, 8)
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 8})
	s.server.SetFaults(simUser, simulator.Faults{})
	s.until("it is done after all", func() bool { return len(s.server.Messages(simUser, "Done")) == 8 && s.dueLeft(id) == 0 })
	s.until("nothing is wrong any more", func() bool {
		k, err := s.db.KeptMailbox(t.Context(), id)
		return err == nil && k.State == postroom.MailboxActive && k.Fault == nil
	})
	s.balances(id)
}

// The folder is counted anew between the bytes and the action: what has the UIDs of
// the past now stays where it is.
func TestAfterImportChecksTheNumbering(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.server.SetFaults(simUser, simulator.Faults{Replies: map[string]string{"UID STORE": "NO Later"}})
	s.deliver(0, 4)
	m := s.mailbox()
	m.AfterImport = postroom.AfterImportDelete
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4})
	if err := s.server.RemoveFolder(simUser, "INBOX"); err != nil {
		t.Fatal(err)
	}
	m2 := letter(100, "")
	if _, err := s.server.Append(simUser, "INBOX", m2, time.Now()); err != nil {
		t.Fatal(err)
	}
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 5})
	s.server.SetFaults(simUser, simulator.Faults{})
	s.until("the new one is deleted by its own right", func() bool { return len(s.server.Messages(simUser, "INBOX")) == 0 })
	s.balances(id)
}

// A server that never says how it counts a folder may have given UIDs to other
// messages meanwhile, and nobody could tell (RFC 3501 section 6.3.1).
func TestAfterImportNeedsUIDVALIDITY(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.deliver(0, 3)
	if err := s.server.RenumberAs(simUser, "INBOX", 0, 1); err != nil {
		t.Fatal(err)
	}
	m := s.mailbox()
	m.AfterImport = postroom.AfterImportDelete
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 3})
	s.until("it is said", func() bool {
		k, err := s.db.KeptMailbox(t.Context(), id)
		return err == nil && k.Fault != nil && strings.Contains(k.Fault.Explanation, "does not say how it counts")
	})
	if n := len(s.server.Messages(simUser, "INBOX")); n != 3 {
		t.Errorf("the server has %d messages, want all 3 left alone", n)
	}
	s.balances(id)
}

func TestAfterImportOnDovecot(t *testing.T) {
	t.Parallel()
	users := map[string]string{}
	for _, action := range []string{"mark", "move", "delete", "pop"} {
		users[action+"@example.net"] = "secret"
	}
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: users})
	b := newBench(t, store.Options{Path: t.TempDir() + "/postroom.db"})
	b.fleet.FirstRetry = 50 * time.Millisecond
	ids := make(map[string]postroom.MailboxID)
	for user := range users {
		for n := range 20 {
			d.Deliver(user, "INBOX", letter(n, "X-User: "+user+"\r\n"))
		}
		m := mailboxOn(d, user)
		m.Visibility = postroom.Visibility{Kind: postroom.VisibleToOwner}
		switch user {
		case "mark@example.net":
			m.AfterImport = postroom.AfterImportMarkRead
		case "move@example.net":
			m.AfterImport, m.MoveTo = postroom.AfterImportMove, "Erledigt/Größe"
		case "pop@example.net":
			m.Incoming.Protocol, m.Incoming.Port = postroom.POP3, d.POP3Port
			fallthrough
		default:
			m.AfterImport = postroom.AfterImportDelete
		}
		ids[user] = b.add(m)
	}
	b.run()
	for user, id := range ids {
		b.until(user+" has 20 filed", func() bool { return b.counts(id)[postroom.ArrivalFiled] == 20 })
		b.until(user+" has nothing due", func() bool { return b.dueLeft(id) == 0 })
		want := 0
		if user == "mark@example.net" {
			want = 20
		}
		b.until(fmt.Sprintf("%s has %d left", user, want), func() bool { return len(d.Messages(user, "INBOX")) == want })
	}
	if n := len(d.Messages("move@example.net", "Erledigt/Größe")); n != 20 {
		t.Errorf("%d were moved, want 20", n)
	}
	if unseen := bytes.TrimSpace([]byte(d.Doveadm("search", "-u", "mark@example.net", "mailbox", "INBOX", "UNSEEN"))); len(unseen) > 0 {
		t.Errorf("not marked as read: %s", unseen)
	}
}

func TestRescanBringsInWhatWasMissed(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.deliver(0, 10)
	id := s.add(s.mailbox())
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 10})
	ctx := context.Background()
	if err := s.db.PauseMailbox(ctx, id); err != nil {
		t.Fatal(err)
	}
	work.Ring(s.wake)
	s.until("nobody is connected", func() bool { return s.server.Counts(simUser).Open == 0 })
	s.deliver(10, 13) // the server hides these from the reader until later
	db := (&crashSite{t: t, o: s.o}).query()
	defer db.Close()
	if _, err := db.Exec("update numbering set position = 13"); err != nil {
		t.Fatal(err)
	}
	if err := s.db.ResumeMailbox(ctx, id); err != nil {
		t.Fatal(err)
	}
	work.Ring(s.wake)
	if c := s.compared(id); len(c.Unaccounted) != 3 {
		t.Fatalf("comparison = %+v, want three unaccounted for", c)
	}
	rescan := func() int64 {
		asked, err := s.db.RequestRescan(ctx, id)
		if err != nil {
			t.Fatal(err)
		}
		work.Ring(s.wake)
		var brought int64
		s.until("the mailbox is rescanned", func() bool {
			at, n, ok, err := s.db.LastRescan(ctx, id)
			brought = n
			return ok && err == nil && !at.Before(asked)
		})
		return brought
	}
	if n := rescan(); n != 3 {
		t.Errorf("%d were brought in, want 3", n)
	}
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 13})
	if n := rescan(); n != 0 {
		t.Errorf("%d were brought in by another rescan, want none", n)
	}
	s.balances(id)

	s.server.SetFaults(simUser, simulator.Faults{RefuseLogin: "NO [UNAVAILABLE] Later"})
	s.server.Disconnect(simUser)
	if n := rescan(); n != 0 {
		t.Errorf("%d were brought in while nobody is let in", n)
	}
	if c, ok, err := s.db.LastComparison(ctx, id); err != nil || !ok || c.Fault == nil {
		t.Errorf("comparison = %+v, %v, want the reason", c, err)
	}
}

// A sweep over folders in which nothing has changed costs one round trip.
func TestSweepOverUnchangedFolders(t *testing.T) {
	t.Parallel()
	s := newScene(t, simulator.Options{})
	s.deliver(0, 3)
	if _, err := s.server.Append(simUser, "Orders", letter(10, ""), time.Now()); err != nil {
		t.Fatal(err)
	}
	m := s.mailbox()
	m.Incoming.Folders = []string{"INBOX", "Orders"}
	m.Incoming.PollInterval = 50 * time.Millisecond
	id := s.add(m)
	s.run()
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 4})
	sweeps := func() int { return s.server.Counts(simUser).Commands["NOOP"] }
	first := sweeps()
	s.until("two sweeps", func() bool { return sweeps() >= first+2 })
	before := s.server.Counts(simUser).Commands
	s.until("four more", func() bool { return sweeps() >= before["NOOP"]+4 })
	after := s.server.Counts(simUser).Commands
	for name, n := range after {
		if name != "NOOP" && name != "STATUS" && name != "IDLE" && n != before[name] {
			t.Errorf("%s was said %d times in sweeps over unchanged folders", name, n-before[name])
		}
	}
	if _, err := s.server.Append(simUser, "Orders", letter(11, ""), time.Now()); err != nil {
		t.Fatal(err)
	}
	s.has(id, map[postroom.ArrivalState]int64{postroom.ArrivalFiled: 5})
	s.balances(id)
}
