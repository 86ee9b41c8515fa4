package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestIssuesThroughTheirLife(t *testing.T) {
	r := newRig(t)
	a := r.bring(r.support, letter("a", "Printer", "It is on fire"))
	b := r.bring(r.support, letter("b", "Invoice", "Where is it"))
	path := "/issues/" + a.issue.String()

	r.do(r.reader, "GET", path, "").want(200).has(map[string]any{
		"id": a.issue, "number": 1, "subject": "Printer", "state": "open", "requester.name": "Cleo", "requester.address": "cleo@example.org",
		"assignee": nil, "mailboxes.0": r.support.ID, "entries": 1, "historic": false, "deleted_at": nil, "preview": "It is on fire",
	})
	r.do(r.writer, "PATCH", path, `{"state":"closed","assignee":"`+r.ben.ID.String()+`"}`).want(200).
		has(map[string]any{"state": "closed", "assignee": r.ben.ID, "assignee_name": "Ben"})
	r.as(r.writer, "PATCH", path, `{"state":"closed"}`, "application/merge-patch+json").want(200).has(map[string]any{"state": "closed", "assignee": r.ben.ID, "entries": 3})
	r.do(r.reader, "GET", "/issues?state=closed", "").want(200).has(map[string]any{"items.0.id": a.issue, "items.1": nil})
	r.do(r.reader, "GET", "/issues?assignee="+r.ben.ID.String(), "").want(200).has(map[string]any{"items.0.id": a.issue, "items.1": nil})
	r.do(r.reader, "GET", "/issues?assignee=none", "").want(200).has(map[string]any{"items.0.id": b.issue, "items.1": nil})
	r.do(r.writer, "PATCH", path, `{"state":"open","assignee":null}`).want(200).has(map[string]any{"state": "open", "assignee": nil})
	r.do(r.writer, "PATCH", path, `{}`).want(200).has(map[string]any{"state": "open", "entries": 5})

	r.do(r.writer, "POST", path+"/notes", `{"text":"Ask the Hausmeister"}`).want(201).
		has(map[string]any{"kind": "note", "text": "Ask the Hausmeister", "author": nil, "author_name": "the write", "issue": a.issue})
	r.do(r.reader, "GET", "/issues?q=hausm", "").want(200).has(map[string]any{"items.0.id": a.issue, "next_cursor": nil})
	entries := r.do(r.reader, "GET", path+"/entries", "").want(200)
	if n := len(entries.items()); n != 6 {
		t.Fatalf("%d entries, want 6: %s", n, entries.Body)
	}
	entries.has(map[string]any{
		"items.0.kind": "mail", "items.0.mail.id": a.mail, "items.0.mail.text": "It is on fire\n", "items.0.arrivals.0": a.arrival, "items.0.mailboxes.0": r.support.ID,
		"items.1.kind": "change", "items.1.text": "Assigned to Ben", "items.1.mail": nil, "items.2.text": "Closed", "items.5.kind": "note",
	})

	r.do(r.writer, "DELETE", path, "").want(204)
	r.do(r.writer, "DELETE", path, "").want(204)
	for _, gone := range []string{path, path + "/entries", "/mails/" + a.mail, "/mails/" + a.mail + "/raw"} {
		r.do(r.reader, "GET", gone, "").refused(404, "")
	}
	r.do(r.writer, "PATCH", path, `{"state":"closed"}`).refused(409, "")
	r.do(r.writer, "POST", path+"/notes", `{"text":"too late"}`).refused(409, "")
	r.do(r.reader, "GET", "/issues", "").want(200).has(map[string]any{"items.0.id": b.issue, "items.1": nil})
	r.do(r.reader, "GET", "/issues?deleted=true", "").want(200).has(map[string]any{"items.0.id": a.issue, "items.1": nil})
	r.do(r.reader, "GET", "/arrivals?state=deleted", "").want(200).has(map[string]any{"items.0.id": a.arrival, "items.0.reason": "Issue 1 was deleted by the write."})
	r.do(r.writer, "POST", path+"/recover", "").want(200).has(map[string]any{"id": a.issue, "deleted_at": nil})
	r.do(r.reader, "GET", path, "").want(200)
}

