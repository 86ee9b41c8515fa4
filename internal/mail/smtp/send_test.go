package smtp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom/internal/mail"
)

const letter = "Subject: hello\r\n\r\n.\r\n..dots\r\nbye\r\n"

var onTheWire = `"Subject: hello\r\n\r\n..\r\n...dots\r\nbye\r\n.\r\n"`

func send(t *testing.T, c *Client, to ...string) (Fate, error) {
	t.Helper()
	return c.Send(t.Context(), "anna@example.net", to, int64(len(letter)), strings.NewReader(letter))
}

func TestSentWithTheServersWords(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome("SIZE 1000", "8BITMIME", "SMTPUTF8")+`
	C: MAIL FROM:<anna@example.net> SIZE=34 BODY=8BITMIME
	S: 250 2.1.0 OK
	C: RCPT TO:<bob@example.com>
	S: 250 2.1.5 OK
	C: DATA
	S: 354 Go ahead
	M: `+onTheWire+`
	S: 250-2.0.0 OK, pässword, taken
	S: 250 2.0.0 as 1234 - gsmtp
	C: MAIL FROM:<anna@example.net> SIZE=34 BODY=8BITMIME SMTPUTF8
	S: 250 2.1.0 OK
	C: RCPT TO:<bücher@xn--bcher-kva.example>
	S: 250 2.1.5 OK
	C: DATA
	S: 354 Go ahead
	M: `+onTheWire+`
	S: 250 again
	C: QUIT
	S: 221 bye`)))
	fate, err := send(t, c, "bob@example.com")
	want := Fate{Outcome: Sent, Words: "250-2.0.0 OK, [hidden], taken 250 2.0.0 as 1234 - gsmtp"}
	if diff := cmp.Diff(want, fate); err != nil || diff != "" {
		t.Errorf("Send: %v, fate (-want +got):\n%s", err, diff)
	}
	if fate, err := send(t, c, "bücher@bücher.example"); err != nil || fate.Outcome != Sent {
		t.Errorf("a second message: %+v, %v", fate, err)
	}
}

// A relay may know its clients by where they come from, and offer no way to sign in.
func TestWhoHasNoNameDoesNotSignIn(t *testing.T) {
	o := optionsFor(script(t, `
	S: 220 relay.example.net
	A
	S: 250 relay.example.net
	C: MAIL FROM:<anna@example.net>
	S: 250 OK
	C: RCPT TO:<bob@example.com>
	S: 250 OK
	C: DATA
	S: 354 Go ahead
	M: `+onTheWire+`
	S: 250 taken
	C: QUIT
	S: 221 bye`))
	o.Login = mail.Login{}
	if fate, err := send(t, open(t, o), "bob@example.com"); err != nil || fate.Outcome != Sent {
		t.Errorf("Send: %+v, %v", fate, err)
	}
}

