package mime

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A message means the same whether its lines end in LF, as in files, or in CRLF,
// as on the way by IMAP and POP3.
func TestLineEndsChangeNothing(t *testing.T) {
	files := samples(t)
	if more, _ := filepath.Glob("../../../../shared/corpus/*/*.eml"); len(more) > 0 {
		files = append(files, more...)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Contains(raw, []byte("\n")) {
			continue // CR only
		}
		withLF := bytes.ReplaceAll(raw, []byte("\r\n"), []byte("\n"))
		withCRLF := bytes.ReplaceAll(withLF, []byte("\n"), []byte("\r\n"))
		a, b := read(t, withLF), read(t, withCRLF)
		if a.Digest != b.Digest {
			t.Errorf("%s: the digest depends on line ends", file)
		}
		if got, want := withoutBytes(b), withoutBytes(a); got != want {
			t.Errorf("%s: with CRLF\n%s\nwith LF\n%s", file, got, want)
		}
	}
}

// withoutBytes dumps a message without sizes and hashes: of an attachment that
// is not encoded, the line ends belong to its bytes.
func withoutBytes(m *Message) string {
	c := *m
	c.Attachments = slices.Clone(m.Attachments)
	for i := range c.Attachments {
		c.Attachments[i].SizeBytes, c.Attachments[i].SHA256 = 0, [32]byte{}
	}
	c.Parts = slices.Clone(m.Parts)
	for i := range c.Parts {
		c.Parts[i].SizeBytes = 0
	}
	return dump(&c)
}

func read(t testing.TB, raw []byte) *Message {
	t.Helper()
	m, err := Read(bytes.NewReader(raw), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestDigestIsTheSameByEveryWay(t *testing.T) {
	const message = "From: Ann <ann@example.net>\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nDate: Fri, 20 Nov 2026 10:00:00 +0100\nContent-Type: text/plain\n\nHello\nthere\n"
	want := read(t, []byte(message)).Digest
	tests := map[string]struct {
		message string
		same    bool
	}{
		"CRLF":                          {strings.ReplaceAll(message, "\n", "\r\n"), true},
		"a missing last line end":       {strings.TrimSuffix(message, "\n"), true},
		"an additional line end":        {message + "\n", true},
		"NUL":                           {strings.Replace(message, "there", "th\x00ere", 1), true},
		"another folding of the header": {strings.Replace(message, "Date: ", "Date:\n  ", 1), true},
		"an additional Received":        {"Received: from a by b; Fri, 20 Nov 2026 10:00:01 +0100\n" + message, true},
		"another zone, same instant":    {strings.Replace(message, "10:00:00 +0100", "09:00:00 +0000", 1), true},
		"another text":                  {strings.Replace(message, "there", "here", 1), false},
		"another subject":               {strings.Replace(message, "Gr=", "Kr=", 1), false},
		"another sender":                {strings.Replace(message, "ann@", "bob@", 1), false},
		"another date":                  {strings.Replace(message, "10:00", "11:00", 1), false},
		"another line":                  {strings.Replace(message, "Hello\n", "Hello\n\n", 1), false},
	}
	for name, test := range tests {
		if got := read(t, []byte(test.message)).Digest; (got == want) != test.same {
			t.Errorf("%s: the digest is the same: %v, want %v", name, got == want, test.same)
		}
	}
}

func TestDigestCoversAttachments(t *testing.T) {
	message := func(file string) []byte {
		return []byte("From: a@b\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\nSee here.\n--x\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n\n" + file + "\n--x--\n")
	}
	if read(t, message("AAAA")).Digest == read(t, message("AAAB")).Digest {
		t.Error("two messages with different attachments have one digest")
	}
}
