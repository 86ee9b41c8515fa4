package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"runtime"
	"slices"
	"time"

	"modernc.org/sqlite"
)

// connector opens SQLite connections that all know db_now().
type connector struct {
	dsn    string
	driver *sqlite.Driver
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// openSQLite opens the file with one writing connection and a few reading ones.
// synchronous=full makes a commit last through a power cut; the journal is a WAL
// so that readers never wait for the writer. auto_vacuum takes effect before the
// first table only; on a connection that reads it would wait for the writer.
//
// The file is made for its owner's eyes only; SQLite gives the files beside it the
// same permissions.
func (db *DB) openSQLite(path string) error {
	// Only where it is not there: to open and close a database file by other means
	// than SQLite's would drop the locks that this process holds on it.
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600)
	if err == nil {
		err = file.Close()
	} else if errors.Is(err, fs.ErrExist) {
		err = nil
	}
	if err != nil {
		return fmt.Errorf("make the database: %w", err)
	}
	d := &sqlite.Driver{}
	if err := d.RegisterScalarFunction("db_now", 0, sqliteNow); err != nil {
		return err
	}
	dsn := func(pragmas ...string) string {
		pragmas = slices.Concat([]string{"busy_timeout(10000)"}, pragmas, []string{
			"journal_mode(wal)",
			"synchronous(full)",
			"foreign_keys(on)",
			"mmap_size(0)",
			"temp_store(memory)",
			"wal_autocheckpoint(2000)", // pages: 8 MB, so that what changes often is written back seldom
		})
		values := url.Values{"_txlock": {"immediate"}, "_pragma": pragmas}
		return "file:" + (&url.URL{Path: path}).EscapedPath() + "?" + values.Encode()
	}
	db.write = sql.OpenDB(connector{dsn("auto_vacuum(incremental)", "cache_size(-8000)"), d})
	db.read = sql.OpenDB(connector{dsn("query_only(on)", "cache_size(-4000)"), d})
	db.write.SetMaxOpenConns(1)
	db.read.SetMaxOpenConns(max(4, runtime.NumCPU()))
	db.read.SetMaxIdleConns(max(4, runtime.NumCPU()))
	return nil
}

// sqliteNow is db_now() of SQLite: microseconds since 1970.
func sqliteNow(*sqlite.FunctionContext, []driver.Value) (driver.Value, error) {
	return time.Now().UnixMicro(), nil
}
