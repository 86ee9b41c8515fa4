package fetch

import (
	"context"
	"errors"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/store"
)

// tend does what is due in each folder that is read, a batch each. did says that
// there was something, so that the folders are to be looked at again.
func (s *imapSession) tend(ctx context.Context) (did bool, err error) {
	for _, name := range s.m.Incoming.Folders {
		f := s.numberings[name]
		if f == nil {
			continue
		}
		due, err := s.ledger.DueActions(ctx, f.ID, actAtOnce)
		if err != nil {
			return did, err
		}
		if len(due) == 0 {
			if err := s.isDone(ctx, f); err != nil {
				return did, err
			}
			continue
		}
		f.undone = nil
		did = true
		for some := range alike(due) {
			if err := s.act(ctx, f, some); err != nil {
				return did, err
			}
		}
	}
	return did, nil
}

// alike yields actions in groups that one command can carry out.
func alike(due []store.Due) func(yield func([]store.Due) bool) {
	type kind struct {
		action postroom.AfterImport
		folder string
		copied bool
	}
	var order []kind
	groups := make(map[kind][]store.Due)
	for _, d := range due {
		k := kind{d.Action, d.Folder, d.Copied}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], d)
	}
	return func(yield func([]store.Due) bool) {
		for _, k := range order {
			if !yield(groups[k]) {
				return
			}
		}
	}
}

