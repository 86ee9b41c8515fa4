package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/postroom/postroom"
)

// A Filing is a mail as understood, ready to become an entry of an issue.
type Filing struct {
	Fence     Fence
	Arrival   postroom.ArrivalID
	Raw       postroom.RawID
	SizeBytes int64
	Mail      postroom.Mail
	// Ancestors are the Message-IDs under which the issue is looked for, nearest first.
	Ancestors []string
	// Words is the text that the entry is found by.
	Words    string
	At       time.Time // when the mail was received
	Historic bool      // older than the connection: it asks nobody for anything

	preview string // made of Mail before the commit, which must not wait for it
}

// Filed is what became of a Filing.
type Filed struct {
	State  postroom.ArrivalState // "": the arrival had been settled before
	Issue  postroom.IssueID
	Entry  postroom.EntryID
	New    bool // the issue begins with this mail
	SeenAt time.Time
}

const arrivalToFile = `
	select a.numbering, a.seen_at, b.visibility_key
	from arrival a join mailbox b on b.id = a.mailbox
	where a.id = $1 and a.state = 'waiting' and a.raw = $2`

// File is commit 2: the mail, its one entry in a new or a known issue, the words it
// is found by, the events, and the arrival settled. Every Message-ID that the mail
// names is locked first, so that a reply and its parent, filed side by side by two
// nodes, meet in one issue. Filing the same arrival twice is a success and does
// nothing.
func (db *DB) File(ctx context.Context, f Filing) (filed Filed, err error) {
	db.step("mail understood")
	own := idHash(f.Mail.MessageID)
	ancestors := make([][]byte, 0, len(f.Ancestors))
	for _, id := range f.Ancestors {
		ancestors = append(ancestors, idHash(id))
	}
	f.Words, f.preview = distinct(f.Words), preview(f.Mail)
	locks := lockKeys(append(slices.Clone(ancestors), own))
	body := packBody(mailBody{f.Mail.Text, f.Mail.HTML})
	err = db.commitLocked(ctx, locks, func(t *tx) error {
		var err error
		filed, err = t.file(f, own, ancestors, body)
		return err
	})
	if err != nil {
		return Filed{}, fmt.Errorf("file arrival %s: %w", f.Arrival, err)
	}
	db.step("filed")
	return filed, nil
}

// maxBodyBytes is how much of a text, and of an HTML text, is kept beside the raw.
const maxBodyBytes = 4 << 20

func (t *tx) file(f Filing, own []byte, ancestors [][]byte, body []byte) (Filed, error) {
	if err := t.hold(f.Fence); err != nil {
		return Filed{}, err
	}
	var numbering postroom.NumberingID
	var seen int64
	var key string
	err := t.row(arrivalToFile, f.Arrival, f.Raw).Scan(&numbering, &seen, &key)
	if noRows(err) {
		return Filed{}, nil
	}
	if err != nil {
		return Filed{}, err
	}
	known, err := t.recognise(f, own, numbering, key)
	if err != nil {
		return Filed{}, err
	}
	if known.verdict != "" {
		return Filed{State: known.verdict, SeenAt: at(seen)}, t.settleKnown(f, known)
	}
	filed := Filed{State: postroom.ArrivalFiled, Issue: known.issue, Entry: known.entry, SeenAt: at(seen)}
	if known.mail == 0 {
		if known.mail, err = t.insertMail(f, own, ancestors, body); err != nil {
			return Filed{}, err
		}
		if filed.Issue, err = t.thread(own, ancestors, key); err != nil {
			return Filed{}, err
		}
		if err := t.enter(f, known.mail, &filed); err != nil {
			return Filed{}, err
		}
	}
	if err := t.exec(`insert into issue_mailbox (issue, mailbox) values ($1, $2) on conflict do nothing`, filed.Issue, f.Fence.Mailbox); err != nil {
		return Filed{}, err
	}
	return filed, t.exec(fileArrival, f.Arrival, known.mail, filed.Entry, filedReason(filed.New))
}

const fileArrival = `
	update arrival set state = 'filed', mail = $2, entry = $3, reason = $4, settled_at = db_now(), next_try_at = null where id = $1`

func filedReason(isNew bool) string {
	if isNew {
		return "It began an issue."
	}
	return "It belongs to an issue that was here."
}

