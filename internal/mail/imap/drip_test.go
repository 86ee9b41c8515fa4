package imap

import (
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/mail"
)

// dripping runs a server that greets, and after the answer to the second command
// says one thing again and again, for as long as somebody listens.
func dripping(t *testing.T, first, again string, pause time.Duration) *net.TCPAddr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		play(t, conn, examined("")+first)
		for err == nil {
			_, err = io.WriteString(conn, again)
			time.Sleep(pause)
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().(*net.TCPAddr)
}

// No silence is ever long enough to be one; still each of these ends.
func TestServerThatDripsDoesNotHoldAMailboxForEver(t *testing.T) {
	tests := map[string]struct {
		first, again string
		wantReply    string
	}{
		"signs of life instead of an answer": {"", "* OK Still here\r\n", ""},
		"an answer of one endless line":      {"", "x", ""},
		"a farewell without end":             {"", "* BYE Autologout; idle for too long\r\n", "* BYE Autologout; idle for too long"},
		"signs of life after a farewell":     {"\tR: \"* BYE Temporary System Error\\r\\n\"", "* OK Still here\r\n", "* BYE Temporary System Error"},
		"a message byte by byte":             {`	R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 900 BODY[] {900}\r\n"`, "x", ""},
		"a message set aside, byte by byte":  {`	R: "* 1 FETCH (BODY[] {900}\r\n"`, "x", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := optionsFor(dripping(t, "\n\tC: UID FETCH 101 "+ask+"\n"+test.first, test.again, 5*time.Millisecond))
			o.CommandTimeout, o.LiteralTimeout = 60*time.Millisecond, 60*time.Millisecond
			c := open(t, o)
			if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			_, err := bodies(t, c, 101)
			r, ok := mail.RefusalOf(err)
			if !ok || r.Reply != test.wantReply || test.wantReply == "" && !strings.Contains(r.Error(), "timeout") || c.Usable() {
				t.Errorf("err = %v", err)
			}
			if took := time.Since(began); took > 4*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// A line that is slow, but fast enough, is as good as any other.
func TestSlowMessageArrives(t *testing.T) {
	o := optionsFor(dripping(t, `
	C: UID FETCH 101 `+ask+`
	R: "* 1 FETCH (UID 101 FLAGS () INTERNALDATE NIL RFC822.SIZE 5000 BODY[] {5000}\r\n"`, strings.Repeat("0123456789", 5), time.Millisecond))
	o.CommandTimeout, o.LiteralTimeout = 60*time.Millisecond, 60*time.Millisecond
	c := open(t, o)
	if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
		t.Fatal(err)
	}
	got := ""
	_ = c.Bodies(t.Context(), []uint32{101}, func(_ Fact, r io.Reader) error {
		raw, err := io.ReadAll(r)
		got = string(raw)
		return err
	}) // nothing sensible follows the message
	if got != strings.Repeat("0123456789", 500) {
		t.Errorf("%d bytes arrived", len(got))
	}
}