// act carries out one kind of action. What a server refuses for some messages
// together it may do for each alone; the rest is put off.
func (s *imapSession) act(ctx context.Context, f *folder, due []store.Due) error {
	same, err := s.openForChange(ctx, f)
	switch {
	case err == nil && !same:
		// The folder is counted anew: these are names of the past. Should it not be,
		// because the server counts in one way for whoever only reads and in another for
		// whoever writes, nothing is changed, and not asked again at once.
		return s.putOff(ctx, f, due, errChangedNumbering)
	case s.wasRefused(err):
		return s.putOff(ctx, f, due, err)
	case err != nil:
		return err
	}
	how, err := s.carryOut(ctx, f, due)
	if err == nil {
		s.fleet.step("acted on the server")
		return s.done(ctx, due, how)
	}
	if !s.wasRefused(err) {
		return err
	}
	here, lost := s.stillDue(ctx, f, due)
	if lost != nil {
		return lost
	}
	if len(here) < 2 {
		return s.putOff(ctx, f, here, err)
	}
	did := false
	for i, d := range here {
		how, err := s.carryOut(ctx, f, []store.Due{d})
		switch {
		case err == nil:
			did = true
			err = s.done(ctx, []store.Due{d}, how)
		case !s.wasRefused(err):
		case !did && i+1 == askAlone:
			return s.putOff(ctx, f, here[i:], err)
		default:
			err = s.putOff(ctx, f, []store.Due{d}, err)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

var (
	errReadOnly   = errors.New("the server lets this account only read in this folder")
	errNoTrash    = errors.New("the server names no folder for what is deleted")
	errNoValidity = errors.New("the server does not say how it counts this folder")
)

// wasRefused says whether an action failed in a way that leaves the session usable.
func (s *imapSession) wasRefused(err error) bool {
	_, refused := mail.RefusalOf(err)
	return (refused || errors.Is(err, errReadOnly) || errors.Is(err, errNoTrash) || errors.Is(err, errNoValidity)) && s.usable()
}

// openForChange selects a folder for writing. same is false when it is not counted
// any more as f says, so that its UIDs mean other messages.
func (s *imapSession) openForChange(ctx context.Context, f *folder) (same bool, err error) {
	s.selected = ""
	status, err := s.client.Select(ctx, f.Folder)
	switch {
	case err != nil:
		return false, err
	case status.UIDValidity == 0:
		return true, errNoValidity
	case status.UIDValidity != f.UIDValidity:
		return false, nil
	}
	s.next = status.UIDNext
	again, err := s.countsAnew(ctx, f.Numbering, nil)
	if err != nil || again {
		return false, err
	}
	if status.ReadOnly {
		return true, errReadOnly
	}
	return true, nil
}

// stillDue are those that the server still shows. For the others there is nothing
// left to do.
func (s *imapSession) stillDue(ctx context.Context, f *folder, due []store.Due) (here []store.Due, err error) {
	same, err := s.openForChange(ctx, f)
	if err != nil || !same {
		return nil, err
	}
	names := make([]postroom.Name, len(due))
	for i, d := range due {
		names[i] = d.Name
	}
	shown, err := s.shows(ctx, names)
	if err != nil {
		return nil, err
	}
	var gone []store.Due
	for _, d := range due {
		if shown[d.Name] {
			here = append(here, d)
		} else {
			gone = append(gone, d)
		}
	}
	return here, s.done(ctx, gone, "")
}

// carryOut does one kind of action with messages of f, which is selected for
// writing. how says in words what was done instead, if anything was.
func (s *imapSession) carryOut(ctx context.Context, f *folder, due []store.Due) (how string, err error) {
	switch due[0].Action {
	case postroom.AfterImportMarkRead:
		return "", s.client.Store(ctx, uidsOfDue(due), true, `\Seen`)
	case postroom.AfterImportMove:
		return s.move(ctx, f, due)
	case postroom.AfterImportDelete:
		return s.remove(ctx, due)
	}
	return "", nil
}

// remove deletes messages. Gmail would only take them out of this folder, and keep
// them in All Mail, so that there they go to the trash
// (https://developers.google.com/workspace/gmail/imap/imap-extensions).
func (s *imapSession) remove(ctx context.Context, due []store.Due) (how string, err error) {
	if s.client.Has("X-GM-EXT-1") {
		trash, ok, err := s.client.FolderFor(ctx, `\Trash`)
		if err == nil && !ok {
			err = errNoTrash
		}
		if err != nil {
			return "", err
		}
		return "", s.client.Move(ctx, uidsOfDue(due), trash)
	}
	expunged, err := s.expunge(ctx, due)
	if err == nil && !expunged {
		how = "Marked as deleted; the server cannot remove single messages."
	}
	return how, err
}

// expunge marks messages as deleted and, where the server can do that for single
// messages, removes them (RFC 4315). A plain EXPUNGE would remove what others have
// marked, too.
func (s *imapSession) expunge(ctx context.Context, due []store.Due) (expunged bool, err error) {
	uids := uidsOfDue(due)
	if err := s.client.Store(ctx, uids, true, `\Deleted`); err != nil || !s.client.Has("UIDPLUS") {
		return false, err
	}
	return true, s.client.Expunge(ctx, uids)
}

// move moves messages, and makes the folder if there is none. Where the server has
// no MOVE, they are copied and the originals removed; that the copies are made is
// recorded in between.
func (s *imapSession) move(ctx context.Context, f *folder, due []store.Due) (how string, err error) {
	target := due[0].Folder
	if s.client.Has("MOVE") && !due[0].Copied {
		return "", s.withFolder(ctx, target, func() error { return s.client.Move(ctx, uidsOfDue(due), target) })
	}
	if !due[0].Copied {
		if err := s.copyMissing(ctx, f, due, target); err != nil {
			return "", err
		}
		s.fleet.step("copied on the server")
		if err := s.ledger.RecordCopied(ctx, s.fence, idsOf(due)); err != nil {
			return "", err
		}
	}
	expunged, err := s.expunge(ctx, due)
	if err == nil && !expunged {
		how = "Copied, and the original marked as deleted; the server cannot remove single messages."
	}
	return how, err
}

// withFolder does something that needs a folder, and makes the folder where the
// server has refused it without.
func (s *imapSession) withFolder(ctx context.Context, name string, do func() error) error {
	err := do()
	if err == nil || !s.wasRefused(err) {
		return err
	}
	if created := s.client.Create(ctx, name); created != nil {
		if !s.wasRefused(created) {
			return created
		}
		return err // the first refusal says more
	}
	return do()
}

// errChangedNumbering ends a session in which a folder was counted anew between two
// commands: the next one sees what there is.
var errChangedNumbering = errors.New("the folder was counted anew meanwhile")

func uidsOfDue(due []store.Due) []uint32 {
	uids := make([]uint32, len(due))
	for i, d := range due {
		uids[i] = d.Name.UID
	}
	return uids
}
