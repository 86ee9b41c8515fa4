package pop3

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

// lettersOf are messages of every size up to some thousand bytes, with lines that
// consist of dots, and at last one with what no message should hold.
func lettersOf(count int) [][]byte {
	letters := make([][]byte, 0, count)
	for i := range count - 1 {
		letters = append(letters, fmt.Appendf(nil, "From: a@example.com\r\nSubject: letter %d\r\n\r\n.\r\n..\r\n%s\r\n", i, strings.Repeat("x", i*100)))
	}
	return append(letters, []byte("From: a@example.com\r\nSubject: odd\r\n\r\n8-bit \xff,\r\n\r\n.dots\r\n"))
}

// seeAll compares everything that the client sees with what was delivered,
// whatever the order.
func seeAll(t *testing.T, c *Client, want [][]byte) {
	t.Helper()
	messages, hasUIDL, err := c.List(t.Context())
	if err != nil || !hasUIDL || len(messages) != len(want) {
		t.Fatalf("List = %d, %v, %v, want %d", len(messages), hasUIDL, err, len(want))
	}
	rest := make(map[string]bool)
	for _, letter := range want {
		rest[string(letter)] = true
	}
	names := make(map[string]bool)
	for i, m := range messages {
		if m.Number != i+1 || m.UIDL == "" || names[m.UIDL] {
			t.Errorf("message %d is %+v", i, m)
		}
		names[m.UIDL] = true
		got, err := retrieve(t, c, m.Number)
		if err != nil || !rest[got] {
			t.Fatalf("message %d is %.100q, %v", i, got, err)
		}
		delete(rest, got)
		if i%20 == 0 {
			header, _, _ := bytes.Cut([]byte(got), []byte("\r\n\r\n"))
			if top, err := c.Top(t.Context(), m.Number); err != nil || !bytes.Equal(top, append(header, "\r\n\r\n"...)) {
				t.Errorf("Top(%d) = %q, %v", m.Number, top, err)
			}
		}
	}
	err = c.Retrieve(t.Context(), len(want)+1, func(io.Reader) error { t.Error("a message that is not there"); return nil })
	if r := refusalOf(t, err); !strings.HasPrefix(r.Reply, "-ERR") || !c.Usable() {
		t.Errorf("Retrieve: %v", err)
	}
}

// deleteByQuit marks messages, and sees in the next session that only Quit has
// removed them, and left the names of the others.
func deleteByQuit(t *testing.T, o Options, letters [][]byte) {
	t.Helper()
	list := func(c *Client) []string {
		messages, _, err := c.List(t.Context())
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		var names []string
		for _, m := range messages {
			names = append(names, m.UIDL)
		}
		return names
	}
	first := open(t, o)
	all := list(first)
	first.Close()
	for _, end := range []func(*Client){
		func(c *Client) { c.Close() },
		func(c *Client) { c.in.conn.Close() }, // the connection breaks
		func(c *Client) {
			if err := c.Quit(t.Context()); err != nil {
				t.Errorf("Quit: %v", err)
			}
		},
	} {
		c := open(t, o)
		if now := list(c); !slices.Equal(now, all) {
			t.Errorf("%d messages before Quit, want %d", len(now), len(all))
		}
		for _, n := range []int{1, 3, len(letters)} {
			if err := c.Delete(t.Context(), n); err != nil {
				t.Errorf("Delete(%d): %v", n, err)
			}
		}
		end(c)
	}
	want := slices.Concat(all[1:2], all[3:len(all)-1])
	if now := list(open(t, o)); !slices.Equal(now, want) {
		t.Errorf("after Quit: %q, want %q", now, want)
	}
}
