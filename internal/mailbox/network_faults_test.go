//go:build unix

package mailbox

import (
	"cmp"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/postroom/postroom"
)

// TestFaultsOfNetworkAndTLS makes what goes wrong between us and a server, with real
// sockets and real certificates, for reading by IMAP and POP3 and for sending, and
// counts how often the report names the right cause and the right setting.
func TestFaultsOfNetworkAndTLS(t *testing.T) {
	a := newAuthorities(t)
	all := slices.Concat(troublesOfNames(), troublesOfConnections(t), troublesOfHandshakes(a), troublesOfCertificates(t, a), troublesOfStrangers(a), troublesOfStartTLS(t, a), troublesOfSignIn(a))
	type outcome struct {
		trouble  trouble
		protocol postroom.Protocol
		fault    *postroom.Fault
		took     time.Duration
	}
	var mu sync.Mutex
	var outcomes []outcome
	atOnce := make(chan struct{}, 16) // mostly they wait
	var group sync.WaitGroup
	for _, tr := range all {
		protocols := tr.protocols
		if protocols == nil {
			protocols = []postroom.Protocol{postroom.IMAP, postroom.POP3, postroom.SMTP}
		}
		for _, p := range protocols {
			atOnce <- struct{}{}
			group.Go(func() {
				defer func() { <-atOnce }()
				t.Run(tr.name+", "+string(p), func(t *testing.T) {
					report, took := tr.meet(t, p, a.root.pem())
					mu.Lock()
					outcomes = append(outcomes, outcome{tr, p, report.Fault(), took})
					mu.Unlock()
				})
			})
		}
	}
	group.Wait()
	type pair struct{ want, got postroom.Class }
	confused := map[pair]int{}
	right := 0
	for _, o := range outcomes {
		f := o.fault
		if f == nil {
			t.Errorf("%s, %s: nothing went wrong", o.trouble.name, o.protocol)
			continue
		}
		confused[pair{o.trouble.class, f.Class}]++
		side := "incoming."
		if o.protocol == postroom.SMTP {
			side = "outgoing."
		}
		words := strings.Join(append([]string{f.Explanation, f.Remedy}, f.Others...), " | ")
		field := strings.TrimPrefix(f.Field, side)
		if f.Class == o.trouble.class && field == o.trouble.field && strings.Contains(words, o.trouble.says) {
			right++
		} else {
			t.Logf("%s, %s: %s at %q: %s\nwant %s at %q with %q (%v)", o.trouble.name, o.protocol, f.Class, f.Field, words, o.trouble.class, o.trouble.field, o.trouble.says, f.Err)
		}
		if o.took > 15*time.Second {
			t.Errorf("%s, %s took %v, want under 15 s", o.trouble.name, o.protocol, o.took)
		}
		for _, word := range []string{"error", "invalid", "failed to", "please", "!", "%", "SERVER", "HOST"} {
			if strings.Contains(words, word) {
				t.Errorf("%s, %s says %q: %s", o.trouble.name, o.protocol, word, words)
			}
		}
		if strings.Contains(words, "abcdefghijklmnop") {
			t.Errorf("%s, %s tells the password: %s", o.trouble.name, o.protocol, words)
		}
	}
	var matrix strings.Builder
	for _, p := range slices.SortedFunc(maps.Keys(confused), func(x, y pair) int { return cmp.Or(cmp.Compare(x.want, y.want), cmp.Compare(x.got, y.got)) }) {
		mark := ""
		if p.want != p.got {
			mark = "  <- taken for"
		}
		fmt.Fprintf(&matrix, "%-20s %-20s %3d%s\n", p.want, p.got, confused[p], mark)
	}
	t.Logf("%d troubles, met %d times; %d have the right cause, setting and words\n%s", len(all), len(outcomes), right, matrix.String())
	if len(all) < 60 || right*100 < len(outcomes)*95 {
		t.Errorf("%d of %d are right, of %d troubles; want 95 %%, of 60", right, len(outcomes), len(all))
	}
}

func unknownName(string) (dnsmessage.RCode, []netip.Addr, bool) {
	return dnsmessage.RCodeNameError, nil, true
}

