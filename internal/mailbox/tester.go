package mailbox

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
)

// A Tester tries step by step whether a mailbox can be read, and sends where it is
// to. It needs no store, keeps nothing, changes nothing on the server and sends no mail.
type Tester struct {
	Explainer Explainer
	// Dial makes TCP connections; nil: a plain [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// LookUp finds the addresses of a name; nil: the system's resolver.
	LookUp func(ctx context.Context, host string) ([]netip.Addr, error)
	// Patience is for how long a POP3 mailbox that somebody has open is tried; 0: six
	// seconds.
	Patience time.Duration
}

// The time-outs of a test beyond those of the mailbox.
const (
	commandTimeout = 15 * time.Second
	listenFor      = 50 * time.Millisecond
)

// Run tests m with c, both sides at the same time. Both must be complete.
func (t Tester) Run(ctx context.Context, m postroom.Mailbox, c Credential, o TestOptions) Report {
	outgoing := func() []Step { return nil }
	if o.Side != IncomingSide {
		outgoing = t.outgoing(ctx, m, c)
	}
	r := &test{Tester: t, m: m, c: c}
	if o.Side != OutgoingSide && r.findName(ctx) && r.reach(ctx) {
		r.read(ctx)
	}
	report := Report{OK: true, Steps: append(r.steps, outgoing()...)}
	for _, s := range report.Steps {
		report.OK = report.OK && s.OK
	}
	return report
}

// A test is one run.
type test struct {
	Tester
	m     postroom.Mailbox
	c     Credential
	steps []Step

	client *imap.Client
	newest imap.Status // of the first folder with a message
}

// A signIn is what a transcript tells of how somebody signed in.
type signIn struct {
	greeted, began time.Time
	mechanism      string
}

func (r *test) good(kind StepKind, since time.Time, detail string) {
	r.steps = append(r.steps, Step{Kind: kind, OK: true, Took: time.Since(since), Detail: detail})
}

// bad notes a step that failed; it returns false, for the one who ends with it.
func (r *test) bad(kind StepKind, since time.Time, detail string, err error) bool {
	r.steps = append(r.steps, Step{Kind: kind, Took: time.Since(since), Detail: detail, Fault: r.explain(err)})
	return false
}

// explain is the Fault of what went wrong, also where the one who asked has left.
func (r *test) explain(err error) *postroom.Fault {
	if f := r.Explainer.Explain(err, r.m, r.c, false); f != nil {
		return f
	}
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByUser,
		Explanation: "The test was ended before it was through.",
		Remedy:      "Start it again.",
		Err:         err,
	}
}

// findName looks the server up. An IP address needs no looking up.
func (r *test) findName(ctx context.Context) bool {
	host := r.m.Incoming.Host
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	since := time.Now()
	ctx, cancel := context.WithTimeout(ctx, r.endpoint().ConnectTimeout)
	defer cancel()
	lookUp := r.LookUp
	if lookUp == nil {
		lookUp = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	found, err := lookUp(ctx, asciiHost(host))
	if err != nil {
		return r.bad(StepName, since, host, &mail.Refusal{Protocol: r.m.Incoming.Protocol, Phase: mail.PhaseConnect, Err: err})
	}
	var shown []string
	for _, ip := range found {
		if text := ip.Unmap().String(); len(shown) < 4 {
			shown = append(shown, text)
		}
	}
	r.good(StepName, since, host+" is "+strings.Join(shown, ", "))
	return true
}

func (r *test) endpoint() mail.Endpoint {
	in := r.m.Incoming
	return mail.Endpoint{
		Host: in.Host, Port: in.Port, TLS: in.TLS, CACertificate: in.CACertificate, PinnedSHA256: in.PinnedSHA256,
		ConnectTimeout: in.ConnectTimeout, AuthTimeout: in.AuthTimeout, Dial: r.Dial,
	}.WithDefaults()
}

// reach connects once for the sake of the connection alone, so that reaching the
// server, its certificate and its greeting can be told apart.
func (r *test) reach(ctx context.Context) bool {
	since, reached, at := time.Now(), time.Time{}, ""
	e := r.endpoint()
	dial := e.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	e.Dial = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			reached, at = time.Now(), conn.RemoteAddr().String()
		}
		return conn, err
	}
	conn, err := mail.Dial(ctx, e)
	if err == nil {
		defer conn.Close()
	}
	place := fmt.Sprintf("%s, port %d", r.m.Incoming.Host, r.m.Incoming.Port)
	if reached.IsZero() {
		return r.bad(StepConnection, since, place, err)
	}
	r.steps = append(r.steps, Step{Kind: StepConnection, OK: true, Took: reached.Sub(since), Detail: place + " (" + at + ")"})
	if err != nil {
		return r.bad(StepEncryption, reached, "", err)
	}
	if encrypted, ok := conn.(interface{ ConnectionState() tls.ConnectionState }); ok {
		r.good(StepEncryption, reached, certificateInWords(encrypted.ConnectionState()))
	}
	return true
}

