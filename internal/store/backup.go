package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"
)

// A Snapshot is the whole database as it was at one instant, whatever is written
// meanwhile. While it is open, SQLite's log and PostgreSQL's old rows cannot be
// cleared away.
type Snapshot struct {
	Database  string // sqlite or postgres
	Schema    int64
	At        time.Time
	Mailboxes int64
	Mails     int64
	// Streams are what it consists of, in the order in which they are restored.
	Streams []Stream

	source snapshotSource
}

// A Stream is one part of a snapshot: the file of SQLite, or one table of PostgreSQL.
type Stream struct {
	Name      string   `json:"name"`
	Columns   []string `json:"columns,omitempty"` // of a table
	SizeBytes int64    `json:"size_bytes"`        // about, uncompressed
}

// A snapshotSource is a transaction that sees one instant.
type snapshotSource interface {
	row(ctx context.Context, query string, args ...any) interface{ Scan(...any) error }
	streams(ctx context.Context) ([]Stream, error)
	copyTo(ctx context.Context, s Stream, w io.Writer) error
	close() error
}

// TakeSnapshot opens a snapshot of a database, whether a server is using it or not.
// It changes nothing and needs no lock. A database that a newer program made is
// refused: this one could not restore it.
func TakeSnapshot(ctx context.Context, o Options) (*Snapshot, error) {
	db, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Database: string(db.dialect), At: time.Now()}
	if db.dialect == dialectSQLite {
		s.source, err = beginSQLiteSnapshot(ctx, db)
	} else {
		s.source, err = beginPostgresSnapshot(ctx, db)
	}
	if err == nil {
		err = s.look(ctx, db)
	}
	if err != nil {
		if s.source != nil {
			err = errors.Join(err, s.source.close())
		} else {
			err = errors.Join(err, db.closePools())
		}
		return nil, db.trouble(err)
	}
	return s, nil
}

const countForBackup = `
	select (select count(*) from mailbox where deleted_at is null), (select count(*) from mail), (select max(version_id) from goose_db_version)`

func (s *Snapshot) look(ctx context.Context, db *DB) error {
	if err := s.source.row(ctx, countForBackup).Scan(&s.Mailboxes, &s.Mails, &s.Schema); err != nil {
		return fmt.Errorf("look at the database: %w", err)
	}
	want, err := newestSchema(db.dialect)
	if err != nil {
		return err
	}
	if s.Schema > want {
		return newerFault(s.Schema, want)
	}
	s.Streams, err = s.source.streams(ctx)
	return err
}

// Setting is [DB.Setting] at the instant of the snapshot.
func (s *Snapshot) Setting(ctx context.Context, name string) (value string, ok bool, err error) {
	err = s.source.row(ctx, readSetting, name).Scan(&value)
	if noRows(err) {
		return "", false, nil
	}
	return value, err == nil, err
}

// CopyTo writes a stream. It holds a few pages or rows in memory.
func (s *Snapshot) CopyTo(ctx context.Context, stream Stream, w io.Writer) error {
	if err := s.source.copyTo(ctx, stream, w); err != nil {
		return fmt.Errorf("read %s: %w", stream.Name, err)
	}
	return nil
}

// Close lets go of the instant.
func (s *Snapshot) Close() error { return s.source.close() }

// sqliteSnapshot reads the pages of the file inside a transaction, through the
// pager, so that what stands in the log counts (sqlite.org/dbpage.html).
type sqliteSnapshot struct {
	db *DB
	tx *sql.Tx
}

func beginSQLiteSnapshot(ctx context.Context, db *DB) (snapshotSource, error) {
	conn, err := db.read.Conn(ctx)
	if err != nil {
		return nil, err
	}
	// _txlock makes every transaction one that writes; this one must not.
	s := &sqliteSnapshot{db: db}
	if s.tx, err = conn.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return s, nil
}

func (s *sqliteSnapshot) row(ctx context.Context, query string, args ...any) interface{ Scan(...any) error } {
	return s.tx.QueryRowContext(ctx, query, args...)
}

// sqliteStream is the one stream of SQLite: the file.
const sqliteStream = "database"

func (s *sqliteSnapshot) streams(ctx context.Context) ([]Stream, error) {
	var pages, pageBytes int64
	err := errors.Join(s.row(ctx, "pragma page_count").Scan(&pages), s.row(ctx, "pragma page_size").Scan(&pageBytes))
	return []Stream{{Name: sqliteStream, SizeBytes: pages * pageBytes}}, err
}

const allPages = `select pgno, data from sqlite_dbpage order by pgno`

func (s *sqliteSnapshot) copyTo(ctx context.Context, stream Stream, w io.Writer) error {
	rows, err := s.tx.QueryContext(ctx, allPages)
	if err != nil {
		return err
	}
	defer rows.Close()
	var number, last, written int64
	var page sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&number, &page); err != nil {
			return err
		}
		if last++; number != last {
			return fmt.Errorf("page %d came after page %d", number, last-1)
		}
		n, err := w.Write(page)
		if err != nil {
			return err
		}
		written += int64(n)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	if written != stream.SizeBytes {
		return fmt.Errorf("%d bytes came, want %d", written, stream.SizeBytes)
	}
	return nil
}

func (s *sqliteSnapshot) close() error { return errors.Join(s.tx.Rollback(), s.db.closePools()) }
