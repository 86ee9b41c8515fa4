package imap

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom/internal/mail"
)

const ask = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])"

// noop ends a dialogue with proof that client and server still understand one another.
const noop = `
	C: NOOP
	S: <tag> OK done
	hang`

// bodies asks for messages and writes down what was taken.
func bodies(t *testing.T, c *Client, uids ...uint32) (got []string, err error) {
	t.Helper()
	err = c.Bodies(t.Context(), uids, func(f Fact, r io.Reader) error {
		raw, err := io.ReadAll(r)
		got = append(got, fmt.Sprintf("%d %d %v %s %q", f.UID, f.SizeBytes, f.Flags, date(f.InternalDate), raw))
		return err
	})
	return got, err
}

func date(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Format("2006-01-02T15:04:05")
}

func TestBodiesFromServersThatDeviate(t *testing.T) {
	const one = `101 5 [\Seen] 2024-01-01T09:00:00 "hello"`
	tests := map[string]struct {
		server string   // what it sends between command and OK
		want   []string // of messages 101 and 102
	}{
		"nothing unusual": {
			`S: * 1 FETCH (UID 101 FLAGS (\Seen) INTERNALDATE " 1-Jan-2024 10:00:00 +0100" RFC822.SIZE 5 BODY[] {5}
			R: "hello)\r\n"`, []string{one}},
		"two, and another order": {
			`R: "* 2 FETCH (BODY[] {3}\r\nabc RFC822.SIZE 3 UID 102 FLAGS () INTERNALDATE \"01-Jan-2024 09:00:00 +0000\")\r\n"
			S: * 1 FETCH (FLAGS (\Seen) UID 101 RFC822.SIZE 5 INTERNALDATE " 1-Jan-2024 10:00:00 +0100" BODY[] {5}
			R: "hello)\r\n"`,
			[]string{`102 3 [] 2024-01-01T09:00:00 "abc"`, one}},
		"the number comes last": {
			`R: "* 1 FETCH (FLAGS (\\Seen) INTERNALDATE \" 1-Jan-2024 10:00:00 +0100\" RFC822.SIZE 5 BODY[] {5}\r\nhello UID 101)\r\n"`,
			[]string{one}},
		"lower case and blanks everywhere": {
			`R: " *  1   fetch  ( uid 101  flags ( \\seen ) internaldate \" 1-Jan-2024 10:00:00 +0100\"  rfc822.size  5  body[]  {5} \r\nhello ) \r\n"`,
			[]string{one}},
		"line ends without CR": {
			`R: "* 1 FETCH (UID 101 FLAGS (\\Seen) INTERNALDATE \" 1-Jan-2024 10:00:00 +0100\" RFC822.SIZE 5 BODY[] {5}\nhello)\n"`,
			[]string{one}},
		"noise, empty lines and unknown responses": {
			`R: "\r\n\r\n* \r\n*\r\n* HELLO {3}\r\nabc (\"\r\n* OK Still here {7}\r\n* 99 NONSENSE (((\r\nrubbish\r\nP9999 OK of another command\r\n"
			S: + go ahead
			S: * FLAGS (\Seen $Forwarded)
			S: * OK [ALERT] disk nearly full
			R: "* 1 FETCH (UID 101 FLAGS (\\Seen) INTERNALDATE \" 1-Jan-2024 10:00:00 +0100\" RFC822.SIZE 5 BODY[] {5}\r\nhello)\r\n"`,
			[]string{one}},
		"unknown items, deep lists and literals in them": {
			`R: "* 1 FETCH (X-NEW {2}\r\n() ENVELOPE (NIL \"a)b\" ((\"x\" NIL {4}\r\n(\"\"( \"y\"))) UID 101 X (a (b (c {1}\r\n)))) FLAGS (\\Seen) MODSEQ (5) INTERNALDATE \" 1-Jan-2024 10:00:00 +0100\" RFC822.SIZE 5 BODY (\"TEXT\" \"PLAIN\") BODY[HEADER.FIELDS (From \"T)o\")] {3}\r\na]b BODY[] {5}\r\nhello)\r\n"`,
			[]string{one}},
		"a literal with a plus, and literal8": {
			`R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] {5+}\r\nhello)\r\n* 2 FETCH (UID 102 FLAGS () INTERNALDATE NIL RFC822.SIZE 3 BODY[] ~{3}\r\na\x00c)\r\n"`,
			[]string{`101 5 [] - "hello"`, `102 3 [] - "a\x00c"`}},
		"a body in quotes": {
			`R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 9 BODY[] \"say \\\"x\\\\\\\"\")\r\n"`,
			[]string{`101 9 [] - "say \"x\\\""`}},
		"empty bodies of messages that are empty": {
			`R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 0 BODY[] \"\")\r\n* 2 FETCH (UID 102 FLAGS () INTERNALDATE NIL RFC822.SIZE 0 BODY[] {0}\r\n)\r\n"`,
			[]string{`101 0 [] - ""`, `102 0 [] - ""`}},
		"no body for a message that is not empty": {
			`R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 9 BODY[] NIL)\r\n* 2 FETCH (UID 102 FLAGS () INTERNALDATE NIL RFC822.SIZE 9 BODY[] {0}\r\n)\r\n"`,
			nil},
		"a size that is wrong, and one that is none": {
			`R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 999999 BODY[] {5}\r\nhello)\r\n* 2 FETCH (UID 102 FLAGS () INTERNALDATE NIL RFC822.SIZE -1 BODY[] {3}\r\nabc)\r\n"`,
			[]string{`101 999999 [] - "hello"`, `102 0 [] - "abc"`}},
		"a size over 32 bits, a date of nonsense, a flag of a megabyte": {
			`R: "* 1 FETCH (UID 101 FLAGS (\\Seen ` + strings.Repeat("x", 300) + ` (a) \"q\" $Junk) INTERNALDATE \"32-Foo-20x4\" RFC822.SIZE 5000000000 BODY[] {5}\r\nhello)\r\n"`,
			[]string{`101 5000000000 [\Seen $Junk] - "hello"`}},
		"a list where a number is due, and the other way round": {
			`R: "* 1 FETCH (UID 101 FLAGS 7 INTERNALDATE (a b) RFC822.SIZE (5) BODY[] {5}\r\nhello)\r\n"`,
			[]string{`101 0 [] - "hello"`}},
		"items that are missing": {
			`R: "* 1 FETCH (UID 101 BODY[] {5}\r\nhello)\r\n"`,
			[]string{`101 0 [] - "hello"`}},
		"a value that is missing": {
			`R: "* 1 FETCH (UID 101 BODY[] {5}\r\nhello RFC822.SIZE)\r\n* 2 FETCH (UID 102 RFC822.SIZE 3 BODY[])\r\n"`,
			[]string{`101 0 [] - "hello"`}},
		"no parenthesis at either end": {
			`R: "* 1 FETCH UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] {5}\r\nhello\r\n* 2 FETCH (UID 102 BODY[] {3}\r\nabc)\r\n"`,
			[]string{`101 5 [] - "hello"`, `102 0 [] - "abc"`}},
		"the same message twice": {
			`R: "* 1 FETCH (UID 101 BODY[] {5}\r\nhello)\r\n* 1 FETCH (UID 101 BODY[] {5}\r\nworld)\r\n"`,
			[]string{`101 0 [] - "hello"`}},
		"two bodies in one response": {
			`R: "* 1 FETCH (UID 101 BODY[] {5}\r\nhello BODY[] {5}\r\nworld)\r\n"`,
			[]string{`101 0 [] - "hello"`}},
		"flags first, bytes in another response": {
			`R: "* 1 FETCH (UID 101 FLAGS (\\Seen))\r\n* 1 FETCH (UID 101 BODY[] {5}\r\nhello)\r\n"`,
			[]string{`101 0 [] - "hello"`}},
		"messages that nobody asked for": {
			`R: "* 9 FETCH (FLAGS (\\Seen))\r\n* 8 FETCH (UID 108 FLAGS () INTERNALDATE NIL RFC822.SIZE 2 BODY[] {2}\r\nno)\r\n* 1 FETCH (UID 101 BODY[] {5}\r\nhello)\r\n"`,
			[]string{`101 0 [] - "hello"`}},
		"bytes of a message without a number": {
			`R: "* 1 FETCH (BODY[] {5}\r\nhello)\r\n* 2 FETCH (UID 102 BODY[] {3}\r\nabc)\r\n"`,
			[]string{`102 0 [] - "abc"`}},
		"numbers over 32 bits": {
			`R: "* 18446744073709551616 FETCH (UID 4294967397 BODY[] {5}\r\nhello)\r\n* 2 FETCH (UID 99999999999999999999999 BODY[] {3}\r\nabc)\r\n"`,
			nil},
		"expunges and vanishings in the middle": {
			`R: "* 1 FETCH (UID 101 BODY[] {5}\r\nhello)\r\n* 1 EXPUNGE\r\n* VANISHED (EARLIER) 1:4294967295\r\n* VANISHED 103:104\r\n* 0 EXPUNGE\r\n* 1 EXISTS\r\n* 1 FETCH (UID 102 BODY[] {3}\r\nabc)\r\n"`,
			[]string{`101 0 [] - "hello"`, `102 0 [] - "abc"`}},
		"UIDFETCH though not agreed": {
			`R: "* 101 UIDFETCH (FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] {5}\r\nhello)\r\n"`,
			[]string{`101 5 [] - "hello"`}},
		"other names for the whole message": {
			`R: "* 1 FETCH (UID 101 RFC822 {5}\r\nhello)\r\n* 2 FETCH (UID 102 BODY[]<0> {3}\r\nabc)\r\n"`,
			[]string{`101 0 [] - "hello"`, `102 0 [] - "abc"`}},
		"more bytes than the literal announces": {
			`R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 9 BODY[] {5}\r\nhello\r\nand\r\n* more (\")\r\n* 2 FETCH (UID 102 BODY[] {3}\r\nabc)\r\n"`,
			[]string{`101 9 [] - "hello"`, `102 0 [] - "abc"`}},
		"8-bit rubbish": {
			`R: "\xff\xfe\x00\r\n* \xe4\xf6 \x80\r\n* 1 FETCH (\xff UID 101 X\xe4 \"\xff\" FLAGS (\xfc) BODY[] {5}\r\nh\xffll\x00)\r\n"`,
			[]string{`101 0 [` + "\xfc" + `] - "h\xffll\x00"`}},
		"an absurd literal that is only text": {
			`R: "* 1 FETCH (UID 101 X {99999999999999999999999}\r\n* 2 FETCH (UID 102 BODY[] {3}\r\nabc)\r\n"`,
			[]string{`102 0 [] - "abc"`}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, "", `
			C: UID FETCH 101:102 `+ask+`
			`+test.server+`
			S: <tag> OK done
			`+noop)
			got, err := bodies(t, c, 101, 102)
			if err != nil {
				t.Fatalf("Bodies: %v", err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("bodies (-want +got):\n%s", diff)
			}
			if _, err := c.Noop(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestVeryLongLinesCostThemselvesOnly(t *testing.T) {
	long := strings.Repeat("x", 3<<20)
	c := inbox(t, "", `
	C: UID FETCH 101:102 `+ask+`
	S: * `+long+`
	S: * OK `+long+`
	S: * 7 FETCH (UID 107 X "`+long+`" BODY[] {5}
	R: "never)\r\n"
	S: * 1 FETCH (UID 101 FLAGS (`+strings.Repeat("flag ", 50000)+`) BODY[] {5}
	R: "hello)\r\n"
	S: * 2 FETCH (UID 102 X {2000000}
	R: "`+long[:2000000]+` BODY[] {3}\r\nabc)\r\n"
	S: <tag> OK done
	`+noop)
	got := make(map[uint32]string)
	err := c.Bodies(t.Context(), []uint32{101, 102}, func(f Fact, r io.Reader) error {
		raw, err := io.ReadAll(r)
		got[f.UID] = string(raw)
		return err
	})
	if diff := cmp.Diff(map[uint32]string{101: "hello", 102: "abc"}, got); err != nil || diff != "" {
		t.Errorf("Bodies: %v (-want +got):\n%s", err, diff)
	}
	if _, err := c.Noop(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestBigMessageSetAside(t *testing.T) {
	raw := strings.Repeat("0123456789abcdef", 40000)
	c := inbox(t, "", `
	C: UID FETCH 101 `+ask+`
	R: "* 1 FETCH (BODY[] {640000}\r\n`+raw+` UID 101)\r\n"
	S: <tag> OK done
	`+noop)
	got, err := bodies(t, c, 101)
	if _, err := c.Noop(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if want := fmt.Sprintf("101 0 [] - %q", raw); err != nil || len(got) != 1 || got[0] != want {
		t.Errorf("Bodies = %d, %v", len(got), err)
	}
}

func TestRefusedFetchLeavesTheClientUsable(t *testing.T) {
	c := inbox(t, "", `
	C: UID FETCH 101:102 `+ask+`
	R: "* 1 FETCH (UID 101 BODY[] {5}\r\nhello)\r\n"
	S: <tag> NO [SERVERBUG] cannot read message
	`+noop)
	got, err := bodies(t, c, 101, 102)
	r, ok := mail.RefusalOf(err)
	if !ok || r.Reply != "NO [SERVERBUG] cannot read message" || r.Code != "SERVERBUG" || r.Phase != mail.PhaseFetch {
		t.Errorf("err = %#v", err)
	}
	if len(got) != 1 || !c.Usable() {
		t.Errorf("took %d, usable %v", len(got), c.Usable())
	}
	if _, err := c.Noop(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestLostConnections(t *testing.T) {
	tests := map[string]struct {
		server string
		took   int
		reply  string
		cause  error
	}{
		"a literal cut off": {
			`R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] {5}\r\nhel"`, 1, "", io.ErrUnexpectedEOF},
		"a literal cut off that was set aside": {
			`R: "* 1 FETCH (BODY[] {5}\r\nhel"`, 0, "", io.ErrUnexpectedEOF},
		"a BYE": {
			`S: * BYE [UNAVAILABLE] Session expired, please login again.`, 0, "* BYE [UNAVAILABLE] Session expired, please login again.", nil},
		"nothing but silence, hung up": {``, 0, "", io.ErrUnexpectedEOF},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, "", `
			C: UID FETCH 101:102 `+ask+`
			`+test.server)
			took := 0
			err := c.Bodies(t.Context(), []uint32{101, 102}, func(_ Fact, r io.Reader) error {
				took++
				_, err := io.Copy(io.Discard, r)
				return err
			})
			r, ok := mail.RefusalOf(err)
			if !ok || r.Reply != test.reply || !errors.Is(err, test.cause) && test.cause != nil {
				t.Errorf("err = %#v", err)
			}
			if took != test.took || c.Usable() {
				t.Errorf("took %d, usable %v", took, c.Usable())
			}
			if _, again := c.Noop(t.Context()); again == nil {
				t.Error("the client went on")
			}
		})
	}
}

func TestFarewellBetweenCommandsIsHeard(t *testing.T) {
	c := inbox(t, "", "S: * BYE [UNAVAILABLE] Server shutting down\nhang")
	_, err := c.Noop(t.Context())
	if r, ok := mail.RefusalOf(err); !ok || r.Reply != "* BYE [UNAVAILABLE] Server shutting down" || c.Usable() {
		t.Errorf("Noop: %v", err)
	}
}

func TestSilenceEndsWithTheTimeout(t *testing.T) {
	c := inbox(t, "", `
	C: UID FETCH 101 `+ask+`
	R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] {5}\r\nhel"
	hang`)
	c.literalTimeout = 50 * time.Millisecond
	begun := time.Now()
	_, err := bodies(t, c, 101)
	if r, ok := mail.RefusalOf(err); !ok || !strings.Contains(r.Error(), "i/o timeout") {
		t.Errorf("err = %v", err)
	}
	if took := time.Since(begun); took > 3*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestErrorOfTakeIsReturnedAndClosesTheConnection(t *testing.T) {
	c := inbox(t, "", `
	C: UID FETCH 101:102 `+ask+`
	R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] {5}\r\nhello)\r\n"
	hang`)
	full := errors.New("the disk is full")
	err := c.Bodies(t.Context(), []uint32{101, 102}, func(Fact, io.Reader) error { return full })
	if !errors.Is(err, full) || c.Usable() {
		t.Errorf("err = %v, usable %v", err, c.Usable())
	}
}

func TestWhatTakeLeavesUnreadIsDropped(t *testing.T) {
	c := inbox(t, "", `
	C: UID FETCH 101:102 `+ask+`
	R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] {5}\r\nhello)\r\n"
	R: "* 2 FETCH (UID 102 FLAGS () INTERNALDATE NIL RFC822.SIZE 5 BODY[] {5}\r\nworld)\r\n"
	S: <tag> OK done
	`+noop)
	var got bytes.Buffer
	var kept io.Reader
	err := c.Bodies(t.Context(), []uint32{101, 102}, func(_ Fact, r io.Reader) error {
		kept = r
		_, err := io.CopyN(&got, r, 2)
		return err
	})
	if err != nil || got.String() != "hewo" {
		t.Errorf("Bodies = %q, %v", got.String(), err)
	}
	if _, err := c.Noop(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if n, err := kept.Read(make([]byte, 9)); n != 0 || err != io.EOF {
		t.Errorf("a reader kept for later gives %d, %v", n, err)
	}
}
