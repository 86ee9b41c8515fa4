package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postroom/postroom"
)

// A ServerList is what the server shows of one folder, in the numbering it belongs to.
type ServerList struct {
	Numbering postroom.Numbering
	UIDs      []uint32        // IMAP; ascending
	Names     []postroom.Name // POP3, instead of UIDs: each with its occurrence
}

// Compare holds the server's lists against the arrivals of a mailbox, all read in
// one moment. It returns the vanished arrivals that the server shows again.
func (db *DB) Compare(ctx context.Context, id postroom.MailboxID, lists []ServerList) (c Comparison, back []postroom.ArrivalID, err error) {
	options := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if db.dialect == dialectSQLite { // every read transaction is a snapshot there
		options.Isolation = sql.LevelDefault
	}
	tx, err := db.read.BeginTx(ctx, options)
	if err != nil {
		return Comparison{}, nil, err
	}
	defer func() { _ = tx.Rollback() }()
	m := moment{ctx, tx}
	if c.Arrivals, err = m.count(`select count(*) from arrival where mailbox = $1`, id); err != nil {
		return Comparison{}, nil, err
	}
	deleted, err := m.deletedMails(id)
	if err != nil {
		return Comparison{}, nil, err
	}
	for _, l := range lists {
		one := listComparison{Comparison: &c, list: l, deleted: deleted}
		if err := one.compare(m); err != nil {
			return Comparison{}, nil, fmt.Errorf("compare %s of %s: %w", l.Numbering.Folder, id, err)
		}
		back = append(back, one.back...)
	}
	c.Gone = c.Arrivals - c.Known
	if err := m.incomplete(id, &c); err != nil {
		return Comparison{}, nil, fmt.Errorf("look for incomplete arrivals of %s: %w", id, err)
	}
	return c, back, nil
}

// A moment is the database as it is at one instant.
type moment struct {
	ctx context.Context // of the one comparison that looks
	tx  *sql.Tx
}

func (m moment) count(query string, args ...any) (n int64, err error) {
	err = m.tx.QueryRowContext(m.ctx, query, args...).Scan(&n)
	return n, err
}

// each calls scan for every row.
func (m moment) each(scan func(*sql.Rows) error, query string, args ...any) error {
	rows, err := m.tx.QueryContext(m.ctx, query, args...)
	_, err = collect(rows, err, func(r *sql.Rows) (struct{}, error) { return struct{}{}, scan(r) })
	return err
}

// deletedMails are the mails that a person deleted. What comes again of them is a
// duplicate.
func (m moment) deletedMails(id postroom.MailboxID) (map[postroom.MailID]bool, error) {
	mails := make(map[postroom.MailID]bool)
	err := m.each(func(r *sql.Rows) error {
		var mail postroom.MailID
		err := r.Scan(&mail)
		mails[mail] = true
		return err
	}, `select mail from arrival where mailbox = $1 and state = 'deleted' and mail is not null`, id)
	return mails, err
}

// A listComparison holds one list against the arrivals of its numbering.
type listComparison struct {
	*Comparison
	list    ServerList
	deleted map[postroom.MailID]bool
	back    []postroom.ArrivalID
}

const (
	arrivalsByUID  = `select id, state, coalesce(mail, 0), uid from arrival where numbering = $1 order by uid`
	arrivalsByUIDL = `select id, state, coalesce(mail, 0), uidl, occurrence from arrival where numbering = $1`
)

func (l *listComparison) compare(m moment) error {
	n := l.list.Numbering
	l.ByContent = l.ByContent || n.ByContent
	if n.Protocol == postroom.POP3 {
		return l.compareNames(m)
	}
	l.OnServer += int64(len(l.list.UIDs))
	shown := l.list.UIDs
	unaccounted := func(uid uint32) {
		l.Unaccounted = append(l.Unaccounted, UnaccountedName{Folder: n.Folder, UIDValidity: n.UIDValidity, UID: uid})
	}
	err := m.each(func(r *sql.Rows) error {
		var a comparedArrival
		var uid uint32
		if err := r.Scan(&a.id, &a.state, &a.mail, &uid); err != nil {
			return err
		}
		for len(shown) > 0 && shown[0] < uid {
			unaccounted(shown[0])
			shown = shown[1:]
		}
		if len(shown) > 0 && shown[0] == uid {
			shown = shown[1:]
			l.isShown(a)
		}
		return nil
	}, arrivalsByUID, n.ID)
	for _, uid := range shown {
		unaccounted(uid)
	}
	return err
}

func (l *listComparison) compareNames(m moment) error {
	n := l.list.Numbering
	l.OnServer += int64(len(l.list.Names))
	shown := make(map[postroom.Name]bool, len(l.list.Names))
	for _, name := range l.list.Names {
		shown[name] = true
	}
	known := make(map[postroom.Name]bool, len(shown))
	err := m.each(func(r *sql.Rows) error {
		var a comparedArrival
		var name postroom.Name
		if err := r.Scan(&a.id, &a.state, &a.mail, &name.UIDL, &name.Occurrence); err != nil {
			return err
		}
		if shown[name] {
			known[name] = true
			l.isShown(a)
		}
		return nil
	}, arrivalsByUIDL, n.ID)
	for _, name := range l.list.Names {
		if !known[name] {
			l.Unaccounted = append(l.Unaccounted, UnaccountedName{Folder: n.Folder, UIDL: name.UIDL})
		}
	}
	return err
}

type comparedArrival struct {
	id    postroom.ArrivalID
	state postroom.ArrivalState
	mail  postroom.MailID
}

// isShown counts an arrival that the server shows.
func (l *listComparison) isShown(a comparedArrival) {
	l.Known++
	switch {
	case a.state == postroom.ArrivalVanished:
		l.back = append(l.back, a.id)
	case a.state == postroom.ArrivalBeforeStart:
		l.BeforeStart++
	case a.state == postroom.ArrivalDeleted, a.state == postroom.ArrivalDuplicate && l.deleted[a.mail]:
		l.Deleted++
	}
}
