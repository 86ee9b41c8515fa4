package mailbox

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/mail/imap"
)

// A Tester tries step by step whether a mailbox can be read. It needs no store,
// keeps nothing and changes nothing on the server.
type Tester struct {
	Explainer Explainer
	// Dial makes TCP connections; nil: a plain [net.Dialer].
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// LookUp finds the addresses of a name; nil: the system's resolver.
	LookUp func(ctx context.Context, host string) ([]netip.Addr, error)
}

// The time-outs of a test beyond those of the mailbox.
const (
	commandTimeout = 15 * time.Second
	listenFor      = 50 * time.Millisecond
)

// Run tests the incoming side of m with c. Both must be complete.
func (t Tester) Run(ctx context.Context, m postroom.Mailbox, c Credential) Report {
	r := &test{Tester: t, m: m, c: c}
	if r.findName(ctx) && r.reach(ctx) {
		r.read(ctx)
	}
	report := Report{OK: true, Steps: r.steps}
	for _, s := range r.steps {
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

func (r *test) good(kind StepKind, since time.Time, detail string) {
	r.steps = append(r.steps, Step{Kind: kind, OK: true, Took: time.Since(since), Detail: detail})
}

// bad notes a step that failed; it returns false, for the one who ends with it.
func (r *test) bad(kind StepKind, since time.Time, detail string, err error) bool {
	f := r.Explainer.Explain(err, r.m, r.c, false)
	if f == nil {
		f = &postroom.Fault{
			Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByUser,
			Explanation: "The test was ended before it was through.",
			Remedy:      "Start it again.",
			Err:         err,
		}
	}
	r.steps = append(r.steps, Step{Kind: kind, Took: time.Since(since), Detail: detail, Fault: f})
	return false
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
		return r.bad(StepName, since, host, &mail.Refusal{Protocol: postroom.IMAP, Phase: mail.PhaseConnect, Err: err})
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
	since := time.Now()
	var greeted, signing time.Time
	mechanism := ""
	client, err := imap.Open(ctx, imap.Options{
		Endpoint:       r.endpoint(),
		Login:          mail.Login{Username: r.m.Incoming.Username, Secret: r.c.Password},
		CommandTimeout: commandTimeout, LiteralTimeout: commandTimeout,
		Transcript: func(dir byte, line string) {
			if dir == 'S' && greeted.IsZero() {
				greeted = time.Now()
			}
			if word, rest := command(line); dir == 'C' && (word == "AUTHENTICATE" || word == "LOGIN") {
				signing = time.Now()
				if mechanism = word; word == "AUTHENTICATE" {
					mechanism, _, _ = strings.Cut(rest, " ")
				}
			}
		},
	})
	r.opened(since, greeted, signing, mechanism, err)
	if err != nil {
		return
	}
	r.client = client
	defer client.Close()
	if r.openFolders(ctx) && r.lookAtMessage(ctx) {
		r.awaitNews(ctx)
	}
}

// command cuts the tag off a line of the client.
func command(line string) (word, rest string) {
	_, line, _ = strings.Cut(strings.TrimSpace(line), " ")
	word, rest, _ = strings.Cut(line, " ")
	return strings.ToUpper(word), rest
}

// opened notes the steps up to the sign-in.
func (r *test) opened(since, greeted, signing time.Time, mechanism string, err error) {
	phase := mail.Phase("")
	if refusal, ok := mail.RefusalOf(err); ok {
		phase = refusal.Phase
	}
	switch {
	case phase == mail.PhaseConnect: // though it has just been reached
		r.bad(StepConnection, since, "", err)
		return
	case err != nil && greeted.IsZero(), phase == mail.PhaseGreeting:
		r.bad(StepGreeting, since, "", err)
		return
	}
	if greeted.IsZero() {
		greeted = since
	}
	r.steps = append(r.steps, Step{Kind: StepGreeting, OK: true, Took: greeted.Sub(since), Detail: "The server speaks IMAP."})
	if r.m.Incoming.TLS == postroom.TLSStart {
		if phase == mail.PhaseStartTLS {
			r.bad(StepEncryption, greeted, "", err)
			return
		}
		r.good(StepEncryption, greeted, "By STARTTLS, with a certificate that is trusted.")
	}
	if signing.IsZero() {
		signing = greeted
	}
	who := r.m.Incoming.Username
	if mechanism != "" {
		who += " (" + mechanism + ")"
	}
	if err != nil {
		r.bad(StepSignIn, signing, who, err)
		return
	}
	r.good(StepSignIn, signing, who)
}

// openFolders opens every folder for reading only.
func (r *test) openFolders(ctx context.Context) bool {
	ok := true
	for _, folder := range r.m.Incoming.Folders {
		since := time.Now()
		s, err := r.client.Examine(ctx, folder)
		if err != nil {
			ok = r.bad(StepFolder, since, folder, r.withFolders(ctx, folder, err))
			if !r.client.Usable() {
				return false
			}
			continue
		}
		r.good(StepFolder, since, folder+": "+messages(s.Exists))
		if r.newest.Folder == "" && s.Exists > 0 {
			r.newest = s
		}
	}
	return ok
}

func messages(n uint32) string {
	if n == 1 {
		return "1 message"
	}
	return grouped(int64(n)) + " messages"
}

// grouped writes a number with commas between its thousands.
func grouped(n int64) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// withFolders adds to the Fault of a folder that is not there which ones are.
func (r *test) withFolders(ctx context.Context, folder string, err error) error {
	f := r.Explainer.Explain(err, r.m, r.c, false)
	if f == nil || f.Class != postroom.FolderMissing || !r.client.Usable() {
		return err
	}
	with := *f
	with.Explanation = "There is no folder " + quote(folder) + " in this mailbox."
	with.Remedy = "Choose a folder that exists."
	folders, listErr := r.client.Folders(ctx)
	if listErr != nil {
		return &with
	}
	var names []string
	for _, have := range folders {
		if !have.NoSelect && len(names) < 12 {
			names = append(names, quote(have.Name))
		}
	}
	if len(names) > 0 {
		with.Remedy = "Choose one that exists: " + strings.Join(names, ", ") + "."
	}
	return &with
}

// lookAtMessage has the server give the dates of one message, without marking it.
func (r *test) lookAtMessage(ctx context.Context) bool {
	since := time.Now()
	if r.newest.Folder == "" {
		return true // there is none
	}
	if _, err := r.client.Examine(ctx, r.newest.Folder); err != nil {
		return r.bad(StepMessage, since, "", err)
	}
	uids, err := r.lastUIDs(ctx)
	if err == nil && len(uids) > 0 {
		var fact imap.Fact
		err = r.client.Facts(ctx, uids[len(uids)-1:], []string{"Date"}, func(f imap.Fact) error {
			fact = f
			return nil
		})
		if err == nil && fact.UID != 0 {
			r.good(StepMessage, since, fmt.Sprintf("The newest one, of %s, %s bytes.", fact.InternalDate.Format("2 January 2006"), grouped(fact.SizeBytes)))
			return true
		}
	}
	if err != nil {
		return r.bad(StepMessage, since, "", err)
	}
	r.good(StepMessage, since, "The server gave none; it may just have been removed.")
	return true
}

// lastUIDs returns some UIDs at the end of the folder.
func (r *test) lastUIDs(ctx context.Context) ([]uint32, error) {
	const few = 20
	if next := r.newest.UIDNext; next > few {
		uids, err := r.client.UIDs(ctx, next-few)
		if err != nil || len(uids) > 0 {
			return uids, err
		}
	}
	return r.client.UIDs(ctx, 1)
}

// awaitNews tries how the server tells of new mail.
func (r *test) awaitNews(ctx context.Context) {
	since := time.Now()
	if r.newest.Folder == "" {
		if _, err := r.client.Examine(ctx, r.m.Incoming.Folders[0]); err != nil {
			r.bad(StepNews, since, "", err)
			return
		}
	}
	if r.client.Has("IDLE") {
		_, err := r.client.Idle(ctx, listenFor)
		if err == nil {
			r.good(StepNews, since, "The server tells at once.")
			return
		}
		if !r.client.Usable() {
			r.bad(StepNews, since, "", err)
			return
		}
	}
	if _, err := r.client.Noop(ctx); err != nil && errors.Is(ctx.Err(), context.Canceled) {
		r.bad(StepNews, since, "", err)
		return
	}
	r.good(StepNews, since, "The server does not tell; Postroom looks every "+inWords(r.m.Incoming.PollInterval)+".")
}
