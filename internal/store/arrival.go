package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"github.com/postroom/postroom"
)

// A Listed name is one that the server shows, with what it tells of it.
type Listed struct {
	Name         postroom.Name
	State        postroom.ArrivalState // waiting or before_start
	Reason       string
	InternalDate time.Time
	SizeBytes    int64
	GmailID      uint64
}

const bookColumns = `insert into arrival (mailbox, numbering, uid, uidl, occurrence, state, reason, seen_at,
	internal_date, size_bytes, gmail_id, settled_at, listed_bytes) values `

const bookConflict = ` on conflict (numbering, uid, uidl, occurrence) do nothing`

// bookRows is how many names one statement books. Two texts are prepared: for
// this many, and for one.
const bookRows = 50

const bookArgsEach = 12

func bookText(rows int) string {
	var b strings.Builder
	b.WriteString(bookColumns)
	for i := range rows {
		if i > 0 {
			b.WriteByte(',')
		}
		p := i * bookArgsEach
		fmt.Fprintf(&b, "($%d,$%d,$%d,$%d,$%d,$%d,$%d,db_now(),$%d,$%d,$%d,$%d,$%d)",
			p+1, p+2, p+3, p+4, p+5, p+6, p+7, p+8, p+9, p+10, p+11, p+12)
	}
	b.WriteString(bookConflict)
	return b.String()
}

// BookNames is commit 0: it enters names into the ledger and moves the position
// among names to position, in one transaction. Booking the same name twice is a
// success and does nothing.
func (db *DB) BookNames(ctx context.Context, f Fence, n postroom.Numbering, names []Listed, position uint32) error {
	return db.book(ctx, f, n, names, func(t *tx) error {
		return t.exec(`update numbering set position = $2 where id = $1 and position < $2`, n.ID, position)
	})
}

// BookMissing is BookNames for names that the ledger has missed: the position
// stays where it is.
func (db *DB) BookMissing(ctx context.Context, f Fence, n postroom.Numbering, names []Listed) error {
	return db.book(ctx, f, n, names, func(*tx) error { return nil })
}

// book enters names, and does then what belongs to the same commit.
func (db *DB) book(ctx context.Context, f Fence, n postroom.Numbering, names []Listed, then func(*tx) error) error {
	err := db.commit(ctx, func(t *tx) error {
		if err := t.hold(f); err != nil {
			return err
		}
		if err := t.bookAll(n, names); err != nil {
			return err
		}
		return then(t)
	})
	if err != nil {
		return fmt.Errorf("book names of %s: %w", n.Mailbox, err)
	}
	db.step("names booked")
	return nil
}

func (t *tx) bookAll(n postroom.Numbering, names []Listed) error {
	for rest := names; len(rest) > 0; {
		size := 1
		if len(rest) >= bookRows {
			size = bookRows
		}
		args := make([]any, 0, bookArgsEach*size)
		for _, l := range rest[:size] {
			args = append(args, bookArgs(n, l)...)
		}
		if err := t.exec(bookText(size), args...); err != nil {
			return err
		}
		rest = rest[size:]
	}
	return nil
}

func bookArgs(n postroom.Numbering, l Listed) []any {
	var settled any
	if l.State != postroom.ArrivalWaiting {
		settled = time.Now().UnixMicro()
	}
	listedBytes := int64(0)
	if l.Name.UIDL != "" {
		listedBytes = l.SizeBytes
	}
	return []any{n.Mailbox, n.ID, int64(l.Name.UID), clip(l.Name.UIDL, maxUIDLBytes), l.Name.Occurrence, string(l.State), l.Reason,
		nullMicros(l.InternalDate), l.SizeBytes, int64(l.GmailID), settled, listedBytes}
}

// A Wanted arrival is one whose bytes are not here yet.
type Wanted struct {
	ID    postroom.ArrivalID
	Name  postroom.Name
	Tries int
	// Unjudged: nobody has held its dates against the start of the mailbox yet.
	Unjudged bool
}

// The names after $2 come first, in the server's order, then the others: fresh
// mail does not wait for a backlog.
const wantedAfter = `
	select id, uid, uidl, occurrence, tries, internal_date is null and reason = '' from arrival
	where numbering = $1 and state = 'waiting' and raw is null and uid > $2
		and (next_try_at is null or next_try_at <= db_now())
	order by uid, id limit $3`

const wantedUpTo = `
	select id, uid, uidl, occurrence, tries, internal_date is null and reason = '' from arrival
	where numbering = $1 and state = 'waiting' and raw is null and uid <= $2
		and (next_try_at is null or next_try_at <= db_now())
	order by uid, id limit $3`

