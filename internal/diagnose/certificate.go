package diagnose

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
)

// certificate says what is wrong with a certificate, or with how it was to be checked.
func (c *Catalogue) certificate(f *Failure, text string) (_ cause, ok bool) {
	if found, ok := c.ownChoice(f, text); ok {
		return found, true
	}
	var (
		unknown x509.UnknownAuthorityError
		roots   x509.SystemRootsError
		name    x509.HostnameError
		bad     x509.CertificateInvalidError
		weak    x509.InsecureAlgorithmError
	)
	chain := chainOf(f.Err)
	found := f.inWords(c.find("tls", "tls-unknown-authority"))
	switch {
	case errors.As(f.Err, &roots):
		found.explanation, found.remedy, found.fixBy = f.say(noRoots), remedyNoRoots, postroom.FixByAppAdmin
	case errors.As(f.Err, &weak):
		found.explanation, found.remedy = f.say(weakSignature), remedyRenew
	case errors.As(f.Err, &name):
		return c.otherName(f, name, chain, text), true
	case errors.As(f.Err, &bad) && bad.Reason == x509.Expired:
		if len(chain) > 1 && bad.Cert != nil && !bad.Cert.Equal(chain[0]) {
			found.explanation, found.remedy = f.say(middleRunOut), remedyRenew
			break
		}
		return c.outOfDate(f, bad.Cert), true
	case errors.As(f.Err, &unknown):
		return c.untrusted(f, found, chain), true
	case errors.As(f.Err, &bad):
		found.explanation, found.remedy = f.say(notForServers), remedyRenew
	case isWithdrawn(text):
		found.explanation, found.remedy = f.say(withdrawn), remedyWithdrawn
	case strings.Contains(text, "failed to parse certificate"), strings.Contains(text, "bits keys are insecure"), strings.Contains(text, "-bit keys are insecure"):
		found.explanation, found.remedy = f.say(damaged), remedyRenew
	default:
		return cause{}, false
	}
	return found, true
}

// isWithdrawn says whether the system knows that a certificate was revoked: that of
// macOS asks, and Go passes on its words. A server that says it of ours is another matter.
func isWithdrawn(text string) bool {
	return strings.Contains(text, "revoked") && strings.Contains(text, "certificate") && !strings.Contains(text, "remote error")
}

// ownChoice is what is wrong with the pin or the CA certificate of the mailbox.
func (c *Catalogue) ownChoice(f *Failure, text string) (_ cause, ok bool) {
	found := f.inWords(c.find("tls", "tls-unknown-authority"))
	switch {
	case strings.Contains(text, "certificate") && strings.Contains(text, "pinned"):
		found.explanation = f.hostFirst() + otherPin
		found.remedy = remedyOtherPin
		found.field = f.setting("pinned_sha256")
	case strings.Contains(text, "pinned SHA-256"):
		found.explanation, found.remedy = damagedPin, remedyDamagedPin
		found.field, found.fixBy = f.setting("pinned_sha256"), postroom.FixByUser
	case strings.Contains(text, "CA certificate is not PEM"):
		found.explanation, found.remedy = damagedCA, remedyDamagedCA
		found.field, found.fixBy = f.setting("ca_certificate"), postroom.FixByUser
	case strings.Contains(text, "after the answer to STARTTLS"):
		found.explanation = f.say(injected)
		found.remedy = f.otherTLS(postroom.TLSImplicit) + remedyInjected
	default:
		return cause{}, false
	}
	return found, true
}

// chainOf is what the server showed, its own certificate first.
func chainOf(err error) []*x509.Certificate {
	var verification *tls.CertificateVerificationError
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &verification) && len(verification.UnverifiedCertificates) > 0:
		return verification.UnverifiedCertificates
	case errors.As(err, &unknown) && unknown.Cert != nil:
		return []*x509.Certificate{unknown.Cert}
	}
	return nil
}

