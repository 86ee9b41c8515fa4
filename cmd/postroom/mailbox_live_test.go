package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

func TestReadingIsPrintedBeforeSending(t *testing.T) {
	var out bytes.Buffer
	r := newTestReel(terminal{Out: &out}, false)
	for _, step := range []string{
		`{"step":"outgoing_name","side":"outgoing","running":true}`,
		`{"step":"outgoing_name","side":"outgoing","ok":true,"milliseconds":1,"detail":"third"}`,
		`{"step":"name","side":"incoming","ok":true,"detail":"first"}`,
		`{"step":"outgoing_connection","side":"outgoing","ok":false,"detail":"fourth"}`,
		`{"step":"connection","side":"incoming","ok":true,"detail":"second"}`,
	} {
		r.step(json.RawMessage(step))
	}
	r.ends()
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	for n, want := range []string{"first", "second", "third", "fourth"} {
		if len(lines) != 4 || !strings.HasSuffix(lines[n], want) {
			t.Fatalf("printed:\n%s", out.String())
		}
	}
}
