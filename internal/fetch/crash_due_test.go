package fetch_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

// A crashWay is what happens to a mail on its server, and the points on the way at
// which the process is ended.
type crashWay struct {
	protocol postroom.Protocol
	action   postroom.AfterImport
	points   []string
	// left and moved are how many of the letters are in the inbox and in the other
	// folder in the end.
	left, moved bool
}

var crashWays = map[string]crashWay{
	"mark":     {postroom.IMAP, postroom.AfterImportMarkRead, []string{"bytes recorded", "filed", "acted on the server", "action recorded"}, true, false},
	"move":     {postroom.IMAP, postroom.AfterImportMove, []string{"bytes recorded", "filed", "acted on the server", "action recorded"}, false, true},
	"delete":   {postroom.IMAP, postroom.AfterImportDelete, []string{"bytes recorded", "filed", "acted on the server", "action recorded"}, false, false},
	"pop-keep": {postroom.POP3, postroom.AfterImportKeep, []string{"mailbox proven", "names booked", "message read", "bytes recorded", "filed"}, true, false},
	"pop-delete": {postroom.POP3, postroom.AfterImportDelete, []string{
		"names booked", "bytes recorded", "filed", "marked by DELE", "before QUIT", "after QUIT", "action recorded"}, false, false},
}

const crashLetterCount = 5

// SIGKILL between any two steps of what happens to a mail on its server: it is
// done in the end, once, and the mail is here once.
func TestCrashAfterImport(t *testing.T) {
	testbed.Need(t, testbed.NeedDovecot)
	d := testbed.Dovecot(t, testbed.DovecotOptions{})
	for _, database := range []string{"sqlite", "postgres"} {
		for name, way := range crashWays {
			t.Run(database+"/"+name, func(t *testing.T) {
				t.Parallel()
				for _, point := range way.points {
					o := store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
					if database == "postgres" {
						o = store.Options{URL: testbed.Postgres(t)}
					}
					user := name + "-" + strings.ReplaceAll(strings.ToLower(point), " ", "-") + "-" + database + "@example.net"
					d.AddUser(user, "secret")
					way.crash(t, o, d, user, point)
				}
			})
		}
	}
}

func (way crashWay) crash(t *testing.T, o store.Options, d *testbed.DovecotServer, user, point string) {
	t.Helper()
	var letters [][]byte
	for n := range crashLetterCount {
		letters = append(letters, letter(n, ""))
	}
	d.Deliver(user, "INBOX", letters...)
	m := mailboxOn(d, user)
	m.AfterImport = way.action
	if way.action == postroom.AfterImportMove {
		m.MoveTo = "Done"
	}
	if way.protocol == postroom.POP3 {
		m.Incoming.Protocol, m.Incoming.Port = postroom.POP3, d.POP3Port
	}
	c := newCrashSiteOf(t, o, m)
	c.survives(point)
	count := func(folder string, want bool) {
		t.Helper()
		n := 0
		if want {
			n = crashLetterCount
		}
		if got := len(d.Messages(user, folder)); got != n {
			t.Errorf("after a crash at %q: %d messages in %s, want %d", point, got, folder, n)
		}
	}
	count("INBOX", way.left)
	if way.action == postroom.AfterImportMove {
		count("Done", way.moved)
	}
	if way.action == postroom.AfterImportMarkRead {
		if unseen := strings.TrimSpace(d.Doveadm("search", "-u", user, "mailbox", "INBOX", "UNSEEN")); unseen != "" {
			t.Errorf("after a crash at %q not all are marked: %s", point, unseen)
		}
	}
}

// survives runs the other process until it dies at a point, and once more to its
// end; then each letter is here once.
func (c *crashSite) survives(point string) {
	c.t.Helper()
	order := crashOrder{Wanted: crashLetterCount, Acted: c.id}
	first := order
	first.Point, first.Occasion = point, 1
	if !c.complete(first) {
		c.t.Errorf("the point %q is never reached", point)
	}
	if c.complete(order) {
		c.t.Fatal("it died again without being told to")
	}
	got := c.outcome()
	if got.Entries != crashLetterCount || got.Raws != crashLetterCount || got.Events != crashLetterCount {
		c.t.Errorf("after a crash at %q: %+v, want %d of each", point, got, crashLetterCount)
	}
}

// A server without MOVE: the copies are made once, whenever the process ends.
func TestCrashBetweenCopyAndRemoval(t *testing.T) {
	for _, point := range []string{"copied on the server", "copy recorded", "acted on the server"} {
		t.Run(point, func(t *testing.T) {
			t.Parallel()
			s := newScene(t, simulator.Options{})
			s.server.SetFaults("", simulator.Faults{HideCapabilities: []string{"MOVE"}})
			s.deliver(0, crashLetterCount)
			m := s.mailbox()
			m.AfterImport, m.MoveTo = postroom.AfterImportMove, "Done"
			c := newCrashSiteOf(t, store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}, m)
			c.survives(point)
			if in, out := len(s.server.Messages(simUser, "INBOX")), len(s.server.Messages(simUser, "Done")); in != 0 || out != crashLetterCount {
				t.Errorf("%d in the inbox and %d moved, want 0 and %d", in, out, crashLetterCount)
			}
		})
	}
}

// The process ends while QUIT has not been answered, which may mean either.
func TestCrashWhileQuitIsUnanswered(t *testing.T) {
	for name, faults := range map[string]simulator.Faults{
		"nothing was deleted": {CutBefore: []string{"QUIT"}},
		"all was deleted":     {CutAfter: []string{"QUIT"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newPopScene(t, simulator.Options{}, simulator.POP3Options{})
			s.deliver(0, crashLetterCount)
			s.pop.SetFaults(simUser, faults)
			m := s.mailbox()
			m.AfterImport = postroom.AfterImportDelete
			c := newCrashSiteOf(t, store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}, m)
			cmd, _ := c.process(crashOrder{Wanted: 1 << 40})
			s.until("QUIT was said", func() bool { return s.pop.Counts(simUser).Commands["QUIT"] > 0 })
			time.Sleep(20 * time.Millisecond)
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			s.pop.SetFaults(simUser, simulator.Faults{})
			c.complete(crashOrder{Wanted: crashLetterCount, Acted: c.id})
			if got := c.outcome(); got.Entries != crashLetterCount || s.left() != 0 {
				t.Errorf("%+v and %d left on the server, want %d entries and none", got, s.left(), crashLetterCount)
			}
			if arrivals := fmt.Sprint(c.outcome().Arrivals); strings.Contains(arrivals, "duplicate") {
				t.Errorf("arrivals = %s, want each once", arrivals)
			}
		})
	}
}