func troublesOfNames() []trouble {
	called := func(host string) func(*postroom.ServerSettings) {
		return func(s *postroom.ServerSettings) { s.Host = host }
	}
	imap, pop3, smtp := []postroom.Protocol{postroom.IMAP}, []postroom.Protocol{postroom.POP3}, []postroom.Protocol{postroom.SMTP}
	return []trouble{
		{name: "a name that nobody has", change: called("xyzzy.nowhere.test"), names: unknownName, class: postroom.DNS, field: "host", says: "There is no server with the name xyzzy.nowhere.test."},
		{name: "gmial.com", protocols: imap, change: called("imap.gmial.com"), names: unknownName, class: postroom.DNS, field: "host", says: "Did you mean imap.gmail.com?"},
		{name: "gmai.com", protocols: smtp, change: called("smtp.gmai.com"), names: unknownName, class: postroom.DNS, field: "host", says: "Did you mean smtp.gmail.com?"},
		{name: "gmail with no dot", protocols: pop3, change: called("popgmail.com"), names: unknownName, class: postroom.DNS, field: "host", says: "Did you mean pop.gmail.com?"},
		{name: "a server that Gmail does not have", protocols: imap, change: called("imap4.gmail.com"), names: unknownName, class: postroom.DNS, field: "host", says: "Did you mean imap.gmail.com?"},
		{name: "outlok.office365.com", protocols: imap, change: called("outlok.office365.com"), names: unknownName, class: postroom.DNS, field: "host", says: "Did you mean outlook.office365.com?"},
		{name: "the domain alone, mistyped", protocols: imap, change: called("outlok.com"), names: unknownName, class: postroom.DNS, field: "host", says: "Did you mean outlook.office365.com?"},
		{name: "the own domain, mistyped", protocols: smtp, change: called("mail.exmaple.net"), names: unknownName, class: postroom.DNS, field: "host", says: "Did you mean mail.example.net?"},
		{name: "a name without addresses", names: func(string) (dnsmessage.RCode, []netip.Addr, bool) { return dnsmessage.RCodeSuccess, nil, true },
			class: postroom.DNS, field: "host", says: "There is no server"},
		{name: "a name server in trouble", protocols: imap, names: func(string) (dnsmessage.RCode, []netip.Addr, bool) { return dnsmessage.RCodeServerFailure, nil, true },
			class: postroom.DNS, says: "The name service of this network gave no answer"},
		{name: "a name server that says nothing", protocols: imap, names: func(string) (dnsmessage.RCode, []netip.Addr, bool) { return 0, nil, false },
			class: postroom.DNS, says: "The name service of this network gave no answer"},
		{name: "a name server that refuses", protocols: smtp, names: func(string) (dnsmessage.RCode, []netip.Addr, bool) { return dnsmessage.RCodeRefused, nil, true },
			class: postroom.DNS, says: "The name service of this network gave no answer"},
	}
}

func troublesOfConnections(t *testing.T) []trouble {
	hole := blackHole(t)
	into := func(addr string) func(*postroom.ServerSettings) {
		host, port, _ := net.SplitHostPort(addr)
		return func(s *postroom.ServerSettings) { s.Host = host; fmt.Sscan(port, &s.Port) }
	}
	return []trouble{
		{name: "a closed port", class: postroom.Refused, field: "port", says: "Nothing answers at"},
		{name: "a port that nobody uses", change: func(s *postroom.ServerSettings) { s.Port = 999 }, class: postroom.Refused, field: "port", says: "Usual is port"},
		{name: "a network that swallows everything", change: into(hole), dial: new(net.Dialer).DialContext, class: postroom.Timeout, says: "did not answer within 800 milliseconds."},
		{name: "no way to the network", dial: failing("203.0.113.5:993", syscall.ENETUNREACH), class: postroom.Refused, says: "cannot be reached from this network"},
		{name: "no way to the computer", dial: failing("203.0.113.5:993", syscall.EHOSTUNREACH), class: postroom.Refused, says: "cannot be reached from this network"},
		{name: "no way by IPv6", dial: failing("[2001:db8::5]:993", syscall.ENETUNREACH), class: postroom.Refused, says: "at its IPv6 address, 2001:db8::5"},
		{name: "a firewall on this computer", dial: failing("203.0.113.5:993", syscall.EACCES), class: postroom.Refused, says: "does not let it connect"},
		{name: "given up by the system", dial: failing("203.0.113.5:993", syscall.ETIMEDOUT), class: postroom.Timeout, says: "did not answer within"},
		{name: "port 25 that is blocked", protocols: []postroom.Protocol{postroom.SMTP}, change: func(s *postroom.ServerSettings) { s.Port, s.TLS = 25, postroom.TLSStart },
			dial: failing("203.0.113.5:25", syscall.ETIMEDOUT), class: postroom.Timeout, says: "Port 25 is blocked"},
		{name: "port 25 that is refused", protocols: []postroom.Protocol{postroom.SMTP}, change: func(s *postroom.ServerSettings) { s.Port, s.TLS = 25, postroom.TLSStart },
			class: postroom.Timeout, says: "Port 25 is blocked"},
	}
}

