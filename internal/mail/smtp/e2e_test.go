package smtp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/simulator"
)

// pretend runs a provider with an SMTP server and says how to open it.
func pretend(t *testing.T, o simulator.SMTPOptions) (*simulator.SMTPServer, Options) {
	t.Helper()
	provider, err := simulator.Start(simulator.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { provider.Close() })
	provider.AddAccount("anna@example.net", "pässword")
	server, err := provider.StartSMTP(o)
	if err != nil {
		t.Fatal(err)
	}
	at, err := net.ResolveTCPAddr("tcp", server.Address())
	if err != nil {
		t.Fatal(err)
	}
	options := optionsFor(at)
	options.TLS, options.CACertificate = o.TLS, provider.CAPEM
	return server, options
}

// A large message arrives to the last byte, whatever stands at the beginnings of
// its lines and wherever the parts are cut in which it goes.
func TestLargeMessageArrivesWhole(t *testing.T) {
	server, o := pretend(t, simulator.SMTPOptions{TLS: postroom.TLSStart})
	c := open(t, o)
	var letter bytes.Buffer
	letter.WriteString("Subject: large\r\n\r\n")
	for n := 0; letter.Len() < 5<<20; n++ {
		fmt.Fprintf(&letter, "%.*s%d %.*s\r\n", n%4, "....", n, n%71, "ärgerlich lange Zeilen mit . und .. und mehr davon, bis ans Ende hin")
	}
	fate, err := c.Send(t.Context(), "anna@example.net", []string{"anna@example.net", "bob@elsewhere.example"}, int64(letter.Len()), io.MultiReader(bytes.NewReader(letter.Bytes()[:12345]), bytes.NewReader(letter.Bytes()[12345:])))
	if err != nil || fate.Outcome != Sent {
		t.Fatalf("fate %+v, %v", fate, err)
	}
	taken := server.Accepted()
	if len(taken) != 1 || len(taken[0].To) != 2 || !bytes.Equal(taken[0].Raw, letter.Bytes()) {
		t.Errorf("what was taken is not what was sent: %d messages", len(taken))
	}
}

func TestTokensSignInAtAProvider(t *testing.T) {
	for _, mechanism := range []string{mail.XOAuth2, mail.OAuthBearer} {
		_, o := pretend(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit, Mechanisms: []string{mechanism}})
		o.Mechanism = mechanism
		open(t, o)
		o.Secret = postroom.Hide("run out")
		_, err := Open(t.Context(), o)
		if r := refusalOf(t, err); r.Phase != mail.PhaseAuth || r.Challenge == "" || r.Reply == "" {
			t.Errorf("%s: refusal %+v, want one with the challenge before it", mechanism, r)
		}
	}
}

// Whatever goes wrong while a message is handed over, what the server has agrees
// with what is said of it.
func TestFateAgreesWithTheServer(t *testing.T) {
	faults := map[string]simulator.Faults{"none": {}, "single bytes": {OneBytePerPacket: true}, "garbage at the end": {Replies: map[string]string{".": "what"}}}
	for _, command := range []string{"MAIL", "RCPT", "DATA", "."} {
		faults["cut before "+command] = simulator.Faults{CutBefore: []string{command}}
		faults["cut after "+command] = simulator.Faults{CutAfter: []string{command}}
		faults["later at "+command] = simulator.Faults{Replies: map[string]string{command: "451 4.3.0 Later"}}
		faults["never at "+command] = simulator.Faults{Replies: map[string]string{command: "550 5.7.1 No"}}
		faults["end at "+command] = simulator.Faults{Replies: map[string]string{command: "421 4.3.2 End"}}
	}
	for name, f := range faults {
		t.Run(name, func(t *testing.T) {
			server, o := pretend(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
			c := open(t, o)
			server.SetFaults("", f)
			fate, err := send(t, c, "bob@elsewhere.example")
			has := len(server.Accepted()) == 1
			if fate.Outcome == Sent && !has || fate.Outcome == NotSent && has {
				t.Errorf("fate %s (%v), and the server has it: %v", fate.Outcome, err, has)
			}
			if _, refused := mail.RefusalOf(err); (err == nil) != (fate.Outcome == Sent) || err != nil && !refused {
				t.Errorf("fate %s with %v", fate.Outcome, err)
			}
			if err != nil && errors.Is(err, net.ErrClosed) {
				t.Errorf("it blames our own closing: %v", err)
			}
		})
	}
}
