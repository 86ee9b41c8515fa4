package imap

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/postroom/postroom/internal/mail"
)

func TestFolders(t *testing.T) {
	o := optionsFor(script(t, welcome("SPECIAL-USE LIST-EXTENDED")+`
	C: LIST "" "*" RETURN (SPECIAL-USE)
	S: <tag> BAD no such thing
	C: LIST "" "*"
	S: * LIST (\HasNoChildren) "/" inbox
	S: * LIST (\Noselect \HasChildren) "/" "[Gmail]"
	S: * LIST (\HasNoChildren \Sent) "/" "Gesendete &- Gel&APY-schte"
	R: "* LIST () NIL {8}\r\na\\b\"c {1}\r\n"
	S: * list (\Marked) "." NIL
	S: * LIST () "/" "R&D"
	S: * LIST () "/" "Entw&APw"
	R: "* LIST () \"/\" \"Pr\xc3\xbcfung\"\r\n"
	R: "* LIST () \"/\" \"Pr\xfcfung\"\r\n"
	S: * LIST () "/" ""
	S: * LIST () "/"
	S: * LIST
	S: * LIST "/" "no flags"
	S: * LSUB () "/" subscribed
	S: <tag> OK done
	C: EXAMINE "Gesendete &- Gel&APY-schte"
	S: * 0 EXISTS
	S: <tag> OK done
	C: EXAMINE {8+}
	L: "Pr\xc3\xbcfung\r\n"
	S: <tag> NO [NONEXISTENT] gone
	C: EXAMINE {7+}
	L: "Pr\xfcfung\r\n"
	S: <tag> OK done
	C: EXAMINE "R&D"
	S: <tag> OK done
	C: EXAMINE "inbox"
	S: <tag> OK done
	hang`))
	c := open(t, o)
	folders, err := c.Folders(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := []Folder{
		{Name: "INBOX", Delimiter: "/", Flags: []string{`\HasNoChildren`}},
		{Name: "[Gmail]", Delimiter: "/", Flags: []string{`\Noselect`, `\HasChildren`}, NoSelect: true},
		{Name: "Gesendete & Gelöschte", Delimiter: "/", Flags: []string{`\HasNoChildren`, `\Sent`}, SpecialUse: `\Sent`},
		{Name: `a\b"c {1`},
		{Name: "NIL", Delimiter: ".", Flags: []string{`\Marked`}},
		{Name: "R&D", Delimiter: "/"},
		{Name: "Entw&APw", Delimiter: "/"},
		{Name: "Prüfung", Delimiter: "/"},
		{Name: "Pr\xfcfung", Delimiter: "/"},
		{Name: "no flags", Delimiter: "/"},
	}
	if diff := cmp.Diff(want, folders); diff != "" {
		t.Errorf("folders (-want +got):\n%s", diff)
	}
	for _, name := range []string{"Gesendete & Gelöschte", "Prüfung", "Pr\xfcfung", "R&D", "INBOX"} {
		if _, err := c.Examine(t.Context(), name); (err != nil) != (name == "Prüfung") {
			t.Errorf("Examine(%q): %v", name, err)
		}
	}
}

func TestFolderThatTheServerSpellsItsOwnWay(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome("")+`
	C: EXAMINE "Pr&APw-fung"
	S: <tag> NO [NONEXISTENT] no such mailbox
	C: LIST "" "*"
	R: "* LIST () \"/\" \"Pr\xc3\xbcfung\"\r\n"
	S: <tag> OK done
	C: EXAMINE {8+}
	C: Prüfung
	S: * 3 EXISTS
	S: <tag> OK done
	hang`)))
	if s, err := c.Examine(t.Context(), "Prüfung"); err != nil || s.Exists != 3 || s.Folder != "Prüfung" {
		t.Errorf("Examine = %+v, %v", s, err)
	}
}

