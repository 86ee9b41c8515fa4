package store

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func TestTranscriptIsKeptWhileSomebodyWantsIt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		m := addMailbox(t, db, supportMailbox())
		node := takenBy(t, db, m.ID).Node
		line := TranscriptLine{At: time.Now(), Session: "1", Direction: 'S', Line: "* OK hello \x00\xff" + strings.Repeat("x", 5000)}
		if err := db.RecordTranscript(ctx, m.ID, []TranscriptLine{line}); err != nil {
			t.Fatal(err)
		}
		lines := func(after int64, limit int) []TranscriptLine {
			t.Helper()
			got, err := db.Reader().TranscriptLines(ctx, m.ID, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			return got
		}
		if got := lines(0, 0); len(got) != 0 {
			t.Fatalf("kept %d lines that nobody asked for", len(got))
		}

		if err := db.BeginTranscript(ctx, m.ID, 0, time.Hour); err != nil {
			t.Fatal(err)
		}
		asked, err := db.TranscriptsAsked(ctx, node)
		if err != nil || len(asked) != 1 || asked[0].Mailbox != m.ID || asked[0].Until.Sub(asked[0].AskedAt).Round(time.Second) != time.Hour {
			t.Fatalf("asked for %+v, %v", asked, err)
		}
		if asked, err := db.TranscriptsAsked(ctx, node+1); err != nil || len(asked) != 0 {
			t.Errorf("another node is asked for %+v, %v", asked, err)
		}
		line2 := line
		line2.Direction, line2.Line = 'C', "a1 NOOP"
		if err := db.RecordTranscript(ctx, m.ID, []TranscriptLine{line, line2}); err != nil {
			t.Fatal(err)
		}
		got := lines(0, 0)
		if len(got) != 2 || got[0].Direction != 'S' || got[1].Line != "a1 NOOP" || got[1].Position <= got[0].Position || len(got[0].Line) > maxTranscriptLine || strings.ContainsRune(got[0].Line, 0) {
			t.Fatalf("lines %+v", got)
		}
		if rest := lines(got[0].Position, 5); len(rest) != 1 || rest[0] != got[1] {
			t.Errorf("after the first: %+v", rest)
		}

		if err := db.EndTranscript(ctx, m.ID); err != nil {
			t.Fatal(err)
		}
		if asked, err := db.TranscriptsAsked(ctx, node); err != nil || len(asked) != 0 {
			t.Errorf("ended, and still asked for: %+v, %v", asked, err)
		}
		if swept, err := db.SweepTranscripts(ctx); err != nil || swept != 0 || len(lines(0, 0)) != 2 {
			t.Errorf("swept %d, %v: what is of today stays", swept, err)
		}
		if err := db.BeginTranscript(ctx, m.ID, 0, -25*time.Hour); err != nil { // over since yesterday
			t.Fatal(err)
		}
		if len(lines(0, 0)) != 0 {
			t.Error("what was written down before is still there")
		}
		if swept, err := db.SweepTranscripts(ctx); err != nil || swept != 1 {
			t.Errorf("swept %d, %v", swept, err)
		}
		if _, ok, err := db.Reader().TranscriptOf(ctx, m.ID); ok || err != nil {
			t.Errorf("it is still there: %v", err)
		}
	})
}

func TestTranscriptIsBounded(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		m := addMailbox(t, db, supportMailbox())
		if err := db.BeginTranscript(ctx, m.ID, 0, time.Hour); err != nil {
			t.Fatal(err)
		}
		lines := make([]TranscriptLine, 500)
		for n := range lines {
			lines[n] = TranscriptLine{At: time.Now(), Session: "1", Direction: 'S', Line: fmt.Sprint(n)}
		}
		for range MaxTranscriptLines/len(lines) + 1 {
			if err := db.RecordTranscript(ctx, m.ID, lines); err != nil {
				t.Fatal(err)
			}
		}
		got, err := db.Reader().TranscriptLines(ctx, m.ID, 0, 0)
		if err != nil || len(got) != MaxTranscriptLines || got[len(got)-1].Line != "499" {
			t.Errorf("%d lines are kept, %v", len(got), err)
		}
	})
}

func TestALineOfATranscriptIsLegible(t *testing.T) {
	for line, want := range map[string]string{
		"* OK Grüße,\t日本 \u00a0😀":           "* OK Grüße,\t日本 \u00a0😀",
		"NO \x1b[31mred\x1b]0;title\a\r\n":  "NO �[31mred�]0;title���",
		"NO \u202elive\u202c \u2066x\u200b": "NO �live� �x�",
		"NO \u009b31m\x7f":                  "NO �31m�",
	} {
		if got := CutTranscriptLine(line); got != want {
			t.Errorf("CutTranscriptLine(%q) = %q, want %q", line, got, want)
		}
	}
	for _, long := range []string{strings.Repeat("x", 3000), strings.Repeat("\x1b", 1500), strings.Repeat("é", 1500), strings.Repeat("\x1b", maxTranscriptLine)} {
		got := CutTranscriptLine(long)
		if len(got) > maxTranscriptLine || !strings.HasSuffix(got, " …") || CutTranscriptLine(got) != got {
			t.Errorf("%d bytes %.4q… become %d, which end %q", len(long), long, len(got), got[len(got)-8:])
		}
	}
}
