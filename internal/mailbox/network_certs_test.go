//go:build unix

package mailbox

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"testing"
	"time"
)

// An issuer is a certificate that others are made with.
type issuer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// authorities are those who vouch for the servers of a test: a root that mailboxes
// trust, and a certificate of its that fits every server.
type authorities struct {
	root    issuer
	anyName tls.Certificate
}

func newAuthorities(t testing.TB) authorities {
	t.Helper()
	root := newIssuer(t, "Good Root", nil, nil)
	return authorities{root, root.server(t, "*.example.net", nil)}
}

// newIssuer makes a certificate that may sign others; parent nil: it signs itself.
func newIssuer(t testing.TB, name string, parent *issuer, change func(*x509.Certificate)) issuer {
	t.Helper()
	plan := &x509.Certificate{
		Subject: pkix.Name{CommonName: name, Organization: []string{name}}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().AddDate(-1, 0, 0), NotAfter: time.Now().AddDate(5, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	if change != nil {
		change(plan)
	}
	der, key := sign(t, plan, parent)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return issuer{cert, key}
}

func sign(t testing.TB, plan *x509.Certificate, parent *issuer) ([]byte, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	plan.SerialNumber = big.NewInt(time.Now().UnixNano())
	by := issuer{plan, key}
	if parent != nil {
		by = *parent
	}
	der, err := x509.CreateCertificate(rand.Reader, plan, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// server makes what a server shows: its certificate, and those of along.
func (by issuer) server(t testing.TB, name string, change func(*x509.Certificate), along ...issuer) tls.Certificate {
	t.Helper()
	return serverBy(t, &by, name, change, along...)
}

// serverBy is server; by nil: the server has signed its certificate itself.
func serverBy(t testing.TB, by *issuer, name string, change func(*x509.Certificate), along ...issuer) tls.Certificate {
	t.Helper()
	plan := &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().AddDate(0, -1, 0), NotAfter: time.Now().AddDate(0, 2, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	if change != nil {
		change(plan)
	}
	der, key := sign(t, plan, by)
	shown := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	for _, a := range along {
		shown.Certificate = append(shown.Certificate, a.cert.Raw)
	}
	return shown
}

// pem is what somebody pastes as the CA certificate.
func (by issuer) pem() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: by.cert.Raw}))
}
