package mailbox

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
)

// An opening is what is heard of a connection until somebody is signed in.
type opening struct {
	over      bool     // its steps have been told
	shuns     bool     // the greeting is not waited for
	offers    []string // what the server said before the sign-in, in its own words
	mechanism string
	began     bool // the first sign-in has

	asked    time.Time // when a sign-in was asked for; zero: none was
	answered time.Time // when the server last said anything to that
	settled  bool      // something else was asked since

	ends []func()
}

// again forgets what a further connection tells anew.
func (o *opening) again() {
	o.asked, o.answered, o.settled, o.mechanism = time.Time{}, time.Time{}, false, ""
}

// end lets go of every connection at once.
func (o *opening) end() {
	for _, end := range o.ends {
		end()
	}
}

// watched is the endpoint that tells its steps. Its connections end with ctx, also
// while they are said goodbye to.
func (r *test) watched(ctx context.Context) mail.Endpoint {
	e := r.endpoint()
	dial := e.Dial
	if dial == nil {
		dial = new(net.Dialer).DialContext
	}
	e.Dial = func(dialing context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(dialing, network, addr)
		if err != nil {
			return nil, err
		}
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		r.opening.ends = append(r.opening.ends, func() { stop(); conn.Close() })
		r.reached(conn.RemoteAddr())
		return conn, nil
	}
	e.Encrypted = r.encrypted
	return e
}

func (r *test) reached(at net.Addr) {
	if !r.isAt(StepConnection) {
		return
	}
	r.measured.connected = time.Since(r.since)
	r.good(r.place() + " (" + at.String() + ")")
	if r.m.Incoming.TLS == postroom.TLSImplicit {
		r.begin(StepEncryption, "")
	} else if !r.opening.shuns {
		r.begin(StepGreeting, "")
	}
}

func (r *test) place() string {
	return fmt.Sprintf("%s, port %d", r.m.Incoming.Host, r.m.Incoming.Port)
}

func (r *test) encrypted(state tls.ConnectionState) {
	if !r.isAt(StepEncryption) {
		return
	}
	r.measured.encrypted = time.Since(r.since)
	c := certificateOf(state.PeerCertificates)
	r.end(Step{OK: true, Detail: c.inWords(state.Version), Certificate: c})
	if r.m.Incoming.TLS != postroom.TLSImplicit {
		r.begin(StepSignIn, r.m.Incoming.Username)
	} else if !r.opening.shuns {
		r.begin(StepGreeting, "")
	}
}

// hear is the transcript of the connection.
func (r *test) hear(dir byte, line string) {
	r.dialogue.hear(dir, line)
	if r.opening.over {
		return
	}
	if dir == 'S' {
		r.hearServer(line)
		return
	}
	word, rest := r.command(line)
	switch word {
	case "STARTTLS", "STLS":
		if r.isAt(StepGreeting) {
			r.greeted()
			r.begin(StepEncryption, "")
		}
	case "AUTHENTICATE", "AUTH":
		mechanism, _, _ := strings.Cut(rest, " ")
		r.signingIn(mechanism)
	case "LOGIN", "APOP", "USER":
		r.signingIn(word)
	case "CAPABILITY", "CAPA", "ID", "ENABLE":
		r.opening.settled = !r.opening.asked.IsZero()
	}
}

// command is the first word of a line of ours, without the tag of IMAP.
func (r *test) command(line string) (word, rest string) {
	line = strings.TrimSpace(line)
	if r.m.Incoming.Protocol == postroom.IMAP {
		_, line, _ = strings.Cut(line, " ")
	}
	word, rest, _ = strings.Cut(line, " ")
	return strings.ToUpper(word), rest
}

// How much is looked at of what a server says it can do.
const (
	maxOffers = 100  // lines
	maxOffer  = 4000 // bytes of a line
)

func (r *test) hearServer(line string) {
	o := &r.opening
	switch {
	case o.settled:
	case !o.asked.IsZero():
		o.answered = time.Now()
	case len(o.offers) < maxOffers:
		o.offers = append(o.offers, strings.Clone(line[:min(len(line), maxOffer)]))
	}
}

// greeted tells that the server has greeted, if that is what was waited for.
func (r *test) greeted() {
	if r.isAt(StepGreeting) {
		r.good(abilities(r.m.Incoming.Protocol, r.opening.offers))
	}
}

// signingIn tells that the sign-in begins. Where the first way is not taken and
// there is another, its time counts from the first.
func (r *test) signingIn(mechanism string) {
	r.greeted()
	if !r.isAt(StepSignIn) {
		r.begin(StepSignIn, r.m.Incoming.Username)
	}
	if r.opening.asked.IsZero() {
		r.opening.asked = time.Now()
		if !r.opening.began { // by STARTTLS, what was asked before does not count
			r.since, r.opening.began = r.opening.asked, true
		}
	}
	r.opening.mechanism = mechanism
}

// opened tells how opening has ended. It returns whether we are in.
func (r *test) opened(ctx context.Context, err error) bool {
	r.opening.over = true
	if err != nil {
		r.stuck(ctx, err)
		return false
	}
	r.greeted()
	if !r.isAt(StepSignIn) { // the server knew us already
		r.begin(StepSignIn, r.m.Incoming.Username)
	}
	if !r.opening.answered.IsZero() {
		r.measured.signedIn = r.opening.answered.Sub(r.opening.asked)
	}
	r.good(r.who())
	return true
}

// stuck notes the step at which opening has failed.
func (r *test) stuck(ctx context.Context, err error) {
	phase := mail.Phase("")
	if refusal, ok := mail.RefusalOf(err); ok {
		phase = refusal.Phase
	}
	switch {
	case r.running.Kind == "":
		r.begin(StepConnection, r.place())
	case r.isAt(StepGreeting) && phase == mail.PhaseStartTLS:
		r.greeted()
		r.begin(StepEncryption, "")
	case r.isAt(StepGreeting) && phase == mail.PhaseAuth:
		r.greeted()
		r.begin(StepSignIn, r.m.Incoming.Username)
	}
	detail := r.running.Detail
	if r.isAt(StepSignIn) {
		detail = r.who()
		r.measured.notSignedIn = !r.opening.asked.IsZero()
	}
	r.measured.notReached = r.isAt(StepConnection) || r.isAt(StepEncryption) && r.m.Incoming.TLS == postroom.TLSImplicit
	r.bad(ctx, detail, err)
}

// who is the user name, and how it was shown to be ours.
func (r *test) who() string {
	if r.c.Kind == KindOAuth && !r.c.Password.IsEmpty() {
		return r.byToken()
	}
	who := r.m.Incoming.Username
	if r.opening.mechanism != "" {
		who += " (" + r.opening.mechanism + ")"
	}
	if !r.form.IsEmpty() && len(r.forms) > 1 && r.form.Reveal() != r.forms[0].Reveal() {
		who += ", with the password " + formInWords(r.forms[0].Reveal(), r.form.Reveal())
	}
	return who
}