// Whatever happens at whatever point: before the last dot nothing is sent, behind
// it only the server's answer tells.
func TestFateAtEveryPoint(t *testing.T) {
	talk := []string{
		"C: MAIL FROM:<anna@example.net> SIZE=34", "S: 250 ok",
		"C: RCPT TO:<bob@example.com>", "S: 250 ok",
		"C: DATA", "S: 354 go on",
		"M: " + onTheWire, "S: 250 taken",
	}
	faults := map[string]struct {
		instead string
		atEnd   Outcome // of a fault in place of the last answer
		broken  bool
		what    string // it must say
	}{
		"hang up":            {"", Uncertain, true, "EOF"},
		"silence":            {"silence", Uncertain, true, "timeout"},
		"another protocol":   {"S: * OK hello\nsilence", Uncertain, true, "* OK hello"},
		"half a line":        {`R: "25"`, Uncertain, true, "EOF"},
		"a no that cuts off": {`R: "554-5.7.1 no\r\n"`, NotSent, true, "554-5.7.1 no"},
		"421":                {"S: 421 4.3.2 shutting down", NotSent, true, "421 4.3.2 shutting down"},
		"later":              {"S: 451 4.3.0 later\nA\nS: 250 reset\nsilence", NotSent, false, "451 4.3.0 later"},
		"no":                 {"S: 554 5.7.1 no\nA\nS: 250 reset\nsilence", NotSent, false, "554 5.7.1 no"},
	}
	for name, fault := range faults {
		for n, line := range talk {
			if !strings.HasPrefix(line, "S: ") {
				continue
			}
			atEnd := n == len(talk)-1
			t.Run(fmt.Sprintf("%s instead of answer %d", name, n/2+1), func(t *testing.T) {
				instead := fault.instead
				if atEnd {
					instead = strings.ReplaceAll(instead, "A\nS: 250 reset\n", "") // nothing is left to reset
				}
				dialogue := welcome("SIZE") + strings.Join(talk[:n], "\n") + "\n" + instead
				o := optionsFor(script(t, dialogue))
				o.CommandTimeout, o.AnswerTimeout = 200*time.Millisecond, 200*time.Millisecond
				c := open(t, o)
				fate, err := send(t, c, "bob@example.com")
				want := NotSent
				if atEnd {
					want = fault.atEnd
				}
				if fate.Outcome != want {
					t.Errorf("fate %s, want %s", fate.Outcome, want)
				}
				r := refusalOf(t, err)
				if !strings.Contains(r.Error(), fault.what) {
					t.Errorf("it says %q, want %q", r, fault.what)
				}
				if c.Usable() == fault.broken {
					t.Errorf("usable: %v, want %v", c.Usable(), !fault.broken)
				}
				if permanent := strings.HasPrefix(r.Reply, "5"); want == NotSent && fate.Temporary == permanent {
					t.Errorf("temporary: %v of %q", fate.Temporary, r)
				}
			})
		}
	}
}

// An answer that says yes in its first line, and breaks off behind, has said yes.
func TestAYesThatBreaksOffIsAYes(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome()+"A\nS: 250 ok\nA\nS: 250 ok\nA\nS: 354 go\nM: "+onTheWire+"\nS: 250-taken")))
	fate, err := send(t, c, "bob@example.com")
	if err != nil || fate.Outcome != Sent || c.Usable() {
		t.Errorf("fate %+v, %v, usable %v, want sent, and the connection gone", fate, err, c.Usable())
	}
}

// What the server says while it still receives explains why it hangs up.
func TestServerThatInterrupts(t *testing.T) {
	hungUp := make(chan struct{})
	addr := serve(t, func(conn net.Conn) {
		play(t, conn, welcome()+"A\nS: 250 ok\nA\nS: 250 ok\nA\nS: 354 go\nS: 552 5.3.4 message too big")
		io.CopyN(io.Discard, conn, 1000)
		conn.(*net.TCPConn).CloseWrite()
		<-hungUp
	})
	o := optionsFor(addr)
	o.DataTimeout = 300 * time.Millisecond
	c := open(t, o)
	fate, err := c.Send(t.Context(), "anna@example.net", []string{"bob@example.com"}, 0, endless{})
	close(hungUp)
	if fate.Outcome != NotSent || err == nil || c.Usable() {
		t.Errorf("fate %+v, %v", fate, err)
	}
}

// endless is a message that never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, strings.Repeat("x", 70)+"\r\n"), nil }

