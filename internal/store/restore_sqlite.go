package store

import (
	"context"
	"database/sql"
	"errors"
	"io"
	"os"
	"path/filepath"
)

// sqliteRestore writes a file beside the one that it becomes.
type sqliteRestore struct {
	options Options
	partial string
}

// restoring ends the names of files that a restore has not finished.
const restoring = ".restoring"

// beginSQLiteRestore removes what a restore left that did not come to its end.
func beginSQLiteRestore(o Options) (restoreTarget, error) {
	if _, err := os.Lstat(o.Path); err == nil {
		return nil, notEmptyFault("The data directory "+filepath.Dir(o.Path), "Name an empty directory with --data.")
	}
	r := &sqliteRestore{o, o.Path + restoring}
	return r, r.abandon()
}

func (r *sqliteRestore) load(_ context.Context, _ Stream, from io.Reader) error {
	f, err := os.OpenFile(r.partial, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(struct{ io.Writer }{f}, from, make([]byte, 1<<20))
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (r *sqliteRestore) finish(ctx context.Context, settle func(loaded) error) error {
	o := r.options
	o.Path = r.partial
	if err := r.settled(ctx, o, settle); err != nil {
		return err
	}
	if err := migrate(ctx, o, migration{}); err != nil {
		return err
	}
	// The last connection that was closed has written the log into the file.
	if info, err := os.Stat(r.partial + "-wal"); err == nil && info.Size() > 0 {
		return errors.New("what was restored is open elsewhere")
	}
	if err := syncFile(r.partial); err != nil {
		return err
	}
	if err := os.Rename(r.partial, r.options.Path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(r.partial))
}

// settled opens the file in whatever schema it has.
func (r *sqliteRestore) settled(ctx context.Context, o Options, settle func(loaded) error) (err error) {
	db, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.closePools()) }()
	tx, err := db.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := settle(sqliteLoaded{tx}); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// sqliteLoaded is a transaction on a file that was loaded.
type sqliteLoaded struct{ *sql.Tx }

func (l sqliteLoaded) row(ctx context.Context, query string, args ...any) interface{ Scan(...any) error } {
	return l.QueryRowContext(ctx, query, args...)
}

func (l sqliteLoaded) exec(ctx context.Context, query string, args ...any) (rows int64, err error) {
	r, err := l.ExecContext(ctx, query, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

const skipIDsSQLite = `update sqlite_sequence set seq = seq + $1 where name in ` + idsOf

func (l sqliteLoaded) skipIDs(ctx context.Context) error {
	_, err := l.exec(ctx, skipIDsSQLite, int64(idGap))
	return err
}

func (r *sqliteRestore) abandon() error {
	var errs []error
	for _, end := range []string{"", "-wal", "-shm", "-journal"} {
		if err := os.Remove(r.partial + end); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
