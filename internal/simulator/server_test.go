package simulator

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
	"github.com/emersion/go-sasl"
	"github.com/postroom/postroom"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func begin(t *testing.T, o Options) *Server {
	t.Helper()
	s, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	s.AddAccount("anna@example.net", "secret")
	return s
}

func deliver(t *testing.T, s *Server, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if _, err := s.Append("anna@example.net", "INBOX", []byte(text), time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
}

// reader opens INBOX with the library's client.
func reader(t *testing.T, s *Server, options *imapclient.Options) *imapclient.Client {
	t.Helper()
	client := dial(t, s, options)
	if err := client.Login("anna@example.net", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Select("INBOX", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	return client
}

func dial(t *testing.T, s *Server, options *imapclient.Options) *imapclient.Client {
	t.Helper()
	if options == nil {
		options = &imapclient.Options{}
	}
	options.TLSConfig = s.TLSConfig()
	var client *imapclient.Client
	var err error
	switch s.options.TLS {
	case postroom.TLSImplicit:
		client, err = imapclient.DialTLS(s.Address(), options)
	case postroom.TLSStart:
		client = afterSTARTTLS(t, s, options)
	default:
		client, err = imapclient.DialInsecure(s.Address(), options)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func texts(t *testing.T, client *imapclient.Client, set imap.NumSet) map[imap.UID]string {
	t.Helper()
	messages, err := client.Fetch(set, fetchText).Collect()
	if err != nil {
		t.Fatal(err)
	}
	got := map[imap.UID]string{}
	for _, m := range messages {
		got[m.UID] = string(m.FindBodySection(&imap.FetchItemBodySection{Peek: true}))
	}
	return got
}

// afterSTARTTLS does by hand what races in the library's client.
func afterSTARTTLS(t *testing.T, s *Server, options *imapclient.Options) *imapclient.Client {
	t.Helper()
	connection, err := s.connect(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(connection)
	greeting, _ := in.ReadString('\n')
	_, _ = io.WriteString(connection, "s STARTTLS\r\n")
	if line, err := in.ReadString('\n'); err != nil || !strings.HasPrefix(line, "s OK") {
		t.Fatalf("STARTTLS is answered %q (%v) after %q", line, err, greeting)
	}
	secured := tls.Client(connection, s.TLSConfig())
	return imapclient.New(greeted{secured, io.MultiReader(strings.NewReader("* OK Again\r\n"), secured)}, options)
}

func (s *Server) connect(ctx context.Context) (net.Conn, error) {
	if s.options.InMemory {
		return s.Dial(ctx, "tcp", "imap.example.net:143")
	}
	return net.Dial("tcp", s.Address())
}

// greeted is a connection with a greeting put before what it reads.
type greeted struct {
	net.Conn
	in io.Reader
}

func (g greeted) Read(b []byte) (int, error) { return g.in.Read(b) }

var everything = imap.UIDSet{{Start: 1, Stop: 0}}

var fetchText = &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}}

func TestBytesComeBackExactly(t *testing.T) {
	odd := []string{"Subject: a\r\n\r\nb\r\n", "no header at all", "\n\nbare\nlines\r", "Subject: 8bit \xe9\xff\r\n\r\n\x80)}{5}\r\n", ""}
	for name, policy := range map[string]postroom.TLSPolicy{"none": "", "starttls": postroom.TLSStart, "implicit": postroom.TLSImplicit} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, Options{TLS: policy})
			big := "Subject: big\r\n\r\n" + strings.Repeat("0123456789abcdef\r\n", 60_000)
			deliver(t, s, append(odd, big)...)
			got := texts(t, reader(t, s, nil), everything)
			for i, want := range append(odd, big) {
				if got[imap.UID(i+1)] != want {
					t.Errorf("message %d has %d other bytes, want the %d delivered", i+1, len(got[imap.UID(i+1)]), len(want))
				}
			}
		})
	}
}

func TestThousandsOfMessages(t *testing.T) {
	s := begin(t, Options{})
	const n = 5000
	for i := range n {
		deliver(t, s, fmt.Sprintf("Subject: %d\r\n\r\n", i))
	}
	client := reader(t, s, nil)
	found, err := client.UIDSearch(&imap.SearchCriteria{}, &imap.SearchOptions{ReturnAll: true, ReturnCount: true}).Wait()
	if err != nil || found.Count != n {
		t.Fatalf("ESEARCH counts %+v (%v), want %d", found, err, n)
	}
	if got := texts(t, client, everything); len(got) != n {
		t.Errorf("FETCH gives %d messages, want %d", len(got), n)
	}
}

