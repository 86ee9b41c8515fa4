package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postroom/postroom"
)

// An EntryLine is an entry as the history of an issue shows it.
type EntryLine struct {
	postroom.Entry
	AuthorName string    // of a note or a change: the user's, or the token's
	Mail       *MailView // of a received mail; nil otherwise
	// Mailboxes are those that the mail came to and that the viewer may see, by name.
	Mailboxes []MailboxName
	Arrivals  []postroom.ArrivalID // in these mailboxes
}

const issueIsSeen = `select 1 from issue i where i.id = $3 and ` + isKept + ` and ` + seesIssue

const listEntries = `
	select e.id, e.issue, e.kind, e.mail, e.author, coalesce(u.name, e.actor), e.text, e.at, coalesce(m.size_bytes, 0)
	from entry e left join app_user u on u.id = e.author left join mail m on m.id = e.mail
	where e.issue = $3 and (e.at, e.id) > ($4, $5) and (e.mail is null or ` + seesMail + `)
	order by e.at, e.id limit $6`

// Entries lists the history of an issue, oldest first; a page may be shorter than
// limit where mails are very long. A mail that came only to
// mailboxes which v may not see is left out.
func (r *Reader) Entries(ctx context.Context, v postroom.Viewer, id postroom.IssueID, limit int, cursor string) (lines []EntryLine, next string, err error) {
	place, err := readCursor(cursor, "e", 2)
	if err != nil {
		return nil, "", err
	}
	if place == nil {
		place = []int64{-1 << 62, 0}
	}
	var seen int
	err = r.db.queryRow(ctx, issueIsSeen, int64(v.User), int64(v.Token), int64(id)).Scan(&seen)
	if noRows(err) {
		return nil, "", notFound("issue")
	}
	if err != nil {
		return nil, "", fmt.Errorf("look for issue %s: %w", id, err)
	}
	limit = pageSize(limit)
	rows, err := r.db.query(ctx, listEntries, int64(v.User), int64(v.Token), int64(id), place[0], place[1], limit+1)
	var sizes []int64
	lines, err = collect(rows, err, func(rows *sql.Rows) (EntryLine, error) {
		l, size, err := scanEntry(rows)
		sizes = append(sizes, size)
		return l, err
	})
	if err != nil {
		return nil, "", fmt.Errorf("list the entries of issue %s: %w", id, err)
	}
	if n := fitting(sizes, limit); n < len(lines) {
		lines = lines[:n]
		last := lines[n-1]
		next = makeCursor("e", micros(last.At), int64(last.ID))
	}
	if err := r.completeEntries(ctx, v, lines); err != nil {
		return nil, "", fmt.Errorf("list the entries of issue %s: %w", id, err)
	}
	return lines, next, nil
}

// maxPageBytes is about how many bytes of texts one page of entries holds.
const maxPageBytes = 32 << 20

// fitting is how many entries go on a page: limit, or fewer where their mails are
// very long. A mail keeps at most two texts, however large it is.
func fitting(sizes []int64, limit int) (n int) {
	var total int64
	for ; n < min(len(sizes), limit); n++ {
		if total += min(sizes[n], 2*maxBodyBytes); total > maxPageBytes && n > 0 {
			break
		}
	}
	return n
}

func scanEntry(rows *sql.Rows) (l EntryLine, mailBytes int64, err error) {
	var mail, author sql.NullInt64
	var when int64
	err = rows.Scan(&l.ID, &l.Issue, &l.Kind, &mail, &author, &l.AuthorName, &l.Text, &when, &mailBytes)
	l.Entry.Mail, l.Author, l.At = postroom.MailID(mail.Int64), postroom.UserID(author.Int64), at(when)
	return l, mailBytes, err
}

const mailsOfEntries = "select " + mailColumns + ` from mail m join entry e on e.mail = m.id where e.id in (`

const arrivalsOfEntries = `select a.entry, a.id, b.id, b.name from arrival a join mailbox b on b.id = a.mailbox
	where ` + seesMailbox + ` and a.entry in (`

// completeEntries adds the mails and where they came to.
func (r *Reader) completeEntries(ctx context.Context, v postroom.Viewer, lines []EntryLine) error {
	var ids []postroom.EntryID
	index := make(map[postroom.EntryID]*EntryLine)
	for i := range lines {
		if lines[i].Entry.Mail != 0 {
			ids = append(ids, lines[i].ID)
			index[lines[i].ID] = &lines[i]
		}
	}
	if len(ids) == 0 {
		return nil
	}
	in := listed(ids)
	c := &condition{}
	c.write(mailsOfEntries+marks(len(in))+")", in...)
	rows, err := r.db.query(ctx, c.text.String(), c.args...)
	_, err = collect(rows, err, func(rows *sql.Rows) (struct{}, error) {
		m, err := r.scanMail(rows)
		if err == nil {
			index[m.Entry].Mail = &m
		}
		return struct{}{}, err
	})
	if err != nil {
		return err
	}
	c = where(v, arrivalsOfEntries)
	c.write(marks(len(in))+") order by b.name, b.id, a.id", in...)
	rows, err = r.db.query(ctx, c.text.String(), c.args...)
	_, err = collect(rows, err, func(rows *sql.Rows) (struct{}, error) {
		var entry postroom.EntryID
		var arrival postroom.ArrivalID
		var m MailboxName
		if err := rows.Scan(&entry, &arrival, &m.ID, &m.Name); err != nil {
			return struct{}{}, err
		}
		l := index[entry]
		l.Arrivals = append(l.Arrivals, arrival)
		if n := len(l.Mailboxes); n == 0 || l.Mailboxes[n-1] != m {
			l.Mailboxes = append(l.Mailboxes, m)
		}
		return struct{}{}, nil
	})
	return err
}
