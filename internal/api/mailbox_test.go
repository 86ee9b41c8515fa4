package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

const contract = `{ "name": "Sales", "address": "Sales@example.net",
  "incoming": {"protocol": "imap", "host": "imap.example.net", "port": 993, "tls": "implicit", "username": "sales@example.net",
               "folders": ["INBOX"], "connect_timeout": "10s", "auth_timeout": "5s", "poll_interval": "1m"},
  "outgoing": {"host": "smtp.example.net", "port": 465, "tls": "implicit", "username": "sales@example.net"},
  "credential": {"kind": "app_password", "password": "abcd efgh ijkl mnop"},
  "start": "now", "after_import": "keep", "visible_to": "everyone" }`

func TestMailboxThroughItsLife(t *testing.T) {
	r := newRig(t)
	made := r.do(r.admin, "POST", "/mailboxes", contract).want(201).has(map[string]any{
		"name": "Sales", "address": "sales@example.net", "state": "draft", "start": "now", "after_import": "keep", "visible_to": "everyone",
		"incoming.protocol": "imap", "incoming.host": "imap.example.net", "incoming.port": 993, "incoming.tls": "implicit",
		"incoming.folders.0": "INBOX", "incoming.connect_timeout": "10s", "incoming.auth_timeout": "5s", "incoming.poll_interval": "1m",
		"outgoing.host": "smtp.example.net", "outgoing.port": 465, "credential": nil,
		"health.fault": nil, "health.next_try_at": nil, "health.last_arrival_at": nil,
	})
	path := "/mailboxes/" + made.at("id").(string)
	if got := made.Header.Get("Location"); got != Prefix+path {
		t.Errorf("Location = %q", got)
	}
	if since, err := time.Parse(time.RFC3339, made.at("health.since").(string)); err != nil || time.Since(since) > time.Minute {
		t.Errorf("since %v, %v", since, err)
	}
	r.do(r.admin, "POST", "/mailboxes", contract).refused(409, "address")
	r.do(r.admin, "GET", path, "").want(200).has(map[string]any{"name": "Sales"})
	r.do(r.admin, "GET", "/mailboxes?state=draft", "").want(200).has(map[string]any{"items.0.name": "Sales", "items.1": nil})
	r.do(r.admin, "POST", path+"/pause", "").want(200).has(map[string]any{"state": "paused"})
	if state := r.do(r.admin, "POST", path+"/resume", "").want(200).at("state"); state == "paused" {
		t.Errorf("state after resume = %v", state)
	}
	r.do(r.admin, "DELETE", path, "").refused(422, "issues")
	r.do(r.admin, "DELETE", path+"?issues=some", "").refused(422, "issues")
	r.do(r.admin, "DELETE", path+"?issues=keep", "").want(204)
	r.do(r.admin, "GET", path, "").refused(404, "")
	r.do(r.admin, "DELETE", path+"?issues=keep", "").refused(404, "")
}

