package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/postroom/postroom"
)

// A Restoration puts the streams of a snapshot back, where nothing is yet. Until
// Finish has returned there is nothing to be seen of it, and Abandon leaves nothing.
type Restoration struct {
	target restoreTarget
	schema int64 // of the snapshot
}

// A restoreTarget is where a snapshot goes.
type restoreTarget interface {
	load(ctx context.Context, s Stream, r io.Reader) error
	// finish has what was loaded settled, in the schema that it came in, then shows it
	// and brings it up to today's.
	finish(ctx context.Context, settle func(loaded) error) error
	abandon() error
}

// loaded is a transaction on what was loaded.
type loaded interface {
	row(ctx context.Context, query string, args ...any) interface{ Scan(...any) error }
	exec(ctx context.Context, query string, args ...any) (rows int64, err error)
	skipIDs(ctx context.Context) error
}

// BeginRestore looks whether a snapshot of such a database and schema can be put back
// here, and changes nothing before [Restoration.Load]. The caller holds the lock of the
// data directory.
func BeginRestore(ctx context.Context, o Options, database string, schema int64) (*Restoration, error) {
	here := dialectSQLite
	if o.URL != "" {
		here = dialectPostgres
	}
	if database != string(here) {
		return nil, otherDatabaseFault(database)
	}
	newest, err := newestSchema(here)
	if err != nil {
		return nil, err
	}
	if schema > newest {
		return nil, newerBackupFault(schema, newest)
	}
	r := &Restoration{schema: schema}
	if here == dialectSQLite {
		r.target, err = beginSQLiteRestore(o)
	} else {
		r.target, err = beginPostgresRestore(ctx, o, schema)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

func otherDatabaseFault(database string) error {
	f := &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This backup was made of PostgreSQL, and can be restored into PostgreSQL only.",
		Remedy:      "Make an empty database there, and name it with --database.",
	}
	if database == string(dialectSQLite) {
		f.Explanation = "This backup was made of SQLite, and can be restored into SQLite only."
		f.Remedy = "Leave --database away, and name an empty directory with --data."
	}
	return f
}

func newerBackupFault(have, newest int64) error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: "This backup was made by a newer version of Postroom.",
		Remedy:      "Restore it with that version or a later one.",
		Err:         fmt.Errorf("schema %d, this program knows up to %d", have, newest),
	}
}

// notEmptyFault says that a restore would overwrite something.
func notEmptyFault(what, remedy string) error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByAppAdmin,
		Explanation: what + " is not empty, and a restore never writes over anything.",
		Remedy:      remedy,
	}
}

// Load puts one stream back. Streams come in the order of the snapshot.
func (r *Restoration) Load(ctx context.Context, s Stream, from io.Reader) error {
	if err := r.target.load(ctx, s, from); err != nil {
		return fmt.Errorf("restore %s: %w", s.Name, err)
	}
	return nil
}

// Abandon removes what was loaded. After Finish it does nothing.
func (r *Restoration) Abandon() error { return r.target.abandon() }

// A Restored is what became of a backup.
type Restored struct {
	BackupAt   time.Time `json:"backup_at"`
	RestoredAt time.Time `json:"restored_at"`
	Paused     int       `json:"paused"` // mailboxes
}

// restoredSetting holds the last restore, as JSON, until somebody has seen to what it
// asks for.
const restoredSetting = "restored"

// Finish settles what was loaded, shows it, and brings it up to today's schema. check is
// given a setting's value before anything can be seen, and may refuse it.
func (r *Restoration) Finish(ctx context.Context, backupAt time.Time, pausedBecause *postroom.Fault, setting string, check func(value string, ok bool) error) (Restored, error) {
	done := Restored{BackupAt: backupAt.UTC(), RestoredAt: time.Now().UTC()}
	err := r.target.finish(ctx, func(l loaded) error {
		var value string
		err := l.row(ctx, readSetting, setting).Scan(&value)
		if err != nil && !noRows(err) {
			return err
		}
		if err := check(value, err == nil); err != nil {
			return err
		}
		if err := settleSignIns(ctx, l, r.schema); err != nil {
			return err
		}
		return settle(ctx, l, &done, pausedBecause)
	})
	if err != nil {
		return Restored{}, fmt.Errorf("finish the restore: %w", err)
	}
	return done, nil
}

// The statements that settle a restored database run in the schema of the backup: they
// name only what the first schema has.

const pauseRestored = `
	update mailbox
	set state = 'paused', state_since = db_now(), next_try_at = null, version = version + 1, failures = 0,
	    fault = case when state = 'paused' and fault is not null then fault else $1 end
	where deleted_at is null`

// Whoever was signed in when the backup was made may have been signed out since, a link
// may have been used, and what a mail server had then it may have no more.
var endWhatWasOpen = []string{
	`update comparison set compared_at = null, result = null, fault = null`,
	`delete from session`, `delete from one_time_link`, `delete from node`, `update lease set node = null, epoch = epoch + 1`,
}

// What was given out after the backup is not given out a second time: people know the
// numbers of issues, and programs the ids of events, which are made of other ids.
const (
	idGap    = 100_000
	eventGap = 1_000_000_000
)

const idsOf = `('mailbox', 'issue', 'entry', 'mail', 'arrival', 'oauth_grant', 'alert')`

const (
	skipEvents = `update counter set value = value + $1 where name = 'event'`
	skipIssues = `update counter set value = (value / 1000 + 2) * 1000 where name = 'issue'`
)

// settle makes of a database as it was one that can be begun with: every mailbox is
// paused, nobody is signed in, and no number is given out twice.
func settle(ctx context.Context, l loaded, done *Restored, pausedBecause *postroom.Fault) error {
	for _, statement := range endWhatWasOpen {
		if _, err := l.exec(ctx, statement); err != nil {
			return err
		}
	}
	_, events := l.exec(ctx, skipEvents, int64(eventGap))
	_, issues := l.exec(ctx, skipIssues)
	if err := errors.Join(events, issues, l.skipIDs(ctx)); err != nil {
		return fmt.Errorf("skip numbers: %w", err)
	}
	paused, err := l.exec(ctx, pauseRestored, packFault(pausedBecause))
	if err != nil {
		return fmt.Errorf("pause mailboxes: %w", err)
	}
	done.Paused = int(paused)
	text, err := json.Marshal(done)
	if err == nil {
		_, err = l.exec(ctx, writeSetting, restoredSetting, string(text))
	}
	return err
}

// LastRestore is the restore whose consequences nobody has seen to yet; ok is false
// when there is none.
func (db *DB) LastRestore(ctx context.Context) (r Restored, ok bool, err error) {
	text, ok, err := db.Setting(ctx, restoredSetting)
	if err != nil || !ok || text == "" {
		return Restored{}, false, err
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return Restored{}, false, fmt.Errorf("read what was restored: %w", err)
	}
	return r, true, nil
}

// ForgetRestore says that somebody has seen to what a restore asks for.
func (db *DB) ForgetRestore(ctx context.Context) error {
	return db.SetSetting(ctx, restoredSetting, "")
}