func troublesOfHandshakes(a authorities) []trouble {
	alert := func(code byte) func(postroom.Protocol, net.Conn) {
		return afterHello(func(_ postroom.Protocol, conn net.Conn) { conn.Write([]byte{0x15, 3, 3, 0, 2, 2, code}) })
	}
	good := func(change func(*tls.Config)) func(postroom.Protocol, net.Conn) {
		return func(p postroom.Protocol, conn net.Conn) {
			config := &tls.Config{MinVersion: tls.VersionTLS10}
			change(config)
			encrypted(config, silent)(p, conn)
		}
	}
	return []trouble{
		{name: "silence instead of a handshake", serve: silent, class: postroom.Timeout, says: "took the connection, but did not encrypt it"},
		{name: "hanging up in the handshake", serve: afterHello(hangUp), class: postroom.ServerBusy, says: "closed the connection instead of encrypting it"},
		{name: "hanging up before it", serve: hangUp, class: postroom.ServerBusy, says: "closed the connection instead of encrypting it"},
		{name: "a reset in the handshake", serve: afterHello(reset), class: postroom.Refused, says: "was cut while it was being encrypted"},
		{name: "only TLS 1.1", serve: good(func(c *tls.Config) { c.MaxVersion, c.Certificates = tls.VersionTLS11, one(a) }), class: postroom.TLSUntrusted, says: "older than version 1.2"},
		{name: "only TLS 1.0", serve: good(func(c *tls.Config) { c.MaxVersion, c.Certificates = tls.VersionTLS10, one(a) }), class: postroom.TLSUntrusted, says: "older than version 1.2"},
		{name: "only ciphers of old", serve: good(func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites, c.Certificates = tls.VersionTLS12, []uint16{tls.TLS_RSA_WITH_3DES_EDE_CBC_SHA}, one(a)
		}), class: postroom.TLSUntrusted, says: "no encryption that is safe today"},
		{name: "a certificate of ours is wanted", serve: good(func(c *tls.Config) {
			c.Certificates, c.ClientAuth, c.MaxVersion = one(a), tls.RequireAnyClientCert, tls.VersionTLS12
		}), class: postroom.ClientMisconfigured, says: "wants Postroom to show a certificate"},
		{name: "a certificate of ours is wanted, by TLS 1.3", serve: good(func(c *tls.Config) {
			c.Certificates, c.ClientAuth, c.MinVersion = one(a), tls.RequireAnyClientCert, tls.VersionTLS13
		}), class: postroom.ClientMisconfigured, says: "wants Postroom to show a certificate"},
		{name: "a server that does not know its name", serve: alert(112), class: postroom.TLSMismatch, field: "host", says: "does not know itself by this name"},
		{name: "a server with no answer to the handshake", serve: alert(40), class: postroom.TLSUntrusted, says: "no encryption that is safe today"},
		{name: "a server with trouble of its own", serve: alert(80), class: postroom.TLSUntrusted, says: "no encryption that is safe today"},
	}
}

// one is a certificate with which nothing is wrong, for a server of any name.
func one(a authorities) []tls.Certificate { return []tls.Certificate{a.anyName} }

