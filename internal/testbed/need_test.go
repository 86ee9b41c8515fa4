package testbed

import (
	"runtime"
	"strings"
	"testing"
)

// verdict is a test that keeps what it was told.
type verdict struct {
	testing.TB
	skipped, failed string
}

func (v *verdict) Helper()                      {}
func (v *verdict) Skip(args ...any)             { v.skipped = args[0].(string); runtime.Goexit() }
func (v *verdict) Skipf(text string, _ ...any)  { v.skipped = text; runtime.Goexit() }
func (v *verdict) Fatalf(text string, _ ...any) { v.failed = text; runtime.Goexit() }

func need(what string) *verdict {
	v, done := &verdict{}, make(chan bool)
	go func() { defer close(done); Need(v, what) }()
	<-done
	return v
}

func TestNothingIsSkippedInSilence(t *testing.T) {
	if testing.Short() {
		t.Skip("short")
	}
	t.Setenv("POSTROOM_TEST_ALL", "")
	if v := need("no-such-program"); !strings.HasPrefix(v.skipped, "SKIPPED, NOT INSTALLED: ") {
		t.Errorf("a missing program skips with %q, want SKIPPED, NOT INSTALLED", v.skipped)
	}
	t.Setenv("POSTROOM_TEST_ALL", "1")
	if v := need("no-such-program"); v.failed == "" || v.skipped != "" {
		t.Errorf("with POSTROOM_TEST_ALL=1 a missing program fails with %q and skips with %q, want a failure", v.failed, v.skipped)
	}
	if v := need("sh"); v.failed != "" || v.skipped != "" {
		t.Errorf("an installed program fails with %q and skips with %q, want neither", v.failed, v.skipped)
	}
}
