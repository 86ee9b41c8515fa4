package simulator

import (
	"bufio"
	"crypto/tls"
	"net"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"
)

func ring(t *testing.T, s *ScriptServer, secured bool) *raw {
	t.Helper()
	connection, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	if secured {
		connection = tls.Client(connection, s.TLSConfig())
	}
	t.Cleanup(func() { _ = connection.Close() })
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	return &raw{Conn: connection, t: t, in: bufio.NewReader(connection)}
}

func play(t *testing.T, s Script) *ScriptServer {
	t.Helper()
	server, err := s.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close() })
	return server
}

func TestAScriptIsFollowed(t *testing.T) {
	s := play(t, Script{
		Greeting: "* OK odd",
		Steps: []Step{
			{Expect: "login", Send: []string{"* CAPABILITY IMAP4rev1", "{tag} OK in"}},
			{Match: regexp.MustCompile(`^UID FETCH 7 .*BODY`), Repeat: true,
				Send: []string{"* 1 FETCH (UID 7 BODY[] " + Literal([]byte("raw {tag}\r\n")) + ")", "{tag} OK"}},
			{Expect: "IDLE", Send: []string{"+ idling", "* 2 EXISTS"}},
			{Expect: "DONE", Untagged: true, Send: []string{"{tag} OK done"}},
			{Expect: "STATUS", Raw: "* STATUS half a li", End: true},
		},
		Always: []Step{{Expect: "NOOP", Send: []string{"{tag} OK nothing"}}},
	})
	r := ring(t, s, false)
	r.until("* OK odd")
	r.say("a LOGIN {4}")
	r.until("+ ")
	r.say("anna {6+}\r\nsecret")
	if got := r.until("a "); got != "* CAPABILITY IMAP4rev1\r\na OK in\r\n" {
		t.Errorf("LOGIN is answered %q", got)
	}
	for _, exchange := range [][2]string{
		{"b UID FETCH 7 (BODY[])", "* 1 FETCH (UID 7 BODY[] {11}\r\nraw {tag}\r\n)\r\nb OK\r\n"},
		{"c UID FETCH 7 (BODY[])", "* 1 FETCH (UID 7 BODY[] {11}\r\nraw {tag}\r\n)\r\nc OK\r\n"},
		{"d NOOP", "d OK nothing\r\n"},
		{"e NONSENSE", "e BAD Nothing like that is in the script\r\n"},
	} {
		if got := r.sayFor(exchange[0]); got != exchange[1] {
			t.Errorf("%q is answered %q, want %q", exchange[0], got, exchange[1])
		}
	}
	r.say("f IDLE")
	r.until("* 2 EXISTS")
	r.say("DONE")
	r.until("f OK done")
	r.say("g STATUS INBOX (MESSAGES)")
	if got := r.rest(); got != "* STATUS half a li" {
		t.Errorf("the last answer is %q, want half a line and the end", got)
	}
	if got := s.Unexpected(); !reflect.DeepEqual(got, []string{"NONSENSE"}) {
		t.Errorf("Unexpected returns %q, want NONSENSE", got)
	}
	if got := s.Heard(); len(got) != 8 || got[0] != "LOGIN {4}\r\nanna {6+}\r\nsecret" || got[6] != "DONE" {
		t.Errorf("Heard returns %q", got)
	}
}

func TestAScriptLoopsAndChangesWithTheConnection(t *testing.T) {
	s := play(t, Script{
		Greeting: "* BYE busy",
		Next: &Script{
			Loop:  true,
			Steps: []Step{{Expect: "ONE", Send: []string{"{tag} OK 1"}}, {Expect: "TWO", Send: []string{"{tag} OK 2"}}},
		},
	})
	if got := ring(t, s, false).rest(); got != "* BYE busy\r\n" {
		t.Errorf("the first connection says %q, want a BYE and the end", got)
	}
	for range 2 {
		r := ring(t, s, false)
		for _, line := range []string{"a ONE", "b TWO", "c ONE", "d TWO", "e ONE"} {
			if got := r.sayFor(line); !strings.HasPrefix(got, line[:1]+" OK") {
				t.Errorf("%q is answered %q, want OK", line, got)
			}
		}
		if got := r.sayFor("f ONE"); !strings.HasPrefix(got, "f BAD") {
			t.Errorf("a step out of order is answered %q, want BAD", got)
		}
	}
}

func TestAScriptOverTLS(t *testing.T) {
	s, err := Script{Greeting: "* OK", Steps: []Step{{Expect: "NOOP", Send: []string{"{tag} OK"}}}}.StartTLS()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	r := ring(t, s, true)
	r.until("* OK")
	if got := r.sayFor("a NOOP"); got != "a OK\r\n" {
		t.Errorf("NOOP is answered %q", got)
	}
}

func TestAScriptWithoutTags(t *testing.T) {
	s := play(t, Script{
		Greeting: "220 odd", Untagged: true, Otherwise: "500 What?",
		Steps: []Step{
			{Expect: "STARTTLS", Send: []string{"220 go on"}, Secure: true},
			{Expect: "DATA", Send: []string{"354 go on"}},
			{Text: true, Send: []string{"250 taken"}},
			{Expect: "NEXT {5}", Raw: "250-half", End: true},
		},
		Always: []Step{{Expect: "NOOP", Send: []string{"250 nothing"}}},
	})
	r := ring(t, s, false)
	r.until("220")
	wantAnswers(t, r, [][2]string{
		{"noop", "250 nothing\r\n"},
		{"DATA", "500 What?\r\n"},
		{"STARTTLS", "220 go on\r\n"},
	})
	r.Conn = tls.Client(r.Conn, s.TLSConfig())
	r.in.Reset(r.Conn)
	wantAnswers(t, r, [][2]string{
		{"DATA", "354 go on\r\n"},
		{"a {3}\r\n..b\r\nNOOP\r\n.", "250 taken\r\n"},
		{"NOOP", "250 nothing\r\n"},
		{"NEXT {5}", "250-half"},
	})
	want := []string{"noop", "DATA", "STARTTLS", "DATA", "a {3}\r\n..b\r\nNOOP\r\n", "NOOP", "NEXT {5}"}
	if got := s.Heard(); !reflect.DeepEqual(got, want) {
		t.Errorf("Heard returns %q, want %q", got, want)
	}
	if got := s.Unexpected(); !reflect.DeepEqual(got, []string{"DATA"}) {
		t.Errorf("Unexpected returns %q, want the first DATA", got)
	}
}
