package intake

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
	"unicode/utf8"
)

// Whatever the bytes, a mail gets a kind and a reason, and nothing in its
// understanding is unfit to be stored.
func FuzzUnderstand(f *testing.F) {
	files, _ := filepath.Glob(filepath.Join(samplesDir, "*.eml"))
	if len(files) == 0 {
		f.Fatal("there are no samples")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		u, err := Understand(bytes.NewReader(raw))
		if err != nil {
			t.Fatal(err)
		}
		if u.Kind == "" || u.KindReason == "" {
			t.Fatalf("the kind is %q because %q", u.Kind, u.KindReason)
		}
		texts := []string{NewText(u.Text), NewTextOfHTML(u.HTML), u.Bounce.OriginalMessageID, u.KindReason}
		for _, r := range u.Bounce.Recipients {
			texts = append(texts, r.Address, r.Original, r.Status, r.Reason, r.Action)
		}
		for _, text := range texts {
			if !utf8.ValidString(text) || bytes.IndexByte([]byte(text), 0) >= 0 {
				t.Fatalf("%q cannot be stored", text)
			}
		}
	})
}
