//go:build !unix

package vault

import "io/fs"

// isOpenToOthers knows nothing here: the mode bits do not say who may read, and
// the file inherits the access list of the data directory.
func isOpenToOthers(fs.FileInfo) bool { return false }

// syncDir does nothing: directories are not synced by themselves here.
func syncDir(string) error { return nil }
