//go:build linux || darwin

package store

import (
	"math"

	"golang.org/x/sys/unix"
)

// freeBytes is what this account may still write (statfs(2), f_bavail).
func freeBytes(dir string) (bytes int64, known bool) {
	var fs unix.Statfs_t
	if err := unix.Statfs(dir, &fs); err != nil || fs.Bsize <= 0 {
		return 0, false
	}
	block := int64(fs.Bsize) //nolint:unconvert // on macOS it has 32 bits
	if fs.Bavail > uint64(math.MaxInt64/block) {
		return math.MaxInt64, true
	}
	return int64(fs.Bavail) * block, true
}
