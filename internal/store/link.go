package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// ErrLinkSpent is a link that was used, has expired, was replaced by a newer one,
// or is no longer needed.
var ErrLinkSpent = errors.New("this link opens nothing any more")

// firstAdminLink is the purpose of the link that makes the first administrator.
const firstAdminLink = "first_admin"

const (
	dropLinks  = `delete from one_time_link where purpose = $1`
	insertLink = `insert into one_time_link (hash, purpose, expires_at) values ($1, $2, $3)`
)

// ReplaceFirstLink makes the link whose secret has this SHA-256 the only one that
// can create the first administrator. When there is an administrator already, no
// link is needed and none is left.
func (db *DB) ReplaceFirstLink(ctx context.Context, hash [32]byte, expires time.Time) (needed bool, err error) {
	err = db.commitLocked(ctx, []int64{adminLock}, func(t *tx) error {
		var admins int64
		if err := t.row(countAdmins).Scan(&admins); err != nil {
			return fmt.Errorf("replace the first link: %w", err)
		}
		needed = admins == 0
		if err := t.exec(dropLinks, firstAdminLink); err != nil {
			return fmt.Errorf("replace the first link: %w", err)
		}
		if !needed {
			return nil
		}
		return t.exec(insertLink, hash[:], firstAdminLink, micros(expires))
	})
	return needed, err
}

const firstLinkIsOpen = `
	select count(*) from one_time_link
	where hash = $1 and purpose = $2 and used_at is null and expires_at > $3
		and not exists (select 1 from app_user where role = 'admin' and disabled_at is null)`

// FirstLinkIsOpen says whether the link can still create the first administrator.
func (db *DB) FirstLinkIsOpen(ctx context.Context, hash [32]byte, now time.Time) (bool, error) {
	var open int64
	if err := db.queryRow(ctx, firstLinkIsOpen, hash[:], firstAdminLink, micros(now)).Scan(&open); err != nil {
		return false, fmt.Errorf("look at the first link: %w", err)
	}
	return open > 0, nil
}

const useLink = `
	update one_time_link set used_at = $3
	where hash = $1 and purpose = $2 and used_at is null and expires_at > $3`

// UseFirstLink spends the link, creates the first administrator and signs them in,
// all or nothing. Of two who use it at the same time one gets [ErrLinkSpent]; a
// taken address is [ErrAddressTaken] and leaves the link unspent.
func (db *DB) UseFirstLink(ctx context.Context, link [32]byte, u postroom.User, passwordHash string, session [32]byte, s Session) (id postroom.UserID, err error) {
	err = db.commitLocked(ctx, []int64{adminLock}, func(t *tx) error {
		var admins int64
		if err := t.row(countAdmins).Scan(&admins); err != nil {
			return fmt.Errorf("use the first link: %w", err)
		}
		if admins > 0 {
			return ErrLinkSpent
		}
		n, err := t.changed(useLink, link[:], firstAdminLink, micros(u.CreatedAt))
		if err != nil {
			return fmt.Errorf("use the first link: %w", err)
		}
		if n == 0 {
			return ErrLinkSpent
		}
		if id, err = t.createUser(u, passwordHash); err != nil {
			return err
		}
		s.User = id
		return t.insertSession(session, s)
	})
	return id, err
}
