package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// ErrSignInMoved is a sign-in that is not, or no longer, where a step would begin.
var ErrSignInMoved = errors.New("the sign-in has gone on meanwhile")

// A Sending is a browser that is sent off to a provider.
type Sending struct {
	State, Browser [32]byte // SHA-256
	RedirectURL    string
	Scopes         []string
	Sealed         []byte
	Expires        time.Time
}

const sendSignIn = `
	update sign_in
	set step = 'sent', state_hash = $2, browser_hash = $3, redirect_url = $4, scopes = $5, sealed = $6, expires_at = $7
	where id = $1 and way = 'code' and step = $8 and ended_at is null`

// SendSignIn notes that a browser is sent off, in place of one that was sent before.
// from is the step at which the sign-in was; else it is [ErrSignInMoved].
func (db *DB) SendSignIn(ctx context.Context, id postroom.SignInID, from postroom.SignInStep, s Sending) error {
	scopes, err := json.Marshal(s.Scopes)
	if err != nil {
		return fmt.Errorf("pack scopes: %w", err)
	}
	return db.moveSignIn(ctx, "send", id, sendSignIn, s.State[:], s.Browser[:], clean(s.RedirectURL), string(scopes), s.Sealed, micros(s.Expires), string(from))
}

const returnSignIn = `
	update sign_in set step = 'returned', sealed = null, next_try_at = $3
	where id = $1 and step = 'sent' and state_hash = $2`

// ReturnSignIn spends the state of a sign-in, and with it what proves that an answer
// belongs to it. Whoever did it has until then to say what came of it. A state that was
// spent before is [ErrSignInMoved].
func (db *DB) ReturnSignIn(ctx context.Context, id postroom.SignInID, state [32]byte, until time.Time) error {
	return db.moveSignIn(ctx, "return", id, returnSignIn, state[:], micros(until))
}

func (db *DB) moveSignIn(ctx context.Context, what string, id postroom.SignInID, statement string, args ...any) error {
	return db.commit(ctx, func(t *tx) error {
		n, err := t.changed(statement, append([]any{int64(id)}, args...)...)
		if err == nil && n == 0 {
			err = ErrSignInMoved
		}
		return wrapSignIn(what, id, err)
	})
}

// A Proposal is a grant that a sign-in has brought, and what is to become of it.
type Proposal struct {
	Grant NewGrant
	Step  postroom.SignInStep // proposed, asking or refused
	Fault *postroom.Fault     // with refused
	At    time.Time
}

const proposeSignIn = `
	update sign_in
	set step = $2, account = $3, oauth_grant = $4, fault = $5, sealed = null, next_try_at = $6, ended_at = $7
	where id = $1 and step in ('sent', 'returned') and oauth_grant is null and ended_at is null`

// ProposeSignIn keeps what a sign-in has brought. What is refused ends in the same
// commit, and is given back to its provider.
func (db *DB) ProposeSignIn(ctx context.Context, id postroom.SignInID, p Proposal) (grant postroom.GrantID, err error) {
	err = db.commit(ctx, func(t *tx) error {
		g, err := t.addGrant(p.Grant)
		if err != nil {
			return wrapSignIn("propose", id, err)
		}
		grant = g.ID
		next, ended := sql.NullInt64{}, sql.NullInt64{}
		switch p.Step {
		case postroom.SignInProposed:
			next = nullMicros(p.At)
		case postroom.SignInRefused:
			ended = nullMicros(p.At)
			if err := t.endGrant(grant); err != nil {
				return wrapSignIn("propose", id, err)
			}
		}
		n, err := t.changed(proposeSignIn, int64(id), string(p.Step), packSignedIn(p.Grant.Account), int64(grant), packFault(p.Fault), next, ended)
		if err == nil && n == 0 {
			err = ErrSignInMoved
		}
		return wrapSignIn("propose", id, err)
	})
	return grant, err
}

const answerSignIn = `update sign_in set step = 'proposed', answer = $2, next_try_at = $3 where id = $1 and step = 'asking'`

// AnswerSignIn notes what a person says about another account than was expected: it
// is to be proven. Once it was answered it is [ErrSignInMoved].
func (db *DB) AnswerSignIn(ctx context.Context, id postroom.SignInID, answer string, at time.Time) error {
	return db.moveSignIn(ctx, "answer", id, answerSignIn, answer, micros(at))
}

const (
	refuseSignIn = `
	update sign_in
	set step = 'refused', fault = $2, report = coalesce($3, report), sealed = null, next_try_at = null, ended_at = $4
	where id = $1 and ended_at is null
	returning oauth_grant`

	signInHasGone = `select 1 from oauth_grant where id = $1 and (adopted_at is not null or ended_at is not null)`
)

