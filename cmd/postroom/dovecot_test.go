package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"testing"
	"time"

	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/testbed"
)

// boxesOf returns so many users of a Dovecot with their passwords.
func boxesOf(count int) map[string]string {
	users := make(map[string]string)
	for n := range count {
		users[box(n)] = "right-password"
	}
	return users
}

// identical fails the test unless every message of a folder on the server is
// filed under its UID, and the bytes that the API gives are those of the server.
func (i *installed) identical(m api.Mailbox, onServer [][]byte) {
	i.Helper()
	seen := make(map[uint32]bool)
	for _, a := range all[api.Arrival](i, "/arrivals", url.Values{"mailbox": {m.ID}}) {
		n := int(a.UID)
		switch {
		case n < 1 || n > len(onServer) || seen[a.UID]:
			i.Errorf("%s: UID %d is in the ledger, and the server has 1 to %d, each once", m.Address, a.UID, len(onServer))
			continue
		case a.Mail == nil:
			i.Errorf("%s: UID %d has no mail: it is %s, %s", m.Address, a.UID, a.State, a.Reason)
			continue
		}
		seen[a.UID] = true
		raw, err := i.call(context.Background(), http.MethodGet, "/mails/"+*a.Mail+"/raw", nil, nil)
		if err != nil {
			i.Errorf("%s: bytes of UID %d: %v", m.Address, a.UID, err)
		} else if !bytes.Equal(raw, onServer[n-1]) {
			i.Errorf("%s: UID %d has %d bytes (%x) here and %d (%x) on the server", m.Address, a.UID,
				len(raw), sha256.Sum256(raw), len(onServer[n-1]), sha256.Sum256(onServer[n-1]))
		}
	}
	if len(seen) != len(onServer) {
		i.Errorf("%s: %d messages are in the ledger, the server has %d", m.Address, len(seen), len(onServer))
	}
}

func TestDovecotByEveryWay(t *testing.T) {
	t.Parallel()
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: boxesOf(3)})
	strict := testbed.Dovecot(t, testbed.DovecotOptions{Users: boxesOf(1), RequireTLS: true})
	i := install(t)
	for way, w := range map[string]struct {
		server   *testbed.DovecotServer
		user     string
		incoming map[string]any
	}{
		"IMAP to loopback":                 {d, box(0), map[string]any{"host": d.Host, "port": d.IMAPPort, "tls": "none"}},
		"IMAPS with its CA":                {d, box(1), map[string]any{"host": d.Host, "port": d.IMAPSPort, "tls": "implicit", "ca_certificate": d.CAPEM}},
		"IMAPS by name, with its CA":       {d, box(2), map[string]any{"host": "localhost", "port": d.IMAPSPort, "tls": "implicit", "ca_certificate": d.CAPEM}},
		"STARTTLS, required by the server": {strict, box(0), map[string]any{"host": strict.Host, "port": strict.IMAPPort, "tls": "starttls", "ca_certificate": strict.CAPEM}},
	} {
		t.Run(way, func(t *testing.T) {
			i := i.in(t)
			var before, after [][]byte
			for n := range 12 {
				before, after = append(before, simulator.Generated(5, n)), append(after, simulator.Generated(6, n))
			}
			w.server.Deliver(w.user, "INBOX", before...)
			w.incoming["username"] = w.user
			m := i.connect(fmt.Sprintf("way%d@example.net", len(way)), "right-password", w.incoming)
			i.becomes(m.ID, "active")
			w.server.Deliver(w.user, "INBOX", after...)
			i.filed(m, 24)
			i.balanced(m, 24)
			i.identical(m, w.server.Messages(w.user, "INBOX"))
		})
	}
}

// in is the installation as a part of another test.
func (i *installed) in(t *testing.T) *installed {
	part := *i
	part.T = t
	return &part
}

// filed waits until so many messages of a mailbox are filed.
func (i *installed) filed(m api.Mailbox, want int) {
	i.Helper()
	err := eventually(patience, func() error {
		var l api.Ledger
		if _, err := i.call(context.Background(), http.MethodGet, "/mailboxes/"+m.ID+"/ledger", nil, &l); err != nil {
			return err
		}
		if l.Filed != int64(want) {
			return fmt.Errorf("the ledger of %s is %+v, want %d filed", m.Address, l, want)
		}
		return nil
	})
	if err != nil {
		i.Fatal(err)
	}
}

