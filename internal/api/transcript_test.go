package api

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/store"
)

func TestTranscriptIsForAdministratorsAndForAWhile(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	path := "/mailboxes/" + r.support.ID.String() + "/transcript"
	r.do(r.admin, "GET", path, "").want(200).has(map[string]any{"since": nil, "open": false, "lines": []any{}})
	r.do(r.writer, "POST", path, `{}`).refused(403, "")
	r.do(r.writer, "GET", path, "").refused(403, "")
	r.do(r.writer, "GET", path+"/text", "").refused(403, "")
	r.do(r.admin, "POST", path, `{"minutes":61}`).refused(422, "minutes")
	r.do(r.admin, "POST", "/mailboxes/99/transcript", `{}`).refused(404, "")

	r.do(r.admin, "POST", path, `{"minutes":5}`).want(201).has(map[string]any{"open": true, "lines": []any{}, "after": "0"})
	r.must(r.db.RecordTranscript(ctx, r.support.ID, []store.TranscriptLine{
		{At: time.Now(), Session: "1-1", Direction: 'N', Line: "Connecting to imap.example.net, port 993."},
		{At: time.Now(), Session: "1-1", Direction: 'S', Line: "* OK hello"},
	}))
	r.must(r.db.RecordTranscript(ctx, r.support.ID, []store.TranscriptLine{{At: time.Now(), Session: "1-1", Direction: 'C', Line: "P1 NOOP"}}))
	first := r.do(r.admin, "GET", path+"?limit=2", "").want(200).has(map[string]any{"lines.1.line": "* OK hello", "lines.1.direction": "S", "lines.0.session": "1-1"})
	after, _ := first.at("after").(string)
	second := r.do(r.admin, "GET", path+"?after="+after, "").want(200).has(map[string]any{"lines.0.line": "P1 NOOP", "open": true})
	if last, _ := second.at("after").(string); last == after || last == "" {
		t.Errorf("after %q comes %q", after, last)
	}
	r.do(r.admin, "GET", path+"?after=x", "").refused(422, "after")
	text := r.do(r.admin, "GET", path+"/text", "").want(200)
	if body := string(text.Body); !strings.Contains(body, "S: * OK hello\n") || !strings.Contains(body, "C: P1 NOOP\n") || !strings.Contains(body, "connection 1-1") {
		t.Errorf("the download is\n%s", body)
	}
	if kind := text.Header.Get("Content-Disposition"); !strings.HasPrefix(kind, "attachment") {
		t.Errorf("it is no download: %q", kind)
	}

	r.do(r.admin, "DELETE", path, "").want(204)
	r.do(r.admin, "DELETE", path, "").want(204)
	r.do(r.admin, "GET", path, "").want(200).has(map[string]any{"open": false, "lines.2.line": "P1 NOOP"})

	r.do(r.admin, "POST", "/mailboxes/"+r.support.ID.String()+"/pause", "").want(200)
	r.do(r.admin, "POST", path, `{}`).refused(409, "")
}
