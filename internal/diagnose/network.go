package diagnose

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/postroom/postroom"
)

// A cause is an entry of the catalogue with what is known better here.
type cause struct {
	entry       *entry
	explanation string   // empty: that of the class
	remedy      string   // empty: the entry's
	field       string   // empty: that of the class
	others      []string // further causes, most likely first
}

// network says what an error of the network, of DNS or of TLS means: by its type
// where Go gives it one, else by its text. ok is false when neither is known.
func (c *Catalogue) network(f *Failure) (_ cause, ok bool) {
	text := plain(f.Err.Error())
	if found, ok := c.mismatch(f); ok {
		return found, true
	}
	if found, ok := c.certificate(f, text); ok {
		return found, true
	}
	if protocol, id := f.networkEntry(text); id != "" {
		return f.inWords(c.find(protocol, id)), true
	}
	for _, protocol := range networkProtocols {
		if e, _ := c.match(protocol, text); e != nil {
			return f.inWords(e), true
		}
	}
	if !f.isIncoming() { // what cannot be sent to this server is not tried
		if e, _ := c.match(string(postroom.SMTP), text); e != nil {
			return f.inWords(e), true
		}
	}
	return cause{}, false
}

// networkEntry names the entry for an error that Go gives a type.
func (f *Failure) networkEntry(text string) (protocol, id string) {
	err := f.Err
	var name *net.DNSError
	switch {
	case errors.As(err, &name) && name.IsNotFound:
		return "dns", "dns-no-such-host"
	case errors.As(err, &name) && name.IsTimeout:
		return "dns", "dns-timeout"
	case errors.As(err, &name) && strings.Contains(text, "server misbehaving"):
		return "dns", "dns-misbehaving"
	case errors.As(err, &name):
		return "dns", "dns-temporary"
	case f.Port == 25 && f.Phase == "connect" && (isTimeout(err) || errors.Is(err, syscall.ECONNREFUSED)):
		return "tcp", "tcp-port25-blocked"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "tcp", "tcp-refused"
	case errors.Is(err, syscall.ENETUNREACH):
		return "tcp", "tcp-network-unreachable"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "tcp", "tcp-no-route"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return "tcp", "tcp-reset"
	case isTimeout(err) && f.Phase == "connect":
		return "tcp", "tcp-dial-timeout"
	case isTimeout(err):
		return "tcp", "tcp-read-timeout"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "tcp", "tcp-unexpected-eof"
	}
	return "", ""
}

func isTimeout(err error) bool {
	var as net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, syscall.ETIMEDOUT) || errors.As(err, &as) && as.Timeout()
}

// mismatch recognises a port that wants encryption in another way.
func (c *Catalogue) mismatch(f *Failure) (_ cause, ok bool) {
	var plain tls.RecordHeaderError
	switch {
	case errors.As(f.Err, &plain):
		found := f.inWords(c.find("tls", "tls-plaintext-on-tls-port"))
		found.explanation = fmt.Sprintf("%s does not begin with encryption on port %d.", f.hostFirst(), f.Port)
		found.remedy = f.otherTLS(postroom.TLSStart)
		return found, true
	case f.isSilentAtFirst():
		found := f.inWords(c.find("tls", "tls-plaintext-on-tls-port"))
		found.explanation = fmt.Sprintf("%s says nothing on port %d until the connection is encrypted.", f.hostFirst(), f.Port)
		found.remedy = f.otherTLS(postroom.TLSImplicit)
		return found, true
	}
	return cause{}, false
}

// isSilentAtFirst says whether a server that should greet waits for encryption:
// a port that is known for TLS from the first byte (RFC 8314), used without, on
// which nothing has ever worked and nothing is said.
func (f *Failure) isSilentAtFirst() bool {
	if f.HasWorked || f.Phase != "greeting" || f.TLS == postroom.TLSImplicit || f.TLS == "" {
		return false
	}
	return (f.Port == 993 || f.Port == 995 || f.Port == 465) &&
		(isTimeout(f.Err) || errors.Is(f.Err, io.EOF) || errors.Is(f.Err, io.ErrUnexpectedEOF) || errors.Is(f.Err, syscall.ECONNRESET))
}

// otherTLS is what to choose where the encryption does not fit the port.
func (f *Failure) otherTLS(right postroom.TLSPolicy) string {
	plain, encrypted := 143, 993
	switch {
	case f.Protocol == postroom.POP3:
		plain, encrypted = 110, 995
	case !f.isIncoming():
		plain, encrypted = 587, 465
	}
	if right == postroom.TLSImplicit {
		return fmt.Sprintf("Choose SSL/TLS for port %d, or STARTTLS with port %d.", f.Port, plain)
	}
	switch f.Port {
	case encrypted:
		return "Check the server name and the port: this port normally begins with encryption, and another service answers on it."
	default:
		if f.TLS == postroom.TLSStart {
			return fmt.Sprintf("Choose SSL/TLS with port %d.", encrypted)
		}
	}
	return fmt.Sprintf("Choose STARTTLS for port %d, or SSL/TLS with port %d.", f.Port, encrypted)
}

