package api

import (
	"bufio"
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
)

func TestDownloadsAreFilesAndNothingElse(t *testing.T) {
	r := newRig(t)
	b := r.bring(r.support, withFile)
	mail := r.do(r.reader, "GET", "/mails/"+b.mail, "").want(200).has(map[string]any{
		"id": b.mail, "issue": b.issue, "message_id": "file@example.org", "from.0.address": "cleo@example.org", "subject": "A file", "kind": "person",
		"attachments.0.n": 0, "attachments.0.type": "text/html", "date": "2026-11-01T10:00:00Z", "size": len(withFile), "in_reply_to.0": nil,
	})
	for path, want := range map[string]string{"raw": withFile, "attachments/0": "<script>alert(1)</script>"} {
		got := r.do(r.reader, "GET", "/mails/"+b.mail+"/"+path, "").want(200)
		if strings.TrimRight(string(got.Body), "\r\n") != strings.TrimRight(want, "\r\n") {
			t.Errorf("%s = %q, want %q (%s)", path, got.Body, want, mail.Body)
		}
		if path == "raw" && string(got.Body) != want {
			t.Errorf("the raw message is not exact: %q", got.Body)
		}
		for name, value := range map[string]string{
			"X-Content-Type-Options": "nosniff", "Content-Security-Policy": "sandbox; default-src 'none'",
		} {
			if got.Header.Get(name) != value {
				t.Errorf("%s: %s = %q, want %q", path, name, got.Header.Get(name), value)
			}
		}
		if d := got.Header.Get("Content-Disposition"); !strings.HasPrefix(d, "attachment; filename=") || strings.ContainsAny(d, "\r\n/") {
			t.Errorf("%s: Content-Disposition = %q", path, d)
		}
	}
	r.do(r.reader, "GET", "/mails/"+b.mail+"/attachments/1", "").refused(404, "")
}

func TestDisposition(t *testing.T) {
	for name, want := range map[string]string{
		"plan.pdf":                        `attachment; filename="plan.pdf"`,
		"":                                `attachment; filename="attachment"`,
		"../../etc/passwd":                `attachment; filename="_.._etc_passwd"`,
		"a\"b\r\nSet-Cookie: x.txt":       `attachment; filename="a_bSet-Cookie_ x.txt"; filename*=UTF-8''a%22bSet-Cookie_%20x.txt`,
		"Größe 100%.txt":                  `attachment; filename="Gr__e 100_.txt"; filename*=UTF-8''Gr%C3%B6%C3%9Fe%20100%25.txt`,
		"invoice\u202efdp.exe":            `attachment; filename="invoicefdp.exe"`,
		".htaccess":                       `attachment; filename="htaccess"`,
		strings.Repeat("x", 300) + ".pdf": `attachment; filename="` + strings.Repeat("x", 196) + `.pdf"`,
	} {
		if got := disposition(name); got != want {
			t.Errorf("disposition(%q) = %s\nwant %s", name, got, want)
		}
	}
}

func TestPlainType(t *testing.T) {
	for text, want := range map[string]bool{
		"text/html": true, "application/vnd.oasis.opendocument.text": true, "image/svg+xml": true,
		"": false, "text": false, "text/": false, "text/html; charset=x": false, "text/ht\nml": false, "téxt/html": false,
	} {
		if got := plainType(text); got != want {
			t.Errorf("plainType(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestEventsInTheirOrder(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		r.bring(r.support, letter(fmt.Sprint(i), fmt.Sprint("Printer ", i), "fire"))
	}
	all := r.do(r.reader, "GET", "/events", "").want(200)
	if all.at("next_cursor") != nil {
		t.Errorf("next_cursor = %v", all.at("next_cursor"))
	}
	var walked []string
	after := "0"
	for {
		page := r.do(r.reader, "GET", "/events?limit=1&after="+after, "").want(200)
		if len(page.items()) == 0 {
			break
		}
		after = fmt.Sprint(page.at("items.0.position"))
		walked = append(walked, fmt.Sprint(page.at("items.0.id")))
	}
	var want []string
	for _, e := range all.items() {
		want = append(want, fmt.Sprint(e.(map[string]any)["id"]))
	}
	if fmt.Sprint(walked) != fmt.Sprint(want) || len(want) < 4 {
		t.Errorf("one by one %v, at once %v", walked, want)
	}
	last := r.do(r.reader, "GET", "/events?after="+fmt.Sprint(len(want)-1), "").want(200)
	if n := len(last.items()); n == 0 {
		t.Errorf("after the last but one: %s", last.Body)
	}
	page := r.do(r.reader, "GET", "/events?limit=2", "").want(200)
	r.do(r.reader, "GET", "/events?limit=2&cursor="+page.at("next_cursor").(string), "").want(200).has(map[string]any{"items.0.id": want[2]})
}

// A listener reads a stream of events.
type listener struct {
	t     *testing.T
	lines *bufio.Scanner
	close func()
}

func (r *rig) listen(token, query, lastID string) *listener {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	req, err := http.NewRequestWithContext(ctx, "GET", r.http.URL+Prefix+"/events/stream"+query, nil)
	r.must(err)
	req.Header.Set("Authorization", "Bearer "+token)
	if lastID != "" {
		req.Header.Set("Last-Event-ID", lastID)
	}
	resp, err := http.DefaultClient.Do(req)
	r.must(err)
	if got := resp.Header.Get("Content-Type"); resp.StatusCode != 200 || got != "text/event-stream" {
		r.t.Fatalf("stream: %d %s", resp.StatusCode, got)
	}
	l := &listener{t: r.t, lines: bufio.NewScanner(resp.Body), close: func() { cancel(); resp.Body.Close() }}
	r.t.Cleanup(l.close)
	return l
}

// next returns the id and the type of the next event; ok is false at the end.
func (l *listener) next() (id, kind string, ok bool) {
	for l.lines.Scan() {
		name, value, _ := strings.Cut(l.lines.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			kind = value
		case "":
			if id != "" {
				return id, kind, true
			}
		}
	}
	return "", "", false
}

func TestStreamTellsWhatHappensAndResumes(t *testing.T) {
	r := newRig(t)
	r.bring(r.support, letter("a", "Printer", "fire"))
	live := r.listen(r.reader, "", "")
	r.bring(r.private, letter("b", "Salary", "raise"))
	b := r.bring(r.support, letter("c", "Invoice", "where"))
	first, kind, _ := live.next()
	if kind != string(postroom.EventIssueCreated) {
		t.Fatalf("first event is %s %s", first, kind)
	}
	r.do(r.writer, "POST", "/issues/"+b.issue.String()+"/notes", `{"text":"x"}`).want(201)
	second, kind, _ := live.next()
	if kind != string(postroom.EventIssueNoted) {
		t.Errorf("second event is %s", kind)
	}
	for name, l := range map[string]*listener{
		"behind the last event seen": r.listen(r.reader, "", first),
		"the header counts more":     r.listen(r.reader, "?after=0", first),
		"behind a position":          r.listen(r.reader, "?after="+first, ""),
	} {
		if id, _, _ := l.next(); id != second {
			t.Errorf("%s: %s, want %s", name, id, second)
		}
	}
}

func TestStreamEndsWithTheProcess(t *testing.T) {
	r := newRig(t)
	stopping := make(chan struct{})
	r.api.Stopping = stopping
	l := r.listen(r.reader, "", "")
	close(stopping)
	if id, _, ok := l.next(); ok {
		t.Errorf("an event %s came instead of the end", id)
	}
}
