package store

import (
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const insertEntry = `
	insert into entry (issue, kind, mail, author, actor, text, at) values ($1, $2, $3, null, '', $4, $5) returning id`

const newIssue = `
	insert into issue (number, subject, state, requester_name, requester_address, historic, preview, entries, created_at, last_at)
	values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $8) returning id`

// enter makes the entry, and the issue where there is none yet.
func (t *tx) enter(f Filing, mail postroom.MailID, filed *Filed) error {
	eventType, when := postroom.EventIssueContinued, micros(f.At)
	if filed.Issue == 0 {
		eventType, filed.New = postroom.EventIssueCreated, true
		if err := t.beginIssue(f, filed); err != nil {
			return err
		}
	}
	if err := t.row(insertEntry, filed.Issue, string(postroom.EntryMail), mail, "", when).Scan(&filed.Entry); err != nil {
		return err
	}
	if !filed.New {
		if err := t.continueIssue(f, *filed); err != nil {
			return err
		}
	}
	t.event(postroom.Event{
		ID: fmt.Sprintf("%s:%d", eventType, filed.Entry), Type: eventType, At: time.Now(),
		Mailbox: f.Fence.Mailbox, Issue: filed.Issue, Historic: f.Historic,
	})
	indexEntry(t, filed.Entry, f.Words)
	return nil
}

// beginIssue makes an issue with its first entry counted.
func (t *tx) beginIssue(f Filing, filed *Filed) error {
	var number int64
	if err := t.row(`update counter set value = value + 1 where name = 'issue' returning value`).Scan(&number); err != nil {
		return err
	}
	state := postroom.IssueOpen
	if f.Historic {
		state = postroom.IssueClosed
	}
	who := requester(f.Mail)
	return t.row(newIssue, number, clip(f.Mail.Subject, 2000), string(state), clip(who.Name, 500), clip(who.Address, 500),
		f.Historic, f.preview, micros(f.At)).Scan(&filed.Issue)
}

const touchIssue = `
	update issue set entries = entries + 1,
		preview = case when last_at <= $2 then $3 else preview end,
		last_at = case when last_at <= $2 then $2 else last_at end
	where id = $1`

const reopenIssue = `update issue set state = 'open', historic = false where id = $1 and state = 'closed'`

// continueIssue counts the entry; a person's new mail reopens what was closed.
func (t *tx) continueIssue(f Filing, filed Filed) error {
	if err := t.exec(touchIssue, filed.Issue, micros(f.At), f.preview); err != nil {
		return err
	}
	if f.Historic || !f.Mail.Kind.FromPerson() {
		return nil
	}
	reopened, err := t.changed(reopenIssue, filed.Issue)
	if err != nil || reopened == 0 {
		return err
	}
	text := "Reopened by a new mail from " + clip(requester(f.Mail).Display(), 200)
	var change postroom.EntryID
	if err := t.row(insertEntry, filed.Issue, string(postroom.EntryChange), nil, text, micros(f.At)).Scan(&change); err != nil {
		return err
	}
	t.event(postroom.Event{
		ID: fmt.Sprintf("%s:%d", postroom.EventIssueChanged, change), Type: postroom.EventIssueChanged, At: time.Now(),
		Mailbox: f.Fence.Mailbox, Issue: filed.Issue,
	})
	return t.exec(`update issue set entries = entries + 1 where id = $1`, filed.Issue)
}
