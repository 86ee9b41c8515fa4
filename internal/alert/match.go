package alert

import (
	"slices"
	"strings"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// A matched alert is one that has not ended, and what there is of its cause now.
type matched struct {
	store.KeptAlert
	cause  cause
	stands bool // somebody still has to do something
}

// match finds the alerts of what was found, and leaves the rest in found.
func (l *look) match(alerts []store.KeptAlert) []matched {
	all := make([]matched, 0, len(alerts))
	for _, a := range alerts {
		all = append(all, matched{KeptAlert: a})
	}
	byCause := make(map[string]*matched, len(all))
	for i := range all {
		byCause[all[i].Cause] = &all[i]
	}
	var rest []cause
	for _, c := range l.found {
		if c.isOwn {
			if c = l.matchOwn(c, all); len(c.members) > 0 {
				rest = append(rest, c)
			}
		} else if a := byCause[c.key]; a != nil {
			a.cause, a.stands = c, true
		} else {
			rest = append(rest, c)
		}
	}
	l.found = rest
	return all
}

// family is what causes of own trouble have in common; what is added tells one outbreak
// of it from another.
func family(cause string) string {
	before, _, _ := strings.Cut(cause, "#")
	return before
}

// matchOwn gives each mailbox of a cause to the alert that it belongs to: the one that
// it has been in, else one that has begun lately. Those without one are left in c.
func (l *look) matchOwn(c cause, all []matched) cause {
	var relatives []*matched // the newest first
	for i := range all {
		if family(all[i].Cause) == c.key {
			relatives = append(relatives, &all[i])
		}
	}
	slices.Reverse(relatives)
	home := make(map[postroom.MailboxID]*matched)
	for _, a := range relatives {
		for _, m := range a.Members {
			if home[m.Mailbox] == nil && (m.EndedAt.IsZero() || l.now.Sub(m.EndedAt) < calm) {
				home[m.Mailbox] = a
			}
		}
	}
	left := c
	left.members = nil
	for _, m := range c.members {
		a := home[m.id]
		if a == nil && len(relatives) > 0 && l.now.Sub(relatives[0].BegunAt) < together {
			a = relatives[0]
		}
		if a == nil {
			left.members = append(left.members, m)
			continue
		}
		if !a.stands {
			a.cause, a.stands = c, true
			a.cause.members = nil
		}
		a.cause.members = append(a.cause.members, m)
	}
	return left
}

// compare writes down what is new of an alert that has not ended.
func (l *look) compare(a matched) error {
	if l.isShort && a.Kind == postroom.AlertDelay || l.isBlind && a.Kind == postroom.AlertAhead { // nobody can tell now
		return nil
	}
	if l.written >= atOnce {
		l.more = true
		return nil
	}
	a.cause.members = a.settledMembers()
	c := store.ChangedAlert{ID: a.ID}
	joined := l.members(a, &c)
	a.stands = a.stands && (!a.cause.isOfMailboxes() || len(a.present())+len(c.Joined) > len(c.Left))
	var err error
	if a.stands {
		err = l.goesOn(a, joined, &c)
	} else {
		err = l.isOver(a, &c)
	}
	if err != nil {
		return err
	}
	if c.Words != nil || c.Quiet != nil || c.Remind || c.End || len(c.Joined)+len(c.Left)+len(c.Notices) > 0 {
		l.changes.Changed = append(l.changes.Changed, c)
		l.tell(len(c.Joined)+len(c.Left), len(c.Notices))
	}
	return nil
}

// settledMembers are the mailboxes that the cause concerns now, without those for which it
// may pass by itself, unless they are in the alert already.
func (a matched) settledMembers() []member {
	in := a.present()
	return slices.DeleteFunc(slices.Clone(a.cause.members), func(m member) bool { return m.isFresh && !in[m.id] })
}

// tell counts what is to be written down.
func (l *look) tell(mailboxes, notices int) {
	l.written += mailboxes + notices
	l.tells = l.tells || notices > 0
}

// members finds who has joined an alert and who has left it, and returns those who have
// joined.
func (l *look) members(a matched, c *store.ChangedAlert) (joined []member) {
	in := a.present()
	room := max(atOnce-l.written, 1)
	for _, m := range a.cause.members {
		switch {
		case in[m.id]:
			delete(in, m.id)
		case len(joined) == room:
			l.more = true
		default:
			joined = append(joined, m)
			c.Joined = append(c.Joined, m.id)
		}
	}
	for _, m := range a.Members {
		if !in[m.Mailbox] {
			continue
		}
		if len(c.Left) == room {
			l.more = true
			break
		}
		c.Left = append(c.Left, m.Mailbox)
	}
	return joined
}

// present are the mailboxes that an alert concerns, as far as is written down.
func (a matched) present() map[postroom.MailboxID]bool {
	in := make(map[postroom.MailboxID]bool, len(a.Members))
	for _, m := range a.Members {
		if m.EndedAt.IsZero() {
			in[m.Mailbox] = true
		}
	}
	return in
}

// goesOn is for an alert that still needs somebody.
func (l *look) goesOn(a matched, joined []member, c *store.ChangedAlert) error {
	if !a.QuietSince.IsZero() {
		c.Quiet = &time.Time{}
	}
	if title := a.cause.subject(); title != a.Title || !a.readsAs(a.cause.fault) || !a.cause.endsAt.Equal(a.EndsAt) {
		c.Words = &store.AlertWords{Title: title, Fault: a.cause.fault, EndsAt: a.cause.endsAt}
	}
	isDue := !a.NextAt.IsZero() && !a.NextAt.After(l.now)
	if isDue && (l.now.Sub(l.watch.begun) >= settled || a.Kind == postroom.AlertAhead) {
		c.Remind, c.NextAt = true, a.cause.next(a.BegunAt, l.now)
		return l.remind(a, c)
	}
	return l.tellOwners(a, joined, c)
}

// readsAs says whether an alert says what a fault says. Of a disk on which a little less
// is free than before it does: what is written down would take room too.
func (a matched) readsAs(f postroom.Fault) bool {
	was, is := a.Fault.Explanation+a.Fault.Remedy, f.Explanation+f.Remedy
	if a.Kind == postroom.AlertSpace {
		was, is = withoutFigures(was), withoutFigures(is)
	}
	return was == is
}

func withoutFigures(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '.' || r == ',' || r >= '0' && r <= '9' {
			return -1
		}
		return r
	}, text)
}

