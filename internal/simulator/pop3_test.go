package simulator

import (
	"bufio"
	"crypto/md5"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// popOf adds a POP3 server to a provider.
func popOf(t *testing.T, s *Server, o POP3Options) *POP3Server {
	t.Helper()
	p, err := s.StartPOP3(o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// three messages and a POP3 server.
func threeByPOP3(t *testing.T) *POP3Server {
	t.Helper()
	return popOf(t, three(t), POP3Options{})
}

// popClient connects and reads the greeting.
func popClient(t *testing.T, p *POP3Server) *raw {
	t.Helper()
	connection, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	return newRaw(t, connection)
}

// popLogin signs in.
func popLogin(t *testing.T, p *POP3Server) *raw {
	t.Helper()
	r := popClient(t, p)
	if got := r.login(anna, "secret"); !strings.Contains(got, "messages") {
		t.Fatalf("the login is answered %q", got)
	}
	return r
}

func (r *raw) login(user, password string) string {
	r.t.Helper()
	r.ask("USER " + user)
	return r.ask("PASS " + password)
}

// ask says a line and returns the line that answers it.
func (r *raw) ask(line string) string {
	r.t.Helper()
	r.say(line)
	return r.until("")
}

// askLong returns all lines up to the one with a dot alone, or one line of -ERR.
func (r *raw) askLong(line string) string {
	r.t.Helper()
	first := r.ask(line)
	if !strings.HasPrefix(first, "+OK") {
		return first
	}
	return first + r.until(".\r\n")
}

// untilOpen waits until a server has noticed which connections have ended.
func untilOpen(t *testing.T, p *port, n int) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); p.Counts("").Open != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are open, want %d", p.Counts("").Open, n)
		}
	}
}

func wantAnswers(t *testing.T, r *raw, exchanges [][2]string) {
	t.Helper()
	for _, e := range exchanges {
		got := r.ask(e[0])
		if strings.HasSuffix(e[1], "\r\n.\r\n") {
			got += r.until(".\r\n")
		}
		if got != e[1] {
			t.Errorf("%q is answered %q, want %q", e[0], got, e[1])
		}
	}
}

func TestAMaildropIsListedReadAndEmptied(t *testing.T) {
	p := threeByPOP3(t)
	r := popClient(t, p)
	wantAnswers(t, r, [][2]string{
		{"STAT", "-ERR Unknown command\r\n"},
		{"PASS secret", "-ERR No user name was given\r\n"},
		{"user anna@example.net", "+OK Send the password\r\n"},
		{"pass secret", "+OK 3 messages\r\n"},
		{"STAT", "+OK 3 64\r\n"},
		{"LIST", "+OK 3 messages\r\n1 21\r\n2 22\r\n3 21\r\n.\r\n"},
		{"LIST 2", "+OK 2 22\r\n"},
		{"LIST 4", "-ERR There is no message 4\r\n"},
		{"UIDL 1", "+OK 1 000000016553f101\r\n"},
		{"RETR 2", "+OK 22 octets\r\nSubject: 2\r\n\r\nsecond\r\n.\r\n"},
		{"TOP 2 0", "+OK Top of message follows\r\nSubject: 2\r\n\r\n.\r\n"},
		{"TOP 2 1", "+OK Top of message follows\r\nSubject: 2\r\n\r\nsecond\r\n.\r\n"},
		{"TOP 2 x", "-ERR TOP wants a number of lines\r\n"},
		{"RETR 0", "-ERR There is no message 0\r\n"},
		{"DELE 1", "+OK Marked to be deleted\r\n"},
		{"RSET", "+OK Nothing is marked\r\n"},
		{"DELE 3", "+OK Marked to be deleted\r\n"},
		{"DELE 3", "-ERR There is no message 3\r\n"},
		{"STAT", "+OK 2 43\r\n"},
		{"NOOP", "+OK Nothing done\r\n"},
		{"XYZZY", "-ERR Unknown command\r\n"},
	})
	if left := p.provider.Messages(anna, "INBOX"); len(left) != 3 {
		t.Errorf("before QUIT %d messages are left, want 3", len(left))
	}
	if got := r.ask("QUIT") + r.rest(); got != "+OK Bye\r\n" {
		t.Errorf("QUIT is answered %q", got)
	}
	if left := p.provider.Messages(anna, "INBOX"); len(left) != 2 || left[1].UID != 2 {
		t.Errorf("after QUIT %v are left, want 1 and 2", left)
	}
}

func TestWithoutAQuitNothingIsDeleted(t *testing.T) {
	p := threeByPOP3(t)
	r := popLogin(t, p)
	r.ask("DELE 1")
	_ = r.Close()
	untilOpen(t, &p.port, 0)
	if got := popLogin(t, p).ask("STAT"); got != "+OK 3 64\r\n" {
		t.Errorf("STAT is answered %q, want all three", got)
	}
}

