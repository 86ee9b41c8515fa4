package store

import (
	"github.com/postroom/postroom"
)

// known is what recognise found out about the content of a mail.
type known struct {
	earlierArrival
	verdict postroom.ArrivalState // not "": settle the arrival so
	reason  string
	entry   postroom.EntryID // with an empty verdict: a further delivery of its mail
	issue   postroom.IssueID
	erased  bool // the issue, for good
}

// What is looked up by a foreign string is looked up alone, and followed one by
// one: joined with the rest, PostgreSQL likes to begin at the other end, and walks
// a mailbox or a table for every mail while it does not know better.
const (
	// sameAtMost is how many mails of one Message-ID are followed: those first filed.
	sameAtMost = 20

	mailsCalled = `select id from mail where message_id_hash = $1 order by id + 0 limit $2`
	mailsSame   = `select id from mail where message_id_hash = $1 and digest = $2 order by id + 0 limit $3`
	mailsNaming = `select mail from mail_reference where hash = $1 order by mail limit $2`

	entryOfMail = `
	select e.id, e.issue, i.deleted_at is not null, i.erased_at is not null
	from entry e join issue i on i.id = e.issue where e.mail = $1`

	// earlierFacts are those of an earlierArrival, of the arrival a.
	earlierFacts = `a.id, a.state, coalesce(a.mail, 0), a.after_import, a.after_folder,
		(select n.ended_at is not null from numbering n where n.id = a.numbering) or a.gone_at is not null,
		a.kept_at is null and (select r.raw_retention_days > 0 from mailbox r where r.id = a.mailbox)`

	// What was deleted in a mailbox of the same address stays deleted, whoever may see
	// the mailbox now.
	deliveredHere = `
	select ` + earlierFacts + `, a.mailbox = $2
	from arrival a join mailbox b on b.id = a.mailbox
	where a.mail = $1 and a.state in ('filed', 'deleted')
		and (a.mailbox = $2 or b.visibility_key = $3 or a.state = 'deleted' and b.address = $4)
	order by case when a.mailbox = $2 then 0 else 1 end, a.id limit 1`
)

// An earlierArrival is the first with the same content; id 0: none.
type earlierArrival struct {
	id       postroom.ArrivalID
	state    postroom.ArrivalState
	mail     postroom.MailID
	policy   policy
	hasEnded bool // its numbering, or its name is gone: the server calls the message otherwise now
	hasLetGo bool // of its bytes, because they had been kept for long enough
}

func (e *earlierArrival) scan(r row, more ...any) error {
	return r.Scan(append([]any{&e.id, &e.state, &e.mail, &e.policy.action, &e.policy.folder, &e.hasEnded, &e.hasLetGo}, more...)...)
}

// A policy is what is to happen to a message on the server once it is here.
type policy struct {
	action postroom.AfterImport
	folder string
}

// due is the action that a policy leaves to be done; empty for none.
func (p policy) due() string {
	if p.action == postroom.AfterImportKeep {
		return ""
	}
	return string(p.action)
}

// sameVerdict is what becomes of content that is here already.
func sameVerdict(earlier postroom.ArrivalID, state postroom.ArrivalState) (postroom.ArrivalState, string) {
	switch state {
	case postroom.ArrivalIgnored:
		return postroom.ArrivalIgnored, "The same mail as arrival " + earlier.String() + ", which a rule ignored."
	case postroom.ArrivalDeleted:
		return postroom.ArrivalDuplicate, "The same mail as arrival " + earlier.String() + ", which a person deleted."
	}
	return postroom.ArrivalDuplicate, "The same mail as arrival " + earlier.String() + "."
}

func (t *tx) mails(query string, args ...any) ([]postroom.MailID, error) {
	rows, err := t.rows(query, args...)
	if err != nil {
		return nil, err
	}
	return scanIDs[postroom.MailID](rows)
}

