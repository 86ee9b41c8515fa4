package api

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/simulator"
)

func TestATestIsToldWhole(t *testing.T) {
	r := newRig(t)
	body, _, _ := r.simulated(t)
	report := r.do(r.admin, "POST", "/mailboxes/test", body).want(200).has(map[string]any{
		"ok": true, "steps.0.step": "connection", "steps.0.side": "incoming", "steps.0.fault": nil, "steps.0.running": nil,
		"folders.0.name": "INBOX", "advice.0": nil, "dialogue.0.side": "incoming", "dialogue.0.direction": "S",
	})
	if got := report.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type = %q", got)
	}
	if strings.Contains(string(report.Body), "abcdefghijklmnop") || strings.Contains(string(report.Body), "abcd efgh") {
		t.Errorf("the report holds the password: %s", report.Body)
	}
	var all Report
	r.must(json.Unmarshal(report.Body, &all))
	sides, certificates := map[string]int{}, 0
	for _, s := range all.Steps {
		sides[s.Side]++
		if c := s.Certificate; c != nil {
			certificates++
			if len(c.SHA256) != 64 || len(c.Names) == 0 || c.NotAfter.Before(c.NotBefore) {
				t.Errorf("the certificate of %s is %+v", s.Step, c)
			}
		}
	}
	if sides["incoming"] == 0 || sides["outgoing"] == 0 || certificates != 2 {
		t.Errorf("sides %v, %d certificates", sides, certificates)
	}
}

func TestATestIsToldStepByStep(t *testing.T) {
	r := newRig(t)
	body, read, _ := r.simulated(t)
	id := r.do(r.admin, "POST", "/mailboxes", body).want(201).at("id").(string)
	for path, body := range map[string]string{"/mailboxes/test": body, "/mailboxes/" + id + "/test": ""} {
		status, kind, events := r.told(path, body)
		if status != 200 || kind != "text/event-stream" || len(events) < 10 {
			t.Fatalf("%s answers %d, %s with %d events", path, status, kind, len(events))
		}
		last := events[len(events)-1]
		if last.name != "result" || last.data["ok"] != true {
			t.Errorf("%s ends with %s %v", path, last.name, last.data)
		}
		begun, through := map[any]bool{}, map[any]bool{}
		for _, e := range events[:len(events)-1] {
			if e.name != "step" {
				t.Errorf("%s has an event %s", path, e.name)
			}
			if e.data["running"] == true {
				begun[e.data["step"]] = true
			} else {
				through[e.data["step"]] = true
			}
		}
		for _, s := range last.data["steps"].([]any) {
			if step := s.(map[string]any)["step"]; !begun[step] || !through[step] {
				t.Errorf("%s: step %v was told as begun: %v, as through: %v", path, step, begun[step], through[step])
			}
		}
	}
	// What goes wrong before anything is told is a problem as everywhere.
	if status, kind, _ := r.told("/mailboxes/test", `{"address": "x"}`); status != 422 || kind != "application/problem+json" {
		t.Errorf("a draft of nothing answers %d, %s", status, kind)
	}
	if status, _, _ := r.told("/mailboxes/99/test", ""); status != 404 {
		t.Errorf("a mailbox that is not there answers %d", status)
	}
	read.SetFaults("", simulator.Faults{RefuseLogin: "NO [AUTHENTICATIONFAILED] Invalid credentials"})
	_, _, events := r.told("/mailboxes/"+id+"/test?side=incoming", "")
	if last := events[len(events)-1]; last.name != "result" || last.data["ok"] != false {
		t.Errorf("a refusal ends with %s %v", last.name, last.data)
	}
}