func troublesOfCertificates(t *testing.T, a authorities) []trouble {
	named := func(by *issuer, change func(*x509.Certificate), along ...issuer) func(postroom.Protocol, net.Conn) {
		shown := map[postroom.Protocol]tls.Certificate{}
		for _, p := range []postroom.Protocol{postroom.IMAP, postroom.POP3, postroom.SMTP} {
			shown[p] = serverBy(t, by, string(p)+".example.net", change, along...)
		}
		return func(p postroom.Protocol, conn net.Conn) { showing(shown[p])(p, conn) }
	}
	private := newIssuer(t, "Office Root", nil, nil)
	public := newIssuer(t, "Public Root", nil, nil)
	below := newIssuer(t, "Public Middle", &public, nil)
	made := func(name string) issuer { return newIssuer(t, name, nil, nil) }
	fortinet, avast, kaspersky := made("Fortinet CA SSL"), made("Avast Web/Mail Shield Root"), made("Kaspersky Anti-Virus Personal Root Certificate")
	old := newIssuer(t, "Old Middle", &a.root, func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, -3) })
	pin := sha256.Sum256([]byte("another certificate"))
	early := func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, 9), time.Now().AddDate(1, 0, 0)
	}
	otherName := func(c *x509.Certificate) { c.DNSNames = []string{"web77.hoster.example"} }
	return []trouble{
		{name: "signed by itself", serve: named(nil, nil), class: postroom.TLSUntrusted, says: "has signed it itself"},
		{name: "of an authority of the office", serve: named(&private, nil, private), class: postroom.TLSUntrusted, says: "“Office Root”, which this computer does not know"},
		{name: "of an authority that is not shown", serve: named(&private, nil), class: postroom.TLSUntrusted, says: "“Office Root”, which this computer does not know"},
		{name: "without the one between", serve: named(&below, func(c *x509.Certificate) { c.IssuingCertificateURL = []string{"http://ca.example/middle.crt"} }),
			class: postroom.TLSUntrusted, says: "“Public Middle” that vouches for it was not sent along"},
		{name: "one between that has run out", serve: named(&old, nil, old), class: postroom.TLSUntrusted, says: "one that vouches for it has run out"},
		{name: "run out", serve: named(&a.root, func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, -2) }), class: postroom.TLSUntrusted, says: "has run out, on "},
		{name: "of the future", serve: named(&a.root, early), class: postroom.TLSUntrusted, says: "is not valid yet: it begins on "},
		{name: "a clock of long ago", serve: named(&a.root, early), clock: time.Date(2021, 3, 4, 5, 6, 7, 0, time.UTC), class: postroom.TLSUntrusted, says: "The clock of the computer that runs Postroom is wrong: it shows 4 March 2021."},
		{name: "for another name", serve: named(&a.root, otherName), class: postroom.TLSMismatch, field: "host", says: "It shows web77.hoster.example."},
		{name: "for a name, not for an address", serve: named(&a.root, nil), change: func(s *postroom.ServerSettings) { s.Host = "192.0.2.5" }, class: postroom.TLSMismatch, field: "host", says: "belongs to another name"},
		{name: "with a name of the old kind", serve: named(&a.root, func(c *x509.Certificate) { c.DNSNames = nil }), class: postroom.TLSMismatch, field: "host", says: "belongs to another name"},
		{name: "made for clients", serve: named(&a.root, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth} }),
			class: postroom.TLSUntrusted, says: "was not made for a server"},
		{name: "made by a firewall", serve: named(&fortinet, nil, fortinet), class: postroom.TLSUntrusted, says: "is opened on its way, by “Fortinet CA SSL”"},
		{name: "made by a virus scanner", serve: named(&avast, nil), class: postroom.TLSUntrusted, says: "by “Avast Web/Mail Shield Root”"},
		{name: "made by another one", serve: named(&kaspersky, nil, kaspersky), class: postroom.TLSUntrusted, says: "by “Kaspersky Anti-Virus Personal Root Certificate”"},
		{name: "another than the pinned one", serve: named(&a.root, nil), change: func(s *postroom.ServerSettings) { s.PinnedSHA256 = hex.EncodeToString(pin[:]) },
			class: postroom.TLSUntrusted, field: "pinned_sha256", says: "another certificate than the one that was pinned"},
		{name: "a CA that cannot be read", serve: named(&a.root, nil), change: func(s *postroom.ServerSettings) { s.CACertificate = "hello" },
			class: postroom.TLSUntrusted, field: "ca_certificate", says: "cannot be read"},
		{name: "a page where one signs in to the network", serve: named(nil, otherName), class: postroom.TLSMismatch, field: "host", says: "a sign-in page of this network"},
	}
}