func TestSettingsThatCannotBeUsedNameTheirField(t *testing.T) {
	r := newRig(t)
	tests := map[string]struct {
		from, to string // replaced in the contract's example
		field    string
	}{
		"an unknown field":        {`"name":`, `"nickname": "x", "name":`, "nickname"},
		"an unknown field within": {`"port": 993`, `"prot": 993`, "incoming.prot"},
		"no address":              {`"address": "Sales@example.net",`, ``, "address"},
		"no e-mail address":       {`Sales@example.net`, `sales`, "address"},
		"another protocol":        {`"imap", "host"`, `"jmap", "host"`, "incoming.protocol"},
		"folders by pop3": {`"imap", "host": "imap.example.net", "port": 993, "tls": "implicit", "username": "sales@example.net",
               "folders": ["INBOX"]`, `"pop3", "host": "pop.example.net", "folders": ["Done"]`, "incoming.folders"},
		"marking by pop3":              {`"imap", "host": "imap.example.net"`, `"pop3", "host": "pop.example.net"`, "after_import"},
		"moving to nowhere":            {`"keep"`, `"move"`, "move_to"},
		"moving to where it is":        {`"keep"`, `"move", "move_to": "inbox"`, "move_to"},
		"burning":                      {`"keep"`, `"burn"`, "after_import"},
		"kept for less than ever":      {`"start": "now"`, `"raw_retention_days": -1, "start": "now"`, "raw_retention_days"},
		"kept in words":                {`"start": "now"`, `"raw_retention_days": "x", "start": "now"`, "raw_retention_days"},
		"a password besides a sign-in": {`"app_password"`, `"oauth"`, "credential.password"},
		"no password":                  {`, "password": "abcd efgh ijkl mnop"`, ``, "credential.password"},
		"no host":                      {`"host": "imap.example.net", `, ``, "incoming.host"},
		"a port that is none":          {`993`, `99300`, "incoming.port"},
		"a port in words":              {`993`, `"993"`, "incoming.port"},
		"no encryption to far away":    {`"implicit", "username"`, `"none", "username"`, "incoming.tls"},
		"a time that is none":          {`"10s"`, `"10"`, "incoming.connect_timeout"},
		"a time that is negative":      {`"5s"`, `"-5s"`, "incoming.auth_timeout"},
		"a time that is too short":     {`"1m"`, `"10ms"`, "incoming.poll_interval"},
		"a start that is none":         {`"start": "now"`, `"start": "soon"`, "start"},
		"a start to come":              {`"start": "now"`, `"start": "2999-01-01T00:00:00Z"`, "start"},
		"visible to somebody":          {`"everyone"`, `"somebody"`, "visible_to"},
		"visible to a stranger":        {`"everyone"`, `["99"]`, "visible_to"},
		"visible to a name":            {`"everyone"`, `["Ben"]`, "visible_to"},
		"for the owner that is nobody": {`"everyone"`, `"owner"`, "visible_to"},
		"a stranger as owner":          {`"start": "now"`, `"owner": "99", "start": "now"`, "owner"},
		"a credential to send, empty":  {`465,`, `465, "credential": {"password": " "},`, "outgoing.credential.password"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if !strings.Contains(contract, test.from) {
				t.Fatalf("nothing to replace")
			}
			body := strings.Replace(contract, test.from, test.to, 1)
			if strings.Contains(name, "marking") {
				body = strings.Replace(body, `"keep"`, `"mark_read"`, 1)
			}
			for _, path := range []string{"/mailboxes", "/mailboxes/test"} {
				reply := r.do(r.admin, "POST", path, body)
				reply.t = t
				reply.refused(422, test.field)
			}
		})
	}
	found := `{"address":"a@example.net","credential":{"password":"` + secret + `"}}`
	r.do(r.admin, "POST", "/mailboxes", found).refused(422, "incoming.host") // nobody looks for servers here
}

