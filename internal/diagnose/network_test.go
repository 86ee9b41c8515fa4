package diagnose

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

// listen serves each connection to a free port of this machine with serve, until
// the test ends.
func listen(t *testing.T, serve func(net.Conn)) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serve(conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().(*net.TCPAddr).Port
}

// certificate signs itself, for name and the given days from now.
func certificate(t *testing.T, name string, from, until int) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().AddDate(0, 0, from), NotAfter: time.Now().AddDate(0, 0, until),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, plan, plan, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// shakeHands serves TLS.
func shakeHands(config *tls.Config) func(net.Conn) {
	return func(conn net.Conn) {
		server := tls.Server(conn, config)
		if server.Handshake() == nil {
			io.Copy(io.Discard, server)
		}
	}
}

// dialTLS connects as a client does, and returns what went wrong.
func dialTLS(t *testing.T, port int, config *tls.Config) error {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	return tls.Client(conn, config).HandshakeContext(t.Context())
}

// greeting reads the first bytes of a server within d.
func greeting(t *testing.T, port int, d time.Duration) error {
	t.Helper()
	conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", port))
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(d))
	_, err = io.ReadFull(conn, make([]byte, 64))
	return err
}

func TestRealConnections(t *testing.T) {
	const name = "imap.example.net"
	good, trust := certificate(t, name, -1, 30)
	old, trustOld := certificate(t, name, -30, -1)
	early, trustEarly := certificate(t, name, 5, 30)
	waitForMore := func(conn net.Conn) { io.Copy(io.Discard, conn) }

	tests := map[string]struct {
		phase  string
		change func(*Failure)
		meet   func(t *testing.T, f *Failure) error
		kind   postroom.Kind
		class  postroom.Class
		says   string
		advise string
	}{
		"a closed port": {
			meet: func(t *testing.T, _ *Failure) error {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				l.Close()
				_, err = net.Dial("tcp", l.Addr().String())
				return err
			},
			phase: "connect", kind: postroom.Delayed, class: postroom.Refused,
			says: "Nothing answers at imap.example.net on port 993.", advise: "Check server name and port",
		},
		"TLS to a port that begins in clear": {
			meet: func(t *testing.T, _ *Failure) error {
				port := listen(t, func(conn net.Conn) { fmt.Fprint(conn, "* OK ready\r\n"); waitForMore(conn) })
				return dialTLS(t, port, &tls.Config{ServerName: name, RootCAs: trust})
			},
			phase: "connect", change: func(f *Failure) { f.Port = 143 },
			kind: postroom.NeedsRepair, class: postroom.ProtocolMismatch,
			says: "imap.example.net does not begin with encryption on port 143.", advise: "Choose STARTTLS for port 143, or SSL/TLS with port 993.",
		},
		"no TLS to a port that begins with it": {
			meet: func(t *testing.T, _ *Failure) error {
				return greeting(t, listen(t, shakeHands(&tls.Config{Certificates: []tls.Certificate{good}})), 30*time.Millisecond)
			},
			phase: "greeting", change: func(f *Failure) { f.TLS = postroom.TLSStart },
			kind: postroom.NeedsRepair, class: postroom.ProtocolMismatch,
			says: "says nothing on port 993 until the connection is encrypted", advise: "Choose SSL/TLS for port 993",
		},
		"silence from a server that has worked": {
			meet: func(t *testing.T, _ *Failure) error {
				return greeting(t, listen(t, waitForMore), 30*time.Millisecond)
			},
			phase: "greeting", change: func(f *Failure) { f.TLS, f.HasWorked = postroom.TLSStart, true },
			kind: postroom.Delayed, class: postroom.Timeout, says: "imap.example.net did not answer within 10 seconds: it took the connection", advise: "retried",
		},
		"a certificate that nobody knows": {
			meet: func(t *testing.T, _ *Failure) error {
				return dialTLS(t, listen(t, shakeHands(&tls.Config{Certificates: []tls.Certificate{good}})), &tls.Config{ServerName: name, RootCAs: trustOld})
			},
			phase: "connect", kind: postroom.NeedsRepair, class: postroom.TLSUntrusted,
			says: "the server has signed it itself", advise: "fingerprint",
		},
		"a certificate that has run out": {
			meet: func(t *testing.T, _ *Failure) error {
				return dialTLS(t, listen(t, shakeHands(&tls.Config{Certificates: []tls.Certificate{old}})), &tls.Config{ServerName: name, RootCAs: trustOld})
			},
			phase: "connect", kind: postroom.NeedsRepair, class: postroom.TLSUntrusted,
			says: "The certificate of imap.example.net has run out, on ", advise: "must renew it",
		},
		"a certificate of the future": {
			meet: func(t *testing.T, _ *Failure) error {
				return dialTLS(t, listen(t, shakeHands(&tls.Config{Certificates: []tls.Certificate{early}})), &tls.Config{ServerName: name, RootCAs: trustEarly})
			},
			phase: "connect", kind: postroom.NeedsRepair, class: postroom.TLSUntrusted,
			says: "is not valid yet: it begins on", advise: "clock",
		},
		"a certificate for another name": {
			meet: func(t *testing.T, f *Failure) error {
				f.Host = "mail.example.org"
				return dialTLS(t, listen(t, shakeHands(&tls.Config{Certificates: []tls.Certificate{good}})), &tls.Config{ServerName: f.Host, RootCAs: trust})
			},
			phase: "connect", kind: postroom.NeedsRepair, class: postroom.TLSMismatch,
			says: "The certificate of mail.example.org belongs to another name.", advise: "It shows imap.example.net.",
		},
		"only old encryption": {
			meet: func(t *testing.T, _ *Failure) error {
				config := &tls.Config{Certificates: []tls.Certificate{good}, MinVersion: tls.VersionTLS13}
				return dialTLS(t, listen(t, shakeHands(config)), &tls.Config{ServerName: name, RootCAs: trust, MaxVersion: tls.VersionTLS12})
			},
			phase: "connect", kind: postroom.NeedsRepair, class: postroom.TLSUntrusted, says: "no encryption that is safe", advise: "must update",
		},
		"a black hole while connecting": {
			meet: func(t *testing.T, f *Failure) error {
				// Nobody answers the handshake of this connection.
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
				defer cancel()
				conn, err := net.Dial("tcp", fmt.Sprint("127.0.0.1:", listen(t, waitForMore)))
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				return tls.Client(conn, &tls.Config{ServerName: name}).HandshakeContext(ctx)
			},
			phase: "connect", kind: postroom.Delayed, class: postroom.Timeout,
			says: "but did not encrypt it", advise: "firewall",
		},
		"a deadline that had passed before": {
			meet: func(t *testing.T, _ *Failure) error {
				_, err := (&net.Dialer{Deadline: time.Now().Add(-time.Second)}).Dial("tcp", "127.0.0.1:993")
				return err
			},
			phase: "connect", change: func(f *Failure) { f.ConnectTimeout = 2500 * time.Millisecond },
			kind: postroom.Delayed, class: postroom.Timeout, says: "within 2.5 seconds.", advise: "Check server name",
		},
		"silence after the password": {
			meet: func(t *testing.T, _ *Failure) error {
				return greeting(t, listen(t, waitForMore), 30*time.Millisecond)
			},
			phase: "auth", kind: postroom.Delayed, class: postroom.Timeout,
			says: "imap.example.net did not answer the sign-in within 5 seconds.", advise: "retried",
		},
		"a server that hangs up": {
			meet: func(t *testing.T, _ *Failure) error {
				return greeting(t, listen(t, func(conn net.Conn) { fmt.Fprint(conn, "* OK") }), time.Second)
			},
			phase: "greeting", kind: postroom.Delayed, class: postroom.ServerBusy,
			says: "closed it at once, without a word", advise: "check port and encryption",
		},
		"a cut connection": {
			meet: func(t *testing.T, _ *Failure) error {
				return greeting(t, listen(t, func(conn net.Conn) { conn.(*net.TCPConn).SetLinger(0) }), time.Second)
			},
			phase: "select", kind: postroom.Delayed, class: postroom.Refused,
			says: "The connection to imap.example.net was cut.", advise: "retried",
		},
	}
	c := Catalogue{Made: time.Unix(0, 0)} // whatever the clock of this machine says
	for title, test := range tests {
		t.Run(title, func(t *testing.T) {
			f := Failure{Protocol: postroom.IMAP, Phase: test.phase, Host: name, Port: 993, TLS: postroom.TLSImplicit}
			if test.change != nil {
				test.change(&f)
			}
			err := test.meet(t, &f)
			if err == nil {
				t.Fatal("nothing went wrong")
			}
			f.Err = fmt.Errorf("connect: %w", err)
			got := c.Explain(f)
			if got.Kind != test.kind || got.Class != test.class {
				t.Errorf("%v is %s, %s, want %s, %s", err, got.Kind, got.Class, test.kind, test.class)
			}
			if !strings.Contains(got.Explanation, test.says) || !strings.Contains(got.Remedy, test.advise) {
				t.Errorf("%v is explained as %q, %q, want %q, %q", err, got.Explanation, got.Remedy, test.says, test.advise)
			}
			checkVoice(t, title, got)
		})
	}
}

