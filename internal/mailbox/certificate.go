package mailbox

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
)

// A Certificate is what a server showed to prove who it is. Its words come from a
// stranger: they are cleaned, and cut at 200 bytes each.
type Certificate struct {
	Subject, Issuer     string
	Names               []string // those that it is for; of more than 50 the first
	NotBefore, NotAfter time.Time
	SHA256              string // of its DER, in hex: what a mailbox can be pinned to
}

const maxCertificateNames = 50

// certificateOf describes the first certificate of a chain; nil where there is none.
func certificateOf(chain []*x509.Certificate) *Certificate {
	if len(chain) == 0 {
		return nil
	}
	shown := chain[0]
	sum := sha256.Sum256(shown.Raw)
	c := &Certificate{
		Subject: nameOf(shown.Subject.CommonName, shown.Subject.Organization),
		Issuer:  nameOf(shown.Issuer.CommonName, shown.Issuer.Organization),
		// RFC 5280 section 4.1.2.5: in GMT
		NotBefore: shown.NotBefore.UTC(), NotAfter: shown.NotAfter.UTC(),
		SHA256: hex.EncodeToString(sum[:]),
	}
	for _, name := range shown.DNSNames {
		c.Names = append(c.Names, printable(name))
	}
	for _, ip := range shown.IPAddresses {
		c.Names = append(c.Names, ip.String())
	}
	c.Names = c.Names[:min(len(c.Names), maxCertificateNames)]
	if c.Subject == "" && len(c.Names) > 0 {
		c.Subject = c.Names[0]
	}
	return c
}

// nameOf is the name of who a certificate is about: the organisation says more to
// people, the common name is always there.
func nameOf(common string, organisations []string) string {
	switch {
	case len(organisations) == 0 || organisations[0] == common:
		return printable(common)
	case common == "":
		return printable(organisations[0])
	}
	return printable(organisations[0] + " (" + common + ")")
}

// printable makes words of a stranger fit for a page: one line, nothing that turns
// the writing round, at most 200 bytes.
func printable(text string) string {
	const enough = 200
	if text = clean(text); len(text) > enough {
		text = strings.ToValidUTF8(text[:enough], "") + "…"
	}
	return text
}

// clean shows what cannot be printed, or turns the writing round, as such.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsPrint(r):
			return '�'
		}
		return r
	}, strings.ToValidUTF8(text, "�"))
}

// refusedCertificate is what the server showed when the handshake failed because it
// is not trusted; nil where it did not get that far.
func refusedCertificate(err error) *Certificate {
	var distrust *tls.CertificateVerificationError
	if errors.As(err, &distrust) {
		return certificateOf(distrust.UnverifiedCertificates)
	}
	return nil
}

// inWords says who the server is, who says so, and until when.
func (c *Certificate) inWords(version uint16) string {
	words := tls.VersionName(version)
	if c == nil {
		return words
	}
	who := c.Subject
	if len(c.Names) > 0 {
		who = c.Names[0]
	}
	return fmt.Sprintf("%s; %s, certified by %s until %s", words, who, c.Issuer, c.NotAfter.Format("2 January 2006"))
}