func TestAnUntrustedCertificateNeedsAPerson(t *testing.T) {
	const untrusted = "tls_untrusted"
	t.Parallel()
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: boxesOf(2)})
	i := install(t)
	for name, w := range map[string]struct {
		user     string
		incoming map[string]any
	}{
		"TLS from the first byte": {box(0), map[string]any{"host": d.Host, "port": d.IMAPSPort, "tls": "implicit"}},
		"STARTTLS":                {box(1), map[string]any{"host": d.Host, "port": d.IMAPPort, "tls": "starttls"}},
	} {
		t.Run(name, func(t *testing.T) {
			i := i.in(t)
			d.Deliver(w.user, "INBOX", simulator.Generated(7, 1), simulator.Generated(7, 2))
			w.incoming["username"] = w.user
			m := i.connect(w.user, "right-password", w.incoming)
			m = i.troubled(m.ID)
			if m.State != "draft" || m.Health.Fault.Class != untrusted || m.Health.Fault.Remedy == "" {
				t.Errorf("it is %s with %+v, want a draft with %s", m.State, m.Health.Fault, untrusted)
			}

			// A person gives the certificate, and it is read.
			i.must(http.MethodPatch, "/mailboxes/"+m.ID, map[string]any{"incoming": map[string]any{"ca_certificate": d.CAPEM}}, nil)
			i.becomes(m.ID, "active")
			i.filed(m, 2)

			// A mailbox that has worked says so in its state, and keeps its place.
			i.must(http.MethodPatch, "/mailboxes/"+m.ID, map[string]any{"incoming": map[string]any{"ca_certificate": nil}}, nil)
			if m = i.becomes(m.ID, "needs_repair"); m.Health.Fault == nil || m.Health.Fault.Class != untrusted {
				t.Errorf("it needs repair with %+v, want %s", m.Health.Fault, untrusted)
			}
		})
	}
}

// troubled waits until a mailbox says what is wrong.
func (i *installed) troubled(id string) (m api.Mailbox) {
	i.Helper()
	err := eventually(patience, func() error {
		_, err := i.call(context.Background(), http.MethodGet, "/mailboxes/"+id, nil, &m)
		if err == nil && m.Health.Fault == nil {
			err = fmt.Errorf("mailbox %s is %s without a fault", m.Address, m.State)
		}
		return err
	})
	if err != nil {
		i.Fatal(err)
	}
	return m
}

// loadOf is how much the big stories bring in: all of it where every test is
// asked for, a tenth elsewhere.
func loadOf(full int) int {
	if os.Getenv("POSTROOM_TEST_ALL") == "1" {
		return full
	}
	return full / 10
}

// Thousands of mails of mixed shape in one mailbox are filed, each once, to the
// last byte.
func TestABigMailboxOfDovecot(t *testing.T) {
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: boxesOf(1)})
	count := loadOf(5000)
	fill(d, 1, count)
	i := install(t)
	begun := time.Now()
	m := i.connect(box(0), "right-password", map[string]any{"host": d.Host, "port": d.IMAPPort, "tls": "none", "username": box(0)})
	i.settled(count, 5*patience)
	i.tellRate(count, begun)
	i.balanced(m, count)
	i.identical(m, d.Messages(box(0), "INBOX"))
	i.entriesOnce(count)
}

// So are those of many mailboxes.
func TestManyMailboxesOfDovecot(t *testing.T) {
	accounts, each := loadOf(200), 50
	d := testbed.Dovecot(t, testbed.DovecotOptions{Users: boxesOf(accounts)})
	fill(d, accounts, each)
	i := install(t)
	begun := time.Now()
	boxes := make([]api.Mailbox, accounts)
	for n := range boxes {
		boxes[n] = i.connect(box(n), "right-password", map[string]any{"host": d.Host, "port": d.IMAPPort, "tls": "none", "username": box(n)})
	}
	i.settled(accounts*each, 5*patience)
	i.tellRate(accounts*each, begun)
	for n, m := range boxes {
		i.balanced(m, each)
		i.identical(m, d.Messages(box(n), "INBOX"))
	}
	i.entriesOnce(accounts * each)
}

// fill delivers so many generated messages to each account, all of them different.
func fill(d *testbed.DovecotServer, accounts, each int) {
	messages := make([][]byte, each)
	for n := range accounts {
		for k := range messages {
			messages[k] = simulator.Generated(29, n*each+k)
		}
		d.Deliver(box(n), "INBOX", messages...)
	}
}

func (i *installed) tellRate(count int, begun time.Time) {
	took := time.Since(begun)
	i.Logf("%d mails filed in %.1f s, %.0f a second", count, took.Seconds(), float64(count)/took.Seconds())
}
