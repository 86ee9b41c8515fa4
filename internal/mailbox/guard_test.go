package mailbox

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

func TestARefusedPasswordIsNotSentAgainForTenMinutes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newVirtual(t, postroom.IMAP, "right")
		d := &Desk{Tester: s.tester}
		run := func(text, steps string, words ...string) Step {
			t.Helper()
			r := d.tester().Run(t.Context(), s.m, password(text), TestOptions{Side: IncomingSide})
			wantSteps(t, r, steps, map[bool]postroom.Class{true: postroom.BadCredentials}[len(words) > 0], "")
			last := r.Steps[len(r.Steps)-1]
			for _, want := range words {
				if last.Fault == nil || !strings.Contains(last.Fault.Explanation+" "+last.Fault.Remedy, want) {
					t.Errorf("fault %v, want one that says %q", last.Fault, want)
				}
			}
			return last
		}
		refused := func() int { return s.imap.Counts("").RefusedLogins }
		const well, shut, spared = "connection greeting sign_in folder message news", "connection greeting ✕sign_in", "connection ✕sign_in"

		run("wrong", shut, "refused this password")
		last := run("wrong", spared, "refused this very password less than a minute ago", "again in 10 minutes", "Enter another password")
		if f := last.Fault; f.RetryAfter <= 9*time.Minute || f.RetryAfter > 10*time.Minute || f.Reply == "" || f.Kind != postroom.NeedsSignIn {
			t.Errorf("fault %+v", f)
		}
		time.Sleep(3*time.Minute + 10*time.Second)
		run("wrong", spared, "3 minutes ago", "again in 7 minutes")
		run("another", shut, "refused this password") // at once
		run("right", well)
		if refused() != 2 {
			t.Errorf("refused %d times", refused())
		}
		time.Sleep(7 * time.Minute)
		run("wrong", shut, "refused this password") // the time is over
		if refused() != 3 {
			t.Errorf("refused %d times", refused())
		}

		// Of another account nothing is known.
		s.imap.AddAccount("other@example.net", "right")
		m := s.m
		m.Incoming.Username = "other@example.net"
		if r := d.tester().Run(t.Context(), m, password("wrong"), TestOptions{Side: IncomingSide}); kinds(r) != shut {
			t.Errorf("of another account: %s", kinds(r))
		}
		// Nor by the tester of somebody else.
		if r := s.tester.Run(t.Context(), s.m, password("wrong"), TestOptions{Side: IncomingSide}); kinds(r) != shut {
			t.Errorf("without a desk: %s", kinds(r))
		}
	})
}

// What passes by itself, or is mended at the provider, is tried again at once.
func TestOnlyARefusedPasswordIsSpared(t *testing.T) {
	for _, reply := range []string{
		"NO [UNAVAILABLE] Temporary authentication failure.",
		"NO [ALERT] Your account is not enabled for IMAP use. Please visit your Gmail settings page and enable your account for IMAP access. (Failure)",
		"NO [XYZZY] because of the moon",
	} {
		s := newVirtual(t, postroom.IMAP, "right")
		d := &Desk{Tester: s.tester}
		s.imap.SetFaults("", simulator.Faults{RefuseLogin: reply})
		for range 2 {
			if r := d.tester().Run(t.Context(), s.m, password("right"), TestOptions{Side: IncomingSide}); r.OK || !strings.Contains(kinds(r), "greeting ✕sign_in") {
				t.Errorf("%q: %s", reply, kinds(r))
			}
		}
		s.imap.SetFaults("", simulator.Faults{})
		if r := d.tester().Run(t.Context(), s.m, password("right"), TestOptions{Side: IncomingSide}); !r.OK {
			t.Errorf("%q, mended: %s", reply, kinds(r))
		}
	}
}

func TestBothSidesOfOneTestAreTried(t *testing.T) {
	s := newVirtual(t, postroom.IMAP, "right")
	d := &Desk{Tester: s.tester}
	for n, want := range []string{
		"connection greeting ✕sign_in outgoing_connection outgoing_greeting ✕outgoing_sign_in",
		"connection ✕sign_in outgoing_connection ✕outgoing_sign_in",
	} {
		r := d.tester().Run(t.Context(), s.m, password("wrong"), TestOptions{})
		wantSteps(t, r, want, postroom.BadCredentials, "")
		if in, out := s.imap.Counts("").RefusedLogins, s.smtp.Counts("").RefusedLogins; in != 1 || out != 1 {
			t.Errorf("test %d: refused %d and %d times", n, in, out)
		}
	}
}

func TestAGuardRemembersNeitherForEverNorTooMuch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g guard
		ctx := context.Background()
		refusal := &postroom.Fault{Class: postroom.BadCredentials, Remedy: "Type it again."}
		for n := range maxGuarded + 10 {
			p, fault := g.enter(ctx, "imap.example.net", "user", postroom.Hide(strings.Repeat("x", n)), n)
			if fault != nil {
				t.Fatal(fault)
			}
			p.done(refusal, false)
		}
		if len(g.known) > maxGuarded {
			t.Errorf("%d are known", len(g.known))
		}
		time.Sleep(spared)
		p, _ := g.enter(ctx, "imap.example.net", "user", postroom.Hide("new"), "new")
		if len(g.known) != 1 {
			t.Errorf("%d are known after ten minutes", len(g.known))
		}
		// One that waits for this outcome does so for a while, and not longer.
		begun := time.Now()
		if _, fault := g.enter(ctx, "IMAP.example.net", "user", postroom.Hide("new"), "other"); fault != nil || time.Since(begun) != guardWaits {
			t.Errorf("waited %v, %v", time.Since(begun), fault)
		}
		p.done(nil, true)
		for by := range 3 { // what has worked holds nobody up
			if next, fault := g.enter(ctx, "imap.example.net", "user", postroom.Hide("new"), by); fault != nil || next.own != nil {
				t.Errorf("%+v, %v", next, fault)
			}
		}
		if !g.hasWorked("imap.example.net", "user", postroom.Hide("new")) || g.hasWorked("imap.example.net", "user", postroom.Hide("old")) {
			t.Error("what has worked is not known")
		}
	})
}
