package mail

import (
	"context"
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
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// authority makes a CA, and a certificate of its for names and 127.0.0.1.
func authority(t *testing.T, notAfter time.Time, names ...string) (caPEM string, leaf tls.Certificate) {
	t.Helper()
	caKey, caDER := certificate(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}, nil, nil)
	ca, err := x509.ParseCertificate(caDER)
	if err != nil {
		t.Fatal(err)
	}
	key, der := certificate(t, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "server"}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, ca, caKey)
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: caDER})
	return string(block), tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func certificate(t *testing.T, template, parent *x509.Certificate, parentKey *ecdsa.PrivateKey) (*ecdsa.PrivateKey, []byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if parent == nil {
		parent, parentKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	return key, der
}

// listen answers every connection with serve.
func listen(t *testing.T, serve func(net.Conn)) *net.TCPAddr {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			conn.SetDeadline(time.Now().Add(5 * time.Second))
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { listener.Close(); <-done })
	return listener.Addr().(*net.TCPAddr)
}

func TestTrust(t *testing.T) {
	ca, leaf := authority(t, time.Now().Add(time.Hour), "mail.example.net")
	otherCA, _ := authority(t, time.Now().Add(time.Hour), "mail.example.net")
	_, expired := authority(t, time.Now().Add(-time.Minute), "mail.example.net")
	sum := sha256.Sum256(leaf.Certificate[0])
	pin := hex.EncodeToString(sum[:])
	expiredSum := sha256.Sum256(expired.Certificate[0])

	tests := map[string]struct {
		server  tls.Certificate
		version uint16 // the server's highest
		set     Endpoint
		want    string // part of the error
	}{
		"a CA that is known":     {leaf, 0, Endpoint{CACertificate: ca}, ""},
		"no CA":                  {leaf, 0, Endpoint{}, "certificate signed by unknown authority"},
		"another CA":             {leaf, 0, Endpoint{CACertificate: otherCA}, "certificate signed by unknown authority"},
		"another name":           {leaf, 0, Endpoint{CACertificate: ca, Host: "imap.example.org"}, "certificate is valid for mail.example.net, not imap.example.org"},
		"too late":               {expired, 0, Endpoint{CACertificate: ca}, "x509: certificate"},
		"an old TLS":             {leaf, tls.VersionTLS11, Endpoint{CACertificate: ca}, "protocol version"},
		"a CA that is no PEM":    {leaf, 0, Endpoint{CACertificate: "hello"}, "not PEM"},
		"the pinned one":         {leaf, 0, Endpoint{PinnedSHA256: pin}, ""},
		"the pin as people copy": {leaf, 0, Endpoint{PinnedSHA256: " " + withColons(strings.ToUpper(pin)) + "\n"}, ""},
		"pinned, another name":   {leaf, 0, Endpoint{PinnedSHA256: pin, Host: "imap.example.org"}, ""},
		"pinned, too late":       {expired, 0, Endpoint{PinnedSHA256: hex.EncodeToString(expiredSum[:])}, ""},
		"another pin":            {leaf, 0, Endpoint{PinnedSHA256: strings.Repeat("0", 64)}, "not the pinned one: it has SHA-256 " + pin},
		"another pin, known CA":  {leaf, 0, Endpoint{PinnedSHA256: strings.Repeat("0", 64), CACertificate: ca}, "not the pinned one"},
		"a pin that is none":     {leaf, 0, Endpoint{PinnedSHA256: "abc"}, "not 64 hexadecimal digits"},
	}
	for name, test := range tests {
		for _, policy := range []postroom.TLSPolicy{postroom.TLSImplicit, postroom.TLSStart} {
			t.Run(name+", "+string(policy), func(t *testing.T) {
				config := &tls.Config{Certificates: []tls.Certificate{test.server}, MinVersion: tls.VersionTLS10, MaxVersion: test.version}
				addr := listen(t, func(conn net.Conn) {
					if server := tls.Server(conn, config); server.Handshake() == nil {
						server.Write([]byte("hello"))
					}
				})
				e := test.set
				if e.Host == "" {
					e.Host = "mail.example.net"
				}
				e.Port, e.TLS = addr.Port, policy
				shown := 0
				e.Encrypted = func(state tls.ConnectionState) { shown = len(state.PeerCertificates) }
				e.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
					return new(net.Dialer).DialContext(ctx, network, addr.String())
				}
				conn, err := Dial(t.Context(), e)
				phase := PhaseConnect
				if err == nil && policy == postroom.TLSStart {
					phase = PhaseStartTLS
					conn, err = StartTLS(t.Context(), conn, e)
				}
				if (shown == 1) != (test.want == "") {
					t.Errorf("heard of %d certificates", shown)
				}
				if test.want != "" {
					r, ok := RefusalOf(err)
					if !ok || r.Phase != phase || !strings.Contains(err.Error(), test.want) {
						t.Errorf("err = %v, want a refusal with %q", err, test.want)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				got := make([]byte, 5)
				if n, err := conn.Read(got); err != nil || string(got[:n]) != "hello" {
					t.Errorf("Read = %q, %v", got[:n], err)
				}
			})
		}
	}
}

func withColons(digits string) string {
	var pairs []string
	for i := 0; i < len(digits); i += 2 {
		pairs = append(pairs, digits[i:i+2])
	}
	return strings.Join(pairs, ":")
}

func TestConnectTimeoutCoversTheHandshake(t *testing.T) {
	addr := listen(t, func(conn net.Conn) { conn.Read(make([]byte, 1<<16)); conn.Read(make([]byte, 1)) })
	e := Endpoint{Host: "127.0.0.1", Port: addr.Port, TLS: postroom.TLSImplicit, ConnectTimeout: 50 * time.Millisecond}
	_, err := Dial(t.Context(), e)
	if r, ok := RefusalOf(err); !ok || r.Phase != PhaseConnect || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Dial: %v", err)
	}
}

func TestInternationalHostNames(t *testing.T) {
	var asked string
	e := Endpoint{Host: "büro.example", Port: 143, TLS: postroom.TLSNone, Dial: func(_ context.Context, _, addr string) (net.Conn, error) {
		asked = addr
		return nil, net.ErrClosed
	}}
	if _, err := Dial(t.Context(), e); !errors.Is(err, net.ErrClosed) || asked != "xn--bro-hoa.example:143" {
		t.Errorf("Dial: %v, asked for %q", err, asked)
	}
	e.Host = "ü-.example"
	if _, err := Dial(t.Context(), e); err == nil || errors.Is(err, net.ErrClosed) {
		t.Errorf("Dial: %v", err)
	}
}

func TestRefusalReadsLikeASentence(t *testing.T) {
	r := &Refusal{Protocol: postroom.IMAP, Phase: PhaseAuth, Reply: "NO [X] y", Challenge: "{}", Err: net.ErrClosed}
	if want := "imap auth: NO [X] y: {}: use of closed network connection"; r.Error() != want {
		t.Errorf("Error = %q, want %q", r.Error(), want)
	}
}
