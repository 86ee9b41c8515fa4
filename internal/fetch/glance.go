package fetch

import (
	"context"
	"time"

	"github.com/postroom/postroom/internal/mail/imap"
)

// lookAnew is how long a glance is believed that nothing has changed: then every
// folder is opened and listed again, because servers answer STATUS from what they
// knew a while ago.
const lookAnew = 10 * time.Minute

// hasChanged asks in one round trip whether there is anything to do: in a folder,
// or with a message that is due. It also finds a connection that has gone silent.
func (s *imapSession) hasChanged(ctx context.Context) (bool, error) {
	folders := s.m.Incoming.Folders
	news, now, err := s.client.Glance(ctx, folders)
	if err != nil {
		return false, err
	}
	changed := news || !s.healthy
	for i, name := range folders {
		f := s.numberings[name]
		if f == nil {
			changed = true
			continue
		}
		before := f.glanced
		f.glanced = now[i]
		if now[i].UIDValidity != before.UIDValidity || now[i].UIDNext != before.UIDNext {
			changed = true
			s.leaveFolder(name)
		}
		if i > 0 && now[i].UIDNext == 0 { // the server does not tell; of the first, it tells its news
			changed = true
		}
	}
	if time.Since(s.lookedAt) > lookAnew {
		changed = true
		s.selected = ""
	}
	if changed {
		s.lookedAt = time.Now()
		return true, nil
	}
	next, ok, err := s.nextWork(ctx)
	return ok && !next.After(time.Now()), err
}

// leaveFolder has a folder opened anew before it is listed, if it is the one that
// is open.
func (s *imapSession) leaveFolder(name string) {
	if s.selected == name {
		s.selected = ""
	}
}

// A glance is how a folder was when it was last asked about by STATUS.
type glance = imap.Status
