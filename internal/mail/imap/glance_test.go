package imap

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/testbed"
)

func TestGlance(t *testing.T) {
	const asked = `
		C: NOOP
		C: STATUS "Archive" (MESSAGES UIDNEXT UIDVALIDITY)
		C: STATUS "Entw&APw-rfe" (MESSAGES UIDNEXT UIDVALIDITY)
		`
	archive := Status{Folder: "Archive", Exists: 3, UIDNext: 17, UIDValidity: 9}
	drafts := Status{Folder: "Entwürfe", Exists: 1, UIDNext: 2, UIDValidity: 8}
	nothing := func(folder string) Status { return Status{Folder: folder} }
	tests := map[string]struct {
		server string
		news   bool
		want   []Status
	}{
		"nothing new": {`
			R: "P3 OK done\r\n* STATUS Archive (MESSAGES 3 UIDNEXT 17 UIDVALIDITY 9)\r\nP4 OK done\r\n"
			R: "* STATUS \"Entw&APw-rfe\" (UIDVALIDITY 8 UIDNEXT 2 MESSAGES 1)\r\nP5 OK done\r\n"`,
			false, []Status{archive, drafts}},
		"a new message in the selected folder, spelled in other ways": {`
			R: "* 6 EXISTS\r\np3 ok done\r\n *  status {7}\r\nArchive ( messages  3 uidnext 17 X (a (b)) uidvalidity 9 ) \r\nP4 OK done\r\n"
			R: "* STATUS \"Entw\xc3\xbcrfe\" (MESSAGES 1 UIDNEXT 2 HIGHESTMODSEQ 99999999999 UIDVALIDITY 4294967304\r\nP5 OK done\r\n"`,
			true, []Status{{Folder: "Archive", Exists: 3, UIDNext: 17}, drafts}},
		"a flag that changed": {`
			R: "* 2 FETCH (FLAGS (\\Seen))\r\nP3 OK\r\n* STATUS Archive (MESSAGES 3 UIDNEXT 17 UIDVALIDITY 9)\r\nP4 OK\r\nP5 OK\r\n"`,
			true, []Status{archive, nothing("Entwürfe")}},
		"one that is refused": {`
			R: "P3 NO not now\r\nP4 NO [NONEXISTENT] gone\r\n* STATUS \"Entw&APw-rfe\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 8)\r\nP5 OK\r\n"`,
			false, []Status{nothing("Archive"), drafts}},
		"answers in another order": {`
			R: "* STATUS \"Entw&APw-rfe\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 8)\r\nP5 OK\r\n* STATUS Archive (MESSAGES 3 UIDNEXT 17 UIDVALIDITY 9)\r\nP4 OK\r\nP3 OK\r\n"`,
			false, []Status{archive, drafts}},
		"answers that are about another folder, or none": {`
			R: "P3 OK\r\n* STATUS \"Entw&APw-rfe\" (MESSAGES 1 UIDNEXT 2 UIDVALIDITY 8)\r\nP4 OK\r\n* STATUS\r\n* STATUS ()\r\n* STATUS x y z\r\n* STATUS \"Entw&APw-rfe\" (MESSAGES\r\nP5 OK\r\n"`,
			false, []Status{nothing("Archive"), nothing("Entwürfe")}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, "", asked+test.server+noop)
			news, got, err := c.Glance(t.Context(), []string{"Archive", "Entwürfe"})
			if diff := cmp.Diff(test.want, got); err != nil || news != test.news || diff != "" {
				t.Errorf("Glance = %v, %v (-want +got):\n%s", news, err, diff)
			}
			if _, err := c.Noop(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

func TestGlanceHearsAFarewell(t *testing.T) {
	c := inbox(t, "", `
	C: NOOP
	S: * BYE Session expired, please login again.`)
	_, _, err := c.Glance(t.Context(), nil)
	if r, _ := mail.RefusalOf(err); r == nil || r.Reply != "* BYE Session expired, please login again." || c.Usable() {
		t.Errorf("Glance: %v", err)
	}
}

func TestGlanceAtDovecot(t *testing.T) {
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{anna: password}})
	folders := []string{"Größe/März & Co", "Archive", "nowhere"}
	for _, folder := range append(folders[:2:2], "INBOX") {
		d.Deliver(anna, folder, []byte("Subject: one\r\n\r\n"))
	}
	c := open(t, dovecotOptions(d, postroom.TLSImplicit, ""))
	if _, err := c.Examine(t.Context(), "INBOX"); err != nil {
		t.Fatal(err)
	}
	news, before, err := c.Glance(t.Context(), folders)
	if err != nil || news {
		t.Fatalf("Glance = %v, %v", news, err)
	}
	for i, s := range before {
		if want := i < 2; (s.Exists == 1 && s.UIDNext == 2 && s.UIDValidity > 0) != want || s.Folder != folders[i] {
			t.Errorf("status = %+v", s)
		}
	}
	d.Deliver(anna, "Archive", []byte("Subject: two\r\n\r\n"))
	d.Deliver(anna, "INBOX", []byte("Subject: two\r\n\r\n"))
	news, after, err := c.Glance(t.Context(), folders)
	if err != nil || !news || after[0] != before[0] || after[1].UIDNext != 3 || after[1].UIDValidity != before[1].UIDValidity {
		t.Errorf("Glance = %v, %v, %v", news, after, err)
	}
}
