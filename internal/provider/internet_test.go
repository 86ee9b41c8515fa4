package provider

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// An internet is a recorded one: what its DNS, web and mail servers say, and what they
// were asked. TLS is real, with certificates of an authority of its own.
type internet struct {
	records map[string][]string // "example.net MX" → values
	pages   map[string]page     // by address without query
	mail    map[string]string   // "imap.example.net:993" → what is odd about it
	fails   bool                // no name server answers
	ca      *authority

	lock  sync.Mutex
	hosts map[netip.Addr]string
	seen  seen
	open  sync.WaitGroup
}

// seen is what was asked of an internet.
type seen struct {
	dns    []string // "MX example.net"
	dialed []string // "imap.example.net:993 9.1.2.3"
	pages  []*http.Request
	bodies []string
	said   []string // to mail servers, line by line
}

// A page is what a web server answers.
type page struct {
	Status int               `yaml:"status"` // 0: 200
	Header map[string]string `yaml:"header"`
	Body   string            `yaml:"body"`
	Odd    string            `yaml:"odd"` // silent, endless, untrusted, other name
}

func newInternet(t *testing.T, dns []string) *internet {
	n := &internet{
		records: map[string][]string{}, pages: map[string]page{}, mail: map[string]string{},
		ca: newAuthority(t), hosts: map[netip.Addr]string{},
	}
	for _, line := range dns {
		n.add(t, line)
	}
	t.Cleanup(n.open.Wait)
	return n
}

// add adds a record, such as "example.net MX 10 mx.example.net". An A without an
// address gets one that is the host's own.
func (n *internet) add(t *testing.T, line string) {
	name, rest, _ := strings.Cut(line, " ")
	kind, value, _ := strings.Cut(rest, " ")
	switch kind {
	case "A":
		if value == "" {
			h := fnv.New32a()
			h.Write([]byte(name))
			sum := h.Sum(nil)
			value = netip.AddrFrom4([4]byte{9, sum[1], sum[2], sum[3]}).String()
		}
		n.hosts[netip.MustParseAddr(value)] = name
	case "MX", "SRV", "TXT", "NS", "CNAME":
	default:
		t.Fatalf("record %q is of no kind that is known", line)
	}
	n.records[name+" "+kind] = append(n.records[name+" "+kind], value)
}

// finder returns one that asks this internet.
func (n *internet) finder() *Finder {
	return &Finder{Resolver: n, Dial: n.dial, Roots: n.ca.pool}
}

