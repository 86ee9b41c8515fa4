package testbed

import (
	"errors"
	"fmt"
	"testing"

	"golang.org/x/sys/unix"
)

// SmallDisk returns a directory on a file system of its own, in memory, that has room
// for so many bytes. Where mounting is not permitted, the test is skipped.
func SmallDisk(t testing.TB, sizeBytes int64) (dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("short")
	}
	dir = t.TempDir()
	switch err := unix.Mount("postroom-test", dir, "tmpfs", 0, fmt.Sprintf("size=%d,mode=0700", sizeBytes)); {
	case errors.Is(err, unix.EPERM): // in a container, or for who is not root: nothing can be installed against that
		t.Skip("SKIPPED, NOT PERMITTED HERE: a file system of its own (mount)")
	case err != nil:
		t.Fatalf("mount: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
			t.Errorf("unmount: %v", err)
		}
	})
	return dir
}
