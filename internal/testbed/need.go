// Package testbed starts the real servers that the tests need.
//
// What it starts belongs to the test that asked for it, or to the test process;
// it ends with that, however that ends. It works for root, when the servers run
// as a user without rights, and for everybody else. On Debian the packages are
// dovecot-imapd, dovecot-pop3d, dovecot-submissiond, postgresql, chromium and nodejs.
// Courier and Cyrus are unpacked by scripts/test-needs, because they cannot be installed
// beside Dovecot; Courier needs root to start, for chroot.
package testbed

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// The programs that tests can ask for with Need.
const (
	NeedPostgres   = "postgresql"
	NeedDovecot    = "dovecot"
	NeedSubmission = "dovecot-submission"
	NeedCourier    = "courier"
	NeedCyrus      = "cyrus"
	NeedChromium   = "chromium"
	NeedOpenID     = "openid" // an OpenID provider written by others, which runs on Node.js
)

// Need skips a test that cannot run here: in short mode, or because what is not
// installed, which fails the test where POSTROOM_TEST_ALL=1 says that nothing may
// be missing. The servers of this package ask for it themselves.
func Need(t testing.TB, what string) {
	t.Helper()
	if testing.Short() {
		t.Skip("short")
	}
	if what == NeedPostgres && os.Getenv(givenPostgres) != "" {
		return
	}
	for _, name := range programs(what) {
		if name == asRoot && os.Getuid() != 0 || name != asRoot && locate(name) == "" {
			missing(t, what, name)
		}
	}
}

func missing(t testing.TB, what, program string) {
	t.Helper()
	if os.Getenv("POSTROOM_TEST_ALL") == "1" {
		t.Fatalf("NOT INSTALLED: %s (program %s), and POSTROOM_TEST_ALL=1 asks for every test", what, program)
	}
	t.Skipf("SKIPPED, NOT INSTALLED: %s", what)
}

// beside is where scripts/test-needs unpacks servers that cannot be installed
// beside others.
const beside = "/var/lib/postroom-testbed"

// asRoot stands among programs for a server that nobody else can start.
const asRoot = "a shell of root"

// programs names what has to be installed for a server; an unknown one is itself
// a program.
func programs(what string) []string {
	switch what {
	case NeedPostgres:
		return []string{"initdb", "postgres"}
	case NeedDovecot:
		return []string{"dovecot", "doveadm"}
	case NeedSubmission:
		return []string{"dovecot", "submission-login"}
	case NeedCourier:
		return []string{beside + "/courier/unpacked", asRoot, "chroot"}
	case NeedCyrus:
		return []string{beside + "/cyrus/unpacked"}
	case NeedOpenID:
		return []string{"node", openIDInstalled + "/installed"}
	}
	return []string{what}
}

// locate returns the path of a program, or nothing. Distributions keep servers
// out of the ordinary user's PATH, and PostgreSQL even out of root's; the highest
// version wins.
func locate(name string) string {
	if filepath.IsAbs(name) {
		if _, err := os.Stat(name); err != nil {
			return ""
		}
		return name
	}
	names := []string{name}
	if name == NeedChromium {
		names = []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome",
			"/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"}
	}
	for _, n := range names {
		if path, err := exec.LookPath(n); err == nil {
			return path
		}
	}
	for _, place := range []string{
		"/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/opt/homebrew/sbin",
		"/usr/lib/dovecot", "/usr/libexec/dovecot", "/opt/homebrew/opt/dovecot/libexec/dovecot",
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql*/bin",
	} {
		found, _ := filepath.Glob(filepath.Join(place, name)) // the patterns are well formed
		if len(found) > 0 {
			return found[len(found)-1]
		}
	}
	return ""
}
