package simulator

import (
	"bufio"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// raw is a client that sees every byte.
type raw struct {
	net.Conn
	t        *testing.T
	in       *bufio.Reader
	greeting string
}

func rawClient(t *testing.T, s *Server) *raw {
	t.Helper()
	connection, err := net.Dial("tcp", s.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	if err := connection.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return newRaw(t, connection)
}

func newRaw(t *testing.T, connection net.Conn) *raw {
	r := &raw{Conn: connection, t: t, in: bufio.NewReader(connection)}
	r.greeting, _ = r.in.ReadString('\n') // empty when there is none
	return r
}

// sayFor sends a line and returns everything up to and with its tagged answer, or
// the end of the connection.
func (r *raw) sayFor(line string) string {
	r.t.Helper()
	r.say(line)
	tag, _, _ := strings.Cut(line, " ")
	return r.until(tag + " ")
}

func (r *raw) say(line string) {
	r.t.Helper()
	if _, err := io.WriteString(r.Conn, line+"\r\n"); err != nil {
		r.t.Fatal(err)
	}
}

func (r *raw) until(prefix string) string {
	r.t.Helper()
	var got strings.Builder
	for {
		line, err := r.in.ReadString('\n')
		got.WriteString(line)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			r.t.Fatalf("nothing comes after %q, want %q", got.String(), prefix)
		}
		if err != nil || strings.HasPrefix(line, prefix) {
			return got.String()
		}
	}
}

func (r *raw) rest() string {
	text, err := io.ReadAll(r.in)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		r.t.Fatalf("the connection does not end after %q", text)
	}
	return string(text)
}

// hearsNothing says whether nothing comes for a moment. The moment is the only
// proof of silence that there is.
func (r *raw) hearsNothing() bool {
	_ = r.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	defer func() { _ = r.SetReadDeadline(time.Now().Add(20 * time.Second)) }()
	_, err := r.in.ReadByte()
	return errors.Is(err, os.ErrDeadlineExceeded)
}

func open(t *testing.T, s *Server) *raw {
	t.Helper()
	r := rawClient(t, s)
	r.sayFor("1 LOGIN anna@example.net secret")
	r.sayFor("2 EXAMINE INBOX")
	return r
}

func three(t *testing.T) *Server {
	t.Helper()
	s := begin(t, Options{})
	deliver(t, s, "Subject: 1\r\n\r\nfirst\r\n", "Subject: 2\r\n\r\nsecond\r\n", "Subject: 3\r\n\r\nthird\r\n")
	return s
}

const anna, fetchAll = "anna@example.net", "9 UID FETCH 1:* (UID BODY.PEEK[])"

func TestALoginIsRefusedInTheWordsGiven(t *testing.T) {
	s := three(t)
	s.AddAccount("bert@example.net", "secret")
	s.SetFaults(anna, Faults{RefuseLogin: "* NO [WEBALERT https://example.com/] Web login required.\nNO [AUTHENTICATIONFAILED] Invalid credentials (Failure)"})
	r := rawClient(t, s)
	want := "* NO [WEBALERT https://example.com/] Web login required.\r\n1 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n"
	if got := r.sayFor("1 LOGIN anna@example.net secret"); got != want {
		t.Errorf("LOGIN is answered %q, want %q", got, want)
	}
	if got := r.sayFor("2 AUTHENTICATE PLAIN AGFubmFAZXhhbXBsZS5uZXQAc2VjcmV0"); !strings.Contains(got, "2 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n") {
		t.Errorf("AUTHENTICATE is answered %q, want the refusal", got)
	}
	if got := r.sayFor("3 LOGIN bert@example.net secret"); !strings.Contains(got, "3 OK") {
		t.Errorf("another account's LOGIN is answered %q, want OK", got)
	}
	s.SetFaults(anna, Faults{})
	if got := rawClient(t, s).sayFor("1 LOGIN anna@example.net secret"); !strings.Contains(got, "1 OK") {
		t.Errorf("after the fault LOGIN is answered %q, want OK", got)
	}
}

