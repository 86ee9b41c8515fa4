//go:build unix

package mailbox

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/postroom/postroom"
)

// A trouble is something that is wrong between us and a server. Its fields say how
// the server is set up, by real sockets on this computer.
type trouble struct {
	name      string
	protocols []postroom.Protocol // by which it is met; nil: by all
	change    func(*postroom.ServerSettings)
	// serve speaks on each connection; nil: nobody listens.
	serve func(p postroom.Protocol, conn net.Conn)
	// dial replaces the connection to serve; nil: that.
	dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// names answers a question of DNS; nil: the server is this computer.
	names func(name string) (dnsmessage.RCode, []netip.Addr, bool)
	clock time.Time // zero: what it is

	class postroom.Class
	field string // of the settings of one side: "host", "port", …
	says  string // of the explanation, the remedy or the other causes
}

var readers = []postroom.Protocol{postroom.IMAP, postroom.POP3}

// listenOn serves each connection on a free port until the test ends.
func listenOn(t *testing.T, serve func(net.Conn)) (addr string) {
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
			go func() {
				defer conn.Close()
				conn.SetDeadline(time.Now().Add(10 * time.Second))
				serve(conn)
			}()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

// closedPort is one on which nobody listens any more.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	return l.Addr().String()
}

// blackHole is a port whose system drops every further connection: nobody accepts
// those that wait already, and there is room for no more.
func blackHole(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprint("127.0.0.1:", name.(*syscall.SockaddrInet4).Port)
	for range 4 { // those that wait
		conn, err := net.DialTimeout("tcp", addr, 50*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { conn.Close() })
	}
	t.Fatal("there is no end of room for connections")
	return ""
}

// nameServer answers questions of DNS by UDP, and returns what asks it. An answer that
// is not ok never comes.
func nameServer(t *testing.T, answer func(name string) (code dnsmessage.RCode, addresses []netip.Addr, ok bool)) *net.Resolver {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	t.Cleanup(func() { conn.Close(); <-done })
	go func() {
		defer close(done)
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if reply, ok := answerTo(buf[:n], answer); ok {
				conn.WriteTo(reply, from)
			}
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

func answerTo(question []byte, answer func(name string) (dnsmessage.RCode, []netip.Addr, bool)) ([]byte, bool) {
	var m dnsmessage.Message
	if m.Unpack(question) != nil || len(m.Questions) != 1 {
		return nil, false
	}
	q := m.Questions[0]
	code, addresses, ok := answer(strings.TrimSuffix(q.Name.String(), "."))
	if !ok {
		return nil, false
	}
	m.Header.Response, m.Header.RCode, m.Header.RecursionAvailable = true, code, true
	m.Additionals = nil
	for _, a := range addresses {
		head := dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1}
		switch {
		case q.Type == dnsmessage.TypeA && a.Is4():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AResource{A: a.As4()}})
		case q.Type == dnsmessage.TypeAAAA && a.Is6():
			m.Answers = append(m.Answers, dnsmessage.Resource{Header: head, Body: &dnsmessage.AAAAResource{AAAA: a.As16()}})
		}
	}
	reply, err := m.Pack()
	return reply, err == nil
}

// The ways in which a connection ends, or goes on.

func hangUp(_ postroom.Protocol, conn net.Conn) {
	if ends, ok := conn.(interface{ CloseWrite() error }); ok {
		ends.CloseWrite() // what was not read would make it a reset
	}
	conn.SetDeadline(time.Now().Add(time.Second))
	io.Copy(io.Discard, conn)
}
func reset(_ postroom.Protocol, conn net.Conn)  { conn.(*net.TCPConn).SetLinger(0) }
func silent(_ postroom.Protocol, conn net.Conn) { io.Copy(io.Discard, conn) }

// says begins with a text, and is silent then.
func says(text string) func(postroom.Protocol, net.Conn) {
	return func(p postroom.Protocol, conn net.Conn) { io.WriteString(conn, text); silent(p, conn) }
}

// afterHello reads the beginning of a handshake first.
func afterHello(then func(postroom.Protocol, net.Conn)) func(postroom.Protocol, net.Conn) {
	return func(p postroom.Protocol, conn net.Conn) {
		conn.Read(make([]byte, 1<<16))
		then(p, conn)
	}
}

// encrypted shakes hands, and goes on under encryption.
func encrypted(config *tls.Config, then func(postroom.Protocol, net.Conn)) func(postroom.Protocol, net.Conn) {
	return func(p postroom.Protocol, conn net.Conn) {
		server := tls.Server(conn, config)
		if server.Handshake() == nil {
			then(p, server)
		}
	}
}

// showing is encryption with a certificate, and nothing behind it.
func showing(cert tls.Certificate) func(postroom.Protocol, net.Conn) {
	return encrypted(&tls.Config{Certificates: []tls.Certificate{cert}}, silent)
}

// A script is a server up to where something goes wrong: it answers like a server that
// knows its protocol, except for what it has an answer of its own for.
type script struct {
	noStartTLS bool
	preauth    bool
	startTLS   func(postroom.Protocol, net.Conn) // instead of agreeing to begin encryption
	tls        func(postroom.Protocol, net.Conn) // after having agreed
	signIn     func(postroom.Protocol, net.Conn) // instead of an answer to the sign-in
}

