package simulator

import (
	"io"
	"slices"
	"strings"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// A session is one signed-in connection, as package imapserver asks for it.
type session struct {
	store    *store
	wire     *wire
	account  *account // nil: not signed in
	view     *view    // nil: no folder selected; the wire reads it too, under the lock of the store
	readOnly bool
}

var _ imapserver.SessionIMAP4rev2 = (*session)(nil)

func (s *session) Close() error { return nil }

func (s *session) Login(username, password string) error {
	a, v := s.store.check(username, password)
	v = s.wire.signIn(username, v)
	s.wire.mu.Lock()
	s.wire.verdict = v
	s.wire.mu.Unlock()
	if v != letIn {
		return imapserver.ErrAuthFailed
	}
	s.account = a
	return nil
}

func (s *session) Select(name string, options *imap.SelectOptions) (*imap.SelectData, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	f, err := s.folder(name)
	if err != nil {
		return nil, err
	}
	s.view, s.readOnly = newView(f), options.ReadOnly
	known := []imap.Flag{imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagSeen, imap.FlagDraft}
	data := &imap.SelectData{
		Flags:       known,
		NumMessages: uint32(len(s.view.rows)),
		UIDNext:     imap.UID(f.nextUID),
		UIDValidity: f.validity,
	}
	if !s.readOnly {
		data.PermanentFlags = append(slices.Clone(known), imap.FlagWildcard)
	}
	for i, r := range s.view.rows {
		if !hasFlag(r.letter.flags, imap.FlagSeen) {
			data.FirstUnseenSeqNum = uint32(i + 1)
			break
		}
	}
	return data, nil
}

func (s *session) Unselect() error {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.view = nil
	return nil
}

func (s *session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	if s.view == nil {
		return nil
	}
	s.store.mu.Lock()
	n := s.view.update(allowExpunge)
	s.store.mu.Unlock()
	return n.tell(w)
}

// Idle tells every change as it happens, beginning with those that came between
// the last command and IDLE.
func (s *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	if s.view == nil {
		<-stop
		return nil
	}
	for {
		s.store.mu.Lock()
		changed := s.view.folder.changed
		n := s.view.update(true)
		s.store.mu.Unlock()
		if err := n.tell(w); err != nil {
			return err
		}
		select {
		case <-changed:
		case <-stop:
			return nil
		}
	}
}

// Fetch gives messages. Nothing is locked while they go out, so that a client that
// does not read holds nobody else up.
func (s *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, options *imap.FetchOptions) error {
	reads := slices.ContainsFunc(options.BodySection, func(b *imap.FetchItemBodySection) bool { return !b.Peek })
	s.store.mu.Lock()
	var found []found
	for _, i := range s.view.pick(set) {
		l := s.view.rows[i].letter
		if reads && !s.readOnly && !hasFlag(l.flags, imap.FlagSeen) {
			s.view.folder.setFlags([]*letter{l}, imap.StoreFlagsAdd, []imap.Flag{imap.FlagSeen})
		}
		found = append(found, newFound(i, l))
	}
	s.store.mu.Unlock()
	for _, f := range found {
		if err := f.write(w, options); err != nil {
			return err
		}
	}
	return nil
}

func (s *session) Store(w *imapserver.FetchWriter, set imap.NumSet, flags *imap.StoreFlags, _ *imap.StoreOptions) error {
	if s.readOnly {
		return refuse("", "The folder was opened with EXAMINE")
	}
	s.store.mu.Lock()
	var letters []*letter
	picked := s.view.pick(set)
	for _, i := range picked {
		letters = append(letters, s.view.rows[i].letter)
	}
	s.view.folder.setFlags(letters, flags.Op, flags.Flags)
	if s.account.gmail { // which expunges by itself what is marked, unless a setting says otherwise
		s.account.expunge(s.view.folder, func(l *letter) bool {
			return slices.Contains(letters, l) && hasFlag(l.flags, imap.FlagDeleted)
		})
	}
	var found []found
	for _, i := range picked {
		s.view.rows[i].version = s.view.folder.version // told here, or not wanted
		found = append(found, newFound(i, s.view.rows[i].letter))
	}
	s.store.mu.Unlock()
	if flags.Silent {
		return nil
	}
	for _, f := range found {
		if err := f.write(w, &imap.FetchOptions{UID: true, Flags: true}); err != nil {
			return err
		}
	}
	return nil
}

// Expunge removes what is marked \Deleted. The responses come from Poll, which
// follows every command.
func (s *session) Expunge(_ *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	if s.readOnly {
		return nil // CLOSE after EXAMINE removes nothing (RFC 9051 section 6.4.1)
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	s.account.expunge(s.view.folder, func(l *letter) bool {
		return hasFlag(l.flags, imap.FlagDeleted) && (uids == nil || uids.Contains(imap.UID(l.uid)))
	})
	return nil
}

func (s *session) Copy(set imap.NumSet, to string) (*imap.CopyData, error) {
	return s.transfer(set, to, false)
}

func (s *session) Move(w *imapserver.MoveWriter, set imap.NumSet, to string) error {
	if s.readOnly {
		return refuse("", "The folder was opened with EXAMINE")
	}
	data, err := s.transfer(set, to, true)
	if err != nil || data == nil {
		return err
	}
	return w.WriteCopyData(data)
}

func (s *session) transfer(set imap.NumSet, to string, remove bool) (*imap.CopyData, error) {
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	target := s.account.folders[folderKey(to)]
	if target == nil {
		return nil, refuse(imap.ResponseCodeTryCreate, "There is no such folder")
	}
	data := &imap.CopyData{UIDValidity: target.validity}
	moved := map[*letter]bool{}
	for _, i := range s.view.pick(set) {
		l := s.view.rows[i].letter
		data.SourceUIDs.AddNum(imap.UID(l.uid))
		data.DestUIDs.AddNum(imap.UID(s.account.copyTo(target, l).uid))
		moved[l] = true
	}
	if len(moved) == 0 {
		return nil, nil // OK without COPYUID: an empty set cannot be written (RFC 4315 section 3)
	}
	if remove {
		s.account.expunge(s.view.folder, func(l *letter) bool { return moved[l] })
	}
	return data, nil
}

func (s *session) Append(name string, r imap.LiteralReader, options *imap.AppendOptions) (*imap.AppendData, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	s.store.mu.Lock()
	defer s.store.mu.Unlock()
	f, err := s.folder(name)
	if err != nil {
		return nil, refuse(imap.ResponseCodeTryCreate, "There is no such folder")
	}
	date := options.Time
	if date.IsZero() {
		date = time.Now()
	}
	return &imap.AppendData{UIDValidity: f.validity, UID: imap.UID(s.account.deliver(f, raw, date, options.Flags).uid)}, nil
}

// folder finds a folder of the account, under the lock of the store.
func (s *session) folder(name string) (*folder, error) {
	if f := s.account.folders[folderKey(name)]; f != nil {
		return f, nil
	}
	return nil, refuse(imap.ResponseCodeNonExistent, "There is no such folder")
}

func refuse(code imap.ResponseCode, text string) error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

// specialUse guesses the use of a folder by the last part of its name (RFC 6154).
func specialUse(name string, divider rune) (imap.MailboxAttr, bool) {
	last := name[strings.LastIndexByte(name, byte(divider))+1:]
	use, ok := map[string]imap.MailboxAttr{
		"sent": imap.MailboxAttrSent, "drafts": imap.MailboxAttrDrafts, "trash": imap.MailboxAttrTrash,
		"junk": imap.MailboxAttrJunk, "archive": imap.MailboxAttrArchive,
		"all mail": imap.MailboxAttrAll, "sent mail": imap.MailboxAttrSent, "spam": imap.MailboxAttrJunk,
	}[strings.ToLower(last)]
	return use, ok
}
