package store

// SyncDir makes the names in a directory last, where the system has that.
func SyncDir(path string) error { return syncDir(path) }