func troublesOfStrangers(a authorities) []trouble {
	inClear := func(s *postroom.ServerSettings) {
		s.TLS, s.Port = postroom.TLSStart, map[int]int{993: 143, 995: 110, 465: 587}[s.Port]
	}
	own := map[postroom.Protocol]string{postroom.IMAP: "* OK ready\r\n", postroom.POP3: "+OK ready\r\n", postroom.SMTP: "220 mail.example.net ESMTP\r\n"}
	imap, pop3, smtp := []postroom.Protocol{postroom.IMAP}, []postroom.Protocol{postroom.POP3}, []postroom.Protocol{postroom.SMTP}
	const badRequest = "HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"
	return []trouble{
		{name: "a port that begins in clear", serve: func(p postroom.Protocol, conn net.Conn) { says(own[p])(p, conn) }, class: postroom.ProtocolMismatch, field: "tls", says: "does not begin with encryption"},
		{name: "a port for sending, encrypted", protocols: readers, serve: says(own[postroom.SMTP]), class: postroom.ProtocolMismatch, field: "port", says: "a server for sending mail (SMTP)"},
		{name: "a port for sending", protocols: readers, change: inClear, serve: says(own[postroom.SMTP]), class: postroom.ProtocolMismatch, field: "port", says: "a server for sending mail (SMTP)"},
		{name: "POP3 where IMAP is expected", protocols: imap, change: inClear, serve: says(own[postroom.POP3]), class: postroom.ProtocolMismatch, field: "protocol", says: "a POP3 server"},
		{name: "IMAP where POP3 is expected", protocols: pop3, change: inClear, serve: says(own[postroom.IMAP]), class: postroom.ProtocolMismatch, field: "protocol", says: "an IMAP server"},
		{name: "IMAP where sending is expected", protocols: smtp, change: inClear, serve: says(own[postroom.IMAP]), class: postroom.ProtocolMismatch, field: "port", says: "This server is for reading."},
		{name: "POP3 where sending is expected, encrypted", protocols: smtp, serve: says(own[postroom.POP3]), class: postroom.ProtocolMismatch, field: "port", says: "a POP3 server"},
		{name: "a web server", change: inClear, serve: says(badRequest), class: postroom.ProtocolMismatch, field: "port", says: "a web server"},
		{name: "a web server instead of encryption", serve: afterHello(says(badRequest)), class: postroom.ProtocolMismatch, field: "port", says: "a web server"},
		{name: "a web server under encryption", serve: encrypted(&tls.Config{Certificates: one(a)}, says(badRequest)), class: postroom.ProtocolMismatch, field: "port", says: "a web server"},
		{name: "a page where one signs in", change: inClear, serve: says("HTTP/1.0 302 Found\r\nLocation: http://wifi.example/login\r\n\r\n<html>"), class: postroom.ProtocolMismatch, field: "port", says: "a sign-in page of this network"},
		{name: "a server for remote work", change: inClear, serve: says("SSH-2.0-OpenSSH_9.6\r\n"), class: postroom.ProtocolMismatch, field: "port", says: "a server for remote work (SSH)"},
		{name: "a server for remote work instead of encryption", serve: says("SSH-2.0-OpenSSH_9.6\r\n"), class: postroom.ProtocolMismatch, field: "port", says: "a server for remote work (SSH)"},
		{name: "no greeting", change: inClear, serve: silent, class: postroom.Timeout, says: "took the connection, but did not say who it is"},
		{name: "no greeting under encryption", serve: showing(a.anyName), class: postroom.Timeout, says: "took the connection, but did not say who it is"},
		{name: "hanging up at once", change: inClear, serve: hangUp, class: postroom.ServerBusy, says: "the server does not let in the address of this network"},
		{name: "cut at once", change: inClear, serve: reset, class: postroom.Refused, says: "was cut before the server said a word"},
		{name: "STARTTLS on the port that begins with TLS", change: func(s *postroom.ServerSettings) { s.TLS = postroom.TLSStart }, serve: showing(a.anyName),
			class: postroom.ProtocolMismatch, field: "tls", says: "until the connection is encrypted"},
	}
}