func TestWhatWasSaidIsKept(t *testing.T) {
	p := threeByPOP3(t)
	r := popLogin(t, p)
	r.askLong("TOP 3 0")
	r.ask("DELE 2")
	r.ask("QUIT")
	_ = p.provider.Expunge(anna, "INBOX", 1)
	r = popLogin(t, p)
	r.askLong("RETR 1")
	var said []string
	for _, c := range p.Said(anna) {
		said = append(said, fmt.Sprintf("%d %s of %d", c.Session, c, c.UID))
	}
	want := []string{"1 TOP 3 0 of 3", "1 DELE 2 of 2", "1 QUIT of 0", "2 RETR 1 of 3"}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("Said returns %q, want %q", said, want)
	}
	if text := fmt.Sprint(p.Said("")); strings.Contains(text, "secret") {
		t.Errorf("Said returns the password: %s", text)
	}
	untilOpen(t, &p.port, 1)
	if c := p.Counts(anna); c.Commands["RETR"] != 1 || c.Commands["DELE"] != 1 || c.Logins != 2 || c.Open != 1 {
		t.Errorf("Counts returns %+v", c)
	}
}

func TestEveryWayIntoAMaildrop(t *testing.T) {
	s := three(t)
	p := popOf(t, s, POP3Options{APOP: true, Mechanisms: []string{"PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"}})
	b64 := func(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }
	for _, password := range []string{"secret", "wrong"} {
		ways := map[string]func(r *raw) string{
			"USER": func(r *raw) string { return r.ask("USER "+anna) + r.ask("PASS "+password) },
			"APOP": func(r *raw) string {
				stamp := regexp.MustCompile(`<.*>`).FindString(r.greeting)
				return r.ask(fmt.Sprintf("APOP %s %x", anna, md5.Sum([]byte(stamp+password))))
			},
			"PLAIN at once": func(r *raw) string { return r.ask("AUTH PLAIN " + b64("\x00"+anna+"\x00"+password)) },
			"PLAIN later": func(r *raw) string {
				return r.ask("AUTH PLAIN") + r.ask(b64("\x00"+anna+"\x00"+password))
			},
			"LOGIN": func(r *raw) string { return r.ask("AUTH LOGIN") + r.ask(b64(anna)) + r.ask(b64(password)) },
			"XOAUTH2": func(r *raw) string {
				got := r.ask("AUTH XOAUTH2 " + b64("user="+anna+"\x01auth=Bearer "+password+"\x01\x01"))
				if strings.HasPrefix(got, "+ ") {
					got = r.ask("")
				}
				return got
			},
			"OAUTHBEARER": func(r *raw) string {
				got := r.ask("AUTH OAUTHBEARER " + b64("n,a="+anna+",\x01host=x\x01auth=Bearer "+password+"\x01\x01"))
				if strings.HasPrefix(got, "+ ") {
					got = r.ask(b64("\x01"))
				}
				return got
			},
		}
		for name, way := range ways {
			r := popClient(t, p)
			got := way(r)
			want := "+OK 3 messages\r\n"
			if password == "wrong" {
				want = "-ERR [AUTH] Username and password not accepted.\r\n"
			}
			if !strings.HasSuffix(got, want) {
				t.Errorf("%s with password %q ends with %q, want %q", name, password, got, want)
			}
			r.ask("QUIT")
		}
	}
	if c := p.Counts(anna); c.Logins != 7 || c.RefusedLogins != 7 {
		t.Errorf("Counts returns %+v, want 7 logins and 7 refused", c)
	}
	r := popClient(t, p)
	for _, line := range []string{"AUTH CRAM-MD5", "AUTH PLAIN !", "APOP x", "USER"} {
		if got := r.ask(line); !strings.HasPrefix(got, "-ERR") {
			t.Errorf("%q is answered %q, want -ERR", line, got)
		}
	}
	for _, malformed := range []string{"AUTH PLAIN " + b64("x"), "AUTH PLAIN ="} {
		if got := r.ask(malformed); got != "-ERR [AUTH] Username and password not accepted.\r\n" {
			t.Errorf("%q is answered %q", malformed, got)
		}
	}
	s.AddAccount("blank@example.net", " a b ")
	if got := popClient(t, p).login("blank@example.net", " a b "); !strings.HasPrefix(got, "+OK 0") {
		t.Errorf("a password with blanks is answered %q", got)
	}
	if got := r.ask("AUTH LOGIN") + r.ask("*"); !strings.HasSuffix(got, "cancelled or unknown\r\n") {
		t.Errorf("a cancelled exchange is answered %q", got)
	}
}

