package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/postroom/postroom"
)

// A ClaimedNotice is a notice that is ours to send.
type ClaimedNotice struct {
	postroom.Notice
	Sealed    []byte // the text, where it is kept sealed; else nil
	LocalPart string // of its Message-ID
	Doubts    int    // tries of which nobody knows whether they went well
}

// isTrue holds for the notices q that still say what is so: while an alert is quiet, those
// about it wait whether it comes back.
const isTrue = `(q.alert is null or q.kind = 'mended' or exists (
	select 1 from alert a where a.id = q.alert and a.quiet_since is null and a.ended_at is null))`

const claimNotices = `
	update notice set state = 'sending', claimed_until = $2, tries = tries + 1
	where id in (
		select q.id from notice q
		where q.state in ('queued', 'sending') and q.next_try_at <= $1 and (q.claimed_until is null or q.claimed_until <= $1)
		  and ` + isTrue + `
		order by q.next_try_at, q.id limit $3 /*pg for update skip locked */)
	returning id, kind, alert, recipient, subject, text, state, via, tries, next_try_at, created_at, sent_at, fault, sealed, message_id, doubts`

// ClaimNotices takes notices that are due, for nobody else to send until an instant. One
// whose sender has died is taken again after that.
func (db *DB) ClaimNotices(ctx context.Context, now, until time.Time, limit int) (claimed []ClaimedNotice, err error) {
	err = db.commit(ctx, func(t *tx) error {
		rows, err := t.rows(claimNotices, micros(now), micros(until), int64(limit))
		claimed, err = collect(rows, err, scanClaimed)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("claim notices: %w", err)
	}
	return claimed, nil
}

func scanClaimed(rows *sql.Rows) (c ClaimedNotice, err error) {
	c.Notice, err = scanNotice(rows.Scan, &c.Sealed, &c.LocalPart, &c.Doubts)
	return c, err
}

const nextNotice = `
	select coalesce(min(case when q.claimed_until > q.next_try_at then q.claimed_until else q.next_try_at end), 0)
	from notice q where q.state in ('queued', 'sending') and ` + isTrue

// NextNotice is when the next notice comes due; ok is false where there is none.
func (db *DB) NextNotice(ctx context.Context) (due time.Time, ok bool, err error) {
	var n int64
	if err := db.queryRow(ctx, nextNotice).Scan(&n); err != nil {
		return time.Time{}, false, fmt.Errorf("look when a notice comes due: %w", err)
	}
	return at(n), n != 0, nil
}

const hurryNotices = `update notice set next_try_at = $1 where state = 'queued' and next_try_at > $1`

// HurryNotices has what waits for its next try be tried now: there is a way that was not
// there before.
func (db *DB) HurryNotices(ctx context.Context, now time.Time) error {
	err := db.commit(ctx, func(t *tx) error { return t.exec(hurryNotices, micros(now)) })
	if err != nil {
		return fmt.Errorf("have notices tried now: %w", err)
	}
	return nil
}

// A NoticeOutcome is what became of a try to send a notice.
type NoticeOutcome struct {
	ID    postroom.NoticeID
	State postroom.NoticeState // queued: it is tried again
	At    time.Time
	Via   string
	Doubt bool // nobody knows whether it was sent
	// NextTryAt is when it is tried again, with the state queued.
	NextTryAt time.Time
	Fault     *postroom.Fault // nil: it went well
}

const (
	// A text that opens something is not kept longer than it is needed.
	settleNotice = `
	update notice set state = $2, via = $3, next_try_at = $4, claimed_until = null, fault = $5,
		sent_at = $6, doubts = doubts + $7,
		sealed = case when $2 = 'queued' then sealed end
	where id = $1 and state in ('queued', 'sending')
	returning coalesce(alert, 0), coalesce(link, 0)`

	toldAlert = `update alert set told = told + 1, told_at = $2 where id = $1`

	sentLink = `update sign_in_link set sent_at = $2 where id = $1 and sent_at is null`
)

// SettleNotice keeps what became of a try to send a notice. One that was settled before
// stays as it was.
func (db *DB) SettleNotice(ctx context.Context, o NoticeOutcome) error {
	sent, doubts := time.Time{}, 0
	if o.State == postroom.NoticeSent {
		sent = o.At
	}
	if o.Doubt {
		doubts = 1
	}
	err := db.commit(ctx, func(t *tx) error {
		var alert, link int64
		err := t.row(settleNotice, int64(o.ID), string(o.State), clean(o.Via), nullMicros(o.NextTryAt), packFault(o.Fault), nullMicros(sent), doubts).Scan(&alert, &link)
		switch {
		case noRows(err):
			return nil
		case err != nil || sent.IsZero():
			return err
		}
		if err := t.exec(toldAlert, alert, micros(sent)); err != nil {
			return err
		}
		return t.exec(sentLink, link, micros(sent))
	})
	if err != nil {
		return fmt.Errorf("settle notice %s: %w", o.ID, err)
	}
	return nil
}

const sendingMailboxes = `
	select ` + mailboxColumns + ` from mailbox m
	where m.deleted_at is null and m.state = 'active' and m.id > $1
	order by m.id limit $2`

// MailboxesThatSend lists mailboxes that are being read and have an outgoing server,
// leaving out some; at most limit.
func (db *DB) MailboxesThatSend(ctx context.Context, limit int, except map[postroom.MailboxID]bool) (list []postroom.Mailbox, err error) {
	for after := postroom.MailboxID(0); ; {
		rows, err := db.query(ctx, sendingMailboxes, int64(after), int64(DefaultPage))
		page, err := collect(rows, err, func(rows *sql.Rows) (postroom.Mailbox, error) {
			k, err := scanMailbox(rows.Scan)
			return k.Mailbox, err
		})
		if err != nil {
			return nil, fmt.Errorf("list mailboxes that send: %w", err)
		}
		for _, m := range page {
			after = m.ID
			if m.Outgoing == nil || except[m.ID] {
				continue
			}
			if list = append(list, m); len(list) == limit {
				return list, nil
			}
		}
		if len(page) < DefaultPage {
			return list, nil
		}
	}
}

const connectedAmong = `select m.address from mailbox m where m.deleted_at is null and m.address = $1`

// ConnectedAmong returns those of addresses that are mailboxes here.
func (db *DB) ConnectedAmong(ctx context.Context, addresses []string) (connected []string, err error) {
	for _, a := range addresses {
		var found string
		switch err := db.queryRow(ctx, connectedAmong, addressKey(a)).Scan(&found); {
		case noRows(err):
		case err != nil:
			return nil, fmt.Errorf("look for a mailbox of an address: %w", err)
		default:
			connected = append(connected, a)
		}
	}
	return connected, nil
}
