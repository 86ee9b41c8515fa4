package imap

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// selfSigned makes a certificate for 127.0.0.1 that is its own authority.
func selfSigned(t testing.TB) (cert tls.Certificate, asPEM, pin string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(der)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key},
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), hex.EncodeToString(sum[:])
}

// encrypted plays a dialogue behind TLS: at once, or after one in clear.
func encrypted(t *testing.T, cert tls.Certificate, before, dialogue string) *net.TCPAddr {
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
			return
		}
		defer conn.Close()
		if before != "" {
			play(t, conn, before)
		}
		server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		defer server.Close()
		if server.Handshake() == nil {
			play(t, server, dialogue)
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().(*net.TCPAddr)
}

func TestEncryptedConnections(t *testing.T) {
	cert, ca, pin := selfSigned(t)
	_, otherCA, otherPin := selfSigned(t)
	const startTLS = "S: * OK [CAPABILITY IMAP4rev1 STARTTLS LOGINDISABLED] hello\nC: STARTTLS\nS: <tag> OK go ahead"
	login := strings.TrimSpace(welcome("IDLE"))
	// Behind STARTTLS there is no greeting, and the list of before is forgotten.
	_, behind, _ := strings.Cut(login, "\n")
	behind = "C: CAPABILITY\nS: * CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN IDLE\nS: <tag> OK done\n" + behind

	for name, test := range map[string]struct {
		ca, pin, want string
	}{
		"known CA":    {ca: ca},
		"pinned":      {pin: pin},
		"unknown CA":  {want: "certificate signed by unknown authority"},
		"another CA":  {ca: otherCA, want: "certificate signed by unknown authority"},
		"another pin": {pin: otherPin, want: "not the pinned one"},
	} {
		for policy, words := range map[postroom.TLSPolicy][2]string{
			postroom.TLSImplicit: {"", login},
			postroom.TLSStart:    {startTLS, behind},
		} {
			t.Run(name+", "+string(policy), func(t *testing.T) {
				o := optionsFor(encrypted(t, cert, words[0], words[1]+noop))
				o.TLS, o.CACertificate, o.PinnedSHA256 = policy, test.ca, test.pin
				if test.want != "" {
					r := refusalOfOpen(t, o)
					if r.Err == nil || !strings.Contains(r.Err.Error(), test.want) || r.Phase != mail.PhaseConnect && r.Phase != mail.PhaseStartTLS {
						t.Errorf("refusal = %v, want %q", r.Err, test.want)
					}
					return
				}
				c := open(t, o)
				if _, err := c.Noop(t.Context()); err != nil || !c.Has("IDLE") {
					t.Errorf("Noop: %v", err)
				}
			})
		}
	}
}

func TestClearTextOnAPortForTLS(t *testing.T) {
	o := optionsFor(script(t, "S: * OK hello, hang up is fine\nhang"))
	o.TLS = postroom.TLSImplicit
	if r := refusalOfOpen(t, o); !strings.Contains(r.Error(), "first record does not look like a TLS handshake") {
		t.Errorf("refusal = %v", r.Err)
	}
}

// An idle connection must not keep what it read into when it was busy.
func TestIdleOverTLSHoldsNoBuffer(t *testing.T) {
	cert, ca, _ := selfSigned(t)
	o := optionsFor(encrypted(t, cert, "", examined("IDLE")+"C: IDLE\nS: + ok\nS: * 6 EXISTS\nC: DONE\nS: <tag> OK done\nhang"))
	o.TLS, o.CACertificate = postroom.TLSImplicit, ca
	var c *Client
	o.Transcript = func(_ byte, line string) {
		if line == "* 6 EXISTS" && (c.lex.w > 1<<10 || c.lex.r > 1<<10) {
			t.Errorf("the buffer was in use: %d bytes", c.lex.w)
		}
	}
	c = open(t, o)
	if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
		t.Fatal(err)
	}
	if c.lex.buf != nil {
		t.Error("a buffer is kept between commands")
	}
	if news, err := c.Idle(t.Context(), time.Minute); !news || err != nil {
		t.Errorf("Idle = %v, %v", news, err)
	}
}
