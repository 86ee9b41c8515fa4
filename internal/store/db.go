// Package store holds every SQL statement, for SQLite and for PostgreSQL.
//
// A method of [DB] that changes something is one whole commit, named after the
// fact it records. It decides nothing: rules live in the rooms. Pages and lists
// read through a [Reader], which cannot write.
//
// One text serves both databases. Where PostgreSQL needs a clause that SQLite
// does not have, the text carries it as a marked comment: /*pg for share */.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// dialect is which of the two databases this is.
type dialect string

const (
	dialectSQLite   dialect = "sqlite"
	dialectPostgres dialect = "postgres"
)

// A DB is the whole state of an installation.
type DB struct {
	dialect dialect
	write   *sql.DB // one connection
	read    *sql.DB
	log     *slog.Logger
	step    func(string)
	url     string
	dir     string // of the SQLite file

	queue chan *member
	stop  context.CancelFunc
	done  chan struct{}

	statements sync.Map // text → *sql.Stmt on read
	codec      *codec
	buffers    sync.Pool // *[]byte of chunkBytes
	changed    *broadcast

	commits, members atomic.Int64
	fullAt           atomic.Int64 // when there was no room; microseconds since 1970
}

// Options say which database to open.
type Options struct {
	// Path is the SQLite file; used when URL is empty.
	Path string
	// URL is postgres://….
	URL string
	Log *slog.Logger
	// Step is called at numbered points between two steps of a message's way, so
	// that a test can end the process there. Nil: nothing is called.
	Step func(point string)
}

// Open opens the database and starts the one goroutine that commits; Close waits
// for it. The schema must be current: see [Migrate].
func Open(ctx context.Context, o Options) (*DB, error) {
	db, err := open(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := db.checkSchema(ctx); err != nil {
		return nil, errors.Join(err, db.closePools())
	}
	if err := db.startCommitter(ctx); err != nil {
		return nil, errors.Join(err, db.closePools())
	}
	return db, nil
}

func open(ctx context.Context, o Options) (*DB, error) {
	db := &DB{log: o.Log, step: o.Step, url: o.URL, queue: make(chan *member, 1024), changed: newBroadcast()}
	if db.log == nil {
		db.log = slog.New(slog.DiscardHandler)
	}
	if db.step == nil {
		db.step = func(string) {}
	}
	db.buffers.New = func() any { b := make([]byte, chunkBytes); return &b }
	var err error
	if db.codec, err = newCodec(); err != nil {
		return nil, err
	}
	if strings.HasPrefix(o.URL, "postgres://") || strings.HasPrefix(o.URL, "postgresql://") {
		db.dialect = dialectPostgres
		err = db.openPostgres(o.URL)
	} else if o.URL != "" {
		return nil, fmt.Errorf("open database: the address must begin with postgres://, not %q", beginning(o.URL))
	} else {
		db.dialect, db.dir = dialectSQLite, filepath.Dir(o.Path)
		err = db.openSQLite(o.Path)
	}
	if err != nil {
		return nil, err
	}
	if err := db.write.PingContext(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database: %w", db.trouble(err)), db.closePools())
	}
	return db, nil
}

// beginning returns what stands before the first colon, which cannot be a password.
func beginning(url string) string {
	head, _, _ := strings.Cut(url, ":")
	return head
}

// openPostgres opens one connection that writes and some that read. Statements are
// prepared once, on tables that may be empty then: the plans of that moment would
// read whole tables for ever. Every statement that writes finds its rows by an
// index, one after the other, so the writing connection plans no other way; the
// reading ones plan anew each time, for what is asked and how much there is.
func (db *DB) openPostgres(url string) error {
	pool := func(parameters map[string]string) (*sql.DB, error) {
		config, err := pgx.ParseConfig(url)
		if err != nil { // the cause may quote the password
			return nil, errors.New("open database: the PostgreSQL address cannot be read; it should look like postgres://user@host/name")
		}
		maps.Copy(config.RuntimeParams, parameters)
		return stdlib.OpenDB(*config), nil
	}
	var err error
	if db.write, err = pool(map[string]string{"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}); err != nil {
		return err
	}
	if db.read, err = pool(map[string]string{"plan_cache_mode": "force_custom_plan"}); err != nil {
		return err
	}
	db.write.SetMaxOpenConns(2)
	db.read.SetMaxOpenConns(max(8, 2*runtime.NumCPU()))
	db.read.SetMaxIdleConns(4)
	db.read.SetConnMaxIdleTime(5 * time.Minute)
	return nil
}

// Close waits for the commits that are under way and closes the database.
func (db *DB) Close() error {
	if db.stop != nil {
		db.stop()
		<-db.done
	}
	return db.closePools()
}

func (db *DB) closePools() error {
	var errs []error
	db.statements.Range(func(_, s any) bool {
		errs = append(errs, s.(*sql.Stmt).Close())
		return true
	})
	if db.read != nil {
		errs = append(errs, db.read.Close())
	}
	if db.write != nil {
		errs = append(errs, db.write.Close())
	}
	return errors.Join(errs...)
}

// Changed returns a channel that is closed at the next commit of this process
// that appends an event. It is a nudge and nothing more: ask the database what
// has happened.
func (db *DB) Changed() <-chan struct{} { return db.changed.wait() }

// Ping says whether the database answers.
func (db *DB) Ping(ctx context.Context) error { return db.trouble(db.read.PingContext(ctx)) }

// Commits returns how many transactions this process has made durable, and how
// many changes were joined in them.
func (db *DB) Commits() (commits, members int64) { return db.commits.Load(), db.members.Load() }

// text is a statement as this database wants it.
func (db *DB) text(query string) string {
	if db.dialect == dialectSQLite || !strings.Contains(query, "/*pg ") {
		return query
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(query, "/*pg ")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		clause, after, _ := strings.Cut(rest, "*/")
		b.WriteString(clause)
		query = after
	}
}

// prepared returns the statement for query on the reading connections.
func (db *DB) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	if s, ok := db.statements.Load(query); ok {
		return s.(*sql.Stmt), nil
	}
	s, err := db.read.PrepareContext(ctx, db.text(query))
	if err != nil {
		return nil, err
	}
	if earlier, loaded := db.statements.LoadOrStore(query, s); loaded {
		_ = s.Close()
		return earlier.(*sql.Stmt), nil
	}
	return s, nil
}

func (db *DB) queryRow(ctx context.Context, query string, args ...any) row {
	s, err := db.prepared(ctx, query)
	if err != nil {
		return row{err: db.trouble(err)}
	}
	return row{r: s.QueryRowContext(ctx, args...), db: db}
}

func (db *DB) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := db.prepared(ctx, query)
	if err != nil {
		return nil, db.trouble(err)
	}
	rows, err := s.QueryContext(ctx, args...)
	return rows, db.trouble(err)
}

// row is one row, or the reason why there is none.
type row struct {
	r   *sql.Row
	db  *DB // which explains its own trouble; nil inside a commit, whose end explains it
	err error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	err := r.r.Scan(dest...)
	if r.db != nil {
		err = r.db.trouble(err)
	}
	return err
}

// broadcast lets any number of goroutines wait for the next change.
type broadcast struct {
	mu sync.Mutex
	ch chan struct{}
}

func newBroadcast() *broadcast { return &broadcast{ch: make(chan struct{})} }

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.ch
}

func (b *broadcast) tell() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.ch)
	b.ch = make(chan struct{})
}
