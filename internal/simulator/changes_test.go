package simulator

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// selected is a client that has opened INBOX for writing.
func selected(t *testing.T, s *Server) *raw {
	t.Helper()
	r := rawClient(t, s)
	r.sayFor("1 LOGIN anna@example.net secret")
	r.sayFor("2 SELECT INBOX")
	return r
}

// uidsIn are the UIDs of a folder, as text.
func uidsIn(s *Server, folder string) string {
	var uids []string
	for _, m := range s.Messages(anna, folder) {
		uids = append(uids, fmt.Sprint(m.UID))
	}
	return strings.Join(uids, " ")
}

func TestACommandIsCutOffOrAnsweredOtherwise(t *testing.T) {
	for name, c := range map[string]struct {
		faults Faults
		say    string
		want   string // the answer; empty: the connection ends
		inbox  string // what it holds then
		done   string
	}{
		"a copy":                  {Faults{}, "3 UID COPY 1:2 Done", "3 OK [COPYUID 1700000002 1:2 1:2] COPY completed\r\n", "1 2 3", "1 2"},
		"a copy, cut before":      {Faults{CutBefore: []string{"UID COPY"}}, "3 UID COPY 1:2 Done", "", "1 2 3", ""},
		"a copy, cut after":       {Faults{CutAfter: []string{"UID COPY"}}, "3 UID COPY 1:2 Done", "", "1 2 3", "1 2"},
		"a copy, without UIDPLUS": {Faults{HideCapabilities: []string{"UIDPLUS"}}, "3 UID COPY 1 Done", "3 OK COPY completed\r\n", "1 2 3", "1"},
		"a move, without UIDPLUS": {Faults{HideCapabilities: []string{"UIDPLUS"}}, "3 UID MOVE 1 Done", "* OK COPY completed\r\n* 1 EXPUNGE\r\n3 OK UID MOVE completed\r\n", "2 3", "1"},
		"a move, cut after":       {Faults{CutAfter: []string{"UID MOVE"}}, "3 UID MOVE 2 Done", "* OK [COPYUID 1700000002 2 1] COPY completed\r\n* 2 EXPUNGE\r\n", "1 3", "1"},
		"a move, absent":          {Faults{HideCapabilities: []string{"MOVE"}}, "3 UID MOVE 2 Done", "3 BAD Unknown command\r\n", "1 2 3", ""},
		"a move, refused":         {Faults{Replies: map[string]string{"UID MOVE": "NO [CANNOT] Not that one"}}, "3 UID MOVE 2 Done", "3 NO [CANNOT] Not that one\r\n", "1 2 3", ""},
		"a mark, in two lines":    {Faults{Replies: map[string]string{"UID STORE": "* OK a\nNO b"}}, `3 UID STORE 1 +FLAGS (\Seen)`, "* OK a\r\n3 NO b\r\n", "1 2 3", ""},
		"a folder, refused":       {Faults{Replies: map[string]string{"CREATE": "NO [OVERQUOTA] Too many folders"}}, "3 CREATE New", "3 NO [OVERQUOTA] Too many folders\r\n", "1 2 3", ""},
		"a message, refused":      {Faults{Replies: map[string]string{"APPEND": "NO [OVERQUOTA] Full"}}, "3 APPEND Done {3+}\r\nabc", "3 NO [OVERQUOTA] Full\r\n", "1 2 3", ""},
		"a message, cut after":    {Faults{CutAfter: []string{"APPEND"}}, "3 APPEND Done {3+}\r\nabc", "", "1 2 3", "1"},
		"a thoughtful server":     {Faults{Pause: map[string]time.Duration{"CHECK": time.Millisecond}}, "3 CHECK", "3 OK CHECK completed\r\n", "1 2 3", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := three(t)
			if err := s.AddFolder(anna, "Done"); err != nil {
				t.Fatal(err)
			}
			r := selected(t, s)
			s.SetFaults(anna, c.faults)
			if got := r.sayFor(c.say); got != c.want {
				t.Errorf("%q is answered %q, want %q", c.say, got, c.want)
			}
			if in, done := uidsIn(s, "INBOX"), uidsIn(s, "Done"); in != c.inbox || done != c.done {
				t.Errorf("INBOX holds %q and Done %q, want %q and %q", in, done, c.inbox, c.done)
			}
			if c.want != "" && !strings.HasPrefix(name, "a move, cut") {
				s.SetFaults(anna, Faults{})
				if got := r.sayFor("4 NOOP"); !strings.Contains(got, "4 OK") {
					t.Errorf("the next command is answered %q", got)
				}
			}
		})
	}
}

