package vault

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// makeFile puts a whole file where none was, readable by its owner only, and
// returns once it is on the disk. What it wrote appears at once or not at all;
// [fs.ErrExist] when there is a file already.
func makeFile(path string, text []byte) error {
	temporary, err := writeBeside(path, text)
	if err != nil {
		return err
	}
	defer os.Remove(temporary)
	err = os.Link(temporary, path)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		// A file system without hard links.
		err = writeNew(path, text)
	}
	if err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// replaceFile puts a whole file in the place of the one that is there.
func replaceFile(path string, text []byte) error {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	temporary, err := writeBeside(path, text)
	if err != nil {
		return err
	}
	if err := os.Rename(temporary, path); err != nil {
		return errors.Join(err, os.Remove(temporary))
	}
	return syncDir(filepath.Dir(path))
}

// writeBeside writes text to a new file in the directory of path and syncs it.
func writeBeside(path string, text []byte) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".vault-*") // mode 0600
	if err != nil {
		return "", err
	}
	return f.Name(), writeAndClose(f, text)
}

func writeNew(path string, text []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return writeAndClose(f, text)
}

// writeAndClose removes the file again when it cannot be written to the end.
func writeAndClose(f *os.File, text []byte) error {
	_, err := f.Write(text)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err != nil {
		return fmt.Errorf("write key file: %w", errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
