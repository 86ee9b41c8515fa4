package simulator

import (
	"net"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// uidls signs in, lists and leaves.
func uidls(t *testing.T, p *POP3Server) []string {
	t.Helper()
	r := popLogin(t, p)
	var list []string
	for line := range strings.Lines(r.askLong("UIDL")) {
		if m := regexp.MustCompile(`^\d+ (\S+)\r\n$`).FindStringSubmatch(line); m != nil {
			list = append(list, m[1])
		}
	}
	r.ask("QUIT")
	return list
}

func TestUIDLs(t *testing.T) {
	p := threeByPOP3(t)
	with := func(kind UIDLs) []string {
		p.SetFaults(anna, Faults{POP3: POP3Faults{UIDLs: kind}})
		return uidls(t, p)
	}
	stay := with(UIDLsStay)
	if again := with(UIDLsStay); len(stay) != 3 || stay[0] == stay[1] || !slices.Equal(stay, again) {
		t.Errorf("UIDLs that stay are %q and %q", stay, again)
	}
	fresh := with(UIDLsFresh)
	for _, again := range with(UIDLsFresh) {
		if slices.Contains(fresh, again) {
			t.Errorf("UIDL %s comes again in another session", again)
		}
	}
	if shared := with(UIDLsShared); shared[0] != shared[1] || shared[1] == shared[2] {
		t.Errorf("shared UIDLs are %q, want the first two the same", shared)
	}
	reused := with(UIDLsReused)
	_ = p.provider.Expunge(anna, "INBOX", 2)
	deliver(t, p.provider, "Subject: 1\r\n\r\nfirst\r\n")
	if again := with(UIDLsReused); !slices.Equal(again, []string{reused[0], reused[2], reused[1]}) {
		t.Errorf("UIDLs %q become %q, want the second for the message that came", reused, again)
	}
	if again := with(UIDLsStay); slices.Contains(stay, again[2]) {
		t.Errorf("UIDL %s stands for another message", again[2])
	}
	if digests := with(UIDLsFromMail); digests[0] != digests[2] || digests[0] == digests[1] {
		t.Errorf("digests are %q, want the same for the same bytes", digests)
	}
}

func TestAMaildropIsLeftAsItsQuitGoes(t *testing.T) {
	for name, c := range map[string]struct {
		faults Faults
		answer string
		left   int
	}{
		"cut before":    {Faults{CutBefore: []string{"QUIT"}}, "", 3},
		"cut after":     {Faults{CutAfter: []string{"QUIT"}}, "", 2},
		"refused":       {Faults{Replies: map[string]string{"QUIT": "-ERR [SYS/TEMP] Not now"}}, "-ERR [SYS/TEMP] Not now\r\n", 3},
		"EXPIRE 0":      {Faults{POP3: POP3Faults{Expire: "0"}}, "+OK Bye\r\n", 1},
		"sizes too big": {Faults{POP3: POP3Faults{SizesOffBy: 5}}, "+OK Bye\r\n", 2},
	} {
		t.Run(name, func(t *testing.T) {
			p := threeByPOP3(t)
			p.SetFaults(anna, c.faults)
			r := popLogin(t, p)
			r.askLong("RETR 1")
			r.ask("DELE 2")
			r.say("QUIT")
			got := r.until("")
			left := len(p.provider.Messages(anna, "INBOX"))
			if got != c.answer || left != c.left {
				t.Errorf("QUIT is answered %q and leaves %d, want %q and %d", got, left, c.answer, c.left)
			}
		})
	}
}

func TestSizesMayBeWrong(t *testing.T) {
	p := threeByPOP3(t)
	for off, want := range map[int64]string{7: "+OK 3 85\r\n", -1000: "+OK 3 0\r\n"} {
		p.SetFaults(anna, Faults{POP3: POP3Faults{SizesOffBy: off}})
		r := popLogin(t, p)
		if got := r.ask("STAT"); got != want {
			t.Errorf("off by %d STAT is answered %q, want %q", off, got, want)
		}
		if got := r.askLong("RETR 2"); !strings.Contains(got, "second\r\n.\r\n") {
			t.Errorf("RETR is answered %q, want the whole message", got)
		}
		r.ask("QUIT")
	}
}

func TestARETRGoesWrong(t *testing.T) {
	whole := "+OK 22 octets\r\nSubject: 2\r\n\r\nsecond\r\n.\r\n"
	for name, c := range map[string]struct {
		faults Faults
		want   string
	}{
		"not at all":        {Faults{}, whole},
		"in its place":      {Faults{CutAtFetch: 1}, ""},
		"in the middle":     {Faults{CutInLiteral: 1}, "+OK 22 octets\r\nSubject: 2\r"},
		"after bytes":       {Faults{CutAfterBytes: 20}, whole[:20]},
		"cut before":        {Faults{CutBefore: []string{"RETR"}}, ""},
		"refused":           {Faults{RefuseUIDs: []uint32{2}}, "-ERR [SYS/PERM] Could not read message file\r\n"},
		"refused by number": {Faults{Replies: map[string]string{"RETR 2": "-ERR no"}}, "-ERR no\r\n"},
		"empty":             {Faults{OmitUIDs: []uint32{2}}, "+OK 22 octets\r\n.\r\n"},
		"slow":              {Faults{BytesPerSecond: 2000}, whole},
		"byte by byte":      {Faults{OneBytePerPacket: true}, whole},
		"after thought":     {Faults{Pause: map[string]time.Duration{"RETR": time.Millisecond}}, whole},
		"other line ends":   {Faults{POP3: POP3Faults{Rewrite: LineFeeds}}, "+OK 22 octets\r\nSubject: 2\n\nsecond\n\r\n.\r\n"},
		"more fields": {Faults{POP3: POP3Faults{Rewrite: StatusFields}},
			"+OK 22 octets\r\nX-UIDL: 7f3a0b\r\nStatus: U\r\nSubject: 2\r\n\r\nsecond\r\n.\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			p := threeByPOP3(t)
			r := popLogin(t, p)
			p.SetFaults(anna, c.faults)
			r.say("RETR 2")
			got := r.until("")
			if strings.HasPrefix(got, "+OK") {
				got += r.until(".\r\n")
			}
			if got != c.want {
				t.Errorf("RETR is answered %q, want %q", got, c.want)
			}
		})
	}
	t.Run("fields change with reading", func(t *testing.T) {
		p := threeByPOP3(t)
		p.SetFaults(anna, Faults{POP3: POP3Faults{Rewrite: StatusFields}})
		r := popLogin(t, p)
		if first, second := r.askLong("RETR 1"), r.askLong("RETR 1"); !strings.Contains(first, "Status: U\r") || !strings.Contains(second, "Status: RO\r") {
			t.Errorf("RETR is answered %q and then %q", first, second)
		}
		if raw := p.provider.Messages(anna, "INBOX")[0].Raw; strings.Contains(string(raw), "Status") {
			t.Errorf("what is kept has become %q", raw)
		}
	})
}

