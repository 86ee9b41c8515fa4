package simulator

import (
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
)

// Folders of Gmail, as an account in English has them. A folder is a label: one
// message may be in several, and all but Spam and Trash are in All Mail.
const (
	gmailAll   = "[Gmail]/All Mail"
	gmailSent  = "[Gmail]/Sent Mail"
	gmailSpam  = "[Gmail]/Spam"
	gmailTrash = "[Gmail]/Trash"
)

func gmailFolders() []string {
	return []string{gmailAll, "[Gmail]/Drafts", gmailSent, gmailSpam, gmailTrash}
}

// deliver puts a message that is new into a folder, under the lock of the store.
func (a *account) deliver(f *folder, raw []byte, date time.Time, flags []imap.Flag) *letter {
	l := f.append(raw, date, flags)
	if a.gmail {
		a.lastMail++
		l.mail = 1_800_000_000_000_000_000 + a.lastMail
		a.keepInAllMail(f, l)
	}
	return l
}

func (a *account) keepInAllMail(f *folder, l *letter) {
	all := a.folders[gmailAll]
	if all == nil || f.name == gmailAll || f.name == gmailSpam || f.name == gmailTrash || all.withMail(l.mail) != nil {
		return
	}
	all.append(l.raw, l.date, l.flags).mail = l.mail
}

// withMail finds what Gmail counts as one message; nil: it is not here.
func (f *folder) withMail(mail uint64) *letter {
	i := slices.IndexFunc(f.letters, func(l *letter) bool { return l.mail == mail })
	if i < 0 {
		return nil
	}
	return f.letters[i]
}

// copyTo copies a letter into a folder, under the lock of the store. With Gmail it
// gets the label, once; one that goes to Trash or Spam loses all others, and one
// that comes back leaves it.
func (a *account) copyTo(target *folder, l *letter) *letter {
	if !a.gmail {
		return target.append(l.raw, l.date, l.flags)
	}
	there := target.withMail(l.mail)
	if there == nil {
		there = target.append(l.raw, l.date, l.flags)
		there.mail = l.mail
	}
	isAway := target.name == gmailTrash || target.name == gmailSpam
	for name, f := range a.folders {
		if f != target && (isAway || name == gmailTrash || name == gmailSpam) {
			f.remove(func(other *letter) bool { return other.mail == l.mail })
		}
	}
	a.keepInAllMail(target, there)
	return there
}

// expunge removes letters from a folder. From All Mail they do not go: with the
// settings that Gmail begins with, what is deleted is archived.
func (a *account) expunge(f *folder, doomed func(*letter) bool) {
	if a.gmail && f.name == gmailAll {
		return
	}
	f.remove(doomed)
}
