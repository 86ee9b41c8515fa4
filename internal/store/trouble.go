package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"

	"github.com/postroom/postroom"
)

// What is wrong with the database itself, and with nobody's mail or mailbox.
var (
	errTrouble = errors.New("the database is in trouble")
	errFull    = errors.New("there is no room left")
)

// IsTrouble says whether err means that the database itself cannot do its work just
// now: its disk is full or broken, somebody else holds it, it cannot be reached. What
// was asked for may well succeed later, and nothing is wrong with it.
func IsTrouble(err error) bool { return errors.Is(err, errTrouble) }

// trouble gives err the words for it where the database itself is in trouble; any
// other error is returned as it is. A full disk is remembered: see [DB.Space].
func (db *DB) trouble(err error) error {
	if err == nil || IsTrouble(err) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	var own *sqlite.Error
	var pg *pgconn.PgError
	switch {
	case errors.As(err, &own):
		return db.troubleOfSQLite(own.Code(), err)
	case errors.As(err, &pg):
		return db.troubleOfPostgres(pg.Code, err)
	case db.dialect == dialectPostgres && isCut(err):
		return unreachable(err)
	}
	return err
}

// almostNothing is how many free bytes are too few to make a file of SQLite's
// longer, whatever the system calls that.
const almostNothing = 1 << 20

// troubleOfSQLite reads a result code (sqlite.org/rescode.html); its lowest byte is
// the primary one. A disk without room also shows as a fault of reading or writing,
// where it is the WAL's index that cannot grow.
func (db *DB) troubleOfSQLite(code int, err error) error {
	switch code & 0xff {
	case sqlite3.SQLITE_FULL:
		return db.full(err)
	case sqlite3.SQLITE_IOERR:
		if free, known := freeBytes(db.dir); known && free < almostNothing {
			return db.full(err)
		}
		return troubled(err,
			"The disk that holds Postroom's data cannot be read or written as it should.",
			"Look whether it is there, has room, and is healthy; the system's log says more. Make a backup as soon as you can. Reading goes on by itself once the disk works again.")
	case sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED:
		return troubled(err,
			"Another program keeps Postroom's database to itself, so nothing can be stored.",
			"Close whatever has opened postroom.db, such as a database browser or a program that copies files. Reading goes on by itself then.")
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH:
		if free, known := freeBytes(db.dir); known && free < almostNothing {
			return db.full(err)
		}
		return troubled(err,
			"Postroom may not write to its own database.",
			"Look whether the data directory is on a disk that became read-only, and whether it belongs to the account that runs Postroom. Reading goes on by itself once it can be written again.")
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB: // which may hit one page, and one mail
		return brokenPage(err)
	}
	return err
}

// troubleOfPostgres reads an SQLSTATE (PostgreSQL manual, appendix A).
func (db *DB) troubleOfPostgres(code string, err error) error {
	if len(code) != 5 {
		return err
	}
	switch {
	case code == "XX001", code == "XX002":
		return brokenPage(err)
	case code == "53100":
		return db.full(err)
	case code == "25006":
		return troubled(err,
			"The database takes no changes: it is a standby, or was made read-only.",
			"Connect Postroom to the server that takes changes (--database). If the servers are changing places just now, reading goes on by itself afterwards.")
	case code[:2] == "53":
		return troubled(err,
			"The database server has no memory or no connections left.",
			"Give PostgreSQL more of what its log asks for, or let fewer programs use it. Reading goes on by itself.")
	case code[:2] == "08", code[:2] == "57":
		return unreachable(err)
	case code[:2] == "58":
		return troubled(err,
			"The disk of the database server cannot be read or written as it should.",
			"The log of PostgreSQL says more. Reading goes on by itself once the disk works again.")
	case code[:2] == "40", code == "55P03":
		return troubled(err,
			"The database is too busy to store anything.",
			"Nothing has to be done unless this lasts: then look what else works on the database.")
	}
	return err
}

// isCut says whether err is the end of a connection and not an answer.
func isCut(err error) bool {
	var connect *pgconn.ConnectError
	var network net.Error
	return errors.As(err, &connect) || errors.As(err, &network) || errors.Is(err, driver.ErrBadConn) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || pgconn.SafeToRetry(err)
}

// brokenPage is no trouble of the whole database: what is not on the damaged page can
// still be read and written.
func brokenPage(err error) error {
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "A part of Postroom's database is damaged.",
		Remedy:      "Stop Postroom and put a copy of its data aside. Then restore the newest backup into a new place; the mail since then is brought in from the mail servers.",
		Err:         err,
	}
}

func unreachable(err error) error {
	return troubled(err,
		"The database does not answer.",
		"Look whether PostgreSQL is running and can be reached from this computer. Reading goes on by itself once it answers.")
}

func (db *DB) full(err error) error {
	db.noteFull()
	if db.dialect == dialectPostgres {
		return troubled(fmt.Errorf("%w: %w", errFull, err),
			"The disk of the database server is full, so no mail is being brought in.",
			"Make room on the disk of PostgreSQL. Nothing is lost: mail stays on its server, and reading goes on by itself.")
	}
	return troubled(fmt.Errorf("%w: %w", errFull, err),
		"The disk that holds Postroom's data is full, so no mail is being brought in.",
		"Make room on it. Nothing is lost: mail stays on its server, and reading goes on by itself.")
}

func troubled(err error, explanation, remedy string) error {
	return &postroom.Fault{
		Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: explanation, Remedy: remedy, Err: fmt.Errorf("%w: %w", errTrouble, err),
	}
}