func TestRewritesOfAMessage(t *testing.T) {
	for name, c := range map[string]struct {
		rewrite   func([]byte, int) []byte
		raw, want string
	}{
		"LineFeeds":          {LineFeeds, "a\r\nb\n\r\n", "a\nb\n\n"},
		"CarriageReturns":    {CarriageReturns, "a\nb\r\n\n", "a\r\nb\r\n\r\n"},
		"WithoutFinalBlanks": {WithoutFinalBlanks, "a\r\n\r\n\r\n", "a"},
	} {
		if got := string(c.rewrite([]byte(c.raw), 0)); got != c.want {
			t.Errorf("%s makes %q of %q, want %q", name, got, c.raw, c.want)
		}
	}
}

func TestALoginByPOP3IsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		faults Faults
		want   string
	}{
		"by words":         {Faults{RefuseLogin: "-ERR [SYS/PERM] Your account is not enabled for POP access."}, "-ERR [SYS/PERM] Your account is not enabled for POP access.\r\n"},
		"too many":         {Faults{MaxPerAccount: 1, TooMany: "Too many open connections"}, "-ERR Too many open connections\r\n"},
		"one command":      {Faults{Replies: map[string]string{"PASS": "-ERR Temporary problem, please try again later"}}, "-ERR Temporary problem, please try again later\r\n"},
		"after it is done": {Faults{CutAfter: []string{"PASS"}}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := popOf(t, three(t), POP3Options{Shared: true})
			popLogin(t, p)
			p.SetFaults("", c.faults)
			r := popClient(t, p)
			r.ask("USER " + anna)
			if got := r.ask("PASS secret"); got != c.want {
				t.Errorf("PASS is answered %q, want %q", got, c.want)
			}
		})
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	p := threeByPOP3(t)
	p.SetFaults("", Faults{MaxConnections: 1, TooMany: "[SYS/TEMP] Too many connections"})
	first := popLogin(t, p)
	for range 2 { // those that were turned away do not count
		r := popClient(t, p)
		if got := r.greeting + r.rest(); got != "-ERR [SYS/TEMP] Too many connections\r\n" {
			t.Errorf("the second connection is greeted with %q", got)
		}
	}
	if got := first.ask("NOOP"); !strings.HasPrefix(got, "+OK") {
		t.Errorf("the first is answered %q", got)
	}
	first.ask("QUIT")
	_ = first.rest()
	untilOpen(t, &p.port, 0)
	popLogin(t, p)
}

