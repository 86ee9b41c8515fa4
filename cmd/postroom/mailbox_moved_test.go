package main

import (
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/api"
)

func TestMovesAreToldInNumbers(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2026, 3, n, 12, 0, 0, 0, time.Local) }
	ended := func(n int) *time.Time { at := day(n); return &at }
	pop := api.Numbering{Protocol: "pop3", Host: "pop.a.example", Username: "u", Folder: "INBOX", BegunAt: day(1), EndedAt: ended(3)}
	imap := api.Numbering{Protocol: "imap", Host: "imap.b.example", Username: "u", Folder: "INBOX", UIDValidity: 1, BegunAt: day(3), Counts: api.Counts{Filed: 12, Duplicate: 2000}}
	again := imap
	again.UIDValidity, again.BegunAt, again.Counts = 2, day(5), api.Counts{Duplicate: 2012, Quarantined: 1}
	imapEnded := imap
	imapEnded.EndedAt = ended(5)
	other := again
	other.Folder, other.Username, other.BegunAt, other.Counts = "Sales", "v", day(7), api.Counts{Waiting: 3}
	againEnded := again
	againEnded.EndedAt = ended(7)
	beside := imap
	beside.Folder = "Beside"

	tests := map[string]struct {
		all  []api.Numbering
		want string
	}{
		"one numbering is no move":    {[]api.Numbering{pop}, ""},
		"folders side by side":        {[]api.Numbering{beside, imap}, ""},
		"another protocol and server": {[]api.Numbering{imap, pop}, "Moved on 3 March 2026 from pop.a.example (POP3) to imap.b.example (IMAP): 2,000 known again, 12 new, 0 waiting.\n"},
		"another UIDVALIDITY":         {[]api.Numbering{again, imapEnded}, "imap.b.example numbered INBOX anew on 5 March 2026: 2,012 known again, 0 new, 0 waiting, 1 set aside.\n"},
		"another folder and user":     {[]api.Numbering{other, againEnded}, "Moved on 7 March 2026 from user u, folder INBOX to user v, folder Sales: 0 known again, 0 new, 3 waiting.\n"},
	}
	for name, test := range tests {
		var said strings.Builder
		if err := tellNumberings(&said, test.all); err != nil || said.String() != test.want {
			t.Errorf("%s: %q, %v, want %q", name, said.String(), err, test.want)
		}
	}
}
