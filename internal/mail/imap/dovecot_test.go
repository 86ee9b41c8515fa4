package imap

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/testbed"
)

const (
	anna     = "anna@example.net"
	password = `ä "b\c d`
)

func dovecotOptions(d *testbed.DovecotServer, policy postroom.TLSPolicy, mechanism string) Options {
	o := Options{
		Endpoint: mail.Endpoint{Host: d.Host, Port: d.IMAPPort, TLS: policy, CACertificate: d.CAPEM},
		Login:    mail.Login{Username: anna, Secret: postroom.Hide(password), Mechanism: mechanism},
	}
	if policy == postroom.TLSImplicit {
		o.Endpoint.Port = d.IMAPSPort
	}
	return o
}

func TestDovecot(t *testing.T) {
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{anna: password}})
	var letters [][]byte
	for i := range 500 {
		letters = append(letters, fmt.Appendf(nil, "From: a@example.com\r\nSubject: letter %d\r\n\r\n%s\r\n", i, strings.Repeat("x", i*100)))
	}
	letters = append(letters, []byte("Subject: odd\n\nnul \x00, 8-bit \xff, and no end"), []byte("\n"))
	d.Deliver(anna, "INBOX", letters...)
	d.DeliverAt(time.Date(2025, 3, 4, 5, 6, 7, 0, time.UTC), anna, "Größe/März & Co", letters[7])

	for name, o := range map[string]Options{
		"in clear, SCRAM by choice": dovecotOptions(d, postroom.TLSNone, ""),
		"STARTTLS, PLAIN by choice": dovecotOptions(d, postroom.TLSStart, ""),
		"TLS, LOGIN":                dovecotOptions(d, postroom.TLSImplicit, mail.LoginSASL),
		"TLS, SCRAM":                dovecotOptions(d, postroom.TLSImplicit, mail.ScramSHA256),
	} {
		t.Run(name, func(t *testing.T) {
			c := open(t, o)
			readAll(t, c, d)
		})
	}

	t.Run("a wrong password", func(t *testing.T) {
		o := dovecotOptions(d, postroom.TLSImplicit, "")
		o.Secret = postroom.Hide("wrong")
		if r := refusalOfOpen(t, o); r.Phase != mail.PhaseAuth || r.Code != "AUTHENTICATIONFAILED" || r.Err != nil {
			t.Errorf("refusal = %+v", r)
		}
	})
	t.Run("IDLE", func(t *testing.T) {
		c := open(t, dovecotOptions(d, postroom.TLSImplicit, ""))
		testDovecotIdle(t, c, d)
	})
}

// readAll compares everything that the client sees with what lies on the disk.
func readAll(t *testing.T, c *Client, d *testbed.DovecotServer) {
	t.Helper()
	ctx := t.Context()
	folders, err := c.Folders(ctx)
	if err != nil || !slices.ContainsFunc(folders, func(f Folder) bool { return f.Name == "Größe/März & Co" || f.Name == "Größe.März & Co" }) {
		t.Errorf("Folders = %+v, %v", folders, err)
	}
	for _, f := range folders {
		if s, err := c.Examine(ctx, f.Name); !f.NoSelect && (err != nil || s.UIDValidity == 0) {
			t.Errorf("Examine(%q) = %+v, %v", f.Name, s, err)
		}
	}
	status, err := c.Examine(ctx, "INBOX")
	want := d.Messages(anna, "INBOX")
	if err != nil || int(status.Exists) != len(want) {
		t.Fatalf("Examine = %+v, %v, want %d messages", status, err, len(want))
	}
	uids, err := c.UIDs(ctx, 1)
	if err != nil || len(uids) != len(want) {
		t.Fatalf("UIDs = %d, %v", len(uids), err)
	}
	next := 0
	err = c.Bodies(ctx, uids, func(f Fact, r io.Reader) error {
		got, err := io.ReadAll(r)
		if f.UID != uids[next] || !bytes.Equal(got, want[next]) || f.InternalDate.IsZero() {
			t.Errorf("message %d is %.100q, want %.100q", f.UID, got, want[next])
		}
		next++
		return err
	})
	if err != nil || next != len(want) {
		t.Errorf("Bodies took %d, %v", next, err)
	}
	if err := c.Facts(ctx, uids, []string{"Subject"}, func(f Fact) error {
		if next--; f.InternalDate.IsZero() || f.SizeBytes == 0 {
			t.Errorf("fact = %+v", f)
		}
		return nil
	}); err != nil || next != 0 {
		t.Errorf("Facts left %d, %v", next, err)
	}
}

func testDovecotIdle(t *testing.T, c *Client, d *testbed.DovecotServer) {
	t.Helper()
	status, err := c.Examine(t.Context(), "INBOX")
	if err != nil {
		t.Fatal(err)
	}
	if news, err := c.Idle(t.Context(), 100*time.Millisecond); news || err != nil {
		t.Errorf("Idle = %v, %v, want nothing", news, err)
	}
	d.Deliver(anna, "INBOX", []byte("Subject: new\r\n\r\n"))
	if news, err := c.Idle(t.Context(), 20*time.Second); !news || err != nil {
		t.Errorf("Idle = %v, %v, want news", news, err)
	}
	if uids, err := c.UIDs(t.Context(), status.UIDNext); err != nil || len(uids) != 1 {
		t.Errorf("UIDs = %v, %v, want one", uids, err)
	}
	if _, err := c.Select(t.Context(), "INBOX"); err != nil {
		t.Fatal(err)
	}
	if err := c.Store(t.Context(), []uint32{status.UIDNext}, true, `\Seen`); err != nil {
		t.Errorf("Store: %v", err)
	}
	d.Kick(anna)
	if _, err := c.Idle(t.Context(), 20*time.Second); err == nil || c.Usable() {
		t.Errorf("Idle survived being kicked: %v", err)
	}
}

// The goal is 32 KB for an idle mailbox over TLS, of which TLS itself keeps about 5,
// and 10 more once a server has sent whole records; the goroutine that waits has 8.
func TestIdleConnectionsCostLittleMemory(t *testing.T) {
	const connections = 100
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: map[string]string{anna: password}})
	var letters [][]byte
	for range 50 {
		letters = append(letters, bytes.Repeat([]byte("Subject: x\r\n\r\nText\r\n"), 2000))
	}
	d.Deliver(anna, "INBOX", letters...)
	measure := func() uint64 {
		var m runtime.MemStats
		for range 3 { // stacks halve with each
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc + m.StackInuse
	}
	before := measure()
	ctx, cancel := context.WithCancel(t.Context())
	var idle, done sync.WaitGroup
	for range connections {
		c := open(t, dovecotOptions(d, postroom.TLSImplicit, ""))
		idle.Add(1)
		done.Go(func() {
			_, err := c.Examine(ctx, "INBOX")
			if err == nil {
				err = c.Bodies(ctx, []uint32{1, 2, 3}, func(_ Fact, r io.Reader) error {
					_, err := io.Copy(io.Discard, r)
					return err
				})
			}
			if err == nil {
				_, err = c.Idle(ctx, time.Millisecond)
			}
			idle.Done()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = c.Idle(ctx, time.Minute) // until all have been measured
		})
	}
	idle.Wait()
	each := (measure() - before) / connections
	cancel()
	done.Wait()
	t.Logf("%d bytes for each of %d idle connections", each, connections)
	if each > 32<<10 && !underRace {
		t.Errorf("%d bytes for each idle connection, want 32 KB at most", each)
	}
}