func TestAPOP3ServerKeepsSilent(t *testing.T) {
	for _, name := range []string{"CAPA", "USER", "PASS", "LIST", "UIDL", "RETR", "DELE", "QUIT"} {
		p := threeByPOP3(t)
		p.SetFaults("", Faults{Ignore: []string{name}})
		r := popClient(t, p)
		for _, line := range []string{"CAPA", "USER " + anna, "PASS secret", "LIST", "UIDL", "RETR 1", "DELE 1", "QUIT"} {
			r.say(line)
			command, _, _ := strings.Cut(line, " ")
			if command == name {
				break
			}
			got := r.until("")
			if strings.HasPrefix(got, "+OK") && slices.Contains([]string{"CAPA", "LIST", "UIDL", "RETR"}, command) {
				r.until(".\r\n")
			}
		}
		if !r.hearsNothing() {
			t.Errorf("%s is answered", name)
		}
	}
	p := threeByPOP3(t)
	p.SetFaults("", Faults{Ignore: []string{"GREETING"}})
	connection, err := net.Dial("tcp", p.Address())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close()
	_ = connection.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := connection.Read(make([]byte, 1)); n > 0 || err == nil {
		t.Error("a server without greeting says something")
	}
	p.SetFaults("", Faults{ByeAtGreeting: "[SYS/TEMP] Server shutting down."})
	if r := popClient(t, p); r.greeting+r.rest() != "-ERR [SYS/TEMP] Server shutting down.\r\n" {
		t.Errorf("the greeting is %q", r.greeting)
	}
}

func TestALoginMustWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, Options{InMemory: true})
		defer s.Close()
		p := popOf(t, s, POP3Options{})
		p.SetFaults(anna, Faults{POP3: POP3Faults{LoginDelay: 5 * time.Minute}})
		login := func() string {
			r := dialPOP3(t, p)
			defer r.Close()
			return r.login(anna, "secret") + r.ask("QUIT")
		}
		if got := login(); !strings.Contains(got, "+OK 0 messages") {
			t.Errorf("the first login is answered %q", got)
		}
		time.Sleep(5*time.Minute - time.Second)
		if got := login(); !strings.Contains(got, "-ERR [LOGIN-DELAY] Logins must be at least 5m0s apart") {
			t.Errorf("a login too soon is answered %q", got)
		}
		time.Sleep(time.Second)
		if got := login(); !strings.Contains(got, "+OK 0 messages") {
			t.Errorf("a login in time is answered %q", got)
		}
	})
}

func TestGmailHidesWhatWasHandedOut(t *testing.T) {
	s := begin(t, Options{Gmail: true})
	deliver(t, s, "one", "two", "three")
	if _, err := s.Append(anna, "INBOX", []byte("old"), time.Now().AddDate(0, 0, -31)); err != nil {
		t.Fatal(err)
	}
	p := popOf(t, s, POP3Options{})
	session := func(user string, lines ...string) string {
		r := popClient(t, p)
		if !strings.HasPrefix(r.greeting, "+OK Gpop ready") {
			t.Errorf("the greeting is %q", r.greeting)
		}
		r.ask("USER " + user)
		got := r.ask("PASS secret")
		for _, line := range lines {
			if strings.HasPrefix(r.ask(line), "+OK") && line != "QUIT" && !strings.HasPrefix(line, "DELE") {
				r.until(".\r\n")
			}
		}
		_ = r.Close()
		untilOpen(t, &p.port, 0)
		return got
	}
	for _, c := range []struct {
		user  string
		lines []string
		want  string
	}{
		{anna, []string{"UIDL", "TOP 1 0", "QUIT"}, "+OK 4 messages\r\n"},
		{anna, []string{"RETR 1"}, "+OK 4 messages\r\n"}, // TOP hides nothing
		{anna, []string{"RETR 1", "DELE 2", "QUIT"}, "+OK 4 messages\r\n"},
		{anna, nil, "+OK 2 messages\r\n"}, // a session without QUIT hid nothing
		{"recent:" + anna, []string{"RETR 1", "DELE 1", "QUIT"}, "+OK 3 messages\r\n"},
		{"recent:" + anna, nil, "+OK 3 messages\r\n"},
	} {
		if got := session(c.user, c.lines...); got != c.want {
			t.Errorf("the login of %s is answered %q, want %q", c.user, got, c.want)
		}
	}
	if left := s.Messages(anna, "INBOX"); len(left) != 4 {
		t.Errorf("%d messages are left, want all 4", len(left))
	}
}

// dialPOP3 connects in memory.
func dialPOP3(t *testing.T, p *POP3Server) *raw {
	t.Helper()
	connection, err := p.Dial(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	return newRaw(t, connection)
}
