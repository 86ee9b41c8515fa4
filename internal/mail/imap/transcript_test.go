package imap

import (
	"strings"
	"testing"
)

func TestTranscriptTellsNothingOfAMessage(t *testing.T) {
	tests := map[string]string{ // what comes between FETCH and its OK
		"a literal":                     `R: "* 1 FETCH (UID 101 BODY[] {11}\r\nDear sister FLAGS ())\r\n"`,
		"a quoted string":               `S: * 1 FETCH (UID 101 BODY[] "Dear \"sister\"" FLAGS ())`,
		"a part, quoted":                `S: * 1 FETCH (UID 101 BODY[HEADER.FIELDS (SUBJECT)]<0> "Subject: Dear sister" FLAGS ())`,
		"the old way":                   `S: * 1 FETCH (UID 101 RFC822.TEXT "Dear sister" FLAGS ())`,
		"more lines than it said":       `R: "* 1 FETCH (UID 101 BODY[] {4}\r\nDear\r\n sister, this is more\r\nthan was said: Dear sister)\r\n"`,
		"a message that looks like one": `R: "* 1 FETCH (UID 101 BODY[] {24}\r\nDear {12}\r\nsister\r\nand * OK FLAGS ())\r\n"`,
	}
	for name, answer := range tests {
		o := optionsFor(script(t, examined("")+"C: UID FETCH 101 "+ask+"\n"+answer+"\nS: <tag> OK done\nhang"))
		var heard strings.Builder
		o.Transcript = func(dir byte, line string) { heard.WriteString(string(dir) + " " + line + "\n") }
		c := open(t, o)
		if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := bodies(t, c, 101); err != nil && c.Usable() {
			t.Errorf("%s: %v", name, err)
		}
		if said := heard.String(); strings.Contains(said, "sister") || !strings.Contains(said, "FETCH") {
			t.Errorf("%s: the transcript is\n%s", name, said)
		}
	}
}

func TestTranscriptShowsWhoeverAnswers(t *testing.T) {
	o := optionsFor(script(t, "S: SSH-2.0-OpenSSH_9.2\nhang"))
	var heard []string
	o.Transcript = func(dir byte, line string) { heard = append(heard, string(dir)+" "+line) }
	if _, err := Open(t.Context(), o); err == nil {
		t.Fatal("that was no mail server")
	}
	if len(heard) != 1 || heard[0] != "S SSH-2.0-OpenSSH_9.2" {
		t.Errorf("heard %q", heard)
	}
}
