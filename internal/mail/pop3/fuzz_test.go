package pop3

import (
	"bytes"
	"context"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/postroom/postroom/internal/mail"
)

// Whatever a server says, nothing panics or hangs, lists are sorted and clean, and
// what goes wrong is a refusal.
func FuzzResponses(f *testing.F) {
	for _, seed := range []string{
		"+OK\r\n1 120\r\n2 200\r\n.\r\n+OK\r\n1 a\r\n2 b\r\n.\r\n+OK bye\r\n",
		"+OK\n3 -1\n1 99999999999\n\n.\n-ERR [SYS/TEMP] x\n",
		"+OK\r\nSubject: x\r\n\r\n..\r\nhello\r\n.\r\n",
		"+OK\r\n.\r\n+OK\r\n.\r\n+OK 0 0\r\n",
		"-ERR\r\n-ERR\r\n+OK 3 1\r\n",
		"+OK\r\nSASL PLAIN\r\nEXPIRE 0 USER\r\nLOGIN-DELAY 5\r\n.\r\n+\r\n+ eyJ9\r\n-ERR [AUTH] no\r\n",
		"+OK <1@b>\r\n-ERR\r\n+OK\r\n",
		"0\r0\n0",
		"\r\n\r\n+ok [\r\n-err [ ] x\r\n+OK\r\n. \r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		ctx := context.Background()
		fresh := func() *Client { return newClient(canned{bytes.NewReader(words)}, Options{}) }
		refusal := func(what string, err error) {
			if r, is := mail.RefusalOf(err); err != nil && (!is || strings.ContainsAny(r.Reply, "\r\n")) {
				t.Errorf("%s: %v", what, err)
			}
		}
		messages, hasUIDL, err := fresh().List(ctx)
		refusal("List", err)
		for i, m := range messages {
			if m.Number < 1 || i > 0 && messages[i-1].Number >= m.Number || m.SizeBytes < 0 ||
				len(m.UIDL) > maxUIDL || !hasUIDL && m.UIDL != "" || strings.ContainsFunc(m.UIDL, func(r rune) bool { return r < ' ' || r > '~' }) {
				t.Errorf("message %d of %d is %+v", i, len(messages), m)
			}
		}
		c := fresh()
		for c.Usable() {
			refusal("Retrieve", c.Retrieve(ctx, 1, func(r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			}))
		}
		_, err = fresh().Top(ctx, 1)
		refusal("Top", err)
		refusal("Quit", fresh().Quit(ctx))
		for _, mechanism := range []string{"", mail.XOAuth2, mail.ScramSHA256} {
			c = fresh()
			c.login.Mechanism = mechanism
			refusal("greet", c.greet(ctx, time.Second))
			if c.Usable() {
				refusal("CAPA", c.askCapabilities(ctx, mail.PhaseGreeting))
			}
			if c.Usable() {
				refusal("signIn", c.signIn(ctx))
			}
			c.Expire()
			c.LoginDelay()
		}
	})
}

// A message comes out as it went in, whatever it holds, wherever the packets end
// and however it is read.
func FuzzMessages(f *testing.F) {
	for _, seed := range []string{"", ".", "..\r\n.x", "a\r\n.\r\nb", "\r\n\r\n", "a\rb\r\r\n", "\x00\xff", strings.Repeat(".\r\n", 100)} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		// As servers do that know lines by CRLF only: what ends otherwise is no line.
		want := bytes.ReplaceAll(content, []byte("\n"), []byte("\r\n"))
		want = append(want, '\r', '\n')
		sent := []byte("+OK\r\n")
		for line := range bytes.Lines(want) {
			if line[0] == '.' {
				sent = append(sent, '.')
			}
			sent = append(sent, line...)
		}
		sent = append(sent, ".\r\n"...)
		for name, read := range map[string]func(io.Reader) io.Reader{
			"at once": func(r io.Reader) io.Reader { return r }, "byte by byte": iotest.OneByteReader,
		} {
			for _, source := range []io.Reader{bytes.NewReader(sent), iotest.OneByteReader(bytes.NewReader(sent))} {
				var got []byte
				err := newClient(canned{source}, Options{}).Retrieve(context.Background(), 1, func(r io.Reader) (err error) {
					got, err = io.ReadAll(read(r))
					return err
				})
				if err != nil || !bytes.Equal(got, want) {
					t.Errorf("%s: %q came out as %q, %v", name, want, got, err)
				}
			}
			// Cut anywhere, it is an error.
			cut := sent[:len(sent)-1-len(content)%min(len(sent), 7)]
			if err := newClient(canned{bytes.NewReader(cut)}, Options{}).Retrieve(context.Background(), 1, func(r io.Reader) error {
				_, err := io.Copy(io.Discard, r)
				return err
			}); err == nil {
				t.Errorf("%q passes for a message", cut)
			}
		}
	})
}
