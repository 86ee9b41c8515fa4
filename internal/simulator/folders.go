package simulator

import (
	"slices"
	"strings"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

func (s *session) Create(name string, _ *imap.CreateOptions) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	name = strings.TrimSuffix(name, string(s.divider()))
	if s.account.folders[folderKey(name)] != nil {
		return refuse(imap.ResponseCodeAlreadyExists, "There is such a folder")
	}
	if !strings.HasPrefix(name, s.wire.server.options.Namespace) {
		return refuse(imap.ResponseCodeCannot, "Mailbox name should probably be prefixed with: "+s.wire.server.options.Namespace)
	}
	s.account.create(name)
	return nil
}

func (s *session) Delete(name string) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	f, err := s.folder(name)
	if err != nil {
		return err
	}
	if f.name == inbox {
		return refuse(imap.ResponseCodeCannot, "INBOX stays")
	}
	f.remove(func(*letter) bool { return true })
	delete(s.account.folders, f.name)
	return nil
}

func (s *session) Rename(name, newName string, _ *imap.RenameOptions) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	f, err := s.folder(name)
	if err != nil {
		return err
	}
	if s.account.folders[folderKey(newName)] != nil {
		return refuse(imap.ResponseCodeAlreadyExists, "There is such a folder")
	}
	delete(s.account.folders, f.name)
	f.name = folderKey(newName)
	s.account.folders[f.name] = f
	return nil
}

func (s *session) Subscribe(name string) error   { return s.subscribe(name, true) }
func (s *session) Unsubscribe(name string) error { return s.subscribe(name, false) }

func (s *session) subscribe(name string, yes bool) error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	f, err := s.folder(name)
	if err != nil {
		return err
	}
	f.subscribed = yes
	return nil
}

func (s *session) Namespace() (*imap.NamespaceData, error) {
	prefix := s.wire.server.options.Namespace
	return &imap.NamespaceData{Personal: []imap.NamespaceDescriptor{{Prefix: prefix, Delim: s.divider()}}}, nil
}

// divider is what divides the levels of a folder name.
func (s *session) divider() rune {
	prefix := s.wire.server.options.Namespace
	if prefix == "" {
		return '/'
	}
	return rune(prefix[len(prefix)-1])
}

func (s *session) List(w *imapserver.ListWriter, ref string, patterns []string, options *imap.ListOptions) error {
	if len(patterns) == 0 || len(patterns) == 1 && patterns[0] == "" {
		// A question for the delimiter (RFC 9051 section 6.3.9).
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: s.divider()})
	}
	for _, data := range s.listed(ref, patterns, options) {
		if err := w.WriteList(&data); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) listed(ref string, patterns []string, options *imap.ListOptions) []imap.ListData {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	var all []imap.ListData
	for name, f := range s.account.folders {
		use, special := specialUse(name, s.divider())
		matches := func(pattern string) bool { return imapserver.MatchList(name, s.divider(), ref, pattern) }
		if !slices.ContainsFunc(patterns, matches) || options.SelectSubscribed && !f.subscribed ||
			options.SelectSpecialUse && !special {
			continue
		}
		data := imap.ListData{Mailbox: name, Delim: s.divider()}
		if special {
			data.Attrs = append(data.Attrs, use)
		}
		if f.subscribed {
			data.Attrs = append(data.Attrs, imap.MailboxAttrSubscribed)
		}
		if options.ReturnStatus != nil {
			data.Status = f.status()
		}
		all = append(all, data)
	}
	slices.SortFunc(all, func(a, b imap.ListData) int { return strings.Compare(a.Mailbox, b.Mailbox) })
	return all
}

func (s *session) Status(name string, options *imap.StatusOptions) (*imap.StatusData, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	f, err := s.folder(name)
	if err != nil {
		return nil, err
	}
	return f.status(), nil
}

// status counts everything; package imapserver writes what was asked for.
func (f *folder) status() *imap.StatusData {
	var unseen, deleted, none uint32
	var size int64
	messages := uint32(len(f.letters))
	for _, l := range f.letters {
		if !hasFlag(l.flags, imap.FlagSeen) {
			unseen++
		}
		if hasFlag(l.flags, imap.FlagDeleted) {
			deleted++
		}
		size += int64(len(l.raw))
	}
	return &imap.StatusData{
		Mailbox: f.name, NumMessages: &messages, UIDNext: imap.UID(f.nextUID), UIDValidity: f.validity,
		NumUnseen: &unseen, NumDeleted: &deleted, Size: &size, NumRecent: &none,
	}
}
