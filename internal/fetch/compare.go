package fetch

import (
	"context"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/mail"
	"github.com/postroom/postroom/internal/store"
)

// comparisons is what a reader asks of the database to prove the ledger.
type comparisons interface {
	Compare(ctx context.Context, id postroom.MailboxID, lists []store.ServerList) (store.Comparison, []postroom.ArrivalID, error)
	RecordComparison(ctx context.Context, f store.Fence, c store.Comparison) error
	Relist(ctx context.Context, f store.Fence, ids []postroom.ArrivalID) error
	rescans
}

// compareAll answers who wants to compare, then brings in what that has found.
func (w *watch) compareAll(ctx context.Context) error {
	if err := w.compareLists(ctx); err != nil {
		return err
	}
	return w.passAll(ctx)
}

// compareLists holds the server's own lists against the arrivals.
func (w *watch) compareLists(ctx context.Context) error {
	w.compareDone()
	var lists []store.ServerList
	for _, name := range w.m.Incoming.Folders {
		w.selected = "" // look anew: the folder may have been counted anew
		f, err := w.choose(ctx, name)
		if err != nil {
			return w.cannotCompare(ctx, err)
		}
		list, err := w.session.list(ctx, f)
		if err != nil {
			return w.cannotCompare(ctx, err)
		}
		lists = append(lists, list)
	}
	c, back, err := w.ledger.Compare(ctx, w.m.ID, lists)
	if err != nil {
		return err
	}
	if err := w.ledger.RecordComparison(ctx, w.fence, c); err != nil {
		return err
	}
	if len(back) > 0 {
		if err := w.ledger.Relist(ctx, w.fence, back); err != nil {
			return err
		}
	}
	return w.rescan(ctx, c, len(back))
}

// cannotCompare answers whoever waits with the reason, and goes on with it, unless
// it is one folder among others that cannot be opened.
func (w *watch) cannotCompare(ctx context.Context, err error) error {
	if fault := w.fleet.Explain(err, w.m, w.login); fault != nil && ctx.Err() == nil {
		if err := w.answer(ctx, store.Comparison{Fault: fault}); err != nil {
			return err
		}
	}
	if _, refused := mail.RefusalOf(err); refused && w.session.usable() && len(w.m.Incoming.Folders) > 1 {
		w.selected = ""
		return nil
	}
	return err
}

// answerWithTrouble answers whoever wants a comparison while the mailbox cannot be
// opened.
func (r *reader) answerWithTrouble(ctx context.Context) {
	r.compareDone()
	fault := r.m.Fault
	if fault == nil {
		k, err := r.ledger.KeptMailbox(ctx, r.fence.Mailbox)
		if err != nil {
			return
		}
		if fault = k.Fault; fault == nil {
			fault = &postroom.Fault{
				Kind: postroom.Delayed, Class: postroom.Unknown, FixBy: postroom.FixByWaiting,
				Explanation: "This mailbox is not being read at the moment.",
				Remedy:      "Look at the mailbox to see why.",
			}
		}
	}
	if err := r.answer(ctx, store.Comparison{Fault: fault}); err != nil {
		r.fleet.Log.ErrorContext(ctx, "cannot answer a comparison", "mailbox", r.fence.Mailbox, "err", err)
	}
}