// known is what recognise found out about the content of a mail.
type known struct {
	verdict postroom.ArrivalState // not "": settle the arrival so
	reason  string
	mail    postroom.MailID // with an empty verdict: a further delivery of this mail
	entry   postroom.EntryID
	issue   postroom.IssueID
}

// What is looked up by a foreign string is looked up alone, and followed one by
// one: joined with the rest, PostgreSQL likes to begin at the other end, and walks
// a mailbox or a table for every mail while it does not know better.
const (
	// sameAtMost is how many mails of one Message-ID are followed: those first filed.
	sameAtMost = 20

	mailsCalled   = `select id from mail where message_id_hash = $1 order by id + 0 limit $2`
	mailsSame     = `select id from mail where message_id_hash = $1 and digest = $2 order by id + 0 limit $3`
	mailsNaming   = `select mail from mail_reference where hash = $1 order by mail limit $2`
	entryOfMail   = `select id, issue from entry where mail = $1`
	deliveredHere = `
	select a.id, a.state, case when a.mailbox = $2 then 1 else 0 end
	from arrival a join mailbox b on b.id = a.mailbox
	where a.mail = $1 and a.state in ('filed', 'deleted') and (a.mailbox = $2 or b.visibility_key = $3)
	order by case when a.mailbox = $2 then 0 else 1 end, a.id limit 1`
)

func (t *tx) mails(query string, args ...any) ([]postroom.MailID, error) {
	rows, err := t.rows(query, args...)
	if err != nil {
		return nil, err
	}
	return scanIDs[postroom.MailID](rows)
}

// recognise looks for the same content: by Message-ID and digest, or, where there
// is no Message-ID, by the digest against an earlier numbering of this mailbox.
// What this mailbox has itself counts before what another has.
func (t *tx) recognise(f Filing, own []byte, numbering postroom.NumberingID, key string) (known, error) {
	if own == nil {
		return t.recogniseNameless(f, numbering)
	}
	same, err := t.mails(mailsSame, own, f.Mail.Digest[:], sameAtMost)
	if err != nil {
		return known{}, err
	}
	var found known
	for _, id := range same {
		k, here, err := t.delivered(f, id, key)
		if err != nil || here {
			return k, err
		}
		if found.mail == 0 {
			found = k
		}
	}
	return found, nil
}

// delivered says what a known mail means for an arrival of the same content; here
// says that this mailbox has it. The zero known: nobody who may see the arrival has.
func (t *tx) delivered(f Filing, id postroom.MailID, key string) (k known, here bool, err error) {
	var earlier postroom.ArrivalID
	var state postroom.ArrivalState
	err = t.row(deliveredHere, id, f.Fence.Mailbox, key).Scan(&earlier, &state, &here)
	if noRows(err) {
		return known{}, false, nil
	}
	if err != nil {
		return known{}, false, err
	}
	k.mail = id
	if err := t.row(entryOfMail, id).Scan(&k.entry, &k.issue); err != nil && !noRows(err) {
		return known{}, false, err
	}
	if here || state == postroom.ArrivalDeleted || k.entry == 0 {
		k.verdict, k.reason = sameVerdict(earlier, state)
	}
	return k, here, nil
}

const namelessBefore = `
	select count(*), coalesce(min(a.id), 0), coalesce(min(a.mail), 0) from arrival a join mail m on m.id = a.mail
	where m.digest = $1 and m.message_id_hash is null and a.mailbox = $2 and a.numbering < $3 and a.state in ('filed', 'deleted')
		and exists (select 1 from numbering o join numbering later on later.mailbox = o.mailbox and later.folder = o.folder
			and later.serial > o.serial where o.id = a.numbering)`

const namelessUsed = `
	select count(*) from arrival a join mail m on m.id = a.mail
	where m.digest = $1 and m.message_id_hash is null and a.numbering = $2 and a.state = 'duplicate'`

