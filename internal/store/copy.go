package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// copiesKept is how many copies of earlier schemas stay beside a database.
const copiesKept = 2

// copyBefore keeps an older SQLite database beside itself before it is brought up to
// date: “postroom.db.schema-1-20260312T091500.000Z”, the newest two. It is stopped for
// lack of room before anything is changed. A PostgreSQL database is left to the backups
// of those who run it.
func (db *DB) copyBefore(ctx context.Context, path string, have, want int64) error {
	if db.dialect == dialectPostgres {
		db.log.InfoContext(ctx, "bringing the database up to date; the way back is your own backup of PostgreSQL", "schema", have, "to", want)
		return nil
	}
	copied := fmt.Sprintf("%s.schema-%d-%s", path, have, time.Now().UTC().Format("20060102T150405.000Z"))
	bytes, err := copySQLite(ctx, Options{Path: path}, copied)
	if err != nil {
		return fmt.Errorf("copy the database before bringing it up to date: %w", db.trouble(err))
	}
	db.log.InfoContext(ctx, "the database is brought up to date; a copy of it as it was is kept", "schema", have, "to", want, "copy", copied, "bytes", bytes)
	return dropOldCopies(path)
}

// copySQLite writes a consistent copy of a database file, whoever else uses it.
func copySQLite(ctx context.Context, o Options, to string) (bytes int64, err error) {
	snapshot, err := TakeSnapshot(ctx, o)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	stream := snapshot.Streams[0]
	if free, known := freeBytes(filepath.Dir(to)); known && free < stream.SizeBytes+stream.SizeBytes/8 {
		return 0, noRoomToCopyFault(stream.SizeBytes, free)
	}
	f, err := os.CreateTemp(filepath.Dir(to), filepath.Base(to)+".*.partial") // mode 0600
	if err != nil {
		return 0, err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	err = errors.Join(snapshot.CopyTo(ctx, stream, w), w.Flush(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), to)
	}
	if err != nil {
		return 0, errors.Join(err, os.Remove(f.Name()))
	}
	return stream.SizeBytes, syncDir(filepath.Dir(to))
}

func noRoomToCopyFault(size, free int64) error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: fmt.Sprintf("This version of Postroom has to change the database, and there is no room for a copy of it as it is: %d MB are needed, %d MB are free.", (size+size/8)>>20, free>>20),
		Remedy:      "Make room on the disk of the data directory and start again. Until then the version before can still be used; nothing was changed.",
	}
}

// dropOldCopies keeps the newest copies, and removes what a copy left that did not
// come to its end.
func dropOldCopies(path string) error {
	dir, name := filepath.Dir(path), filepath.Base(path)
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	var copies, over []string
	for _, f := range files {
		switch {
		case !strings.HasPrefix(f.Name(), name+".schema-"):
		case strings.HasSuffix(f.Name(), ".partial"):
			over = append(over, f.Name())
		case strings.HasSuffix(f.Name(), "Z"):
			copies = append(copies, f.Name())
		}
	}
	slices.SortFunc(copies, func(a, b string) int { return strings.Compare(instantOf(b), instantOf(a)) })
	over = append(over, copies[min(copiesKept, len(copies)):]...)
	for _, f := range over {
		err = errors.Join(err, os.Remove(filepath.Join(dir, f)))
	}
	return err
}

// instantOf is the end of a copy's name.
func instantOf(name string) string { return name[strings.LastIndexByte(name, '-')+1:] }
