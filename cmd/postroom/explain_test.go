package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// explainDir writes files into a directory and explains it as JSON.
func explainDir(t *testing.T, files map[string]string) (lines []explanation, err error) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var out strings.Builder
	err = explain(&out, []string{dir}, true)
	for line := range strings.Lines(out.String()) {
		var e explanation
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%q is no JSON: %v", line, err)
		}
		lines = append(lines, e)
	}
	return lines, err
}

func TestExplainJSON(t *testing.T) {
	lines, err := explainDir(t, map[string]string{
		"b/reply.eml": "From: Bob <bob@example.com>\nMessage-ID: <2@b>\nIn-Reply-To: <1@a>\nSubject: Re: x\n\nYes.\n\nOn Monday, Ann wrote:\n> Is it?\n",
		"a/root.eml":  "From: =?utf-8?q?Ann_D=C3=B6?= <ann@example.net>\nTo: desk@example.org\nDate: Fri, 20 Nov 2026 10:00:00 +0100\nMessage-ID: <1@a>\nSubject: x\nContent-Type: multipart/mixed; boundary=z\n\n--z\n\nIs it?\n--z\nContent-Type: image/png; name=p.png\nContent-Transfer-Encoding: base64\n\nAAAA\n--z--\n",
		"c/other.eml": "From: carol@example.org\nMessage-ID: <9@c>\nAuto-Submitted: auto-replied\n\nAway.\n",
		"d/body.txt":  "New.\n\nOn Monday, Ann wrote:\n> Old.\n",
		"d/body.html": "<p>New.</p><blockquote>Old.</blockquote>",
		"d/mail":      "Received: from a by b; Fri, 20 Nov 2026 10:00:00 +0100\nSubject: no ending\n\ntext\n",
		"notes.json":  "{}",
		"README":      "This is no message.\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]explanation{}
	var ids []string
	for _, e := range lines {
		ids = append(ids, e.ID)
		byID[e.ID+"/"+e.ReplyText] = e
		byID[e.ID] = e
	}
	if got, want := strings.Join(ids, " "), "root reply other body body mail"; got != want {
		t.Errorf("the files explained are %s, want %s", got, want)
	}
	root, reply, other := byID["root"], byID["reply"], byID["other"]
	if root.From[0] != (explainedAddress{"Ann Dö", "ann@example.net"}) || root.Date != "2026-11-20T09:00:00Z" || root.MessageID != "1@a" || root.Class != "human" {
		t.Errorf("root is %+v", root)
	}
	if len(root.Attachments) != 1 || root.Attachments[0].Name != "p.png" || root.Attachments[0].Size != 3 || len(root.Attachments[0].SHA256) != 64 {
		t.Errorf("the attachments of root are %+v", root.Attachments)
	}
	if reply.ReplyText != "Yes." || !strings.Contains(reply.Text, "Is it?") {
		t.Errorf("the new text of reply is %q, its text %q", reply.ReplyText, reply.Text)
	}
	if root.Thread == "" || root.Thread != reply.Thread || root.Thread == other.Thread {
		t.Errorf("the threads are %q, %q and %q, want the first two to be one", root.Thread, reply.Thread, other.Thread)
	}
	if !other.IsAutoReply || !other.IsAutomatic || other.Class != "auto-reply" {
		t.Errorf("other is %+v, want an automatic reply", other)
	}
	if _, ok := byID["body/New."]; !ok {
		t.Errorf("the bodies are %+v, want the new text of each", lines)
	}
}

func TestExplainGoesOnAfterAFileThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good.eml")
	if err := os.WriteFile(good, []byte("Subject: here\n\ntext\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	err := explain(&out, []string{filepath.Join(dir, "missing.eml"), good}, true)
	if err == nil || !strings.Contains(err.Error(), "1 of 2") {
		t.Errorf("the error is %v, want one that counts", err)
	}
	if text := out.String(); !strings.Contains(text, `"error":`) || !strings.Contains(text, `"subject":"here"`) {
		t.Errorf("the output is %s, want a line for each file", text)
	}
}

func TestExplainForPeople(t *testing.T) {
	file := filepath.Join(t.TempDir(), "m.eml")
	if err := os.WriteFile(file, []byte("From: Ann <ann@example.net>\nSubject: Invoice\n\nHello.\n\nOn Monday, Bob wrote:\n> Old.\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if err := explain(&out, []string{file}, false); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"subject      Invoice", "from         Ann <ann@example.net>", "kind         person. Nothing says", "| Hello."} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output is\n%s\nwant it to say %q", out.String(), want)
		}
	}
}
