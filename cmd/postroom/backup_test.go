package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/api"
	"github.com/postroom/postroom/internal/simulator"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/testbed"
	"github.com/postroom/postroom/internal/vault"
)

const testPassphrase = "correct horse battery staple"

// TestLostDirectoryComesBackFromABackup is the day for which backups are made: 100 mails,
// a backup, 50 more, and everything is gone.
func TestLostDirectoryComesBackFromABackup(t *testing.T) {
	t.Parallel()
	for name, database := range map[string]func(t *testing.T) []string{
		"sqlite":   func(*testing.T) []string { return nil },
		"postgres": func(t *testing.T) []string { return []string{"--database", testbed.Postgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			d := testbed.Dovecot(t, testbed.DovecotOptions{Users: boxesOf(1)})
			deliver := func(from, to int) {
				var mails [][]byte
				for n := from; n < to; n++ {
					mails = append(mails, simulator.Generated(77, n))
				}
				d.Deliver(box(0), "INBOX", mails...)
			}
			i := install(t, database(t)...)
			deliver(0, 100)
			m := i.connect("support@example.net", "right-password", map[string]any{"host": d.Host, "port": d.IMAPPort, "tls": "none", "username": box(0)})
			i.filed(m, 100)
			file := filepath.Join(t.TempDir(), "postroom.backup")
			mustSay(t, testPassphrase+"\n", append([]string{"backup", file, "--data", i.data, "--passphrase-stdin"}, databaseOf(i.args)...)...)
			noSecretsIn(t, file, i.data, "right-password")
			deliver(100, 150)
			i.filed(m, 150)
			if err := i.server.kill(); err != nil {
				t.Fatal(err)
			}

			i.data, i.args = t.TempDir(), database(t)
			mustSay(t, testPassphrase+"\n", append([]string{"restore", file, "--data", i.data, "--passphrase-stdin"}, databaseOf(i.args)...)...)
			i.begin()
			if restored := i.becomes(m.ID, "paused"); restored.Health.Fault == nil || !strings.Contains(restored.Health.Fault.Explanation, "restored") {
				t.Errorf("the mailbox says %+v, want that it was restored", restored.Health)
			}
			i.must(http.MethodPost, "/mailboxes/"+m.ID+"/resume", nil, nil)
			i.filed(m, 150)
			i.comesToBalance(m)
			i.balanced(m, 150)
			i.identical(m, d.Messages(box(0), "INBOX"))
			issues := make(map[string]bool)
			for _, issue := range all[api.Issue](i, "/issues", nil) {
				issues[issue.Subject+issue.ID] = true
			}
			if len(issues) == 0 || len(issues) > 150 {
				t.Errorf("%d issues, want one for each mail at most", len(issues))
			}
		})
	}
}

// comesToBalance waits for a comparison that was made when everything was filed: what
// was compared meanwhile is reused for a few seconds.
func (i *installed) comesToBalance(m api.Mailbox) {
	i.Helper()
	err := eventually(patience, func() error {
		var l api.Ledger
		if _, err := i.call(context.Background(), http.MethodGet, "/mailboxes/"+m.ID+"/ledger", nil, &l); err != nil {
			return err
		}
		if l.Balanced == nil || !*l.Balanced {
			return fmt.Errorf("the ledger is %+v (%+v)", l, l.Fault)
		}
		return nil
	})
	if err != nil {
		i.Error(err)
	}
}

// noSecretsIn opens every part of a backup and looks for what must not be there.
func noSecretsIn(t *testing.T, file, dir, password string) {
	t.Helper()
	key, err := os.ReadFile(filepath.Join(dir, vault.FileName))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(key))
	secret := fields[len(fields)-1]
	raw, err := base64.StdEncoding.DecodeString(secret)
	if err != nil {
		t.Fatal(err)
	}
	streams := make(map[string][]byte)
	for _, p := range partsOf(t, file) {
		stream, _, _ := strings.Cut(p.name, "/")
		streams[stream] = append(streams[stream], p.content...)
	}
	z, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for stream, content := range streams {
		if plain, err := z.DecodeAll(content, nil); err == nil {
			content = plain
		}
		for what, hidden := range map[string][]byte{"the password": []byte(password), "the key": []byte(secret), "the key's bytes": raw} {
			if bytes.Contains(content, hidden) {
				t.Errorf("%s is in %s in clear", what, stream)
			}
		}
	}
}

type part struct {
	name    string
	content []byte
}

func partsOf(t *testing.T, file string) (parts []part) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	archive := tar.NewReader(f)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return parts
		}
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			t.Fatal(err)
		}
		parts = append(parts, part{header.Name, content})
	}
}

