package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/testbed"
)

func optionsOf(db *DB) Options {
	if db.dialect == dialectPostgres {
		return Options{URL: db.url}
	}
	return Options{Path: filepath.Join(db.dir, "postroom.db")}
}

// elsewhere is where nothing is yet, for a database of the same kind.
func elsewhere(t *testing.T, db *DB) Options {
	if db.dialect == dialectPostgres {
		return Options{URL: testbed.Postgres(t)}
	}
	return Options{Path: filepath.Join(t.TempDir(), "postroom.db")}
}

// A keptBackup is a snapshot in memory.
type keptBackup struct {
	*Snapshot
	streams [][]byte
}

// backUp takes a snapshot, has something done, and only then reads it.
func backUp(t *testing.T, o Options, between func()) keptBackup {
	t.Helper()
	s, err := TakeSnapshot(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	between()
	kept := keptBackup{Snapshot: s}
	for _, stream := range s.Streams {
		var b bytes.Buffer
		if err := s.CopyTo(t.Context(), stream, &b); err != nil {
			t.Fatal(err)
		}
		kept.streams = append(kept.streams, b.Bytes())
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	return kept
}

func restoreFault() *postroom.Fault {
	return &postroom.Fault{Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin, Explanation: "It was restored.", Remedy: "Resume it."}
}

func (k keptBackup) restore(t *testing.T, o Options, check func(string, bool) error) (Restored, error) {
	t.Helper()
	r, err := BeginRestore(t.Context(), o, k.Database, k.Schema)
	if err != nil {
		return Restored{}, err
	}
	for i, stream := range k.Streams {
		if err := r.Load(t.Context(), stream, bytes.NewReader(k.streams[i])); err != nil {
			return Restored{}, errors.Join(err, r.Abandon())
		}
	}
	done, err := r.Finish(t.Context(), k.At, restoreFault(), "sample", check)
	return done, errors.Join(err, r.Abandon())
}

func agree(string, bool) error { return nil }

// rowsOf are all rows of a table, in an order of their own.
func rowsOf(t *testing.T, db *DB, table string) []string {
	t.Helper()
	rows, err := db.read.QueryContext(t.Context(), "select * from "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for rows.Next() {
		values, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		found = append(found, fmt.Sprintf("%v", values))
	}
	slices.Sort(found)
	return found
}

// untouched are tables that a restore leaves as they were in the backup.
var untouched = []string{
	"app_user", "token", "token_mailbox", "credential", "numbering", "raw", "raw_chunk", "mail", "mail_reference", "issue", "issue_mailbox", "entry",
	"arrival", "event", "mailbox_reader",
}

func TestBackupIsOfOneInstantAndComesBackWhole(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		ctx := t.Context()
		p := newPostman(t, db, "one")
		ben := addPerson(t, db, "ben@example.net")
		support, boss := p.mailbox("support"), p.mailbox("boss", ben)
		for i := range 30 {
			p.deliver(support, letterOf(fmt.Sprint("letter", i)))
		}
		first := p.deliver(boss, letterOf("secret"))
		p.bring(support, "half way", true)
		p.must(db.PauseMailbox(ctx, boss))
		p.must(db.SetSetting(ctx, "sample", "sealed"))
		before := make(map[string][]string)
		for _, table := range untouched {
			before[table] = rowsOf(t, db, table)
		}
		kept := backUp(t, optionsOf(db), func() {
			p.deliver(support, letterOf("too late"))
			p.must(db.ResumeMailbox(ctx, boss))
		})
		if kept.Mailboxes != 2 || kept.Mails != 31 || kept.Schema == 0 {
			t.Errorf("the snapshot has %d mailboxes and %d mails in schema %d, want 2 and 31", kept.Mailboxes, kept.Mails, kept.Schema)
		}
		o := elsewhere(t, db)
		var sample string
		done, err := kept.restore(t, o, func(value string, _ bool) error { sample = value; return nil })
		if err != nil || done.Paused != 2 || sample != "sealed" {
			t.Fatalf("restore says %+v, sample %q, %v", done, sample, err)
		}
		restored := openForTest(t, o)
		for _, table := range untouched {
			if got := rowsOf(t, restored, table); !slices.Equal(got, before[table]) {
				t.Errorf("%s came back as\n%s\nwant\n%s", table, strings.Join(got, "\n"), strings.Join(before[table], "\n"))
			}
		}
		wantPaused(t, restored, support, boss)
		lines, _, err := restored.Reader().Issues(ctx, postroom.Viewer{User: ben, Name: "Ben"}, IssueFilter{Query: "secret"})
		if err != nil || len(lines) != 1 || lines[0].ID != first.Issue {
			t.Errorf("a search for a word finds %d issues, %v, want the one", len(lines), err)
		}
		wantNumbersSkipped(t, restored, support)
		again, ok, err := restored.LastRestore(ctx)
		if err != nil || !ok || !again.BackupAt.Equal(kept.At.Round(0)) {
			t.Errorf("LastRestore says %+v, %t, %v", again, ok, err)
		}
		p.must(restored.ForgetRestore(ctx))
		if _, ok, err := restored.LastRestore(ctx); ok || err != nil {
			t.Errorf("after ForgetRestore there is one: %t, %v", ok, err)
		}
	})
}

func wantPaused(t *testing.T, db *DB, ids ...postroom.MailboxID) {
	t.Helper()
	for _, id := range ids {
		k, err := db.KeptMailbox(t.Context(), id)
		if err != nil || k.State != postroom.MailboxPaused || k.Fault == nil || k.Fault.Explanation != "It was restored." {
			t.Errorf("mailbox %s is %s with %v, %v; want it paused with the reason", id, k.State, k.Fault, err)
		}
	}
}

// wantNumbersSkipped has a mail filed after a restore: no id, number or position is
// one that may have been given out after the backup.
func wantNumbersSkipped(t *testing.T, db *DB, id postroom.MailboxID) {
	t.Helper()
	p := newPostman(t, db, "after")
	p.must(db.ResumeMailbox(t.Context(), id))
	_, err := db.TakeLeases(t.Context(), p.node)
	p.must(err)
	p.uid = 1000
	p.renumber(id)
	if filed := p.deliver(id, letterOf("the first after it")); filed.State != postroom.ArrivalFiled || filed.Entry < idGap || filed.Issue < idGap {
		t.Errorf("the first mail after a restore is %+v, want ids beyond %d", filed, idGap)
	}
	var number, position int64
	p.must(db.queryRow(t.Context(), `select max(number) from issue`).Scan(&number))
	p.must(db.queryRow(t.Context(), `select max(position) from event`).Scan(&position))
	if number < 1000 || position < eventGap {
		t.Errorf("the next issue is #%d and the last event %d, want both skipped", number, position)
	}
}

func TestRestoreNeverWritesOverAnything(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		p.deliver(p.mailbox("support"), letterOf("first"))
		kept := backUp(t, optionsOf(db), func() {})
		_, err := kept.restore(t, optionsOf(db), agree)
		if f, ok := postroom.FaultOf(err); !ok || f.Kind != postroom.Conflict || !strings.Contains(f.Explanation, "not empty") {
			t.Fatalf("over a database that is used: %v", err)
		}
		if got := len(rowsOf(t, db, "mail")); got != 1 {
			t.Errorf("%d mails are left, want the one", got)
		}
	})
}

func TestRestoreThatComesToNothingLeavesNothing(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		p.deliver(p.mailbox("support"), letterOf("first"))
		kept := backUp(t, optionsOf(db), func() {})
		o := elsewhere(t, db)
		refused := errors.New("not with these keys")
		if _, err := kept.restore(t, o, func(string, bool) error { return refused }); !errors.Is(err, refused) {
			t.Fatalf("it says %v, want the refusal", err)
		}
		cut := kept
		cut.streams = slices.Clone(kept.streams)
		last := len(cut.streams) - 1
		cut.streams[last] = cut.streams[last][:len(cut.streams[last])/2]
		if db.dialect == dialectPostgres {
			if _, err := cut.restore(t, o, agree); err == nil {
				t.Error("a stream that was cut is taken for whole")
			}
		}
		if o.Path != "" {
			if files, err := os.ReadDir(filepath.Dir(o.Path)); err != nil || len(files) != 0 {
				t.Errorf("%v are left, %v", files, err)
			}
		}
		if _, err := kept.restore(t, o, agree); err != nil { // and it can be tried again
			t.Errorf("at the next try: %v", err)
		}
	})
}

func TestBackupOfAnotherKindOrANewerSchemaIsRefused(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		o := elsewhere(t, db)
		for name, kept := range map[string]struct {
			database string
			schema   int64
			says     string
		}{
			"a newer program's": {string(db.dialect), 1000, "newer version"},
			"another database":  {"oracle", 1, "was made of"},
		} {
			_, err := BeginRestore(t.Context(), o, kept.database, kept.schema)
			if f, ok := postroom.FaultOf(err); !ok || !strings.Contains(f.Explanation, kept.says) {
				t.Errorf("%s: %v, want %q", name, err, kept.says)
			}
		}
	})
}

