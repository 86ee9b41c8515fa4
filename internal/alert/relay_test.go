package alert

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// relay starts a server that takes notices, and has the desk use it.
func (p *place) relay() *simulator.SMTPServer {
	p.t.Helper()
	provider, err := simulator.Start(simulator.Options{})
	p.must(err)
	p.t.Cleanup(func() { provider.Close() })
	provider.AddAccount("postroom@example.com", "pässword")
	server, err := provider.StartSMTP(simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	p.must(err)
	at, err := net.ResolveTCPAddr("tcp", server.Address())
	p.must(err)
	password := postroom.Hide("pässword")
	p.must(p.SetRelay(p.t.Context(), admin(), Relay{From: "postroom@example.com", Password: &password, ServerSettings: postroom.ServerSettings{
		Host: at.IP.String(), Port: at.Port, TLS: postroom.TLSImplicit, Username: "postroom@example.com", CACertificate: provider.CAPEM,
	}}))
	return server
}

func TestNoticesLeaveByTheRelayFirst(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.mailbox("sales")
	server := p.relay()
	p.trouble(lost(), p.mailbox("support"))
	p.wantPost("by a mailbox", 0)
	taken := server.Accepted()
	if len(taken) != 1 || taken[0].From != "postroom@example.com" || len(taken[0].To) != 1 || taken[0].To[0] != "ann@example.org" {
		t.Fatalf("the relay has taken %+v", taken)
	}
	h := headerOf(t, string(taken[0].Raw))
	if !p.IsOwn(h) || h.Text("Subject") != "Postroom: support needs somebody to sign in again" || !strings.HasSuffix(h.MessageID(), "@example.com") {
		t.Errorf("it has taken\n%s", taken[0].Raw)
	}
	notices, err := p.Notices(t.Context(), admin(), p.wantAlert("told").ID)
	if err != nil || len(notices) != 1 || notices[0].State != postroom.NoticeSent || notices[0].Via != "127.0.0.1" || notices[0].SentAt.IsZero() {
		t.Errorf("notices: %+v, %v", notices, err)
	}
}

// What could not leave until then leaves once a relay is entered, whenever its next try was due.
func TestWhatHasWaitedLeavesByANewRelay(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.trouble(lost(), p.mailbox("support")) // the only one there is
	p.wantPost("there is no way", 0)
	p.pass(time.Minute)
	p.wantPost("it was tried again", 0)
	server := p.relay()
	p.wantPost("by a mailbox", 0)
	if taken := server.Accepted(); len(taken) != 1 {
		t.Errorf("the relay has taken %d, want the one that waited", len(taken))
	}
}

func TestWhatTheRelayDoesNotTakeLeavesByAMailbox(t *testing.T) {
	for name, test := range map[string]struct {
		faults         simulator.Faults
		byMailbox      int
		byRelay, later int // mails that the relay has at first, and in the end
	}{
		"the password is refused":                {simulator.Faults{RefuseLogin: "535 5.7.8 Error"}, 1, 0, 0},
		"the sender is refused":                  {simulator.Faults{Replies: map[string]string{"MAIL": "550 5.7.1 No"}}, 1, 0, 0},
		"it is busy":                             {simulator.Faults{Replies: map[string]string{"DATA": "451 4.3.0 Later"}}, 1, 0, 0},
		"it hangs":                               {simulator.Faults{Ignore: []string{"MAIL"}}, 1, 0, 0},
		"it ends before it has the mail":         {simulator.Faults{CutBefore: []string{"DATA"}}, 1, 0, 0},
		"nobody knows whether it has it":         {simulator.Faults{CutAfter: []string{"."}}, 0, 1, 2},
		"it hangs when it has it":                {simulator.Faults{Ignore: []string{"."}}, 0, 0, 0},
		"nothing is wrong but the time it takes": {simulator.Faults{Pause: map[string]time.Duration{".": 50 * time.Millisecond}}, 0, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, sqlite(t))
			p.relayWait = 2 * time.Second
			p.mailbox("sales")
			server := p.relay()
			server.SetFaults("", test.faults)
			p.trouble(lost(), p.mailbox("support"))
			p.wantPost("told", test.byMailbox)
			if n := len(server.Accepted()); n != test.byRelay {
				t.Errorf("the relay has %d, want %d", n, test.byRelay)
			}
			for range 5 {
				p.pass(2 * time.Hour)
				p.wantPost("later", 0)
			}
			if n := len(server.Accepted()); n != test.later {
				t.Errorf("in the end the relay has %d, want %d", n, test.later)
			}
			a := p.wantAlert("told")
			if a.Told != 1 {
				t.Errorf("it is told %d times, want once", a.Told)
			}
		})
	}
}