func TestRequestsThatDoNotFitSayWhichField(t *testing.T) {
	r := newRig(t)
	a := r.bring(r.support, letter("a", "Printer", "It is on fire"))
	path := "/issues/" + a.issue.String()
	tests := map[string]struct {
		method, path, body string
		status             int
		field              string
	}{
		"a state that is none":         {"PATCH", path, `{"state":"gone"}`, 422, "state"},
		"no state":                     {"PATCH", path, `{"state":null}`, 422, "state"},
		"an unknown field":             {"PATCH", path, `{"subject":"x"}`, 422, "subject"},
		"a state of another type":      {"PATCH", path, `{"state":7}`, 422, "state"},
		"a stranger":                   {"PATCH", path, `{"assignee":"99"}`, 422, "assignee"},
		"no id of a user":              {"PATCH", path, `{"assignee":"Ben"}`, 422, "assignee"},
		"no JSON":                      {"PATCH", path, `{"state":`, 400, ""},
		"no body":                      {"PATCH", path, ``, 400, ""},
		"no text":                      {"POST", path + "/notes", `{}`, 422, "text"},
		"an empty note":                {"POST", path + "/notes", `{"text":" "}`, 422, "text"},
		"a list for an object":         {"POST", path + "/notes", `[]`, 422, ""},
		"an unknown parameter":         {"GET", "/issues?colour=red", ``, 422, "colour"},
		"a limit that is none":         {"GET", "/issues?limit=0", ``, 422, "limit"},
		"a limit in words":             {"GET", "/issues?limit=many", ``, 422, "limit"},
		"a wrong cursor":               {"GET", "/issues?cursor=abc", ``, 422, "cursor"},
		"a cursor of another list":     {"GET", "/arrivals?cursor=aS4xLjE", ``, 422, "cursor"},
		"a wrong cursor of events":     {"GET", "/events?cursor=x", ``, 422, "cursor"},
		"a state that no issue has":    {"GET", "/issues?state=waiting", ``, 422, "state"},
		"a state that no arrival has":  {"GET", "/arrivals?state=open", ``, 422, "state"},
		"a position that is none":      {"GET", "/events?after=-1", ``, 422, "after"},
		"a position of a stream":       {"GET", "/events/stream?after=x", ``, 422, "after"},
		"an issue that is not there":   {"GET", "/issues/99", ``, 404, ""},
		"an id that is none":           {"GET", "/issues/abc", ``, 404, ""},
		"a mail that is not there":     {"GET", "/mails/99", ``, 404, ""},
		"an attachment that is none":   {"GET", "/mails/" + a.mail + "/attachments/0", ``, 404, ""},
		"an attachment by name":        {"GET", "/mails/" + a.mail + "/attachments/a", ``, 422, "n"},
		"an arrival that is not there": {"POST", "/arrivals/99/retry", ``, 404, ""},
		"an arrival that is filed":     {"POST", "/arrivals/" + a.arrival + "/retry", ``, 409, ""},
		"an address that is none":      {"GET", "/printers", ``, 404, ""},
		"a method that is none":        {"PUT", path, `{}`, 405, ""},
		"too much":                     {"POST", path + "/notes", `{"text":"` + strings.Repeat("x", 1<<20) + `"}`, 413, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			reply := r.do(r.admin, test.method, test.path, test.body)
			reply.t = t
			reply.refused(test.status, test.field)
		})
	}
	if allow := r.do(r.admin, "PUT", path, "{}").Header.Get("Allow"); !strings.Contains(allow, "PATCH") {
		t.Errorf("Allow = %q", allow)
	}
	r.as(r.admin, "PATCH", path, `state=closed`, "application/x-www-form-urlencoded").refused(415, "")
}

func TestPagesOfIssues(t *testing.T) {
	r := newRig(t)
	var want []string
	for i := range 5 {
		b := r.bring(r.support, letter(fmt.Sprint("m", i), fmt.Sprint("Printer ", i), "fire"))
		want = append([]string{b.issue.String()}, want...)
	}
	for _, query := range []string{"", "&q=printer"} {
		var got []string
		cursor := ""
		for {
			page := r.do(r.reader, "GET", "/issues?limit=2"+query+"&cursor="+cursor, "").want(200)
			for _, item := range page.items() {
				got = append(got, item.(map[string]any)["id"].(string))
			}
			next, more := page.at("next_cursor").(string)
			if !more {
				break
			}
			cursor = next
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%q: %v, want %v", query, got, want)
		}
	}
	r.do(r.reader, "GET", "/issues?limit=9999", "").want(200)
	empty := r.do(r.reader, "GET", "/issues?q=%22%22", "").want(200)
	if !strings.HasPrefix(string(empty.Body), `{"items":[],"next_cursor":null}`) {
		t.Errorf("nothing found = %s", empty.Body)
	}
}

