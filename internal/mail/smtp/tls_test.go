package smtp

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
	"errors"
	"math/big"
	"net"
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
	return serve(t, func(conn net.Conn) {
		play(t, conn, before)
		server := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{cert}})
		if server.Handshake() == nil {
			play(t, server, dialogue)
		}
	})
}

func TestEncryptedConnections(t *testing.T) {
	cert, ca, pin := selfSigned(t)
	_, otherCA, otherPin := selfSigned(t)
	const (
		inClear = "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250-AUTH LOGIN\nS: 250-SIZE 1\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 go ahead"
		behind  = "C: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AGFubmFAZXhhbXBsZS5uZXQAcMOkc3N3b3Jk\nS: 235 ok\nC: QUIT\nS: 221 bye"
	)
	tests := map[string]struct {
		policy           postroom.TLSPolicy
		ca, pin          string
		before, dialogue string
		wantPhase        mail.Phase // empty: it works
		wantErr          error
	}{
		"TLS at once with its CA":        {policy: postroom.TLSImplicit, ca: ca, dialogue: "S: 220 hello\n" + behind},
		"TLS at once, pinned":            {policy: postroom.TLSImplicit, pin: pin, dialogue: "S: 220 hello\n" + behind},
		"TLS at once with another CA":    {policy: postroom.TLSImplicit, ca: otherCA, wantPhase: mail.PhaseConnect},
		"TLS at once, another pinned":    {policy: postroom.TLSImplicit, pin: otherPin, wantPhase: mail.PhaseConnect},
		"STARTTLS with its CA":           {policy: postroom.TLSStart, ca: ca, before: inClear, dialogue: behind},
		"STARTTLS, pinned":               {policy: postroom.TLSStart, pin: pin, before: inClear, dialogue: behind},
		"STARTTLS without a known CA":    {policy: postroom.TLSStart, before: inClear, wantPhase: mail.PhaseStartTLS},
		"STARTTLS that is not offered":   {policy: postroom.TLSStart, ca: ca, before: "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 AUTH PLAIN\nsilence", wantPhase: mail.PhaseStartTLS, wantErr: mail.ErrNoStartTLS},
		"STARTTLS from a HELO server":    {policy: postroom.TLSStart, ca: ca, before: "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 502 what\nC: HELO [127.0.0.1]\nS: 250 hello\nsilence", wantPhase: mail.PhaseStartTLS, wantErr: mail.ErrNoStartTLS},
		"STARTTLS that is refused":       {policy: postroom.TLSStart, ca: ca, before: "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 STARTTLS\nC: STARTTLS\nS: 454 4.7.0 TLS not available\nsilence", wantPhase: mail.PhaseStartTLS},
		"words slipped in before TLS":    {policy: postroom.TLSStart, ca: ca, before: "S: 220 hello\nC: EHLO [127.0.0.1]\nS: 250-hello\nS: 250 STARTTLS\nC: STARTTLS\n" + `R: "220 go ahead\r\n250 AUTH PLAIN\r\n"` + "\nsilence", wantPhase: mail.PhaseStartTLS, wantErr: mail.ErrEarlyData},
		"a server that does not encrypt": {policy: postroom.TLSImplicit, ca: ca, before: "S: 220 hello\nsilence", wantPhase: mail.PhaseConnect},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			o := optionsFor(encrypted(t, cert, test.before, test.dialogue))
			o.TLS, o.CACertificate, o.PinnedSHA256 = test.policy, test.ca, test.pin
			c, err := Open(t.Context(), o)
			if test.wantPhase == "" {
				if err != nil {
					t.Fatalf("Open: %v", err)
				}
				if c.MaxSize() != 0 {
					t.Error("what was said in clear is believed")
				}
				c.Close()
				return
			}
			if err == nil {
				c.Close()
				t.Fatal("Open succeeded")
			}
			r := refusalOf(t, err)
			if r.Phase != test.wantPhase || test.wantErr != nil && !errors.Is(r, test.wantErr) {
				t.Errorf("refusal %+v, want one of phase %s: %v", r, test.wantPhase, test.wantErr)
			}
		})
	}
}
