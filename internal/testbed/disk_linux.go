package testbed

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// SmallDisk returns a directory on a file system of its own, in memory, that has room
// for so many bytes. It takes the right to mount.
func SmallDisk(t testing.TB, sizeBytes int64) (dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("short")
	}
	dir = t.TempDir()
	if err := unix.Mount("postroom-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", sizeBytes)); err != nil {
		missing(t, "the right to mount", "mount: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}
