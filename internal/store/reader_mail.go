package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/postroom/postroom"
)

// A MailView is a mail with where it belongs.
type MailView struct {
	ID postroom.MailID
	postroom.Mail
	Raw       postroom.RawID
	SizeBytes int64 // of the raw
	Issue     postroom.IssueID
	Entry     postroom.EntryID
	// LetGoAt is when the original was let go, as the mailbox keeps originals for so
	// many days; zero: it is here.
	LetGoAt time.Time
}

const mailColumns = `m.id, m.raw, m.message_id, m.digest, m.subject, m.from_name, m.from_address, m.sent_at, m.received_at,
	m.kind, m.kind_reason, m.facts, m.body, m.size_bytes, e.issue, e.id,
	(select r.expired_at from raw r where r.id = m.raw)`

// scanMail reads mailColumns.
func (r *Reader) scanMail(row interface{ Scan(...any) error }) (MailView, error) {
	var v MailView
	var from postroom.Address
	var sentAt, receivedAt, letGo sql.NullInt64
	var digest, body []byte
	var facts string
	if err := row.Scan(&v.ID, &v.Raw, &v.MessageID, &digest, &v.Subject, &from.Name, &from.Address, &sentAt, &receivedAt,
		&v.Kind, &v.KindReason, &facts, &body, &v.SizeBytes, &v.Issue, &v.Entry, &letGo); err != nil {
		return MailView{}, err
	}
	v.Date, v.Received, v.LetGoAt = fromMicros(sentAt), fromMicros(receivedAt), fromMicros(letGo)
	copy(v.Digest[:], digest)
	text, err := unpackBody(body)
	if err != nil {
		return MailView{}, fmt.Errorf("read the text of mail %s: %w", v.ID, err)
	}
	v.Text, v.HTML = text.Text, text.HTML
	var f mailFacts
	if err := json.Unmarshal([]byte(facts), &f); err != nil {
		return MailView{}, fmt.Errorf("read the facts of mail %s: %w", v.ID, err)
	}
	f.into(&v.Mail)
	if len(v.From) == 0 && from != (postroom.Address{}) {
		v.From = []postroom.Address{from}
	}
	return v, nil
}

// seesMail holds for the entries e of received mail that the viewer may see: one
// of their deliveries came to a mailbox whose mail is the viewer's to see.
const seesMail = `exists (select 1 from arrival a join mailbox b on b.id = a.mailbox where a.entry = e.id and ` + seesMailbox + `)`

const mailByID = `
	select ` + mailColumns + `
	from mail m join entry e on e.mail = m.id join issue i on i.id = e.issue
	where m.id = $3 and ` + isKept + ` and ` + seesMail

// Mail returns a mail, also of an issue that is deleted and can be recovered.
func (r *Reader) Mail(ctx context.Context, v postroom.Viewer, id postroom.MailID) (MailView, error) {
	m, err := r.scanMail(r.db.queryRow(ctx, mailByID, int64(v.User), int64(v.Token), int64(id)))
	if noRows(err) {
		return MailView{}, notFound("mail")
	}
	if err != nil {
		return MailView{}, fmt.Errorf("read mail %s: %w", id, err)
	}
	return m, nil
}

const rawOfMail = `
	select m.raw
	from mail m join entry e on e.mail = m.id join issue i on i.id = e.issue
	where m.id = $3 and ` + isKept + ` and ` + seesMail

// OpenRaw streams the exact bytes of a mail.
func (r *Reader) OpenRaw(ctx context.Context, v postroom.Viewer, id postroom.MailID) (body io.ReadCloser, sizeBytes int64, err error) {
	var raw postroom.RawID
	err = r.db.queryRow(ctx, rawOfMail, int64(v.User), int64(v.Token), int64(id)).Scan(&raw)
	if noRows(err) {
		return nil, 0, notFound("mail")
	}
	if err != nil {
		return nil, 0, fmt.Errorf("find the raw of mail %s: %w", id, err)
	}
	return r.db.openRaw(ctx, raw)
}
