package testbed

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	// givenPostgres is the variable with the URL of a superuser on a server that is
	// to be used instead of one of our own.
	givenPostgres = "POSTROOM_TEST_POSTGRES"
	// wantedFsync is the variable that, set to "on", makes the shared server sync.
	wantedFsync = "POSTROOM_TEST_FSYNC"

	startLimit = 60 * time.Second // a loaded machine is slow, not broken
)

// shared is the server of this test process, started when the first test asks.
// It ends with the process.
var shared = sync.OnceValues(func() (*cluster, error) {
	c, err := newCluster(os.Getenv(wantedFsync) == "on")
	if err != nil {
		return nil, err
	}
	return c, c.start()
})

// Postgres returns the URL of a fresh, empty database, which is dropped when the
// test ends. The tests of one process share a server, which does not sync unless
// POSTROOM_TEST_FSYNC=on; POSTROOM_TEST_POSTGRES names a server to use instead.
func Postgres(t testing.TB) string {
	t.Helper()
	Need(t, NeedPostgres)
	server := os.Getenv(givenPostgres)
	if server == "" {
		c, err := shared()
		if err != nil {
			t.Fatalf("start PostgreSQL: %v", err)
		}
		server = c.url("postgres")
	}
	name := fmt.Sprintf("postroom_test_%d_%d", os.Getpid(), time.Now().UnixNano())
	if err := execute(server, "create database "+name); err != nil {
		t.Fatalf("create a database: %v", err)
	}
	t.Cleanup(func() {
		if err := execute(server, "drop database if exists "+name+" with (force)"); err != nil {
			t.Errorf("drop a database: %v", err)
		}
	})
	database, err := url.Parse(server)
	if err != nil {
		t.Fatalf("%s is not a URL: %v", givenPostgres, err)
	}
	database.Path = "/" + name
	return database.String()
}

// A Server is a PostgreSQL server of one test, which syncs its writes.
type Server struct {
	URL string // of its database; the same after every start

	t testing.TB
	c *cluster
}

// PostgresServer starts a server that the test may kill. It ends with the test.
func PostgresServer(t testing.TB) *Server {
	t.Helper()
	Need(t, NeedPostgres)
	c, err := newCluster(true)
	if err != nil {
		t.Fatalf("set PostgreSQL up: %v", err)
	}
	t.Cleanup(func() {
		c.stop()
		printLogs(t, filepath.Join(c.dir, "output.log"))
		if err := os.RemoveAll(c.dir); err != nil {
			t.Errorf("remove PostgreSQL: %v", err)
		}
	})
	s := &Server{t: t, c: c}
	s.Start()
	s.URL = c.url("postgres")
	return s
}

// Start starts the server again, on the same port, and waits until it has
// recovered and takes connections.
func (s *Server) Start() {
	s.t.Helper()
	if err := s.c.start(); err != nil {
		s.t.Fatalf("start PostgreSQL: %v", err)
	}
}

// Stop stops the server in order; connections are cut, transactions rolled back.
func (s *Server) Stop() { s.c.stop() }

// Kill ends the postmaster and all its processes at once with SIGKILL, and
// returns when they are gone.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.c.kill(); err != nil {
		s.t.Fatalf("kill PostgreSQL: %v", err)
	}
}

// A cluster is a data directory of PostgreSQL and the server that runs on it.
type cluster struct {
	dir     string
	port    int
	fsync   bool
	account *account
	leash   *leash // nil: not running
}

func newCluster(fsync bool) (*cluster, error) {
	account, err := serverAccount("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := account.workplace("postroom-pg-")
	if err != nil {
		return nil, err
	}
	c := &cluster{dir: dir, fsync: fsync, account: account}
	_, err = account.run(dir, locate("initdb"), "--pgdata", c.data(), "--username", "postgres",
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return c, nil
}

func (c *cluster) data() string { return filepath.Join(c.dir, "data") }

func (c *cluster) url(database string) string {
	return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s?sslmode=disable", c.port, database)
}

// start starts the server and waits until it answers. The first start chooses the
// port; somebody may take it before PostgreSQL does, and then another is tried.
func (c *cluster) start() error {
	first := c.port == 0
	var err error
	for range 3 {
		if first {
			ports, err := freePorts(1)
			if err != nil {
				return err
			}
			c.port = ports[0]
		}
		if err = c.startOnce(); err == nil || !first {
			break
		}
	}
	return err
}

func (c *cluster) startOnce() error {
	sync := "off"
	if c.fsync {
		sync = "on"
	}
	command := []string{locate("postgres"), "-D", c.data(), "-p", strconv.Itoa(c.port), "-k", c.dir, "-h", "127.0.0.1"}
	for _, setting := range []string{
		"fsync=" + sync, "full_page_writes=" + sync, "synchronous_commit=on",
		"shared_buffers=64MB", "max_connections=200", "max_wal_senders=0", "wal_level=minimal",
		"logging_collector=off", "log_min_messages=warning", "max_locks_per_transaction=256",
	} {
		command = append(command, "-c", setting)
	}
	var err error
	if c.leash, err = start(c.account, c.dir, "INT", command...); err != nil {
		return err
	}
	limit := time.Now().Add(startLimit)
	for time.Now().Before(limit) {
		if err = execute(c.url("postgres"), "select 1"); err == nil {
			return nil
		}
		if c.leash.hasEnded() {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	c.stop()
	return fmt.Errorf("PostgreSQL in %s does not answer: %w", c.dir, err)
}

func (c *cluster) stop() {
	if c.leash != nil {
		c.leash.stop()
		c.leash = nil
	}
}

// pid returns the process of the postmaster, which writes it into a file when it
// starts and removes the file when it stops in order.
func (c *cluster) pid() (pid int, known bool) {
	text, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if err != nil {
		return 0, false
	}
	line, _, _ := strings.Cut(string(text), "\n")
	pid, err = strconv.Atoi(line)
	return pid, err == nil
}

func (c *cluster) kill() error {
	pid, known := c.pid()
	if !known {
		return errors.New("it is not running")
	}
	if err := freeze(pid); err != nil { // so that it has no further children
		return fmt.Errorf("freeze process %d: %w", pid, err)
	}
	family := append(children(pid), pid)
	for _, p := range family {
		_ = kill(p) // it may be gone already
	}
	c.stop()
	for _, p := range family {
		for isRunning(p) {
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// children returns the processes that pid has started, where the system tells in
// /proc (Linux). Elsewhere they notice by themselves that the postmaster is gone.
func children(pid int) []int {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat") // the pattern is well formed
	var found []int
	for _, path := range stats {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// pid (name) state parent …; the name may contain anything (proc(5))
		_, rest, _ := strings.Cut(string(text[strings.LastIndexByte(string(text), ')')+1:]), " ")
		fields := strings.Fields(rest)
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			found = append(found, child)
		}
	}
	return found
}

// execute runs one statement on a connection of its own.
func execute(database, statement string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	connection, err := pgx.Connect(ctx, database)
	if err != nil {
		return err
	}
	_, err = connection.Exec(ctx, statement)
	return errors.Join(err, connection.Close(ctx))
}
