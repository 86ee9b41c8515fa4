package smtp

import (
	"bufio"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script runs a server for one connection that plays a dialogue, a line each:
//
//	S: text     sends text and CRLF
//	R: "bytes"  sends the bytes of a Go string
//	C: text     waits for a line of the client, which must be text
//	A           waits for any line of the client
//	M: "bytes"  waits for exactly these bytes, a message and its end
//	silence     waits for the client to hang up, or to say QUIT
//
// At the end it hangs up. The client may do so at any time.
func script(t *testing.T, dialogue string) *net.TCPAddr {
	t.Helper()
	return serve(t, func(conn net.Conn) { play(t, conn, dialogue) })
}

// serve runs a server for one connection.
func serve(t *testing.T, talk func(net.Conn)) *net.TCPAddr {
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
		conn.SetDeadline(time.Now().Add(10 * time.Second))
		talk(conn)
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().(*net.TCPAddr)
}

func play(t *testing.T, conn net.Conn, dialogue string) {
	r := bufio.NewReader(conn)
	for n, line := range strings.Split(dialogue, "\n") {
		kind, text, _ := strings.Cut(strings.TrimLeft(line, "\t"), ": ")
		var err error
		switch kind {
		case "":
		case "S":
			_, err = io.WriteString(conn, text+"\r\n")
		case "R":
			_, err = io.WriteString(conn, unquote(t, text))
		case "C":
			var got string
			got, err = r.ReadString('\n')
			if err == nil && got != text+"\r\n" {
				t.Errorf("line %d of the dialogue: the client says %q, want %q", n, got, text)
				return
			}
		case "A":
			_, err = r.ReadString('\n')
		case "M":
			want := unquote(t, text)
			got := make([]byte, len(want))
			if _, err = io.ReadFull(r, got); err == nil && string(got) != want {
				t.Errorf("line %d of the dialogue: the client sends %q, want %q", n, got, want)
				return
			}
		case "silence":
			for {
				if line, err := r.ReadString('\n'); err != nil || line == "QUIT\r\n" {
					return
				}
			}
		default:
			t.Errorf("line %d of the dialogue: %q is not understood", n, line)
		}
		if err != nil {
			return // the test sees it from the client's side
		}
	}
}

func unquote(t *testing.T, text string) string {
	raw, err := strconv.Unquote(text)
	if err != nil {
		t.Errorf("%s: %v", text, err)
	}
	return raw
}

// welcome is how most dialogues begin, with further extensions.
func welcome(extensions ...string) string {
	text := `
	S: 220 smtp.example.net ready
	C: EHLO [127.0.0.1]
	S: 250-smtp.example.net knows you
	`
	for _, e := range extensions {
		text += "S: 250-" + e + "\n"
	}
	return text + `
	S: 250 AUTH LOGIN PLAIN
	C: AUTH PLAIN AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk
	S: 235 2.7.0 Accepted
	`
}

// optionsFor are those for a server that does not encrypt.
func optionsFor(addr *net.TCPAddr) Options {
	return Options{
		Endpoint:       mail.Endpoint{Host: "127.0.0.1", Port: addr.Port, TLS: postroom.TLSNone},
		Login:          mail.Login{Username: "anna@example.net", Secret: postroom.Hide("pässword"), Mechanism: mail.Plain},
		CommandTimeout: 5 * time.Second, DataTimeout: 5 * time.Second, AnswerTimeout: 5 * time.Second,
	}
}

func open(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// refusalOf returns the refusal that err must be.
func refusalOf(t *testing.T, err error) *mail.Refusal {
	t.Helper()
	r, ok := mail.RefusalOf(err)
	if !ok || r.Protocol != postroom.SMTP {
		t.Fatalf("error %v, want a refusal by SMTP", err)
	}
	return r
}
