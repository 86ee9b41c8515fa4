package pop3

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
//	D: "bytes"  sends them in packets of one byte
//	C: text     waits for this line of the client
//	any         waits for a line of the client
//	cut         hangs up
//	hang        waits for the client to hang up, or to say QUIT or RSET
//
// At the end it hangs up.
func script(t testing.TB, dialogue string) *net.TCPAddr {
	t.Helper()
	return serve(t, func(conn net.Conn) { play(t, conn, dialogue) })
}

// serve runs a server for one connection.
func serve(t testing.TB, answer func(net.Conn)) *net.TCPAddr {
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
		answer(conn)
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().(*net.TCPAddr)
}

func play(t testing.TB, conn net.Conn, dialogue string) {
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	r := bufio.NewReader(conn)
	for n, line := range strings.Split(dialogue, "\n") {
		kind, text, _ := strings.Cut(strings.TrimLeft(line, "\t"), ": ")
		var err error
		switch kind {
		case "":
		case "S":
			_, err = io.WriteString(conn, text+"\r\n")
		case "R", "D":
			raw, quoteErr := strconv.Unquote(text)
			if quoteErr != nil {
				t.Errorf("line %d of the dialogue: %v", n, quoteErr)
			}
			size := max(1, len(raw))
			if kind == "D" {
				size = 1
			}
			for len(raw) > 0 && err == nil {
				_, err = io.WriteString(conn, raw[:size])
				raw = raw[size:]
			}
		case "C":
			var got string
			got, err = r.ReadString('\n')
			if err == nil && strings.TrimSuffix(got, "\r\n") != text {
				t.Errorf("line %d of the dialogue: the client says %q, want %q", n, got, text)
				return
			}
		case "any":
			_, err = r.ReadString('\n')
		case "cut":
			conn.Close()
			return
		case "hang":
			for {
				if line, err := r.ReadString('\n'); err != nil || strings.Contains(line, "QUIT") || strings.Contains(line, "RSET") {
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

func optionsFor(addr *net.TCPAddr) Options {
	return Options{
		Endpoint:       mail.Endpoint{Host: addr.IP.String(), Port: addr.Port, TLS: postroom.TLSNone},
		Login:          mail.Login{Username: "anna@example.net", Secret: postroom.Hide("pässword")},
		CommandTimeout: 5 * time.Second, LiteralTimeout: 5 * time.Second,
	}
}

func open(t testing.TB, o Options) *Client {
	t.Helper()
	c, err := Open(t.Context(), o)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// refusalOfOpen opens a client that must be refused.
func refusalOfOpen(t *testing.T, o Options) mail.Refusal {
	t.Helper()
	c, err := Open(t.Context(), o)
	if err == nil {
		c.Close()
		t.Fatal("Open succeeded")
	}
	return refusalOf(t, err)
}

func refusalOf(t *testing.T, err error) mail.Refusal {
	t.Helper()
	r, ok := mail.RefusalOf(err)
	if !ok {
		t.Fatalf("err = %v, want a refusal", err)
	}
	return *r
}

// welcome is how most dialogues begin, with further capabilities, a line each.
func welcome(capabilities ...string) string {
	list := "\nS: " + strings.Join(append(capabilities, "USER", "UIDL", "TOP"), "\nS: ") + "\nS: .\n"
	return "S: +OK hello\nC: CAPA\nS: +OK" + list +
		"C: USER anna@example.net\nS: +OK\nC: PASS pässword\nS: +OK welcome\nC: CAPA\nS: +OK" + list
}

// maildrop opens a client on a server that plays welcome and then dialogue.
func maildrop(t testing.TB, dialogue string, capabilities ...string) *Client {
	t.Helper()
	return open(t, optionsFor(script(t, welcome(capabilities...)+dialogue)))
}
