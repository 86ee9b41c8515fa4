package simulator

import (
	"fmt"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
)

// AddAccount opens an account with an empty INBOX, or gives one another password.
func (s *Server) AddAccount(user, password string) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	if a := s.store.accounts[user]; a != nil {
		if a.password != password {
			a.passwordChanges++
		}
		a.password = password
		return
	}
	a := &account{name: user, password: password, folders: map[string]*folder{}, gmail: s.options.Gmail}
	a.lastValidity = 1_700_000_000 // as servers do that take it from the clock (RFC 9051 section 2.3.1.1)
	a.create(inbox)
	if a.gmail {
		for _, name := range gmailFolders() {
			a.create(name)
		}
	}
	s.store.accounts[user] = a
}

// Append delivers a message to a folder, which is made where there is none, and
// tells every session that watches it. A zero internalDate is the time of the call.
func (s *Server) Append(user, folder string, raw []byte, internalDate time.Time) (uid uint32, err error) {
	if internalDate.IsZero() {
		internalDate = time.Now()
	}
	err = s.change(user, folder, true, func(f *folderOf) error {
		uid = f.account.deliver(f.folder, slices.Clone(raw), internalDate, nil).uid
		return nil
	})
	return uid, err
}

// Expunge removes messages.
func (s *Server) Expunge(user, folder string, uids ...uint32) error {
	return s.change(user, folder, false, func(f *folderOf) error {
		f.remove(func(l *letter) bool { return slices.Contains(uids, l.uid) })
		return nil
	})
}

// SetFlags replaces the flags of a message, such as `\Seen`.
func (s *Server) SetFlags(user, folder string, uid uint32, flags ...string) error {
	return s.change(user, folder, false, func(f *folderOf) error {
		l, ok := f.find(uid)
		if !ok {
			return fmt.Errorf("%s of %s has no message %d", folder, user, uid)
		}
		var set []imap.Flag
		for _, flag := range flags {
			set = append(set, imap.Flag(flag))
		}
		f.setFlags([]*letter{l}, imap.StoreFlagsSet, set)
		return nil
	})
}

// Renumber gives a folder the next UIDVALIDITY and counts its messages from 1, as a
// server does after a restore.
func (s *Server) Renumber(user, folder string) error {
	validity, _, err := s.Numbers(user, folder)
	if err != nil {
		return err
	}
	return s.RenumberAs(user, folder, validity+1, 1)
}

// RenumberAs gives a folder a UIDVALIDITY, old or new, and its messages the UIDs
// from first on. It cuts the account's connections, whose numbers are void.
func (s *Server) RenumberAs(user, folder string, uidValidity, first uint32) error {
	err := s.change(user, folder, false, func(f *folderOf) error {
		f.validity, f.nextUID = uidValidity, first
		f.account.lastValidity = max(f.account.lastValidity, uidValidity)
		for i, old := range f.letters {
			f.letters[i] = &letter{uid: f.nextUID, raw: old.raw, date: old.date, flags: old.flags, mail: old.mail}
			old.gone = true
			f.nextUID++
		}
		f.touch()
		return nil
	})
	if err == nil {
		s.Disconnect(user)
	}
	return err
}

// Numbers returns UIDVALIDITY and UIDNEXT of a folder.
func (s *Server) Numbers(user, folder string) (uidValidity, uidNext uint32, err error) {
	err = s.change(user, folder, false, func(f *folderOf) error {
		uidValidity, uidNext = f.validity, f.nextUID
		return nil
	})
	return uidValidity, uidNext, err
}

// AddFolder makes an empty folder with the next UIDVALIDITY.
func (s *Server) AddFolder(user, folder string) error {
	return s.change(user, folder, true, func(*folderOf) error { return nil })
}

// RemoveFolder removes a folder and its messages.
func (s *Server) RemoveFolder(user, folder string) error {
	return s.change(user, folder, false, func(f *folderOf) error {
		f.remove(func(*letter) bool { return true })
		delete(f.account.folders, f.name)
		return nil
	})
}

// Messages returns what a folder holds, by rising UID; nothing when there is none.
func (s *Server) Messages(user, folder string) []Message {
	var messages []Message
	_ = s.change(user, folder, false, func(f *folderOf) error { // no folder holds no messages
		for _, l := range f.letters {
			m := Message{UID: l.uid, Raw: l.raw, InternalDate: l.date}
			for _, flag := range l.flags {
				m.Flags = append(m.Flags, string(flag))
			}
			messages = append(messages, m)
		}
		return nil
	})
	return messages
}

// folderOf is a folder together with its account, under the lock.
type folderOf struct {
	*folder
	account *account
}

func (s *Server) change(user, name string, create bool, do func(*folderOf) error) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	a := s.store.accounts[user]
	if a == nil {
		return fmt.Errorf("there is no account %s", user)
	}
	f := a.folders[folderKey(name)]
	if f == nil && create {
		f = a.create(name)
	}
	if f == nil {
		return fmt.Errorf("%s has no folder %s", user, name)
	}
	return do(&folderOf{folder: f, account: a})
}