func TestNoticeThatNobodyTakesIsGivenUpAndSaid(t *testing.T) {
	p := newPlace(t, sqlite(t))
	server := p.relay()
	server.SetFaults("", simulator.Faults{Replies: map[string]string{"RCPT": "550 5.1.1 There is no ann here, pässword"}})
	p.trouble(lost(), p.mailbox("support"))
	p.post()
	for range 4 * 24 {
		p.pass(time.Hour)
		if _, _, err := p.sendDue(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	notices, err := p.Notices(t.Context(), admin(), p.wantAlert("not told").ID)
	if err != nil || len(notices) != 1 || notices[0].State != postroom.NoticeRefused || notices[0].Fault == nil ||
		notices[0].Tries < 10 || notices[0].Tries > 40 || strings.Contains(notices[0].Fault.Reply, "pässword") {
		t.Errorf("notices: %+v, %v", notices, err)
	}
	warnings, err := p.Warnings(t.Context())
	if err != nil || len(warnings) != 1 || !strings.Contains(warnings[0].Explanation, "ann@example.org has not left") || !strings.Contains(warnings[0].Reply, "There is no ann") {
		t.Errorf("warnings: %+v, %v", warnings, err)
	}
}

func TestPasswordOfTheRelayGoesNowhereElse(t *testing.T) {
	p := newPlace(t, sqlite(t))
	p.relay()
	kept, ok, err := p.Relay(t.Context())
	if err != nil || !ok || !kept.HasPassword || kept.Password != nil || kept.From != "postroom@example.com" || kept.CACertificate == "" {
		t.Fatalf("Relay = %+v, %t, %v", kept, ok, err)
	}
	text, _, err := p.Store.Setting(t.Context(), settingRelay)
	if err != nil || strings.Contains(text, "ssword\"") || strings.Contains(text, "pässword") {
		t.Errorf("the setting shows the password: %s, %v", text, err)
	}
	same := kept
	same.From = "other@example.com"
	p.must(p.SetRelay(t.Context(), admin(), same))
	if kept, _, err = p.Relay(t.Context()); err != nil || !kept.HasPassword || kept.From != "other@example.com" {
		t.Errorf("Relay = %+v, %v, want its password kept", kept, err)
	}
	for name, change := range map[string]func(*Relay){
		"another host": func(r *Relay) { r.Host = "evil.example.com" }, "another port": func(r *Relay) { r.Port++ },
		"another user": func(r *Relay) { r.Username = "eve" }, "without encryption": func(r *Relay) { r.TLS = postroom.TLSNone },
		"trusting somebody else": func(r *Relay) { r.CACertificate = "" }, "an empty password": func(r *Relay) { empty := postroom.Hide(""); r.Password = &empty; r.Host = "x" },
	} {
		r := kept
		change(&r)
		err := p.SetRelay(t.Context(), admin(), r)
		if f, ok := postroom.FaultOf(err); !ok || f.Kind != postroom.Invalid || f.Field != "relay.password" {
			t.Errorf("%s: %v, want the password asked for", name, err)
		}
	}
	r := kept
	r.Username = ""
	p.must(p.SetRelay(t.Context(), admin(), r))
	if kept, _, err = p.Relay(t.Context()); err != nil || kept.HasPassword {
		t.Errorf("Relay = %+v, %v, want no password where nobody signs in", kept, err)
	}
	p.must(p.RemoveRelay(t.Context(), admin()))
	if _, ok, err := p.Relay(t.Context()); ok || err != nil {
		t.Errorf("the relay is still there: %v", err)
	}
}

func TestRelayThatCannotBeIsRefused(t *testing.T) {
	p := newPlace(t, sqlite(t))
	for field, r := range map[string]Relay{
		"relay.host": {From: "a@example.com", ServerSettings: postroom.ServerSettings{Host: "smtp://x", Port: 465, TLS: postroom.TLSImplicit}},
		"relay.port": {From: "a@example.com", ServerSettings: postroom.ServerSettings{Host: "x", Port: 70000, TLS: postroom.TLSImplicit}},
		"relay.tls":  {From: "a@example.com", ServerSettings: postroom.ServerSettings{Host: "smtp.example.com", Port: 25, TLS: postroom.TLSNone}},
		"relay.from": {From: "nobody", ServerSettings: postroom.ServerSettings{Host: "x", Port: 465, TLS: postroom.TLSImplicit}},
	} {
		err := p.SetRelay(t.Context(), admin(), r)
		if f, ok := postroom.FaultOf(err); !ok || f.Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	p.must(p.SetRelay(t.Context(), admin(), Relay{From: "a@example.com", ServerSettings: postroom.ServerSettings{Host: "localhost", Port: 25, TLS: postroom.TLSNone}}))
}
