package pop3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/postroom/postroom/internal/mail"
)

// retrieve returns the bytes of a message.
func retrieve(t testing.TB, c *Client, n int) (string, error) {
	t.Helper()
	var got []byte
	err := c.Retrieve(t.Context(), n, func(r io.Reader) (err error) {
		got, err = io.ReadAll(r)
		return err
	})
	return string(got), err
}

func TestMessagesAsTheyCome(t *testing.T) {
	for name, test := range map[string]struct{ sent, want string }{
		"as it should be":                       {"+OK 120 octets\r\nSubject: a\r\n\r\nhello\r\n.\r\n", "Subject: a\r\n\r\nhello\r\n"},
		"empty":                                 {"+OK\r\n.\r\n", ""},
		"an empty line":                         {"+OK\r\n\r\n.\r\n", "\r\n"},
		"dots":                                  {"+OK\r\n..\r\n...\r\n..x\r\nx.\r\n....\r\n.\r\n", ".\r\n..\r\n.x\r\nx.\r\n...\r\n"},
		"a dot that nobody doubled":             {"+OK\r\n.x\r\n. \r\n.\r\r\n.\rx\r\n.\r\n", ".x\r\n. \r\n.\r\r\n.\rx\r\n"},
		"LF only":                               {"+OK\nSubject: a\n\n..hello\n.\n", "Subject: a\n\n.hello\n"},
		"LF only in the message":                {"+OK\r\na\n..b\n.\r\n", "a\n.b\n"},
		"LF only in the message and at its end": {"+OK\r\na\n..b\n.\n", "a\n.b\n"},
		"LF and CRLF":                           {"+OK\r\na\r\nb\n.\nc\n.d\r\n.\r\n", "a\r\nb\n.\nc\n.d\r\n"},
		"CRLF in the message of a server with LF": {"+OK\na\r\n.\n", "a\r\n"},
		"carriage returns alone":                  {"+OK\r\na\rb\r\r\n\r.\r\n\r\r.\r\n.\r\n", "a\rb\r\r\n\r.\r\n\r\r.\r\n"},
		"8-bit and NUL":                           {"+OK\r\n\xff\x00\xfe\r\n.\r\n", "\xff\x00\xfe\r\n"},
		"the size is wrong, too small":            {"+OK 3 octets\r\nhello\r\n.\r\n", "hello\r\n"},
		"the size is wrong, too great":            {"+OK 99999999999 octets\r\nhello\r\n.\r\n", "hello\r\n"},
		"an empty line in front":                  {"\r\n+OK\r\nhello\r\n.\r\n", "hello\r\n"},
		"an empty line behind":                    {"+OK\r\nhello\r\n.\r\n\r\n", "hello\r\n"},
		"a line longer than the buffer":           {"+OK\r\n" + strings.Repeat("x", 3*bufferBytes) + "\r\n.\r\n", strings.Repeat("x", 3*bufferBytes) + "\r\n"},
		"a dot at the end of the buffer": {"+OK\r\n" + strings.Repeat("x", bufferBytes-8) + "\r\n..\r\n.\r\n",
			strings.Repeat("x", bufferBytes-8) + "\r\n.\r\n"},
	} {
		for way, read := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader, "by halves": iotest.HalfReader,
		} {
			for packets, server := range map[string]func(net.Conn) net.Conn{
				"": func(c net.Conn) net.Conn { return c }, ", a byte a packet": func(c net.Conn) net.Conn { return slow{c} },
			} {
				t.Run(name+", "+way+packets, func(t *testing.T) {
					o := Options{LiteralTimeout: 5 * time.Second, CommandTimeout: 5 * time.Second}
					c := newClient(server(canned{strings.NewReader(test.sent)}), o)
					var got []byte
					err := c.Retrieve(t.Context(), 1, func(r io.Reader) (err error) {
						got, err = io.ReadAll(read(r))
						return err
					})
					if err != nil || string(got) != test.want || !c.Usable() {
						t.Errorf("got %.80q, %v, want %.80q", got, err, test.want)
					}
				})
			}
		}
	}
}

// slow is a connection that gives one byte at a time.
type slow struct{ net.Conn }

func (s slow) Read(p []byte) (int, error) { return s.Conn.Read(p[:1]) }

