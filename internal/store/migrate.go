package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

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
func Migrate(ctx context.Context, o Options) error { return migrate(ctx, o, migration{copied: true}) }

// A migration says how far, and whether an older SQLite database is copied first.
type migration struct {
	to     int64 // 0: the newest
	copied bool
}

func migrate(ctx context.Context, o Options, m migration) (err error) {
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
	if m.to == 0 {
		m.to = want
	}
	if m.copied && have > 0 && have < m.to {
		if err := db.copyBefore(ctx, o.Path, have, m.to); err != nil {
			return err
		}
	}
	if _, err := p.UpTo(ctx, m.to); err != nil {
		return fmt.Errorf("bring the database up to date: %w", db.trouble(err))
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

func (db *DB) schema(ctx context.Context) (have, want int64, err error) {
	if want, err = newestSchema(db.dialect); err != nil {
		return 0, 0, err
	}
	query := "select coalesce(max(version_id), 0) from goose_db_version"
	if err := db.read.QueryRowContext(ctx, query).Scan(&have); err != nil {
		return 0, want, nil // there is no table yet
	}
	return have, want, nil
}

// newestSchema is the newest schema of a database that this program knows.
func newestSchema(d dialect) (int64, error) {
	files, err := fs.Glob(migrations, "migrations/"+string(d)+"/*.sql")
	if err != nil || len(files) == 0 {
		return 0, fmt.Errorf("no migrations of %s: %w", d, err)
	}
	return goose.NumericComponent(files[len(files)-1])
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
