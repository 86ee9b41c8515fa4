package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postroom/postroom/internal/api"
)

func TestListsOfMailboxesAreRead(t *testing.T) {
	const want = `{"address":"a@example.net","credential":{"password":"x, \"y\""},"incoming":{"folders":["INBOX","Done"],"host":"mail.example.net","port":143},"visible_to":["ada@example.net","bob@example.net"]}`
	tests := map[string]string{
		"commas":                    "address,password,host,port,folders,visible_to\na@example.net,\"x, \"\"y\"\"\",mail.example.net,143,INBOX | Done,ada@example.net|bob@example.net\n",
		"semicolons in any order":   "port;host;Visible To;folders;address;password\n143;mail.example.net;ada@example.net|bob@example.net;INBOX|Done;a@example.net;\"x, \"\"y\"\"\"",
		"tabs, and a byte order":    "\ufeffHost\tPORT\taddress\tpassword\tfolders\tvisible-to\r\nmail.example.net\t143\ta@example.net\t\"x, \"\"y\"\"\"\tINBOX|Done\tada@example.net|bob@example.net\r\n",
		"empty values and lines":    "address,password,host,port,folders,visible_to,name,tls\n\n,,,,,,,\n a@example.net ,\"x, \"\"y\"\"\",mail.example.net, 143 ,INBOX|Done,ada@example.net|bob@example.net,,\n",
		"JSON lines":                "\n" + want + "\n\n",
		"JSON lines, other spelled": `{ "visible_to" : ["ada@example.net","bob@example.net"], "address":"a@example.net","incoming":{"host":"mail.example.net","port":143,"folders":["INBOX","Done"]}, "credential":{"password":"x, \"y\""}}`,
	}
	for name, text := range tests {
		rows, err := readRows([]byte(text))
		if err != nil || len(rows) != 1 || rows[0].wrong != nil {
			t.Errorf("%s: %+v, %v", name, rows, err)
			continue
		}
		if got, err := json.Marshal(rows[0].mailbox); err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, want %s", name, got, err, want)
		}
	}
}

func TestListsThatCannotBeRead(t *testing.T) {
	tests := map[string]struct{ text, words string }{
		"nothing":           {"", "no mailbox"},
		"a header alone":    {"address,host\n", "no mailbox"},
		"no header":         {"a@example.net,mail.example.net,secret-word\n", "does not name columns"},
		"an unknown column": {"address,nickname\na@example.net,x\n", "no column “nickname”"},
		"no address":        {"host,password\nmail.example.net,secret-word\n", "“address” is missing"},
		"a column twice":    {"address,host,Host\n", "there twice"},
		"another encoding":  {"address,name\na@example.net,x\nb@example.net,M\xfcller\n", "Line 3"},
		"two bytes a sign":  {"\xff\xfea\x00d\x00", "not in UTF-8"},
	}
	for name, test := range tests {
		rows, err := readRows([]byte(test.text))
		if err == nil || !strings.Contains(err.Error(), test.words) || strings.Contains(err.Error(), "secret-word") {
			t.Errorf("%s: %v, %v, want it to say %q", name, rows, err, test.words)
		}
	}
}

func TestLinesThatCannotBeReadStopNoOthers(t *testing.T) {
	tests := map[string]struct {
		text  string
		lines []int // their numbers
		wrong []bool
	}{
		"too many and too few values": {"address,host,password\na@x.net,h,secret-word,more\nb@x.net\nc@x.net,h,p\n", []int{2, 3, 4}, []bool{true, true, false}},
		"a port in words":             {"address,port\na@x.net,secret-word\nb@x.net,143\n", []int{2, 3}, []bool{true, false}},
		"quotes that do not fit":      {"address,password\na@x.net,secret\"-word\nb@x.net,x\n", []int{2, 3}, []bool{true, false}},
		"quotes without an end":       {"address,password\na@x.net,x\nb@x.net,\"secret-word\nc@x.net,y\n", []int{2, 3}, []bool{false, true}},
		"a value of two lines":        {"address,ca_certificate\na@x.net,\"one\ntwo\"\nb@x.net,x\n", []int{2, 4}, []bool{false, false}},
		"JSON that is none":           {"{\"address\":\"a@x.net\"}\n{\"password\":\"secret-word\"\n[1]\n{} {}\nnull\n{\"address\":\"b@x.net\"}", []int{1, 2, 3, 4, 5, 6}, []bool{false, true, true, true, true, false}},
	}
	for name, test := range tests {
		rows, err := readRows([]byte(test.text))
		if err != nil || len(rows) != len(test.lines) {
			t.Errorf("%s: %+v, %v", name, rows, err)
			continue
		}
		for i, r := range rows {
			if r.line != test.lines[i] || (r.wrong != nil) != test.wrong[i] {
				t.Errorf("%s: row %d is line %d, wrong: %+v", name, i, r.line, r.wrong)
			}
			if r.wrong != nil && strings.Contains(r.wrong.Explanation+r.wrong.Remedy, "secret-word") {
				t.Errorf("%s: a value is repeated: %+v", name, r.wrong)
			}
		}
	}
}

func listFile(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "mailboxes.csv")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestImportOfFourHundredMailboxes(t *testing.T) {
	data := t.TempDir()
	var list strings.Builder
	list.WriteString("address;host;password;start;after_import;move_to\n")
	for i := range 400 {
		fmt.Fprintf(&list, "box%d@example.net;imap.example.net;secret-word-%d;all;move;Done\n", i, i)
	}
	list.WriteString("box7@example.net;imap.example.net;secret-word;;;\n")
	list.WriteString("none;imap.example.net;secret-word;;;\n")
	file := listFile(t, list.String())
	imported := func(args ...string) spoken {
		t.Helper()
		s := say(t, "", append([]string{"mailbox", "import", file, "--data", data}, args...)...)
		if strings.Contains(s.out+s.err, "secret-word") {
			t.Fatalf("a password is printed: %s%s", s.out, s.err)
		}
		return s
	}

	wantWords(t, imported("--dry-run"), exitFailed, "line 2 ", "would be created", "402 mailboxes: 400 would be created, 2 failed.",
		"line 402", "in the list twice", "line 403", "not a whole mail address", "2 lines could not be brought in")
	wantWords(t, imported(), exitWrongUse, "400 would be created", "--yes")
	wantWords(t, say(t, "", "mailbox", "list", "--data", data), exitGood, "no mailbox here yet")
	wantWords(t, imported("--yes"), exitFailed, "402 mailboxes: 400 created, 2 failed.")
	wantWords(t, say(t, "", "mailbox", "show", "box399@example.net", "--data", data), exitGood, "moved to the folder “Done”")
	wantWords(t, imported("--yes"), exitFailed, "402 mailboxes: 400 unchanged, 2 failed.")

	var done struct {
		Unchanged int `json:"unchanged"`
		Failed    int `json:"failed"`
		Results   []struct {
			Line   int        `json:"line"`
			ID     *string    `json:"id"`
			Result string     `json:"result"`
			Fault  *api.Fault `json:"fault"`
		} `json:"results"`
	}
	s := imported("--yes", "--json")
	if err := json.Unmarshal([]byte(s.out), &done); err != nil || s.code != exitFailed {
		t.Fatalf("%v, exit %d: %s", err, s.code, s.out)
	}
	if done.Unchanged != 400 || done.Failed != 2 || len(done.Results) != 402 || done.Results[0].Line != 2 || done.Results[0].ID == nil || done.Results[401].Fault == nil {
		t.Errorf("results %+v", done)
	}
}

func TestImportChangesWhatIsHere(t *testing.T) {
	data := t.TempDir()
	run := func(list string, args ...string) spoken {
		t.Helper()
		return say(t, "", append([]string{"mailbox", "import", listFile(t, list), "--data", data}, args...)...)
	}
	const list = "address,host,password,name\na@example.net,imap.example.net,one,Sales\nb@example.net,imap.example.net,one,\n"
	wantWords(t, run(list, "--yes"), exitGood, "2 mailboxes: 2 created.")
	wantWords(t, run("address,password\nA@example.net,two\nb@example.net,one\n", "--yes"), exitGood, "line 2", "changed    password given anew", "1 changed, 1 unchanged")
	wantWords(t, run("address,protocol,host\na@example.net,pop3,pop.example.net\n", "--yes"), exitGood, "incoming.protocol, incoming.host, incoming.port")
	wantWords(t, say(t, "", "mailbox", "show", "a@example.net", "--data", data), exitGood, "pop.example.net by POP3, port 995", "Sales")
	wantWords(t, say(t, "", "mailbox", "remove", "b@example.net", "--issues", "keep", "--data", data), exitGood)
	wantWords(t, run(list, "--dry-run"), exitGood, "would be continued", "would be changed")
	wantWords(t, run("address,host\n\n"), exitFailed, "no mailbox in this list")
	wantWords(t, run("address,host\nnobody,imap.example.net\n", "--yes"), exitFailed, "1 mailbox: 1 failed.")

	file := listFile(t, list)
	if err := os.Chmod(file, 0o644); err != nil {
		t.Fatal(err)
	}
	wantWords(t, say(t, "", "mailbox", "import", file, "--data", data, "--dry-run"), exitGood, "others on this computer may read")
	wantWords(t, say(t, list, "mailbox", "import", "-", "--data", data, "--yes"), exitGood, "1 continued")
	wantWords(t, say(t, list, "mailbox", "import", "-", "--data", data), exitGood, "2 unchanged")
	wantWords(t, say(t, "", "mailbox", "import", "nowhere.csv", "--data", data), exitWrongUse, "no file nowhere.csv")
}
