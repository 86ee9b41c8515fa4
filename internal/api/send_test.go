package api

import (
	"context"
	"net"
	"strconv"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

func TestOutgoingCredentialOfItsOwn(t *testing.T) {
	r := newRig(t)
	body := strings.Replace(contract, `465,`, `465, "credential": {"kind": "app_password", "password": "wxyz wxyz wxyz wxyz"},`, 1)
	made := r.do(r.admin, "POST", "/mailboxes", body).want(201).has(map[string]any{"outgoing.host": "smtp.example.net", "outgoing.credential": nil})
	id, err := postroom.ParseID[postroom.MailboxID](made.at("id").(string))
	r.must(err)
	change := func(body string) reply {
		t.Helper()
		return r.as(r.admin, "PATCH", "/mailboxes/"+id.String(), body, "application/merge-patch+json")
	}
	want := func(what, kind, secret string) {
		t.Helper()
		if k, s, err := r.desk.OpenOutgoing(context.Background(), id); err != nil || k != kind || s.Reveal() != secret {
			t.Errorf("%s: sends with %s %q, %v, want %s %q", what, k, s.Reveal(), err, kind, secret)
		}
	}
	want("made", "app_password", "wxyz wxyz wxyz wxyz") // as it came, until one form has worked
	change(`{"outgoing":{"port":587,"tls":"starttls"}}`).want(200).has(map[string]any{"outgoing.port": 587, "outgoing.credential": nil})
	want("another port", "app_password", "wxyz wxyz wxyz wxyz")
	change(`{"outgoing":{"credential":{"kind":"password","password":"two words"}}}`).want(200).has(map[string]any{"outgoing.port": 587, "outgoing.credential": nil})
	want("replaced", "password", "two words")
	if reply := change(`{"outgoing":{"credential":{"kind":"oauth","password":"two words"}}}`).refused(422, "outgoing.credential.kind"); strings.Contains(string(reply.Body), "two words") {
		t.Errorf("the answer holds the password: %s", reply.Body)
	}
	change(`{"outgoing":{"credential":{"pass":"x"}}}`).refused(422, "outgoing.credential.pass")
	change(`{"credential":{"kind":"password","password":"to read"}}`).want(200)
	want("the mailbox's replaced", "password", "two words")
	change(`{"outgoing":{"credential":null}}`).want(200).has(map[string]any{"outgoing.port": 587})
	want("given up", "password", "to read")
	change(`{"outgoing":null}`).want(200)
	change(`{"outgoing":{"credential":{"password":"x"}}}`).refused(422, "outgoing.host")
	change(`{"outgoing":{"credential":null}}`).want(200).has(map[string]any{"outgoing": nil})
	r.do(r.admin, "POST", "/mailboxes/bulk", `{"action":"change","mailboxes":["`+id.String()+`"],"settings":{"outgoing":{"credential":{"password":"x"}}}}`).refused(422, "settings.outgoing.credential")

	line := strings.Replace(body, "Sales@", "other@", 1)
	r.do(r.admin, "POST", "/mailboxes/import", `{"mailboxes":[`+line+`]}`).want(200).has(map[string]any{"created": 1})
	r.do(r.admin, "POST", "/mailboxes/import", `{"mailboxes":[`+line+`]}`).want(200).has(map[string]any{"unchanged": 1})
	line = strings.Replace(line, "wxyz wxyz wxyz wxyz", "another", 1)
	r.do(r.admin, "POST", "/mailboxes/import", `{"mailboxes":[`+line+`]}`).want(200).has(map[string]any{"changed": 1, "results.0.changes.0": "outgoing.credential"})
	r.do(r.admin, "POST", "/mailboxes/import", `{"mailboxes":[`+line+`]}`).want(200).has(map[string]any{"unchanged": 1})
}

func TestSendTest(t *testing.T) {
	r := newRig(t)
	provider, err := simulator.Start(simulator.Options{TLS: postroom.TLSImplicit})
	r.must(err)
	defer provider.Close()
	provider.AddAccount("sales@example.net", "abcdefghijklmnop")
	server, err := provider.StartSMTP(simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	r.must(err)
	r.desk.Tester.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Address())
	}
	made := r.do(r.admin, "POST", "/mailboxes", contract).want(201)
	path := "/mailboxes/" + made.at("id").(string)
	r.as(r.admin, "PATCH", path, `{"outgoing":{"host":"localhost","ca_certificate":`+strconv.Quote(provider.CAPEM)+`}}`, "application/merge-patch+json").want(200)

	r.do(r.admin, "POST", path+"/send-test", "").want(200).has(map[string]any{"outcome": "sent", "to": "sales@example.net", "fault": nil})
	r.do(r.admin, "POST", path+"/send-test", `{"to":"anna@elsewhere.example"}`).want(200).has(map[string]any{"outcome": "sent", "to": "anna@elsewhere.example"})
	if taken := server.Accepted(); len(taken) != 2 || taken[1].To[0] != "anna@elsewhere.example" {
		t.Errorf("the server has %+v", taken)
	}
	r.do(r.admin, "POST", path+"/send-test", `{"to":"anna"}`).refused(422, "to")
	server.SetFaults("", simulator.Faults{RefuseLogin: "535 5.7.8 no"})
	r.do(r.admin, "POST", path+"/send-test", "{}").want(200).has(map[string]any{"outcome": "not_sent", "fault.class": "bad_credentials"})
	r.do(r.writer, "POST", path+"/send-test", "").want(403)
	r.do(r.admin, "POST", "/mailboxes/999/send-test", "").want(404)
	r.do(r.admin, "POST", "/mailboxes/"+r.support.ID.String()+"/send-test", "").refused(422, "outgoing")
}
