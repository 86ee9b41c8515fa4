package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A RoundTrip is a mail that a mailbox has sent to itself, and how far it came.
type RoundTrip struct {
	ID        int64
	Mailbox   postroom.MailboxID
	MessageID string // without angle brackets
	Subject   string // no other mail has it
	Kept      bool   // the issue is wanted
	BegunAt   time.Time
	Until     time.Time // another one may begin then, whatever became of this one
	EndedAt   time.Time // zero: it is under way, or was interrupted
	// CameAs is the Message-ID with which it arrived, where a server has given it
	// another one; empty: its own, or it did not arrive.
	CameAs  string
	Removed bool // nothing of it is left, or nothing was ever sent
	Steps   []RoundTripStep
}

// A RoundTripStep is one thing that happened with it.
type RoundTripStep struct {
	Step    string
	OK      bool
	Running bool
	Took    time.Duration
	Detail  string
	Fault   *postroom.Fault
}

// keptStep is a step as the column holds it.
type keptStep struct {
	Step    string          `json:"step"`
	OK      bool            `json:"ok"`
	Running bool            `json:"running,omitempty"`
	TookUS  int64           `json:"took_us"`
	Detail  string          `json:"detail,omitempty"`
	Fault   json.RawMessage `json:"fault,omitempty"`
}

func packSteps(steps []RoundTripStep) string {
	kept := make([]keptStep, len(steps))
	for i, s := range steps {
		kept[i] = keptStep{Step: s.Step, OK: s.OK, Running: s.Running, TookUS: s.Took.Microseconds(), Detail: s.Detail}
		if f := packFault(s.Fault); f.Valid {
			kept[i].Fault = json.RawMessage(f.String)
		}
	}
	text, err := json.Marshal(kept)
	if err != nil {
		return "[]" // strings and numbers always marshal
	}
	return string(text)
}

// unpackSteps has none where a newer program wrote what this one cannot read.
func unpackSteps(text string) []RoundTripStep {
	var kept []keptStep
	if json.Unmarshal([]byte(text), &kept) != nil {
		return nil
	}
	steps := make([]RoundTripStep, len(kept))
	for i, k := range kept {
		steps[i] = RoundTripStep{
			Step: k.Step, OK: k.OK, Running: k.Running, Took: time.Duration(k.TookUS) * time.Microsecond, Detail: k.Detail,
			Fault: unpackFault(sql.NullString{String: string(k.Fault), Valid: len(k.Fault) > 0}),
		}
	}
	return steps
}

const (
	endOverdueTrips = `update round_trip set ended_at = until where mailbox = $1 and ended_at is null and until <= db_now()`
	forgetTrips     = `delete from round_trip where mailbox = $1 and begun_at < db_now() - cast($2 as bigint)`
	beginTrip       = `
	insert into round_trip (mailbox, message_id, subject, kept, begun_at, until, steps)
	values ($1, $2, $3, $4, db_now(), db_now() + cast($5 as bigint), '[]')
	on conflict (mailbox) where ended_at is null do nothing
	returning id, begun_at, until`
)

// roundTripsKept is how long it is known that a mail was one of ours.
const roundTripsKept = postroom.RecoverableFor

// BeginRoundTrip writes a round trip down before its mail is sent. Only one at a
// time is under way for a mailbox; it is a Conflict fault while another one is, and
// that may take as long as lasts.
func (db *DB) BeginRoundTrip(ctx context.Context, r RoundTrip, lasts time.Duration) (RoundTrip, error) {
	err := db.commit(ctx, func(t *tx) error {
		if err := t.exec(endOverdueTrips, int64(r.Mailbox)); err != nil {
			return err
		}
		if err := t.exec(forgetTrips, int64(r.Mailbox), roundTripsKept.Microseconds()); err != nil {
			return err
		}
		var begun, until int64
		err := t.row(beginTrip, int64(r.Mailbox), r.MessageID, r.Subject, r.Kept, lasts.Microseconds()).Scan(&r.ID, &begun, &until)
		if noRows(err) {
			return &postroom.Fault{
				Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByWaiting,
				Explanation: "A round trip of this mailbox is under way already.",
				Remedy:      "Wait until it is through; that takes two or three minutes at most.",
			}
		}
		r.BegunAt, r.Until = at(begun), at(until)
		return err
	})
	if err != nil {
		return RoundTrip{}, fmt.Errorf("begin a round trip of mailbox %s: %w", r.Mailbox, err)
	}
	return r, nil
}

const saveTrip = `
	update round_trip set steps = $2, came_as = $3,
		removed_at = case when $4 then coalesce(removed_at, db_now()) end,
		ended_at = case when $5 then coalesce(ended_at, db_now()) else ended_at end
	where id = $1`

// SaveRoundTrip writes down how far a round trip has come; ended says that it is
// through, so that another one may begin.
func (db *DB) SaveRoundTrip(ctx context.Context, r RoundTrip, ended bool) error {
	steps := packSteps(r.Steps)
	err := db.commit(ctx, func(t *tx) error {
		return t.exec(saveTrip, r.ID, steps, r.CameAs, r.Removed, ended)
	})
	if err != nil {
		return fmt.Errorf("save a round trip of mailbox %s: %w", r.Mailbox, err)
	}
	return nil
}

const (
	tripColumns = `id, mailbox, message_id, subject, kept, begun_at, until, ended_at, came_as, removed_at is not null, steps`
	lastTrip    = `select ` + tripColumns + ` from round_trip where mailbox = $1 order by id desc limit 1`
	leftTrips   = `
	select ` + tripColumns + ` from round_trip
	where mailbox = $1 and removed_at is null and ended_at is not null and not kept order by id desc limit 20`
)

// LastRoundTrip returns the newest round trip of a mailbox; ok is false where there
// was none lately.
func (db *DB) LastRoundTrip(ctx context.Context, id postroom.MailboxID) (r RoundTrip, ok bool, err error) {
	r, err = scanTrip(db.queryRow(ctx, lastTrip, int64(id)))
	if noRows(err) {
		return RoundTrip{}, false, nil
	}
	if err != nil {
		return RoundTrip{}, false, fmt.Errorf("read the last round trip of mailbox %s: %w", id, err)
	}
	return r, true, nil
}

// LeftRoundTrips returns earlier round trips of a mailbox of which something may be
// left, though nobody wanted to keep it.
func (db *DB) LeftRoundTrips(ctx context.Context, id postroom.MailboxID) ([]RoundTrip, error) {
	rows, err := db.query(ctx, leftTrips, int64(id))
	trips, err := collect(rows, err, func(rows *sql.Rows) (RoundTrip, error) { return scanTrip(rows) })
	if err != nil {
		return nil, fmt.Errorf("read the earlier round trips of mailbox %s: %w", id, err)
	}
	return trips, nil
}

func scanTrip(row interface{ Scan(...any) error }) (r RoundTrip, err error) {
	var begun, until int64
	var ended sql.NullInt64
	var steps string
	err = row.Scan(&r.ID, &r.Mailbox, &r.MessageID, &r.Subject, &r.Kept, &begun, &until, &ended, &r.CameAs, &r.Removed, &steps)
	r.BegunAt, r.Until, r.EndedAt, r.Steps = at(begun), at(until), fromMicros(ended), unpackSteps(steps)
	return r, err
}