func (s script) serve(p postroom.Protocol, conn net.Conn) {
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	switch {
	case p == postroom.POP3:
		say("+OK ready")
	case p == postroom.SMTP:
		say("220 mail.example.net ESMTP ready")
	case s.preauth:
		say("* PREAUTH ready")
	default:
		say("* OK ready")
	}
	in := bufio.NewReader(conn)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		tag, word := "", strings.ToUpper(words[0])
		if p == postroom.IMAP && len(words) > 1 {
			tag, word = words[0], strings.ToUpper(words[1])
		}
		if !s.answer(p, conn, say, tag, word) {
			return
		}
	}
}

// answer answers one command; more is false where the connection is somebody else's
// then.
func (s script) answer(p postroom.Protocol, conn net.Conn, say func(string, ...any), tag, word string) (more bool) {
	switch word {
	case "CAPABILITY":
		offer := " STARTTLS"
		if s.noStartTLS {
			offer = ""
		}
		say("* CAPABILITY IMAP4rev1%s", offer)
		say("%s OK done", tag)
	case "CAPA":
		say("+OK\r\nUSER\r\nUIDL\r\n%s.", map[bool]string{false: "STLS\r\n"}[s.noStartTLS])
	case "EHLO":
		say("250-mail.example.net\r\n%s250 AUTH PLAIN LOGIN", map[bool]string{false: "250-STARTTLS\r\n"}[s.noStartTLS])
	case "STARTTLS", "STLS":
		if s.startTLS != nil {
			s.startTLS(p, conn)
			return false
		}
		say("%s", map[postroom.Protocol]string{postroom.IMAP: tag + " OK begin", postroom.POP3: "+OK begin", postroom.SMTP: "220 begin"}[p])
		if s.tls != nil {
			s.tls(p, conn)
			return false
		}
	case "LOGIN", "AUTHENTICATE", "AUTH", "USER", "APOP":
		s.signIn(p, conn)
		return false
	default:
		say("%s", map[postroom.Protocol]string{postroom.IMAP: tag + " OK done", postroom.POP3: "+OK", postroom.SMTP: "250 OK"}[p])
	}
	return true
}

// meet tests the mailbox with the trouble, on the side that the protocol is of, and
// returns what the report says.
func (tr trouble) meet(t *testing.T, p postroom.Protocol, trusted string) (Report, time.Duration) {
	t.Helper()
	server := postroom.ServerSettings{
		Host: string(p) + ".example.net", TLS: postroom.TLSImplicit, Username: "support@example.net", CACertificate: trusted,
		Port: map[postroom.Protocol]int{postroom.IMAP: 993, postroom.POP3: 995, postroom.SMTP: 465}[p],
	}
	if tr.change != nil {
		tr.change(&server)
	}
	m := plain()
	m.Incoming.ServerSettings, m.Incoming.Protocol, m.Incoming.Folders = server, p, []string{"INBOX"}
	m.Incoming.ConnectTimeout, m.Incoming.AuthTimeout = 800*time.Millisecond, 800*time.Millisecond
	side := IncomingSide
	if p == postroom.SMTP {
		m.Incoming.ServerSettings, m.Incoming.Protocol = postroom.ServerSettings{Host: "imap.example.net", Port: 993, TLS: postroom.TLSImplicit}, postroom.IMAP
		m.Outgoing = &postroom.OutgoingSettings{ServerSettings: server}
		side = OutgoingSide
	}
	tester := Tester{Explainer: newExplainer(), Dial: tr.dial}
	tester.Explainer.Catalogue.Made = time.Unix(0, 0) // whatever the clock of this computer says
	if !tr.clock.IsZero() {
		tester.Explainer.Catalogue.Made = time.Time{}
		tester.Explainer.Catalogue.Now = func() time.Time { return tr.clock }
	}
	if tr.dial == nil {
		at := ""
		if tr.serve != nil {
			at = listenOn(t, func(conn net.Conn) { tr.serve(p, conn) })
		} else {
			at = closedPort(t)
		}
		tester.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, at)
		}
	}
	tester.LookUp = func(context.Context, string) ([]netip.Addr, error) {
		return []netip.Addr{netip.MustParseAddr("192.0.2.5")}, nil
	}
	if tr.names != nil {
		resolver := nameServer(t, tr.names)
		tester.LookUp = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return resolver.LookupNetIP(ctx, "ip", host)
		}
	}
	began := time.Now()
	report := tester.Run(t.Context(), m, password("abcdefghijklmnop"), TestOptions{Side: side})
	return report, time.Since(began)
}

// failing is a connection that the system refuses to make.
func failing(address string, cause error) func(context.Context, string, string) (net.Conn, error) {
	return func(_ context.Context, network, _ string) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: network, Addr: net.TCPAddrFromAddrPort(netip.MustParseAddrPort(address)), Err: os.NewSyscallError("connect", cause)}
	}
}

// encryptedGreeting is a server that greets, and lets nobody in.
func encryptedGreeting(a authorities) func(postroom.Protocol, net.Conn) {
	return encrypted(&tls.Config{Certificates: one(a)}, script{noStartTLS: true, signIn: hangUp}.serve)
}