func TestAFolderIsRestoredFromABackup(t *testing.T) {
	s := three(t)
	before, err := s.BackUp(anna, "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	validity, _, _ := s.Numbers(anna, "INBOX")
	deliver(t, s, "fourth")
	if err := s.Expunge(anna, "INBOX", 1); err != nil {
		t.Fatal(err)
	}
	if err := s.SetFlags(anna, "INBOX", 2, `\Seen`); err != nil {
		t.Fatal(err)
	}
	r := selected(t, s)
	if err := s.Restore(before); err != nil {
		t.Fatal(err)
	}
	if got := r.sayFor("3 NOOP"); strings.Contains(got, "3 OK") {
		t.Errorf("a session lives on in a folder that was restored: %q", got)
	}
	now, next, _ := s.Numbers(anna, "INBOX")
	left := s.Messages(anna, "INBOX")
	if now != validity || next != 4 || len(left) != 3 || left[0].UID != 1 || len(left[1].Flags) != 0 {
		t.Errorf("after it UIDVALIDITY is %d, UIDNEXT %d and %v are there, want %d, 4 and the first three", now, next, left, validity)
	}
	deliver(t, s, "another fourth")
	if left := s.Messages(anna, "INBOX"); string(left[3].Raw) != "another fourth" || left[3].UID != 4 {
		t.Errorf("the next message is %+v, want 4", left[3])
	}
	if err := s.Restore(before); err != nil || uidsIn(s, "INBOX") != "1 2 3" {
		t.Errorf("a second time it holds %q (%v)", uidsIn(s, "INBOX"), err)
	}
}

func TestAFolderIsMadeAnew(t *testing.T) {
	s := three(t)
	before, _, _ := s.Numbers(anna, "INBOX")
	if err := s.RemoveFolder(anna, "INBOX"); err != nil {
		t.Fatal(err)
	}
	if got := rawClient(t, s).sayFor("1 LOGIN anna@example.net secret"); !strings.Contains(got, "1 OK") {
		t.Errorf("LOGIN is answered %q", got)
	}
	if err := s.AddFolder(anna, "INBOX"); err != nil {
		t.Fatal(err)
	}
	after, next, _ := s.Numbers(anna, "INBOX")
	if after <= before || next != 1 {
		t.Errorf("UIDVALIDITY %d became %d with UIDNEXT %d, want another and 1", before, after, next)
	}
}

func TestAServerLimitsConnectionsByIMAP(t *testing.T) {
	s := three(t)
	s.SetFaults("", Faults{MaxConnections: 2, TooMany: "Too many connections from your IP"})
	selected(t, s)
	selected(t, s)
	if r := rawClient(t, s); r.greeting+r.rest() != "* BYE Too many connections from your IP\r\n" {
		t.Errorf("the third connection is greeted with %q", r.greeting)
	}
	s = three(t)
	s.AddAccount("bert@example.net", "secret")
	s.SetFaults("", Faults{MaxPerAccount: 1})
	first := selected(t, s)
	r := rawClient(t, s)
	want := "1 NO [ALERT] Too many simultaneous connections. (Failure)\r\n"
	if got := r.sayFor("1 LOGIN anna@example.net secret"); got != want {
		t.Errorf("the second login is answered %q, want %q", got, want)
	}
	if got := r.sayFor("2 LOGIN bert@example.net secret"); !strings.Contains(got, "2 OK") {
		t.Errorf("another account's login is answered %q", got)
	}
	_ = first.Close()
	untilOpen(t, &s.port, 1)
	selected(t, s)
	if c := s.Counts(anna); c.Logins != 2 || c.RefusedLogins != 1 {
		t.Errorf("Counts returns %+v, want two logins and one refused", c)
	}
}

func TestNoPasswordIsTakenDuringAnOutage(t *testing.T) {
	s := three(t)
	s.AddAccount("bert@example.net", "secret")
	s.SetFaults("", Faults{RefuseLogin: "NO [AUTHENTICATIONFAILED] Authentication failed."})
	for _, user := range []string{anna, "bert@example.net"} {
		if got := rawClient(t, s).sayFor("1 LOGIN " + user + " secret"); got != "1 NO [AUTHENTICATIONFAILED] Authentication failed.\r\n" {
			t.Errorf("LOGIN of %s is answered %q", user, got)
		}
	}
	s.SetFaults("", Faults{})
	selected(t, s)
}

func TestFoldersBeginWithANamespace(t *testing.T) {
	s := begin(t, Options{Namespace: "INBOX."})
	r := selected(t, s)
	for _, e := range [][2]string{
		{"3 NAMESPACE", "* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL\r\n3 OK NAMESPACE completed\r\n"},
		{"4 CREATE Done", "4 NO [CANNOT] Mailbox name should probably be prefixed with: INBOX.\r\n"},
		{"5 CREATE INBOX.Done.Trash.", "5 OK CREATE completed\r\n"},
		{"6 SUBSCRIBE INBOX.Done.Trash", "6 OK SUBSCRIBE completed\r\n"},
		{`7 LIST "" "*"`, "* LIST () \".\" INBOX\r\n* LIST (\\Trash \\Subscribed) \".\" \"INBOX.Done.Trash\"\r\n7 OK LIST completed\r\n"},
		{`8 LIST "" ""`, "* LIST (\\Noselect) \".\" \"\"\r\n8 OK LIST completed\r\n"},
	} {
		if got := r.sayFor(e[0]); got != e[1] {
			t.Errorf("%q is answered %q, want %q", e[0], got, e[1])
		}
	}
}

func TestWhatGmailDoesWithDeletedMail(t *testing.T) {
	const trash, all = "[Gmail]/Trash", "[Gmail]/All Mail"
	for name, c := range map[string]struct {
		say               []string
		inbox, all, trash string
		done              string
	}{
		"nothing":                     {nil, "1 2 3", "1 2 3", "", ""},
		"marked is archived at once":  {[]string{`3 UID STORE 2 +FLAGS (\Deleted)`}, "1 3", "1 2 3", "", ""},
		"moved to Trash":              {[]string{`3 UID MOVE 2 "[Gmail]/Trash"`}, "1 3", "1 3", "1", ""},
		"copied to Trash":             {[]string{`3 UID COPY 2 "[Gmail]/Trash"`}, "1 3", "1 3", "1", ""},
		"expunged from Trash":         {[]string{`3 UID MOVE 2 "[Gmail]/Trash"`, `4 SELECT "[Gmail]/Trash"`, `5 UID STORE 1 +FLAGS (\Deleted)`}, "1 3", "1 3", "", ""},
		"expunged from All Mail":      {[]string{`3 SELECT "[Gmail]/All Mail"`, `4 UID STORE 1 +FLAGS (\Deleted)`, "5 UID EXPUNGE 1"}, "1 2 3", "1 2 3", "", ""},
		"moved to another folder":     {[]string{"3 UID MOVE 2 Done"}, "1 3", "1 2 3", "", "1"},
		"copied twice, and once":      {[]string{"3 UID COPY 2 Done", "4 UID COPY 2 Done"}, "1 2 3", "1 2 3", "", "1"},
		"archived":                    {[]string{`3 UID MOVE 2 "[Gmail]/All Mail"`}, "1 3", "1 2 3", "", ""},
		"taken back from Trash":       {[]string{`3 UID MOVE 2 "[Gmail]/Trash"`, `4 SELECT "[Gmail]/Trash"`, `5 UID MOVE 1 INBOX`}, "1 3 4", "1 3 4", "", ""},
		"moved to Trash, also a copy": {[]string{"3 UID COPY 2 Done", `4 UID MOVE 2 "[Gmail]/Trash"`}, "1 3", "1 3", "1", ""},
	} {
		t.Run(name, func(t *testing.T) {
			s := begin(t, Options{Gmail: true})
			deliver(t, s, "one", "two", "three")
			if err := s.AddFolder(anna, "Done"); err != nil {
				t.Fatal(err)
			}
			r := selected(t, s)
			for _, line := range c.say {
				if got := r.sayFor(line); !strings.Contains(got, line[:1]+" OK") {
					t.Errorf("%q is answered %q", line, got)
				}
			}
			got := [...]string{uidsIn(s, "INBOX"), uidsIn(s, all), uidsIn(s, trash), uidsIn(s, "Done")}
			if want := [...]string{c.inbox, c.all, c.trash, c.done}; got != want {
				t.Errorf("INBOX, All Mail, Trash and Done hold %q, want %q", got, want)
			}
		})
	}
	s := begin(t, Options{Gmail: true})
	if got := selected(t, s).sayFor(`3 LIST "" "*"`); !strings.Contains(got, `(\All) "/" "[Gmail]/All Mail"`) || !strings.Contains(got, `(\Trash) "/" "[Gmail]/Trash"`) {
		t.Errorf("LIST is answered %q, want the uses of folders", got)
	}
}
