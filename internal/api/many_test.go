package api

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/postroom/postroom"
)

func TestRemovedMailboxIsTakenUpAgain(t *testing.T) {
	r := newRig(t)
	r.bring(r.support, letter("a", "Printer", "fire"))
	id := r.support.ID.String()
	r.do(r.admin, "GET", "/mailboxes/former?address=support@example.net", "").refused(404, "")
	r.do(r.admin, "DELETE", "/mailboxes/"+id+"?issues=keep", "").want(204)
	former := r.do(r.admin, "GET", "/mailboxes/former?address=Support@Example.net", "").want(200).
		has(map[string]any{"id": id, "address": "support@example.net", "arrivals": 1, "issues": 1})
	if former.at("removed_at") == nil {
		t.Errorf("former = %s", former.Body)
	}
	r.do(r.admin, "GET", "/mailboxes/former", "").refused(422, "address")
	r.do(r.admin, "GET", "/mailboxes/former?address=x", "").refused(422, "address")
	r.do(r.writer, "GET", "/mailboxes/former?address=support@example.net", "").refused(403, "")

	body := `{"address":"support@example.net","incoming":{"host":"imap.example.net"},"credential":{"password":"` + secret + `"}%s}`
	r.do(r.admin, "POST", "/mailboxes", fmt.Sprintf(body, `,"former":"never"`)).refused(422, "former")
	r.do(r.admin, "POST", "/mailboxes", fmt.Sprintf(body, "")).want(201).has(map[string]any{"id": id, "continued": true, "state": "draft"})
	r.do(r.admin, "GET", "/issues?mailbox="+id, "").want(200).has(map[string]any{"items.0.subject": "Printer"})
	r.do(r.admin, "GET", "/mailboxes/former?address=support@example.net", "").refused(404, "")
	r.do(r.admin, "DELETE", "/mailboxes/"+id+"?issues=keep", "").want(204)
	made := r.do(r.admin, "POST", "/mailboxes", fmt.Sprintf(body, `,"former":"new"`)).want(201).has(map[string]any{"continued": false})
	if made.at("id") == id {
		t.Errorf("new is the former one: %s", made.Body)
	}
}

func TestTheSameForManyMailboxes(t *testing.T) {
	r := newRig(t)
	ids := `"` + r.support.ID.String() + `","99","` + r.private.ID.String() + `","` + r.support.ID.String() + `"`
	bulk := func(rest string) reply {
		t.Helper()
		return r.do(r.admin, "POST", "/mailboxes/bulk", `{"mailboxes":[`+ids+`],`+rest+`}`)
	}
	bulk(`"action":"pause"`).want(200).has(map[string]any{
		"results.0.id": r.support.ID, "results.0.ok": true, "results.0.mailbox.state": "paused", "results.0.fault": nil,
		"results.1.id": "99", "results.1.ok": false, "results.1.mailbox": nil,
		"results.2.id": r.private.ID, "results.2.mailbox.state": "paused", "results.3": nil,
	})
	if text := fmt.Sprint(bulk(`"action":"resume"`).want(200).has(map[string]any{"results.0.ok": true}).at("results.1.fault.explanation")); !strings.Contains(text, "not here") {
		t.Errorf("an unknown mailbox: %q", text)
	}
	bulk(`"action":"change","settings":{"incoming":{"poll_interval":"5m"},"after_import":"mark_read"}`).want(200).has(map[string]any{
		"results.0.mailbox.incoming.poll_interval": "5m", "results.0.mailbox.after_import": "mark_read", "results.0.mailbox.name": "Support",
		"results.2.mailbox.incoming.poll_interval": "5m", "results.2.mailbox.name": "Private",
	})
	bulk(`"action":"change","settings":{"after_import":"move"}`).want(200).
		has(map[string]any{"results.0.ok": false, "results.0.fault.field": "move_to", "results.0.mailbox.after_import": "mark_read"})
	bulk(`"action":"test"`).want(200).has(map[string]any{
		"results.0.ok": false, "results.0.report.ok": false, "results.0.report.steps.0.step": "name", "results.0.fault.class": "dns", "results.1.report": nil,
	})

	bulk(`"action":"remove"`).refused(422, "action")
	bulk(`"action":"pause","settings":{"name":"x"}`).refused(422, "settings")
	bulk(`"action":"change"`).refused(422, "settings")
	bulk(`"action":"change","settings":{}`).refused(422, "settings")
	bulk(`"action":"change","settings":{"address":"a@example.net"}`).refused(422, "settings.address")
	bulk(`"action":"change","settings":{"credential":{"password":"`+secret+`"}}`).refused(422, "settings.credential")
	r.do(r.admin, "POST", "/mailboxes/bulk", `{"mailboxes":[],"action":"pause"}`).refused(422, "mailboxes")
	r.do(r.admin, "POST", "/mailboxes/bulk", `{"mailboxes":["x"],"action":"pause"}`).refused(422, "mailboxes")
	r.do(r.writer, "POST", "/mailboxes/bulk", `{"mailboxes":["1"],"action":"pause"}`).refused(403, "")
	var many []string
	for i := range 501 {
		many = append(many, fmt.Sprintf(`"%d"`, i+1))
	}
	r.do(r.admin, "POST", "/mailboxes/bulk", `{"mailboxes":[`+strings.Join(many, ",")+`],"action":"pause"}`).refused(422, "mailboxes")
}

