//go:build !unix

package store

// syncDir does nothing: directories are not synced by themselves here.
func syncDir(string) error { return nil }
