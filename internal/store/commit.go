package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/postroom/postroom"
)

// maxJoined is how many commits are joined into one at most, so that the first
// of them does not wait for too many others.
const maxJoined = 256

// maxLocks is how many keys joined commits lock, about. PostgreSQL has room for a
// few thousand, for all nodes together (max_locks_per_transaction).
const maxLocks = 1000

// A PostgreSQL server that does not answer is given up after this long: a commit
// by its connection, which is made anew.
const (
	connectTimeout = 10 * time.Second
	cutTimeout     = time.Second // for how long a commit tries again by itself; who asked for it does later
	commitTimeout  = 2 * time.Minute
)

// A member is one commit that waits to be joined with others into one.
type member struct {
	ctx   context.Context
	locks []int64 // taken before anything else, on PostgreSQL
	do    func(*tx) error
	err   error
	done  chan struct{}
}

// tx is a member's view of the transaction. It never leaves this package, and do
// may run twice: whatever it sets outside must be set anew each time.
type tx struct {
	ctx    context.Context
	s      *committer
	events []postroom.Event
	index  []indexed
}

// commit runs do inside a transaction and returns when it has been made durable,
// or not at all. Commits that wait at the same time share one transaction, and
// none of them fails with another. A context that ends while the commit is under way does not
// interrupt it.
func (db *DB) commit(ctx context.Context, do func(*tx) error) error {
	return db.commitLocked(ctx, nil, do)
}

// commitLocked is commit with keys locked against other nodes first. The keys of
// all joined commits are taken in ascending order.
func (db *DB) commitLocked(ctx context.Context, locks []int64, do func(*tx) error) error {
	m := &member{ctx: ctx, locks: locks, do: do, done: make(chan struct{})}
	select {
	case db.queue <- m:
	case <-ctx.Done():
		return ctx.Err()
	case <-db.done:
		return errors.New("the database is closed")
	}
	select {
	case <-m.done:
		return m.err
	case <-db.done:
		select {
		case <-m.done:
			return m.err
		default:
			return errors.New("the database is closed")
		}
	}
}

// committer is the one goroutine that writes.
type committer struct {
	db         *DB
	conn       *sql.Conn
	statements map[string]*sql.Stmt
	held       map[Fence]bool // by the transaction that is under way
}

func (db *DB) startCommitter(ctx context.Context) error {
	s := &committer{db: db}
	if err := s.connect(ctx); err != nil {
		return err
	}
	ctx, db.stop = context.WithCancel(context.WithoutCancel(ctx))
	db.done = make(chan struct{})
	go func() {
		defer close(db.done)
		defer s.disconnect()
		s.run(ctx)
	}()
	return nil
}

func (s *committer) connect(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	conn, err := s.db.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("open database for writing: %w", err)
	}
	s.conn, s.statements = conn, make(map[string]*sql.Stmt)
	return nil
}

func (s *committer) disconnect() {
	s.closeStatements()
	if s.conn != nil {
		_ = s.conn.Close()
	}
	s.conn = nil
}

// closeStatements comes before the end of the connection: SQLite's driver cannot
// close a statement whose connection is gone.
func (s *committer) closeStatements() {
	for _, st := range s.statements {
		_ = st.Close()
	}
	s.statements = nil
}

// drop ends a connection whose state nobody knows. It does not go back to the pool.
func (s *committer) drop() {
	s.closeStatements()
	if s.conn != nil {
		_ = s.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	s.disconnect()
}

func (s *committer) run(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			s.drain()
			return
		case first := <-s.db.queue:
			s.turn(context.WithoutCancel(ctx), s.waiting(first))
		}
	}
}

// drain commits what was handed in before the stop.
func (s *committer) drain() {
	for {
		select {
		case first := <-s.db.queue:
			s.turn(context.Background(), s.waiting(first))
		default:
			return
		}
	}
}

// waiting returns first and the others that wait now.
func (s *committer) waiting(first *member) []*member {
	members, locks := []*member{first}, len(first.locks)
	for len(members) < maxJoined && locks < maxLocks {
		select {
		case m := <-s.db.queue:
			members = append(members, m)
			locks += len(m.locks)
		default:
			return members
		}
	}
	return members
}

// turn commits members together and answers each of them.
func (s *committer) turn(ctx context.Context, members []*member) {
	defer func() {
		for _, m := range members {
			m.err = s.db.trouble(m.err)
			close(m.done)
		}
	}()
	live := members[:0:0]
	for _, m := range members {
		if m.err = m.ctx.Err(); m.err == nil {
			live = append(live, m)
		}
	}
	if len(live) == 0 {
		return
	}
	told, err := s.attempt(ctx, live)
	if err != nil && len(live) > 1 && s.conn != nil {
		told = s.apart(ctx, live)
	}
	if told {
		s.db.changed.tell()
	}
}