func TestMessagesThatDoNotCome(t *testing.T) {
	tests := map[string]struct {
		server   string
		want     string // part of the error
		isUsable bool
	}{
		"refused":                 {"S: -ERR no such message", "-ERR no such message", true},
		"cut in the middle":       {"R: \"+OK\\r\\nhel\"\ncut", "unexpected EOF", false},
		"cut between lines":       {"R: \"+OK\\r\\nhello\\r\\n\"\ncut", "unexpected EOF", false},
		"cut behind the dot":      {"R: \"+OK\\r\\nhello\\r\\n.\"\ncut", "unexpected EOF", false},
		"cut within the last end": {"R: \"+OK\\r\\nhello\\r\\n.\\r\"\ncut", "unexpected EOF", false},
		"cut before anything":     {"cut", "unexpected EOF", false},
		"silence":                 {"R: \"+OK\\r\\nhello\\r\\n\"\nhang", "i/o timeout", false},
		"no answer at all":        {"hang", "i/o timeout", false},
		"a dot that was not the end": {
			"R: \"+OK\\r\\nhello\\r\\n.\\r\\nmore\\r\\n.\\r\\n\"\nhang", "more than it was asked", false},
		"another dialogue": {"S: hello\nhang", "not an answer", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(script(t, welcome()+"C: RETR 7\n"+test.server+"\nC: NOOP\nS: +OK hang up is fine\nhang"))
			o.CommandTimeout, o.LiteralTimeout = 300*time.Millisecond, 300*time.Millisecond
			c := open(t, o)
			var inside error
			taken := false
			err := c.Retrieve(t.Context(), 7, func(r io.Reader) error {
				taken = true
				_, inside = io.Copy(io.Discard, r)
				return nil // what the reader said counts all the same
			})
			r := refusalOf(t, err)
			if !strings.Contains(err.Error(), test.want) || r.Phase != mail.PhaseFetch {
				t.Errorf("Retrieve: %v, want %q", err, test.want)
			}
			if taken && !errors.Is(inside, err) {
				t.Errorf("the reader said %v, Retrieve %v", inside, err)
			}
			if err := c.Noop(t.Context()); (err == nil) != test.isUsable {
				t.Errorf("Noop: %v", err)
			}
		})
	}
}

func TestWhatIsLeftUnread(t *testing.T) {
	errStop := errors.New("stop")
	for name, test := range map[string]struct {
		size     int
		err      error
		isUsable bool
	}{
		"a little":                {1000, nil, true},
		"a little, with an error": {1000, errStop, true},
		"much":                    {maxUnread + 1000, nil, false},
		"much, with an error":     {maxUnread + 1000, errStop, false},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, func(conn net.Conn) {
				play(t, conn, welcome()+"C: RETR 1\nS: +OK")
				io.WriteString(conn, strings.Repeat("x", test.size)+"\r\n.\r\n")
				if test.isUsable {
					play(t, conn, "C: NOOP\nS: +OK\nhang")
				}
			})
			c := open(t, optionsFor(addr))
			var kept io.Reader
			err := c.Retrieve(t.Context(), 1, func(r io.Reader) error { kept = r; return test.err })
			if !errors.Is(err, test.err) || c.Usable() != test.isUsable {
				t.Errorf("Retrieve: %v, usable %v", err, c.Usable())
			}
			if err := c.Noop(t.Context()); (err == nil) != test.isUsable {
				t.Errorf("Noop: %v", err)
			}
			if n, err := kept.Read(make([]byte, 10)); n > 0 || err == nil {
				t.Errorf("the reader works on: %d, %v", n, err)
			}
		})
	}
}

// What went wrong on this side is not the server's failure, though its connection
// ends meanwhile.
func TestRetrieveSaysWhatWentWrongFirst(t *testing.T) {
	errStop := errors.New("the disk is full")
	c := open(t, optionsFor(script(t, welcome()+"C: RETR 1\nR: \"+OK\\r\\nhello\\r\\n\"\ncut")))
	err := c.Retrieve(t.Context(), 1, func(io.Reader) error { return errStop })
	if !errors.Is(err, errStop) {
		t.Errorf("Retrieve: %v, want what take said", err)
	}
	if c.Usable() {
		t.Error("the connection is gone, and said to be usable")
	}
}