func TestAByeComesWhereItWasAskedFor(t *testing.T) {
	t.Run("greeting", func(t *testing.T) {
		s := three(t)
		s.SetFaults("", Faults{ByeAtGreeting: "Too many connections"})
		r := rawClient(t, s)
		if got := r.greeting + r.rest(); got != "* BYE Too many connections\r\n" {
			t.Errorf("the greeting is %q, want a BYE and the end", got)
		}
	})
	t.Run("after login", func(t *testing.T) {
		s := three(t)
		s.SetFaults(anna, Faults{ByeAfterLogin: "Account exceeded its bandwidth"})
		r := rawClient(t, s)
		if got := r.sayFor("1 LOGIN anna@example.net secret"); !strings.Contains(got, "1 OK") {
			t.Errorf("LOGIN is answered %q, want OK first", got)
		}
		if got := r.rest(); got != "* BYE Account exceeded its bandwidth\r\n" {
			t.Errorf("after it comes %q, want a BYE and the end", got)
		}
	})
	t.Run("idle, set before", func(t *testing.T) {
		s := three(t)
		s.SetFaults(anna, Faults{ByeInIdle: "Going down"})
		r := open(t, s)
		r.say("3 IDLE")
		if got := r.rest(); got != "+ idling\r\n* BYE Going down\r\n" {
			t.Errorf("IDLE is answered %q, want a BYE and the end", got)
		}
	})
	t.Run("idle, set while in it", func(t *testing.T) {
		s := three(t)
		r := open(t, s)
		r.say("3 IDLE")
		r.until("+ ")
		s.SetFaults("", Faults{ByeInIdle: "Going down"})
		if got := r.rest(); got != "* BYE Going down\r\n" {
			t.Errorf("IDLE ends with %q, want a BYE", got)
		}
	})
	t.Run("not after idle", func(t *testing.T) {
		s := three(t)
		r := open(t, s)
		r.say("3 IDLE")
		r.until("+ ")
		r.say("DONE")
		r.until("3 OK")
		s.SetFaults("", Faults{ByeInIdle: "Going down"})
		if got := r.sayFor("4 NOOP"); !strings.HasPrefix(got, "4 OK") {
			t.Errorf("NOOP after IDLE is answered %q, want OK", got)
		}
	})
}

func TestAByeAnswersACommand(t *testing.T) {
	s := three(t)
	r := open(t, s)
	s.SetFaults(anna, Faults{Replies: map[string]string{"NOOP": "* OK Wait\n* BYE Session expired, please login again."}})
	r.say("3 NOOP")
	if got := r.rest(); got != "* OK Wait\r\n* BYE Session expired, please login again.\r\n" {
		t.Errorf("NOOP is answered %q, want a BYE and the end", got)
	}
}

func TestGarbageComesInPlaceOfAnswers(t *testing.T) {
	s := three(t)
	r := open(t, s)
	s.SetFaults(anna, Faults{Garbage: true})
	r.say(fetchAll)
	answer := make([]byte, 20)
	if _, err := io.ReadFull(r.in, answer); err != nil || strings.HasPrefix(string(answer), "* 1 FETCH") {
		t.Errorf("FETCH is answered %q (%v), want garbage", answer, err)
	}
	if got := rawClient(t, s).greeting; !strings.HasPrefix(got, "* OK") {
		t.Errorf("another connection is greeted with %q", got)
	}
	p := popOf(t, s, POP3Options{})
	p.SetFaults("", Faults{Garbage: true})
	connection, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	greeting := make([]byte, 10)
	if _, err := io.ReadFull(connection, greeting); err != nil || strings.HasPrefix(string(greeting), "+OK") {
		t.Errorf("the greeting is %q (%v), want garbage", greeting, err)
	}
}

func TestAConnectionIsCut(t *testing.T) {
	whole := open(t, three(t)).sayFor(fetchAll)
	t.Run("after so many bytes", func(t *testing.T) {
		s := three(t)
		s.SetFaults("", Faults{CutAfterBytes: 100})
		r := rawClient(t, s)
		if got := r.greeting + r.sayFor("1 LOGIN anna@example.net secret"); len(got) != 100 {
			t.Errorf("%d bytes came, want 100", len(got))
		}
	})
	t.Run("at the second message", func(t *testing.T) {
		s := three(t)
		s.SetFaults(anna, Faults{CutAtFetch: 2})
		got := open(t, s).sayFor(fetchAll)
		if want := whole[:strings.Index(whole, "* 2 FETCH")]; got != want {
			t.Errorf("FETCH is answered %q, want %q", got, want)
		}
	})
	t.Run("in the middle of the second message", func(t *testing.T) {
		s := three(t)
		s.SetFaults(anna, Faults{CutInLiteral: 2})
		got := open(t, s).sayFor(fetchAll)
		if !strings.HasPrefix(whole, got) || !strings.HasSuffix(got, "{22}\r\nSubject: 2\r") {
			t.Errorf("FETCH is answered %q, want it to end in the second text", got)
		}
	})
}

