package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

const noticeColumns = `
	n.id, n.kind, n.alert, n.recipient, n.subject, n.text, n.state, n.via, n.tries, n.next_try_at, n.created_at, n.sent_at, n.fault`

// A NewNotice is a mail of our own to be sent.
type NewNotice struct {
	Kind      postroom.NoticeKind
	Recipient string
	Subject   string
	Text      string
	LocalPart string // of its Message-ID
	At        time.Time
}

func scanNotice(scan func(...any) error, further ...any) (postroom.Notice, error) {
	var n postroom.Notice
	var alert, next, sent sql.NullInt64
	var created int64
	var fault sql.NullString
	err := scan(append([]any{&n.ID, &n.Kind, &alert, &n.To, &n.Subject, &n.Text, &n.State, &n.Via, &n.Tries, &next, &created, &sent, &fault}, further...)...)
	n.Alert = postroom.AlertID(alert.Int64)
	n.NextTryAt, n.CreatedAt, n.SentAt = fromMicros(next), at(created), fromMicros(sent)
	n.Fault = unpackFault(fault)
	return n, err
}

const insertNotice = `
	insert into notice (kind, alert, recipient, subject, text, message_id, state, next_try_at, created_at)
	values ($1, $2, $3, $4, $5, $6, 'queued', $7, $7)`

func (t *tx) addNotices(alert postroom.AlertID, notices []NewNotice) error {
	for _, n := range notices {
		err := t.exec(insertNotice, string(n.Kind), nullID(alert), clean(n.Recipient), clip(n.Subject, faultLimit), clean(n.Text), n.LocalPart, micros(n.At))
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	insertSealedNotice = `
	insert into notice (kind, link, recipient, subject, text, message_id, state, tries, next_try_at, claimed_until, created_at)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $9) returning id`

	sealNotice = `update notice set sealed = $2 where id = $1`
)

// AddNotice queues one notice that is about no alert. Where seal is given, its text is
// kept as seal makes it, for this notice. Until held whoever adds it is sending it; the
// zero time: nobody is yet.
func (db *DB) AddNotice(ctx context.Context, n NewNotice, link postroom.SignInLinkID, held time.Time, seal func(postroom.NoticeID) ([]byte, error)) (id postroom.NoticeID, err error) {
	if seal != nil {
		n.Text = ""
	}
	state, tries := postroom.NoticeQueued, 0
	if !held.IsZero() {
		state, tries = postroom.NoticeSending, 1
	}
	err = db.commit(ctx, func(t *tx) error {
		err := t.row(insertSealedNotice, string(n.Kind), nullID(link), clean(n.Recipient), clip(n.Subject, faultLimit), clean(n.Text), n.LocalPart,
			string(state), tries, micros(n.At), nullMicros(held)).Scan(&id)
		if err != nil || seal == nil {
			return err
		}
		sealed, err := seal(id)
		if err != nil {
			return err
		}
		return t.exec(sealNotice, int64(id), sealed)
	})
	if err != nil {
		return 0, fmt.Errorf("queue a notice: %w", err)
	}
	return id, nil
}

const noticesOfAlert = `select ` + noticeColumns + ` from notice n where n.alert = $1 order by n.id limit $2`

// NoticesOf lists the notices of an alert, the oldest first; at most 500.
func (r *Reader) NoticesOf(ctx context.Context, id postroom.AlertID) ([]postroom.Notice, error) {
	rows, err := r.db.query(ctx, noticesOfAlert, int64(id), int64(MaxPage))
	list, err := collect(rows, err, func(rows *sql.Rows) (postroom.Notice, error) { return scanNotice(rows.Scan) })
	if err != nil {
		return nil, fmt.Errorf("list notices of alert %s: %w", id, err)
	}
	return list, nil
}

// A notice that waits to be tried again has a fault too.
const lastNotices = `
	select ` + noticeColumns + ` from notice n
	where n.id in (select max(l.id) from notice l where l.tries > 0 and (l.state <> 'sending' or l.fault is not null) group by l.recipient)
	order by n.id desc limit $1`

// LastNotices lists the newest notice to each address that has been tried.
func (r *Reader) LastNotices(ctx context.Context) ([]postroom.Notice, error) {
	rows, err := r.db.query(ctx, lastNotices, int64(MaxPage))
	list, err := collect(rows, err, func(rows *sql.Rows) (postroom.Notice, error) { return scanNotice(rows.Scan) })
	if err != nil {
		return nil, fmt.Errorf("list the last notices: %w", err)
	}
	return list, nil
}
