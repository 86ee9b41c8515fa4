//go:build !linux

package store

// networkFileSystem is known on Linux only; elsewhere the documentation warns.
func networkFileSystem(string) (name string, network bool) { return "", false }
