package imap

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// lettersOf are messages of every size up to some thousand bytes.
func lettersOf(count int) [][]byte {
	letters := make([][]byte, 0, count)
	for i := range count - 1 {
		letters = append(letters, fmt.Appendf(nil, "Message-ID: <%d@example.com>\r\nSubject: letter %[1]d\r\n\r\n.\r\n%s\r\n", i, strings.Repeat("x", i*50)))
	}
	return append(letters, []byte("From: a@example.com\r\nSubject: odd\r\n\r\n8-bit \xff,\r\n\r\n.dots\r\n"))
}

// seeAll compares everything that the client sees in the inbox with what was
// delivered, in this order.
func seeAll(t *testing.T, c *Client, want [][]byte) {
	t.Helper()
	ctx := t.Context()
	if folders, err := c.Folders(ctx); err != nil || len(folders) == 0 || !strings.EqualFold(folders[0].Name, "INBOX") {
		t.Errorf("Folders = %+v, %v", folders, err)
	}
	status, err := c.Settle(ctx, "INBOX")
	if err != nil || int(status.Exists) != len(want) || status.UIDValidity == 0 || status.UIDNext != 0 && int(status.UIDNext) != len(want)+1 {
		t.Fatalf("Settle = %+v, %v, want %d messages", status, err, len(want))
	}
	if again, err := c.Examine(ctx, "INBOX"); err != nil || again.UIDValidity != status.UIDValidity {
		t.Errorf("Examine = %+v, %v, after %+v", again, err, status)
	}
	uids, err := c.UIDs(ctx, 1)
	if err != nil || len(uids) != len(want) {
		t.Fatalf("UIDs = %d, %v", len(uids), err)
	}
	next := 0
	err = c.Bodies(ctx, uids, func(f Fact, r io.Reader) error {
		got, err := io.ReadAll(r)
		if string(got) != string(want[next]) || f.UID != uids[next] || f.InternalDate.IsZero() || int(f.SizeBytes) != len(got) {
			t.Errorf("message %d is %.100q, %+v, want %.100q", f.UID, got, f, want[next])
		}
		next++
		return err
	})
	if err != nil || next != len(want) {
		t.Errorf("Bodies took %d, %v", next, err)
	}
	if err := c.Facts(ctx, uids, []string{"Subject"}, func(f Fact) error {
		if next--; f.SizeBytes == 0 || !strings.HasPrefix(string(f.Header), "Subject: ") {
			t.Errorf("fact = %+v", f)
		}
		return nil
	}); err != nil || next != 0 {
		t.Errorf("Facts left %d, %v", next, err)
	}
}

// hearNews waits for a message that deliver puts into the inbox of n messages.
func hearNews(t *testing.T, c *Client, n int, deliver func()) {
	t.Helper()
	ctx := t.Context()
	if _, err := c.Examine(ctx, "INBOX"); err != nil {
		t.Fatal(err)
	}
	deliver()
	for began := time.Now(); ; {
		news, err := c.Idle(ctx, 2*time.Second)
		if err == nil && !news { // a server may notice when it is asked only
			news, err = c.Noop(ctx)
		}
		if err != nil || time.Since(began) > 20*time.Second {
			t.Fatalf("nothing is heard of the new message: %v", err)
		}
		if news {
			break
		}
	}
	if uids, err := c.UIDs(ctx, uint32(n)+1); err != nil || len(uids) != 1 || uids[0] != uint32(n)+1 {
		t.Errorf("UIDs = %v, %v, want one", uids, err)
	}
}
