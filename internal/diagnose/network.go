package diagnose

import (
	"context"
	"crypto/tls"
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
	explanation string         // empty: that of the class
	remedy      string         // empty: the entry's
	field       string         // empty: that of the class
	fixBy       postroom.FixBy // empty: the entry's
	others      []string       // further causes, most likely first
	passes      bool           // it may pass by itself, although the entry says that it does not
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
	if alert := alertOf(err); alert != "" {
		if alert == "tls-handshake-failure" && strings.Contains(text, "server asked for a client certificate") {
			alert = "tls-client-cert"
		}
		return "tls", alert
	}
	switch {
	case strings.Contains(text, "idna: ") && strings.Contains(text, "host name"):
		return "dns", "dns-no-such-host"
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
	case errors.Is(err, syscall.EACCES), errors.Is(err, syscall.EPERM):
		return "tcp", "tcp-not-permitted"
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE), errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.EADDRNOTAVAIL):
		return "tcp", "tcp-no-room"
	case errors.Is(err, syscall.ENETUNREACH):
		return "tcp", "tcp-network-unreachable"
	case errors.Is(err, syscall.EHOSTUNREACH):
		return "tcp", "tcp-no-route"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED):
		return "tcp", "tcp-reset"
	case isTimeout(err) && f.Phase == "connect" && !f.isShakingHands():
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
		found.explanation = fmt.Sprintf(beginsInClear, f.hostFirst(), f.Port)
		found.remedy = f.otherTLS(postroom.TLSStart)
		return found, true
	case f.isSilentAtFirst():
		found := f.inWords(c.find("tls", "tls-plaintext-on-tls-port"))
		found.explanation = fmt.Sprintf(silentInClear, f.hostFirst(), f.Port)
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
	begun, encrypted := f.usualPorts()
	switch {
	case right == postroom.TLSImplicit:
		return fmt.Sprintf(remedyImplicit, f.Port, begun)
	case f.Port == encrypted:
		return remedyOtherService
	case f.TLS == postroom.TLSStart:
		return fmt.Sprintf(remedyImplicitPort, encrypted)
	}
	return fmt.Sprintf(remedyStartTLS, f.Port, encrypted)
}

// usualPorts are those for STARTTLS and for TLS from the first byte (RFC 8314).
func (f *Failure) usualPorts() (begun, encrypted int) {
	switch {
	case f.Protocol == postroom.POP3:
		return 110, 995
	case !f.isIncoming():
		return 587, 465
	}
	return 143, 993
}

// isShakingHands says of an error while connecting whether TCP had connected already.
func (f *Failure) isShakingHands() bool {
	var op *net.OpError
	dialled := errors.As(f.Err, &op) && op.Op == "dial"
	return f.Phase == "starttls" || f.Phase == "connect" && !dialled && (f.TLS == postroom.TLSImplicit || f.TLS == "")
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
