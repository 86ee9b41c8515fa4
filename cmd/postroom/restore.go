package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
	"github.com/postroom/postroom/internal/vault"
)

// restoreCmd is “postroom restore”.
type restoreCmd struct {
	dataFlags
	File            string `arg:"" help:"The backup." type:"existingfile" placeholder:"FILE"`
	PassphraseStdin bool   `help:"Read the passphrase of the backup from standard input instead of asking for it."`
	JSON            bool   `name:"json" help:"Print the result as JSON."`
}

// restoredBackup is what a restore prints.
type restoredBackup struct {
	File     string    `json:"file"`
	BackupAt time.Time `json:"backup_at"`
	Database string    `json:"database"`
	Mails    int64     `json:"mails"`
	Paused   int       `json:"paused_mailboxes"`
	Checks   []check   `json:"checks"`
	Seconds  float64   `json:"seconds"`
}

// A check is something that a person has to look at after a restore.
type check struct {
	What string `json:"what"`
	How  string `json:"how"`
}

// checksAfterRestore are what a backup cannot know.
func checksAfterRestore() []check {
	return []check{
		{"The old Postroom", "Make sure that it is off. Two that read the same mailboxes both make issues of their mail, and take it from each other on the server."},
		{"Mailboxes", "All are paused. Open each, test its sign-in, and resume it: what arrived since the backup is brought in, and nothing twice. Then ask for its ledger."},
		{"Mailbox passwords that were changed since the backup", "The old one is in it. The test of the mailbox says so; enter the new one there."},
		{"Mail that is no longer on its server", "Where mail was deleted or moved on the server after it was brought in, what came after the backup is in the trash or the other folder there."},
		{"What people did since the backup", "Notes, closed issues and assignments of that time are gone."},
		{"People and tokens", "Whoever left since may sign in again, and tokens that were revoked since work again: look at the settings. Everybody has to sign in anew."},
	}
}

func restoredFault(backupAt time.Time) *postroom.Fault {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This mailbox was restored from the backup of " + backupAt.UTC().Format("2 January 2006 15:04") + " UTC, and is not read yet.",
		Remedy:      "Make sure that nothing else reads it any more, test it, and resume it. What arrived since the backup is brought in then.",
	}
}

// Run restores a backup where nothing is yet.
func (c *restoreCmd) Run(ctx context.Context, t terminal) (err error) {
	begun := time.Now()
	file, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("open the backup: %w", err)
	}
	defer file.Close()
	m, err := peekBackup(file)
	if err != nil {
		return err
	}
	if err := c.makeDir(); err != nil {
		return err
	}
	if free, known := store.FreeBytes(c.Data); m.Database == "sqlite" && known && free < m.sizeBytes()+m.sizeBytes()/8 {
		return noRoom("what the backup holds, "+sizeWords(m.sizeBytes())+",", c.Data, nil)
	}
	lock, err := store.LockDir(c.Data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	if err := c.isEmpty(); err != nil {
		return err
	}
	target, err := store.BeginRestore(ctx, c.options(slog.New(slog.DiscardHandler)), m.Database, m.Schema)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, target.Abandon()) }()
	done, err := c.restore(ctx, t, file, m.HasKeys, target)
	if err != nil {
		return err
	}
	return c.say(t, restoredBackup{
		File: c.File, BackupAt: done.BackupAt, Database: m.Database, Mails: m.Mails, Paused: done.Paused,
		Checks: checksAfterRestore(), Seconds: time.Since(begun).Seconds(),
	})
}

// isEmpty refuses a directory in which something is, but for what this restore makes
// itself, what one left that was broken off, and the key file, which is compared.
func (c *restoreCmd) isEmpty() error {
	files, err := os.ReadDir(c.Data)
	if err != nil {
		return fmt.Errorf("look into the data directory: %w", err)
	}
	for _, f := range files {
		name := f.Name()
		if name == "lost+found" || name == "postroom.lock" || name == vault.FileName || strings.HasPrefix(name, "postroom.db.restoring") {
			continue
		}
		return &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: "The directory " + c.Data + " is not empty (" + name + "), and a restore never writes over anything.",
			Remedy:      "Name an empty directory with --data, or one that is not there yet.",
		}
	}
	return nil
}

// restore checks the backup and the passphrase before it changes anything.
func (c *restoreCmd) restore(ctx context.Context, t terminal, file *os.File, hasKeys bool, target *store.Restoration) (done store.Restored, err error) {
	var passphrase postroom.Secret
	if hasKeys {
		if passphrase, err = t.passphrase(ctx, "Passphrase of the backup: ", c.PassphraseStdin); err != nil {
			return done, err
		}
	}
	info, err := file.Stat()
	if err != nil {
		return done, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return done, err
	}
	p := t.progress("Checking the backup", info.Size())
	m, sums, err := checkBackup(io.TeeReader(file, p))
	p.end()
	if err != nil {
		return done, err
	}
	if _, err := file.Seek(0, io.SeekStart); err != nil {
		return done, err
	}
	parts, err := newBackupReader(file, sums)
	if err != nil {
		return done, err
	}
	if _, err := parts.small(manifestName); err != nil {
		return done, err
	}
	keys, err := c.keys(parts, m, passphrase)
	if err != nil {
		return done, err
	}
	if err := c.load(ctx, t, parts, m, target); err != nil {
		return done, err
	}
	return target.Finish(ctx, m.MadeAt, restoredFault(m.MadeAt), vaultSample, func(sample string, known bool) error {
		if !known {
			return nil
		}
		if keys.Ring == nil {
			return damagedBackup(errors.New("it has secrets and no keys"))
		}
		if err := checkSample(keys.Ring, sample); err != nil {
			return err
		}
		return keys.PutBack(c.keySource())
	})
}

func (f dataFlags) keySource() vault.Source {
	return vault.Source{Dir: f.Data, File: os.Getenv(vault.FileVariable)}
}

func (c *restoreCmd) keys(parts *backupReader, m manifest, passphrase postroom.Secret) (keys vault.Kept, err error) {
	if !m.HasKeys {
		return keys, nil
	}
	sealed, err := parts.small(keysName)
	if err != nil {
		return keys, err
	}
	if keys, err = vault.Unsealed(sealed, passphrase); err != nil {
		return keys, err
	}
	return keys, keys.CanPutBack(c.keySource())
}

func (c *restoreCmd) load(ctx context.Context, t terminal, parts *backupReader, m manifest, target *store.Restoration) error {
	p := t.progress("Restoring", m.sizeBytes())
	defer p.end()
	for _, stream := range m.Streams {
		err := parts.stream(stream.Name, func(r io.Reader) error {
			return target.Load(ctx, stream, stopped{ctx, io.TeeReader(r, p)})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// stopped ends a stream when ctx ends.
type stopped struct {
	ctx context.Context // of this one restore
	r   io.Reader
}

func (s stopped) Read(b []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	return s.r.Read(b)
}

func (c *restoreCmd) say(t terminal, r restoredBackup) error {
	if c.JSON {
		return json.NewEncoder(t.Out).Encode(r)
	}
	fmt.Fprintf(t.Out, "Restored: %d mails, as of %s. %d mailboxes are paused.\nNow check:\n", r.Mails, r.BackupAt.Local().Format(time.DateTime), r.Paused)
	for _, check := range r.Checks {
		fmt.Fprintf(t.Out, "- %s: %s\n", check.What, check.How)
	}
	_, err := fmt.Fprintln(t.Out, "Then start “postroom serve” on it.")
	return err
}
