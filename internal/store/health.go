package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// Health is how all mailboxes are that somebody may see.
type Health struct {
	Mailboxes map[postroom.MailboxState]int64 // every state has a number
	// Troubled are the mailboxes with which something is wrong and that nobody paused,
	// those in trouble the longest first; at most 20,000.
	Troubled []postroom.Mailbox
	SetAside []SetAside
	// Unbalanced are the mailboxes whose ledger did not account for everything when it
	// was last compared.
	Unbalanced []Unbalanced
}

// SetAside is how much mail of a mailbox could not be filed.
type SetAside struct {
	Mailbox postroom.MailboxID
	Name    string
	Count   int64
}

// Unbalanced is a mailbox whose ledger did not balance.
type Unbalanced struct {
	Mailbox    postroom.MailboxID
	Name       string
	ComparedAt time.Time
}

// maxTroubled is how many troubled mailboxes are read. They are counted in any case.
const maxTroubled = 20_000

// healthSees holds for the mailboxes b whose state the viewer may see: an
// administrator ($3 is 1) sees all of them.
const healthSees = `(cast($3 as bigint) = 1 or ` + seesMailbox + `)`

const (
	healthCounts = `
	select b.state, count(*) from mailbox b where b.deleted_at is null and ` + healthSees + ` group by b.state`

	healthTroubled = `
	select ` + mailboxColumns + ` from mailbox m join mailbox b on b.id = m.id
	where m.deleted_at is null and m.fault is not null and m.state <> 'paused' and m.state <> 'active' and ` + healthSees + `
	order by m.state_since, m.id limit $4`

	// It is counted mailbox by mailbox, each along an index: of all mail at once it is a
	// walk over the whole ledger.
	healthSetAside = `
	select s.id, s.name, s.n from (
		select b.id, b.name, (select count(*) from arrival a where a.mailbox = b.id and a.state = 'quarantined') as n
		from mailbox b where b.deleted_at is null and ` + healthSees + `) s
	where s.n > 0
	order by s.n desc, s.name, s.id limit $4`

	// A result with lists can be long, and says by its names alone that it does not
	// balance.
	healthCompared = `
	select b.id, b.name, c.compared_at,
		case when c.result like '%"unaccounted":[%' or c.result like '%"incomplete":[%' then '' else c.result end
	from comparison c join mailbox b on b.id = c.mailbox
	where c.result is not null and c.fault is null and c.compared_at is not null and b.deleted_at is null and ` + healthSees + `
	order by b.name, b.id limit $4`
)

// Health returns how the mailboxes are that v may see; an administrator sees the
// states of all. It reads every mailbox that is in trouble: ask every few seconds at
// most.
func (r *Reader) Health(ctx context.Context, v postroom.Viewer) (h Health, err error) {
	h.Mailboxes = make(map[postroom.MailboxState]int64)
	for _, s := range postroom.MailboxStates() {
		h.Mailboxes[s] = 0
	}
	args := healthArgs(v)
	rows, err := r.db.query(ctx, healthCounts, args[:3]...)
	_, err = collect(rows, err, func(rows *sql.Rows) (s postroom.MailboxState, err error) {
		var n int64
		err = rows.Scan(&s, &n)
		h.Mailboxes[s] = n
		return s, err
	})
	if err != nil {
		return h, fmt.Errorf("count mailboxes by state: %w", err)
	}
	rows, err = r.db.query(ctx, healthTroubled, args...)
	h.Troubled, err = collect(rows, err, func(rows *sql.Rows) (postroom.Mailbox, error) {
		k, err := scanMailbox(rows.Scan)
		return k.Mailbox, err
	})
	if err != nil {
		return h, fmt.Errorf("list mailboxes in trouble: %w", err)
	}
	rows, err = r.db.query(ctx, healthSetAside, args...)
	h.SetAside, err = collect(rows, err, func(rows *sql.Rows) (s SetAside, err error) {
		err = rows.Scan(&s.Mailbox, &s.Name, &s.Count)
		return s, err
	})
	if err != nil {
		return h, fmt.Errorf("count mail set aside: %w", err)
	}
	h.Unbalanced, err = r.unbalanced(ctx, args)
	return h, err
}

