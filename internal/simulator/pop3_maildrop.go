package simulator

import (
	"crypto/md5"
	"fmt"
	"slices"
	"strings"
	"time"
)

// A maildrop is the INBOX as one POP3 session sees it: what was there at its
// login.
type maildrop struct {
	store   *store
	account *account
	folder  *folder
	gmail   bool
	slots   []*slot
}

// A slot is a message of a maildrop; its number is its place from 1.
type slot struct {
	letter    *letter
	uidl      string
	deleted   bool // at QUIT
	retrieved bool
}

// openDrop takes the messages that a session sees.
func (s *Server) openDrop(session *popSession, f *Faults) *maildrop {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	a := session.login.account
	d := &maildrop{store: &s.store, account: a, folder: a.folders[inbox], gmail: s.options.Gmail}
	if d.folder == nil {
		return d
	}
	if f.POP3.UIDLs == UIDLsReused {
		d.folder.number()
	}
	recent := strings.HasPrefix(session.login.name, recentPrefix)
	for i, l := range d.folder.letters {
		if d.gmail && isHidden(l, recent) {
			continue
		}
		d.slots = append(d.slots, &slot{letter: l, uidl: d.name(i, l, session.number, f.POP3.UIDLs)})
	}
	return d
}

// isHidden says what Gmail does not show by POP3: what a finished session has
// RETRieved, or in the recent mode what is older than 30 days.
func isHidden(l *letter, recent bool) bool {
	if recent {
		return time.Since(l.date) > 30*24*time.Hour
	}
	return l.handedOut
}

// name makes the UIDL of a message, under the lock of the store.
func (d *maildrop) name(index int, l *letter, session int, kind UIDLs) string {
	switch kind {
	case UIDLsFresh:
		return fmt.Sprintf("%d.%d", session, index+1)
	case UIDLsReused:
		return fmt.Sprintf("%08x.%d", d.folder.validity, l.place)
	case UIDLsShared:
		return fmt.Sprintf("%08x.%d", d.folder.validity, (l.uid+1)/2)
	case UIDLsFromMail:
		return fmt.Sprintf("%x", md5.Sum(l.raw))
	}
	if d.gmail {
		return fmt.Sprintf("GmailId%08x%08x", d.folder.validity, l.uid)
	}
	return fmt.Sprintf("%08x%08x", l.uid, d.folder.validity)
}

// number gives every letter that has none the lowest number that no other has, under
// the lock of the store.
func (f *folder) number() {
	taken := map[int]bool{}
	for _, l := range f.letters {
		taken[l.place] = true
	}
	next := 1
	for _, l := range f.letters {
		if l.place > 0 {
			continue
		}
		for taken[next] {
			next++
		}
		l.place = next
		taken[next] = true
	}
}

func (d *maildrop) find(number string) (*slot, bool) {
	n := atoi(number)
	if n < 1 || n > len(d.slots) || d.slots[n-1].deleted {
		return nil, false
	}
	return d.slots[n-1], true
}

func (d *maildrop) carryOut(s *popSession, name, argument string) (answer, error) {
	f := s.faults()
	number, rest, _ := strings.Cut(argument, " ")
	switch name {
	case "NOOP":
		return positive("Nothing done")
	case "RSET":
		for _, m := range d.slots {
			m.deleted = false
		}
		return positive("Nothing is marked")
	case "STAT":
		count, size := 0, int64(0)
		for _, m := range d.slots {
			if !m.deleted {
				count++
				size += m.size(f)
			}
		}
		return positive("%d %d", count, size)
	case "LIST":
		return d.list(number, func(m *slot) string { return fmt.Sprint(m.size(f)) })
	case "UIDL":
		return d.list(number, func(m *slot) string { return m.uidl })
	}
	m, there := d.find(number)
	switch {
	case !slices.Contains([]string{"RETR", "TOP", "DELE"}, name):
		return negative("Unknown command")
	case !there:
		return negative("There is no message %s", number)
	case name == "DELE":
		m.deleted = true
		return positive("Marked to be deleted")
	case slices.Contains(f.RefuseUIDs, m.letter.uid):
		return negative("[SYS/PERM] Could not read message file")
	case name == "TOP" && atoi(rest) < 0:
		return negative("TOP wants a number of lines")
	}
	return d.give(m, f, name, atoi(rest))
}

// size is that which LIST says.
func (m *slot) size(f *Faults) int64 {
	return max(0, int64(len(m.letter.raw))+f.POP3.SizesOffBy)
}

func (d *maildrop) list(number string, what func(*slot) string) (answer, error) {
	if number != "" {
		m, there := d.find(number)
		if !there {
			return negative("There is no message %s", number)
		}
		return positive("%s %s", number, what(m))
	}
	var text strings.Builder
	for i, m := range d.slots {
		if !m.deleted {
			fmt.Fprintf(&text, "%d %s\r\n", i+1, what(m))
		}
	}
	return answer{line: fmt.Sprintf("+OK %d messages", len(d.slots)), text: []byte(text.String())}, nil
}

// give answers RETR and TOP.
func (d *maildrop) give(m *slot, f *Faults, name string, lines int) (answer, error) {
	d.store.mu.Lock()
	times := m.letter.retrieved
	if name == "RETR" {
		m.letter.retrieved++
	}
	d.store.mu.Unlock()
	raw := m.letter.raw
	if f.POP3.Rewrite != nil {
		raw = f.POP3.Rewrite(slices.Clone(raw), times)
	}
	if slices.Contains(f.OmitUIDs, m.letter.uid) || raw == nil {
		raw = []byte{}
	}
	if name == "TOP" {
		return answer{line: "+OK Top of message follows", text: topOf(raw, lines)}, nil
	}
	m.retrieved = true
	return answer{line: fmt.Sprintf("+OK %d octets", m.size(f)), text: raw, isMail: true}, nil
}

// update does at QUIT what the session has asked for.
func (d *maildrop) update(f *Faults) {
	d.store.mu.Lock()
	defer d.store.mu.Unlock()
	doomed := map[*letter]bool{}
	for _, m := range d.slots {
		switch {
		case d.gmail:
			// What becomes of it on the server its settings say, not the client: it stays
			// in the Inbox, and is not shown again.
			m.letter.handedOut = m.letter.handedOut || m.retrieved || m.deleted
		case m.deleted || m.retrieved && f.POP3.Expire == "0":
			doomed[m.letter] = true
		}
	}
	if len(doomed) > 0 {
		d.folder.remove(func(l *letter) bool { return doomed[l] })
	}
}
