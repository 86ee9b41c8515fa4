package main

import (
	"bufio"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/term"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// backupCmd is “postroom backup”.
type backupCmd struct {
	dataFlags
	File            string `arg:"" help:"The file to write." placeholder:"FILE"`
	PassphraseStdin bool   `help:"Read the passphrase that seals the keys from standard input instead of asking for it."`
	Replace         bool   `help:"Write over an earlier backup, once the new one is whole."`
	JSON            bool   `name:"json" help:"Print the result as JSON."`
}

// madeBackup is what a backup prints.
type madeBackup struct {
	File      string    `json:"file"`
	Bytes     int64     `json:"bytes"`
	MadeAt    time.Time `json:"made_at"`
	Database  string    `json:"database"`
	Schema    int64     `json:"schema"`
	Mailboxes int64     `json:"mailboxes"`
	Mails     int64     `json:"mails"`
	Seconds   float64   `json:"seconds"`
}

// Run writes the backup, whether a server is using the data or not.
func (c *backupCmd) Run(ctx context.Context, t terminal) error {
	begun := time.Now()
	if err := c.canWrite(); err != nil {
		return err
	}
	o := c.options(slog.New(slog.DiscardHandler))
	if err := c.isThere(o); err != nil {
		return err
	}
	passphrase, err := t.newPassphrase(ctx, c.PassphraseStdin)
	if err != nil {
		return err
	}
	snapshot, err := store.TakeSnapshot(ctx, o)
	if err != nil {
		return err
	}
	m, bytes, err := c.write(ctx, t, snapshot, passphrase)
	if err := errors.Join(err, snapshot.Close()); err != nil {
		return err
	}
	made := madeBackup{
		File: c.File, Bytes: bytes, MadeAt: m.MadeAt, Database: m.Database, Schema: m.Schema,
		Mailboxes: m.Mailboxes, Mails: m.Mails, Seconds: time.Since(begun).Seconds(),
	}
	if c.JSON {
		return json.NewEncoder(t.Out).Encode(made)
	}
	_, err = fmt.Fprintf(t.Out, "%s holds %d mailboxes and %d mails (%s), as of %s.\nKeep it apart from this computer, and the passphrase apart from it: without the passphrase the mailboxes' passwords are lost.\n",
		c.File, made.Mailboxes, made.Mails, sizeWords(bytes), m.MadeAt.Local().Format(time.DateTime))
	return err
}

// canWrite refuses to write over anything but, when told to, an earlier backup.
func (c *backupCmd) canWrite() error {
	f, err := os.Open(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at %s: %w", c.File, err)
	}
	defer f.Close()
	if c.Replace {
		_, err = peekBackup(f)
		return err
	}
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "There is a file " + c.File + " already.",
		Remedy:      "Choose another name, or add --replace if it is an earlier backup.",
	}
}

// isThere says whether there is anything to back up: opening makes what is not there.
func (f dataFlags) isThere(o store.Options) error {
	if o.URL != "" {
		return nil
	}
	_, err := os.Stat(o.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return &postroom.Fault{
			Kind: postroom.NotFound, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "There is no data of Postroom in " + f.Data + ".",
			Remedy:      "Name the directory with --data.",
		}
	}
	return err
}

func (c *backupCmd) write(ctx context.Context, t terminal, s *store.Snapshot, passphrase postroom.Secret) (m manifest, bytes int64, err error) {
	sealed, err := c.sealedKeys(ctx, s, passphrase)
	if err != nil {
		return m, 0, err
	}
	m = manifest{
		Format: backupFormat, Version: version, MadeAt: s.At.UTC(), Database: s.Database, Schema: s.Schema,
		Mailboxes: s.Mailboxes, Mails: s.Mails, Streams: s.Streams, HasKeys: sealed != nil,
	}
	bytes, err = writeWhole(c.File, func(w io.Writer) error {
		p := t.progress("Backing up", m.sizeBytes())
		defer p.end()
		return writeBackup(ctx, w, m, sealed, s, p)
	})
	return m, bytes, err
}

