package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/postroom/postroom"
)

// errLocked says that another process holds the lock.
var errLocked = errors.New("locked")

// IsLocked says whether err means that another process holds the lock.
func IsLocked(err error) bool { return errors.Is(err, errLocked) }

// A DirLock is the right to be the one server on a data directory. It ends with
// the process, however that ends.
type DirLock struct{ file *os.File }

// LockDir takes the lock of a data directory, which must exist. A directory on a
// network file system is refused: SQLite's locks do not hold there, and two
// writers would destroy the database.
func LockDir(dir string) (*DirLock, error) {
	if name, network := networkFileSystem(dir); network {
		return nil, &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: fmt.Sprintf("The data directory %s is on a network file system (%s), where a database is not safe.", dir, name),
			Remedy:      "Choose a directory on a local disk with --data, or use PostgreSQL with --database.",
		}
	}
	file, err := os.OpenFile(filepath.Join(dir, "postroom.lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the lock of %s: %w", dir, err)
	}
	if err := lockFile(file); err != nil {
		owner := make([]byte, 20)
		n, _ := file.ReadAt(owner, 0)
		_ = file.Close()
		if !errors.Is(err, errLocked) {
			return nil, fmt.Errorf("lock %s: %w", dir, err)
		}
		return nil, &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: fmt.Sprintf("Postroom is running on %s already%s.", dir, processWords(owner[:n])),
			Remedy:      "Stop that process first, or choose another directory with --data.",
			Err:         err,
		}
	}
	if err := file.Truncate(0); err == nil {
		_, _ = file.WriteAt([]byte(strconv.Itoa(os.Getpid())), 0)
	}
	return &DirLock{file}, nil
}

func processWords(owner []byte) string {
	if pid, err := strconv.Atoi(string(owner)); err == nil {
		return fmt.Sprintf(" (process %d)", pid)
	}
	return ""
}

// Unlock lets another process have the directory.
func (l *DirLock) Unlock() error { return l.file.Close() }
