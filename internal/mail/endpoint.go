// Package mail reaches and logs in to a mail server.
package mail

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/net/idna"

	"github.com/postroom/postroom"
)

// An Endpoint says where a server is, how the connection is encrypted and which
// certificate is trusted.
type Endpoint struct {
	Host          string // a name, also an international one, or an IP address
	Port          int
	TLS           postroom.TLSPolicy
	CACertificate string // PEM; trusted besides the system's roots
	PinnedSHA256  string // hex; the one certificate that is accepted, whatever its name, issuer and dates

	ConnectTimeout time.Duration // for TCP and TLS together; 0: [postroom.DefaultConnectTimeout]
	AuthTimeout    time.Duration // from the first word of a login to its answer; 0: [postroom.DefaultAuthTimeout]

	// Dial makes the TCP connection; nil: a plain [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Encrypted hears of each handshake that went well, before anything is said; nil:
	// nobody listens.
	Encrypted func(tls.ConnectionState)
}

// WithDefaults returns e with every time-out set.
func (e Endpoint) WithDefaults() Endpoint {
	if e.ConnectTimeout <= 0 {
		e.ConnectTimeout = postroom.DefaultConnectTimeout
	}
	if e.AuthTimeout <= 0 {
		e.AuthTimeout = postroom.DefaultAuthTimeout
	}
	return e
}

// AuthDeadline is until when the answer to a login is waited for that begins now: a
// fifth longer than the time-out. Courier thinks for five seconds, which is our
// default, before it says that a password is wrong; it must not always be said that
// it did not answer.
func (e Endpoint) AuthDeadline() time.Time {
	timeout := e.WithDefaults().AuthTimeout
	return time.Now().Add(timeout + timeout/5)
}

// Dial connects to e, and with [postroom.TLSImplicit] shakes hands. What goes
// wrong is a [*Refusal] of [PhaseConnect].
func Dial(ctx context.Context, e Endpoint) (net.Conn, error) {
	e = e.WithDefaults()
	ctx, cancel := context.WithTimeout(ctx, e.ConnectTimeout)
	defer cancel()

	host, err := e.asciiHost()
	if err != nil {
		return nil, &Refusal{Phase: PhaseConnect, Err: err}
	}
	dial := e.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	conn, err := dial(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(e.Port)))
	if err != nil {
		return nil, &Refusal{Phase: PhaseConnect, Err: err}
	}
	if e.TLS != postroom.TLSImplicit {
		return conn, nil
	}
	return e.handshake(ctx, conn, PhaseConnect)
}

// StartTLS shakes hands on a connection whose server has agreed to STARTTLS. The
// caller makes sure that nothing was received beyond that agreement; otherwise
// [ErrEarlyData] is the answer. A connection that fails is closed.
func StartTLS(ctx context.Context, conn net.Conn, e Endpoint) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, e.WithDefaults().ConnectTimeout)
	defer cancel()
	if err := conn.SetDeadline(time.Time{}); err != nil { // that of the last command is over
		conn.Close()
		return nil, &Refusal{Phase: PhaseStartTLS, Err: err}
	}
	return e.handshake(ctx, conn, PhaseStartTLS)
}

func (e Endpoint) handshake(ctx context.Context, conn net.Conn, phase Phase) (net.Conn, error) {
	config, err := e.tlsConfig()
	if err != nil {
		conn.Close()
		return nil, &Refusal{Phase: phase, Err: err}
	}
	asked := false
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		asked = true
		return new(tls.Certificate), nil // there is none
	}
	encrypted := tls.Client(conn, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		conn.Close()
		if asked {
			err = fmt.Errorf("%w: %w", ErrCertificateAsked, err)
		}
		return nil, &Refusal{Phase: phase, Err: err}
	}
	if e.Encrypted != nil {
		e.Encrypted(encrypted.ConnectionState())
	}
	return encrypted, nil
}

// asciiHost returns the host as DNS and certificates spell it (RFC 5891).
func (e Endpoint) asciiHost() (string, error) {
	for _, c := range []byte(e.Host) {
		if c >= 0x80 {
			host, err := idna.Lookup.ToASCII(e.Host)
			if err != nil {
				return "", fmt.Errorf("host name %q: %w", e.Host, err)
			}
			return host, nil
		}
	}
	return e.Host, nil
}