// sealedKeys are the keys that open the secrets of the snapshot, sealed; nil where it
// has no secrets.
func (c *backupCmd) sealedKeys(ctx context.Context, s *store.Snapshot, passphrase postroom.Secret) ([]byte, error) {
	sample, known, err := s.Setting(ctx, vaultSample)
	if err != nil || !known {
		return nil, err
	}
	kept, err := vault.Keep(vault.Source{Dir: c.Data, File: os.Getenv(vault.FileVariable), MustExist: true})
	if err != nil {
		return nil, err
	}
	if err := checkSample(kept.Ring, sample); err != nil {
		return nil, err
	}
	return kept.Sealed(passphrase)
}

// checkSample says whether a ring opens the secrets that a sample belongs to.
func checkSample(ring *vault.Ring, held string) error {
	sample, err := base64.StdEncoding.DecodeString(held)
	if err != nil {
		return fmt.Errorf("read the vault's sample: %w", err)
	}
	return ring.Check(sample)
}

func writeBackup(ctx context.Context, w io.Writer, m manifest, sealed []byte, s *store.Snapshot, p *progress) error {
	b := newBackupWriter(w, m.MadeAt)
	text, err := json.MarshalIndent(m, "", "  ")
	if err == nil {
		err = b.part(manifestName, append(text, '\n'))
	}
	if err == nil && sealed != nil {
		err = b.part(keysName, sealed)
	}
	for _, stream := range m.Streams {
		if err != nil {
			return err
		}
		err = b.stream(stream.Name, func(w io.Writer) error { return s.CopyTo(ctx, stream, io.MultiWriter(p, w)) })
	}
	return errors.Join(err, b.close())
}

// writeWhole writes a file under another name and gives it its own when it is on the
// disk, so that nobody takes half of it for the whole.
func writeWhole(path string, fill func(io.Writer) error) (bytes int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*.partial") // mode 0600
	if errors.Is(err, fs.ErrNotExist) {
		return 0, wrongUse{"There is no directory " + filepath.Dir(path) + "."}
	}
	if err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	w := bufio.NewWriterSize(f, 1<<20)
	err = fill(w)
	if err == nil {
		err = errors.Join(w.Flush(), f.Sync())
	}
	if errors.Is(err, syscall.ENOSPC) {
		err = noRoom("the backup", filepath.Dir(path), err)
	}
	info, statErr := f.Stat()
	if err := errors.Join(err, statErr, f.Close()); err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return 0, fmt.Errorf("write %s: %w", path, err)
	}
	return info.Size(), store.SyncDir(filepath.Dir(path))
}

// noRoom is the Fault for a disk that has no room for what is written to it.
func noRoom(what, dir string, err error) error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "There is no room for " + what + " on the disk of " + dir + ".",
		Remedy:      "Make room there, or choose a place on another disk. Nothing was changed.",
		Err:         err,
	}
}

// A progress shows on a terminal how far something is; elsewhere it is silent.
type progress struct {
	w     io.Writer // nil: silent
	what  string
	total int64
	done  int64
	shown time.Time
}

func (t terminal) progress(what string, total int64) *progress {
	p := &progress{what: what, total: total}
	if f, ok := t.Err.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.w = f
	}
	return p
}

// Write counts bytes.
func (p *progress) Write(b []byte) (int, error) {
	p.done += int64(len(b))
	if p.w != nil && time.Since(p.shown) > 200*time.Millisecond {
		p.shown = time.Now()
		fmt.Fprintf(p.w, "\r%s: %s of %s ", p.what, sizeWords(min(p.done, p.total)), sizeWords(p.total))
	}
	return len(b), nil
}

// end takes the line away again.
func (p *progress) end() {
	if p.w != nil {
		fmt.Fprintf(p.w, "\r\x1b[K")
	}
}
