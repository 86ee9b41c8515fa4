package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// What stands against a change of the people who may sign in.
var (
	ErrAddressTaken = errors.New("there is a user with this address")
	ErrLastAdmin    = errors.New("this is the last administrator who may sign in")
)

// adminLock keeps two nodes from changing at the same time who administers: each
// would still see the other's administrator.
const adminLock = 0x706f737461646d69 // "postadmi"

const userColumns = `u.id, u.email, u.name, u.role, u.created_at, u.disabled_at`

// scanUser reads userColumns, and whatever the query selects behind them.
func scanUser(scan func(dest ...any) error, further ...any) (u postroom.User, err error) {
	var created int64
	var disabled sql.NullInt64
	err = scan(append([]any{&u.ID, &u.Email, &u.Name, &u.Role, &created, &disabled}, further...)...)
	u.CreatedAt, u.DisabledAt = at(created), fromMicros(disabled)
	return u, err
}

const insertUser = `
	insert into app_user (email, name, role, password_hash, created_at)
	values ($1, $2, $3, $4, $5)
	on conflict (email) do nothing
	returning id`

// CreateUser adds a user; the address is in lower case. An empty hash opens to no
// password. The address of another user is [ErrAddressTaken].
func (db *DB) CreateUser(ctx context.Context, u postroom.User, passwordHash string) (id postroom.UserID, err error) {
	err = db.commitLocked(ctx, []int64{adminLock}, func(t *tx) error {
		id, err = t.createUser(u, passwordHash)
		return err
	})
	return id, err
}

func (t *tx) createUser(u postroom.User, passwordHash string) (id postroom.UserID, err error) {
	err = t.row(insertUser, clean(u.Email), clean(u.Name), string(u.Role), passwordHash, micros(u.CreatedAt)).Scan(&id)
	if noRows(err) {
		return 0, ErrAddressTaken
	}
	if err != nil {
		return 0, fmt.Errorf("create user: %w", err)
	}
	return id, nil
}

const userByEmail = `select ` + userColumns + `, u.password_hash from app_user u where u.email = $1`

// UserByEmail finds who signs in with an address in lower case, and the hash of
// their password.
func (db *DB) UserByEmail(ctx context.Context, email string) (u postroom.User, passwordHash string, ok bool, err error) {
	u, err = scanUser(db.queryRow(ctx, userByEmail, clean(email)).Scan, &passwordHash)
	if noRows(err) {
		return postroom.User{}, "", false, nil
	}
	if err != nil {
		return postroom.User{}, "", false, fmt.Errorf("find user by address: %w", err)
	}
	return u, passwordHash, true, nil
}

const userByID = `select ` + userColumns + ` from app_user u where u.id = $1`

// User finds one user.
func (db *DB) User(ctx context.Context, id postroom.UserID) (u postroom.User, ok bool, err error) {
	u, err = scanUser(db.queryRow(ctx, userByID, int64(id)).Scan)
	if noRows(err) {
		return postroom.User{}, false, nil
	}
	if err != nil {
		return postroom.User{}, false, fmt.Errorf("find user %s: %w", id, err)
	}
	return u, true, nil
}

const allUsers = `select ` + userColumns + ` from app_user u order by u.name, u.id`

// Users lists everybody, those who may not sign in too, by name.
func (db *DB) Users(ctx context.Context) ([]postroom.User, error) {
	rows, err := db.query(ctx, allUsers)
	if err != nil {
		return nil, fmt.Errorf("list users: %w", err)
	}
	defer rows.Close()
	var users []postroom.User
	for rows.Next() {
		u, err := scanUser(rows.Scan)
		if err != nil {
			return nil, fmt.Errorf("list users: %w", err)
		}
		users = append(users, u)
	}
	return users, rows.Err()
}

// Users lists everybody, those who may not sign in too, by name.
func (r *Reader) Users(ctx context.Context) ([]postroom.User, error) { return r.db.Users(ctx) }

const (
	setPassword     = `update app_user set password_hash = $2 where id = $1`
	endUserSessions = `delete from session where app_user = $1`
)

// SetPassword replaces the hash of a user's password and ends the user's
// sessions. It is false when there is no such user.
func (db *DB) SetPassword(ctx context.Context, id postroom.UserID, passwordHash string) (ok bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		n, err := t.changed(setPassword, int64(id), passwordHash)
		if ok = n > 0; err != nil {
			return fmt.Errorf("set password of user %s: %w", id, err)
		}
		return t.exec(endUserSessions, int64(id))
	})
	return ok, err
}

const (
	disableUser = `update app_user set disabled_at = coalesce(disabled_at, $2) where id = $1`
	enableUser  = `update app_user set disabled_at = null where id = $1`
	setRole     = `update app_user set role = $2 where id = $1`
	countAdmins = `select count(*) from app_user where role = 'admin' and disabled_at is null`
)

// DisableUser keeps a user from signing in and ends the user's sessions. It is
// false when there is no such user, and [ErrLastAdmin] when nobody would be left
// to administer.
func (db *DB) DisableUser(ctx context.Context, id postroom.UserID, at time.Time) (ok bool, err error) {
	err = db.commitLocked(ctx, []int64{adminLock}, func(t *tx) error {
		ok, err = t.changeUser(disableUser, int64(id), micros(at))
		if err != nil {
			return fmt.Errorf("disable user %s: %w", id, err)
		}
		return t.exec(endUserSessions, int64(id))
	})
	return ok, err
}

// EnableUser lets a user sign in again. It is false when there is no such user.
func (db *DB) EnableUser(ctx context.Context, id postroom.UserID) (ok bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		n, err := t.changed(enableUser, int64(id))
		ok = n > 0
		return err
	})
	return ok, err
}

// SetRole changes what a user is here for. It is false when there is no such
// user, and [ErrLastAdmin] when nobody would be left to administer.
func (db *DB) SetRole(ctx context.Context, id postroom.UserID, role postroom.Role) (ok bool, err error) {
	err = db.commitLocked(ctx, []int64{adminLock}, func(t *tx) error {
		ok, err = t.changeUser(setRole, int64(id), string(role))
		if err != nil {
			return fmt.Errorf("set role of user %s: %w", id, err)
		}
		return nil
	})
	return ok, err
}

// changeUser changes one user and undoes it, by failing, when that takes the last
// administrator away. The commit holds adminLock.
func (t *tx) changeUser(statement string, args ...any) (ok bool, err error) {
	var before, after int64
	if err := t.row(countAdmins).Scan(&before); err != nil {
		return false, err
	}
	n, err := t.changed(statement, args...)
	if err != nil {
		return false, err
	}
	if err := t.row(countAdmins).Scan(&after); err != nil {
		return false, err
	}
	if before > 0 && after == 0 {
		return false, ErrLastAdmin
	}
	return n > 0, nil
}
