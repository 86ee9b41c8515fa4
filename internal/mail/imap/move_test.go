package imap

import (
	"context"
	"slices"
	"testing"

	"github.com/postroom/postroom/internal/mail"
)

func TestMoveAndCopyAndExpunge(t *testing.T) {
	c := inbox(t, "MOVE UIDPLUS", `
	C: UID MOVE 7,101:102 "Archive"
	S: * OK [COPYUID 9 101:102 1:2] moved
	S: * 1 EXPUNGE
	S: * 1 EXPUNGE
	S: <tag> OK done
	C: UID COPY 103 "Archive"
	S: <tag> OK [COPYUID 9 103 3] copied
	C: UID STORE 103 +FLAGS.SILENT (\Deleted)
	S: <tag> OK done
	C: UID EXPUNGE 103
	S: * VANISHED 103
	S: <tag> OK done
	C: UID COPY 104 "nowhere"
	S: <tag> NO [TRYCREATE] no such folder
	C: LIST "" "*"
	S: <tag> OK done
	C: LIST "" ""
	S: <tag> OK done
	`+noop)
	ctx := t.Context()
	for what, err := range map[string]error{
		"Move":    c.Move(ctx, []uint32{102, 101, 7, 101}, "Archive"),
		"Copy":    c.Copy(ctx, []uint32{103}, "Archive"),
		"Store":   c.Store(ctx, []uint32{103}, true, `\Deleted`),
		"Expunge": c.Expunge(ctx, []uint32{103}),
	} {
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	if c.exists != 2 || c.news {
		t.Errorf("%d messages, news %v, want 2 and none", c.exists, c.news)
	}
	err := c.Copy(ctx, []uint32{104}, "nowhere")
	if r, _ := mail.RefusalOf(err); r == nil || r.Code != "TRYCREATE" {
		t.Errorf("Copy: %v", err)
	}
	if _, err := c.Noop(ctx); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestNothingToMoveAsksNothing(t *testing.T) {
	c := inbox(t, "MOVE", noop)
	for _, do := range []func(context.Context, []uint32, string) error{c.Move, c.Copy} {
		if err := do(t.Context(), nil, "Archive"); err != nil {
			t.Error(err)
		}
	}
	if err := c.Expunge(t.Context(), nil); err != nil {
		t.Error(err)
	}
	if _, err := c.Noop(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestCopiesOf(t *testing.T) {
	const ids = "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[HEADER.FIELDS (Message-ID)])"
	tests := map[string]struct {
		id     string
		server string
		want   []uint32
	}{
		"found, among others that resemble it": {"<a@b>", `
			C: UID SEARCH HEADER Message-ID "a@b"
			S: * SEARCH 101 103 102 104
			S: <tag> OK done
			C: UID FETCH 101:104 ` + ids + `
			R: "* 1 FETCH (UID 101 RFC822.SIZE 50 BODY[HEADER.FIELDS (Message-ID)] {19}\r\nMessage-ID: <a@b>\r\n)\r\n"
			R: "* 2 FETCH (UID 102 RFC822.SIZE 50 BODY[HEADER.FIELDS (Message-ID)] {22}\r\nMessage-ID: <a@bc>\r\n\r\n)\r\n"
			R: "* 3 FETCH (UID 103 RFC822.SIZE 51 BODY[HEADER.FIELDS (Message-ID)] {19}\r\nMessage-ID: <a@b>\r\n)\r\n"
			R: "* 4 FETCH (UID 104 RFC822.SIZE 50 BODY[HEADER.FIELDS (Message-ID)] {22}\r\nmessage-id:\r\n <a@b>\r\n\r\n)\r\n"
			S: <tag> OK done`, []uint32{101, 104}},
		"an index that lags": {"<a@b>", `
			C: UID SEARCH HEADER Message-ID "a@b"
			S: * SEARCH
			S: <tag> OK done
			C: UID SEARCH ALL
			S: * SEARCH 101 105
			S: <tag> OK done
			C: UID FETCH 1:* (UID)
			S: <tag> OK done
			C: UID FETCH 101,105 ` + ids + `
			R: "* 5 FETCH (UID 105 RFC822.SIZE 50 BODY[HEADER.FIELDS (Message-ID)] {19}\r\nMessage-ID: <a@b>\r\n)\r\n"
			S: <tag> OK done`, []uint32{105}},
		"a search that is refused, in letters beyond ASCII": {"<ü@b>", `
			C: UID SEARCH CHARSET UTF-8 HEADER Message-ID {4+}
			C: ü@b
			S: <tag> NO [BADCHARSET] what?
			C: UID SEARCH ALL
			S: * SEARCH 101 102 103 104 105
			S: <tag> OK done
			C: UID FETCH 101:105 ` + ids + `
			S: <tag> OK done`, nil},
		"no Message-ID": {"", `
			C: UID SEARCH LARGER 49 SMALLER 51
			S: * SEARCH 101 102
			S: <tag> OK done
			C: UID FETCH 101:102 ` + ids + `
			R: "* 1 FETCH (UID 101 RFC822.SIZE 50 BODY[HEADER.FIELDS (Message-ID)] {19}\r\nMessage-ID: <a@b>\r\n)\r\n"
			R: "* 2 FETCH (UID 102 RFC822.SIZE 50 BODY[HEADER.FIELDS (Message-ID)] {2}\r\n\r\n)\r\n"
			S: <tag> OK done`, []uint32{102}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c := inbox(t, "", test.server+noop)
			got, err := c.CopiesOf(t.Context(), test.id, 50)
			if err != nil || !slices.Equal(got, test.want) {
				t.Errorf("CopiesOf = %v, %v, want %v", got, err, test.want)
			}
			if _, err := c.Noop(t.Context()); err != nil {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}