// RefuseSignIn ends a sign-in, and the grant that it has brought. One that has ended
// before is [ErrSignInMoved].
func (db *DB) RefuseSignIn(ctx context.Context, id postroom.SignInID, f *postroom.Fault, report []byte, at time.Time) error {
	return db.commit(ctx, func(t *tx) error { return t.refuseSignIn(id, f, report, at) })
}

func (t *tx) refuseSignIn(id postroom.SignInID, f *postroom.Fault, report []byte, at time.Time) error {
	var grant sql.NullInt64
	err := t.row(refuseSignIn, int64(id), packFault(f), packReport(report), micros(at)).Scan(&grant)
	if noRows(err) {
		err = ErrSignInMoved
	}
	if err != nil || !grant.Valid {
		return wrapSignIn("refuse", id, err)
	}
	var one int
	switch err := t.row(signInHasGone, grant.Int64).Scan(&one); {
	case err == nil:
		return nil
	case !noRows(err):
		return wrapSignIn("refuse", id, err)
	}
	return wrapSignIn("refuse", id, t.endGrant(postroom.GrantID(grant.Int64)))
}

// packReport is null for no report.
func packReport(report []byte) sql.NullString {
	return sql.NullString{String: clean(string(report)), Valid: len(report) > 0}
}

const (
	dueSignIns = `
	update sign_in set next_try_at = $2
	where id in (
		select s.id from sign_in s
		where s.ended_at is null and s.next_try_at <= $1 and (s.step = 'proposed' or s.step = 'sent' and s.way = 'device')
		order by s.next_try_at, s.id limit $3 /*pg for update skip locked */)
	returning id`

	nextSignIn = `select min(next_try_at) from sign_in where ended_at is null and (step = 'proposed' or step = 'sent' and way = 'device')`
)

// ClaimSignIns returns sign-ins that somebody has to look after now: proposals to prove,
// and devices to ask about. They are the caller's until then.
func (db *DB) ClaimSignIns(ctx context.Context, now, until time.Time, limit int) (claimed []KeptSignIn, err error) {
	err = db.commit(ctx, func(t *tx) error {
		claimed = nil
		rows, err := t.rows(dueSignIns, micros(now), micros(until), limit)
		if err != nil {
			return err
		}
		ids, err := scanIDs[postroom.SignInID](rows)
		if err != nil {
			return err
		}
		for _, id := range ids {
			k, err := scanSignIn(t.row(signInByID, int64(id)).Scan)
			if err != nil {
				return err
			}
			claimed = append(claimed, k)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("claim sign-ins: %w", err)
	}
	return claimed, nil
}

// NextSignIn is when ClaimSignIns has something again; zero: never, as it is.
func (db *DB) NextSignIn(ctx context.Context) (time.Time, error) {
	var next sql.NullInt64
	if err := db.queryRow(ctx, nextSignIn).Scan(&next); err != nil {
		return time.Time{}, fmt.Errorf("look for the next sign-in: %w", err)
	}
	return fromMicros(next), nil
}

const (
	putOffSignIn = `
	update sign_in set fault = $2, report = coalesce($3, report), tries = tries + 1, next_try_at = $4
	where id = $1 and step = 'proposed' and ended_at is null`

	pollSignIn = `
	update sign_in set device = $2, next_try_at = $3
	where id = $1 and step = 'sent' and way = 'device' and ended_at is null`

	unclaimSignIn = `update sign_in set next_try_at = $3 where id = $1 and next_try_at = $2 and ended_at is null`
)

// PutOffSignIn notes that a proposal could not be proven now, why, and when it is tried
// again.
func (db *DB) PutOffSignIn(ctx context.Context, id postroom.SignInID, f *postroom.Fault, report []byte, next time.Time) error {
	return db.moveSignIn(ctx, "put off", id, putOffSignIn, packFault(f), packReport(report), micros(next))
}

// PollSignIn notes that nobody has confirmed on a device yet, and when it is asked again.
func (db *DB) PollSignIn(ctx context.Context, id postroom.SignInID, device string, next time.Time) error {
	return db.moveSignIn(ctx, "poll", id, pollSignIn, device, micros(next))
}

// UnclaimSignIn gives a claim up before it is over, so that the next one who looks takes it.
func (db *DB) UnclaimSignIn(ctx context.Context, id postroom.SignInID, until, now time.Time) error {
	return db.moveSignIn(ctx, "give up", id, unclaimSignIn, micros(until), micros(now))
}