func TestWhoMayDoWhat(t *testing.T) {
	r := newRig(t)
	a := r.bring(r.support, letter("a", "Printer", "It is on fire"))
	issue, box := "/issues/"+a.issue.String(), "/mailboxes/"+r.support.ID.String()
	tests := map[string]struct {
		token  string
		scope  string // that it takes
		method string
		path   string
		body   string
	}{
		"a reader closes nothing":       {r.reader, "write", "PATCH", issue, `{"state":"closed"}`},
		"a reader deletes nothing":      {r.reader, "write", "DELETE", issue, ``},
		"a reader recovers nothing":     {r.reader, "write", "POST", issue + "/recover", ``},
		"a reader notes nothing":        {r.reader, "write", "POST", issue + "/notes", `{"text":"x"}`},
		"even if the body does not fit": {r.reader, "write", "POST", issue + "/notes", `{"nothing":"x"}`},
		"a writer connects nothing":     {r.writer, "admin", "POST", "/mailboxes", `{}`},
		"a writer tests nothing":        {r.writer, "admin", "POST", "/mailboxes/test", `{}`},
		"a writer tests no mailbox":     {r.writer, "admin", "POST", box + "/test", ``},
		"a writer changes no settings":  {r.writer, "admin", "PATCH", box, `{"name":"x"}`},
		"a writer removes nothing":      {r.writer, "admin", "DELETE", box + "?issues=keep", ``},
		"a writer pauses nothing":       {r.writer, "admin", "POST", box + "/pause", ``},
		"a writer resumes nothing":      {r.writer, "admin", "POST", box + "/resume", ``},
		"a writer retries nothing":      {r.writer, "admin", "POST", "/arrivals/" + a.arrival + "/retry", ``},
		"a writer lists no users":       {r.writer, "admin", "GET", "/users", ``},
	}
	for name, test := range tests {
		reply := r.do(test.token, test.method, test.path, test.body).refused(403, "")
		if text := reply.at("explanation").(string); !strings.Contains(text, test.scope) {
			t.Errorf("%s: %q does not name the scope %s", name, text, test.scope)
		}
	}
	for name, token := range map[string]string{"none": "", "wrong": "pr_nothing", "of another form": "x y"} {
		reply := r.do(token, "GET", "/issues", "").refused(401, "")
		if got := reply.Header.Get("WWW-Authenticate"); !strings.HasPrefix(got, "Bearer") {
			t.Errorf("a token that is %s: WWW-Authenticate = %q", name, got)
		}
	}
	r.do("", "GET", "/printers", "").refused(401, "")
	r.do(r.admin, "GET", "/users", "").want(200).has(map[string]any{"items.0.name": "Ana", "items.0.role": "admin", "items.1.email": "ben@example.net"})
}

func TestRestrictedMailboxIsForItsReadersOnly(t *testing.T) {
	r := newRig(t)
	open := r.bring(r.support, letter("a", "Printer", "fire"))
	hidden := r.bring(r.private, letter("b", "Printer raise", "fire"))
	issue, box := "/issues/"+hidden.issue.String(), "/mailboxes/"+r.private.ID.String()
	for _, token := range []string{r.reader, r.writer, r.admin} {
		for _, path := range []string{issue, issue + "/entries", "/mails/" + hidden.mail, "/mails/" + hidden.mail + "/raw", "/mails/" + hidden.mail + "/attachments/0"} {
			r.do(token, "GET", path, "").refused(404, "")
		}
		for _, list := range []string{"/issues", "/issues?q=printer", "/issues?q=printer&limit=1"} {
			page := r.do(token, "GET", list, "").want(200).has(map[string]any{"items.0.id": open.issue, "next_cursor": nil})
			if n := len(page.items()); n != 1 {
				t.Errorf("%s shows %d issues", list, n)
			}
		}
		r.do(token, "GET", "/issues?mailbox="+r.private.ID.String(), "").want(200).has(map[string]any{"items.0": nil})
		for _, e := range r.do(token, "GET", "/events", "").want(200).items() {
			if e.(map[string]any)["issue"] == hidden.issue.String() {
				t.Errorf("an event tells of a hidden issue: %v", e)
			}
		}
	}
	for _, token := range []string{r.writer, r.admin} {
		r.do(token, "PATCH", issue, `{"state":"closed"}`).refused(404, "")
		r.do(token, "DELETE", issue, ``).refused(404, "")
		r.do(token, "POST", issue+"/recover", ``).refused(404, "")
		r.do(token, "POST", issue+"/notes", `{"text":"x"}`).refused(404, "")
	}
	for _, path := range []string{box, box + "/ledger"} {
		r.do(r.reader, "GET", path, "").refused(404, "")
	}
	r.do(r.admin, "GET", box, "").want(200)
	r.do(r.trusted, "GET", box, "").want(200)
	if n := len(r.do(r.reader, "GET", "/mailboxes", "").want(200).items()); n != 1 {
		t.Errorf("a token without the mailbox lists %d", n)
	}
	if n := len(r.do(r.admin, "GET", "/mailboxes", "").want(200).items()); n != 2 {
		t.Errorf("an administrator lists %d mailboxes, want 2", n)
	}
	arrivals := "/arrivals?mailbox=" + r.private.ID.String()
	r.do(r.reader, "GET", arrivals, "").want(200).has(map[string]any{"items.0": nil})
	r.do(r.admin, "GET", arrivals, "").want(200).has(map[string]any{"items.0.id": hidden.arrival, "items.0.message_id": ""})
	r.do(r.trusted, "GET", arrivals, "").want(200).has(map[string]any{
		"items.0.id": hidden.arrival, "items.0.message_id": "b@example.org", "items.0.mailbox": r.private.ID, "items.0.folder": "INBOX",
		"items.0.uid_validity": 7, "items.0.uid": 2, "items.0.uidl": "", "items.0.state": "filed", "items.0.mail": hidden.mail, "items.0.issue": hidden.issue,
	})
	r.do(r.trusted, "GET", issue, "").want(200)
	r.do(r.trusted, "GET", "/issues?q=raise", "").want(200).has(map[string]any{"items.0.id": hidden.issue})
}

