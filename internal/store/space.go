package store

import "time"

// A Space is how much room the database has.
type Space struct {
	// FreeBytes is what this process may still write where the data directory is. It
	// is known on SQLite only: a PostgreSQL server's disk cannot be seen from here.
	FreeBytes int64
	Known     bool
	// FullAt is when the database last said that there was no room; zero: never.
	FullAt time.Time
}

// Space says how much room the database has.
func (db *DB) Space() Space {
	var s Space
	if db.dialect == dialectSQLite {
		s.FreeBytes, s.Known = freeBytes(db.dir)
	}
	if at := db.fullAt.Load(); at != 0 {
		s.FullAt = time.UnixMicro(at)
	}
	return s
}

func (db *DB) noteFull() { db.fullAt.Store(time.Now().UnixMicro()) }

// FreeBytes is what this process may still write in a directory; known is false
// where the system does not tell.
func FreeBytes(dir string) (bytes int64, known bool) { return freeBytes(dir) }
