package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// notInstalled begins the reason of a test that was skipped for want of a program.
const notInstalled = "SKIPPED, NOT INSTALLED: "

// An event is one line of go test -json (go doc test2json).
type event struct {
	Action      string
	Package     string
	ImportPath  string // of what is built, in build events
	Test        string // with its subtests after slashes
	Output      string
	FailedBuild string
}

// notPermitted begins the reason of a test that needs a right which the machine does
// not give, so that nothing could be installed to run it.
const notPermitted = "SKIPPED, NOT PERMITTED HERE: "

// A skip is a test that did not run to its end, and the reason it gave.
type skip struct{ name, reason string }

// A report is what is known of a run of go test.
type report struct {
	out    io.Writer
	names  bool // print the names of the tests that ran
	strict bool // a skip is a failure, but for what the machine does not permit

	output   map[string][]string // of a test, package or build that has not ended
	ran      map[string][]string // top-level tests that ran, by package
	packages int                 // with a test that ran
	passed   int                 // tests and subtests
	failed   []string
	skipped  []skip
}

// read takes events until the input ends. A line that is no event is printed: the
// go command says there what keeps it from testing.
func (r *report) read(in io.Reader) error {
	r.output = map[string][]string{}
	r.ran = map[string][]string{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadString('\n')
		if text := strings.TrimSpace(line); text != "" {
			var e event
			if bad := json.Unmarshal([]byte(text), &e); bad != nil || e.Action == "" {
				fmt.Fprintln(r.out, text)
			} else {
				r.take(e)
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what go test prints: %w", err)
		}
	}
}

func (r *report) take(e event) {
	switch {
	case strings.HasPrefix(e.Action, "build-"):
		r.takeBuild(e)
	case e.Action == "output":
		r.takeOutput(e)
	case e.Test != "":
		r.takeTest(e)
	default:
		r.takePackage(e)
	}
}

func (r *report) takeBuild(e event) {
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "build-fail":
		r.failed = append(r.failed, short(e.ImportPath)+" (does not build)")
	}
}

// takeOutput keeps what a test prints until it is known whether it failed, and
// prints the closing line of a package at once.
func (r *report) takeOutput(e event) {
	if e.Test == "" && (strings.HasPrefix(e.Output, "ok  \t") || strings.HasPrefix(e.Output, "FAIL\t")) {
		fmt.Fprint(r.out, e.Output)
		return
	}
	key := e.key()
	r.output[key] = append(r.output[key], e.Output)
}

func (e event) key() string { return e.Package + " " + e.Test }

func (r *report) takeTest(e event) {
	name := short(e.key())
	topLevel := !strings.Contains(e.Test, "/")
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed = append(r.failed, name)
		fmt.Fprint(r.out, strings.Join(r.output[e.key()], ""))
	case "skip":
		r.skipped = append(r.skipped, skip{name, reason(r.output[e.key()])})
	default:
		return // run, pause, cont, bench: it has not ended
	}
	delete(r.output, e.key())
	if topLevel && e.Action != "skip" {
		r.ran[e.Package] = append(r.ran[e.Package], e.Test)
	}
}

// short names a test or package without what all packages here begin with.
func short(key string) string {
	return strings.TrimPrefix(strings.TrimPrefix(key, "github.com/postroom/"), "postroom/")
}

// reason finds what a test said when it was skipped: its last words, behind the
// place in the source that testing puts before them.
func reason(output []string) string {
	said := ""
	for _, line := range output {
		line = strings.TrimSpace(line)
		if i := strings.Index(line, notInstalled); i >= 0 {
			return line[i:]
		}
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		said = line
		if _, words, ok := strings.Cut(line, ".go:"); ok {
			if _, words, ok = strings.Cut(words, ": "); ok {
				said = words
			}
		}
	}
	return said
}

// takePackage prints what a failed package printed outside its tests, such as the
// panic that ended them all.
func (r *report) takePackage(e event) {
	switch e.Action {
	case "fail":
		if e.FailedBuild == "" {
			r.failPackage(e)
		}
	case "pass", "skip":
	default:
		return // start
	}
	if tests := r.ran[e.Package]; len(tests) > 0 {
		r.packages++
		if r.names {
			fmt.Fprintf(r.out, "    %d: %s\n", len(tests), strings.Join(tests, " "))
		}
	}
	delete(r.output, e.Package+" ")
}

// failPackage prints what has not been printed: a test that was running when the
// process died has no end of its own.
func (r *report) failPackage(e event) {
	var unfinished []string
	for key := range r.output {
		if strings.HasPrefix(key, e.Package+" ") && key != e.Package+" " {
			unfinished = append(unfinished, key)
		}
	}
	slices.Sort(unfinished)
	for _, key := range unfinished {
		r.failed = append(r.failed, short(key)+" (did not end)")
		fmt.Fprint(r.out, strings.Join(r.output[key], ""))
		delete(r.output, key)
	}
	printed := strings.Join(r.output[e.Package+" "], "")
	if strings.TrimSpace(printed) != "FAIL" {
		fmt.Fprint(r.out, printed)
	}
	if len(r.ran[e.Package]) == 0 && len(unfinished) == 0 {
		r.failed = append(r.failed, short(e.Package))
	}
}

// finish prints the summary and says whether all is well.
func (r *report) finish() bool {
	good := len(r.failed) == 0
	fmt.Fprintf(r.out, "\n%d tests passed in %d packages, %d failed, %d skipped.\n",
		r.passed, r.packages, len(r.failed), len(r.skipped))
	for _, name := range r.failed {
		fmt.Fprintln(r.out, "FAILED:", name)
	}
	if r.passed == 0 && good {
		fmt.Fprintln(r.out, "FAILED: no test ran")
		good = false
	}
	r.printSkipped()
	if r.strict && slices.ContainsFunc(r.skipped, func(s skip) bool { return !strings.HasPrefix(s.reason, notPermitted) }) {
		fmt.Fprintln(r.out, "FAILED: tests were skipped, and every test is asked for")
		good = false
	}
	return good
}

// printSkipped prints one line for each reason, those that a missing program
// gives last, where they are seen.
func (r *report) printSkipped() {
	var reasons []string
	tests := map[string][]string{}
	for _, s := range r.skipped {
		if tests[s.reason] == nil {
			reasons = append(reasons, s.reason)
		}
		tests[s.reason] = append(tests[s.reason], s.name)
	}
	slices.SortFunc(reasons, func(a, b string) int {
		aMissing, bMissing := strings.HasPrefix(a, notInstalled), strings.HasPrefix(b, notInstalled)
		switch {
		case aMissing == bMissing:
			return strings.Compare(a, b)
		case aMissing:
			return 1
		}
		return -1
	})
	for _, why := range reasons {
		if strings.HasPrefix(why, notInstalled) || strings.HasPrefix(why, notPermitted) {
			fmt.Fprintf(r.out, "%s (%d tests)\n", why, len(tests[why]))
			continue
		}
		fmt.Fprintf(r.out, "skipped, %q: %s\n", why, strings.Join(tests[why], ", "))
	}
}
