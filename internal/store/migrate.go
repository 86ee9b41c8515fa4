package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/pressly/goose/v3"

	"github.com/postroom/postroom"
)

//go:embed migrations
var migrations embed.FS

func (db *DB) provider() (*goose.Provider, error) {
	dir, err := fs.Sub(migrations, "migrations/"+string(db.dialect))
	if err != nil {
		return nil, err
	}
	d := goose.DialectSQLite3
	if db.dialect == dialectPostgres {
		d = goose.DialectPostgres
	}
	return goose.NewProvider(d, db.write, dir)
}

// Migrate brings the schema up to today's. On SQLite the caller holds the lock of
// the data directory, and an older database is first copied beside itself; on
// PostgreSQL an advisory lock keeps two nodes apart.
func Migrate(ctx context.Context, o Options) (err error) {
	db, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.closePools()) }()
	if db.dialect == dialectPostgres {
		unlock, err := db.lockMigrations(ctx)
		if err != nil {
			return err
		}
		defer unlock()
	}
	p, err := db.provider()
	if err != nil {
		return err
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read the schema's version: %w", err)
	}
	if have > want {
		return newerFault(have, want)
	}
	if have > 0 && have < want && db.dialect == dialectSQLite {
		if err := db.copyBefore(ctx, o.Path, have); err != nil {
			return err
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bring the database up to date: %w", err)
	}
	return nil
}

const migrationLock = 0x706f7374726f6f6d // "postroom"

func (db *DB) lockMigrations(ctx context.Context) (unlock func(), err error) {
	conn, err := db.write.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "select pg_advisory_lock($1)", int64(migrationLock)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "select pg_advisory_unlock($1)", int64(migrationLock))
		_ = conn.Close()
	}, nil
}

// copyBefore keeps the database as it was at a schema, beside the file. A copy
// that is there already was made of the same state, or of one before it.
func (db *DB) copyBefore(ctx context.Context, path string, schema int64) error {
	copied := fmt.Sprintf("%s.before-schema-%d", path, schema+1)
	if _, err := os.Stat(copied); err == nil {
		return nil
	}
	if _, err := db.write.ExecContext(ctx, "vacuum into $1", copied); err != nil {
		return fmt.Errorf("copy the database before bringing it up to date: %w", err)
	}
	return nil
}

func (db *DB) schema(ctx context.Context) (have, want int64, err error) {
	p, err := db.provider()
	if err != nil {
		return 0, 0, err
	}
	sources := p.ListSources()
	want = sources[len(sources)-1].Version
	query := "select coalesce(max(version_id), 0) from goose_db_version"
	if err := db.read.QueryRowContext(ctx, query).Scan(&have); err != nil {
		return 0, want, nil // there is no table yet
	}
	return have, want, nil
}

// checkSchema refuses a database that was made by a newer program, and one that
// nobody has migrated yet.
func (db *DB) checkSchema(ctx context.Context) error {
	have, want, err := db.schema(ctx)
	switch {
	case err != nil:
		return err
	case have > want:
		return newerFault(have, want)
	case have < want:
		return &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
			Explanation: "This database is older than this version of Postroom.",
			Remedy:      "Start “postroom serve” once with this data; it brings the database up to date.",
			Err:         fmt.Errorf("schema %d, want %d", have, want),
		}
	}
	return nil
}

func newerFault(have, want int64) error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This database was made by a newer version of Postroom.",
		Remedy:      "Start the newer version again, or restore the backup that was made before the update.",
		Err:         fmt.Errorf("schema %d, this program knows up to %d", have, want),
	}
}

// noRows says whether err means that nothing was found.
func noRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }
