//go:build unix

package vault

import (
	"io/fs"
	"os"
)

// isOpenToOthers says whether anybody but the owner may read or change the file.
func isOpenToOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o077 != 0 }

// syncDir makes the names in a directory durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
