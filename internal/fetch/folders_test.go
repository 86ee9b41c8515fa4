package fetch_test

import (
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

// Several folders of one mailbox are read over one connection, whatever their
// names; one that is not there does not keep the others from being read.
func TestFoldersOfOneMailbox(t *testing.T) {
	user := "folders@example.net"
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{user: "secret"}})
	folders := []string{"INBOX", "Größe & Gewicht", "受信箱", "gone"}
	for i, folder := range folders {
		d.Deliver(user, folder, letter(10*i, ""), letter(10*i+1, ""))
	}
	b := newBench(t, store.Options{Path: t.TempDir() + "/postroom.db"})
	m := mailboxOn(d, user)
	m.Incoming.Folders = folders
	m.Incoming.PollInterval = 200 * time.Millisecond
	id := b.add(m)
	b.run()
	b.until("two letters of each folder are filed", func() bool { return b.counts(id)[postroom.ArrivalFiled] == 8 })

	d.Doveadm("mailbox", "delete", "-u", user, "gone")
	b.until("the mailbox is in trouble", func() bool {
		k, err := b.db.KeptMailbox(t.Context(), id)
		return err == nil && k.Fault != nil
	})
	d.Deliver(user, "受信箱", letter(100, ""))
	d.Deliver(user, "INBOX", letter(101, ""))
	b.until("the other folders are read all the same", func() bool { return b.counts(id)[postroom.ArrivalFiled] == 10 })

	d.Deliver(user, "gone", letter(102, ""))
	b.until("the folder is back", func() bool {
		k, err := b.db.KeptMailbox(t.Context(), id)
		return err == nil && k.Fault == nil && k.State == postroom.MailboxActive && b.counts(id)[postroom.ArrivalFiled] == 11
	})
}
