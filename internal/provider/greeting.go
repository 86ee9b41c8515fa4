package provider

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"

	"github.com/postroom/postroom"
)

// The limits of what a mail server says before anybody signs in.
const (
	maxLine  = 2000 // bytes
	maxLines = 50
)

var (
	errNoGreeting = errors.New("does not greet as a mail server does")
	errNoStartTLS = errors.New("does not offer STARTTLS")
)

// greets connects to a server, shakes hands and reads its greeting, and no more: nobody
// signs in. isTrusted says whether its certificate is good for the name.
func (f *Finder) greets(ctx context.Context, c Candidate, addresses []netip.Addr) (isTrusted bool, err error) {
	conn, err := f.dial(ctx, addresses, c.Port)
	if err != nil {
		return false, err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if c.TLS == postroom.TLSStart {
		talk := newTalk(conn)
		if err := talk.begin(c.Protocol); err != nil {
			return false, err
		}
		if err := talk.startTLS(c.Protocol); err != nil {
			return false, err
		}
		_, isTrusted, err = f.handshake(ctx, conn, c.Host)
		return isTrusted, err
	}
	encrypted, isTrusted, err := f.handshake(ctx, conn, c.Host)
	if err != nil {
		return false, err
	}
	return isTrusted, newTalk(encrypted).begin(c.Protocol)
}

// handshake encrypts a connection. A certificate that is not good for the host does not
// end it: that there is a server is worth knowing, and nothing is said to it.
func (f *Finder) handshake(ctx context.Context, conn net.Conn, host string) (_ net.Conn, isTrusted bool, err error) {
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	config.InsecureSkipVerify = true // isTrusted says what was found
	config.VerifyConnection = func(state tls.ConnectionState) error {
		options := x509.VerifyOptions{DNSName: host, Roots: f.Roots, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			options.Intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(options)
		isTrusted = err == nil
		return nil
	}
	encrypted := tls.Client(conn, config)
	if err := encrypted.HandshakeContext(ctx); err != nil {
		return nil, false, err
	}
	return encrypted, isTrusted, nil
}

// A talk is the beginning of a conversation with a mail server.
type talk struct {
	lines *bufio.Reader
	write io.Writer
	// self is what we call ourselves: an address, since whoever asks has no name in the
	// DNS to give (RFC 5321 section 4.1.4).
	self string
}

func newTalk(conn net.Conn) *talk {
	self := "[127.0.0.1]"
	if at, ok := conn.LocalAddr().(*net.TCPAddr); ok {
		if self = "[" + at.IP.String() + "]"; at.IP.To4() == nil {
			self = "[IPv6:" + at.IP.String() + "]"
		}
	}
	return &talk{bufio.NewReaderSize(io.LimitReader(conn, maxLine*maxLines), maxLine), conn, self}
}

// line reads a line; one that is too long is an error.
func (t *talk) line() (string, error) {
	text, err := t.lines.ReadSlice('\n')
	return strings.TrimRight(string(text), "\r\n"), err
}

// begin reads the greeting (RFC 9051 section 7.1, RFC 1939 section 4, RFC 5321 section
// 4.2).
func (t *talk) begin(p postroom.Protocol) error {
	text, err := t.line()
	if err != nil {
		return err
	}
	switch {
	case p == postroom.IMAP && (strings.HasPrefix(text, "* OK") || strings.HasPrefix(text, "* PREAUTH")),
		p == postroom.POP3 && strings.HasPrefix(text, "+OK"):
		return nil
	case p == postroom.SMTP && strings.HasPrefix(text, "220"):
		_, err := t.rest(text)
		return err
	}
	return errNoGreeting
}

// rest reads the further lines of an answer by SMTP whose first line was read.
func (t *talk) rest(text string) (all []string, err error) {
	all = []string{text}
	for i := 0; len(text) > 3 && text[3] == '-'; i++ {
		if text, err = t.line(); err != nil {
			return all, err
		}
		if all = append(all, text); i > maxLines {
			return all, errNoGreeting
		}
	}
	return all, nil
}

// startTLS asks for encryption where it is offered.
func (t *talk) startTLS(p postroom.Protocol) error {
	if p == postroom.SMTP {
		return t.startTLSBySMTP()
	}
	said, err := t.command("a CAPABILITY", "a ")
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(said, func(line string) bool {
		return strings.HasPrefix(line, "* CAPABILITY ") && slices.Contains(strings.Fields(strings.ToUpper(line)), "STARTTLS")
	}) {
		return errNoStartTLS
	}
	said, err = t.command("b STARTTLS", "b ")
	if err == nil && !strings.HasPrefix(said[len(said)-1], "b OK") {
		err = errNoStartTLS
	}
	return err
}

// command says something by IMAP and reads until the answer that begins with tag.
func (t *talk) command(text, tag string) (said []string, err error) {
	if _, err := io.WriteString(t.write, text+"\r\n"); err != nil {
		return nil, err
	}
	for range maxLines {
		line, err := t.line()
		if err != nil {
			return nil, err
		}
		if said = append(said, line); strings.HasPrefix(line, tag) {
			return said, nil
		}
	}
	return nil, errNoGreeting
}

func (t *talk) startTLSBySMTP() error {
	said, err := t.ask("EHLO " + t.self)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(said, func(line string) bool {
		return strings.HasPrefix(line, "250") && len(line) > 4 && strings.EqualFold(strings.TrimSpace(line[4:]), "STARTTLS")
	}) {
		return errNoStartTLS
	}
	said, err = t.ask("STARTTLS")
	if err == nil && !strings.HasPrefix(said[0], "220") {
		err = errNoStartTLS
	}
	return err
}

// ask says something by SMTP and returns the lines of the answer.
func (t *talk) ask(text string) ([]string, error) {
	if _, err := io.WriteString(t.write, text+"\r\n"); err != nil {
		return nil, err
	}
	first, err := t.line()
	if err != nil {
		return nil, err
	}
	return t.rest(first)
}
