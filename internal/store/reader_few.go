package store

import (
	"context"
	"database/sql"

	"github.com/postroom/postroom"
)

// fewest is how many mailboxes are looked through one by one. Among more of them
// than this, walking all issues finds a page soon enough.
const fewest = 16

const anyHidden = `select 1 from mailbox b where not ` + seesMailbox + ` limit 1`

const seenMailboxes = `select b.id from mailbox b where ` + seesMailbox + ` order by b.id limit $3`

// fewMailboxes returns the mailboxes that hold all that f can show v, when they are
// few beside others: walking all issues would then pass over very many. It is nil
// where the walk is the better way.
func (r *Reader) fewMailboxes(ctx context.Context, v postroom.Viewer, f IssueFilter) ([]postroom.MailboxID, error) {
	if f.Deleted || f.Assignee != 0 {
		return nil, nil
	}
	if f.Mailbox != 0 {
		return []postroom.MailboxID{f.Mailbox}, nil
	}
	var hidden int
	err := r.db.queryRow(ctx, anyHidden, int64(v.User), int64(v.Token)).Scan(&hidden)
	if noRows(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := r.db.query(ctx, seenMailboxes, int64(v.User), int64(v.Token), fewest+1)
	seen, err := collect(rows, err, func(rows *sql.Rows) (id postroom.MailboxID, err error) {
		err = rows.Scan(&id)
		return id, err
	})
	if err != nil || len(seen) > fewest {
		return nil, err
	}
	if len(seen) == 0 {
		seen = []postroom.MailboxID{0}
	}
	return seen, nil
}

// candidates selects from each mailbox the issues that a page may hold. Each part
// is a walk along one index for as many steps as the page has lines.
func (c *condition) candidates(few []postroom.MailboxID, f IssueFilter, place []int64, limit int) {
	states := []postroom.IssueState{postroom.IssueOpen, postroom.IssueClosed}
	if f.State != "" {
		states = []postroom.IssueState{f.State}
	}
	parts := 0
	for _, mailbox := range few {
		for _, s := range states {
			if parts++; parts > 1 {
				c.write(" union all ")
			}
			c.write("select issue from (select issue from issue_mailbox where mailbox = ? and state = ?", int64(mailbox), string(s))
			if place != nil {
				c.write(" and (last_at, issue) < (?, ?)", place[0], place[1])
			}
			if f.Unassigned {
				c.write(" and exists (select 1 from issue u where u.id = issue and u.assignee is null)")
			}
			c.write(" order by last_at desc, issue desc limit ?) part", limit)
		}
	}
}