func TestTop(t *testing.T) {
	for name, test := range map[string]struct{ sent, want string }{
		"the header only":           {"a: b\r\n\r\n.\r\n", "a: b\r\n\r\n"},
		"without its empty line":    {"a: b\r\n.\r\n", "a: b\r\n"},
		"nothing":                   {".\r\n", ""},
		"the body too":              {"a: b\r\n\r\nbody\r\n\r\n.\r\n", "a: b\r\n\r\n"},
		"the body too, LF only":     {"a: b\n\nbody\n\n.\n", "a: b\n\n"},
		"a header that is too long": {strings.Repeat("x: y\r\n", 20_000) + "\r\nbody\r\n.\r\n", strings.Repeat("x: y\r\n", 20_000)[:maxHeaderBytes]},
		"a body of 2 MB":            {"a: b\r\n\r\n" + strings.Repeat("x", 2<<20) + "\r\n.\r\n", "a: b\r\n\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			addr := serve(t, func(conn net.Conn) {
				play(t, conn, welcome()+"C: TOP 3 0\nS: +OK")
				io.WriteString(conn, test.sent)
				play(t, conn, "C: TOP 4 0\nS: -ERR no such message\nhang")
			})
			c := open(t, optionsFor(addr))
			if got, err := c.Top(t.Context(), 3); err != nil || string(got) != test.want {
				t.Errorf("Top = %.80q (%d bytes), %v, want %d bytes", got, len(got), err, len(test.want))
			}
			_, err := c.Top(t.Context(), 4)
			if r := refusalOf(t, err); r.Reply != "-ERR no such message" || !c.Usable() {
				t.Errorf("Top: %v", err)
			}
		})
	}
	without := open(t, optionsFor(script(t, strings.ReplaceAll(welcome(), "S: TOP\n", "")+"hang")))
	if _, err := without.Top(t.Context(), 1); !errors.Is(err, ErrNoTOP) || !without.Usable() {
		t.Errorf("Top: %v", err)
	}
}

func TestEndOfContextEndsAMessage(t *testing.T) {
	c := maildrop(t, "C: RETR 1\nR: \"+OK\\r\\nhel\"\nhang")
	ctx, cancel := context.WithCancelCause(t.Context())
	errEnough := errors.New("enough")
	err := c.Retrieve(ctx, 1, func(r io.Reader) error {
		io.ReadFull(r, make([]byte, 3))
		cancel(errEnough)
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if !errors.Is(err, errEnough) || c.Usable() {
		t.Errorf("Retrieve: %v", err)
	}
}

func TestOneUserAtATime(t *testing.T) {
	c := maildrop(t, "C: RETR 1\nR: \"+OK\\r\\nhello\\r\\n.\\r\\n\"\nhang")
	err := c.Retrieve(t.Context(), 1, func(r io.Reader) error {
		if err := c.Noop(t.Context()); !errors.Is(err, errInUse) {
			t.Errorf("Noop: %v", err)
		}
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if err != nil {
		t.Errorf("Retrieve: %v", err)
	}
	if c.in.buf != nil {
		t.Error("a buffer is kept between commands")
	}
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

func TestMemoryDoesNotGrowWithTheMessage(t *testing.T) {
	const size = 50 << 20
	message := io.MultiReader(strings.NewReader("+OK\r\n"), io.LimitReader(lines{}, size), strings.NewReader(".\r\n"))
	c := newClient(canned{message}, Options{})
	var total int64
	allocated := testing.AllocsPerRun(1, func() {
		c.Retrieve(t.Context(), 1, func(r io.Reader) (err error) {
			n, err := io.Copy(io.Discard, r)
			total += n
			return err
		})
	})
	if total != size || allocated > 200 {
		t.Errorf("%d bytes with %v allocations", total, allocated)
	}
}

// lines are lines of 64 bytes without end.
type lines struct{}

func (lines) Read(p []byte) (int, error) {
	row := append(bytes.Repeat([]byte("x"), 62), '\r', '\n')
	n := 0
	for n+len(row) <= len(p) {
		n += copy(p[n:], row)
	}
	return n, nil
}
