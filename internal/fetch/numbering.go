package fetch

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail/imap"
	"github.com/postroom/postroom/internal/store"
)

// numberings is what a reader asks of the database about how folders are counted.
type numberings interface {
	Numberings(ctx context.Context, id postroom.MailboxID) (map[string]postroom.Numbering, error)
	BeginNumbering(ctx context.Context, f store.Fence, n postroom.Numbering) (postroom.Numbering, error)
	NextWanted(ctx context.Context, n postroom.NumberingID) (next time.Time, ok bool, err error)
}

// prove shows that the settings work: it opens every folder. The commit that makes
// the mailbox active notes how far each folder went at that moment.
func (w *watch) prove(ctx context.Context) error {
	var proofs []postroom.Numbering
	for _, name := range w.m.Incoming.Folders {
		status, err := w.client.Examine(ctx, name)
		if err != nil {
			return err
		}
		n := w.shown(name, status)
		switch w.m.Start.Kind {
		case postroom.StartAll:
			n.Floor = 0
		case postroom.StartNow:
			uids, err := w.client.UIDs(ctx, 1)
			if err != nil {
				return err
			}
			if len(uids) > 0 {
				n.Floor = int64(uids[len(uids)-1])
			} else {
				n.Floor = 0
			}
		}
		proofs = append(proofs, n)
	}
	proven, err := w.ledger.RecordProof(ctx, w.fence, w.version, proofs)
	if err != nil {
		return err
	}
	if proven.IsZero() {
		return errChanged
	}
	return w.load(ctx)
}

// shown is the numbering that the server shows for a folder.
func (w *watch) shown(name string, status imap.Status) postroom.Numbering {
	return postroom.Numbering{
		Mailbox: w.m.ID, Protocol: w.m.Incoming.Protocol, Host: w.m.Incoming.Host, Username: w.m.Incoming.Username,
		Folder: name, UIDValidity: status.UIDValidity, Floor: postroom.FloorByDate,
	}
}

// numbering returns the numbering that a selected folder is counted in: the known
// one, or a new one where the server counts anew. The server counts anew when it
// says so, and when it is about to give out UIDs that we have seen: then the
// folder was restored from an older state.
func (w *watch) numbering(ctx context.Context, name string, status imap.Status) (postroom.Numbering, error) {
	known, err := w.ledger.Numberings(ctx, w.m.ID)
	if err != nil {
		return postroom.Numbering{}, err
	}
	n, ok := known[name]
	shown := w.shown(name, status)
	if ok && n.IsSame(shown) {
		again, err := w.countsAnew(ctx, n, status)
		if err != nil || !again {
			return n, err
		}
	}
	w.fleet.Log.InfoContext(ctx, "a folder is counted anew", "mailbox", w.m.ID, "uid_validity", status.UIDValidity, "known", ok)
	if w.m.Start.Kind == postroom.StartAll {
		shown.Floor = 0
	}
	return w.ledger.BeginNumbering(ctx, w.fence, shown)
}

// countsAnew says whether UIDNEXT has gone back behind a UID that was given out. A
// server that shows a message at or beyond its own UIDNEXT is not believed.
func (w *watch) countsAnew(ctx context.Context, n postroom.Numbering, status imap.Status) (bool, error) {
	if status.UIDNext == 0 || status.UIDNext > n.Position || n.Position == 0 {
		return false, nil
	}
	beyond, err := w.client.UIDs(ctx, status.UIDNext)
	return len(beyond) == 0, err
}