// apart commits members one by one, because together they cannot be: what is wrong
// with one of them is not the others' failure.
func (s *committer) apart(ctx context.Context, members []*member) (told bool) {
	for i := range members {
		some, err := s.attempt(ctx, members[i:i+1])
		told = told || some
		if err != nil && s.conn == nil { // the rest keep the error they have
			return told
		}
	}
	return told
}

// attempt commits members together, again where the database gave up for a reason
// that may be gone. An error is everybody's, and has been given to them.
func (s *committer) attempt(ctx context.Context, members []*member) (told bool, err error) {
	careful, began := false, time.Now()
	for try := 0; ; try++ {
		told, err = s.joined(ctx, members, careful)
		if err == nil {
			return told, nil
		}
		if errors.Is(err, errOneFailed) {
			careful = true
			continue
		}
		if try < 5 && (worthAnotherTry(err) || s.wasCut(err) && time.Since(began) < cutTimeout) {
			time.Sleep(time.Duration(try*try) * 5 * time.Millisecond)
			continue
		}
		for _, m := range members {
			m.err = fmt.Errorf("commit: %w", err)
		}
		return false, err
	}
}

// begin begins a transaction. A connection that has broken while it was idle is
// made anew: nothing was lost with it.
func (s *committer) begin(ctx context.Context) error {
	begin := "begin"
	if s.db.dialect == dialectSQLite {
		begin = "begin immediate"
	}
	for isNew := s.conn == nil; ; isNew = true {
		if s.conn == nil {
			if err := s.connect(ctx); err != nil {
				return err
			}
		}
		err := s.exec(ctx, begin)
		if err == nil {
			return nil
		}
		s.drop()
		if isNew {
			return err
		}
	}
}

// errOneFailed says that one of several members failed while there was no savepoint
// to go back to: all are to be run again, with care.
var errOneFailed = errors.New("one of several joined commits failed")

// joined runs one transaction for all members. A member's own failure is that
// member's; an error returned is everybody's. Members rarely fail, and savepoints
// cost more than most of what they would protect: they are set with care only,
// after a run without them has met a failure.
func (s *committer) joined(ctx context.Context, members []*member, careful bool) (told bool, err error) {
	if s.db.dialect == dialectPostgres {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commitTimeout)
		defer cancel()
	}
	if err := s.begin(ctx); err != nil {
		return false, err
	}
	defer func() {
		if err != nil {
			if s.exec(ctx, "rollback") != nil {
				s.drop()
			}
		}
	}()
	if err := s.lock(ctx, members); err != nil {
		return false, err
	}
	s.held = make(map[Fence]bool)
	var events []postroom.Event
	var index []indexed
	for _, m := range members {
		t := &tx{ctx: ctx, s: s}
		if m.err, err = s.one(t, m, careful); err != nil {
			return false, err
		}
		switch {
		case m.err == nil:
			events = append(events, t.events...)
			index = append(index, t.index...)
		case len(members) == 1:
			return false, s.exec(ctx, "rollback")
		case !careful:
			return false, errOneFailed
		}
	}
	if err := s.writeIndex(ctx, index); err != nil {
		return false, err
	}
	if err := s.append(ctx, events); err != nil {
		return false, err
	}
	s.db.step("before a commit")
	if err := s.exec(ctx, "commit"); err != nil {
		return false, fmt.Errorf("%w: %w", errAtCommit, err)
	}
	s.db.step("after a commit")
	s.db.commits.Add(1)
	s.db.members.Add(int64(len(members)))
	return len(events) > 0, nil
}

// lock takes the keys of all members in ascending order, so that two nodes that
// join different commits cannot wait for each other.
func (s *committer) lock(ctx context.Context, members []*member) error {
	if s.db.dialect == dialectSQLite {
		return nil // there is one writer
	}
	var keys []int64
	for _, m := range members {
		keys = append(keys, m.locks...)
	}
	if len(keys) == 0 {
		return nil
	}
	slices.Sort(keys)
	return s.exec(ctx, "select pg_advisory_xact_lock(key) from unnest($1::bigint[]) key", slices.Compact(keys))
}