func troublesOfStartTLS(t *testing.T, a authorities) []trouble {
	begun := func(s *postroom.ServerSettings) {
		s.TLS, s.Port = postroom.TLSStart, map[int]int{993: 143, 995: 110, 465: 587}[s.Port]
	}
	no := map[postroom.Protocol]string{postroom.IMAP: "* BYE no\r\n", postroom.POP3: "-ERR no\r\n", postroom.SMTP: "454 4.7.0 TLS not available\r\n"}
	injected := func(p postroom.Protocol, conn net.Conn) {
		io.WriteString(conn, map[postroom.Protocol]string{postroom.POP3: "+OK begin\r\n+OK injected\r\n", postroom.SMTP: "220 begin\r\n250 injected\r\n"}[p])
	}
	self := serverBy(t, nil, "*.example.net", nil)
	old := a.root.server(t, "*.example.net", func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, -2) })
	other := a.root.server(t, "web77.hoster.example", nil)
	pops := []postroom.Protocol{postroom.POP3, postroom.SMTP}
	return []trouble{
		{name: "no STARTTLS", change: begun, serve: script{noStartTLS: true}.serve, class: postroom.ProtocolMismatch, field: "tls", says: "Postroom never goes on without encryption"},
		{name: "no STARTTLS, and everything allowed", protocols: []postroom.Protocol{postroom.IMAP}, change: begun, serve: script{preauth: true}.serve, class: postroom.ProtocolMismatch, field: "tls", says: "offers no STARTTLS"},
		{name: "STARTTLS that is refused", protocols: []postroom.Protocol{postroom.POP3}, change: begun, serve: script{startTLS: func(p postroom.Protocol, conn net.Conn) { says(no[p])(p, conn) }}.serve,
			class: postroom.ProtocolMismatch, field: "tls", says: "does not encrypt on this port"},
		{name: "STARTTLS that is not ready", protocols: []postroom.Protocol{postroom.SMTP}, change: begun, serve: script{startTLS: func(p postroom.Protocol, conn net.Conn) { says(no[p])(p, conn) }}.serve,
			class: postroom.ServerBusy, says: "not ready at the moment"},
		{name: "words put in before encryption", protocols: pops, change: begun, serve: script{startTLS: injected}.serve, class: postroom.TLSUntrusted, says: "Something was put into the connection"},
		{name: "signed by itself, after STARTTLS", change: begun, serve: script{tls: showing(self)}.serve, class: postroom.TLSUntrusted, says: "has signed it itself"},
		{name: "run out, after STARTTLS", change: begun, serve: script{tls: showing(old)}.serve, class: postroom.TLSUntrusted, says: "has run out, on "},
		{name: "another name, after STARTTLS", change: begun, serve: script{tls: showing(other)}.serve, class: postroom.TLSMismatch, field: "host", says: "It shows web77.hoster.example."},
		{name: "silence after STARTTLS", change: begun, serve: script{tls: silent}.serve, class: postroom.Timeout, says: "but did not encrypt it"},
		{name: "hanging up after STARTTLS", change: begun, serve: script{tls: afterHello(hangUp)}.serve, class: postroom.ServerBusy, says: "closed the connection instead of encrypting it"},
		{name: "cut after STARTTLS", change: begun, serve: script{tls: afterHello(reset)}.serve, class: postroom.Refused, says: "was cut while it was being encrypted"},
	}
}

func troublesOfSignIn(a authorities) []trouble {
	within := func(signIn func(postroom.Protocol, net.Conn)) func(postroom.Protocol, net.Conn) {
		return encrypted(&tls.Config{Certificates: one(a)}, script{noStartTLS: true, signIn: signIn}.serve)
	}
	late := func(p postroom.Protocol, conn net.Conn) {
		io.WriteString(conn, map[postroom.Protocol]string{postroom.IMAP: "* BYE Authentication timed out.\r\n", postroom.POP3: "-ERR [AUTH] Authentication timed out\r\n", postroom.SMTP: "421 4.4.2 Authentication timed out\r\n"}[p])
	}
	cutOff := func(_ postroom.Protocol, conn net.Conn) {
		if under, ok := conn.(*tls.Conn); ok {
			reset("", under.NetConn())
			under.NetConn().Close()
		}
	}
	return []trouble{
		{name: "silence after the password", serve: within(silent), class: postroom.Timeout, says: "did not answer the sign-in within 800 milliseconds."},
		{name: "a sign-in that took the server too long", serve: within(late), class: postroom.Timeout, says: "did not answer in time"},
		{name: "hanging up after the password", serve: within(hangUp), class: postroom.ServerBusy, says: "closed the connection during the sign-in"},
		{name: "cut after the password", serve: within(cutOff), class: postroom.Refused, says: "was cut during the sign-in"},
	}
}
