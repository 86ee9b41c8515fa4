package alert

import (
	"crypto/rand"
	"maps"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// announce writes the notices of a new alert.
func (l *look) announce(c cause, members []member) ([]store.NewNotice, error) {
	everybody, err := l.everybody()
	if err != nil {
		return nil, err
	}
	named, err := l.named(c)
	if err != nil {
		return nil, err
	}
	var notices []store.NewNotice
	for _, to := range everybody.addresses {
		notices = append(notices, l.notice(postroom.NoticeAlert, to, named.subject(), l.text(postroom.NoticeAlert, named, false)))
	}
	return append(notices, l.ownersNotices(postroom.NoticeAlert, c, members, everybody.addresses)...), nil
}

// ownersNotices writes to each owner about their own mailboxes, but to those who are
// told anyway.
func (l *look) ownersNotices(kind postroom.NoticeKind, c cause, members []member, told []string) (notices []store.NewNotice) {
	owned := c.owners(members)
	for _, to := range slices.Sorted(maps.Keys(owned)) {
		if isAmong(told, to) {
			continue
		}
		own := c
		own.members = owned[to]
		notices = append(notices, l.notice(kind, to, own.subject(), l.text(kind, own, true)))
	}
	return notices
}

// tellOwners writes to the owners of mailboxes that have joined an alert. Everybody else
// has been told of it.
func (l *look) tellOwners(a matched, joined []member, c *store.ChangedAlert) error {
	if len(joined) == 0 || len(a.cause.owners(joined)) == 0 {
		return nil
	}
	everybody, err := l.everybody()
	if err != nil {
		return err
	}
	told := slices.Clone(everybody.addresses)
	for _, p := range a.Recipients {
		told = append(told, p.Address)
	}
	c.Notices = append(c.Notices, l.ownersNotices(postroom.NoticeAlert, a.cause, joined, told)...)
	return nil
}

// remind writes to everybody that it is still so.
func (l *look) remind(a matched, c *store.ChangedAlert) error {
	everybody, err := l.everybody()
	if err != nil {
		return err
	}
	named, err := l.named(a.cause)
	if err != nil {
		return err
	}
	for _, to := range everybody.addresses {
		c.Notices = append(c.Notices, l.notice(postroom.NoticeReminder, to, named.subject(), l.text(postroom.NoticeReminder, named, false)))
	}
	c.Notices = append(c.Notices, l.ownersNotices(postroom.NoticeReminder, a.cause, a.cause.members, everybody.addresses)...)
	return nil
}

// mended ends an alert, and writes that to those who had been told. An announcement ends
// without a word: either it was heeded, or something else is told now.
func (l *look) mended(a matched, c *store.ChangedAlert) error {
	if a.Kind == postroom.AlertAhead {
		return nil
	}
	e := ending{alert: a.KeptAlert}
	var err error
	if e.filed, e.waiting, err = l.Store.AlertGap(l.ctx, a.ID, a.QuietSince, settled); err != nil {
		return err
	}
	c.Gap = e.filed + e.waiting
	if e.mailboxes, err = l.Store.AlertedMailboxes(l.ctx, a.ID); err != nil {
		return err
	}
	for _, p := range a.Recipients {
		if p.HasLeft {
			c.Notices = append(c.Notices, l.notice(postroom.NoticeMended, p.Address, e.subject(), l.endingText(e)))
		}
	}
	return nil
}

func (l *look) notice(kind postroom.NoticeKind, to, subject, text string) store.NewNotice {
	return store.NewNotice{Kind: kind, Recipient: to, Subject: "Postroom: " + subject, Text: text, LocalPart: newLocalPart(), At: l.now}
}

// newLocalPart is what stands before the @ of a Message-ID of ours.
func newLocalPart() string { return "notice." + strings.ToLower(rand.Text()) }

// named is c with the names of its mailboxes, as far as they are written out.
func (l *look) named(c cause) (cause, error) {
	c.members = slices.Clone(c.members)
	for i := range c.members[:min(len(c.members), mostNames)] {
		m := &c.members[i]
		if m.name != "" && m.address != "" {
			continue
		}
		kept, err := l.Store.Mailbox(l.ctx, m.id)
		switch {
		case err == nil:
			m.name, m.address = kept.Name, kept.Address
		case postroom.KindOf(err) != postroom.NotFound: // it has just been removed
			return c, err
		}
	}
	return c, nil
}
