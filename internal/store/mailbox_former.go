package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A Former mailbox is one that was removed, with what it can take up again.
type Former struct {
	postroom.Mailbox
	RemovedAt time.Time
	Arrivals  int64 // in its ledger
	Issues    int64 // that can still be seen
}

const (
	formerMailbox = `
	select ` + mailboxColumns + `, m.deleted_at from mailbox m
	where m.address = $1 and m.deleted_at is not null
	order by m.deleted_at desc, m.id desc limit 1`

	formerIssues = `select count(*) from issue_mailbox where mailbox = $1 and state <> 'deleted'`
)

// FormerMailbox returns the mailbox of an address that was removed last, or a
// NotFound fault.
func (db *DB) FormerMailbox(ctx context.Context, address string) (f Former, err error) {
	r := db.queryRow(ctx, formerMailbox, addressKey(address))
	var removed int64
	k, err := scanMailbox(func(into ...any) error { return r.Scan(append(into, &removed)...) })
	if noRows(err) {
		return Former{}, noMailbox(errors.New("there was no mailbox of this address"))
	}
	if err != nil {
		return Former{}, fmt.Errorf("look for a former mailbox: %w", err)
	}
	f.Mailbox, f.RemovedAt = k.Mailbox, at(removed)
	if err := db.queryRow(ctx, `select count(*) from arrival where mailbox = $1`, f.ID).Scan(&f.Arrivals); err != nil {
		return Former{}, fmt.Errorf("count arrivals of former mailbox %s: %w", f.ID, err)
	}
	if err := db.queryRow(ctx, formerIssues, f.ID).Scan(&f.Issues); err != nil {
		return Former{}, fmt.Errorf("count issues of former mailbox %s: %w", f.ID, err)
	}
	return f, nil
}

const (
	mailboxToContinue = `select ` + mailboxColumns + ` from mailbox m where m.id = $1 and m.deleted_at is not null /*pg for update */`

	continueMailbox = `
	update mailbox
	set name = $2, settings = $3, everyone = $4, visibility_key = $5, owner = $6, start_at = $7, raw_retention_days = $8,
	    state = 'draft', state_since = $9, updated_at = $9, fault = null, failures = 0, next_try_at = null,
	    deleted_at = null, version = version + 1
	where id = $1
	returning version`

	// Later than any epoch that the mailbox had before, whose lease is gone.
	continueLease = `insert into lease (mailbox, node, epoch) values ($1, null, db_now())`
)

// ContinueMailbox brings a removed mailbox back, as a draft with the settings of m:
// its identity, issues, ledger and position are those that it had. With start now it
// goes on from where it was; a start that is earlier than the former one looks again
// at what was before that.
func (db *DB) ContinueMailbox(ctx context.Context, former postroom.MailboxID, m postroom.Mailbox, kind string, seal func(postroom.MailboxID) ([]byte, error), outgoing ...NewCredential) (postroom.Mailbox, error) {
	m.Address = addressKey(m.Address)
	var continued KeptMailbox
	err := db.commitLocked(ctx, []int64{addressLock(m.Address)}, func(t *tx) error {
		was, err := scanMailbox(t.row(mailboxToContinue, former).Scan)
		if noRows(err) || err == nil && was.Address != m.Address {
			return noMailbox(fmt.Errorf("mailbox %s is not a removed one of this address", former))
		}
		if err != nil {
			return err
		}
		if err := t.addressIsFree(m.Address, former); err != nil {
			return err
		}
		next := m
		next.ID = former
		coversMore := startsEarlier(was.Start, m.Start)
		if m.Start.Kind == postroom.StartNow {
			next.Start = was.Start
		}
		if err := t.bringBack(next, NewCredential{kind, seal}, outgoing); err != nil {
			return err
		}
		if coversMore {
			if err := t.exec(coverAgain, former, nullMicros(next.Start.At)); err != nil {
				return err
			}
		}
		continued, err = scanMailbox(t.row(mailboxByID, former).Scan)
		return err
	})
	if err != nil {
		return postroom.Mailbox{}, fmt.Errorf("continue mailbox %s: %w", former, err)
	}
	return continued.Mailbox, nil
}

// bringBack writes everything that a mailbox has besides its past.
func (t *tx) bringBack(m postroom.Mailbox, c NewCredential, outgoing []NewCredential) error {
	settings, err := packSettings(m)
	if err != nil {
		return err
	}
	now, err := t.now()
	if err != nil {
		return err
	}
	_, everyone := m.Visibility.Readers(m.Owner)
	var version int64
	err = t.row(continueMailbox, m.ID, clean(m.Name), settings, everyone, m.Visibility.Key(m.Owner), nullID(m.Owner),
		nullMicros(m.Start.At), m.RawRetentionDays, micros(now)).Scan(&version)
	if err != nil {
		return err
	}
	if err := t.setReaders(m); err != nil {
		return err
	}
	if err := t.exec(continueLease, m.ID); err != nil {
		return err
	}
	if err := t.saveCredential(m.ID, c, now); err != nil {
		return err
	}
	for _, c := range outgoing {
		if err := t.saveOutgoing(m.ID, c, now); err != nil {
			return err
		}
	}
	if err := t.endOtherNumberings(m); err != nil {
		return err
	}
	t.mailboxChanged(m.ID, fmt.Sprint(version), now)
	return nil
}

// startsEarlier says whether the second start covers mail that the first did not. The
// instant of a start from now that was never proven is not known: nothing was before
// it then.
func startsEarlier(before, after postroom.Start) bool {
	switch {
	case after.Kind == postroom.StartNow || before.Kind == postroom.StartAll:
		return false
	case after.Kind == postroom.StartAll:
		return true
	}
	return !after.At.IsZero() && after.At.Before(before.At)
}
