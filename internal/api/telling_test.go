package api

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

// An event is one of those that a server sends.
type event struct {
	name string
	data map[string]any
}

// told asks for events, and returns them with the content type.
func (r *rig) told(path, body string) (status int, contentType string, events []event) {
	r.t.Helper()
	request, err := http.NewRequest("POST", r.http.URL+Prefix+path, strings.NewReader(body))
	r.must(err)
	request.Header.Set("Authorization", "Bearer "+r.admin)
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "text/event-stream, application/json;q=0.5")
	answer, err := http.DefaultClient.Do(request)
	r.must(err)
	defer answer.Body.Close()
	var now event
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "event":
			now.name = value
		case "data":
			now.data = nil
			if err := json.Unmarshal([]byte(value), &now.data); err != nil {
				r.t.Errorf("event %s: %v in %s", now.name, err, value)
			}
		case "":
			events = append(events, now)
		}
	}
	_, err = io.Copy(io.Discard, answer.Body)
	r.must(err)
	return answer.StatusCode, answer.Header.Get("Content-Type"), events
}

// simulated runs a provider with both ways, and returns a mailbox of it as a draft.
func (r *rig) simulated(t *testing.T) (body string, read *simulator.Server, send *simulator.SMTPServer) {
	t.Helper()
	read, err := simulator.Start(simulator.Options{TLS: postroom.TLSImplicit})
	r.must(err)
	t.Cleanup(func() { read.Close() })
	read.AddAccount("sales@example.net", "abcdefghijklmnop")
	send, err = read.StartSMTP(simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	r.must(err)
	r.desk.Tester.Dial = nil
	at := func(address string) string {
		_, port, err := net.SplitHostPort(address)
		r.must(err)
		return `"host": "127.0.0.1", "ca_certificate": ` + strconv.Quote(read.CAPEM) + `, "port": ` + port
	}
	body = strings.Replace(contract, `"host": "imap.example.net", "port": 993`, at(read.Address()), 1)
	return strings.Replace(body, `"host": "smtp.example.net", "port": 465`, at(send.Address()), 1), read, send
}

func TestOneSideIsTestedAlone(t *testing.T) {
	r := newRig(t)
	body, _, _ := r.simulated(t)
	id := r.do(r.admin, "POST", "/mailboxes", body).want(201).at("id").(string)
	for _, side := range []string{"incoming", "outgoing"} {
		for path, body := range map[string]string{"/mailboxes/test": body, "/mailboxes/" + id + "/test": ""} {
			var all Report
			r.must(json.Unmarshal(r.do(r.admin, "POST", path+"?side="+side, body).want(200).Body, &all))
			for _, s := range all.Steps {
				if s.Side != side {
					t.Errorf("%s of %s tries %s", path, side, s.Step)
				}
			}
			if !all.OK || len(all.Steps) == 0 {
				t.Errorf("%s of %s: %+v", path, side, all)
			}
		}
	}
	r.do(r.admin, "POST", "/mailboxes/test?side=both", body).refused(422, "side")
}

func TestARoundTripIsForMailboxesThatAreRead(t *testing.T) {
	r := newRig(t)
	body, _, send := r.simulated(t)
	id := r.do(r.admin, "POST", "/mailboxes", body).want(201).at("id").(string)
	r.do(r.admin, "POST", "/mailboxes/"+id+"/roundtrip", "").refused(409, "")
	r.do(r.admin, "POST", "/mailboxes/"+id+"/roundtrip", `{"keep_issue": true}`).refused(409, "")
	r.do(r.admin, "POST", "/mailboxes/"+id+"/roundtrip", `{"keep": true}`).refused(422, "keep")
	r.do(r.writer, "POST", "/mailboxes/"+id+"/roundtrip", "").refused(403, "")
	r.do(r.admin, "POST", "/mailboxes/99/roundtrip", "").refused(404, "")
	if status, kind, _ := r.told("/mailboxes/"+id+"/roundtrip", ""); status != 409 || kind != "application/problem+json" {
		t.Errorf("it answers %d, %s", status, kind)
	}
	if n := len(send.Accepted()); n != 0 {
		t.Errorf("%d mails were sent", n)
	}
}
