package testbed

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	connection, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close(context.Background()) })
	return connection
}

func TestEveryTestHasADatabaseOfItsOwn(t *testing.T) {
	first, second := Postgres(t), Postgres(t)
	if first == second {
		t.Fatalf("two calls returned the same database %s", first)
	}
	if err := execute(first, "create table thing (id bigint)"); err != nil {
		t.Fatal(err)
	}
	if err := execute(second, "select * from thing"); err == nil {
		t.Error("a table of one database is in the other, want it absent")
	}
}

func TestADatabaseIsDroppedAfterItsTest(t *testing.T) {
	var url string
	t.Run("inner", func(t *testing.T) {
		url = Postgres(t)
		connect(t, url) // an open connection does not prevent it
	})
	if url != "" && execute(url, "select 1") == nil {
		t.Errorf("%s still exists", url)
	}
}

func TestWhatWasCommittedSurvivesAKilledServer(t *testing.T) {
	s := PostgresServer(t)
	if err := execute(s.URL, "create table thing (id bigint)"); err != nil {
		t.Fatal(err)
	}
	connection := connect(t, s.URL)
	tx, err := connection.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), "insert into thing values (2)"); err != nil {
		t.Fatal(err)
	}
	if err := execute(s.URL, "insert into thing values (1)"); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	if err := execute(s.URL, "select 1"); err == nil {
		t.Error("a killed server answers")
	}
	s.Start()
	var count, id int
	row := connect(t, s.URL).QueryRow(t.Context(), "select count(*), max(id) from thing")
	if err := row.Scan(&count, &id); err != nil {
		t.Fatal(err)
	}
	if count != 1 || id != 1 {
		t.Errorf("the table has %d rows and highest id %d, want the committed one", count, id)
	}
	var fsync string
	if err := connect(t, s.URL).QueryRow(t.Context(), "show fsync").Scan(&fsync); err != nil || fsync != "on" {
		t.Errorf("fsync is %q (%v), want on", fsync, err)
	}
}

// TestServersEndWithTheTestProcess runs this test binary as a child that starts
// PostgreSQL and is then killed without a chance to clean up.
func TestServersEndWithTheTestProcess(t *testing.T) {
	if os.Getenv("TESTBED_CHILD") != "" {
		c, err := shared()
		if err != nil {
			t.Fatal(err)
		}
		pid, _ := c.pid()
		_, _ = os.Stdout.WriteString("server " + c.dir + " " + c.url("postgres") + "\n")
		if err := kill(os.Getpid()); err != nil {
			t.Fatal(err, pid)
		}
		select {}
	}
	Need(t, NeedPostgres)
	child := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	child.Env = append(os.Environ(), "TESTBED_CHILD=1")
	output, _ := child.CombinedOutput() // it was killed
	_, rest, _ := strings.Cut(string(output), "server ")
	fields := strings.Fields(rest)
	if len(fields) < 2 {
		t.Fatalf("the child said %q, want the place of its server", output)
	}
	dir, url := fields[0], fields[1]
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		_, err := os.Stat(dir)
		if os.IsNotExist(err) {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("%s is still there", dir)
		}
	}
	if execute(url, "select 1") == nil {
		t.Error("the server of a killed test process still answers")
	}
}

func TestAGivenServerIsUsedInsteadOfOurOwn(t *testing.T) {
	s := PostgresServer(t)
	t.Setenv(givenPostgres, s.URL)
	url := Postgres(t)
	given, err := pgx.ParseConfig(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	got, err := pgx.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	if got.Port != given.Port || got.Database == given.Database {
		t.Errorf("Postgres returns %s, want a database of its own on %s", url, s.URL)
	}
}
