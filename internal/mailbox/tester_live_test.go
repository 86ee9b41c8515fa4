package mailbox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// told is what a test has told while it ran, of each side on its own.
type told struct {
	mu    sync.Mutex // found locked: two calls at once
	sides map[bool][]Step
	t     *testing.T
}

func (l *told) hear(s Step) {
	if !l.mu.TryLock() {
		l.t.Error("two steps are told at once")
		return
	}
	defer l.mu.Unlock()
	if l.sides == nil {
		l.sides = make(map[bool][]Step)
	}
	l.sides[s.Kind.IsOutgoing()] = append(l.sides[s.Kind.IsOutgoing()], s)
}

// wantReport makes sure that what was told is what the report says: each step when it
// begins, and then as it ended.
func (l *told) wantReport(r Report) {
	l.t.Helper()
	var ended []Step
	for _, side := range []bool{false, true} {
		steps := l.sides[side]
		for i := 0; i < len(steps); i += 2 {
			if !steps[i].Running || i+1 == len(steps) || steps[i+1].Running || steps[i].Kind != steps[i+1].Kind {
				l.t.Fatalf("step %d of %d is told as %+v", i, len(steps), steps[i:min(i+2, len(steps))])
			}
			ended = append(ended, steps[i+1])
		}
	}
	if diff := cmp.Diff(r.Steps, ended, cmp.Comparer(func(a, b *postroom.Fault) bool { return a == b })); diff != "" {
		l.t.Errorf("told otherwise than reported: %s", diff)
	}
}

func TestEveryStepIsToldAsItComes(t *testing.T) {
	read, send, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSStart})
	m.AfterImport = postroom.AfterImportMarkRead
	m.Incoming.Folders = []string{"INBOX", "Nowhere"}
	for name, set := range map[string]func(){
		"while all is well": func() {},
		"sign-in refused": func() {
			read.SetFaults("", simulator.Faults{RefuseLogin: "NO [AUTHENTICATIONFAILED] no"})
			send.SetFaults("", simulator.Faults{RefuseLogin: "535 5.7.8 Error: authentication failed"})
		},
		"no STARTTLS": func() { send.SetFaults("", simulator.Faults{HideCapabilities: []string{"STARTTLS"}}) },
		"cut off":     func() { read.SetFaults("", simulator.Faults{CutBefore: []string{"EXAMINE"}}) },
	} {
		t.Run(name, func(t *testing.T) {
			read.SetFaults("", simulator.Faults{})
			send.SetFaults("", simulator.Faults{})
			set()
			l := &told{t: t}
			r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{Progress: l.hear})
			l.wantReport(r)
			if len(l.sides[false]) == 0 || len(l.sides[true]) == 0 {
				t.Errorf("told of %d and %d steps", len(l.sides[false]), len(l.sides[true]))
			}
		})
	}
}

func TestEachSideIsTestedAlone(t *testing.T) {
	read, send, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	for side, want := range map[Side]string{
		IncomingSide: strings.TrimSpace(readable),
		OutgoingSide: "outgoing_connection outgoing_encryption outgoing_greeting outgoing_sign_in outgoing_sender",
	} {
		before := [2]int{read.Counts("").Connections, send.Counts("").Connections}
		r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{Side: side})
		wantSteps(t, r, want, "", "")
		reached := [2]int{read.Counts("").Connections - before[0], send.Counts("").Connections - before[1]}
		if reached != map[Side][2]int{IncomingSide: {1, 0}, OutgoingSide: {0, 1}}[side] {
			t.Errorf("%s: connections %v", side, reached)
		}
		for _, line := range r.Dialogue {
			if line.Side != side {
				t.Errorf("%s: %+v", side, line)
			}
		}
	}
	m.Outgoing = nil
	r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{Side: OutgoingSide})
	wantSteps(t, r, "", "", "")
}

func TestTheDialogueIsWholeAndHoldsNoSecret(t *testing.T) {
	read, send, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSStart})
	const secret = "tr0ub4dor&3"
	read.AddAccount("support@example.net", secret)
	raw := "Subject: secret words\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n\r\nHello\r\n"
	if _, err := read.Append("support@example.net", "INBOX", []byte(raw), noon()); err != nil {
		t.Fatal(err)
	}
	read.SetFaults("", simulator.Faults{Noise: []string{"* OK do not tell anybody " + secret, "* OK \u202eturned round\x07"}})
	r := Tester{Explainer: explainer()}.Run(t.Context(), m, password(secret), TestOptions{})
	wantSteps(t, r, "connection encryption greeting sign_in folder message news outgoing_connection outgoing_greeting outgoing_encryption outgoing_sign_in outgoing_sender", "", "")
	var text strings.Builder
	turns := 0
	for i, line := range r.Dialogue {
		if i > 0 && r.Dialogue[i-1].Side != line.Side {
			turns++
		}
		if i > 0 && r.Dialogue[i-1].Side == line.Side && line.At.Before(r.Dialogue[i-1].At) {
			t.Errorf("line %d is out of order", i)
		}
		fmt.Fprintf(&text, "%s %c: %s\n", line.Side, line.Direction, line.Text)
	}
	said := text.String()
	t.Log(said)
	if turns != 1 || r.Dialogue[0].Side != IncomingSide {
		t.Errorf("the sides change %d times", turns)
	}
	for _, want := range []string{
		"incoming S: * OK", "AUTHENTICATE PLAIN", "[hidden]", "EXAMINE", "IDLE", "LOGOUT",
		"outgoing S: 220", "C: EHLO", "C: STARTTLS", "C: AUTH PLAIN [hidden]", "C: MAIL FROM", "C: RCPT TO", "C: QUIT",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q", want)
		}
	}
	for _, leak := range []string{secret, "dHIwdWI0ZG9yJjM", "secret words", "Hello", "\u202e", "\x07"} {
		if strings.Contains(said, leak) {
			t.Errorf("it says %q", leak)
		}
	}
	if len(send.Accepted()) != 0 {
		t.Error("a mail was sent")
	}
}