// recognise looks for the same content: by Message-ID and digest, or, where there
// is no Message-ID, by the digest alone against what the server no longer shows
// under its old name. What this mailbox has itself counts before what another has.
func (t *tx) recognise(f Filing, own []byte, now arrivalNow) (known, error) {
	if own == nil {
		return t.recogniseNameless(f, now)
	}
	same, err := t.mails(mailsSame, own, f.Mail.Digest[:], sameAtMost)
	if err != nil {
		return known{}, err
	}
	var found known
	for _, id := range same {
		k, here, err := t.delivered(f, id, now)
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
func (t *tx) delivered(f Filing, id postroom.MailID, now arrivalNow) (k known, here bool, err error) {
	err = k.scan(t.row(deliveredHere, id, f.Fence.Mailbox, now.key, now.address), &here)
	if noRows(err) {
		return known{}, false, nil
	}
	if err != nil {
		return known{}, false, err
	}
	if err := t.followEntry(&k); err != nil {
		return known{}, false, err
	}
	if !here { // what another mailbox does with its mail is its own affair
		k.hasEnded, k.hasLetGo = false, false
	}
	if here || k.state == postroom.ArrivalDeleted || k.entry == 0 {
		k.verdict, k.reason = sameVerdict(k.id, k.state)
	}
	return k, here, nil
}

// followEntry finds the issue of a known mail. One that is deleted counts as deleted
// for its arrivals too: those of a mailbox that was removed before are told a little
// later.
func (t *tx) followEntry(k *known) error {
	var isDeleted bool
	err := t.row(entryOfMail, k.mail).Scan(&k.entry, &k.issue, &isDeleted, &k.erased)
	if noRows(err) {
		return nil
	}
	if isDeleted {
		k.state = postroom.ArrivalDeleted
	}
	return err
}

const (
	// namelessAtMost bounds how many equal mails without a Message-ID are counted.
	namelessAtMost = 10_000

	// Those that the server no longer shows under their old name: of a numbering that
	// has ended, or gone and listed again (the same UIDL). What was deleted counts from
	// a removed mailbox of the same address too.
	namelessBefore = `
	select count(*), coalesce(min(same.id), 0) from (
		select a.id from (select id from mail where digest = $1 and message_id_hash is null /*pg offset 0 */) m
		join arrival a on a.mail = m.id join numbering n on n.id = a.numbering join mailbox b on b.id = a.mailbox
		where a.state in ('filed', 'deleted') and (
			a.mailbox = $2 and (n.ended_at is not null
				or a.numbering = $3 and a.uidl = $4 and a.uidl <> '' and a.gone_at is not null)
			or a.mailbox <> $2 and a.state = 'deleted' and b.address = $5 and b.deleted_at is not null)
		limit $6) same`

	// Those that stand for one of them now.
	namelessUsed = `
	select count(*) from (
		select a.id from (select id from mail where digest = $1 and message_id_hash is null /*pg offset 0 */) m
		join arrival a on a.mail = m.id join numbering n on n.id = a.numbering
		where a.mailbox + 0 = $2 and a.state || '' = 'duplicate' and n.ended_at is null
			and not (a.numbering = $3 and a.uidl = $4 and a.uidl <> '' and a.gone_at is not null)
		limit $5) used`

	namelessFirst = `select ` + earlierFacts + ` from arrival a where a.id = $1`
)

// recogniseNameless lets one earlier arrival stand for one of now: two equal mails
// without a Message-ID in one folder are two mails, and so are one each in two
// folders that are both read.
func (t *tx) recogniseNameless(f Filing, now arrivalNow) (known, error) {
	var k known
	var before, used int
	digest, box := f.Mail.Digest[:], f.Fence.Mailbox
	err := t.row(namelessBefore, digest, box, now.numbering, now.uidl, now.address, namelessAtMost).Scan(&before, &k.id)
	if err != nil || before == 0 {
		return known{}, err
	}
	err = t.row(namelessUsed, digest, box, now.numbering, now.uidl, namelessAtMost).Scan(&used)
	if err != nil || used >= before {
		return known{}, err
	}
	if err := k.scan(t.row(namelessFirst, k.id)); err != nil {
		return known{}, err
	}
	if err := t.followEntry(&k); err != nil {
		return known{}, err
	}
	k.verdict, k.reason = sameVerdict(k.id, k.state)
	return k, nil
}

const takeOver = `update arrival set after_import = $2, after_folder = $3, due_action = $4 where id = $1`

// settleKnown settles an arrival whose content is here. It takes over what was to
// happen to the first one, where the server only calls that otherwise now; and its
// bytes go where those of the first one have gone.
func (t *tx) settleKnown(f Filing, k known) error {
	if err := t.exec(settleCopy, f.Arrival, string(k.verdict), k.reason, k.mail); err != nil {
		return err
	}
	if k.hasEnded {
		if err := t.exec(takeOver, f.Arrival, string(k.policy.action), k.policy.folder, k.policy.due()); err != nil {
			return err
		}
	}
	switch {
	case k.erased:
		return t.eraseRaw(f.Raw, k.issue)
	case k.hasLetGo:
		now, err := t.now()
		if err == nil {
			_, err = t.expireRaw(f.Arrival, f.Raw, micros(now))
		}
		return err
	}
	return nil
}
