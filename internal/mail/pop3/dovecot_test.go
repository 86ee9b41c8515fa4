package pop3

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/testbed"
)

const (
	anna     = "anna@example.net"
	password = ` ä "b\c d`
)

func dovecotOptions(d *testbed.DovecotServer, policy postroom.TLSPolicy, mechanism string) Options {
	o := Options{
		Endpoint: mail.Endpoint{Host: d.Host, Port: d.POP3Port, TLS: policy, CACertificate: d.CAPEM},
		Login:    mail.Login{Username: anna, Secret: postroom.Hide(password), Mechanism: mechanism},
	}
	if policy == postroom.TLSImplicit {
		o.Endpoint.Port = d.POP3SPort
	}
	return o
}

func TestDovecot(t *testing.T) {
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{anna: password}})
	letters := make([][]byte, 0, 2000)
	for i := range 1998 {
		letters = append(letters, fmt.Appendf(nil, "From: a@example.com\r\nSubject: letter %d\r\n\r\n.\r\n..\r\n%s\r\n", i, strings.Repeat("x", i*3)))
	}
	letters = append(letters, []byte("Subject: odd\r\n\r\n8-bit \xff, a lone \r and\r\n.dots\r\n"), []byte("\r\n"))
	d.Deliver(anna, "INBOX", letters...)

	for name, o := range map[string]Options{
		"in clear, SCRAM by choice": dovecotOptions(d, postroom.TLSNone, ""),
		"STLS, PLAIN by choice":     dovecotOptions(d, postroom.TLSStart, ""),
		"TLS, USER and PASS":        dovecotOptions(d, postroom.TLSImplicit, mail.LoginSASL),
	} {
		t.Run(name, func(t *testing.T) { readAll(t, open(t, o), d) })
	}
	t.Run("a wrong password", func(t *testing.T) {
		o := dovecotOptions(d, postroom.TLSImplicit, "")
		o.Secret = postroom.Hide("wrong")
		if r := refusalOfOpen(t, o); r.Phase != mail.PhaseAuth || r.Code != "AUTH" || r.Err != nil {
			t.Errorf("refusal = %+v", r)
		}
	})
	t.Run("deleting", func(t *testing.T) { deleteSome(t, d) })
}

// readAll compares everything that the client sees with what lies on the disk.
func readAll(t *testing.T, c *Client, d *testbed.DovecotServer) {
	t.Helper()
	want := d.Messages(anna, "INBOX")
	messages, hasUIDL, err := c.List(t.Context())
	if err != nil || !hasUIDL || len(messages) != len(want) {
		t.Fatalf("List = %d, %v, %v, want %d", len(messages), hasUIDL, err, len(want))
	}
	names := make(map[string]bool)
	for i, m := range messages {
		if m.Number != i+1 || m.UIDL == "" || names[m.UIDL] || m.SizeBytes != int64(len(want[i])) {
			t.Errorf("message %d is %+v, of %d bytes", i, m, len(want[i]))
		}
		names[m.UIDL] = true
		got, err := retrieve(t, c, m.Number)
		if err != nil || got != string(want[i]) {
			t.Fatalf("message %d is %.100q, %v, want %.100q", i, got, err, want[i])
		}
	}
	for _, i := range []int{0, 1000, len(want) - 2} {
		header, _, _ := bytes.Cut(want[i], []byte("\r\n\r\n"))
		if got, err := c.Top(t.Context(), i+1); err != nil || !bytes.Equal(got, append(header, "\r\n\r\n"...)) {
			t.Errorf("Top(%d) = %q, %v", i+1, got, err)
		}
	}
	err = c.Retrieve(t.Context(), len(want)+1, func(io.Reader) error { t.Error("a message that is not there"); return nil })
	if r := refusalOf(t, err); !strings.HasPrefix(r.Reply, "-ERR") || !c.Usable() {
		t.Errorf("Retrieve: %v", err)
	}
}

// deleteSome marks messages, and sees that only Quit removes them.
func deleteSome(t *testing.T, d *testbed.DovecotServer) {
	t.Helper()
	o := dovecotOptions(d, postroom.TLSImplicit, "")
	before := len(d.Messages(anna, "INBOX"))
	for _, end := range []func(*Client){
		func(c *Client) { c.Close() },
		func(c *Client) { c.in.conn.Close() }, // the connection breaks
		func(c *Client) {
			if err := c.Quit(t.Context()); err != nil {
				t.Errorf("Quit: %v", err)
			}
		},
	} {
		if now := len(d.Messages(anna, "INBOX")); now != before {
			t.Errorf("%d messages before Quit, want %d", now, before)
		}
		c := open(t, o)
		for _, n := range []int{1, 3, 2000} {
			if err := c.Delete(t.Context(), n); err != nil {
				t.Errorf("Delete(%d): %v", n, err)
			}
		}
		end(c)
	}
	if now := len(d.Messages(anna, "INBOX")); now != before-3 {
		t.Errorf("%d messages after Quit, want %d", now, before-3)
	}
	messages, _, err := open(t, o).List(t.Context())
	if err != nil || len(messages) != before-3 {
		t.Errorf("List = %d, %v", len(messages), err)
	}
}