func TestNumbersThatNoFieldHoldsAreNoMistakeOfOurs(t *testing.T) {
	r := newRig(t)
	path := "/mailboxes/" + r.support.ID.String()
	mailbox := `{"address":"new@example.net","incoming":{"host":"imap.example.net"},"credential":{"password":"` + secret + `"},"raw_retention_days":%s}`
	r.do(r.admin, "PATCH", path, `{"raw_retention_days":1e30}`).refused(422, "raw_retention_days")
	r.do(r.admin, "POST", "/mailboxes", fmt.Sprintf(mailbox, "1e30")).refused(422, "raw_retention_days")
	line := func(m string) reply {
		return r.do(r.admin, "POST", "/mailboxes/import", `{"dry_run":true,"mailboxes":[`+m+`]}`).want(200)
	}
	line(fmt.Sprintf(mailbox, "1e30")).has(map[string]any{"failed": 1, "results.0.fault.field": "raw_retention_days"})
	line(fmt.Sprintf(mailbox, "7.0")).has(map[string]any{"failed": 0, "results.0.result": "created"})
	said := line(`{"address":5}`).has(map[string]any{"failed": 1, "results.0.fault.field": "address"})
	if text := fmt.Sprint(said.at("results.0.fault.explanation")); strings.Contains(text, "missing") {
		t.Errorf("an address that is a number: %q", text)
	}
}

func TestImportSaysWhatBecameOfEach(t *testing.T) {
	r := newRig(t)
	one := func(address, rest string) string {
		return `{"address":"` + address + `","incoming":{"host":"imap.example.net"},"credential":{"password":"` + secret + `"}` + rest + `}`
	}
	lines := []string{
		one("a@example.net", `,"start":"all"`),
		one("b@example.net", `,"incoming":{"protocol":"pop3","host":"pop.example.net"}`),
		one("not an address", ""),
		one("c@example.net", `,"start":"soon"`),
		one("A@example.net", ""),
		one("d@example.net", `,"nickname":"x"`),
		one("e@example.net", `,"former":7`),
		`{"address":"f@example.net","incoming":{"host":"imap.example.net"}}`,
		`{"address":"g@example.net","incoming":{"host":"imap.example.net"},"credential":"` + secret + `"}`,
		`{"address":"support@example.net","name":"Help"}`,
		`{}`,
	}
	body := func(dry bool) string {
		return fmt.Sprintf(`{"dry_run":%v,"mailboxes":[%s]}`, dry, strings.Join(lines, ","))
	}
	want := map[string]any{
		"results.0.result": "created", "results.0.address": "a@example.net", "results.0.fault": nil,
		"results.1.result": "created", "results.1.address": "b@example.net",
		"results.2.result": "failed", "results.2.fault.field": "address",
		"results.3.result": "failed", "results.3.fault.field": "start",
		"results.4.result": "failed", "results.4.fault.field": "address", "results.4.address": "a@example.net",
		"results.5.result": "failed", "results.5.fault.field": "nickname",
		"results.6.result": "failed", "results.6.fault.field": "former",
		"results.7.result": "failed", "results.7.fault.field": "credential.password",
		"results.8.result": "failed", "results.8.fault.field": "credential",
		"results.9.result": "changed", "results.9.id": r.support.ID, "results.9.changes.0": "name", "results.9.changes.1": nil,
		"results.10.result": "failed", "results.10.fault.field": "address",
		"created": 2, "changed": 1, "failed": 8, "unchanged": 0, "continued": 0,
	}
	r.do(r.admin, "POST", "/mailboxes/import", body(true)).want(200).has(want).has(map[string]any{"dry_run": true, "results.0.id": nil})
	if list := r.do(r.admin, "GET", "/mailboxes", "").want(200).items(); len(list) != 2 {
		t.Fatalf("a dry run kept something: %d mailboxes", len(list))
	}
	done := r.do(r.admin, "POST", "/mailboxes/import", body(false)).want(200).has(want).has(map[string]any{"dry_run": false})
	if id, ok := done.at("results.0.id").(string); !ok {
		t.Errorf("no id in %s", done.Body)
	} else {
		r.do(r.admin, "GET", "/mailboxes/"+id, "").want(200).has(map[string]any{"start": "all", "address": "a@example.net", "state": "draft"})
	}
	again := map[string]any{"results.0.result": "unchanged", "results.1.result": "unchanged", "results.9.result": "unchanged", "created": 0, "unchanged": 3, "failed": 8}
	r.do(r.admin, "POST", "/mailboxes/import", body(false)).want(200).has(again)

	lines = []string{
		`{"address":"a@example.net","credential":{"password":"qrst uvwx yzab cdef"}}`,
		`{"address":"b@example.net","incoming":{"protocol":"imap","host":"imap.example.net"}}`,
	}
	r.do(r.admin, "POST", "/mailboxes/import", body(false)).want(200).has(map[string]any{
		"results.0.result": "changed", "results.0.changes.0": "credential", "results.0.changes.1": nil,
		"results.1.result": "changed", "results.1.changes.0": "incoming.protocol", "results.1.changes.1": "incoming.host", "results.1.changes.2": "incoming.port",
	})
	r.do(r.admin, "DELETE", "/mailboxes/"+r.support.ID.String()+"?issues=keep", "").want(204)
	lines = []string{one("support@example.net", ""), one("h@example.net", `,"former":"new"`)}
	r.do(r.admin, "POST", "/mailboxes/import", body(true)).want(200).has(map[string]any{"results.0.result": "continued", "results.0.id": r.support.ID, "results.1.result": "created"})
	r.do(r.admin, "POST", "/mailboxes/import", body(false)).want(200).has(map[string]any{"results.0.result": "continued", "continued": 1, "created": 1})

	r.do(r.writer, "POST", "/mailboxes/import", body(true)).refused(403, "")
	if m, err := r.db.MailboxByAddress(context.Background(), "support@example.net"); err != nil || m.ID != r.support.ID || m.State != postroom.MailboxDraft {
		t.Errorf("support@ is %+v, %v", m, err)
	}
}
