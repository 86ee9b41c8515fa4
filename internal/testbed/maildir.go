package testbed

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// letterNames makes file names for one server that are unique and sort in the
// order of delivery, which is the order in which Dovecot gives UIDs.
type letterNames struct {
	mu   sync.Mutex
	last time.Time
	made int
}

func (n *letterNames) next(sizeBytes int) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	if now := time.Now(); now.After(n.last) { // the clock may be set back
		n.last = now
	}
	n.made++
	return fmt.Sprintf("%d.M%06dQ%08d.testbed,S=%d", n.last.Unix(), n.last.Nanosecond()/1000, n.made, sizeBytes)
}

// maildirs are the mailboxes of a server that keeps them as Maildir.
type maildirs struct {
	t       testing.TB
	mail    string // directory: one for each user
	account *account
	letters letterNames
	byLF    bool // the server wants to find lines that end in LF, and would send CR twice
}

// Deliver puts messages into a folder of a user, dated now. It makes the folder,
// whose levels are separated by slashes, where there is none.
func (m *maildirs) Deliver(user, folder string, messages ...[]byte) {
	m.t.Helper()
	m.DeliverAt(time.Now(), user, folder, messages...)
}

// DeliverAt is Deliver with an INTERNALDATE.
func (m *maildirs) DeliverAt(at time.Time, user, folder string, messages ...[]byte) {
	m.t.Helper()
	if err := m.deliver(at, m.folder(user, folder), messages); err != nil {
		m.t.Fatalf("deliver to %s of %s: %v", folder, user, err)
	}
}

func (m *maildirs) folder(user, folder string) string {
	path := filepath.Join(m.mail, user, "Maildir")
	if strings.EqualFold(folder, "INBOX") {
		return path
	}
	return filepath.Join(path, "."+strings.ReplaceAll(folder, "/", "."))
}

func (m *maildirs) deliver(at time.Time, folder string, messages [][]byte) error {
	if err := m.makeFolder(folder); err != nil {
		return err
	}
	for _, message := range messages {
		if m.byLF {
			message = bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
		}
		name := m.letters.next(len(message))
		draft := filepath.Join(folder, "tmp", name)
		if err := os.WriteFile(draft, message, 0o600); err != nil {
			return err
		}
		if err := os.Chtimes(draft, at, at); err != nil {
			return err
		}
		if err := m.account.give(draft); err != nil {
			return err
		}
		if err := os.Rename(draft, filepath.Join(folder, "new", name)); err != nil {
			return err
		}
	}
	return nil
}

func (m *maildirs) makeFolder(folder string) error {
	if _, err := os.Stat(filepath.Join(folder, "new")); err == nil {
		return nil
	}
	for _, leaf := range []string{"tmp", "cur", "new"} {
		if err := os.MkdirAll(filepath.Join(folder, leaf), 0o700); err != nil {
			return err
		}
	}
	if filepath.Base(folder) != "Maildir" {
		if err := os.WriteFile(filepath.Join(folder, "maildirfolder"), nil, 0o600); err != nil {
			return err
		}
	}
	return filepath.WalkDir(m.mail, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // Dovecot has moved it meanwhile
			}
			return err
		}
		inside := strings.HasPrefix(path, folder)
		if entry.IsDir() && !inside && !strings.HasPrefix(folder, path) {
			return fs.SkipDir
		}
		if !entry.IsDir() && !inside {
			return nil
		}
		return m.account.give(path)
	})
}

// Messages returns what a folder holds, in the order of delivery, each as Dovecot
// gives it by IMAP: it sends a bare line feed as CRLF and, because a literal may not
// contain it, NUL as 0x80.
func (m *maildirs) Messages(user, folder string) [][]byte {
	m.t.Helper()
	for { // until no file was renamed in between, as happens when flags change
		messages, err := readMaildir(m.folder(user, folder))
		if err == nil {
			return messages
		}
		if !errors.Is(err, fs.ErrNotExist) {
			m.t.Fatalf("read %s of %s: %v", folder, user, err)
		}
	}
}

func readMaildir(folder string) ([][]byte, error) {
	paths := map[string]string{} // by name without flags
	for _, leaf := range []string{"new", "cur"} {
		entries, err := os.ReadDir(filepath.Join(folder, leaf))
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil // there is no such folder
		}
		if err != nil {
			return nil, err
		}
		for _, entry := range entries {
			name, _, _ := strings.Cut(entry.Name(), ":")
			paths[name] = filepath.Join(folder, leaf, entry.Name())
		}
	}
	names := make([]string, 0, len(paths))
	for name := range paths {
		names = append(names, name)
	}
	slices.Sort(names)
	messages := make([][]byte, 0, len(names))
	for _, name := range names {
		message, err := os.ReadFile(paths[name])
		if err != nil {
			return nil, err
		}
		messages = append(messages, onTheWire(message))
	}
	return messages, nil
}

func onTheWire(message []byte) []byte {
	message = bytes.ReplaceAll(message, []byte("\r\n"), []byte("\n"))
	message = bytes.ReplaceAll(message, []byte("\n"), []byte("\r\n"))
	return bytes.ReplaceAll(message, []byte{0}, []byte{0x80})
}