// certificate says what is wrong with a certificate.
func (c *Catalogue) certificate(f *Failure, text string) (_ cause, ok bool) {
	var (
		unknown x509.UnknownAuthorityError
		roots   x509.SystemRootsError
		name    x509.HostnameError
		bad     x509.CertificateInvalidError
	)
	switch {
	case strings.Contains(text, "certificate") && strings.Contains(text, "pinned"):
		found := f.inWords(c.find("tls", "tls-unknown-authority"))
		found.explanation = f.hostFirst() + " shows another certificate than the one that was pinned for this mailbox."
		found.remedy = "Ask whoever runs the server whether the certificate was renewed. If it was, pin the new one; if not, somebody else may be answering in its place."
		found.field = f.setting("pinned_sha256")
		return found, true
	case strings.Contains(text, "after the answer to STARTTLS"):
		found := f.inWords(c.find("tls", "tls-unknown-authority"))
		found.explanation = "Something was put into the connection to " + f.host() + " before it was encrypted."
		found.remedy = f.otherTLS(postroom.TLSImplicit) + " If that is not offered, ask whoever runs the server."
		return found, true
	case errors.As(f.Err, &unknown), errors.As(f.Err, &roots):
		return f.inWords(c.find("tls", "tls-unknown-authority")), true
	case errors.As(f.Err, &name):
		e, _ := c.match("tls", text)
		if e == nil || e.Class != postroom.TLSMismatch {
			e = c.find("tls", "tls-name-mismatch")
		}
		found := f.inWords(e)
		if e.ID == "tls-name-mismatch" {
			found.remedy = namesOf(name.Certificate) + e.Remedy
		}
		return found, true
	case errors.As(f.Err, &bad) && bad.Reason == x509.Expired:
		if e, _ := c.match("tls", text); e != nil && e.ID == "tls-not-yet-valid" {
			return f.inWords(e), true
		}
		return f.inWords(c.find("tls", "tls-expired")), true
	case errors.As(f.Err, &bad):
		return f.inWords(c.find("tls", "tls-unknown-authority")), true
	}
	return cause{}, false
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
	text := strings.Join(names, ", ")
	if len(text) > 200 {
		return ""
	}
	return "It shows " + text + ". "
}

// inWords fills in what a network entry leaves open: the host, the port, the time.
func (f *Failure) inWords(e *entry) cause {
	found := cause{entry: e}
	host := f.hostFirst()
	switch e.ID {
	case "dns-no-such-host":
		found.explanation = "There is no server with the name " + f.host() + "."
		found.field = f.setting("host")
	case "tcp-refused":
		found.explanation = fmt.Sprintf("Nothing answers at %s on port %d.", f.host(), f.Port)
		found.field = f.setting("port")
	case "tcp-dial-timeout", "tcp-deadline", "tcp-port25-blocked":
		found.explanation = host + " did not answer within " + inSeconds(f.connectTimeout()) + "."
	case "tcp-read-timeout":
		found.explanation = host + " stopped answering."
		switch f.Phase {
		case "auth":
			found.explanation = host + " did not answer the sign-in within " + inSeconds(f.authTimeout()) + "."
		case "greeting", "starttls":
			found.explanation = host + " did not answer within " + inSeconds(f.connectTimeout()) + "."
		}
	case "tcp-reset":
		found.explanation = "The connection to " + f.host() + " was cut."
	case "tcp-network-unreachable", "tcp-no-route":
		found.explanation = f.hostFirst() + " cannot be reached from this network."
	case "tcp-unexpected-eof":
		found.explanation = host + " closed the connection without a word."
	case "tls-not-yet-valid":
		found.explanation = "The certificate of " + f.host() + " is not valid yet."
	case "tls-expired":
		found.explanation = "The certificate of " + f.host() + " has run out."
	case "tls-protocol-version", "tls-handshake-failure":
		found.explanation = host + " offers no encryption that is safe today."
	case "tls-unrecognized-name":
		found.explanation = host + " does not know itself by this name."
	case "smtp-no-auth-offered":
		found.explanation = fmt.Sprintf("%s offers no way to sign in on port %d that Postroom knows.", host, f.Port)
	case "tls-starttls-missing":
		found.explanation = fmt.Sprintf("%s offers no STARTTLS on port %d.", host, f.Port)
	}
	return found
}

// setting names a setting as the API does: one of reading, or of sending.
func (f *Failure) setting(name string) string {
	if !f.isIncoming() {
		return "outgoing." + name
	}
	return "incoming." + name
}

// hostFirst is the host at the beginning of a sentence.
func (f *Failure) hostFirst() string {
	if f.Host == "" {
		return "The mail server"
	}
	return f.Host
}