// isOver is for an alert that needs nobody any more. It ends when that has lasted.
func (l *look) isOver(a matched, c *store.ChangedAlert) error {
	switch {
	case a.QuietSince.IsZero():
		c.Quiet = &l.now
	case l.now.Sub(a.QuietSince) >= calm:
		c.End = true
		return l.mended(a, c)
	}
	return nil
}

// raise writes down a cause that nobody knew of.
func (l *look) raise(c cause) error {
	if c.isOld || l.isShort && c.kind == postroom.AlertDelay {
		return nil
	}
	c.members = slices.DeleteFunc(slices.Clone(c.members), func(m member) bool { return m.isFresh })
	if len(c.members) == 0 && c.isOfMailboxes() {
		return nil
	}
	if l.written >= atOnce {
		l.more = true
		return nil
	}
	r := store.RaisedAlert{
		Cause: c.key, Kind: c.kind, Title: c.subject(), Fault: c.fault, App: c.app, EndsAt: c.endsAt, NextAt: c.next(l.now, l.now),
	}
	if c.isOwn {
		r.Cause += "#" + c.members[0].id.String() + "@" + l.now.UTC().Format(time.RFC3339)
	}
	first := c.members[:min(len(c.members), max(atOnce-l.written, 1))]
	l.more = l.more || len(first) < len(c.members)
	for _, m := range first {
		r.Members = append(r.Members, m.id)
	}
	var err error
	if r.Notices, err = l.announce(c, first); err != nil {
		return err
	}
	l.changes.Raised = append(l.changes.Raised, r)
	l.tell(len(r.Members), len(r.Notices))
	return nil
}

// isOfMailboxes says whether there is no cause without mailboxes.
func (c cause) isOfMailboxes() bool {
	return c.kind != postroom.AlertSpace && c.kind != postroom.AlertAhead
}
