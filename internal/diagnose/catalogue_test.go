package diagnose

import (
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/postroom/postroom"
)

// A sample is an entry with what the program itself does not read.
type sample struct {
	ID         string         `yaml:"id"`
	Protocol   string         `yaml:"protocol"`
	Phase      string         `yaml:"phase"`
	Sample     string         `yaml:"sample"`
	Class      postroom.Class `yaml:"class"`
	Permanence string         `yaml:"permanence"`
	FixBy      postroom.FixBy `yaml:"fix_by"`
	Remedy     string         `yaml:"remedy"`
	Refine     []struct {
		When string `yaml:"when"`
	} `yaml:"refine"`
	RetryAfter *struct {
		Unit string `yaml:"unit"`
	} `yaml:"retry_after"`
	Provider string `yaml:"provider"`
}

func samples(t testing.TB) (all []sample, classes []postroom.Class) {
	t.Helper()
	var file struct {
		Classes []postroom.Class `yaml:"classes"`
		Errors  []sample         `yaml:"errors"`
	}
	if err := yaml.Unmarshal([]byte(mailErrors), &file); err != nil {
		t.Fatal(err)
	}
	return file.Errors, file.Classes
}

func TestEverySampleMatchesItsOwnEntry(t *testing.T) {
	var c Catalogue
	all, _ := samples(t)
	count := map[string]int{}
	for _, s := range all {
		count[s.Protocol]++
		e, _ := c.matchReply(s.Protocol, s.Phase, normalise(s.Sample))
		if e == nil || e.ID != s.ID {
			t.Errorf("%s: %q matches %+v", s.ID, s.Sample, e)
			continue
		}
		if e.Class != s.Class || e.FixBy != s.FixBy || e.isTemporary() != (s.Permanence == "temporary") {
			t.Errorf("%s: read as %+v, want %+v", s.ID, e, s)
		}
	}
	total := 0
	for protocol, n := range count {
		total += n
		if got := len(c.section(protocol)); got != n {
			t.Errorf("%s: %d entries, want %d", protocol, got, n)
		}
	}
	if total < 300 {
		t.Errorf("%d samples: the catalogue is not whole", total)
	}
}

func TestEveryPatternAndConditionIsUnderstood(t *testing.T) {
	var c Catalogue
	all, classes := samples(t)
	known := map[postroom.Class]bool{}
	for _, class := range classes {
		known[class] = true
		if class != postroom.Unknown && phraseOf(class).explanation == phraseOf(postroom.Unknown).explanation {
			t.Errorf("class %s has no words", class)
		}
	}
	conditions := map[string]bool{
		"secret_shape != app_password": true, "auth == xoauth2": true, "host in microsoft_cloud": true,
		"host in microsoft_cloud and auth == password": true, "provider.app_password == required": true,
		"account_has_2fa": true, // never met: nobody can tell from here
	}
	for _, s := range all {
		e := c.find(s.Protocol, s.ID)
		if e == nil {
			t.Fatalf("no entry %s", s.ID)
		}
		e.pattern() // panics on what RE2 cannot read
		if !known[s.Class] {
			t.Errorf("%s: class %q is not in the list", s.ID, s.Class)
		}
		for _, r := range e.Refine {
			if !conditions[r.When] || !known[r.Class] {
				t.Errorf("%s: refine %+v is not understood", s.ID, r)
			}
		}
		for _, class := range e.Also {
			if !known[class] {
				t.Errorf("%s: also %q is not in the list", s.ID, class)
			}
		}
		if s.RetryAfter != nil && s.RetryAfter.Unit != "ms" && s.RetryAfter.Unit != "min" && s.RetryAfter.Unit != "rfc3339" {
			t.Errorf("%s: unit %q is not understood", s.ID, s.RetryAfter.Unit)
		}
	}
}

// banned are the words that people should not meet (the voice of the pages).
var banned = []string{"error", "invalid", "failed to", "please", "oops", "!", "this product"}

