package simulator

import "slices"

// A Backup is a folder as it was: what [Server.Restore] goes back to.
type Backup struct {
	user     string
	name     string
	validity uint32
	nextUID  uint32
	letters  []letter
}

// BackUp remembers a folder as it is now.
func (s *Server) BackUp(user, folder string) (Backup, error) {
	b := Backup{user: user}
	err := s.change(user, folder, false, func(f *folderOf) error {
		b.name, b.validity, b.nextUID = f.name, f.validity, f.nextUID
		for _, l := range f.letters {
			kept := *l
			kept.flags = slices.Clone(l.flags)
			b.letters = append(b.letters, kept)
		}
		return nil
	})
	return b, err
}

// Restore makes a folder what it was, as after a disk failure: its UIDVALIDITY is
// the same, its UIDNEXT has gone back, and UIDs given out since are given out again,
// to other messages. It cuts the account's connections by IMAP.
func (s *Server) Restore(b Backup) error {
	err := s.change(b.user, b.name, true, func(f *folderOf) error {
		f.validity, f.nextUID = b.validity, b.nextUID
		for _, l := range f.letters {
			l.gone = true
		}
		f.letters = nil
		for _, l := range b.letters {
			again := l
			again.flags = slices.Clone(l.flags)
			f.letters = append(f.letters, &again)
		}
		f.touch()
		return nil
	})
	if err == nil {
		s.Disconnect(b.user)
	}
	return err
}
