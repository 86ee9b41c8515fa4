package store

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// A TroubledMailbox is a mailbox that is not read, with what tells whether others have
// the same trouble.
type TroubledMailbox struct {
	ID            postroom.MailboxID
	Name, Address string
	State         postroom.MailboxState
	Since         time.Time
	Fault         postroom.Fault
	Host          string              // of the incoming server
	App           postroom.OAuthAppID // by which it signs in; 0: by none
	AppName       string
	OwnerAddress  string // of the user who owns it and may sign in; empty: nobody
}

// A registration opens the mailbox by the grant that is in force.
const troubledMailboxes = `
	select m.id, m.name, m.address, m.state, m.state_since, m.fault, m.settings,
		coalesce(p.id, 0), coalesce(p.name, ''), coalesce(u.email, '')
	from mailbox m
	left join credential c on c.mailbox = m.id
	left join oauth_grant g on g.id = c.oauth_grant
	left join oauth_app p on p.id = g.app
	left join app_user u on u.id = m.owner and u.disabled_at is null
	where m.deleted_at is null and m.fault is not null
	  and m.state in ('needs_sign_in', 'needs_repair', 'delayed') and (m.state <> 'delayed' or m.state_since <= $1)
	limit $2`

// TroubledMailboxes lists the mailboxes that need somebody: those whose sign-in is lost,
// those that need repair, and those that have been delayed since before an instant.
func (db *DB) TroubledMailboxes(ctx context.Context, delayedSince time.Time) ([]TroubledMailbox, error) {
	faults := make(map[string]postroom.Fault) // what breaks many breaks them in the same words
	rows, err := db.query(ctx, troubledMailboxes, micros(delayedSince), int64(maxTroubled))
	list, err := collect(rows, err, func(rows *sql.Rows) (t TroubledMailbox, err error) {
		var since int64
		var fault sql.NullString
		var settings string
		err = rows.Scan(&t.ID, &t.Name, &t.Address, &t.State, &since, &fault, &settings, &t.App, &t.AppName, &t.OwnerAddress)
		if err != nil {
			return t, err
		}
		var s struct {
			Incoming struct {
				Host string `json:"host"`
			} `json:"incoming"`
		}
		if err := json.Unmarshal([]byte(settings), &s); err != nil {
			return t, fmt.Errorf("read settings of mailbox %s: %w", t.ID, err)
		}
		t.Since, t.Host = at(since), s.Incoming.Host
		var known bool
		if t.Fault, known = faults[fault.String]; !known {
			t.Fault = *unpackFault(fault)
			faults[fault.String] = t.Fault
		}
		return t, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list mailboxes that need somebody: %w", err)
	}
	slices.SortFunc(list, func(a, b TroubledMailbox) int { return cmp.Compare(a.ID, b.ID) })
	return list, nil
}

// It walks along the index of settledArrivals, not along the whole ledger.
const setAsideNow = `
	select m.id, m.name, s.n from (
		select a.mailbox, count(*) as n from arrival a where a.state = 'quarantined' and ` + settledArrivals + ` group by a.mailbox) s
	join mailbox m on m.id = s.mailbox
	where m.deleted_at is null
	order by m.id limit $1`

// SetAsideNow counts the mail that could not be filed, by mailbox.
func (db *DB) SetAsideNow(ctx context.Context) ([]SetAside, error) {
	rows, err := db.query(ctx, setAsideNow, int64(maxTroubled))
	list, err := collect(rows, err, func(rows *sql.Rows) (s SetAside, err error) {
		err = rows.Scan(&s.Mailbox, &s.Name, &s.Count)
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("count mail set aside: %w", err)
	}
	return list, nil
}

// UnbalancedLedgers lists the mailboxes whose ledger did not account for everything when
// it was last compared. It reads what was found of every mailbox.
func (db *DB) UnbalancedLedgers(ctx context.Context) ([]Unbalanced, error) {
	return db.Reader().unbalanced(ctx, healthArgs(postroom.Viewer{Scope: postroom.ScopeAdmin}))
}

const longNotCompared = `
	select m.id from mailbox m left join comparison c on c.mailbox = m.id
	where m.deleted_at is null and m.state = 'active' and m.proven_at < $1 and coalesce(c.requested_at, 0) < $1
	order by coalesce(c.requested_at, 0), m.id limit $2`

// LongNotCompared lists mailboxes whose ledger nobody has had compared since an instant,
// those first for which it is longest ago.
func (db *DB) LongNotCompared(ctx context.Context, since time.Time, limit int) ([]postroom.MailboxID, error) {
	rows, err := db.query(ctx, longNotCompared, micros(since), int64(limit))
	if err != nil {
		return nil, fmt.Errorf("list ledgers to compare: %w", err)
	}
	return scanIDs[postroom.MailboxID](rows)
}

const mailboxNames = `select m.id, m.name, m.address, m.state from mailbox m join alert_mailbox x on x.mailbox = m.id
	where x.alert = $1 and m.deleted_at is null order by m.name, m.id`

// A NamedMailbox is a mailbox as a notice names it.
type NamedMailbox struct {
	ID            postroom.MailboxID
	Name, Address string
	State         postroom.MailboxState
}

// AlertedMailboxes names the mailboxes that an alert concerns or has concerned, by name.
func (db *DB) AlertedMailboxes(ctx context.Context, id postroom.AlertID) ([]NamedMailbox, error) {
	rows, err := db.query(ctx, mailboxNames, int64(id))
	list, err := collect(rows, err, func(rows *sql.Rows) (m NamedMailbox, err error) {
		err = rows.Scan(&m.ID, &m.Name, &m.Address, &m.State)
		return m, err
	})
	if err != nil {
		return nil, fmt.Errorf("name the mailboxes of alert %s: %w", id, err)
	}
	return list, nil
}

// What the server dates before the end came meanwhile; where it dates nothing, what was
// seen within the first minutes.
const alertGap = `
	select
		coalesce(sum(case when a.state <> 'waiting' then 1 else 0 end), 0),
		coalesce(sum(case when a.state = 'waiting' then 1 else 0 end), 0)
	from alert_mailbox x join arrival a on a.mailbox = x.mailbox and a.id > x.after and a.state in ('waiting', 'filed', 'deleted')
	where x.alert = $1 and coalesce(a.internal_date, a.seen_at - $3) <= $2`

// AlertGap counts the mails that arrived in the mailboxes of an alert from its beginning
// to an instant: those that were brought in, and those that still wait to be.
func (db *DB) AlertGap(ctx context.Context, id postroom.AlertID, until time.Time, grace time.Duration) (filed, waiting int64, err error) {
	err = db.queryRow(ctx, alertGap, int64(id), micros(until), grace.Microseconds()).Scan(&filed, &waiting)
	if err != nil {
		return 0, 0, fmt.Errorf("count what arrived during alert %s: %w", id, err)
	}
	return filed, waiting, nil
}