func TestMergePatch(t *testing.T) {
	r := newRig(t)
	made := r.do(r.admin, "POST", "/mailboxes", contract).want(201)
	path := "/mailboxes/" + made.at("id").(string)
	change := func(body string) reply {
		t.Helper()
		return r.as(r.admin, "PATCH", path, body, "application/merge-patch+json")
	}

	change(`{"name":"Sales team"}`).want(200).has(map[string]any{"name": "Sales team", "incoming.host": "imap.example.net", "outgoing.port": 465})
	change(`{"incoming":{"port":1993,"folders":["INBOX","Done"],"poll_interval":"90s"}}`).want(200).
		has(map[string]any{"incoming.port": 1993, "incoming.host": "imap.example.net", "incoming.folders.1": "Done", "incoming.poll_interval": "1m30s", "incoming.tls": "implicit"})
	change(`{"incoming":{"port":null,"folders":null,"poll_interval":null}}`).want(200).
		has(map[string]any{"incoming.port": 993, "incoming.folders.0": "INBOX", "incoming.folders.1": nil, "incoming.poll_interval": "1m"})
	change(`{"outgoing":{"host":"mail.example.net","ca_certificate":null}}`).want(200).has(map[string]any{"outgoing.host": "mail.example.net", "outgoing.port": 465})
	change(`{"outgoing":null}`).want(200).has(map[string]any{"outgoing": nil})
	change(`{"outgoing":{"host":"smtp.example.net","username":null}}`).want(200).has(map[string]any{"outgoing.host": "smtp.example.net"})
	change(`{"visible_to":["` + r.ben.ID.String() + `"],"owner":"` + r.ana.ID.String() + `"}`).want(200).has(map[string]any{"visible_to.0": r.ben.ID, "owner": r.ana.ID})
	change(`{"visible_to":"owner"}`).want(200).has(map[string]any{"visible_to": "owner"})
	change(`{"visible_to":null,"owner":null}`).want(200).has(map[string]any{"visible_to": "everyone", "owner": nil})
	change(`{"after_import":"move","move_to":"Done","raw_retention_days":90}`).want(200).has(map[string]any{"after_import": "move", "move_to": "Done", "raw_retention_days": 90})
	change(`{"after_import":null,"raw_retention_days":null}`).want(200).has(map[string]any{"after_import": "keep", "move_to": nil, "raw_retention_days": 0})
	change(`{"incoming":{"protocol":"pop3","host":"pop.example.net"}}`).want(200).has(map[string]any{"incoming.protocol": "pop3", "incoming.port": 995, "incoming.username": "sales@example.net"})
	change(`{"incoming":{"protocol":"imap","host":"imap.example.net","port":1993}}`).want(200).has(map[string]any{"incoming.protocol": "imap", "incoming.port": 1993})
	change(`{"incoming":{"protocol":null,"port":null}}`).want(200).has(map[string]any{"incoming.protocol": "imap", "incoming.port": 993})
	change(`{"start":"2026-01-02T03:04:05Z"}`).want(200).has(map[string]any{"start": "2026-01-02T03:04:05Z"})
	change(`{"start":"all"}`).want(200).has(map[string]any{"start": "all"})
	change(`{"credential":{"password":"qrst uvwx abcd efgh"}}`).want(200)
	r.do(r.admin, "PATCH", path, `{"name":"Plain JSON"}`).want(200).has(map[string]any{"name": "Plain JSON"})
	change(`{}`).want(200).has(map[string]any{"name": "Plain JSON"})
	change(`{"name":null}`).want(200).has(map[string]any{"name": "sales@example.net"})

	for body, field := range map[string]string{
		`{"nickname":"x"}`:                     "nickname",
		`{"incoming":{"prot":1}}`:              "incoming.prot",
		`{"state":"active"}`:                   "state",
		`{"id":"7"}`:                           "id",
		`{"address":null}`:                     "address",
		`{"incoming":null}`:                    "incoming.host",
		`{"incoming":"imap"}`:                  "incoming",
		`{"incoming":{"protocol":"jmap"}}`:     "incoming.protocol",
		`{"after_import":"move"}`:              "move_to",
		`{"raw_retention_days":40000}`:         "raw_retention_days",
		`{"credential":null}`:                  "credential",
		`{"credential":{"secret":"x"}}`:        "credential.secret",
		`{"credential":{"kind":"oauth"}}`:      "credential",
		`{"credential":"abcd efgh ijkl mnop"}`: "credential",
		`{"address":"support@example.net"}`:    "address",
	} {
		reply := change(body)
		status := 422
		if strings.Contains(body, "support@") {
			status = 409
		}
		reply.refused(status, field)
	}
	change(`[]`).refused(422, "")
	change(`"x"`).refused(422, "")
	change(`{`).refused(400, "")
	r.do(r.admin, "PATCH", "/mailboxes/99", `{"name":"x"}`).refused(404, "")
	r.do(r.admin, "GET", path, "").want(200).has(map[string]any{"name": "sales@example.net", "address": "sales@example.net", "incoming.protocol": "imap"})
}

func TestMerged(t *testing.T) { // the cases of RFC 7396, appendix A
	object := func(pairs ...any) map[string]any {
		m := make(map[string]any)
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i].(string)] = pairs[i+1]
		}
		return m
	}
	tests := []struct{ document, patch, want any }{
		{object("a", "b"), object("a", "c"), object("a", "c")},
		{object("a", "b"), object("b", "c"), object("a", "b", "b", "c")},
		{object("a", "b"), object("a", nil), object()},
		{object("a", "b", "b", "c"), object("a", nil), object("b", "c")},
		{object("a", []any{"b"}), object("a", "c"), object("a", "c")},
		{object("a", "c"), object("a", []any{"b"}), object("a", []any{"b"})},
		{object("a", object("b", "c")), object("a", object("b", "d", "c", nil)), object("a", object("b", "d"))},
		{[]any{"a", "b"}, []any{"c", "d"}, []any{"c", "d"}},
		{object("a", "b"), []any{"c"}, []any{"c"}},
		{object("a", "foo"), nil, nil},
		{object("e", nil), object("a", 1), object("e", nil, "a", 1)},
		{[]any{1, 2}, object("a", "b", "c", nil), object("a", "b")},
		{object(), object("a", object("bb", object("ccc", nil))), object("a", object("bb", object()))},
	}
	for _, test := range tests {
		if got := merged(test.document, test.patch); fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("merged(%v, %v) = %v, want %v", test.document, test.patch, got, test.want)
		}
	}
}

