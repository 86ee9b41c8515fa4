package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// SignInLimits say when sign-ins have become old, and with what words they end.
type SignInLimits struct {
	Now time.Time
	// Late ends those that nobody came back from in time.
	Late *postroom.Fault
	// Interrupted ends those whose answer was lost on this side.
	Interrupted *postroom.Fault
	// Unanswered ends those begun before UnansweredSince that wait for a person's word.
	Unanswered      *postroom.Fault
	UnansweredSince time.Time
	// Forget is when those ended that are forgotten.
	Forget time.Time
}

const (
	// A device is asked about once more when its time is over: its own step ends it.
	lateSignIns        = `select id from sign_in where ended_at is null and step in ('begun', 'sent') and way = 'code' and expires_at <= $1 limit 200`
	lostDevices        = `select id from sign_in where ended_at is null and step = 'sent' and way = 'device' and expires_at <= cast($1 as bigint) - 600000000 limit 200`
	interruptedSignIns = `select id from sign_in where ended_at is null and step = 'returned' and next_try_at <= $1 limit 200`
	unansweredSignIns  = `select id from sign_in where ended_at is null and step = 'asking' and created_at <= $1 limit 200`
	forgetSignIns      = `delete from sign_in where ended_at is not null and ended_at <= $1`
	forgetLinks        = `
	delete from sign_in_link
	where expires_at <= $1 and not exists (select 1 from sign_in s where s.link = sign_in_link.id)`
	spendLinks = `
	update sign_in_link set sealed = null
	where sealed is not null and (expires_at <= $1 or used_at is not null or revoked_at is not null)`
)

// SweepSignIns ends what has become old, and forgets what ended long ago. It says how
// many were ended; there may be more.
func (db *DB) SweepSignIns(ctx context.Context, l SignInLimits) (ended int, err error) {
	err = db.commit(ctx, func(t *tx) error {
		ended = 0
		for _, old := range []struct {
			find  string
			limit time.Time
			fault *postroom.Fault
		}{
			{lateSignIns, l.Now, l.Late}, {lostDevices, l.Now, l.Late},
			{interruptedSignIns, l.Now, l.Interrupted}, {unansweredSignIns, l.UnansweredSince, l.Unanswered},
		} {
			rows, err := t.rows(old.find, micros(old.limit))
			if err != nil {
				return err
			}
			ids, err := scanIDs[postroom.SignInID](rows)
			if err != nil {
				return err
			}
			for _, id := range ids {
				switch err := t.refuseSignIn(id, old.fault, nil, l.Now); {
				case errors.Is(err, ErrSignInMoved): // another node was first
				case err != nil:
					return err
				default:
					ended++
				}
			}
		}
		for statement, limit := range map[string]time.Time{forgetSignIns: l.Forget, spendLinks: l.Now} {
			if err := t.exec(statement, micros(limit)); err != nil {
				return err
			}
		}
		return t.exec(forgetLinks, micros(l.Forget))
	})
	if err != nil {
		return 0, fmt.Errorf("end old sign-ins: %w", err)
	}
	return ended, nil
}
