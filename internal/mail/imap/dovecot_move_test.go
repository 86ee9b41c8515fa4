package imap

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

// As Courier and Cyrus have it: everything below the inbox, with dots.
const belowTheInbox = `
namespace inbox {
  prefix = INBOX.
  separator = .
}`

func TestDovecotAfterImport(t *testing.T) {
	for name, extra := range map[string]string{"at the top, with slashes": "", "below the inbox, with dots": belowTheInbox} {
		t.Run(name, func(t *testing.T) {
			d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{anna: password}, Extra: extra})
			var letters [][]byte
			for _, id := range []string{"one", "two", "three", "four", "five"} {
				letters = append(letters, []byte("Message-ID: <"+id+"@example.com>\r\nSubject: "+id+"\r\n\r\nText\r\n"))
			}
			d.Deliver(anna, "INBOX", letters...)
			c := open(t, dovecotOptions(d, postroom.TLSImplicit, ""))
			testAfterImport(t, c, letters)

			if got := d.Messages(anna, "INBOX"); !slices.EqualFunc(got, letters[3:4], bytes.Equal) {
				t.Errorf("in the inbox there is %q", got)
			}
			got := d.Messages(anna, "Erledigt/März & Co") // on the disk it is the same in both
			want := [][]byte{letters[0], letters[1], letters[2], []byte("Subject: appended\r\n\r\n")}
			slices.SortFunc(got, bytes.Compare)
			slices.SortFunc(want, bytes.Compare)
			if !slices.EqualFunc(got, want, bytes.Equal) {
				t.Errorf("in the archive there is %q", got)
			}
		})
	}
}

func testAfterImport(t *testing.T, c *Client, letters [][]byte) {
	t.Helper()
	const archive = "Erledigt/März & Co"
	ctx := t.Context()
	try := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	_, err := c.Select(ctx, "INBOX")
	try("Select", err)
	err = c.Move(ctx, []uint32{1}, archive)
	if !MayLackFolder(err) || !c.Usable() {
		t.Errorf("a move to where nothing is: %v", err)
	}
	try("Create", c.Create(ctx, archive))
	try("Create again", c.Create(ctx, archive))
	try("Move", c.Move(ctx, []uint32{1, 2, 99}, archive))
	try("Copy", c.Copy(ctx, []uint32{3}, archive))
	try("Store", c.Store(ctx, []uint32{3, 4, 5}, true, `\Deleted`))
	try("Expunge", c.Expunge(ctx, []uint32{3, 5}))
	if c.news || c.exists != 1 {
		t.Errorf("what we did ourselves is news: %v, %d messages left", c.news, c.exists)
	}
	body := "Subject: appended\r\n\r\n"
	try("Append", c.Append(ctx, archive, []string{`\Seen`}, time.Now(), int64(len(body)), strings.NewReader(body)))

	again, err := c.Select(ctx, archive)
	try("Select the archive", err)
	if again.Exists != 4 || again.Folder != archive || again.UIDValidity == 0 {
		t.Errorf("the archive is %+v", again)
	}
	for id, want := range map[string]int{"<two@example.com>": 1, "<three@example.com>": 1, "<four@example.com>": 0, "<o@example.com>": 0} {
		copies, err := c.CopiesOf(ctx, id, 0)
		if err != nil || len(copies) != want {
			t.Errorf("%s is there as %v, %v, want %d", id, copies, err, want)
		}
	}
	copies, err := c.CopiesOf(ctx, "", int64(len(body)))
	if err != nil || len(copies) != 1 {
		t.Errorf("without Message-ID there is %v, %v", copies, err)
	}
	if copies, err := c.CopiesOf(ctx, "two@example.com", int64(len(letters[1]))+1); err != nil || len(copies) != 0 {
		t.Errorf("of another size there is %v, %v", copies, err)
	}
	// Another connection finds the folder by the name that was given.
	try("Examine", func() error { _, err := c.Examine(ctx, archive); return err }())
	folders, err := c.Folders(ctx)
	try("Folders", err)
	if !slices.ContainsFunc(folders, func(f Folder) bool { return strings.HasSuffix(f.Name, "März & Co") }) {
		t.Errorf("folders = %+v", folders)
	}
}