// untrusted says why nobody vouches for a certificate.
func (c *Catalogue) untrusted(f *Failure, found cause, chain []*x509.Certificate) cause {
	if len(chain) == 0 {
		return found
	}
	leaf, last := chain[0], chain[len(chain)-1]
	if who := interceptor(chain); who != "" {
		found.explanation = fmt.Sprintf(intercepted, f.host(), who)
		found.remedy, found.fixBy = remedyIntercepted, postroom.FixByAppAdmin
		return found
	}
	for _, middle := range chain[1:] {
		if c.now().After(middle.NotAfter) {
			found.explanation, found.remedy = f.say(middleRunOut), remedyRenew
			return found
		}
	}
	switch {
	case isSelfSigned(leaf):
		found.explanation, found.remedy = f.say(selfSigned), remedySelfSigned
		found.others = []string{otherPretender}
	case isSelfSigned(last):
		found.explanation, found.remedy = fmt.Sprintf(ownAuthority, f.host(), nameOf(last)), remedyOwnAuthority
	case len(last.IssuingCertificateURL) > 0:
		found.explanation, found.remedy = fmt.Sprintf(missingMiddle, f.hostFirst(), issuerOf(last)), remedyMissingMiddle
		found.others = []string{otherOwnAuthority}
	default:
		found.explanation, found.remedy = fmt.Sprintf(ownAuthority, f.host(), issuerOf(last)), remedyOwnAuthority
		found.others = []string{otherMissingMiddle}
	}
	return found
}

func isSelfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) && c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// otherName says of a certificate that is for other names which ones.
func (c *Catalogue) otherName(f *Failure, name x509.HostnameError, chain []*x509.Certificate, text string) cause {
	e, _ := c.match("tls", text)
	if e == nil || e.Class != postroom.TLSMismatch {
		e = c.find("tls", "tls-name-mismatch")
	}
	found := f.inWords(e)
	found.remedy = namesOf(name.Certificate) + e.Remedy
	if who := interceptor(chain); who != "" {
		found.explanation = fmt.Sprintf(intercepted, f.host(), who)
	}
	if name.Certificate != nil && isSelfSigned(name.Certificate) {
		found.others = []string{otherPortal}
	}
	return found
}

// namesOf is a sentence with the names of a certificate, or empty.
func namesOf(c *x509.Certificate) string {
	if c == nil || len(c.DNSNames) == 0 {
		return ""
	}
	names := c.DNSNames
	if len(names) > 3 {
		names = names[:3]
	}
	text := plain(strings.Join(names, ", "))
	if len(text) > 200 {
		return ""
	}
	return fmt.Sprintf(showsNames, text)
}

// outOfDate says of a certificate that does not hold now whether it is it, or our own
// clock.
func (c *Catalogue) outOfDate(f *Failure, leaf *x509.Certificate) cause {
	now := c.now()
	switch {
	case leaf == nil:
		return f.inWords(c.find("tls", "tls-expired"))
	case now.Before(c.oldest().AddDate(0, 0, -1)):
		found := f.inWords(c.find("tls", "tls-not-yet-valid"))
		found.explanation = fmt.Sprintf(wrongClock, day(now))
		found.remedy = remedyClock
		return found
	case now.Before(leaf.NotBefore):
		found := f.inWords(c.find("tls", "tls-not-yet-valid"))
		found.explanation = fmt.Sprintf(notYetValid, f.host(), day(leaf.NotBefore))
		found.remedy = fmt.Sprintf(remedyNotYetValid, moment(now))
		return found
	}
	found := f.inWords(c.find("tls", "tls-expired"))
	found.explanation = fmt.Sprintf(ranOut, f.host(), day(leaf.NotAfter))
	found.others = []string{fmt.Sprintf(otherClock, day(now))}
	return found
}

