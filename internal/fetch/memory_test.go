package fetch_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

// attachmentOf is a letter of so many bytes with a file that does not compress.
func attachmentOf(n, sizeBytes int) []byte {
	random := rand.NewChaCha8([32]byte{byte(n)})
	line := make([]byte, 57)
	var b bytes.Buffer
	b.Grow(sizeBytes + 1<<10)
	fmt.Fprintf(&b, "From: Ana <ana@example.org>\r\nSubject: Plans\r\nMessage-ID: <plans-%d@example.org>\r\n", n)
	b.WriteString("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nHere they are.\r\n" +
		"--b\r\nContent-Type: application/zip; name=plans.zip\r\nContent-Transfer-Encoding: base64\r\n\r\n")
	for b.Len() < sizeBytes {
		_, _ = random.Read(line)
		b.WriteString(base64.StdEncoding.EncodeToString(line))
		b.WriteString("\r\n")
	}
	b.WriteString("--b--\r\n")
	return b.Bytes()
}

// textOf is a letter of so many bytes of text.
func textOf(sizeBytes int) []byte {
	head := "From: Ana <ana@example.org>\r\nSubject: Log\r\nMessage-ID: <log@example.org>\r\n\r\n"
	return append([]byte(head), bytes.Repeat([]byte("2026-11-20 12:00:00 something has happened somewhere\r\n"), sizeBytes/54)...)
}

// mostMemory is the greatest size that this process has had, as Linux tells it.
func mostMemory() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err.Error()
	}
	_, most, _ := bytes.Cut(status, []byte("VmHWM:"))
	most, _, _ = bytes.Cut(most, []byte("\n"))
	return string(bytes.TrimSpace(most))
}

// A message of 150 MB is brought in and filed by a process of its own, whose
// greatest size is held against that for a small one. The pages that SQLite keeps,
// 8 MB for writing and 4 for each of two that read, are no part of the message.
func TestMemoryForLargeMessages(t *testing.T) {
	if raceEnabled {
		t.Log("the race detector needs memory of its own; nothing to measure")
		return
	}
	testbed.Need(t, testbed.NeedDovecot)
	users := map[string]string{"small@example.net": "secret", "file@example.net": "secret", "text@example.net": "secret", "pop@example.net": "secret"}
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: users})
	peak := func(t *testing.T, user string, letters ...[]byte) (mb int64) {
		t.Helper()
		d.Deliver(user, "INBOX", letters...)
		m := mailboxOn(d, user)
		if user == "pop@example.net" {
			m.Incoming.Protocol, m.Incoming.Port = postroom.POP3, d.POP3Port
		}
		c := newCrashSiteOf(t, store.Options{Path: filepath.Join(t.TempDir(), "postroom.db")}, m)
		cmd, out := c.process(crashOrder{Wanted: int64(len(letters))})
		if err := cmd.Wait(); err != nil {
			t.Fatalf("the process ended with %v:\n%s", err, out)
		}
		if o := c.outcome(); o.Entries != len(letters) {
			t.Fatalf("%d entries, want %d", o.Entries, len(letters))
		}
		_, words, _ := strings.Cut(out.String(), "the most memory it had: ")
		if _, err := fmt.Sscanf(words, "%d kB", &mb); err != nil {
			t.Fatalf("%v in %q", err, out)
		}
		return mb >> 10
	}
	floor := peak(t, "small@example.net", letter(0, ""))
	const large, caches = 150 << 20, 8 + 2*4
	for what, raw := range map[string][]byte{"file": attachmentOf(1, large), "text": textOf(large), "pop": attachmentOf(2, large)} {
		t.Run(what, func(t *testing.T) {
			extra := peak(t, what+"@example.net", raw) - floor
			t.Logf("%d MB beyond the %d MB for a small message", extra, floor)
			if extra >= 32+caches {
				t.Errorf("a message of 150 MB takes %d MB more than a small one, want less than 32 and %d for the database's caches", extra, caches)
			}
		})
	}
}
