package imap

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// canned is a connection from which the server's words come, and into which
// everything may be said.
type canned struct{ io.Reader }

func (canned) Write(p []byte) (int, error)      { return len(p), nil }
func (canned) Close() error                     { return nil }
func (canned) LocalAddr() net.Addr              { return nil }
func (canned) RemoteAddr() net.Addr             { return nil }
func (canned) SetDeadline(time.Time) error      { return nil }
func (canned) SetReadDeadline(time.Time) error  { return nil }
func (canned) SetWriteDeadline(time.Time) error { return nil }

// Whatever a server says, nothing panics or hangs, every body has the length of
// its literal, and what was asked for once is taken once at most.
func FuzzResponses(f *testing.F) {
	for _, seed := range []string{
		"* 1 FETCH (UID 101 FLAGS (\\Seen) INTERNALDATE \" 1-Jan-2024 10:00:00 +0100\" RFC822.SIZE 5 BODY[] {5}\r\nhello)\r\nP1 OK done\r\n",
		"* 2 FETCH (BODY[] {3}\r\nabc RFC822.SIZE 3 UID 102)\r\n* 7 UIDFETCH (X {2}\r\n()) \r\nP1 OK\r\n* SEARCH 1 2 3\r\nP2 OK [MESSAGELIMIT 2 2] x\r\n* SEARCH 1\r\nP3 OK\r\n",
		"* LIST (\\Sent) \"/\" {3}\r\na\"b\r\n* LIST () NIL \"&APw-\"\r\nP1 NO\r\nP2 OK\r\n",
		"* ESEARCH (TAG \"P1\") UID ALL 1:4,6\r\n* VANISHED (EARLIER) 1:9\r\n* BYE [X y] gone\r\nP1 OK\r\n",
		"* 5 EXISTS\n* OK [UIDVALIDITY 7]\n\n+ x\n* 1 FETCH (BODY[HEADER.FIELDS (A \"b)\")] \"x\\\"y\" BODY[] NIL)\nP1 OK\n",
		"* 1 FETCH (UID 101 BODY[] ~{99999999}\r\nshort",
		"* NAMESPACE ((\"INBOX.\" \".\")(\"#x\" NIL)) NIL NIL\r\nP1 OK\r\n* LIST () \".\" INBOX.a.b\r\nP2 NO [TRYCREATE] x\r\nP3 OK\r\nP4 NO\r\nP5 OK\r\n",
		"* NAMESPACE (({6}\r\nINBOX/ \"/\" \"X\" (\"y\")\r\nP1 OK\r\n* LIST (\\Trash) \"/\" \"\"\r\nP2 NO [ALREADYEXISTS]\r\n",
		"* STATUS {1}\r\na (MESSAGES 3 UIDNEXT 17 UIDVALIDITY 4294967304)\r\nP2 OK\r\n* 6 EXISTS\r\nP1 NO\r\n* STATUS b (UIDNEXT (\r\nP3 OK\r\n",
		"* SEARCH 101 102\r\nP1 OK\r\n* 1 FETCH (UID 101 RFC822.SIZE 9 BODY[HEADER.FIELDS (\"Message-ID\")] {12}\r\nMessage-ID:a)\r\nP2 OK\r\n",
		"+ go on\r\n* 1 EXPUNGE\r\n* VANISHED 1:9\r\nP1 OK [APPENDUID 1 2] x\r\n* OK [COPYUID 9 101 1] x\r\nP2 NO [MESSAGELIMIT 1 1]\r\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, words []byte) {
		ctx := context.Background()
		fresh := func() *Client {
			c := newClient(canned{bytes.NewReader(words)}, Options{})
			c.exists = 5
			c.setCapabilities("IMAP4rev1 ESEARCH IDLE NAMESPACE X-GM-EXT-1")
			return c
		}
		taken := make(map[uint32]bool)
		take := func(f Fact, r io.Reader) error {
			if taken[f.UID] || f.UID < 101 || f.UID > 102 {
				t.Errorf("message %d was taken again, or not asked for", f.UID)
			}
			taken[f.UID] = true
			_, err := io.Copy(io.Discard, r)
			return err
		}
		fresh().Bodies(ctx, []uint32{101, 102}, take)
		clear(taken)
		fresh().Facts(ctx, []uint32{101, 102}, []string{"Date"}, func(f Fact) error { return take(f, bytes.NewReader(nil)) })
		uids, err := fresh().UIDs(ctx, 3)
		for i, uid := range uids {
			if uid < 3 || i > 0 && uids[i-1] >= uid {
				t.Errorf("UIDs = %v, %v", uids, err)
			}
		}
		c := fresh()
		if folders, err := c.Folders(ctx); err == nil {
			for _, f := range folders {
				c.Examine(ctx, f.Name)
			}
		}
		c = fresh()
		if _, others, err := c.Glance(ctx, []string{"a", "b"}); err == nil && len(others) != 2 {
			t.Errorf("Glance = %+v", others)
		}
		c = fresh()
		for _, folder := range []string{"a/b", "INBOX"} {
			c.Create(ctx, folder)
			c.Move(ctx, []uint32{101, 102}, folder)
		}
		c = fresh()
		c.Expunge(ctx, []uint32{101})
		c.Append(ctx, "a", nil, time.Time{}, 4, strings.NewReader("text"))
		copies, _ := fresh().CopiesOf(ctx, "<a>", 9)
		for i, uid := range copies {
			if uid == 0 || i > 0 && copies[i-1] >= uid {
				t.Errorf("CopiesOf = %v", copies)
			}
		}
		fresh().FolderFor(ctx, `\Trash`)
		fresh().Idle(ctx, time.Second)
		fresh().greeting(ctx, time.Second)
	})
}
