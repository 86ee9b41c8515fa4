package mailbox

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
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

	guard *guard // nil: nobody counts what is refused
}

// The time-outs of a test beyond those of the mailbox.
const (
	// testLasts is how long a test may take, and testEnds when its last step is ended,
	// so that there is time to say so.
	testLasts = 15 * time.Second
	testEnds  = testLasts - 500*time.Millisecond

	nameTimeout    = 5 * time.Second
	commandTimeout = 8 * time.Second
	listTimeout    = 4 * time.Second
	listenFor      = 50 * time.Millisecond
)

// errTestOver is why a step of a test ends that has taken all the time there was.
var errTestOver = errors.New("the test may not take longer")

// Run tests m with c, both sides at the same time. What is tested must be complete.
// It takes fifteen seconds at most.
func (t Tester) Run(ctx context.Context, m postroom.Mailbox, c Credential, o TestOptions) Report {
	ctx, cancel := context.WithTimeoutCause(ctx, testEnds, errTestOver)
	defer cancel()
	var sides sync.WaitGroup
	var incoming, outgoing *test
	told := &listener{progress: o.Progress}
	defer told.leave()
	doubt := newDoubt(c, o.Side)
	if o.Side != OutgoingSide {
		incoming = t.test(IncomingSide, m, c, told, doubt)
		sides.Go(func() { incoming.run(ctx, incoming.read) })
	}
	if o.Side != IncomingSide && m.Outgoing != nil {
		outgoing = t.test(OutgoingSide, outgoingSide(m), c.forSending(), told, doubt)
		sides.Go(func() { outgoing.run(ctx, outgoing.send) })
	}
	sides.Wait()
	return report(incoming, outgoing)
}

// report is the outcome of both sides; nil: one was not tested.
func report(sides ...*test) Report {
	r := Report{OK: true}
	for _, side := range sides {
		if side == nil {
			continue
		}
		r.Steps = append(r.Steps, side.steps...)
		r.Dialogue = append(r.Dialogue, side.dialogue.lines()...)
		r.Advice = append(r.Advice, side.advice()...)
		if side.dialogue.side == IncomingSide {
			r.Folders, r.form = side.folders, side.form
		} else {
			r.outgoingForm = side.form
		}
	}
	r.Advice = together(r.Advice)
	for _, s := range r.Steps {
		r.OK = r.OK && s.OK
	}
	return r
}

// A listener hears of every step, one at a time. The zero listener is nobody.
type listener struct {
	mu       sync.Mutex
	progress func(Step)
}

func (l *listener) tell(s Step) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.progress != nil {
		l.progress(s)
	}
}

// leave lets go of whoever listens, and of what was typed for the test: the guard
// remembers for longer which test it was.
func (l *listener) leave() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.progress = nil
}

// A test is one run, of one side.
type test struct {
	Tester
	m postroom.Mailbox // of the outgoing side with its server in the place of the other
	c Credential

	told     *listener
	dialogue *dialogue
	doubt    *doubt
	forms    []postroom.Secret // of the password, the most likely first
	form     postroom.Secret   // the one that has worked
	refused  bool              // one was, at least

	steps   []Step
	running Step // its kind is empty while none runs
	since   time.Time
	opening opening

	addresses []netip.Addr // of the server; empty: it was named by its address
	folders   []Folder
	measured  measured
}

func (t Tester) test(side Side, m postroom.Mailbox, c Credential, told *listener, doubt *doubt) *test {
	r := &test{Tester: t, m: m, c: c, told: told, doubt: doubt, dialogue: &dialogue{side: side}}
	r.forms = t.Explainer.formsOf(m, c)
	if len(r.forms) > 1 { // each connection blanks the form that it has itself
		r.dialogue.blank(m.Incoming.Username, r.forms...)
	}
	return r
}