func TestRecipientsAreRefusedOneByOne(t *testing.T) {
	mailFrom := "C: MAIL FROM:<anna@example.net>\n"
	for name, pipelining := range map[string]bool{"one after the other": false, "all at once": true} {
		t.Run(name, func(t *testing.T) {
			dialogue := welcome() + mailFrom + "S: 250 ok\nC: RCPT TO:<bob@example.com>\nS: 550 5.1.1 who\nC: RCPT TO:<eve@example.com>\nS: 250 ok\n"
			if pipelining {
				dialogue = welcome("PIPELINING") + mailFrom + "C: RCPT TO:<bob@example.com>\nC: RCPT TO:<eve@example.com>\nS: 250 ok\nS: 550 5.1.1 who\nS: 250 ok\n"
			}
			c := open(t, optionsFor(script(t, dialogue+"C: DATA\nS: 354 go\nM: "+onTheWire+"\nS: 250 taken\nsilence")))
			fate, err := send(t, c, "bob@example.com", "eve@example.com")
			if err != nil || fate.Outcome != Sent || len(fate.Refused) != 1 ||
				fate.Refused[0].Address != "bob@example.com" || fate.Refused[0].Refusal.Reply != "550 5.1.1 who" || fate.Refused[0].Refusal.Phase != mail.PhaseRcptTo {
				t.Errorf("fate %+v, %v, want sent to one and refused for the other", fate, err)
			}
		})
	}
	t.Run("nobody is left, and one may be taken later", func(t *testing.T) {
		c := open(t, optionsFor(script(t, welcome("PIPELINING")+mailFrom+
			"C: RCPT TO:<bob@example.com>\nC: RCPT TO:<eve@example.com>\nS: 250 ok\nS: 550 5.1.1 who\nS: 450 4.2.1 later\nC: RSET\nS: 250 ok\nsilence")))
		fate, err := send(t, c, "bob@example.com", "eve@example.com")
		if r := refusalOf(t, err); fate.Outcome != NotSent || !fate.Temporary || len(fate.Refused) != 2 || r.Reply != "450 4.2.1 later" || !c.Usable() {
			t.Errorf("fate %+v, %v", fate, err)
		}
	})
	t.Run("the sender is refused, and all that hangs on it", func(t *testing.T) {
		c := open(t, optionsFor(script(t, welcome("PIPELINING")+mailFrom+
			"C: RCPT TO:<bob@example.com>\nS: 550 5.7.60 not as this sender\nS: 503 5.5.1 MAIL first\nC: RSET\nS: 250 ok\nsilence")))
		fate, err := send(t, c, "bob@example.com")
		if r := refusalOf(t, err); fate.Outcome != NotSent || fate.Temporary || len(fate.Refused) != 0 || r.Code != "5.7.60" || r.Phase != mail.PhaseMailFrom {
			t.Errorf("fate %+v, %v", fate, err)
		}
	})
	t.Run("more than go at once", func(t *testing.T) {
		var many []string
		addr := serve(t, func(conn net.Conn) {
			play(t, conn, welcome("PIPELINING")+strings.Repeat("A\nS: 250 ok\n", 121)+"C: DATA\nS: 354 go\nM: "+onTheWire+"\nS: 250 taken\nsilence")
		})
		for n := range 120 {
			many = append(many, fmt.Sprintf("u%d@example.com", n))
		}
		c := open(t, optionsFor(addr))
		if fate, err := send(t, c, many...); err != nil || fate.Outcome != Sent || len(fate.Refused) != 0 {
			t.Errorf("fate %+v, %v", fate, err)
		}
	})
}

func TestWhatCannotBeSentIsNotTried(t *testing.T) {
	tests := map[string]struct {
		from, to string
		size     int64
		want     string
	}{
		"too big":                        {"anna@example.net", "bob@example.com", 1001, "too big"},
		"letters the server cannot take": {"anna@example.net", "bücher@example.com", 1, "SMTPUTF8 is required"},
		"nobody":                         {"anna@example.net", "", 1, "without an address"},
		"half an address":                {"anna@example.net", "bob", 1, "not a whole mail address"},
		"a command in an address":        {"anna@example.net", "bob@example.com>\r\nDATA", 1, "cannot be"},
		"an end of an address":           {"anna@example.net", "bob>@example.com", 1, "cannot be"},
		"a quote without its end":        {"anna@example.net", `"bob"x"@example.com`, 1, "cannot be"},
		"a sender with a line end":       {"anna\n@example.net", "bob@example.com", 1, "cannot be"},
		"a parameter in a sender":        {"anna@example.net SIZE=1", "bob@example.com", 1, "cannot be"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := open(t, optionsFor(script(t, welcome("SIZE 1000")+"C: QUIT\nS: 221 bye")))
			fate, err := c.Send(t.Context(), test.from, []string{test.to}, test.size, strings.NewReader("x"))
			if r := refusalOf(t, err); fate.Outcome != NotSent || fate.Temporary || !strings.Contains(r.Error(), test.want) || !c.Usable() {
				t.Errorf("fate %+v, %v, want not sent: %s", fate, err, test.want)
			}
		})
	}
	c := open(t, optionsFor(script(t, welcome()+"C: QUIT\nS: 221 bye")))
	if _, err := c.Send(t.Context(), "anna@example.net", nil, 0, strings.NewReader("x")); err == nil {
		t.Error("a message to nobody was sent")
	}
}