func TestTheReportNamesTheFolders(t *testing.T) {
	read, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	for _, folder := range []string{"Zebra", "Aufträge", "Orders", "Trash"} {
		if err := read.AddFolder("support@example.net", folder); err != nil {
			t.Fatal(err)
		}
	}
	m.Incoming.Folders = []string{"INBOX", "orders!"}
	r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{Side: IncomingSide})
	var names []string
	for _, f := range r.Folders {
		names = append(names, f.Name)
	}
	if diff := cmp.Diff([]string{"INBOX", "Aufträge", "Orders", "Trash", "Zebra"}, names); diff != "" {
		t.Errorf("folders: %s", diff)
	}
	want := []Advice{{"incoming.folders", "INBOX\nOrders", "“orders!” is not there; “Orders” is."}}
	if diff := cmp.Diff(want, r.Advice); diff != "" {
		t.Errorf("advice: %s", diff)
	}
}

func TestAFolderThatIsListedIsNotAdvisedInItsOwnPlace(t *testing.T) {
	read, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	read.SetFaults("", simulator.Faults{Replies: map[string]string{"EXAMINE": "NO [NONEXISTENT] Unknown mailbox"}})
	r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{Side: IncomingSide})
	f := r.Fault()
	if f == nil || f.Class != postroom.FolderMissing || !strings.Contains(f.Explanation, "in its list") || strings.Contains(f.Remedy, "INBOX") {
		t.Errorf("the fault is %+v", f)
	}
	if len(r.Advice) != 0 {
		t.Errorf("advice %+v", r.Advice)
	}
}

func TestTheCertificateIsShownAlsoWhereItIsNotTrusted(t *testing.T) {
	_, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSStart})
	run := func(m postroom.Mailbox) (in, out Step) {
		t.Helper()
		r := Tester{Explainer: explainer()}.Run(t.Context(), m, password("right"), TestOptions{})
		for _, s := range r.Steps {
			switch s.Kind {
			case StepEncryption:
				in = s
			case StepOutgoingEncryption:
				out = s
			}
		}
		if in.Certificate == nil || out.Certificate == nil {
			t.Fatalf("certificates %v, %v", in.Certificate, out.Certificate)
		}
		return in, out
	}
	in, out := run(m)
	c := *in.Certificate
	if !in.OK || !out.OK || len(c.SHA256) != 64 || !slices.Contains(c.Names, "127.0.0.1") || !slices.Contains(c.Names, "localhost") || c.NotAfter.Before(c.NotBefore) || c.Issuer == "" {
		t.Errorf("certificate %+v", c)
	}
	m.Incoming.CACertificate, m.Outgoing.CACertificate = "", ""
	strangeIn, strangeOut := run(m)
	if strangeIn.OK || strangeOut.OK || strangeIn.Fault.Class != postroom.TLSUntrusted {
		t.Errorf("without the authority: %+v, %+v", strangeIn, strangeOut)
	}
	if diff := cmp.Diff(c, *strangeIn.Certificate); diff != "" {
		t.Errorf("another certificate is shown where it is not trusted: %s", diff)
	}
	// What is shown is what can be trusted then, and nothing else.
	m.Incoming.PinnedSHA256, m.Outgoing.PinnedSHA256 = strangeIn.Certificate.SHA256, strangeOut.Certificate.SHA256
	if in, out := run(m); !in.OK || !out.OK {
		t.Errorf("pinned: %+v, %+v", in, out)
	}
	m.Incoming.PinnedSHA256 = strings.Repeat("00", 32)
	if in, _ := run(m); in.OK || in.Certificate.SHA256 != c.SHA256 {
		t.Errorf("another pin: %+v", in)
	}
}

func TestTwentyTestsAtOnce(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) })
	read, _, m := twoServers(t, simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	d, _ := newDesk(t)
	count := func(c Credential) (ok int, refused int) {
		t.Helper()
		before := read.Counts("support@example.net").RefusedLogins
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				l := &told{t: t}
				r, err := d.Test(t.Context(), admin(), m, c, TestOptions{Progress: l.hear})
				if err != nil {
					t.Error(err)
				}
				l.wantReport(r)
				mu.Lock()
				defer mu.Unlock()
				if r.OK {
					ok++
				}
			})
		}
		all.Wait()
		return ok, read.Counts("support@example.net").RefusedLogins - before
	}
	if ok, refused := count(password("right")); ok != 20 || refused != 0 {
		t.Errorf("%d of 20 are well, %d refused", ok, refused)
	}
	// A wrong password is sent once, however many ask.
	if ok, refused := count(password("wrong")); ok != 0 || refused != 1 {
		t.Errorf("%d of 20 are well with a wrong password, which was sent %d times", ok, refused)
	}
}
