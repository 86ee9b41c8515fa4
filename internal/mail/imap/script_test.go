package imap

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// script runs a server for one connection that plays a dialogue, a line each:
//
//	S: text     sends text and CRLF; <tag> is the tag of the last command
//	R: "bytes"  sends the bytes of a Go string, <tag> likewise
//	C: text     waits for a line of the client that holds text behind its tag
//	L: "bytes"  waits for exactly these bytes
//	hang        waits for the client to hang up, or to say LOGOUT
//
// At the end it hangs up.
func script(t *testing.T, dialogue string) *net.TCPAddr {
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
			return // nobody came
		}
		defer conn.Close()
		play(t, conn, dialogue)
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().(*net.TCPAddr)
}

func play(t *testing.T, conn net.Conn, dialogue string) {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	tag := "?"
	for n, line := range strings.Split(dialogue, "\n") {
		kind, text, _ := strings.Cut(strings.TrimLeft(line, "\t"), ": ")
		var err error
		switch kind {
		case "":
		case "S":
			_, err = io.WriteString(conn, strings.ReplaceAll(text, "<tag>", tag)+"\r\n")
		case "R":
			raw, quoteErr := strconv.Unquote(text)
			if quoteErr != nil {
				t.Errorf("line %d of the dialogue: %v", n, quoteErr)
			}
			_, err = io.WriteString(conn, strings.ReplaceAll(raw, "<tag>", tag))
		case "C":
			var got string
			got, err = r.ReadString('\n')
			before, rest, _ := strings.Cut(strings.TrimSpace(got), " ")
			if strings.HasPrefix(before, "P") && rest != "" {
				tag = before
			} else {
				rest = strings.TrimSpace(got)
			}
			if err == nil && rest != text {
				t.Errorf("line %d of the dialogue: the client says %q, want %q", n, rest, text)
				return
			}
		case "L":
			want, quoteErr := strconv.Unquote(text)
			if quoteErr != nil {
				t.Errorf("line %d of the dialogue: %v", n, quoteErr)
			}
			got := make([]byte, len(want))
			if _, err = io.ReadFull(r, got); err == nil && string(got) != want {
				t.Errorf("line %d of the dialogue: the client sends %q, want %q", n, got, want)
			}
		case "hang":
			for {
				if line, err := r.ReadString('\n'); err != nil || strings.Contains(line, "LOGOUT") {
					return
				}
			}
		default:
			t.Errorf("line %d of the dialogue: %q is not understood", n, line)
		}
		if err != nil {
			if strings.Contains(dialogue, "hang up is fine") {
				return
			}
			t.Errorf("line %d of the dialogue, %q: %v", n, line, err)
			return
		}
	}
}

// welcome is how most dialogues begin, with further capabilities.
func welcome(capabilities string) string {
	return fmt.Sprintf(`
	S: * OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN %[1]s] hello
	C: AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
	S: <tag> OK [CAPABILITY IMAP4rev1 LITERAL+ SASL-IR AUTH=PLAIN %[1]s] welcome
	`, capabilities)
}

// examined is a welcome and an INBOX of five messages.
func examined(capabilities string) string {
	return welcome(capabilities) + `
	C: EXAMINE "INBOX"
	S: * 5 EXISTS
	S: * 0 RECENT
	S: * OK [UIDVALIDITY 7] ok
	S: * OK [UIDNEXT 106] ok
	S: <tag> OK [READ-ONLY] done
	`
}

// inbox opens a client on a server that plays examined and then dialogue.
func inbox(t *testing.T, capabilities, dialogue string) *Client {
	t.Helper()
	o := optionsFor(script(t, examined(capabilities)+dialogue))
	o.CommandTimeout, o.LiteralTimeout = 5*time.Second, 5*time.Second
	c := open(t, o)
	if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
		t.Fatalf("Examine: %v", err)
	}
	return c
}
