package fetch

import (
	"context"
	"slices"

	"github.com/postroom/postroom"
	"github.com/postroom/postroom/internal/store"
)

// judge tells the names that wait from those before the start. Where dates decide,
// the server is asked for them.
func (w *watch) judge(ctx context.Context, f *folder, names []store.Listed) error {
	for i := range names {
		uid := int64(names[i].Name.UID)
		if uid != 0 && uid <= f.Floor && w.m.Start.Kind == postroom.StartNow { // which may have been chosen anew since
			names[i].State, names[i].Reason = postroom.ArrivalBeforeStart, atProofWords
		}
	}
	if w.judgesByDate(f) {
		return w.judgeByDate(ctx, names)
	}
	back := slices.DeleteFunc(slices.Clone(names), func(l store.Listed) bool { return !w.cameBack(l.Name) })
	if len(back) == 0 {
		return nil
	}
	if err := w.judgeByDate(ctx, back); err != nil {
		return err
	}
	for i := range names {
		if w.cameBack(names[i].Name) {
			names[i], back = back[0], back[1:]
		}
	}
	return nil
}

// cameBack says whether a name was shown before, and not for a while: it may be new
// mail, or what was there when the mailbox was connected. The dates decide.
func (w *watch) cameBack(n postroom.Name) bool {
	return n.Occurrence > 0 && w.m.Start.Kind == postroom.StartNow
}

const atProofWords = "It was in the folder when the mailbox was connected."

// judgeByDate asks how old messages are. In doubt a message is brought in: then it
// is judged when its bytes come.
func (w *watch) judgeByDate(ctx context.Context, names []store.Listed) error {
	index := make(map[postroom.Name]int, len(names))
	asked := make([]postroom.Name, len(names))
	for i := range names {
		asked[i] = names[i].Name
		index[asked[i]] = i
	}
	err := w.session.facts(ctx, asked, func(t told) {
		i, ok := index[t.Name]
		if !ok {
			return
		}
		l := &names[i]
		l.InternalDate, l.SizeBytes, l.GmailID = t.InternalDate, t.SizeBytes, t.GmailID
		if !w.m.Start.Covers(t.InternalDate, w.fleet.TopReceived(t.Header)) {
			l.State, l.Reason = postroom.ArrivalBeforeStart, w.beforeStartWords()
		}
	})
	if err != nil && !w.session.usable() {
		return err
	}
	return nil
}

// judgesByDate says whether it is dates that decide what is before the start.
func (w *watch) judgesByDate(f *folder) bool {
	return w.m.Start.Kind == postroom.StartDate || w.m.Start.Kind == postroom.StartNow && f.Floor == postroom.FloorByDate
}

// beforeStart settles a message that is older than the start: the start was moved,
// and only now its dates are known.
func (w *watch) beforeStart(ctx context.Context, id postroom.ArrivalID, raw *store.Raw) error {
	if err := w.ledger.DropRaw(ctx, raw); err != nil {
		return err
	}
	return w.ledger.Settle(ctx, w.fence, []postroom.ArrivalID{id}, postroom.ArrivalBeforeStart, w.beforeStartWords())
}

func (w *watch) beforeStartWords() string {
	return "It is older than " + w.m.Start.At.UTC().Format("2 January 2006 15:04") + " UTC, from where on mail is brought in."
}
