package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// stream writes events as go test -json does, each "action test output"; a test
// called - is the package itself.
func stream(t *testing.T, lines ...string) string {
	t.Helper()
	var out strings.Builder
	for _, line := range lines {
		fields := strings.SplitN(line, " ", 3)
		e := event{Action: fields[0], Package: "github.com/postroom/postroom/internal/work"}
		if len(fields) > 1 && fields[1] != "-" {
			e.Test = fields[1]
		}
		if len(fields) > 2 {
			e.Output = fields[2] + "\n"
		}
		text, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(append(text, '\n'))
	}
	return out.String()
}

func TestReport(t *testing.T) {
	passing := []string{
		"start -", "run TestA", "output TestA === RUN   TestA", "output TestA     a_test.go:3: noise", "run TestA/x",
		"pass TestA/x", "pass TestA", "output - ok  \tinternal/work\t0.1s", "pass -",
	}
	skipping := func(reason string) []string {
		return append([]string{
			"run TestB", "output TestB === RUN   TestB", "output TestB     b_test.go:7: " + reason,
			"output TestB --- SKIP: TestB (0.00s)", "skip TestB",
		}, passing...)
	}
	tests := map[string]struct {
		lines  []string
		strict bool
		good   bool
		want   []string // in the output, in this order
		not    string   // in the output
	}{
		"what passes is one line": {passing, false, true, []string{"ok  \tinternal/work", "    1: TestA", "2 tests passed in 1 packages, 0 failed, 0 skipped."}, "noise"},
		"what fails is shown and named at the end": {
			[]string{"run TestA", "output TestA     a_test.go:3: got 1, want 2", "output TestA --- FAIL: TestA", "fail TestA", "output - FAIL\tinternal/work\t0.1s", "fail -"},
			false, false, []string{"got 1, want 2", "FAIL\tinternal/work", "FAILED: internal/work TestA"}, "",
		},
		"a process that dies names the test that ran": {
			[]string{"run TestA", "output TestA panic: no", "output - FAIL\tinternal/work\t0.1s", "fail -"},
			false, false, []string{"panic: no", "FAILED: internal/work TestA (did not end)"}, "",
		},
		"a package that fails outside its tests is named": {
			[]string{"output - goleak: found a goroutine", "output - FAIL\tinternal/work", "fail -"},
			false, false, []string{"goleak: found a goroutine", "FAILED: internal/work"}, "",
		},
		"what does not build fails": {
			append([]string{"build-output - undefined: x", "build-fail -"}, passing...),
			false, false, []string{"undefined: x", "(does not build)"}, "",
		},
		"a missing program is said last": {
			append(skipping("short"), skipping("SKIPPED, NOT INSTALLED: dovecot")...),
			false, true, []string{`skipped, "short": internal/work TestB`, "SKIPPED, NOT INSTALLED: dovecot (1 tests)\n"}, "FAILED",
		},
		"strict takes a skip for a failure": {
			skipping("SKIPPED, NOT INSTALLED: dovecot"),
			true, false, []string{"NOT INSTALLED: dovecot", "FAILED: tests were skipped"}, "",
		},
		"what the machine does not permit is said, and no failure": {
			skipping("SKIPPED, NOT PERMITTED HERE: mount"),
			true, true, []string{"SKIPPED, NOT PERMITTED HERE: mount (1 tests)\n"}, "FAILED",
		},
		"no test is a failure":         {[]string{"start -", "skip -"}, false, false, []string{"no test ran"}, ""},
		"an input of nothing fails":    {nil, false, false, []string{"no test ran"}, ""},
		"skipped alone is no test ran": {skipping("short")[:5], false, false, []string{"no test ran"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			r := &report{out: &out, names: true, strict: test.strict}
			if err := r.read(strings.NewReader(stream(t, test.lines...))); err != nil {
				t.Fatal(err)
			}
			if good := r.finish(); good != test.good {
				t.Errorf("good = %t, want %t", good, test.good)
			}
			rest := out.String()
			for _, want := range test.want {
				_, after, found := strings.Cut(rest, want)
				if !found {
					t.Fatalf("the report lacks %q in its place:\n%s", want, out.String())
				}
				rest = after
			}
			if test.not != "" && strings.Contains(out.String(), test.not) {
				t.Errorf("the report says %q:\n%s", test.not, out.String())
			}
		})
	}
}

func TestWordsOfTheGoCommandArePassedOn(t *testing.T) {
	var out strings.Builder
	r := &report{out: &out}
	if err := r.read(strings.NewReader("go: cannot find main module")); err != nil {
		t.Fatal(err)
	}
	if r.finish() || !strings.HasPrefix(out.String(), "go: cannot find main module\n") {
		t.Errorf("the report is %q, want the words of the go command and a failure", out.String())
	}
}