func TestIdleTellsOfNewMailAndOfChanges(t *testing.T) {
	s := begin(t, Options{})
	deliver(t, s, "one", "two")
	exists, expunged, flags := make(chan uint32, 9), make(chan uint32, 9), make(chan []imap.Flag, 9)
	client := reader(t, s, &imapclient.Options{UnilateralDataHandler: &imapclient.UnilateralDataHandler{
		Mailbox: func(d *imapclient.UnilateralDataMailbox) {
			if d.NumMessages != nil {
				exists <- *d.NumMessages
			}
		},
		Expunge: func(n uint32) { expunged <- n },
		Fetch: func(m *imapclient.FetchMessageData) {
			if b, err := m.Collect(); err == nil {
				flags <- b.Flags
			}
		},
	}})
	deliver(t, s, "three") // between SELECT and IDLE
	idle, err := client.Idle()
	if err != nil {
		t.Fatal(err)
	}
	if n := <-exists; n != 3 {
		t.Errorf("IDLE begins with %d messages, want 3", n)
	}
	deliver(t, s, "four")
	if n := <-exists; n != 4 {
		t.Errorf("IDLE tells of %d messages, want 4", n)
	}
	if err := s.Expunge("anna@example.net", "INBOX", 1, 3); err != nil {
		t.Fatal(err)
	}
	if a, b := <-expunged, <-expunged; a != 3 || b != 1 {
		t.Errorf("IDLE tells of EXPUNGE %d and %d, want 3 and 1", a, b)
	}
	if err := s.SetFlags("anna@example.net", "INBOX", 4, `\Seen`); err != nil {
		t.Fatal(err)
	}
	if f := <-flags; len(f) != 1 || f[0] != imap.FlagSeen {
		t.Errorf("IDLE tells of flags %v, want \\Seen", f)
	}
	if err := idle.Close(); err != nil {
		t.Fatal(err)
	}
	if err := idle.Wait(); err != nil {
		t.Fatal(err)
	}
	if got := texts(t, client, everything); len(got) != 2 || got[2] != "two" || got[4] != "four" {
		t.Errorf("after IDLE the folder holds %v, want 2 and 4", got)
	}
}

func TestARenumberedFolderHasNewNumbers(t *testing.T) {
	s := begin(t, Options{})
	deliver(t, s, "one", "two", "three")
	if err := s.Expunge("anna@example.net", "INBOX", 1); err != nil {
		t.Fatal(err)
	}
	before, next, _ := s.Numbers("anna@example.net", "INBOX")
	client := reader(t, s, nil)
	if err := s.Renumber("anna@example.net", "INBOX"); err != nil {
		t.Fatal(err)
	}
	if err := client.Noop().Wait(); err == nil {
		t.Error("a session lives on with void numbers")
	}
	data, err := reader(t, s, nil).Select("INBOX", nil).Wait()
	if err != nil || next != 4 || data.UIDNext != 3 || data.UIDValidity != before+1 {
		t.Errorf("UIDNEXT was %d; SELECT says %+v (%v), want UIDNEXT 3 and UIDVALIDITY %d", next, data, err, before+1)
	}
	messages := s.Messages("anna@example.net", "INBOX")
	if len(messages) != 2 || messages[0].UID != 1 || string(messages[0].Raw) != "two" {
		t.Errorf("Messages returns %v, want two and three as 1 and 2", messages)
	}
}

func TestWhatAClientChangesIsKept(t *testing.T) {
	s := begin(t, Options{})
	deliver(t, s, "one", "two", "three")
	client := reader(t, s, nil)
	if err := client.Create("Größe/Done", nil).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := client.Store(imap.UIDSetNum(1), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagSeen}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := client.Move(imap.UIDSetNum(2), "Größe/Done").Wait(); err != nil {
		t.Fatal(err)
	}
	if err := client.Store(imap.UIDSetNum(3), &imap.StoreFlags{Op: imap.StoreFlagsAdd, Flags: []imap.Flag{imap.FlagDeleted}}, nil).Close(); err != nil {
		t.Fatal(err)
	}
	if err := client.UIDExpunge(imap.UIDSetNum(3)).Close(); err != nil {
		t.Fatal(err)
	}
	left := s.Messages("anna@example.net", "inbox")
	if len(left) != 1 || left[0].UID != 1 || len(left[0].Flags) != 1 || left[0].Flags[0] != `\Seen` {
		t.Errorf("INBOX holds %v, want the first, read", left)
	}
	if moved := s.Messages("anna@example.net", "Größe/Done"); len(moved) != 1 || string(moved[0].Raw) != "two" {
		t.Errorf("the other folder holds %v, want the second", moved)
	}
	c := s.Counts("anna@example.net")
	if c.Commands["UID STORE"] != 2 || c.Logins != 1 || c.Open != 1 {
		t.Errorf("Counts returns %+v, want 2 UID STORE, 1 login, 1 open connection", c)
	}
	if _, err := client.Select("INBOX", &imap.SelectOptions{ReadOnly: true}).Wait(); err != nil {
		t.Fatal(err)
	}
	if err := client.Store(imap.UIDSetNum(1), &imap.StoreFlags{Flags: nil}, nil).Close(); err == nil {
		t.Error("a folder that was opened with EXAMINE can be changed")
	}
}

