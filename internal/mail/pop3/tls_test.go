package pop3

import (
	"crypto/tls"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/simulator"
)

// encrypted plays a dialogue behind TLS: at once, or after one in clear. It
// returns the authority that signed its certificate, too.
func encrypted(t *testing.T, before, dialogue string) (addr *net.TCPAddr, ca string) {
	t.Helper()
	authority, err := simulator.NewAuthority()
	if err != nil {
		t.Fatal(err)
	}
	certificate, key, err := authority.Issue(time.Now().Add(-time.Hour), time.Now().Add(time.Hour), "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		t.Fatal(err)
	}
	return serve(t, func(conn net.Conn) {
		if before != "" {
			play(t, conn, before)
		}
		server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}})
		defer server.Close()
		if server.Handshake() == nil {
			play(t, server, dialogue)
		}
	}), authority.PEM
}

func TestEncryptedConnections(t *testing.T) {
	const (
		clear = "S: +OK hello <1@b>\nC: CAPA\nR: \"+OK\\r\\nSTLS\\r\\nSASL SCRAM-SHA-256\\r\\n.\\r\\n\"\nC: STLS\nS: +OK go ahead"
		// Behind STLS there is no greeting, and the list of before is forgotten.
		behind = "C: CAPA\nR: \"+OK\\r\\nSASL SCRAM-SHA-256 PLAIN\\r\\nUSER\\r\\n.\\r\\n\"\n" +
			"C: AUTH PLAIN\nS: +\nC: AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk\nS: +OK\nC: CAPA\nR: \"+OK\\r\\nUIDL\\r\\n.\\r\\n\"\nhang"
	)
	for policy, words := range map[postroom.TLSPolicy][2]string{
		postroom.TLSImplicit: {"", "S: +OK hello <1@b>\n" + behind},
		postroom.TLSStart:    {clear, behind},
	} {
		t.Run(string(policy), func(t *testing.T) {
			addr, ca := encrypted(t, words[0], words[1])
			o := optionsFor(addr)
			o.TLS, o.CACertificate = policy, ca
			if c := open(t, o); !c.Has("UIDL") || c.Has("STLS") {
				t.Errorf("capabilities = %q", c.capabilities)
			}
		})
		t.Run(string(policy)+", not trusted", func(t *testing.T) {
			addr, _ := encrypted(t, words[0], words[1])
			o := optionsFor(addr)
			o.TLS = policy
			r := refusalOfOpen(t, o)
			if r.Err == nil || !strings.Contains(r.Err.Error(), "unknown authority") || r.Protocol != postroom.POP3 {
				t.Errorf("refusal = %+v", r)
			}
		})
	}
}

func TestClearTextOnAPortForTLS(t *testing.T) {
	o := optionsFor(script(t, "S: +OK hello, hang up is fine\nhang"))
	o.TLS = postroom.TLSImplicit
	if r := refusalOfOpen(t, o); r.Phase != mail.PhaseConnect || !strings.Contains(r.Error(), "first record does not look like a TLS handshake") {
		t.Errorf("refusal = %v", r.Err)
	}
}