func TestTypedErrors(t *testing.T) {
	dial := func(err error) error { return &net.OpError{Op: "dial", Net: "tcp", Err: err} }
	tests := map[string]struct {
		err       error
		port      int
		hasWorked bool
		kind      postroom.Kind
		class     postroom.Class
		field     string
	}{
		"no such host":                    {dial(&net.DNSError{Err: "no such host", Name: "imap.gmial.com", IsNotFound: true}), 993, false, postroom.NeedsRepair, postroom.DNS, "incoming.host"},
		"no such host any more":           {dial(&net.DNSError{Err: "no such host", Name: "imap.gmial.com", IsNotFound: true}), 993, true, postroom.Delayed, postroom.DNS, "incoming.host"},
		"a slow name service":             {dial(&net.DNSError{Err: "i/o timeout", IsTimeout: true}), 993, false, postroom.Delayed, postroom.DNS, ""},
		"a broken name service":           {dial(&net.DNSError{Err: "server misbehaving", IsTemporary: true}), 993, false, postroom.Delayed, postroom.DNS, ""},
		"no network":                      {dial(os.NewSyscallError("connect", syscall.ENETUNREACH)), 993, false, postroom.Delayed, postroom.Refused, ""},
		"no route":                        {dial(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), 993, false, postroom.Delayed, postroom.Refused, ""},
		"timed out by the kernel":         {dial(os.NewSyscallError("connect", syscall.ETIMEDOUT)), 993, false, postroom.Delayed, postroom.Timeout, ""},
		"port 25":                         {dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), 25, false, postroom.NeedsRepair, postroom.Timeout, ""},
		"a broken pipe":                   {&net.OpError{Op: "write", Err: syscall.EPIPE}, 993, true, postroom.Delayed, postroom.Refused, ""},
		"a deadline":                      {context.DeadlineExceeded, 993, true, postroom.Delayed, postroom.Timeout, ""},
		"an outage that answers in clear": {tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}, 993, true, postroom.Delayed, postroom.ProtocolMismatch, "incoming.tls"},
		"no STARTTLS":                     {fmt.Errorf("the server doesn't support STARTTLS"), 143, false, postroom.NeedsRepair, postroom.ProtocolMismatch, "incoming.tls"},
		"another pin":                     {fmt.Errorf("tls: failed to verify certificate: the certificate is not the pinned one: it has SHA-256 aa, pinned is bb"), 993, true, postroom.NeedsRepair, postroom.TLSUntrusted, "incoming.pinned_sha256"},
		"another pin, said so":            {fmt.Errorf("certificate does not match the pinned one"), 993, true, postroom.NeedsRepair, postroom.TLSUntrusted, "incoming.pinned_sha256"},
		"text before STARTTLS":            {fmt.Errorf("unexpected plain text after the answer to STARTTLS"), 143, true, postroom.NeedsRepair, postroom.TLSUntrusted, ""},
		"words of Windows":                {fmt.Errorf("connectex: No connection could be made because the target machine actively refused it."), 993, false, postroom.Delayed, postroom.Refused, "incoming.port"},
		"no roots":                        {&tls.CertificateVerificationError{Err: x509.SystemRootsError{}}, 993, false, postroom.NeedsRepair, postroom.TLSUntrusted, ""},
		"not a server's":                  {x509.CertificateInvalidError{Reason: x509.IncompatibleUsage}, 993, false, postroom.NeedsRepair, postroom.TLSUntrusted, ""},
	}
	var c Catalogue
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			f := Failure{Protocol: postroom.IMAP, Phase: "connect", Host: "imap.example.net", Port: test.port, Err: test.err, HasWorked: test.hasWorked}
			got := c.Explain(f)
			if got.Kind != test.kind || got.Class != test.class || got.Field != test.field {
				t.Errorf("%v is %s, %s, %q, want %s, %s, %q", test.err, got.Kind, got.Class, got.Field, test.kind, test.class, test.field)
			}
			checkVoice(t, name, got)
			f.Protocol = "smtp"
			if got := c.Explain(f); strings.HasPrefix(got.Field, "incoming") {
				t.Errorf("sending blames %q", got.Field)
			}
		})
	}
}