// WantedArrivals returns waiting names without bytes that may be tried now: those
// beyond fresh first.
func (db *DB) WantedArrivals(ctx context.Context, n postroom.NumberingID, fresh uint32, limit int) (wanted []Wanted, err error) {
	for _, query := range []string{wantedAfter, wantedUpTo} {
		if len(wanted) > 0 { // a batch of fresh names is not filled up with old ones
			break
		}
		rows, err := db.query(ctx, query, n, int64(fresh), limit)
		wanted, err = collect(rows, err, func(r *sql.Rows) (w Wanted, err error) {
			err = r.Scan(&w.ID, &w.Name.UID, &w.Name.UIDL, &w.Name.Occurrence, &w.Tries, &w.Unjudged)
			return w, err
		})
		if err != nil {
			return nil, fmt.Errorf("list wanted names: %w", err)
		}
	}
	return wanted, nil
}

// NextWanted returns when the next waiting name without bytes may be tried;
// ok is false when there is none.
func (db *DB) NextWanted(ctx context.Context, n postroom.NumberingID) (next time.Time, ok bool, err error) {
	var due int64
	err = db.queryRow(ctx, `select coalesce(min(coalesce(next_try_at, 1)), 0) from arrival
		where numbering = $1 and state = 'waiting' and raw is null`, n).Scan(&due)
	if err != nil || due == 0 {
		return time.Time{}, false, err
	}
	return at(due), true, nil
}

// Brought are the bytes of one arrival, with what the server told beside them.
type Brought struct {
	Arrival      postroom.ArrivalID
	Raw          *Raw
	InternalDate time.Time
	GmailID      uint64
	// HasMessageID: the message names itself, so that the same bytes a second time
	// are the same message. Without it commit 2 decides.
	HasMessageID bool
	// After is what is to happen to the message on the server once it is here, as the
	// mailbox says now; Folder is where a move goes.
	After  postroom.AfterImport
	Folder string
}

// arrivalToFill also says whether the bytes were here before.
const arrivalToFill = `
	select exists (select 1 from raw where sha256 = $2) from arrival where id = $1 and state = 'waiting' and raw is null`

const earlierBytes = `
	select ` + earlierFacts + ` from arrival a
	where a.raw = $1 and a.mailbox = $2 and a.id <> $3 and a.state in ('waiting', 'filed', 'deleted', 'ignored', 'quarantined')
	order by a.id + 0 limit 1`

const fillArrival = `
	update arrival set raw = $2, size_bytes = $3, internal_date = coalesce($4, internal_date), gmail_id = $5,
		tries = 0, next_try_at = null, after_import = $6, after_folder = $7, due_action = $8,
		kept_at = case when $9 then null else db_now() end
	where id = $1`

const settleArrival = `
	update arrival set state = $2, reason = $3, settled_at = db_now(), next_try_at = null where id = $1 and state = 'waiting'`

const settleCopy = `
	update arrival set state = $2, reason = $3, mail = $4, settled_at = db_now(), next_try_at = null where id = $1 and state = 'waiting'`

// RecordBytes is commit 1: the raw bytes are linked to their arrivals. Exact bytes
// that this mailbox has already are recognised here and keep the verdict of the
// first. An arrival that has been settled meanwhile is passed over.
func (db *DB) RecordBytes(ctx context.Context, f Fence, brought []Brought) error {
	sums := make([][]byte, len(brought)) // two nodes may bring the same bytes at once
	for i := range brought {
		sums[i] = brought[i].Raw.SHA256[:]
	}
	err := db.commitLocked(ctx, lockKeys(sums), func(t *tx) error {
		if err := t.hold(f); err != nil {
			return err
		}
		for i := range brought {
			if err := t.recordBytes(f.Mailbox, &brought[i]); err != nil {
				return err
			}
		}
		return t.exec(`update mailbox set last_arrival_at = db_now() where id = $1`, f.Mailbox)
	})
	if err != nil {
		return fmt.Errorf("record bytes in %s: %w", f.Mailbox, err)
	}
	db.step("bytes recorded")
	return nil
}

func (t *tx) recordBytes(m postroom.MailboxID, b *Brought) error {
	var isKnown bool
	err := t.row(arrivalToFill, b.Arrival, b.Raw.SHA256[:]).Scan(&isKnown)
	if noRows(err) {
		return t.dropAhead(b.Raw)
	}
	if err != nil {
		return err
	}
	var kept knownRaw
	if isKnown {
		if kept, err = t.knownRaw(b.Raw); err != nil {
			return err
		}
	}
	var earlier earlierArrival
	if kept.id != 0 && b.HasMessageID {
		if earlier, err = t.earlierWith(kept.id, m, b.Arrival); err != nil {
			return err
		}
	}
	raw, letGo := kept.id, kept.isLetGo(earlier)
	if letGo {
		err = t.dropAhead(b.Raw)
	} else {
		raw, err = t.keepRaw(b.Raw, kept)
	}
	if err != nil {
		return err
	}
	then := policy{b.After, clip(b.Folder, maxFolderBytes)}
	if earlier.hasEnded { // what was in force when it came first: a changed mailbox changes nothing for it
		then = earlier.policy
	}
	if err := t.exec(fillArrival, b.Arrival, raw, b.Raw.SizeBytes, nullMicros(b.InternalDate), int64(b.GmailID),
		string(then.action), then.folder, then.due(), letGo); err != nil {
		return err
	}
	if earlier.id == 0 {
		return nil
	}
	verdict, reason := sameVerdict(earlier.id, earlier.state)
	return t.exec(settleCopy, b.Arrival, string(verdict), reason, nullID(earlier.mail))
}

