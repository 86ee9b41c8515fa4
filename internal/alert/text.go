package alert

import (
	"fmt"
	"slices"
	"strings"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// mostNames is how many mailboxes a notice names.
const mostNames = 20

// text is a notice about c, to everybody or to the owner of its mailboxes.
func (l *look) text(kind postroom.NoticeKind, c cause, toOwner bool) string {
	var b strings.Builder
	par := func(lines ...string) {
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		for _, line := range lines {
			b.WriteString(wrap(line))
		}
	}
	if kind == postroom.NoticeReminder && c.kind != postroom.AlertAhead {
		par("This is a reminder: it is still so.")
	}
	par(c.subject() + ".")
	par("What happened", "  "+c.fault.Explanation)
	if c.fault.Remedy != "" {
		par("What to do", "  "+c.fault.Remedy)
	}
	if c.fault.Link.URL != "" {
		par(c.fault.Link.Words+":", "  "+c.fault.Link.URL)
	}
	if words, address := l.place(c); address != "" {
		par(words+":", "  "+address)
	} else {
		par("Open Postroom and choose Alerts: it leads to where this is mended.")
	}
	if c.kind != postroom.AlertQuarantined && c.kind != postroom.AlertUnbalanced && len(c.members) > 0 {
		par(append([]string{mailboxesHead(len(c.members))}, names(c.members)...)...)
	}
	par(l.closing(c, toOwner))
	return b.String()
}

// closing says why somebody gets this, and what comes next.
func (l *look) closing(c cause, toOwner bool) string {
	why := "You get this mail because this address is told when Postroom needs somebody."
	if toOwner {
		why = "You get this mail because the mailbox is yours in Postroom."
	}
	if c.kind == postroom.AlertAhead {
		if next := nextAnnouncement(c.endsAt, l.now); !next.IsZero() {
			return why + " Until it is done you are reminded, next on " + date(next) + "."
		}
		return why + " This is the last time that it is announced."
	}
	return why + " As long as it lasts you are reminded after 1, 3 and 7 days, then every week; and you are told when it is mended."
}

// place is the page where a cause is mended, and the words that lead there; empty where
// nobody has said under which address the pages are.
func (l *look) place(c cause) (words, address string) {
	if l.Base == "" {
		return "", ""
	}
	words, address = "See what needs somebody", "/alerts"
	switch {
	case c.kind == postroom.AlertSignIn && len(c.members) == 1:
		words, address = "Sign in again", "/mailboxes/"+c.members[0].id.String()
		if c.members[0].byToken {
			address += "/sign-in"
		}
	case c.kind == postroom.AlertRepair && c.app != 0 && !c.isOwn:
		words, address = "Open the registration", "/settings/apps/"+c.app.String()
	case (c.kind == postroom.AlertRepair || c.kind == postroom.AlertDelay) && len(c.members) == 1:
		words, address = "Open the mailbox", "/mailboxes/"+c.members[0].id.String()
	case c.page != "":
		words, address = "Open the page", c.page
	}
	return words, strings.TrimSuffix(l.Base, "/") + address
}

func mailboxesHead(n int) string {
	if n == 1 {
		return "The mailbox:"
	}
	return "The mailboxes:"
}

// names lists mailboxes, a few and how many more.
func names(members []member) (lines []string) {
	for _, m := range members[:min(len(members), mostNames)] {
		lines = append(lines, "  "+nameOf(m.name, m.address))
	}
	if more := len(members) - mostNames; more > 0 {
		lines = append(lines, "  and "+thousands(int64(more))+" more")
	}
	return lines
}

func nameOf(name, address string) string {
	if address == "" || strings.EqualFold(name, address) {
		return name
	}
	return name + " (" + address + ")"
}

// An ending is an alert that has ended, and what came of it.
type ending struct {
	alert          store.KeptAlert
	mailboxes      []store.NamedMailbox
	filed, waiting int64 // mails that arrived meanwhile: brought in, and still to be
}

// reading counts the mailboxes that are being read again.
func (e ending) reading() (n int) {
	for _, m := range e.mailboxes {
		if m.State == postroom.MailboxActive {
			n++
		}
	}
	return n
}

func (e ending) subject() string {
	switch {
	case e.alert.Kind == postroom.AlertSpace:
		return "There is room on the disk again"
	case e.alert.Kind == postroom.AlertQuarantined && len(e.mailboxes) == 1:
		return "No mail of " + e.mailboxes[0].Name + " is set aside any more"
	case e.alert.Kind == postroom.AlertUnbalanced && len(e.mailboxes) == 1:
		return "The ledger of " + e.mailboxes[0].Name + " accounts for everything again"
	case len(e.mailboxes) == 1 && e.reading() == 1:
		return e.mailboxes[0].Name + " is being read again"
	case len(e.mailboxes) > 1 && e.reading() == len(e.mailboxes):
		return thousands(int64(len(e.mailboxes))) + " mailboxes are being read again"
	}
	return "Nobody is needed any more: " + e.alert.Title
}

// endingText is the notice that something is mended.
func (l *look) endingText(e ending) string {
	var b strings.Builder
	b.WriteString(wrap(e.subject() + "."))
	b.WriteString("\n" + wrap(fmt.Sprintf("What was told on %s (“%s”) was over on %s, after %s.",
		instant(e.alert.BegunAt), e.alert.Title, instant(e.alert.QuietSince), span(e.alert.QuietSince.Sub(e.alert.BegunAt)))))
	if gap := e.gapWords(); gap != "" {
		b.WriteString("\n" + wrap(gap))
	}
	if len(e.mailboxes) > 1 {
		b.WriteString("\n" + wrap("The mailboxes:"))
		var members []member
		for _, m := range e.mailboxes {
			members = append(members, member{name: m.Name + stateWords(m.State), address: m.Address})
		}
		for _, line := range names(members) {
			b.WriteString(wrap(line))
		}
	}
	if l.Base != "" {
		b.WriteString("\n" + wrap("See what needs somebody now:") + wrap("  "+strings.TrimSuffix(l.Base, "/")+"/alerts"))
	}
	b.WriteString("\nNothing has to be done.\n")
	return b.String()
}

// gapWords says what arrived meanwhile, of the kinds of trouble that keep mail out.
func (e ending) gapWords() string {
	stops := []postroom.AlertKind{postroom.AlertSignIn, postroom.AlertRepair, postroom.AlertDelay}
	if !slices.Contains(stops, e.alert.Kind) || e.reading() == 0 {
		return ""
	}
	filed := countOf(e.filed, "mail", "mails") + " that arrived meanwhile"
	switch {
	case e.filed == 0 && e.waiting == 0:
		return "No mail arrived meanwhile."
	case e.waiting == 0 && e.filed == 1:
		return filed + " was brought in."
	case e.waiting == 0:
		return filed + " were brought in."
	case e.filed == 0:
		return countOf(e.waiting, "mail", "mails") + " that arrived meanwhile " + isAre(e.waiting) + " being brought in."
	}
	return filed + " were brought in, and " + thousands(e.waiting) + " more are on their way."
}

// stateWords says of a mailbox that it is still not read.
func stateWords(s postroom.MailboxState) string {
	switch s {
	case postroom.MailboxActive:
		return ""
	case postroom.MailboxPaused:
		return ", which is paused"
	}
	return ", which is not being read"
}

const lineWidth = 72

// wrap breaks a line between words and ends it. What a line begins with in blanks, its
// continuations begin with too; an address is never broken.
func wrap(line string) string {
	words := strings.Fields(line)
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	var b strings.Builder
	b.WriteString(indent)
	width := len(indent)
	for i, w := range words {
		n := len([]rune(w))
		switch {
		case i == 0:
		case width+1+n > lineWidth:
			b.WriteString("\n" + indent)
			width = len(indent)
		default:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(w)
		width += n
	}
	b.WriteByte('\n')
	return b.String()
}