// alone is a test of one side that nobody watches: what signs in as a test does.
func (t Tester) alone(side Side, m postroom.Mailbox, c Credential) *test {
	return t.test(side, m, c, &listener{}, newDoubt(c, side))
}

// run finds the server, and then does what is to be done with it.
func (r *test) run(ctx context.Context, work func(context.Context)) {
	defer r.doubt.settle(r)
	defer r.opening.end()
	if r.findName(ctx) {
		work(ctx)
	}
}

// begin tells that a step begins.
func (r *test) begin(kind StepKind, detail string) {
	if r.dialogue.side == OutgoingSide {
		kind = outgoingPrefix + kind
	}
	r.running, r.since = Step{Kind: kind, Detail: detail, Running: true}, time.Now()
	r.told.tell(r.running)
}

// isAt says whether a step runs.
func (r *test) isAt(kind StepKind) bool {
	return strings.TrimPrefix(string(r.running.Kind), outgoingPrefix) == string(kind)
}

// end notes how the step that runs has ended.
func (r *test) end(s Step) {
	s.Kind, s.Took = r.running.Kind, time.Since(r.since)
	r.running = Step{}
	r.steps = append(r.steps, s)
	r.told.tell(s)
}

func (r *test) good(detail string) { r.end(Step{OK: true, Detail: detail}) }

// bad notes that the step that runs has failed; it returns false, for the one who
// ends with it.
func (r *test) bad(ctx context.Context, detail string, err error) bool {
	r.end(Step{Detail: detail, Fault: r.whatWentWrong(ctx, err), Certificate: refusedCertificate(err)})
	return false
}

// whatWentWrong is the Fault of what went wrong, also where time has run out.
func (r *test) whatWentWrong(ctx context.Context, err error) *postroom.Fault {
	if ctx.Err() != nil && errors.Is(context.Cause(ctx), errTestOver) {
		return &postroom.Fault{
			Kind: postroom.Delayed, Class: postroom.Timeout, FixBy: postroom.FixByWaiting,
			Explanation: "A test takes " + inWords(testLasts) + " at most, and " + r.m.Incoming.Host + " had not answered by then.",
			Remedy:      "Test it again in a minute. If it stays as slow, whoever runs the server can say why.",
			Err:         err,
		}
	}
	return r.byAddress(ctx, err, r.explain(err))
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
	r.begin(StepName, host)
	lookUp := r.LookUp
	if lookUp == nil {
		lookUp = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	soon, cancel := context.WithTimeout(ctx, min(nameTimeout, r.endpoint().ConnectTimeout))
	defer cancel()
	found, err := lookUp(soon, asciiHost(host))
	if err != nil {
		return r.bad(ctx, host, &mail.Refusal{Protocol: r.m.Incoming.Protocol, Phase: mail.PhaseConnect, Err: err})
	}
	r.addresses = found
	var shown []string
	for _, ip := range found[:min(len(found), 4)] {
		shown = append(shown, ip.Unmap().String())
	}
	r.good(host + " is " + strings.Join(shown, ", "))
	return true
}

func (r *test) endpoint() mail.Endpoint {
	in := r.m.Incoming
	return mail.Endpoint{
		Host: in.Host, Port: in.Port, TLS: in.TLS, CACertificate: in.CACertificate, PinnedSHA256: in.PinnedSHA256,
		ConnectTimeout: in.ConnectTimeout, AuthTimeout: in.AuthTimeout, Dial: r.Dial,
	}.WithDefaults()
}

// patience is for how long an answer is waited for: no shorter than what the mailbox
// says of connecting and signing in, which is waited for in the same way.
func (r *test) patience() time.Duration {
	e := r.endpoint()
	return max(commandTimeout, e.ConnectTimeout, time.Until(e.AuthDeadline()))
}

// read opens the mailbox as reading it does.
func (r *test) read(ctx context.Context) {
	if r.m.Incoming.Protocol == postroom.POP3 {
		r.readPOP3(ctx)
		return
	}
	r.readIMAP(ctx)
}
