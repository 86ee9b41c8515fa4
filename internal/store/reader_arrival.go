package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// ArrivalFilter says which arrivals a list shows; zero fields filter nothing.
type ArrivalFilter struct {
	Mailbox postroom.MailboxID
	State   postroom.ArrivalState
	Limit   int
	Cursor  string
}

// An ArrivalLine is an arrival as lists show it.
type ArrivalLine struct {
	postroom.Arrival
	Folder      string
	UIDValidity uint32
	// MessageID is empty for an administrator who may not see the mail.
	MessageID string
	Issue     postroom.IssueID // 0: not filed

	// AfterImport is what was to happen to the message on the server once it was here;
	// Due says that it still is, DueReason why it was not done, or what was done instead.
	AfterImport postroom.AfterImport // empty: its bytes have not come
	MoveTo      string
	Due         bool
	DueReason   string
	// Dropped says that it was still to be done when the folder ended being read there,
	// and is not done any more.
	Dropped bool
	// GoneAt is since when the server does not show the name (POP3); zero: it does.
	GoneAt    time.Time
	ByContent bool // the server has no lasting names: the content tells its mail apart
}

const arrivalColumns = `a.id, a.mailbox, a.numbering, a.uid, a.uidl, a.occurrence, a.state, a.reason, a.seen_at, a.internal_date,
	a.size_bytes, a.gmail_id, a.raw, a.mail, a.entry, a.settled_at`

const arrivalFacts = `n.folder, n.uid_validity, case when ` + seesMailbox + ` then coalesce(m.message_id, '') else '' end, e.issue,
	a.after_import, a.after_folder, a.due_action <> '' and n.ended_at is null, a.due_reason, a.due_action <> '' and n.ended_at is not null, a.gone_at, n.by_content`

const arrivalTables = `arrival a join mailbox b on b.id = a.mailbox join numbering n on n.id = a.numbering
	left join mail m on m.id = a.mail left join entry e on e.id = a.entry`

// settledArrivals is the condition of the index arrival_settled, word for word:
// SQLite uses a partial index for no other.
const settledArrivals = `a.state in ('duplicate', 'ignored', 'before_start', 'vanished', 'quarantined', 'deleted')`

// Arrivals lists lines of the ledger, newest first. An administrator sees those of
// all mailboxes, all others those of the mailboxes whose mail they may see.
func (r *Reader) Arrivals(ctx context.Context, v postroom.Viewer, f ArrivalFilter) (lines []ArrivalLine, next string, err error) {
	place, err := readCursor(f.Cursor, "a", 1)
	if err != nil {
		return nil, "", err
	}
	if f.State != "" && !slices.Contains(postroom.ArrivalStates(), f.State) {
		return nil, "", noSuchState("state", string(f.State))
	}
	limit := pageSize(f.Limit)
	c := where(v, "select "+arrivalColumns+", "+arrivalFacts+" from "+arrivalTables+" where b.deleted_at is null")
	switch {
	case f.Mailbox != 0 && f.State == "":
		c.and("a.id in (select id from (")
		for i, state := range postroom.ArrivalStates() {
			if i > 0 {
				c.write(" union all ")
			}
			c.write("select id from (select id from arrival where mailbox = ? and state = '"+string(state)+"'", int64(f.Mailbox))
			if place != nil {
				c.write(" and id < ?", place[0])
			}
			c.write(fmt.Sprintf(" order by id desc limit ?) s%d", i), limit+1)
		}
		c.write(") every)")
	case f.Mailbox != 0:
		c.and("a.mailbox = ?", int64(f.Mailbox))
		c.and("a.state = '" + string(f.State) + "'")
	case f.State != "":
		c.and("a.state = '" + string(f.State) + "'")
		if f.State != postroom.ArrivalFiled && f.State != postroom.ArrivalWaiting {
			c.and(settledArrivals)
		}
	}
	if place != nil {
		c.and("a.id < ?", place[0])
	}
	if !v.IsAdmin() {
		c.and(seesMailbox)
	}
	c.write(" order by a.id desc limit ?", limit+1)
	rows, err := r.db.query(ctx, c.text.String(), c.args...)
	lines, err = collect(rows, err, func(rows *sql.Rows) (ArrivalLine, error) { return scanArrivalLine(rows) })
	if err != nil {
		return nil, "", fmt.Errorf("list arrivals: %w", err)
	}
	if len(lines) > limit {
		lines = lines[:limit]
		next = makeCursor("a", int64(lines[limit-1].ID))
	}
	return lines, next, nil
}

const arrivalByID = "select " + arrivalColumns + ", " + arrivalFacts + " from " + arrivalTables + ` where a.id = $3 and b.deleted_at is null`

// Arrival returns one line of the ledger.
func (r *Reader) Arrival(ctx context.Context, v postroom.Viewer, id postroom.ArrivalID) (ArrivalLine, error) {
	query := arrivalByID
	if !v.IsAdmin() {
		query += " and " + seesMailbox
	}
	l, err := scanArrivalLine(r.db.queryRow(ctx, query, int64(v.User), int64(v.Token), int64(id)))
	if noRows(err) {
		return ArrivalLine{}, notFound("arrival")
	}
	if err != nil {
		return ArrivalLine{}, fmt.Errorf("read arrival %s: %w", id, err)
	}
	return l, nil
}

func scanArrivalLine(row interface{ Scan(...any) error }) (ArrivalLine, error) {
	var l ArrivalLine
	var seenAt int64
	var internalDate, settledAt, raw, mail, entry, issue, gone sql.NullInt64
	var gmail int64
	err := row.Scan(&l.ID, &l.Mailbox, &l.Numbering, &l.Name.UID, &l.Name.UIDL, &l.Name.Occurrence, &l.State, &l.Reason, &seenAt, &internalDate,
		&l.SizeBytes, &gmail, &raw, &mail, &entry, &settledAt, &l.Folder, &l.UIDValidity, &l.MessageID, &issue,
		&l.AfterImport, &l.MoveTo, &l.Due, &l.DueReason, &l.Dropped, &gone, &l.ByContent)
	l.GmailID = uint64(gmail)
	l.SeenAt, l.InternalDate, l.SettledAt = at(seenAt), fromMicros(internalDate), fromMicros(settledAt)
	l.GoneAt = fromMicros(gone)
	l.Raw, l.Mail, l.Entry = postroom.RawID(raw.Int64), postroom.MailID(mail.Int64), postroom.EntryID(entry.Int64)
	l.Issue = postroom.IssueID(issue.Int64)
	return l, err
}

func noSuchState(field, state string) error {
	return &postroom.Fault{
		Kind: postroom.Invalid, Class: postroom.Unknown, FixBy: postroom.FixByUser,
		Explanation: fmt.Sprintf("There is no state %q.", clip(state, 40)),
		Remedy:      "Use one of the states that the documentation lists.",
		Field:       field,
	}
}
