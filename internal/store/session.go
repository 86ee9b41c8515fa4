package store

import (
	"context"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A Session is one browser in which a user is signed in.
type Session struct {
	ID        postroom.SessionID
	User      postroom.UserID
	CreatedAt time.Time
	SeenAt    time.Time
	ExpiresAt time.Time
	Address   string // of the network it came from
	Agent     string // as the browser calls itself
}

// The longest texts that are kept of a browser, in bytes.
const (
	maxSessionAddress = 100
	maxSessionAgent   = 300
)

const (
	// On PostgreSQL the lock makes a password that is being changed wait, or be
	// waited for: no session outlives the password that opened it.
	userMaySignIn = `
	select 1 from app_user where id = $1 and disabled_at is null and password_hash = $2 /*pg for share */`

	userIsEnabled = `select 1 from app_user where id = $1 and disabled_at is null /*pg for share */`

	insertSession = `
	insert into session (hash, app_user, created_at, seen_at, expires_at, address, agent)
	values ($1, $2, $3, $4, $5, $6, $7)
	returning id`

	sweepSessions = `delete from session where expires_at <= $1`
)

// BeginSession signs a user in whose password has this hash; hash is the SHA-256
// of the cookie's value. It is false when the user may not sign in, or the
// password has changed since. Sessions that have expired are swept.
func (db *DB) BeginSession(ctx context.Context, hash [32]byte, s Session, passwordHash string) (ok bool, err error) {
	return db.beginSession(ctx, hash, s, userMaySignIn, int64(s.User), passwordHash)
}

// BeginLinkSession signs a user in who came by a link instead of a password.
func (db *DB) BeginLinkSession(ctx context.Context, hash [32]byte, s Session) (ok bool, err error) {
	return db.beginSession(ctx, hash, s, userIsEnabled, int64(s.User))
}

func (db *DB) beginSession(ctx context.Context, hash [32]byte, s Session, check string, args ...any) (ok bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		var one int
		err := t.row(check, args...).Scan(&one)
		if ok = err == nil; noRows(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("begin session of user %s: %w", s.User, err)
		}
		if err := t.exec(sweepSessions, micros(s.CreatedAt)); err != nil {
			return fmt.Errorf("sweep sessions: %w", err)
		}
		return t.insertSession(hash, s)
	})
	return ok && err == nil, err
}

func (t *tx) insertSession(hash [32]byte, s Session) error {
	err := t.row(insertSession, hash[:], int64(s.User), micros(s.CreatedAt), micros(s.SeenAt), micros(s.ExpiresAt),
		clip(s.Address, maxSessionAddress), clip(s.Agent, maxSessionAgent)).Scan(&s.ID)
	if err != nil {
		return fmt.Errorf("begin session of user %s: %w", s.User, err)
	}
	return nil
}

const sessionColumns = `s.id, s.app_user, s.created_at, s.seen_at, s.expires_at, s.address, s.agent`

func (s *Session) columns(created, seen, expires *int64) []any {
	return []any{&s.ID, &s.User, created, seen, expires, &s.Address, &s.Agent}
}

const sessionByHash = `
	select ` + userColumns + `, ` + sessionColumns + `
	from session s join app_user u on u.id = s.app_user
	where s.hash = $1 and s.expires_at > $2 and u.disabled_at is null`

// Session finds the session whose cookie's value has this SHA-256, and whose it
// is. One that has expired, or whose user may not sign in, is not there.
func (db *DB) Session(ctx context.Context, hash [32]byte, now time.Time) (s Session, u postroom.User, ok bool, err error) {
	var created, seen, expires int64
	u, err = scanUser(db.queryRow(ctx, sessionByHash, hash[:], micros(now)).Scan, s.columns(&created, &seen, &expires)...)
	if noRows(err) {
		return Session{}, postroom.User{}, false, nil
	}
	if err != nil {
		return Session{}, postroom.User{}, false, fmt.Errorf("find session: %w", err)
	}
	s.CreatedAt, s.SeenAt, s.ExpiresAt = at(created), at(seen), at(expires)
	return s, u, true, nil
}

const sessionsOfUser = `
	select ` + sessionColumns + ` from session s
	where s.app_user = $1 and s.expires_at > $2
	order by s.seen_at desc, s.id desc`

// Sessions lists where a user is signed in, the last used first.
func (db *DB) Sessions(ctx context.Context, user postroom.UserID, now time.Time) ([]Session, error) {
	rows, err := db.query(ctx, sessionsOfUser, int64(user), micros(now))
	if err != nil {
		return nil, fmt.Errorf("list sessions of user %s: %w", user, err)
	}
	defer rows.Close()
	var sessions []Session
	for rows.Next() {
		var s Session
		var created, seen, expires int64
		if err := rows.Scan(s.columns(&created, &seen, &expires)...); err != nil {
			return nil, fmt.Errorf("list sessions of user %s: %w", user, err)
		}
		s.CreatedAt, s.SeenAt, s.ExpiresAt = at(created), at(seen), at(expires)
		sessions = append(sessions, s)
	}
	return sessions, rows.Err()
}

const touchSession = `update session set seen_at = $2, expires_at = $3 where id = $1 and seen_at < $2`

// TouchSession notes that a session was used and puts its end off. A session that
// has ended stays ended.
func (db *DB) TouchSession(ctx context.Context, id postroom.SessionID, seen, expires time.Time) error {
	return db.commit(ctx, func(t *tx) error {
		return t.exec(touchSession, int64(id), micros(seen), micros(expires))
	})
}

const endSession = `delete from session where hash = $1`

// EndSession signs one browser out. A session that has ended already is a success.
func (db *DB) EndSession(ctx context.Context, hash [32]byte) error {
	return db.commit(ctx, func(t *tx) error { return t.exec(endSession, hash[:]) })
}

const revokeSession = `delete from session where id = $1 and app_user = $2`

// RevokeSession ends one session of a user. It is false when the user has no such
// session.
func (db *DB) RevokeSession(ctx context.Context, user postroom.UserID, id postroom.SessionID) (ok bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		n, err := t.changed(revokeSession, int64(id), int64(user))
		ok = n > 0
		return err
	})
	return ok, err
}
