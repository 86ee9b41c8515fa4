package diagnose

import (
	"crypto/tls"
	"errors"
	"net"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestACertificateThatWasWithdrawn(t *testing.T) {
	var c Catalogue
	f := c.Explain(Failure{
		Protocol: postroom.IMAP, Phase: "connect", Host: "imap.example.net", Port: 993, TLS: postroom.TLSImplicit,
		Err: &tls.CertificateVerificationError{Err: errors.New("x509: “imap.example.net” certificate is revoked")},
	})
	if f.Class != postroom.TLSUntrusted || !strings.Contains(f.Explanation, "has withdrawn it") || strings.Contains(f.Remedy, "fingerprint") {
		t.Errorf("%s: %q, %q", f.Class, f.Explanation, f.Remedy)
	}
	// Here the server does not take a certificate of ours.
	f = c.Explain(Failure{Protocol: postroom.IMAP, Phase: "connect", Host: "imap.example.net", Err: &net.OpError{Op: "remote error", Err: errors.New("tls: revoked certificate")}})
	if strings.Contains(f.Explanation, "has withdrawn it") {
		t.Errorf("%s: %q", f.Class, f.Explanation)
	}
}
