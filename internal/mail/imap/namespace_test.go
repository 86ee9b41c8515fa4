package imap

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/mail"
)

func TestNameInTheServersOwnPlace(t *testing.T) {
	courier := namespace{prefix: "INBOX.", delimiter: "."}
	cyrus := namespace{delimiter: "."}
	flat := namespace{}
	usual := namespace{delimiter: "/"}
	for _, test := range []struct {
		space        namespace
		folder, want string
	}{
		{courier, "Archive", "INBOX.Archive"},
		{courier, "Archive/2026", "INBOX.Archive.2026"},
		{courier, "INBOX.Archive", "INBOX.Archive"},
		{courier, "Inbox/Archive", "Inbox.Archive"},
		{courier, "INBOX", "INBOX"},
		{courier, "INBOX.", "INBOX.INBOX."},
		{cyrus, "a/b", "a.b"},
		{flat, "a/b", "a/b"},
		{usual, "a.b/c", "a.b/c"},
	} {
		if got := test.space.nameFor(test.folder); got != test.want {
			t.Errorf("%+v: %q is %q, want %q", test.space, test.folder, got, test.want)
		}
	}
}

func TestFolderIsFoundBelowThePrefix(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome("NAMESPACE")+`
	C: EXAMINE "B&APw-cher/2026"
	S: <tag> NO Invalid mailbox name
	C: LIST "" "*"
	S: * LIST (\HasChildren) "." "INBOX"
	S: * LIST () "." "INBOX.B&APw-cher.2026"
	S: <tag> OK done
	C: NAMESPACE
	S: * NAMESPACE (("INBOX." ".")) NIL (("#shared." ".")("shared." "."))
	S: <tag> OK done
	C: EXAMINE "INBOX.B&APw-cher.2026"
	S: * 3 EXISTS
	S: <tag> OK done
	C: EXAMINE "INBOX.B&APw-cher.2026"
	S: * 4 EXISTS
	S: <tag> OK done
	C: EXAMINE "nowhere"
	S: <tag> NO [NONEXISTENT] no
	C: LIST "" "*"
	S: <tag> OK done
	C: EXAMINE "INBOX"
	S: <tag> NO [NONEXISTENT] no
	`+noop)))
	for range 2 {
		if s, err := c.Examine(t.Context(), "Bücher/2026"); err != nil || s.Folder != "Bücher/2026" || s.Exists < 3 {
			t.Errorf("Examine = %+v, %v", s, err)
		}
	}
	for _, name := range []string{"nowhere", "inbox"} {
		_, err := c.Examine(t.Context(), name)
		if r, ok := mail.RefusalOf(err); !ok || r.Code != "NONEXISTENT" || r.Phase != mail.PhaseSelect {
			t.Errorf("Examine(%q): %v", name, err)
		}
	}
	if _, err := c.Noop(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

// A busy server is not asked for all its folders, and is asked again by nobody.
func TestRefusalThatIsNotAboutTheNameIsNoReasonToLookForAnother(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome("NAMESPACE")+`
	C: EXAMINE "Archive"
	S: <tag> NO [UNAVAILABLE] later
	C: SELECT "Archive"
	S: <tag> NO [INUSE] later
	`+noop)))
	_, err := c.Examine(t.Context(), "Archive")
	if r, _ := mail.RefusalOf(err); r == nil || r.Code != "UNAVAILABLE" {
		t.Errorf("Examine: %v", err)
	}
	_, err = c.Select(t.Context(), "Archive")
	if r, _ := mail.RefusalOf(err); r == nil || r.Code != "INUSE" {
		t.Errorf("Select: %v", err)
	}
	if _, err := c.Noop(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestNamespacesThatServersAnswer(t *testing.T) {
	for answer, want := range map[string]namespace{
		`(("" "/")) NIL NIL`:             {delimiter: "/"},
		`(("INBOX." "."))`:               {prefix: "INBOX.", delimiter: "."},
		`(("INBOX" "."))`:                {prefix: "INBOX.", delimiter: "."},
		`(("Meine &APw-/" "/" "X" (1)))`: {prefix: "Meine ü/", delimiter: "/"},
		`(("" "\\")("#mh/" "/")) NIL`:    {delimiter: `\`},
		`( ( "a b/"   "/" ) )`:           {prefix: "a b/", delimiter: "/"},
		// What says nothing of a delimiter is asked for it in another way.
		`NIL NIL NIL`:  {delimiter: ":"},
		`(("" NIL))`:   {delimiter: ":"},
		`((`:           {delimiter: ":"},
		``:             {delimiter: ":"},
		`(("INBOX."`:   {prefix: "INBOX.", delimiter: ":"},
		`(() ("x" y))`: {delimiter: ":"},
	} {
		root := ""
		if want.delimiter == ":" {
			root = "\tC: LIST \"\" \"\"\n\tS: * LIST (\\NoSelect) \":\" \"\"\n\tS: <tag> OK done\n"
		}
		c := open(t, optionsFor(script(t, welcome("NAMESPACE")+`
		C: NAMESPACE
		S: * NAMESPACE `+answer+`
		S: <tag> OK done
		`+root+noop)))
		if got, err := c.namespace(t.Context()); err != nil || got != want {
			t.Errorf("%s is %+v, %v, want %+v", answer, got, err, want)
		}
		if _, err := c.Noop(t.Context()); err != nil {
			t.Errorf("%s, afterwards: %v", answer, err)
		}
	}
}

func TestCreate(t *testing.T) {
	const space = `
		C: NAMESPACE
		S: * NAMESPACE (("INBOX." ".")) NIL NIL
		S: <tag> OK done`
	tests := map[string]struct {
		server  string
		refused string
	}{
		"a new folder": {`
			C: CREATE "INBOX.Done.M&AOQ-rz"
			S: <tag> OK done
			C: SUBSCRIBE "INBOX.Done.M&AOQ-rz"
			S: <tag> OK done`, ""},
		"no subscription": {`
			C: CREATE "INBOX.Done.M&AOQ-rz"
			S: <tag> OK done
			C: SUBSCRIBE "INBOX.Done.M&AOQ-rz"
			S: <tag> NO cannot`, ""},
		"no level above": {`
			C: CREATE "INBOX.Done.M&AOQ-rz"
			S: <tag> NO parent does not exist
			C: CREATE "INBOX.Done"
			S: <tag> OK done
			C: CREATE "INBOX.Done.M&AOQ-rz"
			S: <tag> OK done
			C: SUBSCRIBE "INBOX.Done.M&AOQ-rz"
			S: <tag> OK done`, ""},
		"there already, and the server says so": {`
			C: CREATE "INBOX.Done.M&AOQ-rz"
			S: <tag> NO [ALREADYEXISTS] there is one`, ""},
		"there already, in the server's words": {`
			C: CREATE "INBOX.Done.M&AOQ-rz"
			S: <tag> NO Ordner gibt es schon
			C: CREATE "INBOX.Done"
			S: <tag> NO Ordner gibt es schon
			C: CREATE "INBOX.Done.M&AOQ-rz"
			S: <tag> NO Ordner gibt es schon
			C: LIST "" "*"
			S: * LIST () "." "INBOX.Done.M&AOQ-rz"
			S: <tag> OK done`, ""},
		"not allowed": {`
			C: CREATE "INBOX.Done.M&AOQ-rz"
			S: <tag> NO [NOPERM] read only
			C: CREATE "INBOX.Done"
			S: <tag> NO [NOPERM] read only
			C: CREATE "INBOX.Done.M&AOQ-rz"
			S: <tag> NO [NOPERM] read only
			C: LIST "" "*"
			S: <tag> OK done`, "NO [NOPERM] read only"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			again := ""
			if test.refused == "" {
				again = `
				C: UID MOVE 7 "INBOX.Done.M&AOQ-rz"
				S: <tag> OK done`
			}
			c := inbox(t, "NAMESPACE MOVE", space+test.server+again+noop)
			err := c.Create(t.Context(), "Done/März")
			if r, _ := mail.RefusalOf(err); (err != nil) != (test.refused != "") || r != nil && r.Reply != test.refused {
				t.Errorf("Create: %v", err)
			}
			if err == nil {
				if err := c.Move(t.Context(), []uint32{7}, "Done/März"); err != nil {
					t.Errorf("Move: %v", err)
				}
			}
			if _, err := c.Noop(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestFolderForASpecialUse(t *testing.T) {
	c := open(t, optionsFor(script(t, welcome("SPECIAL-USE LIST-EXTENDED")+`
	C: LIST "" "*" RETURN (SPECIAL-USE)
	S: * LIST (\HasChildren \NoSelect \Trash) "/" "Old trash"
	S: * LIST (\HasNoChildren \trash) "/" "[Gmail]/Papierkorb"
	S: <tag> OK done
	C: LIST "" "*" RETURN (SPECIAL-USE)
	S: * LIST (\HasNoChildren) "/" "Archive"
	S: <tag> OK done
	hang`)))
	if name, ok, err := c.FolderFor(t.Context(), `\Trash`); name != "[Gmail]/Papierkorb" || !ok || err != nil {
		t.Errorf("FolderFor = %q, %v, %v", name, ok, err)
	}
	if name, ok, err := c.FolderFor(t.Context(), `\Archive`); name != "" || ok || err != nil {
		t.Errorf("FolderFor = %q, %v, %v", name, ok, err)
	}
}

func TestAppend(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.FixedZone("", -5*3600))
	const asked = `
		C: APPEND "Sent" (\Seen) " 4-Mar-2026 05:06:07 -0500" {12}
		`
	tests := map[string]struct {
		server  string
		body    string
		refused string
		usable  bool
	}{
		"taken": {asked + `
			S: + go on
			L: "Hello\r\nyou\r\n\r\n"
			S: * 6 EXISTS
			S: <tag> OK [APPENDUID 7 106] done` + noop, "Hello\r\nyou\r\nand more", "", true},
		"refused before": {asked + `
			S: <tag> NO [OVERQUOTA] full` + noop, "Hello\r\nyou\r\n", "NO [OVERQUOTA] full", true},
		"refused after": {asked + `
			S: + go on
			L: "Hello\r\nyou\r\n\r\n"
			S: <tag> NO [TRYCREATE] none of that name
			C: LIST "" "*"
			S: * LIST () "." "INBOX.Sent"
			S: <tag> OK done
			C: NAMESPACE
			S: * NAMESPACE (("INBOX." ".")) NIL NIL
			S: <tag> OK done` + noop, "Hello\r\nyou\r\n", "NO [TRYCREATE] none of that name", true},
		"below the prefix": {asked + `
			S: <tag> NO [TRYCREATE] none of that name
			C: LIST "" "*"
			S: * LIST () "." "INBOX.Sent"
			S: <tag> OK done
			C: NAMESPACE
			S: * NAMESPACE (("INBOX." ".")) NIL NIL
			S: <tag> OK done
			C: APPEND "INBOX.Sent" (\Seen) " 4-Mar-2026 05:06:07 -0500" {12}
			S: + go on
			L: "Hello\r\nyou\r\n\r\n"
			S: <tag> OK done` + noop, "Hello\r\nyou\r\n", "", true},
		"a BYE in between": {asked + `
			S: + go on
			S: * BYE disk full`, "Hello\r\nyou\r\n", "* BYE disk full", false},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, "NAMESPACE", test.server)
			err := c.Append(t.Context(), "Sent", []string{`\Seen`}, at, 12, strings.NewReader(test.body))
			if r, _ := mail.RefusalOf(err); (err != nil) != (test.refused != "") || r != nil && r.Reply != test.refused {
				t.Errorf("Append: %v", err)
			}
			if c.Usable() != test.usable {
				t.Errorf("usable = %v", c.Usable())
			}
			if _, err := c.Noop(t.Context()); (err == nil) != test.usable {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestBytesThatEndEarlyAreNotAppended(t *testing.T) {
	c := inbox(t, "", `
	C: APPEND "Sent" {12}
	S: + go on
	hang`)
	full := errors.New("the disk is broken")
	if err := c.Append(t.Context(), "Sent", nil, time.Time{}, 12, failing{full}); !errors.Is(err, full) || c.Usable() {
		t.Errorf("Append: %v, usable %v", err, c.Usable())
	}
	if err := c.Append(t.Context(), "Sent", nil, time.Time{}, 12, failing{full}); err == nil {
		t.Error("the client went on")
	}
}
