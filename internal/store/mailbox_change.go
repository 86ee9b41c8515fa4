package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// NewCredential is a credential on its way into the database.
type NewCredential struct {
	Kind string
	// Seal makes what is kept. It is called within the commit, maybe twice, because
	// the mailbox's id is sealed in with the secret; it must not wait for anything.
	Seal func(postroom.MailboxID) ([]byte, error)
}

const insertMailbox = `
	insert into mailbox (name, address, settings, everyone, visibility_key, owner, state, state_since,
		start_at, raw_retention_days, version, created_at, updated_at)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $8, $8)
	returning id`

const insertLease = `insert into lease (mailbox, node, epoch) values ($1, null, 0)`

// AddMailbox keeps a new mailbox as a draft, with its readers, its credential and
// a lease that is free. outgoing is what opens the outgoing server, where that is
// something else. An address that is here already is a Conflict.
func (db *DB) AddMailbox(ctx context.Context, m postroom.Mailbox, kind string, seal func(postroom.MailboxID) ([]byte, error), outgoing ...NewCredential) (postroom.Mailbox, error) {
	m.Address = addressKey(m.Address)
	settings, err := packSettings(m)
	if err != nil {
		return postroom.Mailbox{}, err
	}
	_, everyone := m.Visibility.Readers(m.Owner)
	err = db.commitLocked(ctx, []int64{addressLock(m.Address)}, func(t *tx) error {
		if err := t.addressIsFree(m.Address, 0); err != nil {
			return err
		}
		now, err := t.now()
		if err != nil {
			return err
		}
		m.State, m.StateSince, m.CreatedAt, m.UpdatedAt = postroom.MailboxDraft, now, now, now
		err = t.row(insertMailbox, clean(m.Name), m.Address, settings, everyone, m.Visibility.Key(m.Owner), nullID(m.Owner),
			string(m.State), micros(now), nullMicros(m.Start.At), m.RawRetentionDays).Scan(&m.ID)
		if err != nil {
			return fmt.Errorf("add mailbox: %w", err)
		}
		if err := t.setReaders(m); err != nil {
			return err
		}
		if err := t.exec(insertLease, int64(m.ID)); err != nil {
			return fmt.Errorf("add lease of mailbox %s: %w", m.ID, err)
		}
		if err := t.saveCredential(m.ID, NewCredential{kind, seal}, now); err != nil {
			return err
		}
		for _, c := range outgoing {
			if err := t.saveOutgoing(m.ID, c, now); err != nil {
				return err
			}
		}
		t.mailboxChanged(m.ID, "1", now)
		return nil
	})
	if err != nil {
		return postroom.Mailbox{}, err
	}
	return m, nil
}

// A MailboxChange is what ChangeMailbox does besides writing the settings.
type MailboxChange struct {
	// Seen is the UpdatedAt of the mailbox that the change was made from.
	Seen time.Time
	// Credential replaces the one there is; nil: it stays.
	Credential *NewCredential
	// Outgoing replaces what opens the outgoing server, or becomes it; nil: that stays.
	Outgoing *NewCredential
	// SameOutgoing says that what opens the mailbox opens the outgoing server too: one
	// of its own is destroyed.
	SameOutgoing bool
	// Reopen says that the change concerns what opens the mailbox: what was wrong
	// before is forgotten, and the mailbox is tried at once unless it is paused.
	Reopen bool
	// NewServer says that the mailbox signs in elsewhere, or as somebody else: that its
	// credential has worked before means nothing there.
	NewServer bool
	// EarlierStart says that the new start covers mail that the old one did not:
	// what was before the start is looked at again.
	EarlierStart bool
}

const updateMailbox = `
	update mailbox
	set name = $1, address = $2, settings = $3, everyone = $4, visibility_key = $5, owner = $6, start_at = $7,
	    raw_retention_days = $8, updated_at = $9, version = version + 1
	where id = $10 and deleted_at is null
	returning version`

const reopenMailbox = `
	update mailbox
	set fault = null, failures = 0, next_try_at = null,
	    state_since = case when state in ('needs_sign_in', 'needs_repair') then $1 else state_since end,
	    state = case when state in ('needs_sign_in', 'needs_repair') then 'delayed' else state end
	where id = $2`

const coverAgain = `
	update arrival
	set state = 'waiting', reason = '', tries = 0, next_try_at = null, settled_at = null
	where mailbox = $1 and state = 'before_start'
	  and (cast($2 as bigint) is null or internal_date is null or internal_date >= cast($2 as bigint))`

const credentialUntried = `update credential set worked_at = null where mailbox = $1`

const mailboxToChange = `select updated_at from mailbox where id = $1 and deleted_at is null /*pg for update */`