// certificateInWords says who the server is, who says so, and until when.
func certificateInWords(s tls.ConnectionState) string {
	words := tls.VersionName(s.Version)
	if len(s.PeerCertificates) == 0 {
		return words
	}
	c := s.PeerCertificates[0]
	who := c.Subject.CommonName
	if len(c.DNSNames) > 0 {
		who = c.DNSNames[0]
	}
	issuer := c.Issuer.CommonName
	if len(c.Issuer.Organization) > 0 {
		issuer = c.Issuer.Organization[0]
	}
	return fmt.Sprintf("%s; %s, certified by %s until %s", words, who, issuer, c.NotAfter.Format("2 January 2006"))
}

// read opens the mailbox as reading it does.
func (r *test) read(ctx context.Context) {
	if r.m.Incoming.Protocol == postroom.POP3 {
		r.readPOP3(ctx)
		return
	}
	r.readIMAP(ctx)
}

// opened notes the steps up to the sign-in.
func (r *test) opened(since time.Time, s signIn, err error) {
	phase := mail.Phase("")
	if refusal, ok := mail.RefusalOf(err); ok {
		phase = refusal.Phase
	}
	switch {
	case phase == mail.PhaseConnect: // though it has just been reached
		r.bad(StepConnection, since, "", err)
		return
	case err != nil && s.greeted.IsZero(), phase == mail.PhaseGreeting:
		r.bad(StepGreeting, since, "", err)
		return
	}
	if s.greeted.IsZero() {
		s.greeted = since
	}
	r.steps = append(r.steps, Step{Kind: StepGreeting, OK: true, Took: s.greeted.Sub(since), Detail: "The server speaks " + protocolInWords(r.m.Incoming.Protocol) + "."})
	if r.m.Incoming.TLS == postroom.TLSStart {
		if phase == mail.PhaseStartTLS {
			r.bad(StepEncryption, s.greeted, "", err)
			return
		}
		r.good(StepEncryption, s.greeted, "By "+startWord(r.m.Incoming.Protocol)+", with a certificate that is trusted.")
	}
	if s.began.IsZero() {
		s.began = s.greeted
	}
	who := r.m.Incoming.Username
	if s.mechanism != "" {
		who += " (" + s.mechanism + ")"
	}
	if err != nil {
		r.bad(StepSignIn, s.began, who, err)
		return
	}
	r.good(StepSignIn, s.began, who)
}

// startWord is the command that begins encryption.
func startWord(p postroom.Protocol) string {
	if p == postroom.POP3 {
		return "STLS" // RFC 2595 section 4
	}
	return "STARTTLS"
}

func messages(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return grouped(n) + " messages"
}

// grouped writes a number with commas between its thousands.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// every is how often Postroom looks, as people say it.
func every(d time.Duration) string {
	switch d {
	case time.Second, time.Minute, time.Hour:
		return "every " + strings.TrimPrefix(inWords(d), "1 ")
	}
	return "every " + inWords(d)
}
