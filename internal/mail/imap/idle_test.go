package imap

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/mail"
)

func TestIdle(t *testing.T) {
	tests := map[string]struct {
		server string
		atMost time.Duration
		want   bool
	}{
		"mail arrives": {`
			S: + idling
			S: * 6 EXISTS
			C: DONE
			S: <tag> OK done`, 5 * time.Second, true},
		"mail arrives before the server idles": {`
			S: * 6 EXISTS
			S: + idling
			C: DONE
			S: <tag> OK done`, 5 * time.Second, true},
		"mail arrives as the wait ends": {`
			S: + idling
			C: DONE
			S: * 6 EXISTS
			S: <tag> OK done`, 30 * time.Millisecond, true},
		"a line that comes in pieces around the end": {`
			R: "+ idling\r\n* 6 EX"
			C: DONE
			R: "ISTS\r\n<tag> OK done\r\n"`, 30 * time.Millisecond, true},
		"nothing": {`
			S: + idling
			C: DONE
			S: <tag> OK done`, 30 * time.Millisecond, false},
		"signs of life and old news": {`
			S: +
			S: * OK Still here
			S: * 5 EXISTS
			S: * 0 RECENT
			R: "\r\n* GARBAGE {3}\r\nabc\r\n"
			C: DONE
			S: <tag> OK done`, 30 * time.Millisecond, false},
		"an expunge": {`
			S: + idling
			S: * 2 EXPUNGE
			C: DONE
			S: <tag> OK done`, 5 * time.Second, true},
		"a vanishing": {`
			S: + idling
			S: * VANISHED 103
			C: DONE
			S: <tag> OK done`, 5 * time.Second, true},
		"changed flags": {`
			S: + idling
			S: * 2 FETCH (FLAGS (\Seen))
			C: DONE
			S: <tag> OK done`, 5 * time.Second, true},
		"recent mail": {`
			S: + idling
			S: * 1 RECENT
			C: DONE
			S: <tag> OK done`, 5 * time.Second, true},
		"fewer messages than before": {`
			S: + idling
			S: * 3 EXISTS
			C: DONE
			S: <tag> OK done`, 5 * time.Second, true},
		"the server ends it by itself": {`
			S: + idling
			S: <tag> OK enough`, 5 * time.Second, false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, "IDLE", `
			C: IDLE`+test.server+noop)
			news, err := c.Idle(t.Context(), test.atMost)
			if news != test.want || err != nil {
				t.Errorf("Idle = %v, %v, want %v", news, err, test.want)
			}
			if test.want {
				if again, err := c.Idle(t.Context(), time.Minute); !again || err != nil {
					t.Errorf("Idle before UIDs = %v, %v, want news at once", again, err)
				}
			}
			if news, err := c.Noop(t.Context()); news != test.want || err != nil {
				t.Errorf("Noop = %v, %v, want %v", news, err, test.want)
			}
		})
	}
}

func TestNewsBetweenListAndIdleIsNotMissed(t *testing.T) {
	c := inbox(t, "IDLE", `
	C: UID SEARCH UID 106:*
	S: * SEARCH
	S: * 6 EXISTS
	S: <tag> OK done
	hang`)
	if _, err := c.UIDs(t.Context(), 106); err != nil {
		t.Fatal(err)
	}
	if news, err := c.Idle(t.Context(), time.Minute); !news || err != nil {
		t.Errorf("Idle = %v, %v, want news at once", news, err)
	}
}

func TestFetchedMessagesAreNoNews(t *testing.T) {
	c := inbox(t, "", `
	C: UID FETCH 101 `+ask+`
	R: "* 1 FETCH (UID 101 BODY[] {1}\r\na)\r\n"
	S: * 1 FETCH (FLAGS (\Seen))
	S: <tag> OK done
	`+noop)
	if _, err := bodies(t, c, 101); err != nil {
		t.Fatal(err)
	}
	if news, err := c.Noop(t.Context()); news || err != nil {
		t.Errorf("Noop = %v, %v", news, err)
	}
}

