package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
)

// A crowded disk is a small one with an installation and something else that fills it.
// The mail comes from a simulated server.
type crowded struct {
	*installed
	provider *simulator.Server
	mailbox  api.Mailbox
	sent     int
}

const hermit = "support@example.net"

// crowd starts a server on a disk of so many MB, with a mailbox that has some mails.
func crowd(t *testing.T, sizeMB int64, args ...string) *crowded {
	t.Helper()
	return importing(t, testbed.SmallDisk(t, sizeMB*mega), args...)
}

// importing starts a server on a directory, with a mailbox that has some mails.
func importing(t *testing.T, dir string, args ...string) *crowded {
	t.Helper()
	c := &crowded{installed: &installed{T: t, data: dir, args: args}}
	printed := strings.Split(strings.TrimSpace(mustSay(t, "", append([]string{"token", "create", "--name", "test", "--data", c.data}, databaseOf(args)...)...)), "\n")
	c.token = printed[len(printed)-1]
	c.begin()
	var err error
	if c.provider, err = simulator.Start(simulator.Options{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.provider.Close() })
	c.provider.AddAccount(hermit, "right-password")
	host, port, _ := strings.Cut(c.provider.Address(), ":")
	number, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	c.deliver(50)
	c.mailbox = c.connect(hermit, "right-password", map[string]any{"host": host, "port": number, "tls": "none", "username": hermit, "poll_interval": "1s"})
	c.filed(c.mailbox, 50)
	return c
}

func (c *crowded) deliver(count int) {
	c.Helper()
	for range count {
		if _, err := c.provider.Append(hermit, "INBOX", simulator.Generated(23, c.sent), time.Time{}); err != nil {
			c.Fatal(err)
		}
		c.sent++
	}
}

// deliverLarge has messages come that are written ahead.
func (c *crowded) deliverLarge(count int) {
	c.Helper()
	for range count {
		c.sent++
		raw := fmt.Sprintf("From: Tom <tom@example.org>\r\nSubject: Large %d\r\nMessage-ID: <large%d@example.org>\r\n\r\n%s\r\n", c.sent, c.sent,
			base64.StdEncoding.EncodeToString(noise(2*mega)))
		if _, err := c.provider.Append(hermit, "INBOX", []byte(raw), time.Time{}); err != nil {
			c.Fatal(err)
		}
	}
}

// fill leaves so many bytes free, and returns what takes the rest away again.
func (c *crowded) fill(leave int64) (empty func()) {
	c.Helper()
	return fillDisk(c.T, c.data, leave)
}