func healthArgs(v postroom.Viewer) []any {
	all := int64(0)
	if v.IsAdmin() {
		all = 1
	}
	return []any{int64(v.User), int64(v.Token), all, int64(maxTroubled)}
}

func (r *Reader) unbalanced(ctx context.Context, args []any) (list []Unbalanced, err error) {
	rows, err := r.db.query(ctx, healthCompared, args...)
	_, err = collect(rows, err, func(rows *sql.Rows) (u Unbalanced, err error) {
		var compared int64
		var result string
		if err := rows.Scan(&u.Mailbox, &u.Name, &compared, &result); err != nil {
			return u, err
		}
		u.ComparedAt = at(compared)
		var j comparisonJSON
		if result != "" {
			if err := json.Unmarshal([]byte(result), &j); err != nil {
				return u, err
			}
		}
		if result == "" || j.Arrivals != j.OnServer+j.Gone {
			list = append(list, u)
		}
		return u, nil
	})
	if err != nil {
		return nil, fmt.Errorf("list ledgers that do not balance: %w", err)
	}
	return list, nil
}

// An Opening is a mailbox and the kind of what opens it.
type Opening struct {
	postroom.Mailbox
	Kind string
}

const openings = `
	select ` + mailboxColumns + `, coalesce(c.kind, '') from mailbox m left join credential c on c.mailbox = m.id
	where m.deleted_at is null
	order by m.name, m.id`

// Openings lists all mailboxes with the kind of what opens them, by name.
func (r *Reader) Openings(ctx context.Context) ([]Opening, error) {
	rows, err := r.db.query(ctx, openings)
	list, err := collect(rows, err, func(rows *sql.Rows) (o Opening, err error) {
		k, err := scanMailbox(func(into ...any) error { return rows.Scan(append(into, &o.Kind)...) })
		o.Mailbox = k.Mailbox
		return o, err
	})
	if err != nil {
		return nil, fmt.Errorf("list what opens the mailboxes: %w", err)
	}
	return list, nil
}

const lastArrival = `select coalesce(max(id), 0) from arrival`

// LastArrival returns the id of the newest arrival of all mailboxes, 0 before the first.
func (r *Reader) LastArrival(ctx context.Context) (id postroom.ArrivalID, err error) {
	if err := r.db.queryRow(ctx, lastArrival).Scan(&id); err != nil {
		return 0, fmt.Errorf("read the newest arrival: %w", err)
	}
	return id, nil
}

// The states are named so that each is a walk along an index.
const arrivalsAfter = `
	select state, count(*) from arrival
	where mailbox = $1 and id > $2
	  and state in ('waiting', 'filed', 'duplicate', 'ignored', 'before_start', 'vanished', 'quarantined', 'deleted')
	group by state`

// ArrivalsAfter counts the arrivals of a mailbox that are newer than one, by state. A
// state without arrivals is missing.
func (r *Reader) ArrivalsAfter(ctx context.Context, id postroom.MailboxID, after postroom.ArrivalID) (map[postroom.ArrivalState]int64, error) {
	counts := make(map[postroom.ArrivalState]int64)
	rows, err := r.db.query(ctx, arrivalsAfter, int64(id), int64(after))
	_, err = collect(rows, err, func(rows *sql.Rows) (s postroom.ArrivalState, err error) {
		var n int64
		err = rows.Scan(&s, &n)
		counts[s] = n
		return s, err
	})
	if err != nil {
		return nil, fmt.Errorf("count arrivals of mailbox %s: %w", id, err)
	}
	return counts, nil
}

const hidesMailbox = `select 1 from mailbox b where b.deleted_at is null and not ` + seesMailbox + ` limit 1`

// HidesMailboxes says whether there are mailboxes whose mail v may not see.
func (r *Reader) HidesMailboxes(ctx context.Context, v postroom.Viewer) (bool, error) {
	var one int
	err := r.db.queryRow(ctx, hidesMailbox, int64(v.User), int64(v.Token)).Scan(&one)
	if noRows(err) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for hidden mailboxes: %w", err)
	}
	return true, nil
}
