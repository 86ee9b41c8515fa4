package fetch

import (
	"context"
	"time"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// numberings is what a reader asks of the database about how folders are counted.
type numberings interface {
	Numberings(ctx context.Context, id postroom.MailboxID) (map[string]postroom.Numbering, error)
	BeginNumbering(ctx context.Context, f store.Fence, n postroom.Numbering) (postroom.Numbering, error)
	EndWaiting(ctx context.Context, f store.Fence) error
	NextWanted(ctx context.Context, n postroom.NumberingID) (next time.Time, ok bool, err error)
}

// prove shows that the settings work: it opens every folder. The commit that makes
// the mailbox active notes how far each folder went at that moment. Where the
// mailbox was proven before, what came in between is brought in: a folder that is
// still counted as before goes on where it was.
func (w *watch) prove(ctx context.Context) error {
	var begin []postroom.Numbering
	for _, name := range w.m.Incoming.Folders {
		shown, _, err := w.session.choose(ctx, name)
		if err != nil {
			return err
		}
		n, err := w.known(ctx, shown)
		if err != nil {
			return err
		}
		if w.m.Start.Kind == postroom.StartNow && w.m.ProvenAt.IsZero() {
			if err := w.session.drawLine(ctx, &n); err != nil {
				return err
			}
		}
		if n.ID == 0 {
			begin = append(begin, n)
		}
	}
	proven, err := w.ledger.RecordProof(ctx, w.fence, w.version, begin)
	if err != nil {
		return err
	}
	if proven.IsZero() {
		return errChanged
	}
	return w.load(ctx)
}

// shown is the numbering that the server shows for a folder, as far as the
// settings tell.
func (w *watch) shown(folder string) postroom.Numbering {
	n := postroom.Numbering{
		Mailbox: w.m.ID, Protocol: w.m.Incoming.Protocol, Host: w.m.Incoming.Host, Username: w.m.Incoming.Username,
		Folder: folder, Floor: postroom.FloorByDate,
	}
	if w.m.Start.Kind == postroom.StartAll {
		n.Floor = 0
	}
	return n
}

// numbering returns the numbering that a chosen folder is counted in: the known
// one, or a new one where the server counts anew. The server counts anew when it
// says so, and when it is about to give out names that we have seen: then the
// folder was restored from an older state.
func (w *watch) numbering(ctx context.Context, shown postroom.Numbering) (postroom.Numbering, error) {
	n, err := w.known(ctx, shown)
	if err != nil || n.ID != 0 {
		return n, err
	}
	w.fleet.Log.InfoContext(ctx, "a folder is counted anew", "mailbox", w.m.ID, "uid_validity", n.UIDValidity, "by_content", n.ByContent)
	return w.ledger.BeginNumbering(ctx, w.fence, n)
}

// known returns the numbering that the chosen folder has been counted in, if it
// still is; otherwise one that is yet to begin, and has no id.
func (w *watch) known(ctx context.Context, shown postroom.Numbering) (postroom.Numbering, error) {
	known, err := w.ledger.Numberings(ctx, w.m.ID)
	if err != nil {
		return postroom.Numbering{}, err
	}
	n, ok := known[shown.Folder]
	if ok && n.IsSame(shown) {
		again, err := w.session.countsAnew(ctx, n, &shown)
		if err != nil || !again {
			return n, err
		}
	}
	return shown, nil
}