func TestMessageThatCannotBeReadIsTakenBack(t *testing.T) {
	torn := errors.New("torn")
	for name, body := range map[string]io.Reader{
		"torn":    io.MultiReader(strings.NewReader(letter), iotest.ErrReader(torn)),
		"nothing": stuck{},
	} {
		t.Run(name, func(t *testing.T) {
			heard := make(chan string, 1)
			addr := serve(t, func(conn net.Conn) {
				play(t, conn, welcome()+"A\nS: 250 ok\nA\nS: 250 ok\nA\nS: 354 go")
				rest, _ := io.ReadAll(conn)
				heard <- string(rest)
			})
			c := open(t, optionsFor(addr))
			fate, err := c.Send(t.Context(), "anna@example.net", []string{"bob@example.com"}, 0, body)
			if fate.Outcome != NotSent || err == nil || c.Usable() {
				t.Errorf("fate %+v, %v", fate, err)
			}
			if rest := <-heard; strings.Contains(rest, "\r\n.\r\n") {
				t.Errorf("the server has a whole message: %q", rest)
			}
		})
	}
}

// stuck gives nothing, again and again.
type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestEndOfContextWhileTheServerThinks(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	o := optionsFor(script(t, welcome()+"A\nS: 250 ok\nA\nS: 250 ok\nA\nS: 354 go\nM: "+onTheWire+"\nsilence"))
	o.AnswerTimeout = time.Minute
	o.Transcript = func(dir byte, line string) {
		if dir == 'C' && line == "." {
			cancel()
		}
	}
	c := open(t, o)
	fate, err := c.Send(ctx, "anna@example.net", []string{"bob@example.com"}, 0, strings.NewReader(letter))
	// The dot may or may not have gone out; that it was not sent can never be said.
	if r := refusalOf(t, err); fate.Outcome != Uncertain || !errors.Is(r, context.Canceled) {
		t.Errorf("fate %+v, %v, want uncertain", fate, err)
	}
}

func TestAskSendsNothing(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome("SIZE 1000")+`
	C: MAIL FROM:<anna@example.net>
	S: 250 ok
	C: RCPT TO:<anna@example.net>
	S: 250 ok
	C: RSET
	S: 250 ok
	C: MAIL FROM:<anna@example.net>
	S: 550 5.7.60 no
	C: RSET
	S: 250 ok
	C: QUIT
	S: 221 bye`)))
	if err := c.Ask(t.Context(), "anna@example.net", "anna@example.net"); err != nil {
		t.Errorf("Ask: %v", err)
	}
	err := c.Ask(t.Context(), "anna@example.net", "anna@example.net")
	if r := refusalOf(t, err); r.Code != "5.7.60" {
		t.Errorf("Ask: %v", err)
	}
}

func TestClosedClientSendsNothing(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome()+"C: QUIT\nS: 221 bye")))
	c.Close()
	c.Close()
	if fate, err := send(t, c, "bob@example.com"); fate.Outcome != NotSent || !fate.Temporary || !errors.Is(err, net.ErrClosed) {
		t.Errorf("fate %+v, %v", fate, err)
	}
}