func TestCAPASaysWhatThereIs(t *testing.T) {
	p := threeByPOP3(t)
	want := "+OK Capability list follows\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUSER\r\nSASL PLAIN\r\nIMPLEMENTATION Postroom simulator\r\n.\r\n"
	if got := popClient(t, p).askLong("CAPA"); got != want {
		t.Errorf("CAPA is answered %q, want %q", got, want)
	}
	p.SetFaults("", Faults{HideCapabilities: []string{"UIDL", "top", "SASL"}, POP3: POP3Faults{Expire: "30", LoginDelay: 90 * time.Second}})
	r := popLogin(t, p)
	want = "+OK Capability list follows\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\nUSER\r\nEXPIRE 30\r\nLOGIN-DELAY 90\r\nIMPLEMENTATION Postroom simulator\r\n.\r\n"
	if got := r.askLong("CAPA"); got != want {
		t.Errorf("CAPA is answered %q, want %q", got, want)
	}
	for _, line := range []string{"UIDL", "TOP 1 0", "UIDL 1"} {
		if got := r.ask(line); got != "-ERR Unknown command\r\n" {
			t.Errorf("%q is answered %q, want -ERR", line, got)
		}
	}
	p.SetFaults("", Faults{HideCapabilities: []string{"CAPA"}})
	if got := popClient(t, p).ask("CAPA"); got != "-ERR Unknown command\r\n" {
		t.Errorf("CAPA is answered %q, want -ERR", got)
	}
}

func TestPOP3OverTLS(t *testing.T) {
	s := three(t)
	connection, err := tls.Dial("tcp", popOf(t, s, POP3Options{TLS: postroom.TLSImplicit}).Address(), s.TLSConfig())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	r := &raw{Conn: connection, t: t, in: bufio.NewReader(connection)}
	if got := r.until("+OK") + r.login(anna, "secret"); !strings.HasSuffix(got, "+OK 3 messages\r\n") {
		t.Errorf("the login is answered %q", got)
	}
	r.ask("QUIT")

	p := popOf(t, s, POP3Options{TLS: postroom.TLSStart})
	r = popClient(t, p)
	if got := r.askLong("CAPA"); !strings.Contains(got, "\r\nSTLS\r\n") || strings.Contains(got, "USER") || strings.Contains(got, "SASL") {
		t.Errorf("CAPA is answered %q, want STLS and no login", got)
	}
	if got := r.ask("USER " + anna); !strings.HasPrefix(got, "-ERR [AUTH] Plaintext") {
		t.Errorf("USER before STLS is answered %q", got)
	}
	r.say("STLS\r\nNOOP") // what is sent ahead must not be answered
	if got := r.until(""); got != "+OK Begin TLS negotiation\r\n" {
		t.Errorf("STLS is answered %q", got)
	}
	r.Conn = tls.Client(r.Conn, p.TLSConfig())
	r.in.Reset(r.Conn)
	if got := r.askLong("CAPA"); strings.Contains(got, "STLS") || !strings.Contains(got, "USER") {
		t.Errorf("CAPA is answered %q, want a login and no STLS", got)
	}
	if got := r.login(anna, "secret"); !strings.HasSuffix(got, "+OK 3 messages\r\n") {
		t.Errorf("the login is answered %q", got)
	}
}

func TestAMaildropTakesOneSession(t *testing.T) {
	s := three(t)
	p := popOf(t, s, POP3Options{})
	s.AddAccount("bert@example.net", "secret")
	first := popLogin(t, p)
	second := popClient(t, p)
	if got := second.ask("USER "+anna) + second.ask("PASS secret"); !strings.HasSuffix(got, "-ERR [IN-USE] Mailbox is locked by another POP3 session.\r\n") {
		t.Errorf("a second session is answered %q", got)
	}
	if got := second.ask("USER bert@example.net") + second.ask("PASS secret"); !strings.HasSuffix(got, "+OK 0 messages\r\n") {
		t.Errorf("another account is answered %q", got)
	}
	if c := p.Counts(anna); c.Logins != 1 || c.RefusedLogins != 1 {
		t.Errorf("Counts returns %+v, want one login and one refused", c)
	}
	first.ask("QUIT")
	third := popLogin(t, p)
	p.SetFaults(anna, Faults{POP3: POP3Faults{InUse: "Do you have another POP session running?"}})
	third.ask("QUIT")
	r := popClient(t, p)
	if got := r.login(anna, "secret"); !strings.HasSuffix(got, "-ERR [IN-USE] Do you have another POP session running?\r\n") {
		t.Errorf("a lock left behind is answered %q", got)
	}
	shared := popOf(t, s, POP3Options{Shared: true})
	popLogin(t, shared)
	popLogin(t, shared)
}

func TestBytesByPOP3(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"dots":             {".\r\n..a\r\nb.\r\n", "..\r\n...a\r\nb.\r\n"},
		"no final newline": {"a", "a\r\n"},
		"bare LF":          {"a\n.b\n", "a\n..b\n\r\n"},
		"nothing":          {"", ""},
		"eight bits":       {"\xe9\x00\xff\r\n", "\xe9\x00\xff\r\n"},
	} {
		s := begin(t, Options{})
		deliver(t, s, c.raw)
		got := popLogin(t, popOf(t, s, POP3Options{})).askLong("RETR 1")
		if want := fmt.Sprintf("+OK %d octets\r\n%s.\r\n", len(c.raw), c.want); got != want {
			t.Errorf("%s: RETR is answered %q, want %q", name, got, want)
		}
	}
}
