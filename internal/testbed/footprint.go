package testbed

import (
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Footprint is every file of a user's mailbox: by its path, what it holds, its rights
// and when it was last changed. Two footprints are equal when nothing was done to the
// mail: Maildir keeps flags in the names of the files, UIDs in dovecot-uidlist, and
// what is new in a directory of its own. Left out, by name, is only what Dovecot
// writes for itself while it looks: its indexes and their logs (dovecot.index*,
// dovecot.list.index*), which it makes anew from the mail when they are gone.
func (m *maildirs) Footprint(user string) map[string]string {
	m.t.Helper()
	files := make(map[string]string)
	root := filepath.Join(m.mail, user)
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), "dovecot.index") || strings.HasPrefix(entry.Name(), "dovecot.list.index") {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		raw, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		files[name] = fmt.Sprintf("%x, %d bytes, %v, changed %s", sha256.Sum256(raw), len(raw), info.Mode(), info.ModTime().UTC().Format(time.RFC3339Nano))
		return nil
	})
	if err != nil {
		m.t.Fatalf("footprint of %s: %v", user, err)
	}
	return files
}
