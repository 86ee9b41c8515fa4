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

	Mailbox postroom.MailboxID
	Due     bool // something is to be done with it on the server now
}

// An arrivalNow is an arrival as the commit that files it finds it.
type arrivalNow struct {
	numbering postroom.NumberingID
	uidl      string
	seenAt    int64
	dueAction string
	address   string // of its mailbox
	key       string // of the people who may see its mailbox
}

const arrivalToFile = `
	select a.numbering, a.uidl, a.seen_at, a.due_action, b.address, b.visibility_key
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
	var now arrivalNow
	err := t.row(arrivalToFile, f.Arrival, f.Raw).Scan(&now.numbering, &now.uidl, &now.seenAt, &now.dueAction, &now.address, &now.key)
	if noRows(err) {
		return Filed{}, nil
	}
	if err != nil {
		return Filed{}, err
	}
	filed := Filed{State: postroom.ArrivalFiled, SeenAt: at(now.seenAt), Mailbox: f.Fence.Mailbox, Due: now.dueAction != ""}
	known, err := t.recognise(f, own, now)
	if err != nil {
		return Filed{}, err
	}
	if known.verdict != "" {
		filed.State = known.verdict
		if known.hasEnded {
			filed.Due = known.policy.due() != ""
		}
		return filed, t.settleKnown(f, known)
	}
	filed.Issue, filed.Entry = known.issue, known.entry
	if known.mail == 0 {
		if known.mail, err = t.insertMail(f, own, ancestors, body); err != nil {
			return Filed{}, err
		}
		if filed.Issue, err = t.thread(own, ancestors, now.key); err != nil {
			return Filed{}, err
		}
		if err := t.enter(f, known.mail, &filed); err != nil {
			return Filed{}, err
		}
	} else {
		t.deliveredAgain(f, filed)
	}
	if err := t.exec(`insert into issue_mailbox (issue, mailbox) values ($1, $2) on conflict do nothing`, filed.Issue, f.Fence.Mailbox); err != nil {
		return Filed{}, err
	}
	return filed, t.exec(fileArrival, f.Arrival, known.mail, filed.Entry, filedReason(filed.New))
}

// deliveredAgain tells that a mail that is here came to a further mailbox.
func (t *tx) deliveredAgain(f Filing, filed Filed) {
	t.event(postroom.Event{
		ID: fmt.Sprintf("%s:%d:%d", postroom.EventIssueContinued, filed.Entry, f.Fence.Mailbox), Type: postroom.EventIssueContinued,
		At: time.Now(), Mailbox: f.Fence.Mailbox, Issue: filed.Issue, Historic: f.Historic,
	})
}

const fileArrival = `
	update arrival set state = 'filed', mail = $2, entry = $3, reason = $4, settled_at = db_now(), next_try_at = null where id = $1`

func filedReason(isNew bool) string {
	if isNew {
		return "It began an issue."
	}
	return "It belongs to an issue that was here."
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
