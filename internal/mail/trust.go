package mail

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
)

// tlsConfig is what e trusts: the system's roots; or those and the mailbox's own
// CA; or one certificate and no other.
func (e Endpoint) tlsConfig() (*tls.Config, error) {
	host, err := e.asciiHost()
	if err != nil {
		return nil, err
	}
	authority := e.CACertificate
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	switch {
	case e.PinnedSHA256 != "":
		pin, err := parsePin(e.PinnedSHA256)
		if err != nil {
			return nil, err
		}
		config.InsecureSkipVerify = true // the pin decides instead
		config.VerifyConnection = func(state tls.ConnectionState) error {
			return verifyPin(state, pin)
		}
	case authority != "":
		if _, err := poolOf(authority); err != nil {
			return nil, err
		}
		// The system's roots are asked first and apart, and the own one is read anew
		// when it is needed: each open connection would hold on to a pool of its own.
		config.InsecureSkipVerify = true // verifyChain decides instead
		config.VerifyConnection = func(state tls.ConnectionState) error {
			own, err := poolOf(authority)
			if err != nil {
				return err
			}
			return verifyChain(state, host, nil, own)
		}
	}
	return config, nil
}

func poolOf(pem string) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, errors.New("the CA certificate is not PEM, or holds no certificate")
	}
	return pool, nil
}

// verifyChain checks name, dates and chain as crypto/tls does, against each pool
// of roots in turn; nil is the system's.
func verifyChain(state tls.ConnectionState, host string, roots ...*x509.CertPool) error {
	chain := state.PeerCertificates
	options := x509.VerifyOptions{DNSName: host, Intermediates: x509.NewCertPool()}
	for _, c := range chain[1:] {
		options.Intermediates.AddCert(c)
	}
	var err error
	for _, pool := range roots {
		options.Roots = pool
		if _, err = chain[0].Verify(options); err == nil {
			return nil
		}
	}
	return &tls.CertificateVerificationError{UnverifiedCertificates: chain, Err: err}
}

// A PinMismatch says that a server showed another certificate than the pinned one.
type PinMismatch struct {
	Want, Got string // lower-case hex SHA-256 of the whole certificate
}

func (m *PinMismatch) Error() string {
	return fmt.Sprintf("the certificate is not the pinned one: it has SHA-256 %s, pinned is %s", m.Got, m.Want)
}

func verifyPin(state tls.ConnectionState, pin [sha256.Size]byte) error {
	got := sha256.Sum256(state.PeerCertificates[0].Raw)
	if got == pin {
		return nil
	}
	return &tls.CertificateVerificationError{
		UnverifiedCertificates: state.PeerCertificates,
		Err:                    &PinMismatch{Want: hex.EncodeToString(pin[:]), Got: hex.EncodeToString(got[:])},
	}
}

// ErrCertificateAsked says of a handshake that went wrong that the server had asked for
// a certificate of ours (RFC 8446 section 4.3.2). Some end it with an alert that could
// mean anything.
var ErrCertificateAsked = errors.New("the server asked for a client certificate")

// parsePin reads a SHA-256 as people copy it: in either case, with colons or
// blanks between the bytes.
func parsePin(text string) (pin [sha256.Size]byte, err error) {
	plain := strings.NewReplacer(":", "", " ", "", "-", "").Replace(strings.TrimSpace(text))
	raw, err := hex.DecodeString(plain)
	if err != nil || len(raw) != sha256.Size {
		return pin, fmt.Errorf("the pinned SHA-256 %q is not 64 hexadecimal digits", text)
	}
	return [sha256.Size]byte(raw), nil
}
