package main

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
)

func TestAListFromThePagesIsReadAsByTheCommand(t *testing.T) {
	read := importReader(&api.Server{})
	lines, err := read(t.Context(), []byte("address;host;port;password;folders;poll_interval;raw_retention_days\n"+
		"support@example.net;imap.example.net;143; blanks stay ;INBOX|Orders;2m;30\n"+
		"info@example.net;imap.example.net;many;secret words;;;\n"))
	if err != nil || len(lines) != 2 {
		t.Fatalf("read = %v, %v", lines, err)
	}
	first := lines[0]
	var m postroom.Mailbox
	if first.Err == nil {
		first.Err = first.Apply(&m)
	}
	if first.Err != nil || first.Number != 2 || first.Address != "support@example.net" || first.Mailbox.Password.Reveal() != " blanks stay " ||
		m.Incoming.Host != "imap.example.net" || m.Incoming.Port != 143 || len(m.Incoming.Folders) != 2 || m.Incoming.PollInterval != 2*time.Minute || m.RawRetentionDays != 30 {
		t.Errorf("line %+v makes %+v", first, m)
	}
	if second := lines[1]; second.Number != 3 || second.Err == nil || strings.Contains(second.Err.Error(), "secret words") {
		t.Errorf("a line that cannot be read is %+v", second)
	}
	if lines, err = read(t.Context(), []byte(`{"address":"a@example.net","incoming":{"host":"imap.example.net","port":993},"credential":{"password":"p"}}`)); err != nil || len(lines) != 1 || lines[0].Err != nil {
		t.Errorf("JSON is read as %v, %v", lines, err)
	}
	if _, err := read(t.Context(), []byte("name\nSupport\n")); postroom.KindOf(err) != postroom.Invalid {
		t.Errorf("a list without addresses = %v, want Invalid", err)
	}
}