func (n *internet) lookup(ctx context.Context, kind, name string) ([]string, error) {
	n.lock.Lock()
	defer n.lock.Unlock()
	name, rooted := strings.CutSuffix(strings.ToLower(name), ".")
	n.seen.dns = append(n.seen.dns, kind+" "+name)
	if !rooted {
		return nil, errors.New("the search list of this computer would be added to " + name)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if n.fails {
		return nil, &net.DNSError{Err: "server misbehaving", Name: name, IsTemporary: true}
	}
	values := n.records[name+" "+kind]
	if len(values) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return values, nil
}

func (n *internet) LookupMX(ctx context.Context, name string) (list []*net.MX, err error) {
	values, err := n.lookup(ctx, "MX", name)
	for _, v := range values {
		pref, host, _ := strings.Cut(v, " ")
		p, _ := strconv.Atoi(pref)
		list = append(list, &net.MX{Host: host + ".", Pref: uint16(p)})
		if host == "." {
			list[len(list)-1].Host = "."
		}
	}
	return list, err
}

func (n *internet) LookupSRV(ctx context.Context, service, proto, name string) (cname string, list []*net.SRV, err error) {
	values, err := n.lookup(ctx, "SRV", "_"+service+"._"+proto+"."+name)
	for _, v := range values {
		var r net.SRV
		if _, err := fmt.Sscan(v, &r.Priority, &r.Weight, &r.Port, &r.Target); err != nil {
			return "", nil, err
		}
		if r.Target != "." {
			r.Target += "."
		}
		list = append(list, &r)
	}
	return "", list, err
}

func (n *internet) LookupTXT(ctx context.Context, name string) ([]string, error) {
	return n.lookup(ctx, "TXT", name)
}

func (n *internet) LookupNS(ctx context.Context, name string) (list []*net.NS, err error) {
	values, err := n.lookup(ctx, "NS", name)
	for _, v := range values {
		list = append(list, &net.NS{Host: v + "."})
	}
	return list, err
}

func (n *internet) LookupCNAME(ctx context.Context, host string) (string, error) {
	values, err := n.lookup(ctx, "CNAME", host)
	if err != nil {
		return "", err
	}
	return values[0] + ".", nil
}

func (n *internet) LookupNetIP(ctx context.Context, _, host string) (list []netip.Addr, err error) {
	values, err := n.lookup(ctx, "A", host)
	for _, v := range values {
		list = append(list, netip.MustParseAddr(v))
	}
	return list, err
}

// dial connects to a host by its address. A port at which nothing listens refuses.
func (n *internet) dial(_ context.Context, _, to string) (net.Conn, error) {
	at := netip.MustParseAddrPort(to)
	n.lock.Lock()
	defer n.lock.Unlock()
	host := n.hosts[at.Addr()]
	n.seen.dialed = append(n.seen.dialed, fmt.Sprintf("%s:%d %s", host, at.Port(), at.Addr()))
	odd, isMail := n.mail[fmt.Sprintf("%s:%d", host, at.Port())]
	serve := func(conn net.Conn) { n.serveMail(conn, host, int(at.Port()), odd) }
	switch {
	case isMail:
	case at.Port() == 443 && n.hasPages("https://"+host+"/"):
		serve = func(conn net.Conn) { n.serveHTTPS(conn, host) }
	case at.Port() == 80 && n.hasPages("http://"+host+"/"):
		serve = func(conn net.Conn) { n.serveHTTP(conn, "http://"+host) }
	default:
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	}
	ours, theirs := net.Pipe()
	n.open.Go(func() {
		defer theirs.Close()
		serve(theirs)
	})
	return ours, nil
}

func (n *internet) hasPages(prefix string) bool {
	for at := range n.pages {
		if strings.HasPrefix(at, prefix) {
			return true
		}
	}
	return false
}

func (n *internet) serveHTTPS(conn net.Conn, host string) {
	odd := ""
	for at, p := range n.pages {
		if strings.HasPrefix(at, "https://"+host+"/") {
			odd = p.Odd
		}
	}
	encrypted := tls.Server(conn, n.ca.config(host, odd))
	if encrypted.Handshake() != nil {
		return
	}
	n.serveHTTP(encrypted, "https://"+host)
}

func (n *internet) serveHTTP(conn net.Conn, origin string) {
	r, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	body, _ := io.ReadAll(r.Body)
	r.URL.Scheme, r.URL.Host = strings.Split(origin, ":")[0], strings.Split(origin, "//")[1]
	n.lock.Lock()
	n.seen.pages = append(n.seen.pages, r)
	n.seen.bodies = append(n.seen.bodies, string(body))
	n.lock.Unlock()
	p, there := n.pages[origin+r.URL.Path]
	if !there {
		p.Status = http.StatusNotFound
	}
	if p.Odd == "silent" {
		io.Copy(io.Discard, conn) // until the other side gives up
		return
	}
	if p.Status == 0 {
		p.Status = http.StatusOK
	}
	fmt.Fprintf(conn, "HTTP/1.1 %d %s\r\nConnection: close\r\n", p.Status, http.StatusText(p.Status))
	for name, value := range p.Header {
		fmt.Fprintf(conn, "%s: %s\r\n", name, value)
	}
	io.WriteString(conn, "\r\n"+p.Body)
	if p.Odd == "endless" {
		n.open.Go(func() { io.Copy(io.Discard, conn) })
	}
	for p.Odd == "endless" {
		if _, err := io.WriteString(conn, strings.Repeat("<x>", 1000)); err != nil {
			return
		}
	}
}

// serveMail speaks the protocol of a port. The oddities: silent, untrusted (certificate),
// other name (in it), no starttls, babble (no greeting).
func (n *internet) serveMail(conn net.Conn, host string, port int, odd string) {
	switch port {
	case 993, 995, 465:
		encrypted := tls.Server(conn, n.ca.config(host, odd))
		if encrypted.Handshake() != nil {
			return
		}
		conn = encrypted
	}
	greeting := map[int]string{
		993: "* OK ready", 143: "* OK ready", 995: "+OK ready", 465: "220-welcome\r\n220 ready", 587: "220 ready",
	}[port]
	switch odd {
	case "silent":
		io.Copy(io.Discard, conn)
		return
	case "babble":
		greeting = "SSH-2.0-OpenSSH"
	}
	if _, err := io.WriteString(conn, greeting+"\r\n"); err != nil {
		return
	}
	lines := bufio.NewScanner(conn)
	for lines.Scan() {
		n.lock.Lock()
		n.seen.said = append(n.seen.said, lines.Text())
		n.lock.Unlock()
		tls := "STARTTLS"
		if odd == "no starttls" {
			tls = "NOTHING"
		}
		switch text := lines.Text(); {
		case text == "a CAPABILITY":
			io.WriteString(conn, "* CAPABILITY IMAP4rev1 "+tls+"\r\na OK done\r\n")
		case strings.HasPrefix(text, "EHLO "):
			io.WriteString(conn, "250-hello\r\n250-SIZE 1\r\n250 "+tls+"\r\n")
		case text == "b STARTTLS", text == "STARTTLS":
			if port == 143 {
				io.WriteString(conn, "b OK go\r\n")
			} else {
				io.WriteString(conn, "220 go\r\n")
			}
			n.turnToTLS(conn, host, odd)
			return
		default:
			return
		}
	}
}

func (n *internet) turnToTLS(conn net.Conn, host, odd string) {
	encrypted := tls.Server(conn, n.ca.config(host, odd))
	if encrypted.Handshake() != nil {
		return
	}
	lines := bufio.NewScanner(encrypted)
	for lines.Scan() {
		n.lock.Lock()
		n.seen.said = append(n.seen.said, lines.Text())
		n.lock.Unlock()
	}
}

// An authority issues certificates.
type authority struct {
	pool *x509.CertPool
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Recorded Internet"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(100, 0, 0), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{pool: x509.NewCertPool(), cert: cert, key: key}
	a.pool.AddCert(cert)
	return a
}

func (a *authority) config(host, odd string) *tls.Config {
	if odd == "other name" {
		host = "server12.elsewhere.net"
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), DNSNames: []string{host}, NotBefore: time.Unix(0, 0), NotAfter: time.Now().AddDate(50, 0, 0)}
	issuer, signer := a.cert, a.key
	if odd == "untrusted" {
		issuer = template // signed by nobody that is trusted
	}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, &a.key.PublicKey, signer)
	if err != nil {
		panic(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: a.key}}}
}