func TestIdleThatCannotBe(t *testing.T) {
	tests := map[string]struct {
		capabilities, server, reply, cause string
		usable                             bool
	}{
		"not offered":      {"", noop, "", ErrNoIdle.Error(), true},
		"refused":          {"IDLE", "C: IDLE\nS: <tag> NO not now\n" + noop, "NO not now", "", true},
		"over at once":     {"IDLE", "C: IDLE\nS: <tag> OK idle\n" + noop, "OK idle", "", true},
		"BYE while idle":   {"IDLE", "C: IDLE\nS: + ok\nS: * BYE Disconnected for inactivity.", "* BYE Disconnected for inactivity.", "", false},
		"BYE and silence":  {"IDLE", "C: IDLE\nS: + ok\nS: * BYE Session invalidated - AccessTokenExpired\nhang", "* BYE Session invalidated - AccessTokenExpired", "", false},
		"hung up":          {"IDLE", "C: IDLE\nS: + ok", "", io.ErrUnexpectedEOF.Error(), false},
		"DONE unanswered":  {"IDLE", "C: IDLE\nS: + ok\nC: DONE\nhang", "", "i/o timeout", false},
		"never idles":      {"IDLE", "C: IDLE\nhang", "", "i/o timeout", false},
		"cut in the midst": {"IDLE", "C: IDLE\nS: + ok\nR: \"* 6 EXI\"", "", io.ErrUnexpectedEOF.Error(), false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, test.capabilities, test.server)
			c.commandTimeout = 100 * time.Millisecond
			c.setPatience(c.commandTimeout)
			news, err := c.Idle(t.Context(), 100*time.Millisecond)
			r, ok := mail.RefusalOf(err)
			if news || !ok || r.Phase != mail.PhaseIdle || r.Reply != test.reply || c.Usable() != test.usable {
				t.Fatalf("Idle = %v, %#v, usable %v", news, err, c.Usable())
			}
			if test.cause != "" && !strings.Contains(err.Error(), test.cause) {
				t.Errorf("Idle: %v, want %q", err, test.cause)
			}
			if test.usable {
				c.commandTimeout = 5 * time.Second
				c.setPatience(c.commandTimeout)
				if _, err := c.Noop(t.Context()); err != nil {
					t.Errorf("afterwards: %v", err)
				}
			}
		})
	}
}

func TestInterruptEndsIdle(t *testing.T) {
	for name, isEarly := range map[string]bool{"before it waits": true, "while it waits": false} {
		t.Run(name, func(t *testing.T) {
			idles := make(chan struct{})
			o := optionsFor(script(t, examined("IDLE")+"C: IDLE\nS: + ok\nC: DONE\nS: <tag> OK done\n"+noop))
			o.Transcript = func(_ byte, line string) {
				if line == "+ ok" {
					close(idles)
				}
			}
			c := open(t, o)
			if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
				t.Fatal(err)
			}
			done := make(chan struct{})
			if isEarly {
				close(done)
				c.Interrupt()
			} else {
				go func() { defer close(done); <-idles; c.Interrupt() }()
			}
			if news, err := c.Idle(t.Context(), time.Minute); news || err != nil {
				t.Errorf("Idle = %v, %v", news, err)
			}
			<-done
			if _, err := c.Noop(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestEndOfContextEndsIdle(t *testing.T) {
	c := inbox(t, "IDLE", "C: IDLE\nS: + ok\nhang")
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := c.Idle(ctx, time.Minute); !errors.Is(err, context.DeadlineExceeded) || c.Usable() {
		t.Errorf("Idle: %v, usable %v", err, c.Usable())
	}
}

func TestCloseFromElsewhereEndsWhatIsUnderWay(t *testing.T) {
	for range 100 {
		idles := make(chan struct{})
		o := optionsFor(script(t, examined("IDLE")+"C: IDLE\nS: + ok\nhang"))
		o.Transcript = func(_ byte, line string) {
			if line == "+ ok" {
				close(idles)
			}
		}
		c := open(t, o)
		if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
			t.Fatal(err)
		}
		closed := make(chan struct{})
		go func() { defer close(closed); <-idles; c.Close(); c.Close() }()
		if _, err := c.Idle(t.Context(), time.Minute); err == nil {
			t.Error("Idle survived Close")
		}
		<-closed
	}
}

func TestClose(t *testing.T) {
	for name, server := range map[string]string{
		"answered":            "C: LOGOUT\nS: * BYE so long\nS: PX OK done\nhang",
		"hung up":             "C: LOGOUT",
		"much to say":         "C: LOGOUT\nS: * " + strings.Repeat("x", 5000) + "\nS: PX OK done\nhang",
		"not one word spoken": "",
	} {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, "", server)
			begun := time.Now()
			if err := c.Close(); err != nil || c.Close() != nil {
				t.Errorf("Close: %v", err)
			}
			if took := time.Since(begun); took > time.Second {
				t.Errorf("it took %v", took)
			}
			if _, err := c.Noop(t.Context()); err == nil || c.Usable() {
				t.Error("the client went on")
			}
		})
	}
}