// ChangeMailbox writes the settings of m: name, address, incoming, outgoing,
// start, after-import action, visibility, owner. It is a Conflict when somebody
// else has changed the mailbox since it was read: read it again and repeat.
func (db *DB) ChangeMailbox(ctx context.Context, m postroom.Mailbox, c MailboxChange) (postroom.Mailbox, error) {
	m.Address = addressKey(m.Address)
	settings, err := packSettings(m)
	if err != nil {
		return postroom.Mailbox{}, err
	}
	_, everyone := m.Visibility.Readers(m.Owner)
	var changed KeptMailbox
	err = db.commitLocked(ctx, []int64{addressLock(m.Address)}, func(t *tx) error {
		var seen, version int64
		switch err := t.row(mailboxToChange, int64(m.ID)).Scan(&seen); {
		case noRows(err):
			return noMailbox(err)
		case err != nil:
			return fmt.Errorf("change mailbox %s: %w", m.ID, err)
		case seen != micros(c.Seen):
			return changedMeanwhile()
		}
		if err := t.addressIsFree(m.Address, m.ID); err != nil {
			return err
		}
		now, err := t.now()
		if err != nil {
			return err
		}
		now = later(now, c.Seen)
		err = t.row(updateMailbox, clean(m.Name), m.Address, settings, everyone, m.Visibility.Key(m.Owner), nullID(m.Owner),
			nullMicros(m.Start.At), m.RawRetentionDays, micros(now), int64(m.ID)).Scan(&version)
		if err != nil {
			return fmt.Errorf("change mailbox %s: %w", m.ID, err)
		}
		if err := t.setReaders(m); err != nil {
			return err
		}
		if c.Credential != nil {
			if err := t.saveCredential(m.ID, *c.Credential, now); err != nil {
				return err
			}
		}
		if c.NewServer {
			if err := t.exec(credentialUntried, int64(m.ID)); err != nil {
				return fmt.Errorf("forget that the credential of mailbox %s worked: %w", m.ID, err)
			}
		}
		if err := t.changeOutgoing(m, c, now); err != nil {
			return err
		}
		if c.Reopen {
			if err := t.exec(reopenMailbox, micros(now), int64(m.ID)); err != nil {
				return fmt.Errorf("reopen mailbox %s: %w", m.ID, err)
			}
		}
		if err := t.endOtherNumberings(m); err != nil {
			return fmt.Errorf("end numberings of mailbox %s: %w", m.ID, err)
		}
		if c.EarlierStart {
			if err := t.exec(coverAgain, int64(m.ID), nullMicros(m.Start.At)); err != nil {
				return fmt.Errorf("look again at what was before the start of mailbox %s: %w", m.ID, err)
			}
		}
		t.mailboxChanged(m.ID, fmt.Sprint(version), now)
		changed, err = scanMailbox(t.row(mailboxByID, int64(m.ID)).Scan)
		return err
	})
	return changed.Mailbox, err
}

// later returns now, or the next instant after seen where the clock stood still.
func later(now, seen time.Time) time.Time {
	if now.After(seen) {
		return now
	}
	return seen.Add(time.Microsecond)
}

func changedMeanwhile() error {
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: "Somebody else has changed this mailbox in the meantime.",
		Remedy:      "Look at it again, and make your change once more.",
	}
}

const takenAddress = `select id, name from mailbox where address = $1 and id <> $2 and deleted_at is null limit 1`

// addressIsFree is a Conflict when another mailbox has the address.
func (t *tx) addressIsFree(address string, except postroom.MailboxID) error {
	var id postroom.MailboxID
	var name string
	switch err := t.row(takenAddress, address, int64(except)).Scan(&id, &name); {
	case noRows(err):
		return nil
	case err != nil:
		return fmt.Errorf("look for a mailbox of the same address: %w", err)
	}
	explanation := address + " is connected already."
	if name != "" && name != address {
		explanation = address + " is connected already, under the name “" + name + "”."
	}
	return &postroom.Fault{
		Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser, Field: "address",
		Explanation: explanation,
		Remedy:      "Open that mailbox and change its settings or its password there.",
		Err:         fmt.Errorf("mailbox %s has this address", id),
	}
}

const (
	deleteReaders = `delete from mailbox_reader where mailbox = $1`
	insertReader  = `insert into mailbox_reader (mailbox, app_user) values ($1, $2)`
)

func (t *tx) setReaders(m postroom.Mailbox) error {
	if err := t.exec(deleteReaders, int64(m.ID)); err != nil {
		return fmt.Errorf("set readers of mailbox %s: %w", m.ID, err)
	}
	users, _ := m.Visibility.Readers(m.Owner)
	for _, u := range users {
		if err := t.exec(insertReader, int64(m.ID), int64(u)); err != nil {
			return fmt.Errorf("set readers of mailbox %s: %w", m.ID, err)
		}
	}
	return nil
}

// mailboxChanged notes that a mailbox has changed; what is the part of the event's
// id that makes it this change.
func (t *tx) mailboxChanged(id postroom.MailboxID, what string, now time.Time) {
	t.event(postroom.Event{
		ID: "mailbox.changed:" + id.String() + ":" + what, Type: postroom.EventMailboxChanged, At: now, Mailbox: id,
	})
}

const readNow = `select db_now()`

// now is the database's clock.
func (t *tx) now() (time.Time, error) {
	var n int64
	if err := t.row(readNow).Scan(&n); err != nil {
		return time.Time{}, fmt.Errorf("read the database's clock: %w", err)
	}
	return at(n), nil
}

// Now is the database's clock, which all nodes share.
func (db *DB) Now(ctx context.Context) (time.Time, error) {
	var n int64
	if err := db.queryRow(ctx, readNow).Scan(&n); err != nil {
		return time.Time{}, fmt.Errorf("read the database's clock: %w", err)
	}
	return at(n), nil
}

const userExists = `select 1 from app_user where id = $1`

// UnknownUsers returns those of users who are not here.
func (db *DB) UnknownUsers(ctx context.Context, users []postroom.UserID) ([]postroom.UserID, error) {
	var unknown []postroom.UserID
	for _, u := range users {
		var one int
		err := db.queryRow(ctx, userExists, int64(u)).Scan(&one)
		if noRows(err) {
			unknown = append(unknown, u)
		} else if err != nil {
			return nil, fmt.Errorf("look for user %s: %w", u, err)
		}
	}
	return slices.Clip(unknown), nil
}

// addressLock is the key that keeps two nodes from adding one address at once.
func addressLock(address string) int64 {
	sum := sha256.Sum256([]byte("mailbox address " + address))
	return int64(binary.BigEndian.Uint64(sum[:8]))
}