func TestSilence(t *testing.T) {
	t.Run("of an open connection, in IDLE too, and for good", func(t *testing.T) {
		s := three(t)
		r := open(t, s)
		r.say("3 IDLE")
		r.until("+ ")
		s.SetFaults(anna, Faults{Silent: true})
		deliver(t, s, "news")
		r.say("DONE")
		r.say("4 NOOP")
		if !r.hearsNothing() {
			t.Error("a silent connection says something")
		}
		s.SetFaults(anna, Faults{})
		r.say("5 NOOP")
		if !r.hearsNothing() {
			t.Error("a connection that was silent says something")
		}
		if got := open(t, s).sayFor("3 NOOP"); !strings.HasPrefix(got, "3 OK") {
			t.Errorf("a new connection answers %q, want OK", got)
		}
	})
	t.Run("of one command", func(t *testing.T) {
		s := three(t)
		s.SetFaults("", Faults{Ignore: []string{"UID FETCH"}})
		r := open(t, s)
		r.say(fetchAll)
		if !r.hearsNothing() {
			t.Error("an ignored command is answered")
		}
		if got := r.sayFor("4 NOOP"); !strings.HasPrefix(got, "4 OK") {
			t.Errorf("the next command is answered %q, want OK", got)
		}
	})
	t.Run("instead of a greeting", func(t *testing.T) {
		s := three(t)
		s.SetFaults("", Faults{Ignore: []string{"greeting"}})
		connection, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		if r := (&raw{Conn: connection, t: t, in: bufio.NewReader(connection)}); !r.hearsNothing() {
			t.Error("a server without greeting says something")
		}
	})
}

func TestSlowBytesAreTheSameBytes(t *testing.T) {
	want := open(t, three(t)).sayFor(fetchAll)
	t.Run("so many a second", func(t *testing.T) {
		s := three(t)
		r := open(t, s)
		s.SetFaults(anna, Faults{BytesPerSecond: 1000})
		begun := time.Now()
		got := r.sayFor(fetchAll)
		least := time.Duration(len(want)) * time.Millisecond * 8 / 10
		if took := time.Since(begun); got != want || took < least {
			t.Errorf("%d bytes took %s, want the same %d and at least %s", len(got), took, len(want), least)
		}
	})
	t.Run("one in a packet", func(t *testing.T) {
		s := three(t)
		connection, err := s.Dial(t.Context(), "", "") // a pipe keeps writes apart, TCP may not
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		r := &raw{Conn: connection, t: t, in: bufio.NewReader(connection)}
		r.until("* OK")
		r.sayFor("1 LOGIN anna@example.net secret")
		r.sayFor("2 EXAMINE INBOX")
		s.SetFaults(anna, Faults{OneBytePerPacket: true})
		r.say(fetchAll)
		var got strings.Builder
		buffer := make([]byte, 4096)
		for !strings.Contains(got.String(), "9 OK") || !strings.HasSuffix(got.String(), "\r\n") {
			n, err := connection.Read(buffer)
			if err != nil || n != 1 {
				t.Fatalf("after %q come %d bytes at once (%v), want 1", got.String(), n, err)
			}
			got.Write(buffer[:n])
		}
		if got.String() != want {
			t.Errorf("FETCH is answered %q, want %q", got.String(), want)
		}
	})
}

func TestAMessageIsWithheld(t *testing.T) {
	for name, c := range map[string]struct {
		faults Faults
		end    string
	}{
		"without a word": {Faults{OmitUIDs: []uint32{2}}, "9 OK"},
		"with a NO":      {Faults{RefuseUIDs: []uint32{2}}, "9 NO [SERVERBUG]"},
	} {
		t.Run(name, func(t *testing.T) {
			s := three(t)
			s.SetFaults(anna, c.faults)
			r := open(t, s)
			got := r.sayFor(fetchAll)
			if strings.Contains(got, "second") || !strings.Contains(got, "first") || !strings.Contains(got, "third") || !strings.Contains(got, c.end) {
				t.Errorf("FETCH is answered %q, want all but the second and %s", got, c.end)
			}
			if got := r.sayFor("a UID FETCH 1:* (UID RFC822.SIZE)"); !strings.Contains(got, "UID 2 ") || !strings.Contains(got, "a OK") {
				t.Errorf("a list is answered %q, want the second in it", got)
			}
		})
	}
}

func TestHiddenCapabilitiesAreAbsentAndRefused(t *testing.T) {
	s := three(t)
	s.SetFaults("", Faults{HideCapabilities: []string{"IDLE", "ESEARCH", "UIDPLUS", "ID", "AUTH=PLAIN"}})
	r := rawClient(t, s)
	said := r.greeting + r.sayFor("1 LOGIN anna@example.net secret") + r.sayFor("2 CAPABILITY")
	for _, hidden := range []string{" IDLE", " ESEARCH", " UIDPLUS", " ID ", "AUTH=PLAIN"} {
		if strings.Contains(said, hidden) {
			t.Errorf("the server says %q, want no%s", said, hidden)
		}
	}
	r.sayFor("3 SELECT INBOX")
	for _, line := range []string{"4 IDLE", "5 UID SEARCH RETURN (ALL) ALL", "6 UID EXPUNGE 1", "7 ID NIL"} {
		if got := r.sayFor(line); !strings.HasPrefix(got, line[:2]+"BAD") {
			t.Errorf("%q is answered %q, want BAD", line, got)
		}
	}
	if got := r.sayFor("8 UID SEARCH ALL"); !strings.Contains(got, "* SEARCH 1 2 3") {
		t.Errorf("a plain SEARCH is answered %q, want 1 2 3", got)
	}
}