// maxFolderBytes is how much of a folder's name is kept.
const maxFolderBytes = 1000

func (t *tx) earlierWith(raw postroom.RawID, m postroom.MailboxID, except postroom.ArrivalID) (e earlierArrival, err error) {
	err = e.scan(t.row(earlierBytes, raw, m, except))
	if noRows(err) {
		return earlierArrival{}, nil
	}
	return e, err
}

// Settle ends the waiting of arrivals that will not be filed.
func (db *DB) Settle(ctx context.Context, f Fence, ids []postroom.ArrivalID, state postroom.ArrivalState, reason string) error {
	return db.commit(ctx, func(t *tx) error {
		if err := t.hold(f); err != nil {
			return err
		}
		for _, id := range ids {
			n, err := t.changed(settleArrival, id, string(state), reason)
			if err != nil {
				return err
			}
			if n > 0 && state == postroom.ArrivalQuarantined {
				t.quarantined(f.Mailbox, id)
			}
		}
		return nil
	})
}

func (t *tx) quarantined(m postroom.MailboxID, id postroom.ArrivalID) {
	t.event(postroom.Event{
		ID: fmt.Sprintf("arrival.quarantined:%d", id), Type: postroom.EventQuarantined, At: time.Now(), Mailbox: m,
	})
}

const failArrival = `
	update arrival set tries = tries + 1, reason = $2, next_try_at = $3
	where id = $1 and state = 'waiting' returning tries`

// RecordFailedTry counts a try of an arrival that brought nothing. At the limit it
// becomes quarantined, with the reason; until then it waits for next.
func (db *DB) RecordFailedTry(ctx context.Context, f Fence, id postroom.ArrivalID, reason string, next time.Time, limit int) (quarantined bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		quarantined = false
		if err := t.hold(f); err != nil {
			return err
		}
		var tries int
		err := t.row(failArrival, id, clip(reason, 2000), micros(next)).Scan(&tries)
		if noRows(err) {
			return nil
		}
		if err != nil || tries < limit {
			return err
		}
		quarantined = true
		t.quarantined(f.Mailbox, id)
		return t.exec(settleArrival, id, string(postroom.ArrivalQuarantined), clip(reason, 2000))
	})
	return quarantined, err
}

// Relist turns vanished names that the server lists again back to waiting.
func (db *DB) Relist(ctx context.Context, f Fence, ids []postroom.ArrivalID) error {
	return db.commit(ctx, func(t *tx) error {
		if err := t.hold(f); err != nil {
			return err
		}
		for _, id := range ids {
			if err := t.exec(`update arrival set state = 'waiting', reason = '', settled_at = null, tries = 0, next_try_at = null
				where id = $1 and state = 'vanished'`, id); err != nil {
				return err
			}
		}
		return nil
	})
}

// A Ready arrival has its bytes and waits to be filed.
type Ready struct {
	ID           postroom.ArrivalID
	Fence        Fence
	Raw          postroom.RawID
	Tries        int
	InternalDate time.Time
	SeenAt       time.Time
	ProvenAt     time.Time // of its mailbox
}

const readyArrivals = `
	select a.id, a.mailbox, l.epoch, a.raw, a.tries, coalesce(a.internal_date, 0), a.seen_at, coalesce(b.proven_at, 0)
	from arrival a
	join lease l on l.mailbox = a.mailbox and l.node = $1
	join mailbox b on b.id = a.mailbox and b.deleted_at is null
	where a.state = 'waiting' and a.raw is not null and a.id > $2
		and (a.next_try_at is null or a.next_try_at <= db_now())
	order by a.id limit $3`

// ReadyArrivals returns arrivals that can be filed now, of the mailboxes that the
// node reads, after the given one.
func (db *DB) ReadyArrivals(ctx context.Context, node postroom.NodeID, after postroom.ArrivalID, limit int) ([]Ready, error) {
	rows, err := db.query(ctx, readyArrivals, node, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list ready arrivals: %w", err)
	}
	defer rows.Close()
	var ready []Ready
	for rows.Next() {
		r := Ready{Fence: Fence{Node: node}}
		var internal, seen, proven int64
		if err := rows.Scan(&r.ID, &r.Fence.Mailbox, &r.Fence.Epoch, &r.Raw, &r.Tries, &internal, &seen, &proven); err != nil {
			return nil, err
		}
		r.SeenAt = at(seen)
		if internal > 0 {
			r.InternalDate = at(internal)
		}
		if proven > 0 {
			r.ProvenAt = at(proven)
		}
		ready = append(ready, r)
	}
	return ready, rows.Err()
}
