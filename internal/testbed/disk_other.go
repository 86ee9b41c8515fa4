//go:build !linux

package testbed

import "testing"

// SmallDisk is a file system of its own, which tests can make on Linux only.
func SmallDisk(t testing.TB, _ int64) (dir string) {
	t.Helper()
	if testing.Short() {
		t.Skip("short")
	}
	missing(t, "small file systems (Linux)", "mount")
	return ""
}
