package mailbox

import (
	"runtime"
	"testing"
	"weak"

	"github.com/postroom/postroom"
)

// Whoever watches a test holds what was typed for it. What the guard remembers of a
// refused password must not keep that.
func TestAGuardForgetsWhoWatchedATest(t *testing.T) {
	s := newVirtual(t, postroom.IMAP, "right")
	d := &Desk{Tester: s.tester}
	watcher := func() weak.Pointer[[64]string] {
		typed := &[64]string{"wrong"}
		r := d.tester().Run(t.Context(), s.m, password(typed[0]), TestOptions{Side: IncomingSide, Progress: func(Step) { typed[1] += "." }})
		wantSteps(t, r, "connection greeting ✕sign_in", postroom.BadCredentials, "")
		return weak.Make(typed)
	}()
	for range 3 {
		runtime.GC()
	}
	if watcher.Value() != nil {
		t.Error("what the watcher holds is still there after the test")
	}
	if len(d.guard.known) != 1 {
		t.Errorf("%d passwords are remembered, want 1", len(d.guard.known))
	}
	runtime.KeepAlive(d)
}