func fillDisk(t *testing.T, dir string, leave int64) (empty func()) {
	t.Helper()
	path := filepath.Join(dir, "something else")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 1<<20)
	for {
		free, known := store.FreeBytes(dir)
		if !known || free <= leave {
			break
		}
		if _, err := f.Write(block[:min(int64(len(block)), free-leave)]); err != nil {
			break // full to the last byte
		}
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// page returns what an address at the root answers.
func (c *crowded) page(path string) string {
	answer, err := http.Get(c.server.url + path)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return string(text) + fmt.Sprint(errors.Join(err))
}

func (c *crowded) says(path, words string) {
	c.Helper()
	err := eventually(patience, func() error {
		if got := c.page(path); !strings.Contains(got, words) {
			return fmt.Errorf("%s says %q, want %q", path, got, words)
		}
		return nil
	})
	if err != nil {
		c.Error(err)
	}
}

// everything is filed, once, and nothing was held against a mail.
func (c *crowded) everything() {
	c.Helper()
	c.filed(c.mailbox, c.sent)
	c.comesToBalance(c.mailbox)
	var l api.Ledger
	c.must(http.MethodGet, "/mailboxes/"+c.mailbox.ID+"/ledger", nil, &l)
	if l.Quarantined+l.Duplicate+l.Waiting+l.Vanished != 0 || l.Filed != int64(c.sent) {
		c.Errorf("the ledger is %+v, want %d filed and nothing else", l, c.sent)
	}
	c.becomes(c.mailbox.ID, "active")
}

func TestReadingStopsAboveAFullDiskAndGoesOnByItself(t *testing.T) {
	t.Parallel()
	c := crowd(t, 96, "--min-free", "32")
	empty := c.fill(20 * mega)
	m := c.becomes(c.mailbox.ID, "delayed")
	if m.Health.Fault == nil || !strings.Contains(m.Health.Fault.Explanation, "are free on the disk") || !strings.Contains(m.Health.Fault.Remedy, "36 MB") {
		t.Errorf("the mailbox says %+v, want how much is free and how much is needed", m.Health.Fault)
	}
	c.says("/readyz", "are free on the disk")
	c.says("/metrics", "postroom_reading_held 1")
	c.deliver(30)
	c.stays(50)
	empty()
	c.says("/metrics", "postroom_reading_held 0")
	c.everything()
}

// stays looks for a while whether anything is brought in.
func (c *crowded) stays(filed int64) {
	c.Helper()
	over := time.After(3 * time.Second)
	for {
		var l api.Ledger
		if _, err := c.call(context.Background(), http.MethodGet, "/mailboxes/"+c.mailbox.ID+"/ledger", nil, &l); err != nil || l.Filed != filed {
			c.Fatalf("%d are filed (%v), want still %d", l.Filed, err, filed)
		}
		select {
		case <-over:
			return
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// TestDiskFilledInMidImport has no floor: the disk is full to the last byte while mail
// comes in.
func TestDiskFilledInMidImport(t *testing.T) {
	t.Parallel()
	c := crowd(t, 96, "--min-free", "0")
	c.deliver(300)
	empty := c.fill(0)
	c.deliver(300)
	c.deliverLarge(5)
	c.says("/readyz", "is full")
	c.says("/metrics", "postroom_reading_held 1")
	select {
	case <-c.server.ended:
		t.Fatalf("the server ended with %v", c.server.err)
	case <-time.After(12 * time.Second): // it has met the full disk more than once
	}
	empty()
	c.everything()
}

// TestPostgresIsStoppedStartedAndKilledInMidImport has mail come in all the while.
func TestPostgresIsStoppedStartedAndKilledInMidImport(t *testing.T) {
	t.Parallel()
	server := testbed.PostgresServer(t)
	c := importing(t, t.TempDir(), "--database", server.URL)
	for round, end := range []func(){server.Stop, server.Kill, server.Stop, server.Kill} {
		c.deliver(100)
		end()
		c.says("/readyz", "does not answer")
		server.Start()
		c.says("/readyz", "ready")
		if round%2 == 1 { // otherwise the next end comes while this one is being made good
			c.filed(c.mailbox, c.sent)
		}
	}
	c.everything()
}

func TestBackupAndRestoreSayThatThereIsNoRoom(t *testing.T) {
	data, small := t.TempDir(), testbed.SmallDisk(t, 4*mega)
	mustSay(t, "", "token", "create", "--name", "test", "--data", data)
	whole := filepath.Join(t.TempDir(), "whole.backup")
	mustSay(t, testPassphrase+"\n", "backup", whole, "--data", data, "--passphrase-stdin")
	fillDisk(t, small, 0)
	for _, args := range [][]string{
		{"backup", filepath.Join(small, "new.backup"), "--data", data},
		{"restore", whole, "--data", filepath.Join(small, "data")},
	} {
		var said strings.Builder
		in := strings.NewReader(testPassphrase + "\n")
		if code := run(t.Context(), append(args, "--passphrase-stdin"), terminal{in, io.Discard, &said}); code != exitFailed || !strings.Contains(said.String(), "no room") {
			t.Errorf("%s ends with %d and says %q, want that there is no room", args[0], code, said.String())
		}
	}
	files, err := os.ReadDir(small)
	if err != nil || slices.ContainsFunc(files, func(f os.DirEntry) bool { return strings.Contains(f.Name(), "backup") }) {
		t.Errorf("%v are left, %v", files, err)
	}
}