func TestLinesOnTheWire(t *testing.T) {
	for text, want := range map[string]string{
		"":                  ".\r\n",
		"a":                 "a\r\n.\r\n",
		"a\r\n":             "a\r\n.\r\n",
		"a\nb\n":            "a\r\nb\r\n.\r\n",
		"a\rb\r":            "a\r\nb\r\n.\r\n",
		"a\r\r\nb":          "a\r\n\r\nb\r\n.\r\n",
		".":                 "..\r\n.\r\n",
		"a\n.\nb":           "a\r\n..\r\nb\r\n.\r\n",
		"a\r.\rb":           "a\r\n..\r\nb\r\n.\r\n",
		"a\r\n.\r\nMAIL x":  "a\r\n..\r\nMAIL x\r\n.\r\n",
		"a\n.\r\nRCPT":      "a\r\n..\r\nRCPT\r\n.\r\n",
		"..\r\n...x":        "...\r\n....x\r\n.\r\n",
		"\n\n":              "\r\n\r\n.\r\n",
		"a.b\r\nü\x00\xff.": "a.b\r\nü\x00\xff.\r\n.\r\n",
	} {
		for size := 1; size <= len(text)+1; size++ {
			var w lineWriter
			var out []byte
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				out, rest = w.write(out, []byte(rest[:n])), rest[n:]
			}
			if out = append(w.end(out), ".\r\n"...); string(out) != want {
				t.Errorf("%q in parts of %d bytes goes out as %q, want %q", text, size, out, want)
			}
		}
	}
}

// However a message is made, it ends where its end is and nowhere before.
func FuzzLinesOnTheWire(f *testing.F) {
	f.Add([]byte("a\r\n.\r\nb"), 1)
	f.Add([]byte("\r.\n.\r.\n\n.."), 2)
	f.Fuzz(func(t *testing.T, text []byte, at int) {
		at = max(0, min(at, len(text)))
		var w lineWriter
		out := w.write(nil, text[:at])
		out = append(w.end(w.write(out, text[at:])), ".\r\n"...)
		if n := bytes.Index(append([]byte("\r\n"), out...), []byte("\r\n.\r\n")); n != len(out)-3 {
			t.Fatalf("%q goes out as %q, which ends at %d", text, out, n)
		}
		bare := strings.NewReplacer("\r\n", "").Replace(string(out))
		if strings.ContainsAny(bare, "\r\n") {
			t.Fatalf("%q goes out as %q, with a bare line end", text, out)
		}
	})
}

// Whatever a server says, nothing panics or hangs, and only a yes is a yes.
func FuzzReplies(f *testing.F) {
	for _, seed := range []string{
		"250 ok\r\n250 ok\r\n354 go\r\n250 2.0.0 taken\r\n", "250-a\n250 b\r\n550-5.1.1 x\r\n550 y\r\n", "421 4.0.0 bye\r\n", "\r\n\r\n250\r\n354\r\n999 x\r\n25",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		c := newClient(canned{bytes.NewReader(words)}, Options{})
		fate, err := c.Send(t.Context(), "a@example.net", []string{"b@example.net"}, 0, strings.NewReader(letter))
		if (fate.Outcome == Sent) != (err == nil) {
			t.Fatalf("fate %+v with %v", fate, err)
		}
		if fate.Outcome == Sent && !strings.HasPrefix(fate.Words, "2") {
			t.Fatalf("sent, by %q", fate.Words)
		}
	})
}

// canned is a connection from which the server's words come, and into which
// everything may be said.
type canned struct{ io.Reader }

func (canned) Write(p []byte) (int, error)      { return len(p), nil }
func (canned) Close() error                     { return nil }
func (canned) LocalAddr() net.Addr              { return nil }
func (canned) RemoteAddr() net.Addr             { return nil }
func (canned) SetDeadline(time.Time) error      { return nil }
func (canned) SetReadDeadline(time.Time) error  { return nil }
func (canned) SetWriteDeadline(time.Time) error { return nil }
