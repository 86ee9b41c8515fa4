package mailbox

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/imap"
)

func TestALongDialogueKeepsItsBeginningAndItsEnd(t *testing.T) {
	d := &dialogue{side: IncomingSide}
	const said = 5000
	for n := range said {
		d.hear('S', fmt.Sprint("line ", n))
	}
	lines := d.lines()
	if len(lines) != 200 {
		t.Errorf("%d lines, want 200 of each side", len(lines))
	}
	if lines[0].Text != "line 0" || lines[firstLines-1].Text != "line 119" || lines[firstLines].Text != "… (4,801 lines are left out here)" || lines[firstLines+1].Text != "line 4921" || lines[199].Text != "line 4999" {
		t.Errorf("%q … %q, %q, %q … %q", lines[0].Text, lines[firstLines-1].Text, lines[firstLines].Text, lines[firstLines+1].Text, lines[199].Text)
	}
}

func TestADialogueIsFitToBeCopied(t *testing.T) {
	d := &dialogue{side: OutgoingSide}
	d.blank("support", postroom.Hide("abcd efgh ijkl mnop"), postroom.Hide("abcdefghijklmnop"))
	for line, want := range map[string]string{
		"250 OK":                               "250 OK",
		"tab\there":                            "tab here",
		"a bell \a and \u202eback\u2028":       "a bell � and �back�",
		"not \xff text":                        "not � text",
		"you said abcd efgh ijkl mnop":         "you said [hidden]",
		"or abcdefghijklmnop":                  "or [hidden]",
		"AHN1cHBvcnQAYWJjZGVmZ2hpamtsbW5vcA==": "[hidden][hidden]==",
	} {
		d.hear('S', line)
		lines := d.lines()
		if got := lines[len(lines)-1]; got.Text != want || got.Side != OutgoingSide || got.Direction != 'S' || got.At.IsZero() {
			t.Errorf("%q became %+v, want %q", line, got, want)
		}
	}
	// The secret goes before the line is cut, so that no half of it stays.
	d.hear('S', strings.Repeat("ä", 495)+"abcdefghijklmnop"+strings.Repeat("x", 1<<20))
	lines := d.lines()
	if got := lines[len(lines)-1].Text; len(got) > 1100 || !utf8.ValidString(got) || strings.Contains(got, "abcd") || !strings.HasSuffix(got, "more bytes)") {
		t.Errorf("a long line became %q", got)
	}
}

func TestFoldersAreThoseThatCanBeChosen(t *testing.T) {
	all := []imap.Folder{
		{Name: "zebra"}, {Name: "Ärger"}, {Name: "[Gmail]", NoSelect: true}, {Name: "[Gmail]/Sent", SpecialUse: `\Sent`},
		{Name: "INBOX"}, {Name: "zebra"}, {Name: ""}, {Name: "a\nb"}, {Name: strings.Repeat("x", maxFolderName+1)}, {Name: "Archive", SpecialUse: `\Archive`},
	}
	var got []string
	for _, f := range choosable(all) {
		got = append(got, strings.TrimSpace(f.Name+" "+f.Use))
	}
	if want := "INBOX, [Gmail]/Sent sent, Archive archive, zebra, Ärger"; strings.Join(got, ", ") != want {
		t.Errorf("folders %s, want %s", strings.Join(got, ", "), want)
	}
	all = nil
	for n := range 5000 {
		all = append(all, imap.Folder{Name: fmt.Sprintf("folder %04d", n)})
	}
	if n := len(choosable(append(all, imap.Folder{Name: "INBOX"}))); n != maxListed {
		t.Errorf("%d of many folders, want %d", n, maxListed)
	}
}

func TestACertificateIsDescribedAsAStrangersWord(t *testing.T) {
	for text, want := range map[string]string{
		"Example Org": "Example Org", "evil\u202egro.elpmaxe": "evil�gro.elpmaxe", "line\nend": "line�end",
		strings.Repeat("ä", 300): strings.Repeat("ä", 100) + "…",
	} {
		if got := printable(text); got != want {
			t.Errorf("printable(%q) = %q", text, got)
		}
	}
	for want, c := range map[string][2]string{
		"Let's Encrypt (R11)": {"R11", "Let's Encrypt"}, "R11": {"R11", ""}, "Org": {"", "Org"}, "Same": {"Same", "Same"},
	} {
		var organisations []string
		if c[1] != "" {
			organisations = []string{c[1]}
		}
		if got := nameOf(c[0], organisations); got != want {
			t.Errorf("nameOf(%q, %q) = %q, want %q", c[0], c[1], got, want)
		}
	}
	if certificateOf(nil) != nil {
		t.Error("no certificate is described")
	}
}

func TestWhatAServerCanDoIsSaidInWords(t *testing.T) {
	for want, of := range map[string]struct {
		protocol postroom.Protocol
		lines    []string
	}{
		"The server speaks IMAP.":                                       {postroom.IMAP, []string{"* OK ready"}},
		"The server speaks IMAP; one signs in by LOGIN, PLAIN.":         {postroom.IMAP, []string{"* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready", "* CAPABILITY IMAP4rev1 AUTH=PLAIN AUTH=LOGIN", "P1 OK done"}},
		"The server speaks POP3; one signs in by PLAIN, USER, XOAUTH2.": {postroom.POP3, []string{"+OK", "TOP", "USER", "SASL PLAIN XOAUTH2", "."}},
		"The server speaks SMTP and takes messages of up to 35 MB; addresses may have any letters; one signs in by LOGIN, PLAIN.": {postroom.SMTP, []string{"220 hello", "250-SIZE 35882577", "250-SMTPUTF8", "250 AUTH LOGIN PLAIN"}},
		"The server speaks SMTP; one signs in by �EVIL.":                                                                          {postroom.SMTP, []string{"250-SIZE", "250-SIZE x", "250-SIZE 99999999999999999999", "250", "25", "250 AUTH \u202eevil"}},
	} {
		if got := abilities(of.protocol, of.lines); got != want {
			t.Errorf("abilities = %q, want %q", got, want)
		}
	}
}