// writeBackupOf makes a backup of streams that are long enough to have parts.
func writeBackupOf(t *testing.T, streams map[string][]byte) []byte {
	t.Helper()
	var b bytes.Buffer
	m := manifest{Format: backupFormat, Version: "test", MadeAt: time.Now(), Database: "sqlite", Schema: 1}
	for name, content := range streams {
		m.Streams = append(m.Streams, store.Stream{Name: name, SizeBytes: int64(len(content))})
	}
	w := newBackupWriter(&b, m.MadeAt)
	err := w.part(manifestName, []byte(`{"format":"`+backupFormat+`","schema":1,"database":"sqlite"}`))
	for _, s := range m.Streams {
		err = errors.Join(err, w.stream(s.Name, func(to io.Writer) error {
			_, err := to.Write(streams[s.Name])
			return err
		}))
	}
	if err := errors.Join(err, w.close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// noise cannot be compressed.
func noise(size int) []byte {
	b := make([]byte, size)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return b
}

func TestBackupFileComesBackByteForByte(t *testing.T) {
	streams := map[string][]byte{"long": noise(2*partBytes + 12345), "short": []byte("x"), "empty": nil, "even": bytes.Repeat([]byte("postroom"), 1<<20)}
	backup := writeBackupOf(t, streams)
	m, sums, err := checkBackup(bytes.NewReader(backup))
	if err != nil || m.Format != backupFormat || len(sums) < 1+3+1+1+1 {
		t.Fatalf("checkBackup: %+v, %d sums, %v", m, len(sums), err)
	}
	b, err := newBackupReader(bytes.NewReader(backup), sums)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.small(manifestName); err != nil {
		t.Fatal(err)
	}
	for range streams {
		name, _, _ := strings.Cut(b.next, "/")
		err := b.stream(name, func(r io.Reader) error {
			got, err := io.ReadAll(r)
			if !bytes.Equal(got, streams[name]) {
				t.Errorf("%s came back as %d bytes, want %d", name, len(got), len(streams[name]))
			}
			return err
		})
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func TestDamagedBackupIsRefused(t *testing.T) {
	whole := writeBackupOf(t, map[string][]byte{"database": noise(100_000)})
	refused := func(what string, b []byte) {
		t.Helper()
		_, _, err := checkBackup(bytes.NewReader(b))
		if f, ok := postroom.FaultOf(err); !ok || f.Kind != postroom.Invalid {
			t.Errorf("%s: %v, want that it is damaged", what, err)
		}
	}
	end := bytes.Index(whole, []byte(sumsName)) // its header; the sums fill the block behind it
	for cut := 0; cut < end+512+64; cut += 1021 {
		refused(fmt.Sprintf("cut at %d", cut), whole[:cut])
	}
	for at := 512; at < len(whole); at += 4099 { // not in the padding of the last blocks
		damaged := bytes.Clone(whole)
		damaged[at] ^= 0x10
		if at < end && !isPadding(whole, at) {
			refused(fmt.Sprintf("changed at %d", at), damaged)
		}
	}
	refused("empty", nil)
}

// isPadding says whether a byte lies in zeros, which tar fills its blocks with.
func isPadding(b []byte, at int) bool {
	return !slices.ContainsFunc(b[max(0, at-8):min(len(b), at+8)], func(c byte) bool { return c != 0 })
}

func TestBackupOfANewerFormatIsRefused(t *testing.T) {
	var b bytes.Buffer
	w := newBackupWriter(&b, time.Now())
	if err := errors.Join(w.part(manifestName, []byte(`{"format":"postroom backup 2"}`)), w.close()); err != nil {
		t.Fatal(err)
	}
	if _, err := peekBackup(&b); err == nil || !strings.Contains(err.Error(), "newer version") {
		t.Errorf("peekBackup says %v, want that it is newer", err)
	}
}

func TestWriteWholeLeavesNothingHalf(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	broken := errors.New("the disk is full")
	if _, err := writeWhole(path, func(w io.Writer) error {
		_, _ = w.Write(noise(3 << 20))
		return broken
	}); !errors.Is(err, broken) {
		t.Errorf("it says %v, want what went wrong", err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) != 0 {
		t.Errorf("%v are left, %v", files, err)
	}
}

func TestRestoreStopsWhenAsked(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (stopped{ctx, strings.NewReader("x")}).Read(make([]byte, 1)); !errors.Is(err, context.Canceled) {
		t.Errorf("it reads on: %v", err)
	}
}

func TestRestoreThatWasKilledIsBegunAnew(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	mustSay(t, "", "token", "create", "--name", "test", "--data", data)
	file := filepath.Join(t.TempDir(), "postroom.backup")
	mustSay(t, testPassphrase+"\n", "backup", file, "--data", data, "--passphrase-stdin")
	key, err := os.ReadFile(filepath.Join(data, vault.FileName))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{"postroom.db.restoring": []byte("half"), "postroom.db.restoring-wal": []byte("of it"), vault.FileName: key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	restore := []string{"restore", file, "--data", dir, "--passphrase-stdin"}
	mustSay(t, testPassphrase+"\n", restore...)
	left, err := filepath.Glob(filepath.Join(dir, "*restoring*"))
	if err != nil || len(left) != 0 {
		t.Errorf("%v are left, %v", left, err)
	}
	mustSay(t, "", "token", "create", "--name", "again", "--data", dir) // which opens it with its key

	dir = t.TempDir()
	restore[3] = dir
	if err := os.WriteFile(filepath.Join(dir, vault.FileName), append(key, '#', '\n'), 0o600); err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	code := run(t.Context(), restore, terminal{strings.NewReader(testPassphrase + "\n"), io.Discard, &said})
	if code != exitFailed || !strings.Contains(said.String(), "another key file") {
		t.Errorf("beside another key file it ends with %d and says %q", code, said.String())
	}
}