func checkVoice(t *testing.T, what string, f *postroom.Fault) {
	t.Helper()
	for _, text := range []string{f.Explanation, f.Remedy} {
		for _, word := range banned {
			if strings.Contains(strings.ToLower(text), word) {
				t.Errorf("%s says %q: %q", what, word, text)
			}
		}
		if text == "" || text[0] >= 'a' && text[0] <= 'z' && !strings.Contains(strings.Fields(text)[0], ".") || !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %q is no sentence", what, text)
		}
		if strings.Contains(text, "SERVER") || strings.Contains(text, "HOST") {
			t.Errorf("%s: %q has a gap", what, text)
		}
	}
	checkClauses(t, what, f.Others)
}

// checkClauses holds how the other causes are written: each may stand after "it may
// also be that".
func checkClauses(t *testing.T, what string, clauses []string) {
	t.Helper()
	for n, text := range clauses {
		for _, word := range banned {
			if strings.Contains(strings.ToLower(text), word) {
				t.Errorf("%s says %q: %q", what, word, text)
			}
		}
		if text == "" || strings.HasSuffix(text, ".") || strings.Contains(text, "SERVER") || strings.Contains(text, "HOST") ||
			text[0] >= 'A' && text[0] <= 'Z' && (text[1] < 'A' || text[1] > 'Z') {
			t.Errorf("%s: %q is no clause", what, text)
		}
		if slices.Contains(clauses[:n], text) {
			t.Errorf("%s: %q is there twice", what, text)
		}
	}
}

func TestVoice(t *testing.T) {
	var c Catalogue
	all, classes := samples(t)
	no := false
	for _, s := range all {
		f := Failure{Protocol: postroom.Protocol(s.Protocol), Phase: s.Phase, Reply: s.Sample}
		for _, f.Host = range []string{"", "imap.example.net", "imap.gmail.com", "outlook.office365.com"} {
			for _, f.CredentialKind = range []string{"password", "oauth"} {
				f.SecretLooksLikeAppPassword = &no
				fault := c.Explain(f)
				if fault.Class == postroom.Unknown {
					t.Errorf("%s is unknown", s.ID)
				}
				checkVoice(t, s.ID+" at "+f.Host, fault)
			}
		}
	}
	for _, class := range classes {
		p := phraseOf(class)
		checkVoice(t, string(class), &postroom.Fault{
			Explanation: (&Failure{}).say(p.explanation), Remedy: (&Failure{}).say(p.remedy),
		})
		checkClauses(t, string(class), []string{p.also})
	}
}

// TestFirstUseIsCheap holds the promise of the Catalogue with a wide margin: the
// figures of a quiet machine are in the benchmark below.
func TestFirstUseIsCheap(t *testing.T) {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	start := time.Now()
	var c Catalogue
	c.Explain(Failure{Protocol: postroom.IMAP, Phase: "auth", Reply: "NO words that nobody knows", Err: errNobodyKnows})
	took := time.Since(start)
	runtime.GC()
	runtime.ReadMemStats(&after)
	kept := int64(after.HeapAlloc) - int64(before.HeapAlloc)
	t.Logf("first use: %v, %d KB kept", took, kept>>10)
	if took > time.Second || kept > 4<<20 {
		t.Errorf("first use took %v and keeps %d bytes, want well under 1s and 4 MB", took, kept)
	}
	runtime.KeepAlive(&c)
}

func BenchmarkFirstUse(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		var c Catalogue
		c.Explain(Failure{Protocol: postroom.IMAP, Phase: "auth", Reply: "NO words that nobody knows"})
	}
}

func BenchmarkExplainUnknown(b *testing.B) {
	var c Catalogue
	f := Failure{Protocol: postroom.IMAP, Phase: "auth", Reply: "NO " + strings.Repeat("nothing of what has been said ", 300), Host: "imap.example.net"}
	c.Explain(f)
	b.ReportAllocs()
	for b.Loop() {
		c.Explain(f)
	}
}

func BenchmarkExplain(b *testing.B) {
	var c Catalogue
	f := Failure{Protocol: postroom.IMAP, Phase: "auth", Reply: "NO [AUTHENTICATIONFAILED] Authentication failed.", Host: "imap.example.net"}
	c.Explain(f)
	b.ReportAllocs()
	for b.Loop() {
		c.Explain(f)
	}
}
