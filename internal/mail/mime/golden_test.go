package mime

import (
	"bytes"
	"encoding/hex"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// samples are the messages under testdata.
func samples(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"testdata/*.eml", "testdata/corpus/*.eml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) < 60 {
		t.Fatalf("there are %d samples, want 60 or more", len(files))
	}
	return files
}

func TestGolden(t *testing.T) {
	for _, file := range samples(t) {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		m, err := Read(bytes.NewReader(raw), Options{})
		if err != nil {
			t.Fatal(err)
		}
		got := dump(m)
		golden := strings.TrimSuffix(file, ".eml") + ".golden"
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: Read gives\n%s\nwant\n%s", file, got, want)
		}
	}
}

// dump writes all that is known of a message, for golden files and comparison.
func dump(m *Message) string {
	var out strings.Builder
	line := func(label string, value any) {
		if text := fmt.Sprint(value); text != "" && text != "[]" {
			fmt.Fprintf(&out, "%-12s %s\n", label, text)
		}
	}
	people := func(label string, list []postroom.Address) {
		for _, a := range list {
			line(label, fmt.Sprintf("%q %s", a.Name, a.Address))
		}
	}
	line("message-id", m.MessageID)
	line("in-reply-to", m.InReplyTo)
	line("references", m.References)
	people("from", m.From)
	people("sender", m.Sender)
	people("reply-to", m.ReplyTo)
	people("to", m.To)
	people("cc", m.Cc)
	people("bcc", m.Bcc)
	line("subject", m.Subject)
	if !m.Date.IsZero() {
		line("date", m.Date.Format("2006-01-02T15:04:05Z07:00"))
	}
	if !m.Received.IsZero() {
		line("received", m.Received.Format("2006-01-02T15:04:05Z07:00"))
	}
	for i, p := range m.Parts {
		line("part", fmt.Sprintf("%d in %d: %s %s %q, %d bytes, attachment %d, %d groups of fields", i, p.Parent, p.Type, p.Disposition, p.Name, p.SizeBytes, p.Attachment, len(p.Fields)))
	}
	for _, a := range m.Attachments {
		line("attachment", fmt.Sprintf("%d: %q %s, %d bytes, %s, id %q, inline %v", a.N, a.Name, a.Type, a.SizeBytes, hex.EncodeToString(a.SHA256[:]), a.ContentID, a.Inline))
	}
	for _, n := range m.Notes {
		line("note", n)
	}
	line("digest", hex.EncodeToString(m.Digest[:]))
	fmt.Fprintf(&out, "text:\n%s\nhtml:\n%s\n", m.Text, m.HTML)
	return out.String()
}
