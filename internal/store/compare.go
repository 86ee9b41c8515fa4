package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

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
	for _, l := range lists {
		one := listComparison{Comparison: &c, list: l}
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

// A listComparison holds one list against the arrivals of its numbering.
type listComparison struct {
	*Comparison
	list ServerList
	back []postroom.ArrivalID
}

func (l *listComparison) compare(m moment) error {
	l.ByContent = l.ByContent || l.list.Numbering.ByContent
	if l.list.Numbering.Protocol == postroom.POP3 {
		return l.compareNames(m)
	}
	return l.compareUIDs(m)
}

// A mailbox may have a million names: the database puts pages of them into one text
// each, which is read ten times as fast as rows are.
const (
	uidsAtOnce = 20_000

	uidsOfNumbering = `
	select coalesce(string_agg(name, ','), ''), coalesce(max(uid), 0) from (
		select cast(uid as text) as name, uid from arrival where numbering = $1 and uid > $2 order by uid limit $3) page`

	uidsBeforeStart = `
	select coalesce(string_agg(name, ','), ''), coalesce(max(id), 0) from (
		select cast(uid as text) as name, id from arrival
		where mailbox = (select n.mailbox from numbering n where n.id = $1) and state = 'before_start' and numbering = $1 and id > $2
		order by id limit $3) page`

	// Mail that a person deleted, and what came again of it.
	uidsDeleted = `
	select d.uid from arrival d
	where d.mailbox = (select n.mailbox from numbering n where n.id = $1) and d.state = 'deleted' and d.numbering = $1
	union
	select a.uid from arrival d join arrival a on a.mail = d.mail
	where d.mailbox = (select n.mailbox from numbering n where n.id = $1) and d.state = 'deleted'
		and a.numbering = $1 and a.state = 'duplicate'`

	uidsVanished = `
	select id, uid from arrival
	where mailbox = (select n.mailbox from numbering n where n.id = $1) and state = 'vanished' and numbering = $1
	order by id`
)

// uids reads the UIDs that a query tells in pages.
func (m moment) uids(query string, n postroom.NumberingID, each func(uid uint32)) error {
	for after := int64(0); ; {
		var page string
		var last int64
		if err := m.tx.QueryRowContext(m.ctx, query, n, after, uidsAtOnce).Scan(&page, &last); err != nil {
			return err
		}
		if page == "" {
			return nil
		}
		for name := range strings.SplitSeq(page, ",") {
			uid, err := strconv.ParseUint(name, 10, 32)
			if err != nil {
				return fmt.Errorf("read a UID of the ledger: %w", err)
			}
			each(uint32(uid))
		}
		after = last
	}
}

func (l *listComparison) compareUIDs(m moment) error {
	n, shown := l.list.Numbering, l.list.UIDs
	known := make([]uint32, 0, len(shown))
	if err := m.uids(uidsOfNumbering, n.ID, func(uid uint32) { known = append(known, uid) }); err != nil {
		return err
	}
	slices.Sort(known)
	l.OnServer += int64(len(shown))
	for _, uid := range shown {
		for len(known) > 0 && known[0] < uid {
			known = known[1:]
		}
		if len(known) > 0 && known[0] == uid {
			l.Known++
			continue
		}
		l.Unaccounted = append(l.Unaccounted, UnaccountedName{Folder: n.Folder, UIDValidity: n.UIDValidity, UID: uid})
	}
	isShown := func(uid uint32) bool {
		_, found := slices.BinarySearch(shown, uid)
		return found
	}
	count := func(into *int64) func(uint32) {
		return func(uid uint32) {
			if isShown(uid) {
				*into++
			}
		}
	}
	if err := m.uids(uidsBeforeStart, n.ID, count(&l.BeforeStart)); err != nil {
		return err
	}
	err := m.each(func(r *sql.Rows) error {
		var uid uint32
		err := r.Scan(&uid)
		count(&l.Deleted)(uid)
		return err
	}, uidsDeleted, n.ID)
	if err != nil {
		return err
	}
	return m.each(func(r *sql.Rows) error {
		var id postroom.ArrivalID
		var uid uint32
		err := r.Scan(&id, &uid)
		if isShown(uid) {
			l.back = append(l.back, id)
		}
		return err
	}, uidsVanished, n.ID)
}

const arrivalsByUIDL = `select id, state, coalesce(mail, 0), uidl, occurrence from arrival where numbering = $1`

func (l *listComparison) compareNames(m moment) error {
	n := l.list.Numbering
	deleted, err := m.deletedMails(n.Mailbox)
	if err != nil {
		return err
	}
	l.OnServer += int64(len(l.list.Names))
	shown := make(map[postroom.Name]bool, len(l.list.Names))
	for _, name := range l.list.Names {
		shown[name] = true
	}
	known := make(map[postroom.Name]bool, len(shown))
	err = m.each(func(r *sql.Rows) error {
		var id postroom.ArrivalID
		var state postroom.ArrivalState
		var mail postroom.MailID
		var name postroom.Name
		if err := r.Scan(&id, &state, &mail, &name.UIDL, &name.Occurrence); err != nil || !shown[name] {
			return err
		}
		known[name] = true
		l.Known++
		switch {
		case state == postroom.ArrivalVanished:
			l.back = append(l.back, id)
		case state == postroom.ArrivalBeforeStart:
			l.BeforeStart++
		case state == postroom.ArrivalDeleted, state == postroom.ArrivalDuplicate && deleted[mail]:
			l.Deleted++
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