// one runs a member, behind a savepoint if it is told to: own is the member's
// failure, err the end of the whole transaction.
func (s *committer) one(t *tx, m *member, savepoint bool) (own, err error) {
	if savepoint {
		if err := s.exec(t.ctx, "savepoint member"); err != nil {
			return nil, err
		}
	}
	own = s.guarded(t, m)
	switch {
	case own != nil && (worthAnotherTry(own) || IsTrouble(s.db.trouble(own))):
		return nil, own // which has ended the transaction (sqlite.org/lang_transaction.html, 3)
	case !savepoint:
		return own, nil
	case own != nil:
		clear(s.held) // locks that were taken behind the savepoint go with it
		if err := s.exec(t.ctx, "rollback to savepoint member"); err != nil {
			return own, err
		}
	}
	return own, s.exec(t.ctx, "release savepoint member")
}

// guarded runs a member. One that panics fails alone: a mail that we handle wrongly
// must not end the process, and again at every start.
func (s *committer) guarded(t *tx, m *member) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			s.db.log.ErrorContext(t.ctx, "a commit panicked", "cause", fmt.Sprint(cause), "stack", string(debug.Stack()))
			err = fmt.Errorf("a mistake in Postroom itself: %v", cause)
		}
	}()
	return m.do(t)
}

// append gives the events their positions, last of all in the transaction: the
// counter's row is locked from here to the commit, so that positions become
// visible in their order, on several nodes too.
func (s *committer) append(ctx context.Context, events []postroom.Event) error {
	if len(events) == 0 {
		return nil
	}
	var last int64
	if err := s.row(ctx, takePositions, len(events)).Scan(&last); err != nil {
		return fmt.Errorf("take event positions: %w", err)
	}
	for i, e := range events {
		position := last - int64(len(events)) + int64(i) + 1
		if err := s.exec(ctx, appendEvent, position, e.ID, string(e.Type), micros(e.At), nullID(e.Mailbox), nullID(e.Issue), e.Historic); err != nil {
			return fmt.Errorf("append event: %w", err)
		}
	}
	if s.db.dialect == dialectPostgres {
		return s.exec(ctx, "select pg_notify('postroom_changed', '')")
	}
	return nil
}

const takePositions = `update counter set value = value + $1 where name = 'event' returning value`

const appendEvent = `
	insert into event (position, id, type, at, mailbox, issue, historic)
	values ($1, $2, $3, $4, $5, $6, $7)`

// worthAnotherTry says whether the database gave up a transaction that may well
// succeed when it is run again: a deadlock or a serialisation failure.
func worthAnotherTry(err error) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && (pg.Code == "40P01" || pg.Code == "40001")
}

// errAtCommit says that a transaction failed at its last step. Where the connection
// ended there, nobody knows whether it was made durable.
var errAtCommit = errors.New("at the end")

// wasCut says whether the connection to PostgreSQL ended before the last step of a
// transaction: the server was stopped or has crashed, and nothing of it is there.
func (s *committer) wasCut(err error) bool {
	if s.db.dialect != dialectPostgres || errors.Is(err, errAtCommit) {
		return false
	}
	var pg *pgconn.PgError
	if errors.As(err, &pg) {
		return strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "57P")
	}
	return isCut(err)
}

func (s *committer) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	if st, ok := s.statements[query]; ok {
		return st, nil
	}
	st, err := s.conn.PrepareContext(ctx, s.db.text(query))
	if err != nil {
		return nil, err
	}
	s.statements[query] = st
	return st, nil
}

func (s *committer) exec(ctx context.Context, query string, args ...any) error {
	st, err := s.statement(ctx, query)
	if err != nil {
		return err
	}
	_, err = st.ExecContext(ctx, args...)
	return err
}

func (s *committer) row(ctx context.Context, query string, args ...any) row {
	st, err := s.statement(ctx, query)
	if err != nil {
		return row{err: err}
	}
	return row{r: st.QueryRowContext(ctx, args...)}
}

func (t *tx) exec(query string, args ...any) error { return t.s.exec(t.ctx, query, args...) }

// changed is exec that says how many rows there were to change.
func (t *tx) changed(query string, args ...any) (int64, error) {
	st, err := t.s.statement(t.ctx, query)
	if err != nil {
		return 0, err
	}
	r, err := st.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

func (t *tx) row(query string, args ...any) row { return t.s.row(t.ctx, query, args...) }

func (t *tx) rows(query string, args ...any) (*sql.Rows, error) {
	st, err := t.s.statement(t.ctx, query)
	if err != nil {
		return nil, err
	}
	return st.QueryContext(t.ctx, args...)
}

// event notes that something happened; it gets its position when the commit is
// complete.
func (t *tx) event(e postroom.Event) { t.events = append(t.events, e) }