// recogniseNameless lets one arrival of an earlier numbering stand for one of
// this: two equal mails without a Message-ID in one folder are two mails, and so
// are one each in two folders that are both read. An earlier numbering is one that
// another has followed in its folder.
func (t *tx) recogniseNameless(f Filing, numbering postroom.NumberingID) (known, error) {
	var k known
	var before, used int
	var earlier postroom.ArrivalID
	if err := t.row(namelessBefore, f.Mail.Digest[:], f.Fence.Mailbox, numbering).Scan(&before, &earlier, &k.mail); err != nil {
		return known{}, err
	}
	if before == 0 {
		return known{}, nil
	}
	if err := t.row(namelessUsed, f.Mail.Digest[:], numbering).Scan(&used); err != nil {
		return known{}, err
	}
	if used >= before {
		return known{}, nil
	}
	k.verdict, k.reason = sameVerdict(earlier, postroom.ArrivalFiled)
	return k, nil
}

func (t *tx) settleKnown(f Filing, k known) error {
	if err := t.exec(settleArrival, f.Arrival, string(k.verdict), k.reason); err != nil {
		return err
	}
	return t.exec(`update arrival set mail = $2 where id = $1`, f.Arrival, k.mail)
}

// The issue of a mail counts only where the mail was delivered to a mailbox that
// the same people may see, and while nobody has deleted the issue.
const issueOfMail = `
	select e.issue from entry e
	join issue i on i.id = e.issue and i.deleted_at is null
	where e.mail = $1 and exists (select 1 from arrival a join mailbox b on b.id = a.mailbox
		where a.entry = e.id and a.state = 'filed' and b.visibility_key = $2 /*pg offset 0 */)`

// thread returns the issue that a mail belongs to: that of its nearest known
// ancestor, or that of a mail that refers to it; 0 when it begins a new one.
func (t *tx) thread(own []byte, ancestors [][]byte, key string) (issue postroom.IssueID, err error) {
	for _, a := range ancestors {
		if issue, err = t.issueAmong(key, mailsCalled, a); err != nil || issue != 0 {
			return issue, err
		}
	}
	if own == nil {
		return 0, nil
	}
	return t.issueAmong(key, mailsNaming, own)
}

// issueAmong returns the first issue of the mails that a query finds; 0 for none.
func (t *tx) issueAmong(key, query string, hash []byte) (issue postroom.IssueID, err error) {
	mails, err := t.mails(query, hash, sameAtMost)
	if err != nil {
		return 0, err
	}
	for _, m := range mails {
		err := t.row(issueOfMail, m, key).Scan(&issue)
		if err == nil || !noRows(err) {
			return issue, err
		}
	}
	return 0, nil
}

const insertMail = `
	insert into mail (raw, message_id, message_id_hash, digest, subject, from_name, from_address, sent_at, received_at,
		kind, kind_reason, preview, facts, body, size_bytes, created_at)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, db_now()) returning id`

func (t *tx) insertMail(f Filing, own []byte, ancestors [][]byte, body []byte) (id postroom.MailID, err error) {
	m := f.Mail
	from := requester(m)
	facts, err := json.Marshal(factsOf(m))
	if err != nil {
		return 0, err
	}
	err = t.row(insertMail, f.Raw, clip(m.MessageID, 1000), own, m.Digest[:], clip(m.Subject, 2000), clip(from.Name, 500), clip(from.Address, 500),
		nullMicros(m.Date), nullMicros(m.Received), string(m.Kind), clip(m.KindReason, 500), f.preview, clean(string(facts)), body, f.SizeBytes).Scan(&id)
	if err != nil {
		return 0, err
	}
	for _, a := range ancestors {
		if err := t.exec(`insert into mail_reference (hash, mail) values ($1, $2) on conflict do nothing`, a, id); err != nil {
			return 0, err
		}
	}
	return id, nil
}

// requester is whom an answer goes to, as far as a list or an issue names one person.
func requester(m postroom.Mail) postroom.Address {
	for _, people := range [][]postroom.Address{m.From, m.Sender, m.ReplyTo} {
		if len(people) > 0 {
			return people[0]
		}
	}
	return postroom.Address{}
}

// idHash is what a Message-ID is found by; nil for none.
func idHash(messageID string) []byte {
	if messageID == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(messageID))
	return sum[:]
}

// lockKeys are the keys of advisory locks for these hashes. Two hashes that share
// a key wait for each other without need, and nothing else.
func lockKeys(hashes [][]byte) []int64 {
	var keys []int64
	for _, h := range hashes {
		if h != nil {
			keys = append(keys, int64(binary.BigEndian.Uint64(h)))
		}
	}
	return keys
}
