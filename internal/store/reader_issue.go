package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postroom/postroom"
)

// IssueFilter says which issues a list shows; zero fields filter nothing.
type IssueFilter struct {
	Mailbox    postroom.MailboxID
	State      postroom.IssueState
	Assignee   postroom.UserID
	Unassigned bool
	// Query is what to search for: all words, the last one as the beginning of one.
	Query string
	// Deleted shows the deleted issues that can be recovered, and no others.
	Deleted bool
	Limit   int
	Cursor  string
}

// MailboxName is a mailbox as lists mention it.
type MailboxName struct {
	ID   postroom.MailboxID
	Name string
}

// An IssueLine is an issue as lists show it.
type IssueLine struct {
	postroom.Issue
	AssigneeName string
	Preview      string        // the beginning of its newest mail; empty where that may be hidden from the viewer
	Mailboxes    []MailboxName // those that the viewer may see, by name
	Attachments  bool          // one of its first 20 mails has an attachment
	Entries      int
}

const selectIssue = `
	select i.id, i.number, i.subject, i.state, i.requester_name, i.requester_address, i.assignee, coalesce(u.name, ''),
		i.historic, i.preview, i.entries, i.created_at, i.last_at, i.deleted_at
	from issue i left join app_user u on u.id = i.assignee
	where `

func scanIssue(row interface{ Scan(...any) error }) (IssueLine, error) {
	var l IssueLine
	var assignee, deletedAt sql.NullInt64
	var createdAt, lastAt int64
	err := row.Scan(&l.ID, &l.Number, &l.Subject, &l.State, &l.Requester.Name, &l.Requester.Address, &assignee, &l.AssigneeName,
		&l.Historic, &l.Preview, &l.Entries, &createdAt, &lastAt, &deletedAt)
	l.Assignee = postroom.UserID(assignee.Int64)
	l.CreatedAt, l.LastAt, l.DeletedAt = at(createdAt), at(lastAt), fromMicros(deletedAt)
	return l, err
}

// filter adds the clauses of f, which are the same in lists and in searches.
func (c *condition) filter(f IssueFilter) {
	if f.Deleted {
		c.and("i.deleted_at is not null and " + isKept)
	} else {
		c.and("i.deleted_at is null")
	}
	if f.State != "" {
		c.and("i.state = ?", string(f.State))
	}
	switch {
	case f.Unassigned:
		c.and("i.assignee is null")
	case f.Assignee != 0:
		c.and("i.assignee = ?", int64(f.Assignee))
	}
	if f.Mailbox != 0 {
		c.and("exists (select 1 from issue_mailbox im join mailbox b on b.id = im.mailbox where im.issue = i.id and im.mailbox = ? and "+seesMailbox+")", int64(f.Mailbox))
	} else {
		c.and(seesIssue)
	}
}

// Issues lists the issues that v may see. Without a query the one with the newest
// entry comes first; with one, the one with the newest entry that matches.
func (r *Reader) Issues(ctx context.Context, v postroom.Viewer, f IssueFilter) (lines []IssueLine, next string, err error) {
	if f.Query != "" {
		return r.search(ctx, v, f)
	}
	place, err := readCursor(f.Cursor, "i", 2)
	if err != nil {
		return nil, "", err
	}
	limit := pageSize(f.Limit)
	few, err := r.fewMailboxes(ctx, v, f)
	if err != nil {
		return nil, "", fmt.Errorf("list issues: %w", err)
	}
	c := where(v, "1 = 1")
	order := " order by i.last_at desc, i.id desc limit ?"
	if few != nil {
		c.and("i.id in (select issue from (")
		c.candidates(few, f, place, limit+1)
		c.write(") candidates)")
		f.State = ""                                            // the candidates have it
		order = " order by +i.last_at desc, +i.id desc limit ?" // and are sorted: no walk along the index of all
	} else if place != nil {
		c.and("(i.last_at, i.id) < (?, ?)", place[0], place[1])
	}
	c.filter(f)
	c.write(order, limit+1)
	rows, err := r.db.query(ctx, selectIssue+c.text.String(), c.args...)
	lines, err = collect(rows, err, func(rows *sql.Rows) (IssueLine, error) { return scanIssue(rows) })
	if err != nil {
		return nil, "", fmt.Errorf("list issues: %w", err)
	}
	if len(lines) > limit {
		lines = lines[:limit]
		last := lines[limit-1]
		next = makeCursor("i", micros(last.LastAt), int64(last.ID))
	}
	return lines, next, r.complete(ctx, v, lines)
}

// Issue returns one issue, also when it is deleted and can be recovered.
func (r *Reader) Issue(ctx context.Context, v postroom.Viewer, id postroom.IssueID) (IssueLine, error) {
	c := where(v, isKept+" and "+seesIssue)
	c.and("i.id = ?", int64(id))
	line, err := scanIssue(r.db.queryRow(ctx, selectIssue+c.text.String(), c.args...))
	if noRows(err) {
		return IssueLine{}, notFound("issue")
	}
	if err != nil {
		return IssueLine{}, fmt.Errorf("read issue %s: %w", id, err)
	}
	lines := []IssueLine{line}
	err = r.complete(ctx, v, lines)
	return lines[0], err
}

const issueMailboxes = `im.issue, b.id, b.name, case when ` + seesMailbox + ` then 1 else 0 end
	from issue_mailbox im join mailbox b on b.id = im.mailbox where im.issue in (`

const issueAttachments = `i.id from issue i where exists (
		select 1 from (select mail from entry where issue = i.id and mail is not null order by at, id limit 20) first
		join mail m on m.id = first.mail where m.facts like '%"attachments":[{%')
	and i.id in (`

// complete adds to lines what other tables know of them. Where some of an issue's
// mail came to a mailbox that v may not see any more, the newest may be of that
// mailbox, and its beginning is left out.
func (r *Reader) complete(ctx context.Context, v postroom.Viewer, lines []IssueLine) error {
	if len(lines) == 0 {
		return nil
	}
	ids := make([]postroom.IssueID, len(lines))
	index := make(map[postroom.IssueID]*IssueLine, len(lines))
	for i := range lines {
		ids[i] = lines[i].ID
		index[ids[i]] = &lines[i]
	}
	in := listed(ids)
	c := where(v, "select "+issueMailboxes)
	c.write(marks(len(in))+") order by b.name, b.id", in...)
	rows, err := r.db.query(ctx, c.text.String(), c.args...)
	_, err = collect(rows, err, func(rows *sql.Rows) (id postroom.IssueID, err error) {
		var m MailboxName
		var isSeen int
		if err := rows.Scan(&id, &m.ID, &m.Name, &isSeen); err != nil {
			return 0, err
		}
		if isSeen == 0 {
			index[id].Preview = ""
			return id, nil
		}
		index[id].Mailboxes = append(index[id].Mailboxes, m)
		return id, nil
	})
	if err != nil {
		return fmt.Errorf("read the mailboxes of issues: %w", err)
	}
	c = &condition{}
	c.write("select "+issueAttachments+marks(len(in))+")", in...)
	rows, err = r.db.query(ctx, c.text.String(), c.args...)
	_, err = collect(rows, err, func(rows *sql.Rows) (id postroom.IssueID, err error) {
		if err := rows.Scan(&id); err != nil {
			return 0, err
		}
		index[id].Attachments = true
		return id, nil
	})
	if err != nil {
		return fmt.Errorf("look for attachments of issues: %w", err)
	}
	return nil
}