func day(t time.Time) string    { return t.UTC().Format("2 January 2006") }
func moment(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04 UTC") }

func (c *Catalogue) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

// oldest is a day before which no clock can be right: that of the catalogue.
func (c *Catalogue) oldest() time.Time {
	if !c.Made.IsZero() {
		return c.Made
	}
	return catalogueMade()
}

var catalogueMade = sync.OnceValue(func() time.Time {
	_, rest, _ := strings.Cut(mailErrors, "\nas_of: '")
	date, _, _ := strings.Cut(rest, "'")
	made, err := time.Parse(time.DateOnly, date)
	if err != nil {
		return time.Time{} // it then proves nothing
	}
	return made
})

// interceptors are words in the names of those who open encrypted connections on
// their way: firewalls, filters of companies and schools, and virus scanners.
var interceptors = [...]string{
	"Fortinet", "FortiGate", "Sophos", "Avast", "AVG Technologies", "Kaspersky", "ESET", "Bitdefender", "Zscaler", "Netskope", "Palo Alto", "Blue Coat",
	"Cisco Umbrella", "McAfee", "Check Point", "WatchGuard", "Barracuda", "SonicWall", "Untangle", "Squid", "mitmproxy", "PortSwigger", "Charles Proxy",
	"Cloudflare Gateway", "Norton", "Symantec Endpoint", "AdGuard", "Dr.Web", "Doctor Web", "Avira", "G DATA", "Trend Micro", "Securly", "Lightspeed", "iboss",
	"Forcepoint", "Websense", "Cato Networks", "Menlo Security", "Smoothwall", "pfSense", "OPNsense", "Fiddler", "NetSpark", "Securepoint", "Skyhigh", "Stormshield",
	"Sangfor", "Hillstone", "Panda Security", "F-Secure", "Comodo Antivirus", "SSL Inspection", "Mail Shield", "Mail Scanner", "Personal Root", "SSL Proxy", "TLS Inspection",
}

// interceptor names who made a certificate on the way, from what it says of its
// issuers; empty: nobody who is known for it.
func interceptor(chain []*x509.Certificate) string {
	for _, c := range chain {
		names := append([]string{c.Issuer.CommonName}, append(c.Issuer.Organization, c.Issuer.OrganizationalUnit...)...)
		for _, name := range names {
			for _, word := range interceptors {
				if strings.Contains(strings.ToLower(name), strings.ToLower(word)) {
					return shortName(name)
				}
			}
		}
	}
	return ""
}

// issuerOf is how the one who vouches for a certificate calls itself.
func issuerOf(c *x509.Certificate) string {
	if len(c.Issuer.Organization) > 0 {
		return shortName(c.Issuer.Organization[0])
	}
	return shortName(c.Issuer.CommonName)
}

func nameOf(c *x509.Certificate) string {
	if c.Subject.CommonName != "" {
		return shortName(c.Subject.CommonName)
	}
	return issuerOf(c)
}

// shortName is a name from a certificate, which anybody may have written, as it can
// stand in a sentence.
func shortName(name string) string {
	name = plain(name)
	if name == "" {
		return nobody
	}
	if runes := []rune(name); len(runes) > 60 {
		name = string(runes[:60]) + "…"
	}
	return "“" + name + "”"
}

// alertOf names the entry for what the other side said when it broke off a handshake
// (RFC 8446 section 6.2); empty: it did not. Go tells its alerts apart by text alone.
func alertOf(err error) (id string) {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" || op.Err == nil {
		return ""
	}
	switch strings.TrimPrefix(op.Err.Error(), "tls: ") {
	case "protocol version not supported", "inappropriate fallback":
		return "tls-protocol-version"
	case "unrecognized name":
		return "tls-unrecognized-name"
	case "certificate required", "bad certificate", "unknown certificate", "unknown certificate authority", "expired certificate", "revoked certificate",
		"unsupported certificate", "access denied":
		return "tls-client-cert"
	}
	return "tls-handshake-failure"
}