func TestFolderNamesOnceUTF8IsAgreed(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome("ENABLE UTF8=ACCEPT UIDONLY")+`
	C: ENABLE UTF8=ACCEPT UIDONLY
	S: * ENABLED UTF8=ACCEPT UIDONLY
	S: <tag> OK done
	C: EXAMINE "Prüfung &- R&D"
	S: <tag> OK done
	hang`)))
	if _, err := c.Examine(t.Context(), "Prüfung &- R&D"); err != nil || !c.uidOnly {
		t.Errorf("Examine: %v", err)
	}
}

func TestExamine(t *testing.T) {
	tests := map[string]struct {
		server string
		want   Status
	}{
		"as it should be": {`
			S: * 18 EXISTS
			S: * 1 RECENT
			S: * OK [UNSEEN 17] first unseen
			S: * OK [UIDVALIDITY 3857529045] UIDs valid
			S: * OK [UIDNEXT 4392] next
			S: <tag> OK [READ-ONLY] done`, Status{Exists: 18, UIDValidity: 3857529045, UIDNext: 4392, ReadOnly: true}},
		"codes in odd places": {`
			S: * 3 exists
			S: * NO [uidvalidity  7 ] hm
			S: <tag> ok [UIDNEXT 9] done`, Status{Exists: 3, UIDValidity: 7, UIDNext: 9, ReadOnly: true}},
		"nothing said": {`
			S: <tag> OK done`, Status{ReadOnly: true}},
		"numbers over 32 bits": {`
			S: * 99999999999 EXISTS
			S: * OK [UIDVALIDITY 4294967303] wide
			S: * OK [UIDNEXT 99999999999] wide
			S: <tag> OK done`, Status{Exists: 1<<32 - 1, UIDValidity: 7, ReadOnly: true}},
		"numbers that are none": {`
			S: * many EXISTS
			S: * OK [UIDVALIDITY x] ?
			S: * OK [UIDNEXT] ?
			S: * OK [UIDNEXT
			S: <tag> OK done`, Status{ReadOnly: true}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := open(t, optionsFor(script(t, welcome("")+`
			C: EXAMINE "INBOX"
			`+test.server+`
			hang`)))
			got, err := c.Examine(t.Context(), "INBOX")
			test.want.Folder = "INBOX"
			if diff := cmp.Diff(test.want, got); err != nil || diff != "" {
				t.Errorf("Examine: %v (-want +got):\n%s", err, diff)
			}
		})
	}
}

func TestFolderThatIsGone(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome("")+`
	C: SELECT "Archive"
	S: <tag> NO [TRYCREATE] Mailbox doesn't exist: Archive
	C: LIST "" "*"
	S: * LIST () "/" INBOX
	S: * LIST (\NoSelect) "/" Archive
	S: <tag> OK done
	C: LIST "" ""
	S: * LIST (\NoSelect) "/" ""
	S: <tag> OK done
	`+noop)))
	_, err := c.Select(t.Context(), "Archive")
	r, _ := mail.RefusalOf(err)
	if r == nil || r.Phase != mail.PhaseSelect || r.Code != "TRYCREATE" || !c.Usable() {
		t.Errorf("Select: %#v", err)
	}
	if _, err := c.Noop(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestModifiedUTF7(t *testing.T) {
	for name, want := range map[string]string{ // the last from RFC 3501 section 5.1.3
		"INBOX":              "INBOX",
		"a&b":                "a&-b",
		"Entwürfe":           "Entw&APw-rfe",
		"😀":                  "&2D3eAA-",
		"~peter/mail/台北/日本語": "~peter/mail/&U,BTFw-/&ZeVnLIqe-",
	} {
		if got := encodeUTF7(name); got != want {
			t.Errorf("encodeUTF7(%q) = %q, want %q", name, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.String().Draw(t, "name")
		if got, ok := decodeUTF7(encodeUTF7(name)); !ok || got != name {
			t.Errorf("%q comes back as %q, %v", name, got, ok)
		}
	})
}