func TestLedgerSaysWhereEverythingWent(t *testing.T) {
	r := newRig(t)
	b := r.bring(r.support, letter("a", "Printer", "fire"))
	r.bring(r.support, letter("a", "Printer", "fire"))
	path := "/mailboxes/" + r.support.ID.String() + "/ledger"
	r.must(r.db.RecordComparison(context.Background(), r.fences[r.support.ID], store.Comparison{
		OnServer: 3, Gone: 0, Arrivals: 2,
		Unaccounted: []store.UnaccountedName{{Folder: "INBOX", UIDValidity: 7, UID: 9}},
	}))
	r.do(r.reader, "GET", path, "").want(200).has(map[string]any{
		"filed": 1, "duplicate": 1, "ignored": 0, "before_start": 0, "vanished": 0, "quarantined": 0, "waiting": 0, "deleted": 0,
		"on_server": 3, "gone": 0, "balanced": false, "fault": nil, "incomplete.0": nil,
		"unaccounted.0.folder": "INBOX", "unaccounted.0.uid_validity": 7, "unaccounted.0.uid": 9,
	})
	r.do(r.admin, "POST", "/mailboxes/"+r.private.ID.String()+"/pause", "").want(200)
	unreached := r.do(r.admin, "GET", "/mailboxes/"+r.private.ID.String()+"/ledger", "").want(200).
		has(map[string]any{"on_server": nil, "balanced": nil, "filed": 0, "compared_at": nil, "fault.fix_by": "app_admin"})
	if !strings.Contains(string(unreached.Body), `"unaccounted":[],"incomplete":[]`) {
		t.Errorf("ledger = %s", unreached.Body)
	}
	r.must(r.db.Settle(context.Background(), r.fences[r.support.ID], nil, postroom.ArrivalQuarantined, "x"))
	r.do(r.reader, "GET", "/arrivals?state=duplicate", "").want(200).has(map[string]any{"items.0.filed_at": nil, "items.0.state": "duplicate"})
	first := r.do(r.reader, "GET", "/arrivals?state=filed", "").want(200).has(map[string]any{"items.0.id": b.arrival, "items.1": nil})
	if first.at("items.0.filed_at") == nil || first.at("items.0.seen_at") == nil {
		t.Errorf("arrival = %s", first.Body)
	}
}

func TestQuarantinedArrivalIsTriedAgain(t *testing.T) {
	r := newRig(t)
	ctx := context.Background()
	f, n := r.fences[r.support.ID], r.numberings[r.support.ID]
	r.must(r.db.BookNames(ctx, f, n, []store.Listed{{Name: postroom.Name{UID: 5}, State: postroom.ArrivalWaiting}}, 5))
	wanted, err := r.db.WantedArrivals(ctx, n.ID, 0, 1)
	r.must(err)
	r.must(r.db.Settle(ctx, f, []postroom.ArrivalID{wanted[0].ID}, postroom.ArrivalQuarantined, "The server will not give it."))
	r.do(r.reader, "GET", "/arrivals?state=quarantined", "").want(200).has(map[string]any{"items.0.reason": "The server will not give it.", "items.0.mail": nil, "items.0.issue": nil})
	r.do(r.admin, "POST", "/arrivals/"+wanted[0].ID.String()+"/retry", "").want(200).has(map[string]any{"state": "waiting"})
}

func TestReportSaysWhichStepFailed(t *testing.T) {
	r := newRig(t)
	body := strings.Replace(contract, "imap.example.net", "127.0.0.1", 1)
	for _, path := range []string{"/mailboxes/test", ""} {
		if path == "" {
			made := r.do(r.admin, "POST", "/mailboxes", body).want(201)
			path, body = "/mailboxes/"+made.at("id").(string)+"/test", ""
		}
		report := r.do(r.admin, "POST", path, body).want(200).has(map[string]any{"ok": false})
		steps := report.at("steps").([]any)
		first := steps[0].(map[string]any) // the incoming server's only one; the outgoing server's follow
		if first["ok"] != false || first["step"] != "connection" || first["fault"] == nil || first["milliseconds"] == nil || len(steps) < 2 {
			t.Errorf("report = %s", report.Body)
		}
	}
	r.do(r.admin, "POST", "/mailboxes/99/test", "").refused(404, "")
	if list := r.do(r.admin, "GET", "/mailboxes?q=sales", "").want(200).items(); len(list) != 1 {
		t.Errorf("a test of a draft kept something: %v", list)
	}
}