// oldDatabase makes a database in the first schema, with a mailbox in it.
func oldDatabase(t *testing.T, o Options) {
	t.Helper()
	ctx := t.Context()
	if err := migrate(ctx, o, migration{to: 1}); err != nil {
		t.Fatal(err)
	}
	db, err := open(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	defer db.closePools()
	_, err = db.write.ExecContext(ctx, `
		insert into mailbox (name, address, settings, everyone, visibility_key, state, state_since, created_at, updated_at)
		values ('Support', 'support@example.net', '{}', true, '*', 'active', 1, 1, 1)`)
	if err != nil {
		t.Fatal(err)
	}
}

func TestBackupOfAnOlderSchemaIsBroughtUpToDate(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		old, o := elsewhere(t, db), elsewhere(t, db)
		oldDatabase(t, old)
		kept := backUp(t, old, func() {})
		if kept.Schema != 1 {
			t.Fatalf("the schema of the backup is %d, want 1", kept.Schema)
		}
		if _, err := kept.restore(t, o, agree); err != nil {
			t.Fatal(err)
		}
		restored, err := Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		defer restored.Close()
		if states := rowsOf(t, restored, "mailbox"); len(states) != 1 || !strings.Contains(states[0], "paused") {
			t.Errorf("the mailboxes are %v, want the one, paused", states)
		}
		if o.Path != "" {
			if copies, err := filepath.Glob(o.Path + ".*"); err != nil || len(copies) > 2 {
				t.Errorf("%v lie beside it, want the log at most", copies)
			}
		}
	})
}

func TestOlderDatabaseIsCopiedBeforeItIsBroughtUpToDate(t *testing.T) {
	o := Options{Path: filepath.Join(t.TempDir(), "post [room].db")}
	copies := func() (names []string) {
		t.Helper()
		files, err := os.ReadDir(filepath.Dir(o.Path))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			if strings.Contains(f.Name(), ".schema-") {
				names = append(names, f.Name())
			}
		}
		return names
	}
	older := []string{".schema-1-20200101T000000.000Z", ".schema-1-20210101T000000.000Z", ".schema-1-20220101T000000.000Z.1.partial"}
	for _, end := range older {
		if err := os.WriteFile(o.Path+end, []byte("old"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	oldDatabase(t, o)
	if err := Migrate(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	names := copies()
	if len(names) != 2 || !strings.HasSuffix(names[0], older[1]) {
		t.Fatalf("there are %v, want the new copy and the newest old one", names)
	}
	copied := Options{Path: filepath.Join(filepath.Dir(o.Path), names[1])}
	if info, err := os.Stat(copied.Path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the copy has mode %v, %v, want its owner's only", info.Mode().Perm(), err)
	}
	snapshot, err := TakeSnapshot(t.Context(), copied)
	if err != nil || snapshot.Schema != 1 || snapshot.Mailboxes != 1 {
		t.Fatalf("the copy is %+v, %v, want schema 1 with a mailbox", snapshot, err)
	}
	if err := snapshot.Close(); err != nil {
		t.Error(err)
	}
	if err := Migrate(t.Context(), o); err != nil || len(copies()) > 2+2 { // its log and index beside it, for it was opened
		t.Errorf("a database that is up to date is copied: %v, %v", copies(), err)
	}
}

func TestSnapshotWaitsForNobodyAndNobodyForIt(t *testing.T) {
	eachDatabase(t, func(t *testing.T, db *DB) {
		p := newPostman(t, db, "one")
		box := p.mailbox("support")
		s, err := TakeSnapshot(t.Context(), optionsOf(db))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		begun := time.Now()
		for i := range 20 {
			p.deliver(box, letterOf(fmt.Sprint(i)))
		}
		if took := time.Since(begun); took > 10*time.Second {
			t.Errorf("20 mails took %v beside a snapshot", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := s.CopyTo(ctx, s.Streams[0], &bytes.Buffer{}); err == nil {
			t.Error("a stop does not end it")
		}
	})
}
