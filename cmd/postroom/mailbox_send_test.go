package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/simulator"
)

func TestMailboxThatSendsFromTheCommandLine(t *testing.T) {
	provider, err := simulator.Start(simulator.Options{TLS: postroom.TLSImplicit})
	if err != nil {
		t.Fatal(err)
	}
	defer provider.Close()
	provider.AddAccount("support@example.net", "to read")
	provider.AddAccount("relay", "to send")
	server, err := provider.StartSMTP(simulator.SMTPOptions{TLS: postroom.TLSImplicit})
	if err != nil {
		t.Fatal(err)
	}
	data, ca := t.TempDir(), filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, []byte(provider.CAPEM), 0o600); err != nil {
		t.Fatal(err)
	}
	s := say(t, "to read\nto send\n", "mailbox", "add", "support@example.net", "--data", data, "--imap", provider.Address(), "--ca-certificate", ca, "--password-stdin",
		"--smtp", server.Address(), "--smtp-tls", "implicit", "--smtp-username", "relay", "--smtp-password")
	wantWords(t, s, exitGood, "✓ Sign in", "✓ Sign in for sending", "relay (PLAIN)", "It takes mail from support@example.net. Nothing was sent.", "works and is kept")
	wantWords(t, say(t, "", "mailbox", "show", "support@example.net", "--data", data), exitGood, "by 127.0.0.1, port", "as relay")

	wantWords(t, say(t, "", "mailbox", "send-test", "support@example.net", "--data", data), exitGood, "✓ 127.0.0.1 has taken the mail for support@example.net", "The server said: 250")
	var report struct{ Outcome, To string }
	if err := json.Unmarshal([]byte(mustSay(t, "", "mailbox", "send-test", "support@example.net", "--to", "anna@elsewhere.example", "--data", data, "--json")), &report); err != nil || report.Outcome != "sent" || report.To != "anna@elsewhere.example" {
		t.Errorf("report %+v, %v", report, err)
	}
	wantWords(t, say(t, "", "mailbox", "send-test", "support@example.net", "--to", "anna", "--data", data), exitFailed, "cannot be a mail address")
	if taken := server.Accepted(); len(taken) != 2 || taken[0].User != "relay" {
		t.Errorf("the server has %+v", taken)
	}

	s = say(t, "wrong\n", "mailbox", "change", "support@example.net", "--data", data, "--smtp-password", "--password-stdin")
	wantWords(t, s, exitFailed, "✓ Sign in ", "✕ Sign in for sending", "refused this password")
	if strings.Contains(s.out+s.err, "wrong") {
		t.Errorf("the password is printed: %s%s", s.out, s.err)
	}
	wantWords(t, say(t, "", "mailbox", "send-test", "support@example.net", "--data", data), exitFailed, "refused this password")
}