func TestNoiseComesBetweenResponses(t *testing.T) {
	s := three(t)
	s.SetFaults(anna, Faults{Noise: []string{"* OK Still here", "* XYZZY (a {3}\r\n)\r\n b)"}})
	got := open(t, s).sayFor(fetchAll)
	if n := strings.Count(got, "* OK Still here\r\n* XYZZY (a {3}\r\n)\r\n b)\r\n"); n != 4 {
		t.Errorf("FETCH of three is answered %q with %d times noise, want 4", got, n)
	}
}

func TestFaultsWorkUnderTLS(t *testing.T) {
	for _, policy := range []postroom.TLSPolicy{postroom.TLSImplicit, postroom.TLSStart} {
		s := begin(t, Options{TLS: policy})
		deliver(t, s, "Subject: 1\r\n\r\nfirst\r\n", "Subject: 2\r\n\r\nsecond\r\n")
		s.SetFaults("", Faults{OmitUIDs: []uint32{1}, HideCapabilities: []string{"MOVE"}})
		connection, err := net.Dial("tcp", s.Address())
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		r := &raw{Conn: connection, t: t, in: bufio.NewReader(connection)}
		if policy == postroom.TLSStart {
			r.until("* OK")
			r.sayFor("s STARTTLS")
		}
		r.Conn = tls.Client(connection, s.TLSConfig())
		r.in.Reset(r.Conn)
		if got := r.sayFor("1 LOGIN anna@example.net secret") + r.sayFor("2 EXAMINE INBOX"); strings.Contains(got, " MOVE") || !strings.Contains(got, "2 OK") {
			t.Errorf("%s: the server says %q, want no MOVE", policy, got)
		}
		if got := r.sayFor(fetchAll); strings.Contains(got, "first") || !strings.Contains(got, "second") {
			t.Errorf("%s: FETCH is answered %q, want the second only", policy, got)
		}
		s.SetFaults("", Faults{CutInLiteral: 2})
		if got := r.sayFor(fetchAll); !strings.HasSuffix(got, "{22}\r\nSubject: 2\r") {
			t.Errorf("%s: FETCH is answered %q, want it cut in the second", policy, got)
		}
	}
}

func TestALoginBeforeSTARTTLSIsRefused(t *testing.T) {
	s := begin(t, Options{TLS: postroom.TLSStart})
	r := rawClient(t, s)
	if !strings.Contains(r.greeting, "STARTTLS LOGINDISABLED") || strings.Contains(r.greeting, "AUTH=") {
		t.Errorf("the greeting is %q, want STARTTLS and LOGINDISABLED", r.greeting)
	}
	if got := r.sayFor("1 LOGIN anna@example.net secret"); !strings.HasPrefix(got, "1 NO [PRIVACYREQUIRED]") {
		t.Errorf("LOGIN is answered %q, want NO", got)
	}
	if c := s.Counts("anna@example.net"); c.Logins+c.RefusedLogins != 0 {
		t.Errorf("Counts returns %+v, want no login tried", c)
	}
	s.SetFaults("", Faults{HideCapabilities: []string{"STARTTLS"}})
	r = rawClient(t, s)
	if got := r.greeting + r.sayFor("2 STARTTLS"); strings.Contains(r.greeting, "STARTTLS") || !strings.Contains(got, "2 BAD") {
		t.Errorf("without STARTTLS the server says %q", got)
	}
}

func TestFaultsOfOneAccountDoNotReachAnother(t *testing.T) {
	s := three(t)
	s.AddAccount("bert@example.net", "secret")
	for i := range 3 {
		if _, err := s.Append("bert@example.net", "INBOX", fmt.Appendf(nil, "letter %d", i), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	a := open(t, s)
	a.say(fetchAll)
	s.SetFaults(anna, Faults{Silent: true})
	r := rawClient(t, s)
	r.sayFor("1 LOGIN bert@example.net secret")
	r.sayFor("2 EXAMINE INBOX")
	if got := r.sayFor(fetchAll); strings.Count(got, "letter") != 3 {
		t.Errorf("another account's FETCH is answered %q, want 3 letters", got)
	}
	s.Disconnect(anna)
	_ = a.rest()
	if got := r.sayFor("3 NOOP"); !strings.HasPrefix(got, "3 OK") {
		t.Errorf("Disconnect reached another account: %q", got)
	}
}
