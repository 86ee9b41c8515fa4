package store

import (
	"math"

	"golang.org/x/sys/windows"
)

// freeBytes is what this account may still write, its quota counted
// (GetDiskFreeSpaceExW, lpFreeBytesAvailableToCaller).
func freeBytes(dir string) (bytes int64, known bool) {
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return 0, false
	}
	var free uint64
	if err := windows.GetDiskFreeSpaceEx(name, &free, nil, nil); err != nil {
		return 0, false
	}
	return int64(min(free, math.MaxInt64)), true
}
