package store

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/postroom/postroom"
)

// issueNow is an issue as a commit that changes it finds it.
type issueNow struct {
	id        postroom.IssueID
	number    int64
	state     postroom.IssueState
	assignee  postroom.UserID
	isDeleted bool
	mailbox   postroom.MailboxID // one of those that the viewer may see
}

const issueToChange = `
	select i.number, i.state, i.assignee, i.deleted_at,
		(select min(im.mailbox) from issue_mailbox im join mailbox b on b.id = im.mailbox where im.issue = i.id and ` + seesMailbox + `)
	from issue i where i.id = $3 and ` + isKept + ` and ` + seesIssue + ` /*pg for update of i */`

// issueFor locks an issue that a viewer wants to change.
func (t *tx) issueFor(by postroom.Viewer, id postroom.IssueID) (issueNow, error) {
	now := issueNow{id: id}
	var assignee, deletedAt sql.NullInt64
	err := t.row(issueToChange, int64(by.User), int64(by.Token), int64(id)).Scan(&now.number, &now.state, &assignee, &deletedAt, &now.mailbox)
	if noRows(err) {
		return issueNow{}, notFound("issue")
	}
	now.assignee, now.isDeleted = postroom.UserID(assignee.Int64), deletedAt.Valid
	return now, err
}

// openIssueFor is issueFor for what nobody can do to a deleted issue.
func (t *tx) openIssueFor(by postroom.Viewer, id postroom.IssueID) (issueNow, error) {
	now, err := t.issueFor(by, id)
	if err == nil && now.isDeleted {
		err = &postroom.Fault{
			Kind: postroom.Conflict, Class: postroom.Unknown, FixBy: postroom.FixByUser,
			Explanation: fmt.Sprintf("Issue %d is deleted.", now.number),
			Remedy:      "Recover the issue first, then change it.",
		}
	}
	return now, err
}

const addEntry = `
	insert into entry (issue, kind, author, actor, text, at) values ($1, $2, $3, $4, $5, db_now()) returning id, at`

const countEntry = `update issue set entries = entries + 1 where id = $1`

// tell adds an entry that is no mail, and its event.
func (t *tx) tell(by postroom.Viewer, i issueNow, kind postroom.EntryKind, text string, event postroom.EventType) (id postroom.EntryID, when int64, err error) {
	if err := t.row(addEntry, int64(i.id), string(kind), nullID(by.User), clip(by.Name, 200), clean(text)).Scan(&id, &when); err != nil {
		return 0, 0, err
	}
	t.event(postroom.Event{ID: string(event) + ":" + id.String(), Type: event, At: at(when), Mailbox: i.mailbox, Issue: i.id})
	return id, when, t.exec(countEntry, int64(i.id))
}

// SetIssueState opens or closes an issue; text says so in its history. Where it is
// so already nothing happens, and changed is false.
func (db *DB) SetIssueState(ctx context.Context, by postroom.Viewer, id postroom.IssueID, state postroom.IssueState, text string) (changed bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		changed = false
		i, err := t.openIssueFor(by, id)
		if err != nil || i.state == state {
			return err
		}
		changed = true
		if err := t.exec(`update issue set state = $2 where id = $1`, int64(id), string(state)); err != nil {
			return err
		}
		_, _, err = t.tell(by, i, postroom.EntryChange, text, postroom.EventIssueChanged)
		return err
	})
	return changed && err == nil, issueError("change", id, err)
}

// AssignIssue gives an issue to a user, or with 0 to nobody; text says so in its
// history. Where it is so already nothing happens, and changed is false.
func (db *DB) AssignIssue(ctx context.Context, by postroom.Viewer, id postroom.IssueID, to postroom.UserID, text string) (changed bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		changed = false
		i, err := t.openIssueFor(by, id)
		if err != nil || i.assignee == to {
			return err
		}
		changed = true
		if err := t.exec(`update issue set assignee = $2 where id = $1`, int64(id), nullID(to)); err != nil {
			return err
		}
		_, _, err = t.tell(by, i, postroom.EntryChange, text, postroom.EventIssueChanged)
		return err
	})
	return changed && err == nil, issueError("assign", id, err)
}

// NoteIssue adds a note, which is searchable like a mail.
func (db *DB) NoteIssue(ctx context.Context, by postroom.Viewer, id postroom.IssueID, text string) (e postroom.Entry, err error) {
	text = clean(text)
	err = db.commit(ctx, func(t *tx) error {
		i, err := t.openIssueFor(by, id)
		if err != nil {
			return err
		}
		note, when, err := t.tell(by, i, postroom.EntryNote, text, postroom.EventIssueNoted)
		if err != nil {
			return err
		}
		e = postroom.Entry{ID: note, Issue: id, Kind: postroom.EntryNote, Author: by.User, Text: text, At: at(when)}
		if err := t.exec(`update issue set last_at = $2 where id = $1 and last_at < $2`, int64(id), when); err != nil {
			return err
		}
		indexEntry(t, note, distinct(text))
		return nil
	})
	if err != nil {
		return postroom.Entry{}, issueError("note", id, err)
	}
	return e, nil
}

const deleteArrivals = `
	update arrival set state = 'deleted', reason = $2, settled_at = db_now()
	where state = 'filed' and entry in (select id from entry where issue = $1)`

// DeleteIssue takes an issue out of sight; its arrivals say who did it. A deleted
// issue stays as it is, and changed is false.
func (db *DB) DeleteIssue(ctx context.Context, by postroom.Viewer, id postroom.IssueID) (changed bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		changed = false
		i, err := t.issueFor(by, id)
		if err != nil || i.isDeleted {
			return err
		}
		changed = true
		_, when, err := t.tell(by, i, postroom.EntryChange, "Deleted", postroom.EventIssueDeleted)
		if err != nil {
			return err
		}
		if err := t.exec(`update issue set deleted_at = $2 where id = $1`, int64(id), when); err != nil {
			return err
		}
		return t.exec(deleteArrivals, int64(id), fmt.Sprintf("Issue %d was deleted by %s.", i.number, clip(by.Name, 200)))
	})
	return changed && err == nil, issueError("delete", id, err)
}

// recoverArrivals: a mail that came again while its issue was deleted was settled
// as deleted without an entry; it is now a further delivery of its entry.
const recoverArrivals = `
	update arrival set state = 'filed', reason = $2, settled_at = db_now(),
		entry = coalesce(entry, (select e.id from entry e where e.mail = arrival.mail))
	where state = 'deleted' and mail in (select mail from entry where issue = $1 and mail is not null)`

// RecoverIssue brings a deleted issue back as it was. One that is not deleted stays
// as it is, and changed is false.
func (db *DB) RecoverIssue(ctx context.Context, by postroom.Viewer, id postroom.IssueID) (changed bool, err error) {
	err = db.commit(ctx, func(t *tx) error {
		changed = false
		i, err := t.issueFor(by, id)
		if err != nil || !i.isDeleted {
			return err
		}
		changed = true
		if _, _, err := t.tell(by, i, postroom.EntryChange, "Recovered", postroom.EventIssueRecovered); err != nil {
			return err
		}
		if err := t.exec(`update issue set deleted_at = null where id = $1`, int64(id)); err != nil {
			return err
		}
		return t.exec(recoverArrivals, int64(id), fmt.Sprintf("Issue %d was recovered by %s.", i.number, clip(by.Name, 200)))
	})
	return changed && err == nil, issueError("recover", id, err)
}

func issueError(what string, id postroom.IssueID, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s issue %s: %w", what, id, err)
}
