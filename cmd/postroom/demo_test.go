package main

import (
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A demonstration is “postroom demo”, with temporary files in a place of its own.
type demonstration struct {
	*running
	temporary string
	link      string // signs in, any number of times
}

// demonstrate starts a demonstration, which ends with the test.
func demonstrate(t *testing.T, args ...string) *demonstration {
	t.Helper()
	temporary := t.TempDir()
	variables := []string{"TMPDIR=" + temporary, "TMP=" + temporary}
	r, err := launch(t.TempDir(), variables, append([]string{"demo", "--listen", "127.0.0.1:0"}, args...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.kill(); err != nil {
			t.Errorf("end the demonstration: %v", err)
		}
		if t.Failed() {
			t.Logf("it said:\n%s", r.printed())
		}
	})
	said, err := r.says(`(?m)^(http://\S+)$`, patience)
	if err != nil {
		t.Fatal(err)
	}
	return &demonstration{r, temporary, said[1]}
}

// signedIn opens the address as a new browser would, and returns the page.
func (d *demonstration) signedIn() (page string, err error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return "", err
	}
	answer, err := (&http.Client{Jar: jar, Timeout: patience}).Get(d.link)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	var b strings.Builder
	for line, err := range lines(answer.Body) {
		if err != nil {
			return "", err
		}
		b.WriteString(line + "\n")
	}
	if answer.StatusCode != http.StatusOK || answer.Request.URL.Path != "/issues" {
		return "", fmt.Errorf("%s leads to %s, %s", d.link, answer.Request.URL, answer.Status)
	}
	return b.String(), nil
}

// shows waits until the list has so many issues.
func (d *demonstration) shows(issues int) error {
	return eventually(patience, func() error {
		page, err := d.signedIn()
		if n := strings.Count(page, `<a class="row`); err == nil && n < issues {
			err = fmt.Errorf("%d issues are there, want %d", n, issues)
		}
		return err
	})
}

func TestDemoIsThereInTenSecondsAndGoesWithoutTrace(t *testing.T) {
	begun := time.Now()
	d := demonstrate(t, "--every", "100ms")
	if took := time.Since(begun); took > 10*time.Second {
		t.Errorf("the address was there after %v, want 10s", took)
	}
	out, err := os.ReadFile(d.out)
	if err != nil {
		t.Fatal(err)
	}
	if first := regexp.MustCompile(`https?://\S*`).FindString(string(out)); first != d.link {
		t.Errorf("the first address printed is %q, want %q", first, d.link)
	}
	for range 3 { // it works any number of times
		if _, err := d.signedIn(); err != nil {
			t.Error(err)
		}
	}
	if err := d.shows(15); err != nil {
		t.Error(err)
	}

	if err := d.stop(os.Interrupt); err != nil { // Ctrl-C
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(d.temporary, "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("it leaves behind %v (%v)", left, err)
	}
	if !strings.Contains(d.printed(), "has ended") {
		t.Errorf("it ends without a word: %s", d.printed())
	}
}

func TestTwoDemosSideBySide(t *testing.T) {
	t.Parallel()
	one := demonstrate(t)
	address := regexp.MustCompile(`^http://([^/]+)/`).FindStringSubmatch(one.link)[1]
	// The second finds its address taken, and chooses another.
	two := demonstrate(t, "--listen", address)
	for _, d := range []*demonstration{one, two} {
		if _, err := d.signedIn(); err != nil {
			t.Error(err)
		}
		if err := d.stop(os.Interrupt); err != nil {
			t.Error(err)
		}
	}
}