// A member that is always there and may be nothing is null, and the document says so.
func TestDocumentKnowsOfNulls(t *testing.T) {
	_, document := (&Server{}).routes()
	for name, kind := range map[string]reflect.Type{
		"Health": reflect.TypeFor[Health](), "Ledger": reflect.TypeFor[Ledger](), "Step": reflect.TypeFor[Step](), "Entry": reflect.TypeFor[Entry](),
		"Issue": reflect.TypeFor[Issue](), "Arrival": reflect.TypeFor[Arrival](), "Event": reflect.TypeFor[Event](), "Mail": reflect.TypeFor[Mail](), "User": reflect.TypeFor[User](),
	} {
		for i := range kind.NumField() {
			field := kind.Field(i)
			member, options, _ := strings.Cut(field.Tag.Get("json"), ",")
			if field.Type.Kind() != reflect.Pointer || options == "omitempty" {
				continue
			}
			text, err := json.Marshal(document.Components.Schemas.Map()[name].Properties[member])
			if err != nil || !strings.Contains(string(text), `"null"`) {
				t.Errorf("%s.%s may be null, and the document says %s, %v", name, member, text, err)
			}
		}
	}
}

func TestDocumentIsFresh(t *testing.T) {
	server := &Server{}
	_, document := server.routes()
	text, err := documentText(document)
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "openapi.json", text)
	var d struct {
		OpenAPI string `json:"openapi"`
		Paths   map[string]map[string]any
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(d.OpenAPI, "3.1") || d.Paths["/mailboxes/{id}"]["patch"] == nil {
		t.Errorf("openapi %s with %d paths", d.OpenAPI, len(d.Paths))
	}
	r := newRig(t)
	if got := r.do("", "GET", "/openapi.json", "").want(200); string(got.Body) != string(text) {
		t.Error("the document that is served is not the one that is committed")
	}
}

func TestOwnMistakesSayNothingOfTheInside(t *testing.T) {
	r := newRig(t)
	r.api.Users = nil // a call of it panics
	for range 2 {
		reply := r.do(r.admin, "GET", "/users", "").refused(500, "")
		if text := string(reply.Body); strings.Contains(text, "nil pointer") || strings.Contains(text, ".go") || reply.at("incident") == nil {
			t.Errorf("answer = %s", text)
		}
	}
	r.db.Close()
	reply := r.do(r.admin, "GET", "/issues", "").refused(500, "")
	if strings.Contains(string(reply.Body), "sql") {
		t.Errorf("answer = %s", reply.Body)
	}
}

func TestKindsHaveTheirStatus(t *testing.T) {
	for kind, status := range map[postroom.Kind]int{
		postroom.Invalid: 422, postroom.NotFound: 404, postroom.Conflict: 409, postroom.Unauthenticated: 401, postroom.Forbidden: 403,
		postroom.TooMany: 429, postroom.NeedsSignIn: 502, postroom.NeedsRepair: 502, postroom.Delayed: 503, postroom.Internal: 500,
	} {
		if got := statusOf(kind); got != status {
			t.Errorf("statusOf(%q) = %d, want %d", kind, got, status)
		}
	}
	p := problemOf(&postroom.Fault{Kind: postroom.TooMany, RetryAfter: 1500e6})
	if got := p.headers.Get("Retry-After"); got != "2" {
		t.Errorf("Retry-After = %q, want 2", got)
	}
}
