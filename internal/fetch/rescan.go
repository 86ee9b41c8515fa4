package fetch

import (
	"context"
	"slices"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// rescans is what a reader asks of the database to bring in what the ledger has
// missed.
type rescans interface {
	RescanWanted(ctx context.Context, id postroom.MailboxID) (bool, error)
	BookMissing(ctx context.Context, f store.Fence, n postroom.Numbering, names []store.Listed) error
	RecordRescan(ctx context.Context, f store.Fence, brought int64) error
}

// rescan enters what a comparison has found on the server and not in the ledger, if
// somebody has asked for that. Whether it is before the start is for the dates to
// say: the start may have been moved, and these names have been passed over before.
// Relisted are those that had vanished and are shown again.
func (w *watch) rescan(ctx context.Context, c store.Comparison, relisted int) error {
	wanted, err := w.ledger.RescanWanted(ctx, w.m.ID)
	if err != nil || !wanted {
		return err
	}
	brought := int64(relisted)
	for _, f := range w.numberings {
		names := unaccounted(c, f)
		for some := range slices.Chunk(names, bookAtOnce) {
			if w.m.Start.Kind != postroom.StartAll {
				if _, err := w.choose(ctx, f.Folder); err != nil {
					return err
				}
				if err := w.judgeByDate(ctx, some); err != nil {
					return err
				}
			}
			if err := w.ledger.BookMissing(ctx, w.fence, f.Numbering, some); err != nil {
				return err
			}
			for _, n := range some {
				if n.State == postroom.ArrivalWaiting {
					brought++
				}
			}
		}
	}
	return w.ledger.RecordRescan(ctx, w.fence, brought)
}

// unaccounted are the names of a folder that the ledger does not know.
func unaccounted(c store.Comparison, f *folder) []store.Listed {
	var names []store.Listed
	for _, u := range c.Unaccounted {
		if u.Folder == f.Folder && u.UIDValidity == f.UIDValidity && u.UID != 0 { // by POP3 all that is listed has been entered
			names = append(names, store.Listed{Name: postroom.Name{UID: u.UID}, State: postroom.ArrivalWaiting})
		}
	}
	return names
}

// answer tells whoever waits for a comparison, or for a rescan, what has come of it.
func (r *reader) answer(ctx context.Context, c store.Comparison) error {
	if err := r.ledger.RecordComparison(ctx, r.fence, c); err != nil {
		return err
	}
	wanted, err := r.ledger.RescanWanted(ctx, r.fence.Mailbox)
	if err != nil || !wanted {
		return err
	}
	return r.ledger.RecordRescan(ctx, r.fence, 0)
}
