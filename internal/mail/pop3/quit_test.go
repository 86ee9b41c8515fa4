package pop3

import (
	"context"
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/mail"
)

func TestQuitSaysWhatIsKnown(t *testing.T) {
	for name, test := range map[string]struct{ server, want string }{
		"done":                {"S: +OK bye", ""},
		"done, and one more":  {"R: \"+OK bye\\r\\n\\r\\n\"", ""},
		"not all of it":       {"S: -ERR [SYS/TEMP] some deleted messages not removed", "-ERR [SYS/TEMP] some deleted messages not removed"},
		"no answer":           {"hang", "i/o timeout"},
		"hung up":             {"cut", "unexpected EOF"},
		"half an answer":      {"R: \"+O\"\ncut", "unexpected EOF"},
		"an answer too many":  {"R: \"+OK\\r\\n-ERR\\r\\n\"\nhang", "more than it was asked"},
		"not an answer":       {"S: bye", "not an answer"},
		"gone before the end": {"S: +OK\ncut", ""},
	} {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, welcome()+"C: DELE 2\nS: +OK\nC: QUIT\n"+test.server))
			o.CommandTimeout = 100 * time.Millisecond
			c := open(t, o)
			if err := c.Delete(t.Context(), 2); err != nil {
				t.Fatal(err)
			}
			err := c.Quit(t.Context())
			if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
				t.Errorf("Quit: %v, want %q", err, test.want)
			}
			if r, is := mail.RefusalOf(err); err != nil && (!is || r.Phase != mail.PhaseLogout) {
				t.Errorf("Quit: %+v", err)
			}
			if c.Usable() || c.Noop(t.Context()) == nil || c.Quit(t.Context()) == nil || c.Close() != nil {
				t.Error("the session goes on")
			}
		})
	}
}

// What Close says to the server must never cost a message.
func TestCloseChangesNothing(t *testing.T) {
	const retr = "C: RETR 1\nR: \"+OK\\r\\nhello\\r\\n.\\r\\n\"\n"
	const gmail = "S: +OK Gpop ready\nC: CAPA\nS: -ERR\nC: USER recent:anna@example.net\nS: +OK\nC: PASS pässword\nS: +OK\nC: CAPA\nS: -ERR\n"
	for name, test := range map[string]struct {
		server  string
		deletes bool
		reads   bool
		last    string // words; empty: it hangs up
	}{
		"nothing done":                      {welcome(), false, false, "QUIT"},
		"something read":                    {welcome() + retr, false, true, "QUIT"},
		"something read, kept for a month":  {welcome("EXPIRE 30") + retr, false, true, "QUIT"},
		"something read that expires":       {welcome("EXPIRE 0") + retr, false, true, ""},
		"nothing read that expires":         {welcome("EXPIRE 0"), false, false, "QUIT"},
		"something read, Gmail":             {gmail + retr, false, true, ""},
		"something marked":                  {welcome() + "C: DELE 1\nS: +OK\n", true, false, "RSET"},
		"something marked, perhaps":         {welcome() + "C: DELE 1\nS: -ERR\n", true, false, "RSET"},
		"something read, something marked":  {welcome("EXPIRE 0") + retr + "C: DELE 1\nS: +OK\n", true, true, "RSET"},
		"something marked, and no RSET yet": {welcome() + "C: DELE 1\nS: +OK\n", true, false, "RSET"},
	} {
		t.Run(name, func(t *testing.T) {
			after := make(chan string, 1)
			addr := serve(t, func(conn net.Conn) {
				play(t, conn, test.server)
				words := make([]byte, 100)
				n, _ := conn.Read(words)
				conn.Write([]byte("+OK\r\n"))
				rest, _ := conn.Read(words[n:])
				after <- strings.TrimSpace(string(words[:n+rest]))
			})
			c := open(t, optionsFor(addr))
			if test.reads {
				if _, err := retrieve(t, c, 1); err != nil {
					t.Fatal(err)
				}
			}
			if test.deletes {
				_ = c.Delete(t.Context(), 1)
			}
			c.Close()
			if got := <-after; got != test.last {
				t.Errorf("Close says %q, want %q", got, test.last)
			}
			if c.Usable() || !errors.Is(c.Noop(t.Context()), net.ErrClosed) || c.Close() != nil {
				t.Error("the session goes on")
			}
		})
	}
}

func TestCloseEndsACallUnderWay(t *testing.T) {
	c := maildrop(t, "C: NOOP\nhang")
	done := make(chan error)
	go func() { done <- c.Noop(context.Background()) }()
	for c.inUse.TryLock() {
		c.inUse.Unlock()
		time.Sleep(time.Millisecond)
	}
	c.Close()
	if err := <-done; err == nil {
		t.Error("Noop succeeded")
	}
}

func TestRefusalsOfDelete(t *testing.T) {
	c := maildrop(t, "C: DELE 9\nS: -ERR no such message\nC: DELE 1\nS: +OK\nhang")
	r := refusalOf(t, c.Delete(t.Context(), 9))
	if r.Reply != "-ERR no such message" || !c.Usable() {
		t.Errorf("Delete: %+v", r)
	}
	if err := c.Delete(t.Context(), 1); err != nil {
		t.Errorf("Delete: %v", err)
	}
}

// What a server says when it hangs up explains more than our failure to write.
func TestLastWordsOfAServer(t *testing.T) {
	isOpen := make(chan bool)
	c := open(t, optionsFor(serve(t, func(conn net.Conn) {
		play(t, conn, welcome())
		<-isOpen
		play(t, conn, "S: -ERR [SYS/TEMP] Server shutting down.")
	})))
	close(isOpen)
	for range 100 { // until the end of the connection has arrived
		if err := c.Noop(t.Context()); err != nil {
			if r := refusalOf(t, err); r.Reply != "-ERR [SYS/TEMP] Server shutting down." {
				t.Errorf("Noop: %v", err)
			}
			return
		}
	}
	t.Error("Noop succeeds")
}