func TestEveryMechanismSignsIn(t *testing.T) {
	s := begin(t, Options{Mechanisms: []string{"PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2"}})
	for _, password := range []string{"secret", "wrong"} {
		for name, way := range map[string]sasl.Client{
			"PLAIN": sasl.NewPlainClient("", "anna@example.net", password),
			"LOGIN": sasl.NewLoginClient("anna@example.net", password),
			"OAUTHBEARER": sasl.NewOAuthBearerClient(&sasl.OAuthBearerOptions{
				Username: "anna@example.net", Token: password, Host: "localhost", Port: 143}),
			"XOAUTH2": xoauth2{"anna@example.net", password},
		} {
			err := dial(t, s, nil).Authenticate(way)
			if (err == nil) != (password == "secret") {
				t.Errorf("%s with password %q: %v", name, password, err)
			}
		}
	}
	if c := s.Counts("anna@example.net"); c.Logins != 4 || c.RefusedLogins != 4 {
		t.Errorf("Counts returns %+v, want 4 logins and 4 refused", c)
	}
}

type xoauth2 struct{ user, token string }

func (x xoauth2) Start() (string, []byte, error) {
	return "XOAUTH2", []byte("user=" + x.user + "\x01auth=Bearer " + x.token + "\x01\x01"), nil
}
func (x xoauth2) Next([]byte) ([]byte, error) { return []byte{}, nil }

func TestAConnectionInMemory(t *testing.T) {
	s := begin(t, Options{InMemory: true, TLS: postroom.TLSStart})
	deliver(t, s, "one")
	client := dial(t, s, nil)
	if err := client.Login("anna@example.net", "secret").Wait(); err != nil {
		t.Fatal(err)
	}
	if data, err := client.Select("INBOX", nil).Wait(); err != nil || data.NumMessages != 1 {
		t.Errorf("INBOX holds %+v (%v), want 1", data, err)
	}
	if s.Port != 0 {
		t.Errorf("port %d is open, want none", s.Port)
	}
}

func TestACloseEndsEverything(t *testing.T) {
	s := begin(t, Options{})
	deliver(t, s, "one")
	client := reader(t, s, nil)
	if _, err := client.Idle(); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err := net.Dial("tcp", s.Address()); err == nil {
		_ = c.Close()
		t.Error("a closed server takes connections")
	}
	if err := s.Close(); err != nil { // twice is allowed
		t.Error(err)
	}
}

func TestGmailNumbersItsMessages(t *testing.T) {
	s := begin(t, Options{Gmail: true, RequireID: true})
	deliver(t, s, "one", "two", "one")
	r := rawClient(t, s)
	r.sayFor("1 LOGIN anna@example.net secret")
	if got := r.sayFor("2 SELECT INBOX"); !strings.Contains(got, "2 NO SELECT Unsafe Login") {
		t.Errorf("SELECT before ID is answered %q, want NO", got)
	}
	if got := r.sayFor(`3 ID ("name" "x")`); !strings.Contains(got, "* ID (") {
		t.Errorf("ID is answered %q", got)
	}
	ids := func(folder string) []string {
		r.sayFor("4 SELECT " + folder)
		var ids []string
		for line := range strings.Lines(r.sayFor("5 UID FETCH 1:* (UID FLAGS X-GM-MSGID)")) {
			if _, rest, ok := strings.Cut(line, "X-GM-MSGID "); ok {
				ids = append(ids, strings.Fields(rest)[0])
			}
		}
		return ids
	}
	in, all := ids("INBOX"), ids(`"[Gmail]/All Mail"`)
	if len(in) != 3 || in[0] == in[2] || !slices.Equal(in, all) {
		t.Errorf("the ids are %q and in All Mail %q, want three, and the same there", in, all)
	}
	if !strings.Contains(r.greeting, "X-GM-EXT-1") {
		t.Errorf("the greeting is %q, want X-GM-EXT-1 in it", r.greeting)
	}
}
